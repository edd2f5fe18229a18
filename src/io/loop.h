/* io/loop.h -- the event loop of a process: descriptors, timers, signals, work put off to the end of a turn. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/list.h"

struct event;
struct io_loop;

/* NULL with ERR set on failure. */
struct io_loop *io_loop_new(struct err *err);
/* All watches, timers, signals and tasks of it must be done before. Takes NULL. */
void io_loop_free(struct io_loop *loop);
/* Returns when io_loop_stop() was called. False: the kernel refused to wait (ERR). */
MUST_USE bool io_loop_run(struct io_loop *loop, struct err *err);
/* The running turn is finished first. */
void io_loop_stop(struct io_loop *loop);

/* Milliseconds on CLOCK_BOOTTIME at the start of this turn: for waits. */
int64_t io_now_msec(const struct io_loop *loop);
/* UTC milliseconds since the epoch, read now: for what people see and the disk holds. */
int64_t io_wall_msec(void);
/* Microseconds on CLOCK_MONOTONIC, read now: for measuring. */
int64_t io_clock_usec(void);

/*
 * Every object below is embedded in its owner, tied to a loop by init, and must be done before its memory goes.
 * No callback runs inside the call that armed it. Inside its callback an object may be stopped, done and freed.
 */

enum { IO_READ = 1, IO_WRITE = 2 };

struct io_watch {
    struct io_loop *loop;
    struct event *read_event;
    struct event *write_event;
    int fd;
    unsigned armed; /* IO_READ | IO_WRITE */
    void (*ready)(struct io_watch *w, unsigned what);
};

/* Watches FD, which stays the caller's; nothing is armed yet. */
MUST_USE bool io_watch_init(struct io_watch *w, struct io_loop *loop, int fd,
                            void (*ready)(struct io_watch *w, unsigned what), struct err *err);
/* Arm exactly WHAT (level-triggered, stays armed); 0 disarms. */
void io_watch_arm(struct io_watch *w, unsigned what);
void io_watch_done(struct io_watch *w);

struct io_timer {
    struct io_loop *loop;
    struct event *event;
    void (*fired)(struct io_timer *t);
};

MUST_USE bool io_timer_init(struct io_timer *t, struct io_loop *loop, void (*fired)(struct io_timer *t),
                            struct err *err);
/* Fires once, MSEC from now (0: next turn); starting again moves it. */
void io_timer_start(struct io_timer *t, int64_t msec);
void io_timer_stop(struct io_timer *t);
bool io_timer_pending(const struct io_timer *t);
void io_timer_done(struct io_timer *t);

/* Work of the end of this turn: after all ready descriptors, before the next wait. Runs once for each post. */
struct io_task {
    struct list node;
    struct io_loop *loop;
    void (*run)(struct io_task *t);
};

void io_task_init(struct io_task *t, struct io_loop *loop, void (*run)(struct io_task *t));
/* Posting a posted task changes nothing. */
void io_task_post(struct io_task *t);
void io_task_done(struct io_task *t);

struct io_signal {
    struct io_loop *loop;
    struct event *event;
    int signo;
    void (*caught)(struct io_signal *s);
};

MUST_USE bool io_signal_init(struct io_signal *s, struct io_loop *loop, int signo,
                             void (*caught)(struct io_signal *s), struct err *err);
void io_signal_done(struct io_signal *s);

/* Wakes the loop from another thread; many wakes before a turn are one call of woken. */
struct io_waker {
    struct io_watch watch;
    int fd;
    void (*woken)(struct io_waker *w);
};

MUST_USE bool io_waker_init(struct io_waker *w, struct io_loop *loop, void (*woken)(struct io_waker *w),
                            struct err *err);
/* Safe from any thread and from a signal handler, while the waker lives. */
void io_waker_wake(struct io_waker *w);
void io_waker_done(struct io_waker *w);

#endif
