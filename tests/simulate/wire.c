/* tests/simulate/wire.c -- frames as octets, so that the codec takes its part. */
#include "tests/simulate/wire.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/num.h"

struct ipc_channel *wire_new(struct worker *w, enum process_kind peer, uint32_t instance)
{
    struct ipc_channel *c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    *c = (struct ipc_channel){
        .self = PROCESS_QUEUE,
        .peer = peer,
        .instance = instance,
        .generation = w->generation,
        .fd = -1,
        .out = BUF_INIT(64 << 20),
        .in = BUF_INIT(64 << 20),
    };
    w->peers[w->n_peers++] = c;
    return c;
}

void wire_cut(struct worker *w, struct ipc_channel *c)
{
    size_t i = 0;

    while (i < w->n_peers && w->peers[i] != c)
        i++;
    if (i < w->n_peers)
        w->peers[i] = w->peers[--w->n_peers];
    c->closed = true;
    buf_done(&c->out);
    buf_done(&c->in);
    free(c);
}

bool ipc_may_ask(struct ipc_channel *c)
{
    return !c->closed;
}

bool ipc_put(struct ipc_channel *c, enum ipc_type type, const void *body, int fd)
{
    return !c->closed && ipc_encode(&c->out, type, body, fd >= 0);
}

void ipc_channel_nonsense(struct ipc_channel *c, const char *what)
{
    snprintf(c->why, sizeof(c->why), "nonsense from %s: %s", process_name(c->peer), what);
    c->closed = true;
}

bool wire_next(struct ipc_channel *c, struct ipc_message *m)
{
    bool with_fd;
    size_t used;

    return ipc_decode(str_skip(buf_str(&c->out), c->out_sent), m, &with_fd, &used) == IPC_SCAN_FRAME;
}

void wire_took(struct ipc_channel *c)
{
    struct ipc_message m;
    bool with_fd;
    size_t used = 0;

    if (ipc_decode(str_skip(buf_str(&c->out), c->out_sent), &m, &with_fd, &used) != IPC_SCAN_FRAME)
        abort();
    c->out_sent += used;
    if (c->out_sent < c->out.n)
        return;
    buf_clear(&c->out);
    c->out_sent = 0;
}

void wire_say(struct worker *w, struct ipc_channel *c, enum ipc_type type, const void *body)
{
    struct buf frame = BUF_INIT(IPC_FRAME_MAX);
    struct ipc_message m;
    bool with_fd;
    size_t used;

    if (!ipc_encode(&frame, type, body, false) ||
        ipc_decode(buf_str(&frame), &m, &with_fd, &used) != IPC_SCAN_FRAME)
        abort();
    m.fd = -1;
    w->service->message(w, c, &m);
    buf_done(&frame);
}

struct ipc_channel *worker_peer(struct worker *w, enum process_kind kind)
{
    for (size_t i = w->n_peers; i > 0; i--)
        if (w->peers[i - 1]->peer == kind)
            return w->peers[i - 1];
    return NULL;
}

struct ipc_channel *worker_peer_of(struct worker *w, enum process_kind kind, uint32_t generation)
{
    (void)generation;
    return worker_peer(w, kind);
}

bool worker_row_add(struct buf *rows, const struct log_record *r)
{
    char length[4];

    le32_put(length, (uint32_t)r->n);
    return buf_add(rows, str_of(length, sizeof(length))) && buf_add(rows, log_octets(r));
}

void worker_exit(struct worker *w)
{
    (void)w;
}
