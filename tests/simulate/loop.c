/* tests/simulate/loop.c -- io/loop.h on a clock that the simulation turns: no descriptor, no waiting. */
#include "tests/simulate/loop.h"

#include <stdlib.h>

#include "core/bug.h"

enum { TIMERS_MAX = 64 };

struct io_loop {
    int64_t now_msec;
    int64_t utc_msec;
    struct list tasks;
    struct {
        struct io_timer *timer;
        int64_t due_msec; /* -1: not started */
    } timers[TIMERS_MAX];
    struct io_waker *waker;
    bool woken;
};

static struct io_loop *the_loop;

struct io_loop *io_loop_new(struct err *err)
{
    (void)err;
    if (!the_loop)
        the_loop = calloc(1, sizeof(*the_loop));
    if (!the_loop)
        abort();
    list_init(&the_loop->tasks);
    return the_loop;
}

/* What a process had is gone with it; the clock goes on. */
void sim_loop_forget(struct io_loop *loop)
{
    list_init(&loop->tasks);
    for (size_t i = 0; i < TIMERS_MAX; i++)
        loop->timers[i].timer = NULL;
    loop->waker = NULL;
    loop->woken = false;
}

void sim_loop_set_utc(struct io_loop *loop, int64_t utc_msec)
{
    loop->utc_msec = utc_msec;
}

int64_t io_now_msec(const struct io_loop *loop)
{
    return loop->now_msec;
}

int64_t io_wall_msec(void)
{
    return the_loop->utc_msec;
}

int64_t io_clock_usec(void)
{
    return the_loop->now_msec * 1000;
}

/* ---- timers ---- */

bool io_timer_init(struct io_timer *t, struct io_loop *loop, void (*fired)(struct io_timer *t), struct err *err)
{
    (void)err;
    *t = (struct io_timer){ .loop = loop, .fired = fired };
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        if (loop->timers[i].timer)
            continue;
        loop->timers[i].timer = t;
        loop->timers[i].due_msec = -1;
        return true;
    }
    abort();
}

static size_t place(const struct io_timer *t)
{
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (t->loop->timers[i].timer == t)
            return i;
    abort();
}

void io_timer_start(struct io_timer *t, int64_t msec)
{
    t->loop->timers[place(t)].due_msec = t->loop->now_msec + msec;
}

void io_timer_stop(struct io_timer *t)
{
    t->loop->timers[place(t)].due_msec = -1;
}

bool io_timer_pending(const struct io_timer *t)
{
    return t->loop->timers[place(t)].due_msec >= 0;
}

void io_timer_done(struct io_timer *t)
{
    t->loop->timers[place(t)].timer = NULL;
}

/* ---- tasks, wakers, watches ---- */

void io_task_init(struct io_task *t, struct io_loop *loop, void (*run)(struct io_task *t))
{
    *t = (struct io_task){ .loop = loop, .run = run };
    list_init(&t->node);
}

void io_task_post(struct io_task *t)
{
    if (list_empty(&t->node))
        list_append(&t->loop->tasks, &t->node);
}

void io_task_done(struct io_task *t)
{
    list_remove(&t->node);
}

bool io_waker_init(struct io_waker *w, struct io_loop *loop, void (*woken)(struct io_waker *w), struct err *err)
{
    (void)err;
    *w = (struct io_waker){ .fd = -1, .woken = woken };
    loop->waker = w;
    return true;
}

void io_waker_wake(struct io_waker *w)
{
    (void)w;
    the_loop->woken = true;
}

void io_watch_arm(struct io_watch *w, unsigned what)
{
    (void)w;
    (void)what;
}

/* ---- turns ---- */

void sim_loop_turn(struct io_loop *loop)
{
    if (loop->woken && loop->waker) {
        loop->woken = false;
        loop->waker->woken(loop->waker);
    }
    for (struct list *node; (node = list_take(&loop->tasks));) {
        struct io_task *t = CONTAINER_OF(node, struct io_task, node);
        t->run(t);
    }
}

int64_t sim_loop_next(const struct io_loop *loop)
{
    int64_t best = -1;

    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (loop->timers[i].timer && loop->timers[i].due_msec >= 0 &&
            (best < 0 || loop->timers[i].due_msec < best))
            best = loop->timers[i].due_msec;
    return best;
}

void sim_loop_pass(struct io_loop *loop, int64_t msec)
{
    loop->now_msec += msec;
    loop->utc_msec += msec;
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        struct io_timer *t = loop->timers[i].timer;
        if (!t || loop->timers[i].due_msec < 0 || loop->timers[i].due_msec > loop->now_msec)
            continue;
        loop->timers[i].due_msec = -1;
        t->fired(t);
    }
    sim_loop_turn(loop);
}
