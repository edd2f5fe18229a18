/*
 * spool/exported.h -- a folder of messages as files, ID.eml and ID.json: out of a spool, into one.
 *
 * No name is ever used again for another file. What has been taken in is moved to the folder done/ in it.
 */
#ifndef SPOOL_EXPORTED_H
#define SPOOL_EXPORTED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/err.h"

/* The folder at PATH, made with mode 0700 when it is missing and MAKE. -1 with ERR. */
int exported_open(const char *path, bool make, struct err *err);
/* A new file of mode 0600 to write; -1 with ERR, also when there is one of that name. */
int exported_new(int folder, const char *name, struct err *err);
/* That file was not finished. */
void exported_drop(int folder, const char *name);
/* All that was written and named below FOLDER is on stable storage. */
MUST_USE bool exported_sync(int folder, struct err *err);
/* To read; its length in *octets. -1 with ERR. */
int exported_read(int folder, const char *name, uint64_t *octets, struct err *err);
/* NAME goes to done/, which is made, durably; never over a file there. */
MUST_USE bool exported_done(int folder, const char *name, struct err *err);

#endif
