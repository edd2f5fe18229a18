/*
 * spool/drops.h -- the drop folder: where everyone may leave a message while the server is down.
 *
 * Folder `drop` of the spool, mode 1733: everyone may add a file, nobody may list, read or remove those of others. A
 * message is one file, mode 0600, written under a temporary name and renamed when it is on the disk. What can never be
 * taken goes to `drop-failed` beside it, mode 0700. Both belong to who starts the server.
 */
#ifndef SPOOL_DROPS_H
#define SPOOL_DROPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

enum { SPOOL_DROP_NAME_MAX = 100 };

struct spool_drops {
    int folder;
    int aside;
};

struct spool_drop {
    int fd;
    uid_t uid;
    uint64_t number; /* with its name: of this file and no other */
};

/* Both folders of the spool at PATH, made if they are missing. False: neither is open. */
MUST_USE bool spool_drops_open(struct spool_drops *d, const char *path, struct err *err);
void spool_drops_close(struct spool_drops *d);
/* Tells EACH of the names of finished files until it returns false. A file may be renamed or removed meanwhile. */
void spool_drops_list(const struct spool_drops *d, bool (*each)(void *ctx, const char *name), void *ctx);
/*
 * Opens NAME for reading. Neither name nor file is trusted: a permanent error is one that is not a plain file with
 * this name alone, or that we may not read; drop->uid is set then, too. A temporary one: it is gone, or cannot be opened now.
 */
MUST_USE bool spool_drop_open(const struct spool_drops *d, const char *name, struct spool_drop *drop, struct err *err);
/* It is in the queue. One that is gone already is no failure. */
MUST_USE bool spool_drop_remove(const struct spool_drops *d, const char *name, struct err *err);
MUST_USE bool spool_drop_set_aside(const struct spool_drops *d, const char *name, struct err *err);

/* Leaves OCTETS as a file in the spool at PATH, as the user that calls. True: it is on stable storage. */
MUST_USE bool spool_drop_leave(const char *path, struct str octets, struct err *err);

#endif
