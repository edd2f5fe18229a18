/* tests/simulate/loop.h -- the loop of the simulated process: its owner says what time it is. */
#ifndef TESTS_SIMULATE_LOOP_H
#define TESTS_SIMULATE_LOOP_H

#include "io/loop.h"

/* All timers, tasks and wakers are those of a process that is no more. */
void sim_loop_forget(struct io_loop *loop);
void sim_loop_set_utc(struct io_loop *loop, int64_t utc_msec);
/* What was woken and posted runs. */
void sim_loop_turn(struct io_loop *loop);
/* When the next timer is due, -1: none. */
int64_t sim_loop_next(const struct io_loop *loop);
/* So much time passes; timers that are due fire. */
void sim_loop_pass(struct io_loop *loop, int64_t msec);

#endif
