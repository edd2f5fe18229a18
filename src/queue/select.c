/* queue/select.c -- messages by SELECT, in order of ids: rows of `queue list`, and what is done to them (FACE 2.2). */
#include "queue/filter.h"

#include <stdlib.h>

#include "core/num.h"

enum { ROWS_MAX = IPC_FRAME_MAX / 2, ROWS_FULL = IPC_FRAME_MAX / 4, PAGE_MAX = 1000, TEXTS_MAX = 64 << 10 };

/* A question that is being answered. */
struct selecting {
    struct spool_read read;
    struct want want;
    struct queue *queue;
    struct arena *arena; /* of the filter; this stands in it, too */
    uint32_t instance;
    uint64_t ticket;
    bool acts;
    enum ipc_act verb;
    bool dry;
    struct str note;
    struct str account, command; /* who does it, and how that was typed; for records of single messages */
    struct select_filter filter;
    struct candidates ids;
    size_t limit;
    uint64_t last;
    uint32_t count, done;
    uint32_t early; /* that a flush left to their release times */
    size_t pending; /* messages whose change is on its way to the disk */
    bool walked;
    bool awake; /* when it was read: at rest by now, more of it is on disk than was read */
    struct buf rows;
};

/* ---- what is done ---- */

static void make_due(struct message *m)
{
    int64_t now = queue_now(m->queue);

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (r->progress != PROGRESS_WAITING)
            continue;
        r->due_msec = now;
        /* A site at rest sends its probe now. */
        if (r->entry && r->entry->site && r->entry->site->dead_until_msec > now) {
            r->entry->site->dead_until_msec = now;
            site_post(r->entry->site);
        }
    }
}

/* What its sender asked for is not broken by a word to hurry; to let it go is another one. */
static bool flush(struct message *m)
{
    if (m->state != MESSAGE_LIVE || !message_count(m, PROGRESS_WAITING) || message_embargo(m))
        return false;
    make_due(m);
    message_ready(m);
    return true;
}

static bool hold(struct message *m, struct str note)
{
    if (m->held != LOG_REASON_NONE || m->state == MESSAGE_ENDING)
        return false;
    message_hold(m, LOG_REASON_ADMIN, note);
    message_settle(m);
    return true;
}

/* Held no more, whatever for; nobody died with it in hand that counts now. */
static void let_go(struct message *m)
{
    m->releasing = m->state == MESSAGE_HELD;
    m->held = LOG_REASON_NONE;
    free(m->hold_reason);
    m->hold_reason = NULL;
    if (m->state == MESSAGE_HELD)
        m->state = MESSAGE_LIVE;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        m->recipients[i].deaths = 0;
        m->recipients[i].held = false;
    }
    m->dirty = true;
}

/* Its release time counts no longer. */
static bool release_early(struct message *m)
{
    if (m->state == MESSAGE_ENDING || !message_embargo(m))
        return false;
    m->early = true;
    m->dirty = true;
    message_settle(m);
    message_ready(m);
    return true;
}

/*
 * What could not be read has no recipients here: let go, it would be over. It may be removed. What is held and has a
 * release time, too, waits for that then: it is let go a second time.
 */
static bool release(struct message *m)
{
    if (m->held == LOG_REASON_NONE)
        return release_early(m);
    if (!m->n_recipients)
        return false;
    let_go(m);
    m->released = true;
    make_due(m);
    message_settle(m);
    message_ready(m);
    return true;
}

static bool remove_message(struct message *m)
{
    if (m->removing || m->state == MESSAGE_ENDING)
        return false;
    if (m->held != LOG_REASON_NONE)
        let_go(m);
    m->removing = true;
    m->dirty = true;
    message_settle(m);
    return true;
}

/* What is with a host just now may still arrive there: its outcome counts. */
void select_bounce(struct message *m)
{
    m->bouncing = false;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (r->progress != PROGRESS_WAITING || r->state == RECIPIENT_LEASED)
            continue;
        queue_withdraw(r);
        recipient_outcome(r, &(struct outcome){
                                 .result = IPC_PERM,
                                 .reason = LOG_REASON_REMOVED,
                                 .status = STR("5.7.1"),
                                 .text = STR("taken out of the queue by the administrator of this server"),
                             });
    }
    message_settle(m);
}

/* Its envelope is wanted, for the log and for the report. */
static bool bounce(struct message *m)
{
    if (m->state == MESSAGE_ENDING || m->removing || m->bouncing || !message_count(m, PROGRESS_WAITING))
        return false;
    if (m->held != LOG_REASON_NONE)
        let_go(m);
    m->bouncing = true;
    message_ready(m);
    return true;
}

/* A site at rest sends its probe now. */
static bool flush_rest(struct queue *q, struct rest *r)
{
    struct site *site = r->flags & REST_LINED ? schedule_site_of(q, r) : NULL;

    if (r->flags & (REST_HELD | REST_EMBARGO))
        return false;
    if (site && site->dead_until_msec > queue_now(q)) {
        site->dead_until_msec = queue_now(q);
        site_post(site);
    }
    rest_hasten(q, r);
    return true;
}

static bool act(struct selecting *s, struct message *m)
{
    switch (s->verb) {
    case IPC_ACT_FLUSH:
        return flush(m);
    case IPC_ACT_HOLD:
        return hold(m, s->note);
    case IPC_ACT_RELEASE:
        return release(m);
    case IPC_ACT_REMOVE:
        return remove_message(m);
    case IPC_ACT_BOUNCE:
        return bounce(m);
    }
    return false;
}

/* ---- the answer ---- */

/* What is left of the candidates waits for the next page of this question, or for any other one. */
static void keep_ids(struct selecting *s, uint64_t last)
{
    struct queue_paging *paging = &s->queue->paging;

    candidates_done(&paging->ids);
    *paging = (struct queue_paging){ .instance = s->instance, .ticket = s->ticket, .last = last };
    if (last && s->ids.at < s->ids.n)
        paging->ids = s->ids;
    else
        candidates_done(&s->ids);
}

static void finish(struct selecting *s)
{
    struct ipc_channel *to = queue_peer(s->queue, PROCESS_CONTROL, s->instance);
    uint64_t last = candidates_over(&s->ids) ? 0 : s->last;

    if (to && s->acts)
        ipc_send_queue_act_answer(to, &(struct ipc_queue_act_answer){
                                          .ticket = s->ticket,
                                          .last = last,
                                          .count = s->count,
                                          .done = s->done,
                                          .early = s->early,
                                      });
    else if (to)
        ipc_send_queue_list_answer(to, &(struct ipc_queue_list_answer){
                                           .ticket = s->ticket,
                                           .last = last,
                                           .records = buf_str(&s->rows),
                                       });
    keep_ids(s, last);
    buf_done(&s->rows);
    arena_free(s->arena);
}

void select_settled(struct message *m)
{
    struct selecting *s = m->acting;

    m->acting = NULL;
    if (s && --s->pending == 0 && s->walked)
        finish(s);
}

static void acted(struct selecting *s, uint64_t id)
{
    s->done++;
    if (s->command.n)
        record_act((struct queue_id){ id }, s->verb, s->account, s->command);
}

static void take(struct selecting *s, struct message *m)
{
    s->count++;
    uint64_t id = m->id.n;
    s->early += !s->dry && s->verb == IPC_ACT_FLUSH && m->state != MESSAGE_HELD && message_embargo(m);
    if (s->dry || !act(s, m))
        return;
    acted(s, id);
    /* It may be gone already; what waits for the end of an attempt is not waited for. */
    m = message_find(s->queue, (struct queue_id){ id });
    bool is_read_first = m && m->dirty && m->state == MESSAGE_READING;
    if (m && (m->writing || m->bouncing || is_read_first) && !m->acting) {
        m->acting = s;
        s->pending++;
    }
}

static void walk(struct selecting *s);

static void have(struct want *want, struct message *m)
{
    struct selecting *s = CONTAINER_OF(want, struct selecting, want);

    if (m)
        take(s, m);
    walk(s);
}

/* It is what was asked for. True: it goes on when the message is awake. */
static bool take_rest(struct selecting *s, uint64_t id)
{
    struct rest *r = rest_find(s->queue, (struct queue_id){ id });

    if (r && !s->dry && s->verb != IPC_ACT_FLUSH) {
        s->want.have = have;
        message_want(s->queue, (struct queue_id){ id }, &s->want);
        return true;
    }
    s->count += r != NULL;
    s->early += r && !s->dry && r->flags & REST_EMBARGO;
    if (r && !s->dry && flush_rest(s->queue, r))
        acted(s, id);
    return false;
}

static bool take_read(struct selecting *s, const struct message *m, const struct envelope *e)
{
    bool asks = s->filter.from.n || s->filter.to.n || s->filter.sent_by.n;
    struct message *awake = m ? message_find(s->queue, m->id) : NULL;

    if (!m || !filter_message(&s->filter, m) || (e ? !filter_envelope(&s->filter, e) : asks))
        return false;
    if (s->acts && !awake)
        return take_rest(s, m->id.n);
    if (s->acts) {
        take(s, awake);
        return false;
    }
    s->count++;
    show_row(&s->rows, m, e, false);
    return false;
}

static void begin_reading(struct selecting *s, struct queue_id id, void (*done)(struct spool_read *read))
{
    s->awake = message_find(s->queue, id) != NULL;
    s->read = (struct spool_read){ .done = done };
    spool_read(s->queue->spool, id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD, &s->read);
}

static void on_read(struct spool_read *read)
{
    struct selecting *s = CONTAINER_OF(read, struct selecting, read);
    struct queue *q = s->queue;
    struct envelope e;
    struct err err = { 0 };

    if (s->awake && rest_find(q, read->id)) {
        spool_read_done(q->spool, read);
        begin_reading(s, read->id, on_read);
        return;
    }
    struct arena *a = arena_new(32 << 20);
    bool readable = a && read->status == SPOOL_READ_OK && envelope_decode(read->envelope, a, &e, &err);
    struct message *view = NULL;
    const struct message *m =
        read->status == SPOOL_READ_GONE ? NULL : show_seen(q, read, readable ? &e : NULL, &view);
    bool waits = take_read(s, m, readable ? &e : NULL);

    message_free(view);
    arena_free(a);
    spool_read_done(q->spool, read);
    if (!waits)
        walk(s);
}

static bool has_room(const struct selecting *s)
{
    return s->count < s->limit && s->rows.n < ROWS_FULL;
}

static void walk(struct selecting *s)
{
    bool reads = !s->acts || s->filter.from.n || s->filter.to.n || s->filter.sent_by.n;

    while (has_room(s) && candidates_next(&s->ids, &s->last)) {
        struct message *m = message_find(s->queue, (struct queue_id){ s->last });
        struct rest *r = m ? NULL : rest_find(s->queue, (struct queue_id){ s->last });
        if (m ? !filter_message(&s->filter, m) : !r || !filter_rest(s->queue, &s->filter, r))
            continue;
        if (reads || (r && filter_must_read(&s->filter, r))) {
            begin_reading(s, (struct queue_id){ s->last }, on_read);
            return;
        }
        if (m)
            take(s, m);
        else if (take_rest(s, s->last))
            return;
    }
    s->walked = true;
    if (!s->pending)
        finish(s);
}

/* ---- the question ---- */

static bool take_ids(struct arena *a, struct str octets, struct select_filter *f)
{
    uint64_t *ids = ARENA_NEW_ARRAY(a, octets.n / 8 + 1, uint64_t);

    if (!ids)
        return false;
    for (size_t i = 0; i + 8 <= octets.n; i += 8)
        ids[f->n_ids++] = le64_get(octets.p + i);
    qsort(ids, f->n_ids, sizeof(*ids), candidates_compare);
    f->ids = ids;
    return true;
}

static bool find_ids(struct selecting *s, uint64_t after)
{
    struct queue *q = s->queue;

    if (!candidates_init(&s->ids, CANDIDATES_KEPT))
        return false;
    for (size_t i = 0; i < q->index_room; i++)
        if (q->index[i] && q->index[i]->id.n > after && filter_message(&s->filter, q->index[i]))
            candidates_add(&s->ids, q->index[i]->id.n);
    REST_FOR(r, &q->rests) {
        if (r->id > after && candidates_want(&s->ids, r->id) && filter_rest(q, &s->filter, r))
            candidates_add(&s->ids, r->id);
    }
    candidates_close(&s->ids);
    return true;
}

/* Those behind AFTER: of the page before, if that was the last question of all. */
static bool have_ids(struct selecting *s, uint64_t after)
{
    struct queue_paging *paging = &s->queue->paging;

    if (!after || !paging->ids.ids || paging->last != after || paging->ticket != s->ticket ||
        paging->instance != s->instance)
        return find_ids(s, after);
    s->ids = paging->ids;
    paging->ids = (struct candidates){ 0 };
    return true;
}

static struct selecting *selecting_new(struct queue *q, struct ipc_channel *from, uint64_t ticket, uint32_t limit,
                                       const struct select_filter *filter, struct str ids)
{
    struct arena *a = arena_new(ids.n * 2 + TEXTS_MAX);
    struct selecting *s = a ? ARENA_NEW(a, struct selecting) : NULL;

    if (!s) {
        arena_free(a);
        return NULL;
    }
    *s = (struct selecting){
        .queue = q,
        .arena = a,
        .instance = from->instance,
        .ticket = ticket,
        .limit = limit && limit < PAGE_MAX ? limit : PAGE_MAX,
        .filter = *filter,
        .rows = BUF_INIT(ROWS_MAX),
    };
    s->filter.from = arena_str(a, filter->from);
    s->filter.to = arena_str(a, filter->to);
    s->filter.sent_by = arena_str(a, filter->sent_by);
    s->filter.site = arena_str(a, filter->site);
    s->filter.state = arena_str(a, filter->state);
    s->filter.reason = arena_str(a, filter->reason);
    if (take_ids(a, ids, &s->filter))
        return s;
    arena_free(a);
    return NULL;
}

void select_list(struct queue *q, struct ipc_channel *from, const struct ipc_queue_list_ask *ask)
{
    struct select_filter f = {
        .from = ask->from,
        .to = ask->to,
        .sent_by = ask->sent_by,
        .site = ask->site,
        .state = ask->state,
        .reason = ask->reason,
        .older_msec = (int64_t)ask->older_msec,
        .uid_plus = ask->uid_plus,
    };
    struct selecting *s = selecting_new(q, from, ask->ticket, ask->limit, &f, ask->ids);

    if (s && have_ids(s, ask->after))
        walk(s);
    else if (s)
        finish(s);
    else
        ipc_send_queue_list_answer(from, &(struct ipc_queue_list_answer){ .ticket = ask->ticket });
}

void select_act(struct queue *q, struct ipc_channel *from, const struct ipc_queue_act_ask *ask)
{
    struct select_filter f = {
        .from = ask->from,
        .to = ask->to,
        .sent_by = ask->sent_by,
        .site = ask->site,
        .state = ask->state,
        .reason = ask->reason,
        .older_msec = (int64_t)ask->older_msec,
    };
    struct selecting *s = selecting_new(q, from, ask->ticket, ask->limit, &f, ask->ids);

    if (!s) {
        ipc_send_queue_act_answer(from, &(struct ipc_queue_act_answer){
                                            .ticket = ask->ticket,
                                            .text = STR("the queue is short of memory"),
                                        });
        return;
    }
    s->acts = true;
    s->verb = ask->verb <= IPC_ACT_BOUNCE ? (enum ipc_act)ask->verb : IPC_ACT_FLUSH;
    s->account = arena_str(s->arena, ask->account);
    s->command = arena_str(s->arena, ask->command);
    s->dry = ask->dry || ask->verb > IPC_ACT_BOUNCE;
    /* As show.c takes it apart again. */
    s->note = ask->note.n ? arena_printf(s->arena, "by %.*s: %.*s", STR_ARG(ask->account), STR_ARG(ask->note))
                          : arena_printf(s->arena, "by %.*s", STR_ARG(ask->account));
    if (have_ids(s, ask->after))
        walk(s);
    else
        finish(s);
}
