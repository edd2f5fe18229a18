/* queue/attempt.c -- from due to where it goes: content read back, recipients routed, each to its transport (DESIGN 6). */
#include <stdlib.h>

#include "queue/queue.h"

/* ---- due, and not due ---- */

void message_ready(struct message *m)
{
    struct queue *q = m->queue;

    if (m->state == MESSAGE_HELD || m->state == MESSAGE_ENDING || m->state == MESSAGE_READING)
        return;
    m->state = MESSAGE_READY;
    list_remove(&m->node);
    list_append(&q->ready, &m->node);
    io_task_post(&q->pump);
}

/* Not while its outcome is being written: the lease that will be called settled then is the former one. */
static bool waits(const struct recipient *r)
{
    return r->progress == PROGRESS_WAITING && r->state == RECIPIENT_IDLE && !r->lease && !r->held;
}

int64_t recipient_due(const struct recipient *r)
{
    int64_t embargo = message_embargo(r->message), until = queue_now(r->message->queue) + embargo;

    return embargo && r->due_msec < until ? until : r->due_msec;
}

static bool is_due(const struct recipient *r, int64_t now)
{
    return waits(r) && recipient_due(r) <= now;
}

int64_t message_due(const struct message *m, bool *tells)
{
    int64_t due = report_wanted(m) ? queue_now(m->queue) : report_due(m);
    bool is_told = due >= 0;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (!waits(r) || (due >= 0 && recipient_due(r) >= due))
            continue;
        due = recipient_due(r);
        is_told = false;
    }
    if (tells)
        *tells = is_told;
    return due;
}

void message_wait(struct message *m)
{
    struct queue *q = m->queue;
    int64_t due;

    message_tire(m);
    if (m->state == MESSAGE_HELD || m->state == MESSAGE_ENDING || m->state == MESSAGE_READY)
        return;
    due = message_due(m, NULL);
    if (due >= 0)
        queue_wait(q, &m->due, due);
    else
        wheel_unset(&q->wheel, &m->due);
    /* It waits for minutes at least, and is on disk. */
    if (!m->pins && list_empty(&m->entries)) {
        message_drop_content(m);
        message_drop_envelope(m);
    }
}

bool attempt_is_routed(const struct recipient *r)
{
    const struct worker *w = r->message->queue->worker;

    return r->rule && r->generation == w->generation && r->route < w->config->n_routes;
}

const struct config_sending *attempt_sending(const struct recipient *r)
{
    return attempt_is_routed(r) ? schedule_sending(r) : &r->message->queue->worker->config->sending;
}

/* ---- routing ---- */

static bool routing_ask(struct queue *q, struct ipc_channel *lookup, struct recipient *r)
{
    const struct envelope *e = &r->message->content->envelope;
    const struct envelope_recipient *er = &e->recipients[r->index];
    uint32_t slot = 0;

    while (slot < QUEUE_ROUTING_MAX && q->routing[slot])
        slot++;
    if (slot == QUEUE_ROUTING_MAX)
        return false;
    if (!ipc_send_route_ask(lookup, &(struct ipc_route_ask){
                                        .ticket = (uint64_t)++q->routing_serial[slot] << 32 | slot,
                                        .kind = (uint8_t)er->kind,
                                        .local = er->local,
                                        .domain = er->domain,
                                        .original = er->original,
                                        .sender = er->has_sender ? er->sender : e->sender,
                                        .listener = e->listener,
                                        .account = e->account,
                                        .released = r->message->released,
                                    }))
        return false;
    q->routing[slot] = r;
    q->n_routing++;
    r->ticket = slot;
    return true;
}

static bool keep_route(struct recipient *r, const struct ipc_route_answer *a)
{
    free(r->user);
    free(r->detail);
    free(r->domain);
    free(r->rule);
    r->generation = a->generation;
    r->route = a->route;
    r->domain_index = a->domain_index;
    r->user = text_copy(a->user);
    r->detail = text_copy(a->detail);
    r->domain = text_copy(a->domain);
    r->rule = text_copy(a->rule);
    return r->user && r->detail && r->domain && r->rule;
}

static bool has_own_route(const struct recipient *r)
{
    return r->message->content->envelope.recipients[r->index].route.n > 0;
}

/* An administrator said where it goes: nobody is asked (queue edit). */
static void go_its_own_way(struct recipient *r)
{
    const struct envelope_recipient *er = &r->message->content->envelope.recipients[r->index];
    const struct ipc_route_answer own = {
        .generation = r->message->queue->worker->generation,
        .route = IPC_NO_ROUTE,
        .domain_index = IPC_NO_DOMAIN,
        .user = er->local,
        .domain = er->domain,
        .rule = STR("edit"),
    };

    if (keep_route(r, &own))
        schedule_add(r);
    else
        attempt_fails(r, IPC_TEMP, LOG_REASON_STORAGE, "4.3.0", STR("short of memory"));
}

void attempts_route(struct queue *q)
{
    struct ipc_channel *lookup = worker_peer_of(q->worker, PROCESS_LOOKUP, q->worker->generation);

    while (lookup && ipc_may_ask(lookup) && !list_empty(&q->unrouted)) {
        struct recipient *r = CONTAINER_OF(q->unrouted.next, struct recipient, node);
        bool own = has_own_route(r);
        if (!own && !routing_ask(q, lookup, r))
            return;
        list_remove(&r->node);
        if (own)
            go_its_own_way(r);
    }
}

/* Its content is pinned already. */
static void route_again(struct queue *q, struct recipient *r)
{
    r->state = RECIPIENT_ROUTING;
    list_remove(&r->node);
    list_append(&q->unrouted, &r->node);
}

void attempt_reroute(struct recipient *r)
{
    struct message *m = r->message;

    if (message_has_content(m)) {
        recipient_pin(r);
        route_again(m->queue, r);
        return;
    }
    /* Its envelope is on disk: it begins anew, at once. */
    r->state = RECIPIENT_IDLE;
    r->due_msec = queue_now(m->queue);
    m->active--;
    message_ready(m);
}

void attempt_unroute(struct recipient *r)
{
    struct queue *q = r->message->queue;

    list_remove(&r->node);
    if (q->routing[r->ticket] != r)
        return;
    q->routing[r->ticket] = NULL;
    q->n_routing--;
}

void attempts_lookup_gone(struct queue *q)
{
    for (uint32_t i = 0; i < QUEUE_ROUTING_MAX; i++) {
        if (!q->routing[i])
            continue;
        route_again(q, q->routing[i]);
        q->routing[i] = NULL;
        q->n_routing--;
    }
    attempts_route(q);
}

/* What the administrator says instead of a place. */
static void said(struct recipient *r, enum ipc_result result, const struct config_target *t)
{
    attempt_outcome(r, &(struct outcome){
                           .result = result,
                           .reason = LOG_REASON_ROUTE,
                           .status = t->status,
                           .text = t->text,
                       });
}

/* Kept until released: it waits with its message, and no attempt was made. */
static void held_by_route(struct recipient *r)
{
    struct message *m = r->message;

    recipient_unpin(r);
    r->state = RECIPIENT_IDLE;
    r->held = true;
    m->active--;
    message_settle(m);
}

static void go(struct recipient *r)
{
    struct queue *q = r->message->queue;
    const struct config_route *route = &q->worker->config->routes[r->route];

    switch (route->targets[0].kind) {
    case CONFIG_TARGET_MAILDIR:
    case CONFIG_TARGET_MBOX:
    case CONFIG_TARGET_PIPE:
        carrier_add(r);
        break;
    case CONFIG_TARGET_HOLD:
        held_by_route(r);
        break;
    case CONFIG_TARGET_DISCARD:
        attempt_outcome(r, &(struct outcome){ .result = IPC_OK, .discarded = true, .status = STR("2.0.0") });
        break;
    case CONFIG_TARGET_FAIL:
        said(r, IPC_PERM, &route->targets[0]);
        break;
    case CONFIG_TARGET_DEFER:
        said(r, IPC_TEMP, &route->targets[0]);
        break;
    default:
        schedule_add(r);
    }
}

static void not_routed(struct recipient *r, const struct ipc_route_answer *a)
{
    attempt_outcome(r, &(struct outcome){
                           .result = a->status == IPC_PERM ? IPC_PERM : IPC_TEMP,
                           .status = a->code,
                           .text = a->text,
                       });
}

/* A command or file of an alias goes to a deliver process whatever the route of its domain is. */
static void go_from_alias(struct recipient *r, const struct ipc_route_answer *a)
{
    if (a->status != IPC_OK)
        not_routed(r, a);
    else if (a->domain_index == IPC_NO_DOMAIN)
        attempt_fails(r, IPC_PERM, LOG_REASON_NO_DOMAIN, "5.1.2", STR("its domain is not served here any more"));
    else
        carrier_add(r);
}

void attempt_route(struct queue *q, const struct ipc_route_answer *a)
{
    uint32_t slot = (uint32_t)a->ticket;
    struct recipient *r;

    if (slot >= QUEUE_ROUTING_MAX || !q->routing[slot] || q->routing_serial[slot] != (uint32_t)(a->ticket >> 32))
        return;
    r = q->routing[slot];
    q->routing[slot] = NULL;
    q->n_routing--;
    bool kept = keep_route(r, a);
    const struct envelope_recipient *er = &r->message->content->envelope.recipients[r->index];

    if (a->generation != q->worker->generation) {
        route_again(q, r);
        attempts_route(q);
        return;
    }
    if (a->status == IPC_OK && !kept)
        attempt_fails(r, IPC_TEMP, LOG_REASON_STORAGE, "4.3.0", STR("short of memory"));
    else if (er->kind != ENVELOPE_ADDRESS)
        go_from_alias(r, a);
    else if (a->status != IPC_OK)
        not_routed(r, a);
    else if (a->route >= q->worker->config->n_routes)
        attempt_fails(r, IPC_TEMP, LOG_REASON_LOOKUP, "4.3.5", STR("the configuration has changed"));
    else
        go(r);
    attempts_route(q);
}

/* ---- the attempt ---- */

static bool died_too_often(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_WAITING && m->recipients[i].deaths >= QUEUE_DEATHS_HELD)
            return true;
    return false;
}

static void start_due(struct message *m)
{
    struct queue *q = m->queue;
    int64_t now = queue_now(q);

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (!is_due(r, now))
            continue;
        m->active++;
        recipient_pin(r);
        r->began_usec = io_clock_usec();
        route_again(q, r);
    }
    attempts_route(q);
}

void message_read_back(struct message *m)
{
    if (m->state == MESSAGE_LIVE)
        message_ready(m);
}

void message_started(struct message *m)
{
    m->state = MESSAGE_LIVE;
    if (m->bouncing) {
        act_bounce(m);
        return;
    }
    if (m->removing || m->held != LOG_REASON_NONE) {
        message_settle(m);
        return;
    }
    if (died_too_often(m)) {
        message_hold(m, LOG_REASON_DEATHS, STR("two processes ended with it in hand"));
        message_settle(m);
        return;
    }
    start_due(m);
    schedule_content(m);
    /* What changed while it was being read is written now. */
    if (!m->active || m->dirty || report_wanted(m))
        message_settle(m);
    else
        message_wait(m);
}

static void set_aside(struct message *m, const char *why)
{
    message_hold(m, LOG_REASON_FAILED, str_from_c(why));
    message_drop_content(m);
    message_settle(m);
}

static void on_read(struct spool_read *read);

static void read_content(struct message *m, unsigned parts)
{
    struct queue *q = m->queue;

    m->state = MESSAGE_READING;
    q->n_reading++;
    m->content->read.done = on_read;
    spool_read(q->spool, m->id, parts, &m->content->read);
}

static void on_read(struct spool_read *read)
{
    struct content *c = CONTAINER_OF(read, struct content, read);
    struct message *m = message_find(c->queue, read->id);
    struct err err = { 0 };

    BUG_ON(!m);
    m->queue->n_reading--;
    /* Its content is lost, and its sender is to be told: the envelope alone says who that is. */
    if (read->status == SPOOL_READ_DAMAGED && m->bouncing && read->parts & SPOOL_READ_CONTENT) {
        read_content(m, SPOOL_READ_ENVELOPE);
        return;
    }
    content_take_read(c);
    m->state = MESSAGE_LIVE;
    if (read->status == SPOOL_READ_OK && content_decode(c, &err)) {
        c->n = c->envelope_octets.n + c->head.n + c->body.n;
        m->queue->content_memory += c->n;
        message_wanted(m);
        message_unpin(m);
        message_started(m);
        /* Behind the site's turn: where it is too large for what memory is left, it is sent before it is dropped. */
        io_task_post(&m->queue->pump);
        return;
    }
    io_task_post(&m->queue->pump);
    message_unpin(m);
    if (read->status == SPOOL_READ_DAMAGED)
        set_aside(m, "its octets on disk do not match their checksum");
    else if (err.kind == ERR_PERM)
        set_aside(m, err.text);
    else {
        message_drop_content(m);
        queue_wait(m->queue, &m->due, queue_now(m->queue) + QUEUE_MOMENT_MSEC);
        message_unread(m);
    }
}

static void begin(struct message *m)
{
    struct queue *q = m->queue;

    list_remove(&m->node);
    if (m->content) {
        message_started(m);
        return;
    }
    m->state = MESSAGE_LIVE;
    m->content = content_new(q);
    if (!m->content) {
        queue_wait(q, &m->due, queue_now(q) + QUEUE_MOMENT_MSEC);
        message_unread(m);
        return;
    }
    message_pin(m);
    read_content(m, SPOOL_READ_ENVELOPE | SPOOL_READ_CONTENT);
}

/* What nobody needs now need not be in memory: it is on disk. */
static void drop_unpinned(struct queue *q)
{
    /* What was read for its turn has its turn first. */
    if (!list_empty(&q->schedule.pumped)) {
        io_task_post(&q->pump);
        return;
    }
    while (q->content_memory > QUEUE_MEMORY_MAX && !list_empty(&q->unpinned))
        message_drop_content(CONTAINER_OF(q->unpinned.next, struct message, unpinned));
}

/* Those that are in memory first: they are what makes room for the others. */
static struct message *next_ready(struct queue *q)
{
    while (!list_empty(&q->ready)) {
        struct message *m = CONTAINER_OF(q->ready.next, struct message, node);
        if (m->content)
            return m;
        list_remove(&m->node);
        list_append(&q->unread, &m->node);
    }
    if (list_empty(&q->unread) || q->n_reading >= QUEUE_READING_MAX || q->content_memory > QUEUE_MEMORY_MAX)
        return NULL;
    return CONTAINER_OF(q->unread.next, struct message, node);
}

void attempts_pump(struct queue *q)
{
    if (q->stopping)
        return;
    /* A spool that cannot write could not keep an outcome: nothing is leased (DESIGN 5). */
    if (q->health != SPOOL_HEALTH_REFUSING) {
        drop_unpinned(q);
        for (struct message *m; (m = next_ready(q));)
            begin(m);
    }
    rests_pump(q);
    messages_rest(q);
}
