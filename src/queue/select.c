/* queue/select.c -- messages by SELECT, in order of ids: rows of `queue list`, and what is done to them (FACE 2.2). */
#include "queue/filter.h"

#include <stdlib.h>

#include "core/num.h"

enum {
    ROWS_MAX = IPC_FRAME_MAX / 2,
    ROWS_FULL = IPC_FRAME_MAX / 4,
    PAGE_MAX = 2000,
    LOOKED_MAX = 2000, /* messages read for a page: it is told how far it came before anybody doubts it */
    AHEAD_MAX = 16,
    TEXTS_MAX = 128 << 10,
};

/*
 * Messages are read, or woken, so many at a time, and taken in their order: while one is told of, the spool reads the
 * next. More than those are never in memory for a question.
 */
enum ahead_state { AHEAD_READING, AHEAD_READ, AHEAD_WANTED, AHEAD_DONE };

struct ahead {
    struct spool_read read;
    struct want want;
    struct selecting *selecting;
    uint64_t id;
    enum ahead_state state;
    struct rest rest; /* its slot when it was asked for; no id: it was awake */
};

/* A question that is being answered. */
struct selecting {
    struct io_task step;
    struct ahead ahead[AHEAD_MAX]; /* a ring, the lowest id first */
    size_t first, n_ahead;
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
    size_t looked; /* messages read */
    bool walked;
    struct buf rows;
};

/* ---- the answer ---- */

/* What is left of the candidates waits for the next page of this question; what nobody asked for again makes room. */
static void keep_ids(struct selecting *s, uint64_t last)
{
    struct queue *q = s->queue;
    struct queue_paging *paging = &q->pagings[q->paged % QUEUE_PAGINGS];

    if (!last || s->ids.at == s->ids.n) {
        candidates_done(&s->ids);
        return;
    }
    for (size_t i = 0; i < QUEUE_PAGINGS && paging->ids.ids; i++)
        paging = &q->pagings[(q->paged + i) % QUEUE_PAGINGS];
    if (paging->ids.ids)
        q->paged++;
    candidates_done(&paging->ids);
    *paging = (struct queue_paging){ .instance = s->instance, .ticket = s->ticket, .last = last, .ids = s->ids };
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
    io_task_done(&s->step);
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
    if (s->dry || !act_do(s->verb, m, s->note))
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

/* ---- one after the other, read ahead ---- */

static struct ahead *ahead_at(struct selecting *s, size_t i)
{
    return &s->ahead[(s->first + i) % AHEAD_MAX];
}

static struct ahead *ahead_add(struct selecting *s, uint64_t id)
{
    struct ahead *a = ahead_at(s, s->n_ahead++);

    *a = (struct ahead){ .selecting = s, .id = id };
    return a;
}

static void on_read(struct spool_read *read)
{
    struct ahead *a = CONTAINER_OF(read, struct ahead, read);

    a->state = AHEAD_READ;
    io_task_post(&a->selecting->step);
}

static void begin_reading(struct ahead *a)
{
    struct queue *q = a->selecting->queue;
    const struct rest *r = rest_find(q, (struct queue_id){ a->id });

    a->state = AHEAD_READING;
    a->rest = r ? *r : (struct rest){ 0 };
    a->read = (struct spool_read){ .done = on_read };
    a->selecting->looked++;
    spool_read(q->spool, (struct queue_id){ a->id }, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD,
               &a->read);
}

/* It rests, and is not what it was when it was asked for: there may be more of it on disk than was read. */
static bool is_overtaken(const struct ahead *a)
{
    const struct rest *r = rest_find(a->selecting->queue, (struct queue_id){ a->id }), *was = &a->rest;

    return r && (was->id != r->id || was->due != r->due || was->flags != r->flags || was->attempts != r->attempts ||
                 was->reason != r->reason || was->recipients != r->recipients || was->from != r->from ||
                 was->to != r->to);
}

static void on_awake(struct want *want, struct message *m)
{
    struct ahead *a = CONTAINER_OF(want, struct ahead, want);
    struct selecting *s = a->selecting;
    const struct rest *r = m ? NULL : rest_find(s->queue, want->id);
    bool damaged = r && r->flags & REST_DAMAGED;

    /* Nobody can be told of what cannot be read, and nobody gets it; but it can go. */
    if (damaged && s->verb == IPC_ACT_REMOVE)
        m = message_have_damaged(s->queue, want->id);
    if (m)
        take(s, m);
    else
        s->count += damaged;
    a->state = AHEAD_DONE;
    io_task_post(&a->selecting->step);
}

/* It is what was asked for. True: what is to be done to it waits until it is awake. */
static bool take_rest(struct selecting *s, uint64_t id)
{
    struct rest *r = rest_find(s->queue, (struct queue_id){ id });

    if (r && !s->dry && s->verb != IPC_ACT_FLUSH)
        return true;
    s->count += r != NULL;
    s->early += r && !s->dry && r->flags & REST_EMBARGO;
    if (r && !s->dry && act_flush_rest(s->queue, r))
        acted(s, id);
    return false;
}

static void wake(struct ahead *a)
{
    a->state = AHEAD_WANTED;
    a->want.have = on_awake;
    message_want(a->selecting->queue, (struct queue_id){ a->id }, &a->want);
}

/* As take_rest(). M is NULL where there is no such message any more, E where its envelope cannot be read. */
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

/* It was read, and it is its turn. */
static void look_at_read(struct ahead *a)
{
    struct queue *q = a->selecting->queue;
    struct envelope e;
    struct err err = { 0 };

    if (is_overtaken(a)) {
        spool_read_done(q->spool, &a->read);
        begin_reading(a);
        return;
    }
    struct arena *arena = arena_new(32 << 20);
    bool readable = arena && a->read.status == SPOOL_READ_OK && envelope_decode(a->read.envelope, arena, &e, &err);
    bool gone = a->read.status == SPOOL_READ_GONE;
    struct message *view = NULL;
    const struct message *m = gone ? NULL : show_seen(q, &a->read, readable ? &e : NULL, &view);
    bool waits = take_read(a->selecting, m, readable ? &e : NULL);

    message_free(view);
    arena_free(arena);
    spool_read_done(q->spool, &a->read);
    a->state = AHEAD_DONE;
    if (waits)
        wake(a);
}

/* Rows stand in the order of ids. Those that wait until they are awake let others pass: only what is done counts. */
static void take_those_read(struct selecting *s)
{
    for (size_t i = 0; i < s->n_ahead; i++) {
        struct ahead *a = ahead_at(s, i);
        if (a->state == AHEAD_READ)
            look_at_read(a);
        if (a->state == AHEAD_READING)
            break;
    }
    while (s->n_ahead && ahead_at(s, 0)->state == AHEAD_DONE) {
        s->first = (s->first + 1) % AHEAD_MAX;
        s->n_ahead--;
    }
}

static bool has_room(const struct selecting *s)
{
    return s->n_ahead < AHEAD_MAX && s->count + s->n_ahead < s->limit && s->looked < LOOKED_MAX &&
           s->rows.n < ROWS_FULL;
}

static void look_at(struct selecting *s, uint64_t id)
{
    bool reads = !s->acts || s->filter.from.n || s->filter.to.n || s->filter.sent_by.n;
    struct message *m = message_find(s->queue, (struct queue_id){ id });
    struct rest *r = m ? NULL : rest_find(s->queue, (struct queue_id){ id });

    if (m ? !filter_message(&s->filter, m) : !r || !filter_rest(s->queue, &s->filter, r))
        return;
    if (reads || (r && filter_must_read(&s->filter, r)))
        begin_reading(ahead_add(s, id));
    else if (m)
        take(s, m);
    else if (take_rest(s, id))
        wake(ahead_add(s, id));
}

static void go_on(struct selecting *s)
{
    take_those_read(s);
    while (has_room(s) && candidates_next(&s->ids, &s->last))
        look_at(s, s->last);
    s->walked = !s->n_ahead;
    if (s->walked && !s->pending)
        finish(s);
}

/* Those that were read before the spool closed are all there is. */
static void on_step(struct io_task *t)
{
    struct selecting *s = CONTAINER_OF(t, struct selecting, step);

    if (!s->queue->stopping)
        go_on(s);
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

/* Those behind AFTER: of the page before, if they are still there. */
static bool have_ids(struct selecting *s, uint64_t after)
{
    for (size_t i = 0; after && i < QUEUE_PAGINGS; i++) {
        struct queue_paging *paging = &s->queue->pagings[i];
        if (!paging->ids.ids || paging->last != after || paging->ticket != s->ticket || paging->instance != s->instance)
            continue;
        s->ids = paging->ids;
        paging->ids = (struct candidates){ 0 };
        return true;
    }
    return find_ids(s, after);
}

/* All texts of FILTER are A's. A text that was lost would mean every message. */
static bool keep_filter(struct arena *a, struct select_filter *filter)
{
    struct str *texts[] = {
        &filter->from, &filter->to, &filter->sent_by, &filter->site, &filter->state, &filter->reason,
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t n = texts[i]->n;
        *texts[i] = arena_str(a, *texts[i]);
        if (texts[i]->n != n)
            return false;
    }
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
    io_task_init(&s->step, q->worker->loop, on_step);
    if (keep_filter(a, &s->filter) && take_ids(a, ids, &s->filter))
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
        go_on(s);
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
        go_on(s);
    else
        finish(s);
}
