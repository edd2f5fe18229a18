/* spool/still.h -- a spool that nobody runs, opened to be looked at: nothing in its folder changes. */
#ifndef SPOOL_STILL_H
#define SPOOL_STILL_H

#include "spool/disk.h"
#include "spool/spool.h"

/*
 * A disk that reads from BASE (borrowed) and forgets what is written to it, so that the recovery of any server can be
 * made on it and leaves no trace. It takes the lock of the spool where that can be had: on a medium that cannot be
 * written nobody runs. NULL with ERR. Closed after the spool on it.
 */
MUST_USE struct spool_disk *spool_still_disk(struct spool_disk *base, struct err *err);
void spool_still_close(struct spool_disk *still); /* takes NULL */

/*
 * The spool on a still disk, recovered in memory alone. Its owner makes the steps (spool/engine.h) and ends it by
 * spool_die(). Fails as spool_open() does, and where there is no spool.
 */
MUST_USE struct spool *spool_still_open(struct spool_disk *still, struct err *err);

#endif
