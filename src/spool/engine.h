/* spool/engine.h -- the steps that the spool's threads make in turn; with options.manual the caller makes
 * them. */
#ifndef SPOOL_ENGINE_H
#define SPOOL_ENGINE_H

#include "spool/spool.h"

enum spool_step {
    SPOOL_STEP_DONE, /* did something: ask again */
    SPOOL_STEP_WAIT, /* nothing before *until_usec of boot time, unless something is submitted */
    SPOOL_STEP_IDLE, /* nothing at all until something is submitted, or another step makes room */
};

/* Write and sync at most one frame. */
enum spool_step spool_step_commit(struct spool *spool, int64_t *until_usec);
/* One own file synced, or one message read. */
enum spool_step spool_step_content(struct spool *spool);
/* One piece of what is done ahead or after: segments and own files made ready, unlinking, checkpoints, space,
 * ids. */
enum spool_step spool_step_upkeep(struct spool *spool, int64_t *until_usec);

/* A checkpoint is wanted at the next step of upkeep, due or not. */
void spool_want_checkpoint(struct spool *spool);

/* Free everything and call nobody back, as the death of the process does. Manual only. */
void spool_die(struct spool *spool);

#endif
