/* queue/show.c -- what waits, for `veredus queue`: rows in order of ids, envelopes read back as they are needed. */
#include <stdlib.h>

#include "queue/queue.h"

enum { PAGE_MAX = 200, ROWS_MAX = IPC_FRAME_MAX / 2, CONTENT_SHOWN = 64 * 1024 };

/* One answer in the making. */
struct showing {
    struct spool_read read;
    struct queue *queue;
    uint32_t instance; /* of the control that asked */
    uint64_t ticket;
    bool all;          /* `queue show`: recipients one by one */
    bool content;
    uint64_t *ids;
    size_t n_ids;
    size_t at;
    bool more; /* there are ids behind the last of these */
    struct buf rows;
};

static const char *state_name(const struct message *m)
{
    switch (m->state) {
    case MESSAGE_READING:
    case MESSAGE_SENDING:
        return "sending";
    case MESSAGE_SETTLING:
        return m->ending ? "sending" : m->holding != LOG_REASON_NONE ? "held" : "deferred";
    case MESSAGE_DEFERRED:
        return "deferred";
    case MESSAGE_HELD:
        return "held";
    default:
        return "ready";
    }
}

static bool waits_for_its_time(const struct message *m)
{
    return m->state == MESSAGE_DEFERRED ||
           (m->state == MESSAGE_SETTLING && !m->ending && m->holding == LOG_REASON_NONE);
}

static const char *recipient_state_name(const struct message *m, const struct recipient *r)
{
    switch (r->progress) {
    case PROGRESS_DELIVERED:
        return "delivered";
    case PROGRESS_FAILED:
        return "failed";
    case PROGRESS_EXPANDED:
        return "expanded";
    case PROGRESS_WAITING:
        break;
    }
    return state_name(m);
}

static size_t count(const struct message *m, enum progress_state progress)
{
    size_t n = 0;

    for (uint32_t i = 0; i < m->n_recipients; i++)
        n += m->recipients[i].progress == progress;
    return n;
}

/* The recipient a line about the message speaks of: the first that waits, else the first that failed. */
static const struct recipient *speaker(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_WAITING)
            return &m->recipients[i];
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_FAILED)
            return &m->recipients[i];
    return m->n_recipients ? &m->recipients[0] : NULL;
}

static void add_last(struct log_record *row, const struct recipient *r)
{
    if (r->attempts)
        log_number(row, LOG_ATTEMPT, r->attempts);
    if (r->status && r->status[0] && r->attempts)
        log_text_c(row, LOG_STATUS, r->status);
    if (r->text && r->text[0] && r->attempts)
        log_text_c(row, LOG_REPLY, r->text);
}

static void add_message(struct showing *s, const struct message *m, const struct envelope *e)
{
    const struct recipient *first = speaker(m);
    size_t waiting = count(m, PROGRESS_WAITING);
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_MESSAGE, LOG_LEVEL_INFO, 0);
    log_id(&row, m->id);
    if (m->state == MESSAGE_HELD)
        log_reason(&row, m->holding);
    log_text_c(&row, LOG_STATE, state_name(m));
    log_time(&row, LOG_ACCEPTED, m->accepted_msec);
    log_number(&row, LOG_RECIPIENTS, m->n_recipients);
    log_number(&row, LOG_DELIVERED, (int64_t)count(m, PROGRESS_DELIVERED));
    log_number(&row, LOG_FAILED, (int64_t)count(m, PROGRESS_FAILED));
    if (m->state == MESSAGE_SENDING)
        log_number(&row, LOG_SENDING, (int64_t)waiting);
    if (waits_for_its_time(m))
        log_time(&row, LOG_NEXT, m->next_wall_msec);
    if (m->hold_reason)
        log_text_c(&row, LOG_NOTE, m->hold_reason);
    if (e) {
        log_number(&row, LOG_SIZE, (int64_t)e->size);
        log_text(&row, LOG_BODY, e->body == ENVELOPE_BODY_8BIT ? STR("8bit") : STR("7bit"));
        log_text(&row, LOG_PROTOCOL, e->protocol);
        log_address(&row, LOG_CLIENT, e->client);
        log_text(&row, LOG_SESSION, e->session);
        if (first && !s->all)
            add_last(&row, first);
        log_text(&row, LOG_FROM, e->sender);
        if (first && !s->all)
            record_address(&row, LOG_TO, &e->recipients[first->index]);
        log_text(&row, LOG_MSGID, e->message_id);
        log_text(&row, LOG_EHLO, e->client_name);
    } else {
        log_text_c(&row, LOG_ERROR, "its envelope cannot be read");
    }
    worker_row_add(&s->rows, &row);
}

static void add_recipients(struct showing *s, const struct message *m, const struct envelope *e)
{
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        const struct envelope_recipient *er = &e->recipients[r->index];
        struct log_record row;
        log_begin(&row, LOG_EVENT_ROW_RECIPIENT, LOG_LEVEL_INFO, 0);
        log_number(&row, LOG_NUMBER, r->number);
        log_text_c(&row, LOG_STATE, recipient_state_name(m, r));
        if (waits_for_its_time(m) && r->progress == PROGRESS_WAITING)
            log_time(&row, LOG_NEXT, m->next_wall_msec);
        add_last(&row, r);
        if (er->has_sender)
            log_text(&row, LOG_FROM, er->sender);
        record_address(&row, LOG_TO, er);
        log_text(&row, LOG_ORIGINAL, er->original);
        worker_row_add(&s->rows, &row);
    }
}

/* The first octets of the content, a record for each piece. */
static void add_content(struct showing *s, const struct spool_read *read)
{
    struct str parts[2] = { read->head, str_head(read->body, CONTENT_SHOWN) };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct str rest = parts[i];
        while (rest.n) {
            struct log_record row;
            log_begin(&row, LOG_EVENT_ROW_MESSAGE, LOG_LEVEL_INFO, 0);
            log_text(&row, LOG_CONTENT, str_head(rest, LOG_VALUE_MAX / 2));
            worker_row_add(&s->rows, &row);
            rest = str_skip(rest, LOG_VALUE_MAX / 2);
        }
    }
}

static void finish(struct showing *s)
{
    struct queue *q = s->queue;
    uint64_t last = s->more && s->n_ids ? s->ids[s->n_ids - 1] : 0;

    for (size_t i = 0; i < q->worker->n_peers; i++) {
        struct ipc_channel *to = q->worker->peers[i];
        if (to->instance != s->instance)
            continue;
        if (s->all)
            ipc_send_queue_show_answer(to, &(struct ipc_queue_show_answer){
                                               .ticket = s->ticket,
                                               .records = buf_str(&s->rows),
                                           });
        else
            ipc_send_queue_list_answer(to, &(struct ipc_queue_list_answer){
                                               .ticket = s->ticket,
                                               .last = last,
                                               .records = buf_str(&s->rows),
                                           });
    }
    buf_done(&s->rows);
    free(s->ids);
    free(s);
}

static void next(struct showing *s);

static void on_read(struct spool_read *read)
{
    struct showing *s = CONTAINER_OF(read, struct showing, read);
    struct queue *q = s->queue;
    struct message *m = message_find(q, read->id);
    struct arena *a = arena_new(32 << 20);
    struct envelope e;
    struct err err = { 0 };

    if (m && a && m->state != MESSAGE_TAKING && read->status != SPOOL_READ_GONE) {
        bool readable = read->status == SPOOL_READ_OK && envelope_decode(read->envelope, a, &e, &err);
        add_message(s, m, readable ? &e : NULL);
        if (readable && s->all)
            add_recipients(s, m, &e);
        if (readable && s->content)
            add_content(s, read);
    }
    arena_free(a);
    spool_read_done(q->spool, read);
    s->at++;
    next(s);
}

static void next(struct showing *s)
{
    if (s->at == s->n_ids) {
        finish(s);
        return;
    }
    s->read = (struct spool_read){ .done = on_read };
    spool_read(s->queue->spool, (struct queue_id){ s->ids[s->at] },
               SPOOL_READ_ENVELOPE | (s->content ? SPOOL_READ_CONTENT : 0U), &s->read);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The ids behind AFTER in order; at most LIMIT of them stay. */
static bool page(struct showing *s, uint64_t after, size_t limit)
{
    struct queue *q = s->queue;

    s->ids = calloc(q->n_messages ? q->n_messages : 1, sizeof(*s->ids));
    if (!s->ids)
        return false;
    for (size_t i = 0; i < q->index_room; i++)
        if (q->index[i] && q->index[i]->id.n > after && q->index[i]->state != MESSAGE_TAKING)
            s->ids[s->n_ids++] = q->index[i]->id.n;
    qsort(s->ids, s->n_ids, sizeof(*s->ids), by_id);
    s->more = s->n_ids > limit;
    if (s->more)
        s->n_ids = limit;
    return true;
}

void show_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m)
{
    struct showing *s = calloc(1, sizeof(*s));

    if (!s)
        return;
    *s = (struct showing){ .queue = q, .instance = from->instance, .rows = BUF_INIT(ROWS_MAX) };
    if (m->type == IPC_QUEUE_LIST_ASK) {
        size_t limit = m->queue_list_ask.limit;
        s->ticket = m->queue_list_ask.ticket;
        (void)page(s, m->queue_list_ask.after, limit && limit < PAGE_MAX ? limit : PAGE_MAX);
    } else {
        s->ticket = m->queue_show_ask.ticket;
        s->all = true;
        s->content = m->queue_show_ask.content;
        if (page(s, m->queue_show_ask.id - 1, 1) && s->n_ids && s->ids[0] != m->queue_show_ask.id)
            s->n_ids = 0;
    }
    next(s);
}

void show_status(struct queue *q, struct buf *rows)
{
    static const char *const health[] = { "ok", "full", "refusing" };
    struct spool_figures f;
    struct log_record row;

    spool_figures(q->spool, &f);
    log_begin(&row, LOG_EVENT_ROW_SPOOL, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_STATE, health[f.health]);
    if (f.cause[0])
        log_text_c(&row, LOG_CAUSE, f.cause);
    log_number(&row, LOG_MESSAGES, (int64_t)f.messages);
    log_number(&row, LOG_HELD, (int64_t)f.held);
    log_number(&row, LOG_SYNCS, (int64_t)f.syncs);
    log_number(&row, LOG_SEGMENTS, f.segments);
    log_number(&row, LOG_USED, (int64_t)f.log_octets);
    worker_row_add(rows, &row);
    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(PROCESS_QUEUE));
    log_number(&row, LOG_INSTANCE, q->worker->instance);
    log_number(&row, LOG_MESSAGES, (int64_t)q->taken);
    log_number(&row, LOG_DELIVERED, (int64_t)q->delivered);
    log_number(&row, LOG_SENDING, (int64_t)q->attempts);
    worker_row_add(rows, &row);
}
