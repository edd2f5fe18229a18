/*
 * spool/exported.h -- a folder of messages as files, ID.eml and ID.json: out of a spool, into one.
 *
 * No name is ever used again for another file. What has been taken in is moved to the folder done/ in it.
 * ID.json is there when its message is there as a whole: it is written under another name, and named last.
 */
#ifndef SPOOL_EXPORTED_H
#define SPOOL_EXPORTED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/err.h"

/*
 * The folder at PATH, made with mode 0700 when it is missing and MAKE. It is this one's until it is closed; -1 with
 * ERR, EWOULDBLOCK while it is another's.
 */
int exported_open(const char *path, bool make, struct err *err);
/* A new file of mode 0600 to write; -1 with ERR, also when there is one of that name. */
int exported_new(int folder, const char *name, struct err *err);
/* Is there something of that name? */
bool exported_has(int folder, const char *name);
/* FROM is finished, and is called TO; never over a file there. */
MUST_USE bool exported_name(int folder, const char *from, const char *to, struct err *err);
/* That file was not finished. */
void exported_drop(int folder, const char *name);
/* All that was written and named below FOLDER is on stable storage. */
MUST_USE bool exported_sync(int folder, struct err *err);
/* To read; its length in *octets. -1 with ERR. */
int exported_read(int folder, const char *name, uint64_t *octets, struct err *err);
/* NAME goes to done/, which is made, durably; never over a file there. */
MUST_USE bool exported_done(int folder, const char *name, struct err *err);

#endif
