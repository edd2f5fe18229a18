/* queue/show.c -- what waits, for `veredus queue`: rows in order of ids, envelopes read back as they are needed. */
#include <stdlib.h>

#include "queue/queue.h"

enum { ROWS_MAX = IPC_FRAME_MAX / 2, CONTENT_SHOWN = 64 * 1024 };

/* One answer in the making. */
struct showing {
    struct spool_read read;
    struct queue *queue;
    uint32_t instance; /* of the control that asked */
    uint64_t ticket;
    uint32_t uid_plus;
    bool content;
    bool awake; /* when it was asked for: at rest by now, more of it is on disk than was read */
    struct buf rows;
};

static bool is_under_way(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].state == RECIPIENT_LEASED)
            return true;
    return false;
}

static bool is_in_line(const struct message *m)
{
    return m->active > 0;
}

const char *show_state(const struct message *m)
{
    if (m->slot)
        return rest_state(m->queue, m->slot);
    if (m->state == MESSAGE_HELD)
        return "held";
    if (is_under_way(m) || m->state == MESSAGE_ENDING)
        return "sending";
    if (m->state == MESSAGE_READY || m->state == MESSAGE_READING || is_in_line(m))
        return "ready";
    return "deferred";
}

static const char *recipient_state_name(const struct message *m, const struct recipient *r)
{
    switch (r->progress) {
    case PROGRESS_DELIVERED:
        return "delivered";
    case PROGRESS_FAILED:
    case PROGRESS_RETURNED:
        return "failed";
    case PROGRESS_EXPANDED:
        return "expanded";
    case PROGRESS_WAITING:
        break;
    }
    if (m->state == MESSAGE_HELD || r->held)
        return "held";
    if (r->state == RECIPIENT_LEASED)
        return "sending";
    if (m->slot || (r->state == RECIPIENT_IDLE && recipient_due(r) > queue_now(m->queue)))
        return m->slot ? rest_state(m->queue, m->slot) : "deferred";
    return r->entry && r->entry->parked ? "deferred" : "ready";
}

const struct recipient *show_speaker(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_WAITING)
            return &m->recipients[i];
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].progress == PROGRESS_FAILED)
            return &m->recipients[i];
    return m->n_recipients ? &m->recipients[0] : NULL;
}

/* The site in whose line it is. */
static const struct site *waited_for(const struct recipient *r)
{
    const struct rest *slot = r->message->slot;

    if (slot)
        return slot->flags & REST_LINED && r->progress == PROGRESS_WAITING ? schedule_site_of(r->message->queue, slot)
                                                                          : NULL;
    return r->entry ? r->entry->site : NULL;
}

/* Whose rest it waits for: the site in whose line it is, or one that rests for longer than until its time. */
static const struct site *resting_for(const struct recipient *r)
{
    const struct rest *slot = r->message->slot;
    const struct site *site = waited_for(r);

    if (site || !slot || slot->flags & (REST_SEVERAL | REST_HELD))
        return site;
    site = schedule_site_of(r->message->queue, slot);
    return site && site_rest_until(site) > r->due_msec ? site : NULL;
}

/* When one that waits is tried next: its own time, or the end of its site's rest. */
static int64_t next_of(const struct recipient *r)
{
    const struct queue *q = r->message->queue;
    const struct site *site = resting_for(r);

    if (r->progress != PROGRESS_WAITING)
        return 0;
    if (site && site_rest_until(site))
        return site_rest_until(site) == SITE_UNTIL_RESUMED ? 0 : io_wall_msec() + site_rest_until(site) - queue_now(q);
    if (message_embargo(r->message))
        return r->message->release_msec;
    return r->state == RECIPIENT_IDLE && r->due_msec > queue_now(q) ? io_wall_msec() + r->due_msec - queue_now(q) : 0;
}

static int64_t next_of_message(const struct message *m)
{
    int64_t best = 0;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        int64_t next = next_of(&m->recipients[i]);
        if (next && (!best || next < best))
            best = next;
    }
    return best;
}

/* Its last outcome; or, never tried, why its site is not tried. */
static void add_last(struct log_record *row, const struct recipient *r)
{
    const struct site *site = waited_for(r);

    if (r->attempts)
        log_number(row, LOG_ATTEMPT, r->attempts);
    if (r->attempts && r->host && r->host[0])
        log_text_c(row, LOG_HOST, r->host);
    if (r->attempts && r->peer && r->peer[0])
        log_text_c(row, LOG_PEER, r->peer);
    if (r->attempts && r->code)
        log_number(row, LOG_CODE, r->code);
    if (r->attempts && r->status && r->status[0])
        log_text_c(row, LOG_STATUS, r->status);
    if (r->attempts)
        record_on_reply(row, str_from_c(r->on_reply));
    if (r->attempts && r->text && r->text[0])
        log_text_c(row, r->from_peer ? LOG_REPLY : LOG_ERROR, r->text);
    else if (site && limits_are_paused(site->limits) && site->limits->pause_cause)
        log_text_c(row, LOG_ERROR, site->limits->pause_cause);
    else if (site && site->dead_until_msec && site->trouble)
        log_text_c(row, LOG_ERROR, site->trouble);
}

static const struct site *site_of(const struct message *m)
{
    if (m->slot)
        return m->slot->flags & REST_LINED ? schedule_site_of(m->queue, m->slot) : NULL;
    if (list_empty(&m->entries))
        return NULL;
    return CONTAINER_OF(m->entries.next, struct entry, of_message)->site;
}

static void add_envelope(struct log_record *row, const struct message *m, const struct envelope *e, bool alone)
{
    const struct recipient *first = show_speaker(m);

    log_number(row, LOG_SIZE, (int64_t)e->size);
    log_text(row, LOG_BODY, e->body == ENVELOPE_BODY_8BIT ? STR("8bit") : STR("7bit"));
    log_text(row, LOG_PROTOCOL, e->protocol);
    if (e->uid_plus)
        log_number(row, LOG_UID, (int64_t)e->uid_plus - 1);
    else if (!e->report)
        log_address(row, LOG_CLIENT, e->client);
    log_text(row, LOG_SESSION, e->session);
    if (e->account.n)
        log_text(row, LOG_ACCOUNT, e->account);
    if (e->listener.n)
        log_text(row, LOG_LISTENER, e->listener);
    if (first && !alone)
        add_last(row, first);
    log_text(row, LOG_FROM, e->sender);
    if (first && !alone)
        record_address(row, LOG_TO, &e->recipients[first->index]);
    log_text(row, LOG_MSGID, e->message_id);
    log_text(row, LOG_EHLO, e->client_name);
}

/* "by root: see ticket 4411": who holds it, and why. What is none of an administrator's is all of it why. */
static void add_hold(struct log_record *row, struct str reason)
{
    struct str rest = str_skip(reason, 3);

    if (!str_starts(reason, STR("by "))) {
        log_text(row, LOG_NOTE, reason);
        return;
    }
    log_text(row, LOG_BY, str_cut(&rest, ':'));
    if (str_trim(rest).n)
        log_text(row, LOG_NOTE, str_trim(rest));
}

void show_row(struct buf *rows, const struct message *m, const struct envelope *e, bool alone)
{
    size_t sending = 0;
    struct log_record row;

    for (uint32_t i = 0; i < m->n_recipients; i++)
        sending += m->recipients[i].state == RECIPIENT_LEASED;
    log_begin(&row, LOG_EVENT_ROW_MESSAGE, LOG_LEVEL_INFO, 0);
    log_id(&row, m->id);
    if (m->state == MESSAGE_HELD)
        log_reason(&row, m->held);
    log_text_c(&row, LOG_STATE, show_state(m));
    if (site_of(m))
        log_text_c(&row, LOG_SITE, site_of(m)->limits->name);
    if (m->accepted_msec)
        log_time(&row, LOG_ACCEPTED, m->accepted_msec);
    log_number(&row, LOG_RECIPIENTS, m->n_recipients);
    log_number(&row, LOG_DELIVERED, (int64_t)message_count(m, PROGRESS_DELIVERED));
    log_number(&row, LOG_FAILED,
               (int64_t)(message_count(m, PROGRESS_FAILED) + message_count(m, PROGRESS_RETURNED)));
    if (sending)
        log_number(&row, LOG_SENDING, (int64_t)sending);
    if (m->state != MESSAGE_HELD && next_of_message(m))
        log_time(&row, LOG_NEXT, next_of_message(m));
    if (message_embargo(m))
        log_time(&row, LOG_RELEASE, m->release_msec);
    if (m->hold_reason)
        add_hold(&row, str_from_c(m->hold_reason));
    if (e)
        add_envelope(&row, m, e, alone);
    else
        log_text_c(&row, LOG_ERROR, "its envelope cannot be read");
    worker_row_add(rows, &row);
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
        if (waited_for(r))
            log_text_c(&row, LOG_SITE, waited_for(r)->limits->name);
        if (m->state != MESSAGE_HELD && next_of(r))
            log_time(&row, LOG_NEXT, next_of(r));
        if (r->last_msec)
            log_time(&row, LOG_SINCE, r->last_msec);
        add_last(&row, r);
        if (er->has_sender)
            log_text(&row, LOG_FROM, er->sender);
        if (er->kind == ENVELOPE_ADDRESS)
            record_address(&row, LOG_TO, er);
        else
            log_text(&row, LOG_TO, er->local);
        log_text(&row, LOG_ORIGINAL, er->original);
        if (er->route.n)
            log_text(&row, LOG_ROUTE, er->route);
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
    struct ipc_channel *to = queue_peer(s->queue, PROCESS_CONTROL, s->instance);

    if (to)
        ipc_send_queue_show_answer(to, &(struct ipc_queue_show_answer){
                                           .ticket = s->ticket,
                                           .records = buf_str(&s->rows),
                                       });
    buf_done(&s->rows);
    free(s);
}

const struct message *show_seen(struct queue *q, const struct spool_read *read, const struct envelope *e,
                                struct message **view)
{
    const struct message *awake = message_find(q, read->id);
    const struct rest *r = awake ? NULL : rest_find(q, read->id);
    struct err err = { 0 };

    *view = NULL;
    if (!r)
        return awake;
    *view = e ? message_view(q, r, read, e, &err) : NULL;
    if (!*view && (*view = message_new(q, read->id, read->accepted_utc_msec))) {
        (*view)->slot = r;
        (*view)->state = MESSAGE_HELD;
        (*view)->held = LOG_REASON_FAILED;
    }
    return *view;
}

static void begin_reading(struct showing *s, struct queue_id id, void (*done)(struct spool_read *read))
{
    s->awake = message_find(s->queue, id) != NULL;
    s->read = (struct spool_read){ .done = done };
    spool_read(s->queue->spool, id,
               SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD | (s->content ? SPOOL_READ_CONTENT : 0U),
               &s->read);
}

static void on_read(struct spool_read *read)
{
    struct showing *s = CONTAINER_OF(read, struct showing, read);
    struct queue *q = s->queue;
    struct envelope e;
    struct err err = { 0 };

    if (s->awake && rest_find(q, read->id)) {
        spool_read_done(q->spool, read);
        begin_reading(s, read->id, on_read);
        return;
    }
    /* Of what is left of a damaged one the envelope may be sound. */
    if (read->status == SPOOL_READ_DAMAGED && s->content) {
        s->content = false;
        spool_read_done(q->spool, read);
        begin_reading(s, read->id, on_read);
        return;
    }
    struct arena *a = arena_new(32 << 20);
    bool readable = a && read->status == SPOOL_READ_OK && envelope_decode(read->envelope, a, &e, &err);
    struct message *view = NULL;
    const struct message *m = show_seen(q, read, readable ? &e : NULL, &view);

    if (m && m->state != MESSAGE_TAKING && read->status != SPOOL_READ_GONE &&
        (!s->uid_plus || m->uid_plus == s->uid_plus)) {
        show_row(&s->rows, m, readable ? &e : NULL, true);
        if (readable)
            add_recipients(s, m, &e);
        if (readable && s->content)
            add_content(s, read);
    }
    message_free(view);
    arena_free(a);
    spool_read_done(q->spool, read);
    finish(s);
}

void show_message(struct queue *q, struct ipc_channel *from, const struct ipc_queue_show_ask *ask)
{
    struct showing *s = calloc(1, sizeof(*s));

    if (!s)
        return;
    *s = (struct showing){
        .queue = q,
        .instance = from->instance,
        .ticket = ask->ticket,
        .uid_plus = ask->uid_plus,
        .content = ask->content,
        .rows = BUF_INIT(ROWS_MAX),
    };
    begin_reading(s, (struct queue_id){ ask->id }, on_read);
}

/* Also what no record on disk says so of (run --hold). */
static size_t count_held(const struct queue *q)
{
    size_t n = q->rests.n_held;

    for (size_t i = 0; i < q->index_room; i++)
        n += q->index[i] && q->index[i]->state == MESSAGE_HELD;
    return n;
}

void show_status(struct queue *q, struct buf *rows)
{
    static const char *const health[] = { "ok", "full", "refusing" };
    struct spool_figures f;
    struct log_record row;

    spool_figures(q->spool, &f);
    log_begin(&row, LOG_EVENT_ROW_SPOOL, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_STATE, health[f.health]);
    if (f.health != SPOOL_HEALTH_OK && f.cause[0]) /* one that is over says nothing of now */
        log_text_c(&row, LOG_CAUSE, f.cause);
    log_number(&row, LOG_MESSAGES, (int64_t)f.messages);
    log_number(&row, LOG_HELD, (int64_t)count_held(q));
    log_number(&row, LOG_SYNCS, (int64_t)f.syncs);
    log_number(&row, LOG_SEGMENTS, f.segments);
    log_number(&row, LOG_USED, (int64_t)f.log_octets);
    worker_row_add(rows, &row);
    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(PROCESS_QUEUE));
    log_number(&row, LOG_INSTANCE, q->worker->instance);
    log_number(&row, LOG_MESSAGES, (int64_t)q->taken);
    log_number(&row, LOG_DELIVERED, (int64_t)q->delivered);
    log_number(&row, LOG_SENDING, (int64_t)q->schedule.n_connections);
    worker_row_add(rows, &row);
}
