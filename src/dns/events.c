/*
 * dns/events.c -- libunbound's events as watches and timers. Through its pluggable interface, so that nothing here
 * depends on the libevent which the library was built with, and io/ stays the only user of ours.
 */
#include "dns/events.h"

#include <stdlib.h>
#include <sys/time.h>

#include "core/bug.h"

struct event {
    struct ub_event face; /* first: what the library holds */
    struct io_loop *loop;
    int fd;
    short bits;
    void (*happened)(int fd, short what, void *arg);
    void *arg;
    struct io_watch watch; /* of FD, while WATCHED */
    bool watched;
    struct io_timer timer;
    int64_t timeout_msec; /* of a persistent event, from each time it happens; negative: none */
};

static struct event *event_of(struct ub_event *face)
{
    return CONTAINER_OF(face, struct event, face);
}

static void stop(struct event *e)
{
    if (e->watched)
        io_watch_arm(&e->watch, 0);
    io_timer_stop(&e->timer);
}

/* The callback may free the event: nothing of it is touched afterwards. */
static void happen(struct event *e, short what)
{
    if (!(e->bits & UB_EV_PERSIST))
        stop(e);
    else if (e->timeout_msec >= 0)
        io_timer_start(&e->timer, e->timeout_msec);
    e->happened(e->fd, what, e->arg);
}

static void on_ready(struct io_watch *w, unsigned what)
{
    int bits = (what & IO_READ ? UB_EV_READ : 0) | (what & IO_WRITE ? UB_EV_WRITE : 0);

    happen(CONTAINER_OF(w, struct event, watch), (short)bits);
}

static void on_fired(struct io_timer *t)
{
    happen(CONTAINER_OF(t, struct event, timer), UB_EV_TIMEOUT);
}

static int64_t msec_of(const struct timeval *tv)
{
    return (int64_t)tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000;
}

static void unwatch(struct event *e)
{
    if (e->watched)
        io_watch_done(&e->watch);
    e->watched = false;
}

/* ---- what the library calls ---- */

static void on_add_bits(struct ub_event *face, short bits)
{
    event_of(face)->bits |= bits;
}

static void on_del_bits(struct ub_event *face, short bits)
{
    event_of(face)->bits &= (short)~bits;
}

static void on_set_fd(struct ub_event *face, int fd)
{
    struct event *e = event_of(face);

    unwatch(e);
    e->fd = fd;
}

static void on_free(struct ub_event *face)
{
    struct event *e = event_of(face);

    unwatch(e);
    io_timer_done(&e->timer);
    free(e);
}

static bool watch(struct event *e)
{
    unsigned what = (e->bits & UB_EV_READ ? IO_READ : 0) | (e->bits & UB_EV_WRITE ? IO_WRITE : 0);

    if (e->fd < 0 || !what)
        return true;
    if (!e->watched && !io_watch_init(&e->watch, e->loop, e->fd, on_ready, NULL))
        return false;
    e->watched = true;
    io_watch_arm(&e->watch, what);
    return true;
}

static int on_add(struct ub_event *face, struct timeval *timeout)
{
    struct event *e = event_of(face);

    if (!watch(e))
        return -1;
    e->timeout_msec = timeout ? msec_of(timeout) : -1;
    if (timeout)
        io_timer_start(&e->timer, e->timeout_msec);
    return 0;
}

/* The library may close the descriptor next: the watch of it goes, too. */
static int on_del(struct ub_event *face)
{
    struct event *e = event_of(face);

    unwatch(e);
    io_timer_stop(&e->timer);
    return 0;
}

static int on_add_timer(struct ub_event *face, struct ub_event_base *base,
                        void (*happened)(int fd, short what, void *arg), void *arg, struct timeval *timeout)
{
    struct event *e = event_of(face);

    (void)base;
    e->happened = happened;
    e->arg = arg;
    e->timeout_msec = -1;
    io_timer_start(&e->timer, msec_of(timeout));
    return 0;
}

/* Signals and Windows: the library says that it does not call these. */
static int on_signal(struct ub_event *face, struct timeval *timeout)
{
    (void)face;
    (void)timeout;
    return -1;
}

static int on_signal_del(struct ub_event *face)
{
    (void)face;
    return -1;
}

static void on_unregister(struct ub_event *face)
{
    (void)face;
}

static void on_wouldblock(struct ub_event *face, int bit)
{
    (void)face;
    (void)bit;
}

static struct ub_event_vmt event_calls = {
    .add_bits = on_add_bits,
    .del_bits = on_del_bits,
    .set_fd = on_set_fd,
    .free = on_free,
    .add = on_add,
    .del = on_del,
    .add_timer = on_add_timer,
    .del_timer = on_del,
    .add_signal = on_signal,
    .del_signal = on_signal_del,
    .winsock_unregister_wsaevent = on_unregister,
    .winsock_tcp_wouldblock = on_wouldblock,
};

static struct ub_event *on_new(struct ub_event_base *base, int fd, short bits,
                               void (*happened)(int fd, short what, void *arg), void *arg)
{
    struct dns_events *events = CONTAINER_OF(base, struct dns_events, base);
    struct event *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    *e = (struct event){
        .face = { .magic = UB_EVENT_MAGIC, .vmt = &event_calls },
        .loop = events->loop,
        .fd = fd,
        .bits = bits,
        .happened = happened,
        .arg = arg,
        .timeout_msec = -1,
    };
    if (io_timer_init(&e->timer, events->loop, on_fired, NULL))
        return &e->face;
    free(e);
    return NULL;
}

static void on_base_free(struct ub_event_base *base)
{
    (void)base;
}

static int on_dispatch(struct ub_event_base *base)
{
    (void)base;
    return -1;
}

static int on_exit_loop(struct ub_event_base *base, struct timeval *after)
{
    (void)base;
    (void)after;
    return -1;
}

static struct ub_event *on_new_signal(struct ub_event_base *base, int signo,
                                      void (*happened)(int fd, short what, void *arg), void *arg)
{
    (void)base;
    (void)signo;
    (void)happened;
    (void)arg;
    return NULL;
}

static struct ub_event *on_register(struct ub_event_base *base, void *handle,
                                    void (*happened)(int fd, short what, void *arg), void *arg)
{
    (void)base;
    (void)handle;
    (void)happened;
    (void)arg;
    return NULL;
}

static struct ub_event_base_vmt base_calls = {
    .free = on_base_free,
    .dispatch = on_dispatch,
    .loopexit = on_exit_loop,
    .new_event = on_new,
    .new_signal = on_new_signal,
    .winsock_register_wsaevent = on_register,
};

void dns_events_init(struct dns_events *e, struct io_loop *loop)
{
    *e = (struct dns_events){ .base = { .magic = UB_EVENT_MAGIC, .vmt = &base_calls }, .loop = loop };
}
