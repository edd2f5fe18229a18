/* queue/connection.c -- connections of send processes as the queue sees them: asked for, used, heard (DESIGN 3, 6). */
#include "queue/transfer.h"

#include <stdlib.h>

enum { WITH_MAX = 512 };

_Static_assert((int)SCHEDULE_CONNECTIONS_MAX <= 1 << SCHEDULE_SLOT_BITS, "a place fits into its id");

static struct connection *connection_by_id(struct queue *q, uint64_t id, uint32_t instance)
{
    uint32_t slot = id & ((1U << SCHEDULE_SLOT_BITS) - 1);
    struct connection *c = slot < SCHEDULE_CONNECTIONS_MAX ? q->schedule.connections[slot] : NULL;

    return c && c->id == id && c->instance == instance ? c : NULL;
}

static void on_idle(struct wheel_node *node)
{
    connection_close(CONTAINER_OF(node, struct connection, idle));
}

/* Those of this configuration, once all of them have told what they kept: what is in progress is not leased again. */
static struct ipc_channel *send_peer(struct queue *q, uint32_t generation)
{
    struct ipc_channel *all[WORKER_PEERS_MAX];
    size_t n = 0;

    if (!q->knows_peers)
        return NULL;
    for (size_t i = 0; i < q->worker->n_peers; i++) {
        struct ipc_channel *c = q->worker->peers[i];
        if (c->peer != PROCESS_SEND || c->closed)
            continue;
        if (!queue_has_told(q, c->instance))
            return NULL;
        if (c->generation == generation)
            all[n++] = c;
    }
    for (size_t i = 0; i < n; i++) {
        struct ipc_channel *c = all[q->schedule.next_send++ % n];
        if (ipc_may_ask(c))
            return c;
    }
    return NULL;
}

static struct connection *connection_new(struct site *site, uint32_t instance)
{
    struct schedule *s = &site->queue->schedule;
    struct connection *c;
    uint32_t tried = 0;

    while (s->connections[s->next_connection] && tried++ < SCHEDULE_CONNECTIONS_MAX)
        s->next_connection = (s->next_connection + 1) % SCHEDULE_CONNECTIONS_MAX;
    c = s->connections[s->next_connection] ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct connection){
        .site = site,
        .slot = s->next_connection,
        .id = ++s->serial << SCHEDULE_SLOT_BITS | s->next_connection,
        .instance = instance,
    };
    list_init(&c->node);
    list_init(&c->transfers);
    list_init(&c->spare);
    wheel_node_init(&c->idle, on_idle);
    s->connections[c->slot] = c;
    s->n_connections++;
    list_append(&site->connections, &c->node);
    site->n_connections++;
    site->n_opening++;
    site->limits->n_connections++;
    list_remove(&site->hungry);
    return c;
}

static void connection_free(struct connection *c)
{
    struct site *site = c->site;
    struct queue *q = site->queue;

    BUG_ON(c->n_transfers);
    if (c->state == CONNECTION_OPENING)
        site->n_opening--;
    wheel_unset(&q->wheel, &c->idle);
    list_remove(&c->node);
    list_remove(&c->spare);
    site->n_connections--;
    site->limits->n_connections--;
    limits_room(site->limits);
    q->schedule.connections[c->slot] = NULL;
    q->schedule.n_connections--;
    free(c->with);
    free(c);
}

struct connection *connection_open(struct site *site)
{
    struct queue *q = site->queue;
    struct ipc_channel *send = send_peer(q, site->generation);
    struct connection *c = send ? connection_new(site, send->instance) : NULL;

    if (!c)
        return NULL;
    if (ipc_send_open_ask(send, &(struct ipc_open_ask){
                                    .connection = c->id,
                                    .route = site->route,
                                    .site = site->named,
                                    .plan = str_of(site->plan, site->plan_n),
                                }))
        return c;
    connection_free(c);
    return NULL;
}

void connection_close(struct connection *c)
{
    struct ipc_channel *send = queue_peer(c->site->queue, PROCESS_SEND, c->instance);

    if (c->state == CONNECTION_CLOSING)
        return;
    /* Until it is open nothing can be closed: it is used, or closed when it is idle. */
    if (c->state == CONNECTION_OPENING)
        return;
    c->state = CONNECTION_CLOSING;
    list_remove(&c->spare);
    wheel_unset(&c->site->queue->wheel, &c->idle);
    if (send)
        ipc_send_close_connection(send, &(struct ipc_close_connection){ .connection = c->id });
}

/* It is kept for a while; others of its limits may need its place. */
static void spare(struct connection *c, int64_t msec)
{
    struct queue *q = c->site->queue;

    queue_wait(q, &c->idle, queue_now(q) + msec);
    list_remove(&c->spare);
    list_append(&c->site->limits->spare, &c->spare);
}

void connection_next(struct connection *c)
{
    const struct config_sending *s = site_sending(c->site);
    bool idle = c->state == CONNECTION_OPEN && !c->n_transfers;
    if (c->state == CONNECTION_OPEN && c->used >= s->reuse.count)
        connection_close(c);
    else if (idle && (c->site->retired || limits_has_surplus(c->site)))
        connection_close(c);
    else if (idle)
        spare(c, (int64_t)s->reuse.idle_msec);
    site_post(c->site);
}

/* ---- open, closed ---- */

static void open_failed(struct connection *c, const struct ipc_open_answer *a)
{
    struct site *site = c->site;
    struct outcome why = {
        .result = a->status == IPC_PERM ? IPC_PERM : IPC_TEMP,
        .stage = a->stage < SMTP_STAGES ? (enum smtp_stage)a->stage : SMTP_STAGE_CONNECT,
        .reason = a->reason < LOG_REASONS && a->reason ? (enum log_reason)a->reason : LOG_REASON_CONNECT,
        .code = a->code,
        .from_peer = a->code != 0,
        .status = a->enhanced.n ? a->enhanced : STR("4.4.1"),
        .text = a->text,
        .host = a->host,
        .peer = a->peer,
        .tls = a->tls,
        .site = str_from_c(site->limits->name),
    };
    struct list failing;

    list_init(&failing);
    for (struct list *node; (node = list_take(&c->transfers));)
        list_append(&failing, node);
    while (!list_empty(&failing)) {
        struct transfer *t = CONTAINER_OF(failing.next, struct transfer, node);
        transfer_failed(t, &why);
    }
    connection_free(c);
    site_failed(site, &why);
}

/* The send process ends, or lacks memory: nobody is charged, and another one is asked in a moment. */
static void open_put_off(struct connection *c)
{
    struct site *site = c->site;

    while (!list_empty(&c->transfers)) {
        struct transfer *t = CONTAINER_OF(c->transfers.next, struct transfer, node);
        transfer_returns(t);
    }
    connection_free(c);
    site_pause(site);
}

/* Whom it reached; a literal is its own name. */
static char *with_of(const struct ipc_open_answer *a)
{
    struct buf text = BUF_INIT(WITH_MAX);
    bool named = a->host.n && !str_starts(a->host, STR("["));

    buf_add(&text, named ? a->host : a->peer);
    if (named && a->peer.n)
        buf_printf(&text, " [%.*s]", STR_ARG(a->peer));
    char *with = text.n && !text.failed ? text_copy(buf_str(&text)) : NULL;
    buf_done(&text);
    return with;
}

static void on_open_answer(struct queue *q, struct ipc_channel *from, const struct ipc_open_answer *a)
{
    struct connection *c = connection_by_id(q, a->connection, from->instance);

    if (!c || c->state != CONNECTION_OPENING)
        return;
    if (a->status == IPC_AGAIN) {
        open_put_off(c);
        return;
    }
    if (a->status != IPC_OK) {
        open_failed(c, a);
        return;
    }
    c->state = CONNECTION_OPEN;
    c->connect_usec = (int64_t)a->connect_usec;
    c->with = with_of(a);
    c->site->n_opening--;
    site_opened(c->site);
    for (struct list *node = c->transfers.next, *next; node != &c->transfers; node = next) {
        struct transfer *t = CONTAINER_OF(node, struct transfer, node);
        next = node->next;
        if (!t->refused)
            continue;
        transfer_returns(t);
    }
    connection_next(c);
}

static void on_closed(struct queue *q, struct ipc_channel *from, const struct ipc_connection_closed *closed)
{
    struct connection *c = connection_by_id(q, closed->connection, from->instance);

    if (!c)
        return;
    struct site *site = c->site;
    while (!list_empty(&c->transfers)) {
        struct transfer *t = CONTAINER_OF(c->transfers.next, struct transfer, node);
        transfer_returns(t);
    }
    bool vain = c->used && !c->made;
    connection_free(c);
    if (closed->code)
        (void)reply_take(site, &(struct outcome){ .result = IPC_TEMP,
                                                     .code = closed->code,
                                                     .from_peer = true,
                                                     .text = closed->text });
    site_post(site);
    /* A host that opens and takes nothing is as good as dead: it is not called again at once. Frees what is retired. */
    if (vain)
        site_failed(site, &(struct outcome){
                              .result = IPC_TEMP,
                              .reason = LOG_REASON_LOST,
                              .code = closed->code,
                              .from_peer = closed->code != 0,
                              .status = STR("4.4.2"),
                              .text = closed->text.n ? closed->text : STR("the host closed the connection at once"),
                              .site = str_from_c(site->limits->name),
                          });
}

void connection_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m)
{
    switch (m->type) {
    case IPC_OPEN_ANSWER:
        on_open_answer(q, from, &m->open_answer);
        break;
    case IPC_CONNECTION_CLOSED:
        on_closed(q, from, &m->connection_closed);
        break;
    case IPC_TRANSFERRED:
        results_transferred(q, from, &m->transferred);
        break;
    case IPC_TRANSFER_KEPT:
        results_kept(q, from, &m->transfer_kept);
        break;
    default:
        break;
    }
}

/* ---- the end of a send process ---- */

void connection_peer_gone(struct queue *q, struct ipc_channel *peer)
{
    for (size_t i = 0; i < SCHEDULE_CONNECTIONS_MAX; i++) {
        struct connection *c = q->schedule.connections[i];
        if (!c || c->instance != peer->instance)
            continue;
        struct site *site = c->site;
        while (!list_empty(&c->transfers))
            transfer_lost(CONTAINER_OF(c->transfers.next, struct transfer, node));
        connection_free(c);
        site_post(site);
    }
    /* Those that it kept from a former queue. */
    queue_leases_of(q, peer);
}
