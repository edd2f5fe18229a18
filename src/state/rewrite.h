/* state/rewrite.h -- a file of an administrator changed in place: as a whole or not at all, and by one at a time. */
#ifndef STATE_REWRITE_H
#define STATE_REWRITE_H

#include <stddef.h>
#include <sys/stat.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

enum { STATE_REWRITE_NAME_MAX = 255 };

/* Init: STATE_REWRITE_INIT; end with state_rewrite_done(). */
struct state_rewrite {
    int fd;     /* the file, locked */
    int folder; /* where it really stands */
    char name[STATE_REWRITE_NAME_MAX + 1];
    struct stat was;
};

#define STATE_REWRITE_INIT ((struct state_rewrite){ .fd = -1, .folder = -1 })

/*
 * Lock the file PATH (a link leads to what is meant) and read its octets, at most MAX, into A. False with ERR: it cannot
 * be had, or (temporary) somebody else is changing it.
 */
MUST_USE bool state_rewrite_begin(struct state_rewrite *w, const char *path, size_t max, struct arena *a,
                                  struct str *text, struct err *err);
/* It holds TEXT from now on, with the owner and mode it had, and that is on disk. On failure it is as it was. */
MUST_USE bool state_rewrite_finish(struct state_rewrite *w, struct str text, struct err *err);
void state_rewrite_done(struct state_rewrite *w);

#endif
