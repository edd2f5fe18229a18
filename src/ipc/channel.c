/* ipc/channel.c -- frames gathered in a turn and written at its end; descriptors beside the octets they belong to. */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"

enum {
    READ_ROOM = 256 * 1024,
    ROOM_KEPT = 1 << 20,        /* of a buffer, whatever it is used for */
    OUT_MAX = 64 << 20,         /* what may wait for a peer that does not read */
    OUT_FULL = 8 << 20,         /* above it, no questions */
    OUT_LOG_FULL = 1 << 20,     /* above it, log records are dropped */
    IN_MAX = IPC_FRAME_MAX + READ_ROOM,
    FDS_MAX = 4096,
    KERNEL_BUFFER = 1 << 20,
};

/* Descriptors on their way. A waiting one to send belongs to the frame that begins at octet AT of out. */
struct fd_slot {
    int fd;
    size_t at;
};

struct ipc_fd_queue {
    struct fd_slot out[FDS_MAX];
    size_t n_out;
    int in[FDS_MAX];
    size_t first_in;
    size_t n_in;
};

static void on_ending(struct io_task *t)
{
    struct ipc_channel *c = CONTAINER_OF(t, struct ipc_channel, ending);

    c->handler->ended(c->handler, c);
}

/* The channel carries nothing from now on; the owner hears of it outside its own calls. */
static void channel_end(struct ipc_channel *c, const char *why)
{
    if (c->closed)
        return;
    c->closed = true;
    snprintf(c->why, sizeof(c->why), "%s", why);
    io_watch_arm(&c->watch, 0);
    io_task_post(&c->ending);
}

static bool may_ask(const struct ipc_channel *c)
{
    return !c->closed && !c->deaf && c->asked < IPC_CREDITS && c->out.n - c->out_sent < OUT_FULL;
}

static void tell_credit(struct ipc_channel *c)
{
    if (c->handler->credit && may_ask(c))
        c->handler->credit(c->handler, c);
}

/* ---- writing ---- */

/* Octets that one call may send, with which descriptors: never past a frame whose descriptor does not fit. */
static struct str next_octets(const struct ipc_channel *c, int *fds, size_t *n_fds)
{
    const struct ipc_fd_queue *q = c->fds;
    size_t end = c->out.n;

    *n_fds = 0;
    while (*n_fds < q->n_out && *n_fds < FD_PASS_MAX) {
        fds[*n_fds] = q->out[*n_fds].fd;
        (*n_fds)++;
    }
    if (*n_fds < q->n_out)
        end = q->out[*n_fds].at;
    return str_of(c->out.p + c->out_sent, end - c->out_sent);
}

static void fds_sent(struct ipc_fd_queue *q, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(q->out[i].fd);
    q->n_out -= n;
    for (size_t i = 0; i < q->n_out; i++)
        q->out[i] = q->out[i + n];
}

/*
 * Memory given back and taken again costs more than the octets that are copied there: room stays while it is used now
 * and then, and goes when it was for one burst.
 */
static void keep_usual(struct buf *b, size_t had, size_t *usual)
{
    *usual = size_max(had, *usual - *usual / 64);
    if (!b->n && b->cap > ROOM_KEPT && b->cap / 4 > *usual)
        buf_done(b);
}

/* Passwords and tokens go through the channels of these, and stay in nobody's memory longer than they are needed. */
static bool holds_secrets(const struct ipc_channel *c)
{
    return (1U << c->self | 1U << c->peer) & (SET_AUTH | SET_PAM);
}

/* Drops the first N octets. */
static void eat(const struct ipc_channel *c, struct buf *b, size_t n)
{
    buf_eat(b, n);
    /* The others moved to the front; behind them is what they were, or what was dropped. */
    if (n && holds_secrets(c))
        explicit_bzero(b->p + b->n, n);
}

static void empty(const struct ipc_channel *c, struct buf *b)
{
    if (holds_secrets(c))
        buf_wipe(b);
    else
        buf_done(b);
}

/* Drops the sent octets in front, when that is cheap or they are many. */
static void forget_sent(struct ipc_channel *c)
{
    if (c->out_sent < c->out.n && c->out_sent < OUT_FULL)
        return;
    for (size_t i = 0; i < c->fds->n_out; i++)
        c->fds->out[i].at -= c->out_sent;
    size_t had = c->out.n;
    eat(c, &c->out, c->out_sent);
    c->out_sent = 0;
    keep_usual(&c->out, had, &c->out_usual);
}

/*
 * Nobody will read what waits. But answers and outcomes are always read (DESIGN 3): what the peer wrote before it died
 * is still there, and the end of that is the end of the channel.
 */
static void peer_deaf(struct ipc_channel *c)
{
    c->deaf = true;
    fds_sent(c->fds, c->fds->n_out);
    empty(c, &c->out);
    c->out_sent = 0;
    io_watch_arm(&c->watch, IO_READ);
}

static void channel_write(struct ipc_channel *c)
{
    bool was_full = !may_ask(c);

    while (!c->closed && c->out_sent < c->out.n) {
        int fds[FD_PASS_MAX];
        size_t n_fds;
        struct str octets = next_octets(c, fds, &n_fds);
        ssize_t r = fd_send(c->fd, octets, fds, n_fds);
        if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (r < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            peer_deaf(c);
            return;
        }
        if (r < 0) {
            channel_end(c, "it cannot be written to");
            return;
        }
        fds_sent(c->fds, n_fds);
        c->out_sent += (size_t)r;
    }
    forget_sent(c);
    if (!c->closed)
        io_watch_arm(&c->watch, c->out.n ? IO_READ | IO_WRITE : IO_READ);
    if (was_full)
        tell_credit(c);
}

static void on_flush(struct io_task *t)
{
    channel_write(CONTAINER_OF(t, struct ipc_channel, flush));
}

void ipc_channel_flush(struct ipc_channel *c)
{
    if (c->out_sent < c->out.n)
        channel_write(c);
}

bool ipc_may_ask(struct ipc_channel *c)
{
    return may_ask(c);
}

static bool queue_fd(struct ipc_channel *c, int fd, size_t at)
{
    struct ipc_fd_queue *q = c->fds;
    int copy = q->n_out < FDS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (copy < 0)
        return false;
    q->out[q->n_out++] = (struct fd_slot){ copy, at };
    return true;
}

/* An attempt in progress that its holder tells a new queue of: its outcome answers as if that queue had asked. */
static bool takes_over(enum ipc_type type, const void *body)
{
    if (type == IPC_KEPT)
        return !((const struct ipc_kept *)body)->finished;
    return type == IPC_TRANSFER_KEPT && !((const struct ipc_transfer_kept *)body)->finished;
}

bool ipc_put(struct ipc_channel *c, enum ipc_type type, const void *body, int fd)
{
    BUG_ON(!ipc_type_allowed(type, c->self, c->peer));
    BUG_ON(fd >= 0 && !ipc_type_takes_fd(type));
    if (c->closed || c->deaf || (ipc_type_class(type) == IPC_QUESTION && !may_ask(c)))
        return false;
    if (type == IPC_LOG && c->out.n - c->out_sent > OUT_LOG_FULL) {
        c->lost++;
        return false;
    }

    size_t at = c->out.n;
    if (!ipc_encode(&c->out, type, body, fd >= 0))
        return false;
    if (fd >= 0 && !queue_fd(c, fd, at)) {
        c->out.n = at;
        return false;
    }
    if (ipc_type_class(type) == IPC_QUESTION)
        c->asked++;
    else if (ipc_type_class(type) == IPC_ANSWER && c->owed)
        c->owed--;
    else if (takes_over(type, body))
        c->owed++;
    if (!(c->watch.armed & IO_WRITE))
        io_task_post(&c->flush);
    return true;
}

/* ---- reading ---- */

void ipc_channel_nonsense(struct ipc_channel *c, const char *what)
{
    char why[sizeof(c->why)];

    snprintf(why, sizeof(why), "nonsense from %s: %s", process_name(c->peer), what);
    channel_end(c, why);
}

/* False: the peer broke the rules of who may say what. */
static bool count_message(struct ipc_channel *c, const struct ipc_message *m)
{
    switch (ipc_type_class(m->type)) {
    case IPC_QUESTION:
        return c->owed++ < IPC_CREDITS;
    case IPC_ANSWER:
        return c->asked > 0 && (c->asked--, true);
    case IPC_NOTICE:
        /* All members of the union begin where it begins. */
        if (takes_over(m->type, &m->kept))
            return c->asked++ < IPC_CREDITS;
        break;
    }
    return true;
}

static bool take_in_fd(struct ipc_fd_queue *q, int *fd)
{
    if (!q->n_in)
        return false;
    *fd = q->in[q->first_in];
    q->first_in = (q->first_in + 1) % FDS_MAX;
    q->n_in--;
    return true;
}

static void dispatch(struct ipc_channel *c, struct ipc_message *m, bool with_fd)
{
    bool was_full = !may_ask(c);

    if (!ipc_type_allowed(m->type, c->peer, c->self))
        ipc_channel_nonsense(c, ipc_type_name(m->type));
    else if (with_fd && !take_in_fd(c->fds, &m->fd))
        ipc_channel_nonsense(c, "a descriptor is missing");
    else if (!count_message(c, m))
        ipc_channel_nonsense(c, "credits");
    else
        c->handler->message(c->handler, c, m);
    fd_close(&m->fd);
    if (was_full && !c->closed)
        tell_credit(c);
}

/* All whole frames of c->in; returns how many octets the next one needs to be whole. */
static size_t dispatch_frames(struct ipc_channel *c)
{
    size_t done = 0, used = 0;
    bool with_fd = false;
    struct ipc_message m;

    while (!c->closed) {
        enum ipc_scan scan = ipc_decode(str_skip(buf_str(&c->in), done), &m, &with_fd, &used);
        if (scan == IPC_SCAN_MORE)
            break;
        if (scan == IPC_SCAN_NONSENSE) {
            ipc_channel_nonsense(c, "frame");
            break;
        }
        done += used;
        dispatch(c, &m, with_fd);
    }
    eat(c, &c->in, size_min(done, c->in.n));
    return used;
}

static void store_fds(struct ipc_channel *c, const int *fds, size_t n)
{
    struct ipc_fd_queue *q = c->fds;

    for (size_t i = 0; i < n; i++) {
        /* They would fill our table, and to close one that somebody else prepared may take long. */
        if (q->n_in == FDS_MAX || !ipc_gives_fds(c->peer, c->self)) {
            close(fds[i]);
            ipc_channel_nonsense(c, "descriptors that belong to no message");
        } else {
            q->in[(q->first_in + q->n_in++) % FDS_MAX] = fds[i];
        }
    }
}

static void channel_read(struct ipc_channel *c)
{
    int fds[FD_PASS_MAX];
    size_t n_fds;
    bool overflow;
    char *room = buf_room(&c->in, READ_ROOM);

    if (!room) {
        channel_end(c, "out of memory");
        return;
    }
    ssize_t r = fd_recv(c->fd, room, READ_ROOM, fds, FD_PASS_MAX, &n_fds, &overflow);
    if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (r <= 0) {
        channel_end(c, "peer closed");
        return;
    }
    store_fds(c, fds, n_fds);
    if (overflow)
        ipc_channel_nonsense(c, "descriptors lost");
    buf_grew(&c->in, (size_t)r);
    size_t had = c->in.n;
    size_t want = dispatch_frames(c);
    /* Room for the rest of a large frame at once, so that it does not grow step by step. */
    if (!c->closed && want > c->in.n && want > READ_ROOM && !buf_room(&c->in, want - c->in.n))
        channel_end(c, "out of memory");
    keep_usual(&c->in, size_max(had, want), &c->in_usual);
}

static void on_ready(struct io_watch *w, unsigned what)
{
    struct ipc_channel *c = CONTAINER_OF(w, struct ipc_channel, watch);

    if ((what & IO_WRITE) && !c->closed)
        channel_write(c);
    if ((what & IO_READ) && !c->closed)
        channel_read(c);
}

/* ---- life ---- */

struct ipc_channel *ipc_channel_new(struct io_loop *loop, int fd, enum process_kind self, enum process_kind peer,
                                    struct ipc_handler *handler, struct err *err)
{
    struct ipc_channel *c = calloc(1, sizeof(*c));
    struct ipc_fd_queue *q = calloc(1, sizeof(*q));
    int size = KERNEL_BUFFER;

    if (!c || !q) {
        err_temp(err, "no channel: out of memory");
        goto fail;
    }
    *c = (struct ipc_channel){
        .loop = loop,
        .self = self,
        .peer = peer,
        .fd = fd,
        .fds = q,
        .handler = handler,
        .in = BUF_INIT(IN_MAX),
        .out = BUF_INIT(OUT_MAX),
    };
    if (!io_watch_init(&c->watch, loop, fd, on_ready, err))
        goto fail;
    /* A smaller buffer works too. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    io_task_init(&c->flush, loop, on_flush);
    io_task_init(&c->ending, loop, on_ending);
    io_watch_arm(&c->watch, IO_READ);
    return c;
fail:
    free(q);
    free(c);
    fd_close(&fd);
    return NULL;
}

void ipc_channel_free(struct ipc_channel *c)
{
    if (!c)
        return;
    if (!c->closed)
        ipc_channel_flush(c);
    c->closed = true;
    io_task_done(&c->flush);
    io_task_done(&c->ending);
    io_watch_done(&c->watch);
    fds_sent(c->fds, c->fds->n_out);
    for (int fd; take_in_fd(c->fds, &fd);)
        close(fd);
    empty(c, &c->in);
    empty(c, &c->out);
    fd_close(&c->fd);
    free(c->fds);
    free(c);
}
