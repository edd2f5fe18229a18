/*
 * send/queue.c -- connections and leases in, outcomes out; nothing is forgotten before it is on disk.
 *
 *     OPEN_ASK ──> connection ──> OPEN_ANSWER
 *     TRANSFER ──> transfer, in the table ──> at its connection ──> TRANSFERRED ──> SETTLED: gone
 *
 * When the queue dies its successor is told of every transfer in the table (TRANSFER_KEPT), so that it leases
 * none of them again; the TRANSFERRED of one that was in progress then goes to it as if it had asked. A transfer
 * that says nothing about its recipients (AGAIN for all) is not kept: without it the message is as it was.
 */
#include "send/queue.h"

#include <stdlib.h>

#include "send/connection.h"

/* ---- finding ---- */

static struct ipc_channel *queue_by_instance(const struct send *s, uint32_t instance)
{
    const struct worker *w = s->worker;

    for (size_t i = 0; instance && i < w->n_peers; i++)
        if (w->peers[i]->peer == PROCESS_QUEUE && w->peers[i]->instance == instance && !w->peers[i]->closed)
            return w->peers[i];
    return NULL;
}

static struct connection *connection_find(const struct send *s, uint32_t instance, uint64_t id)
{
    LIST_FOR(node, &s->connections)
    {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        if (c->id == id && c->queue_instance == instance && c->state != CONNECTION_ENDED)
            return c;
    }
    return NULL;
}

/* ---- transfers ---- */

static void tell(const struct send *s, const struct transfer *t)
{
    struct ipc_channel *queue = queue_by_instance(s, t->queue_instance);

    /* Without a queue, or when it cannot be told, it stays kept: the next queue hears of it. */
    if (queue)
        ipc_send_transferred(queue, &(struct ipc_transferred){
                                        .lease = t->lease,
                                        .id = t->id,
                                        .in_doubt = t->tx.in_doubt,
                                        .host = t->host,
                                        .tls = t->tls,
                                        .peer = t->peer,
                                        .connect_usec = (uint64_t)t->connect_usec,
                                        .send_usec = (uint64_t)t->send_usec,
                                        .count = (uint32_t)t->tx.n_recipients,
                                        .results = t->results,
                                    });
}

static void count(struct send *s, const struct transfer *t)
{
    for (size_t i = 0; i < t->tx.n_recipients; i++) {
        if (t->tx.recipients[i].result.kind == SMTP_RESULT_OK)
            s->delivered++;
        else if (t->tx.recipients[i].result.kind != SMTP_RESULT_AGAIN)
            s->failed++;
    }
}

static void finished(struct send *s, struct transfer *t)
{
    bool keep = !transfer_is_untouched(t);

    s->running--;
    s->octets -= t->octets;
    count(s, t);
    transfer_finish(t);
    tell(s, t);
    if (keep)
        s->kept++;
    else
        transfer_free(t);
    send_exit_if_done(s);
}

static void refuse(struct send *s, struct transfer *t, enum smtp_client_result_kind kind, struct str status,
                   struct str text)
{
    transfer_set_all(t, kind, status, text);
    finished(s, t);
}

static void transfer(struct send *s, struct ipc_channel *queue, struct ipc_message *m)
{
    struct connection *c = connection_find(s, queue->instance, m->transfer.connection);
    struct transfer *t = transfer_new(&m->transfer, &m->fd);

    if (!t) {
        /* Nothing to keep it in: the queue has it as before. */
        ipc_send_transferred(queue,
                             &(struct ipc_transferred){ .lease = m->transfer.lease, .id = m->transfer.id });
        return;
    }
    t->queue_instance = queue->instance;
    list_append(&s->transfers[t->lease % SEND_TABLE], &t->node);
    s->running++;
    s->octets += t->octets;
    if (!c || !connection_takes(c))
        refuse(s, t, SMTP_RESULT_AGAIN, STR("4.4.2"), STR("the connection is closed"));
    else if (s->octets > SEND_CONTENT_MAX)
        refuse(s, t, SMTP_RESULT_TEMP, STR("4.3.1"), STR("too much content waits to be sent"));
    else
        connection_give(c, t);
}

static void settled(struct send *s, uint64_t lease)
{
    LIST_FOR(node, &s->transfers[lease % SEND_TABLE])
    {
        struct transfer *t = CONTAINER_OF(node, struct transfer, node);
        if (t->lease != lease || !t->finished)
            continue;
        transfer_free(t);
        s->kept--;
        send_exit_if_done(s);
        return;
    }
}

/* ---- connections ---- */

static void opened(struct connection *c)
{
    struct ipc_channel *queue = queue_by_instance(c->send, c->queue_instance);
    struct address_text peer = connection_peer(c);

    if (queue)
        ipc_send_open_answer(queue, &(struct ipc_open_answer){
                                        .connection = c->id,
                                        .status = IPC_OK,
                                        .host = connection_host(c),
                                        .tls = str_from_c(c->tls_version),
                                        .peer = str_from_c(peer.c),
                                        .connect_usec = (uint64_t)c->connect_usec,
                                    });
}

static void failed(struct connection *c, const struct connection_failure *why)
{
    struct ipc_channel *queue = queue_by_instance(c->send, c->queue_instance);
    struct address_text peer = { "" };

    if (why->address && !why->address->path.n)
        peer = address_text(why->address);
    if (queue)
        ipc_send_open_answer(queue, &(struct ipc_open_answer){
                                        .connection = c->id,
                                        .status = (uint8_t)why->status,
                                        .stage = (uint8_t)why->stage,
                                        .reason = (uint16_t)why->reason,
                                        .code = (uint16_t)why->code,
                                        .enhanced = str_from_c(why->enhanced),
                                        .host = why->address ? why->address->host : STR_NONE,
                                        .peer = str_from_c(peer.c),
                                        .text = str_from_c(why->text),
                                    });
}

static void made(struct connection *c, struct transfer *t)
{
    struct address_text peer = connection_peer(c);

    /* Cut short by us and not by its peer, before anything of it was sent. */
    if (c->hurried && !t->tx.begun)
        transfer_set_all(t, SMTP_RESULT_AGAIN, STR("4.3.2"), STR("the server is stopping"));
    t->host = arena_str(t->arena, connection_host(c));
    t->peer = arena_str(t->arena, str_from_c(peer.c));
    t->tls = arena_str(t->arena, str_from_c(c->tls_version));
    t->connect_usec = c->connect_usec;
    c->connect_usec = 0; /* the next one here did not wait for it */
    t->send_usec = io_clock_usec() - t->began_usec;
    finished(c->send, t);
}

static void closed(struct connection *c, bool orderly, const struct smtp_client_result *farewell)
{
    struct ipc_channel *queue = queue_by_instance(c->send, c->queue_instance);

    if (queue)
        ipc_send_connection_closed(queue, &(struct ipc_connection_closed){
                                              .connection = c->id,
                                              .orderly = orderly,
                                              .code = farewell ? (uint16_t)farewell->code : 0,
                                              .text = farewell ? farewell->text : STR_NONE,
                                          });
}

static const struct connection_owner queue_owner = {
    .opened = opened,
    .failed = failed,
    .made = made,
    .closed = closed,
};

static void open_ask(struct send *s, struct ipc_channel *queue, const struct ipc_open_ask *ask)
{
    const struct config *config = s->worker->config;
    const struct config_route *route = ask->route < config->n_routes ? &config->routes[ask->route] : NULL;
    struct err err = { .text = "this process is ending" };
    struct connection *c = s->retiring ? NULL : connection_open(s, ask->plan, route, &queue_owner, s, &err);

    if (!c) {
        ipc_send_open_answer(queue, &(struct ipc_open_answer){
                                        .connection = ask->connection,
                                        .status = IPC_AGAIN,
                                        .stage = SMTP_STAGE_CONNECT,
                                        .reason = LOG_REASON_CONNECT,
                                        .enhanced = STR("4.3.2"),
                                        .text = str_from_c(err.text),
                                    });
        return;
    }
    if (ask->site && ask->site <= config->n_sites)
        connection_use_site(c, &config->sites[ask->site - 1]);
    c->id = ask->connection;
    c->queue_instance = queue->instance;
}

static void close_connection(struct send *s, const struct ipc_channel *queue, uint64_t id)
{
    struct connection *c = connection_find(s, queue->instance, id);

    /* One that ended by itself has been reported already. */
    if (c)
        connection_close(c);
}

void queue_message(struct send *s, struct ipc_channel *queue, struct ipc_message *m)
{
    switch (m->type) {
    case IPC_OPEN_ASK:
        open_ask(s, queue, &m->open_ask);
        break;
    case IPC_CLOSE_CONNECTION:
        close_connection(s, queue, m->close_connection.connection);
        break;
    case IPC_TRANSFER:
        transfer(s, queue, m);
        break;
    case IPC_SETTLED:
        settled(s, m->settled.lease);
        break;
    default:
        break;
    }
}

/* ---- the queue's life ---- */

static bool send_kept(struct ipc_channel *queue, struct transfer *t)
{
    struct ipc_transfer_kept kept = { .lease = t->lease, .id = t->id, .voucher = t->voucher, .finished = t->finished };

    if (t->finished) {
        kept.in_doubt = t->tx.in_doubt;
        kept.host = t->host;
        kept.peer = t->peer;
        kept.count = (uint32_t)t->tx.n_recipients;
        kept.results = t->results;
    }
    bool ok = ipc_send_transfer_kept(queue, &kept);
    /* Its result goes to this queue now. */
    if (ok && !t->finished)
        t->queue_instance = queue->instance;
    return ok;
}

void queue_comes(struct send *s, struct ipc_channel *queue)
{
    uint32_t told = 0;

    for (size_t i = 0; i < SEND_TABLE; i++) {
        LIST_FOR(node, &s->transfers[i])
        {
            told += send_kept(queue, CONTAINER_OF(node, struct transfer, node));
        }
    }
    ipc_send_kept_end(queue, &(struct ipc_kept_end){ .count = told });
}

void queue_dies(struct send *s, const struct ipc_channel *queue)
{
    LIST_FOR(node, &s->connections)
    {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        if (c->queue_instance != queue->instance)
            continue;
        c->queue_instance = 0;
        connection_close(c);
    }
}
