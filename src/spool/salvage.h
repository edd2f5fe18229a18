/* spool/salvage.h -- messages out of a log whose tables are lost: the one thing that searches (DESIGN 5). */
#ifndef SPOOL_SALVAGE_H
#define SPOOL_SALVAGE_H

#include "spool/disk.h"
#include "spool/spool.h"

/*
 * Look through all segments of DISK for valid records, and visit each message of which no end is found, in order of ids.
 * READ is as after spool_read() with SPOOL_READ_ANYWAY of all parts, and dies when VISIT returns (its file may be taken).
 * What was over long ago may be among them: the record that says so can be in a segment used again since. False with
 * ERR: without a good file "format" no record can be told from any other octets; or the spool is in use.
 */
MUST_USE bool spool_salvage(struct spool_disk *disk, void (*visit)(void *ctx, struct spool_read *read), void *ctx,
                            struct err *err);

#endif
