/* queue/attempt.c -- one attempt of a message: read back, route, lease, and the outcome made durable (DESIGN 6). */
#include <stdlib.h>

#include "queue/queue.h"

/* ---- due, and not due ---- */

void message_ready(struct message *m)
{
    struct queue *q = m->queue;

    m->state = MESSAGE_READY;
    list_remove(&m->node);
    list_append(&q->ready, &m->node);
    io_task_post(&q->pump);
}

/* All wait equally long, so the list is in order of due times. */
void message_defer(struct message *m)
{
    struct queue *q = m->queue;

    m->state = MESSAGE_DEFERRED;
    m->due_msec = io_now_msec(q->worker->loop) + QUEUE_RETRY_MSEC;
    m->next_wall_msec = io_wall_msec() + QUEUE_RETRY_MSEC;
    list_remove(&m->node);
    list_append(&q->deferred, &m->node);
    if (!io_timer_pending(&q->timer))
        io_timer_start(&q->timer, QUEUE_RETRY_MSEC);
}

static void message_end(struct message *m)
{
    message_remove(m->queue, m);
    message_free(m);
}

static void drop_content(struct message *m)
{
    content_free(m->queue, m->content);
    m->content = NULL;
}

/* ---- the outcome ---- */

static bool put_progress(struct message *m)
{
    buf_clear(&m->state_octets);
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        struct progress p = {
            .number = r->number,
            .state = r->progress,
            .attempts = r->attempts,
            .deaths = r->deaths,
            .last_msec = r->last_msec,
            .status = str_from_c(r->status),
            .text = str_from_c(r->text),
        };
        if ((r->attempts || r->progress != PROGRESS_WAITING) && !progress_encode(&m->state_octets, &p, 1))
            return false;
    }
    return true;
}

/* Deliver processes may forget what they kept. */
static void tell_settled(struct message *m)
{
    struct queue *q = m->queue;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        for (size_t k = 0; r->lease && k < q->worker->n_peers; k++)
            if (q->worker->peers[k]->instance == r->carrier)
                ipc_send_settled(q->worker->peers[k], &(struct ipc_settled){ .lease = r->lease });
        r->lease = 0;
    }
}

static void on_settled(struct spool_commit *commit, const struct spool_result *result)
{
    struct message *m = CONTAINER_OF(commit, struct message, commit);
    struct queue *q = m->queue;

    buf_done(&m->state_octets);
    /* Owed: it is written in the end, or the spool closes and the successor hears it from the deliver process. */
    if (result->status != SPOOL_OK)
        return;
    tell_settled(m);
    record_spool(q);
    if (m->ending) {
        record_done(m);
        message_end(m);
    } else if (m->holding != LOG_REASON_NONE) {
        record_hold(m, m->holding, str_from_c(m->hold_reason));
        m->state = MESSAGE_HELD;
    } else {
        message_defer(m);
    }
    io_task_post(&q->pump);
}

static size_t count_progress(const struct message *m, enum progress_state state)
{
    size_t n = 0;

    for (uint32_t i = 0; i < m->n_recipients; i++)
        n += m->recipients[i].progress == state;
    return n;
}

static const char *failure_text(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_FAILED && m->recipients[i].text)
            return m->recipients[i].text;
    return "delivery failed for good";
}

static bool write_outcome(struct message *m, struct spool_batch *batch, struct err *err)
{
    struct spool_submit how = { .urgency = SPOOL_RIDES, .owed = true };

    if (!batch)
        return err_temp(err, "out of memory");
    if (m->ending) {
        if (!spool_batch_gone(batch, m->id))
            return err_temp(err, "out of memory");
    } else {
        if (!put_progress(m) || !spool_batch_outcome(batch, m->id, m->version + 1, buf_str(&m->state_octets)))
            return err_temp(err, "out of memory");
        if (m->holding != LOG_REASON_NONE && !spool_batch_hold(batch, m->id, str_from_c(m->hold_reason)))
            return err_temp(err, "out of memory");
    }
    m->commit.done = on_settled;
    return spool_submit(m->queue->spool, batch, how, &m->commit, err);
}

/* Every recipient has its outcome: one record says so, and is durable before anybody forgets (INV-11). */
static void settle(struct message *m)
{
    struct queue *q = m->queue;
    struct spool_batch *batch = spool_batch_new();
    struct err err = { 0 };

    if (m->state == MESSAGE_SENDING)
        q->attempts--;
    m->state = MESSAGE_SETTLING;
    m->next_wall_msec = io_wall_msec() + QUEUE_RETRY_MSEC;
    list_remove(&m->node);
    drop_content(m);
    m->ending = count_progress(m, PROGRESS_DELIVERED) + count_progress(m, PROGRESS_EXPANDED) == m->n_recipients;
    /* Until reports are built, what failed for good is kept for somebody to decide. */
    if (!m->ending && m->holding == LOG_REASON_NONE && !count_progress(m, PROGRESS_WAITING)) {
        m->holding = LOG_REASON_FAILED;
        free(m->hold_reason);
        m->hold_reason = text_copy(str_from_c(failure_text(m)));
    }
    if (write_outcome(m, batch, &err)) {
        m->version++;
        return;
    }
    spool_batch_free(batch);
    buf_done(&m->state_octets);
    record_unsettled(m, &err);
    /* Nothing is lost: the spool knows the former state, and the deliver process keeps the outcome until told. */
    m->ending = false;
    m->holding = LOG_REASON_NONE;
    message_defer(m);
}

void attempt_outcome(struct recipient *r, enum ipc_result result, struct str status, struct str text, bool repeated)
{
    struct message *m = r->message;
    enum progress_state progress = result == IPC_OK     ? PROGRESS_DELIVERED
                                   : result == IPC_PERM ? PROGRESS_FAILED
                                                        : PROGRESS_WAITING;

    (void)repeated;
    list_remove(&r->node);
    r->attempts++;
    r->last_msec = io_wall_msec();
    recipient_result(r, progress, status, text);
    record_outcome(r, result, status, text, io_clock_usec());
    if (result == IPC_OK)
        m->queue->delivered++;
    else if (result == IPC_TEMP)
        m->queue->deferred_sum++;
    else
        m->queue->failed_sum++;
    bool counted = m->state == MESSAGE_SENDING && r->state != RECIPIENT_IDLE && r->state != RECIPIENT_SETTLED;
    r->state = RECIPIENT_SETTLED;
    carrier_lease_over(r);
    if (counted && --m->busy == 0)
        settle(m);
}

/* ---- routing ---- */

static bool routing_ask(struct queue *q, struct ipc_channel *lookup, struct recipient *r)
{
    const struct envelope_recipient *er = &r->message->content->envelope.recipients[r->index];
    uint32_t slot = 0;

    while (slot < QUEUE_ROUTING_MAX && q->routing[slot])
        slot = (slot + 1);
    if (slot == QUEUE_ROUTING_MAX)
        return false;
    if (!ipc_send_route_ask(lookup, &(struct ipc_route_ask){
                                        .ticket = (uint64_t)++q->routing_serial[slot] << 32 | slot,
                                        .local = er->local,
                                        .domain = er->domain,
                                    }))
        return false;
    q->routing[slot] = r;
    q->n_routing++;
    r->ticket = slot;
    return true;
}

void attempts_route(struct queue *q)
{
    struct ipc_channel *lookup = worker_peer_of(q->worker, PROCESS_LOOKUP, q->worker->generation);

    while (lookup && ipc_may_ask(lookup) && !list_empty(&q->unrouted)) {
        struct recipient *r = CONTAINER_OF(q->unrouted.next, struct recipient, node);
        if (!routing_ask(q, lookup, r))
            return;
        list_remove(&r->node);
    }
}

static void route_again(struct queue *q, struct recipient *r)
{
    r->state = RECIPIENT_ROUTING;
    list_remove(&r->node);
    list_append(&q->unrouted, &r->node);
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

static void keep_route(struct recipient *r, const struct ipc_route_answer *a)
{
    free(r->user);
    free(r->detail);
    free(r->domain);
    free(r->rule);
    r->route = a->route;
    r->domain_index = a->domain_index;
    r->user = text_copy(a->user);
    r->detail = text_copy(a->detail);
    r->domain = text_copy(a->domain);
    r->rule = text_copy(a->rule);
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
    keep_route(r, a);
    if (a->generation != q->worker->generation)
        route_again(q, r);
    else if (a->status != IPC_OK)
        attempt_outcome(r, a->status == IPC_PERM ? IPC_PERM : IPC_TEMP, a->code, a->text, false);
    else if (!r->user || !r->detail || !r->domain)
        attempt_outcome(r, IPC_TEMP, STR("4.3.0"), STR("short of memory"), false);
    else
        carrier_add(r);
    attempts_route(q);
}

/* ---- the attempt ---- */

static void send_recipients(struct message *m)
{
    struct queue *q = m->queue;

    m->state = MESSAGE_SENDING;
    m->busy = 0;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (r->progress != PROGRESS_WAITING)
            continue;
        m->busy++;
        /* In progress since before this queue began: its outcome will come. */
        if (r->state == RECIPIENT_LEASED)
            continue;
        r->began_usec = io_clock_usec();
        route_again(q, r);
    }
    if (m->busy == 0)
        settle(m);
    else
        attempts_route(q);
}

static void hold(struct message *m, enum log_reason reason, const char *text)
{
    m->holding = reason;
    free(m->hold_reason);
    m->hold_reason = text_copy(str_from_c(text));
    settle(m);
}

static void on_read(struct spool_read *read)
{
    struct content *c = CONTAINER_OF(read, struct content, read);
    struct message *m = message_find(CONTAINER_OF(read, struct content, read)->queue, read->id);
    struct err err = { 0 };

    BUG_ON(!m);
    c->was_read = true;
    c->envelope_octets = read->envelope;
    c->head = read->head;
    c->body = read->body;
    c->file = read->file;
    c->file_octets = read->file_octets;
    read->file = -1;
    if (read->status == SPOOL_READ_OK && content_decode(c, &err)) {
        c->n = c->envelope_octets.n + c->head.n + c->body.n;
        m->queue->content_memory += c->n;
        send_recipients(m);
        return;
    }
    m->state = MESSAGE_SENDING;
    if (read->status == SPOOL_READ_DAMAGED || err.kind == ERR_PERM) {
        hold(m, LOG_REASON_FAILED, err.kind == ERR_PERM ? err.text : "its octets on disk do not match their checksum");
        return;
    }
    m->queue->attempts--;
    drop_content(m);
    message_defer(m);
}

static bool died_too_often(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_WAITING && m->recipients[i].deaths >= QUEUE_DEATHS_HELD)
            return true;
    return false;
}

static void begin(struct message *m)
{
    struct queue *q = m->queue;

    list_remove(&m->node);
    q->attempts++;
    m->state = MESSAGE_SENDING;
    if (died_too_often(m)) {
        hold(m, LOG_REASON_DEATHS, "two deliver processes ended with it in hand");
        return;
    }
    if (m->content) {
        send_recipients(m);
        return;
    }
    m->content = content_new();
    if (!m->content) {
        q->attempts--;
        message_defer(m);
        return;
    }
    m->state = MESSAGE_READING;
    m->content->queue = q;
    m->content->read.done = on_read;
    spool_read(q->spool, m->id, SPOOL_READ_ENVELOPE | SPOOL_READ_CONTENT, &m->content->read);
}

void attempts_pump(struct queue *q)
{
    /* A spool that cannot write could not keep an outcome: nothing is leased (DESIGN 5). */
    if (q->stopping || q->health == SPOOL_HEALTH_REFUSING)
        return;
    /* What waits in line for long need not be in memory: it is on disk. First, so that those in front get room. */
    for (struct list *node = q->ready.prev; node != &q->ready && q->content_memory > QUEUE_MEMORY_MAX;
         node = node->prev)
        drop_content(CONTAINER_OF(node, struct message, node));
    while (!list_empty(&q->ready) && q->attempts < QUEUE_ATTEMPTS_MAX) {
        struct message *m = CONTAINER_OF(q->ready.next, struct message, node);
        if (!m->content && q->content_memory > QUEUE_MEMORY_MAX)
            return;
        begin(m);
    }
}
