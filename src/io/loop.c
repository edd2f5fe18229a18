/* io/loop.c -- libevent's plain events; one pass over ready descriptors, then the tasks of the turn. */
#include "io/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct io_loop {
    struct event_base *base;
    struct list tasks;
    int64_t now_msec;
    bool stopping;
};

static int64_t clock_nsec(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t io_now_msec(const struct io_loop *loop)
{
    return loop->now_msec;
}

int64_t io_wall_msec(void)
{
    return clock_nsec(CLOCK_REALTIME) / 1000000;
}

int64_t io_clock_usec(void)
{
    return clock_nsec(CLOCK_MONOTONIC) / 1000;
}

static void turn_begins(struct io_loop *loop)
{
    loop->now_msec = clock_nsec(CLOCK_BOOTTIME) / 1000000;
}

struct io_loop *io_loop_new(struct err *err)
{
    struct io_loop *loop = malloc(sizeof(*loop));
    struct event_config *cfg = event_config_new();

    if (!loop || !cfg)
        goto fail;
    *loop = (struct io_loop){ 0 };
    list_init(&loop->tasks);
    /* No environment variable may choose another back end than the one the sandbox allows. */
    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    loop->base = event_base_new_with_config(cfg);
    if (!loop->base)
        goto fail;
    event_config_free(cfg);
    turn_begins(loop);
    return loop;
fail:
    free(loop);
    if (cfg)
        event_config_free(cfg);
    err_temp(err, "no event loop: out of memory");
    return NULL;
}

void io_loop_free(struct io_loop *loop)
{
    if (!loop)
        return;
    BUG_ON(!list_empty(&loop->tasks));
    event_base_free(loop->base);
    free(loop);
}

static void run_tasks(struct io_loop *loop)
{
    struct list *node;

    while ((node = list_take(&loop->tasks))) {
        struct io_task *t = CONTAINER_OF(node, struct io_task, node);
        t->run(t);
    }
}

bool io_loop_run(struct io_loop *loop, struct err *err)
{
    loop->stopping = false;
    run_tasks(loop);
    while (!loop->stopping) {
        /* With nothing to wait for it would return at once for ever: our processes always watch something. */
        int r = event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
        if (r < 0)
            return err_sys(err, errno, "event loop");
        run_tasks(loop);
    }
    return true;
}

void io_loop_stop(struct io_loop *loop)
{
    loop->stopping = true;
}

/* ---- descriptors ---- */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct io_watch *w = arg;

    (void)fd;
    turn_begins(w->loop);
    w->ready(w, (what & EV_READ ? IO_READ : 0U) | (what & EV_WRITE ? IO_WRITE : 0U));
}

bool io_watch_init(struct io_watch *w, struct io_loop *loop, int fd,
                   void (*ready)(struct io_watch *w, unsigned what), struct err *err)
{
    *w = (struct io_watch){ .loop = loop, .fd = fd, .ready = ready };
    w->read_event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_watch, w);
    w->write_event = event_new(loop->base, fd, EV_WRITE | EV_PERSIST, on_watch, w);
    if (w->read_event && w->write_event)
        return true;
    io_watch_done(w);
    return err_temp(err, "no watch on a descriptor: out of memory");
}

static void arm_one(struct event *ev, unsigned before, unsigned after)
{
    if (!before == !after)
        return;
    if (after)
        event_add(ev, NULL);
    else
        event_del(ev);
}

void io_watch_arm(struct io_watch *w, unsigned what)
{
    arm_one(w->read_event, w->armed & IO_READ, what & IO_READ);
    arm_one(w->write_event, w->armed & IO_WRITE, what & IO_WRITE);
    w->armed = what;
}

void io_watch_done(struct io_watch *w)
{
    if (w->read_event)
        event_free(w->read_event);
    if (w->write_event)
        event_free(w->write_event);
    w->read_event = w->write_event = NULL;
    w->armed = 0;
}

/* ---- timers ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct io_timer *t = arg;

    (void)fd;
    (void)what;
    turn_begins(t->loop);
    t->fired(t);
}

bool io_timer_init(struct io_timer *t, struct io_loop *loop, void (*fired)(struct io_timer *t),
                   struct err *err)
{
    *t = (struct io_timer){ .loop = loop, .fired = fired };
    t->event = event_new(loop->base, -1, 0, on_timer, t);
    return t->event || err_temp(err, "no timer: out of memory");
}

void io_timer_start(struct io_timer *t, int64_t msec)
{
    if (msec < 0)
        msec = 0;
    struct timeval tv = { .tv_sec = (time_t)(msec / 1000), .tv_usec = (suseconds_t)(msec % 1000 * 1000) };
    event_add(t->event, &tv);
}

void io_timer_stop(struct io_timer *t)
{
    event_del(t->event);
}

bool io_timer_pending(const struct io_timer *t)
{
    return event_pending(t->event, EV_TIMEOUT, NULL) != 0;
}

void io_timer_done(struct io_timer *t)
{
    if (t->event)
        event_free(t->event);
    t->event = NULL;
}

/* ---- tasks ---- */

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

/* ---- signals ---- */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct io_signal *s = arg;

    (void)fd;
    (void)what;
    turn_begins(s->loop);
    s->caught(s);
}

bool io_signal_init(struct io_signal *s, struct io_loop *loop, int signo,
                    void (*caught)(struct io_signal *s), struct err *err)
{
    *s = (struct io_signal){ .loop = loop, .signo = signo, .caught = caught };
    s->event = event_new(loop->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, s);
    if (s->event && event_add(s->event, NULL) == 0)
        return true;
    io_signal_done(s);
    return err_temp(err, "cannot watch for signal %d", signo);
}

void io_signal_done(struct io_signal *s)
{
    if (s->event)
        event_free(s->event);
    s->event = NULL;
}

/* ---- wakers ---- */

static void on_waker(struct io_watch *watch, unsigned what)
{
    struct io_waker *w = CONTAINER_OF(watch, struct io_waker, watch);
    uint64_t count;

    (void)what;
    if (read(w->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        w->woken(w);
}

bool io_waker_init(struct io_waker *w, struct io_loop *loop, void (*woken)(struct io_waker *w),
                   struct err *err)
{
    *w = (struct io_waker){ .woken = woken };
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0)
        return err_sys(err, errno, "eventfd");
    if (!io_watch_init(&w->watch, loop, w->fd, on_waker, err)) {
        close(w->fd);
        w->fd = -1;
        return false;
    }
    io_watch_arm(&w->watch, IO_READ);
    return true;
}

void io_waker_wake(struct io_waker *w)
{
    uint64_t one = 1;

    /* A full counter means that a wake is under way already. */
    if (write(w->fd, &one, sizeof(one)) < 0)
        return;
}

void io_waker_done(struct io_waker *w)
{
    if (w->fd < 0)
        return;
    io_watch_done(&w->watch);
    close(w->fd);
    w->fd = -1;
}
