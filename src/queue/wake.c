/* queue/wake.c -- from rest to awake: what is due, wanted or not known yet is read back, as far as memory allows. */
#include <stdlib.h>

#include "queue/queue.h"
#include "queue/rest.h"

enum { KNOWING_MAX = 64, SKEW_MAX_MSEC = 60 * 1000, ENVELOPE_MAX = 32 << 20 };

/* A message that is read only to be known. */
struct knowing {
    struct spool_read read;
    struct queue *queue;
};

static const char UNREADABLE[] = "its octets on disk cannot be read";
static const char MISMATCH[] = "its octets on disk do not match their checksum";

/* ---- awake ---- */

/* What waits for its time has it again, by the clock that does not leap: the first of them is due when its slot is. */
static void due_again(struct message *m, const struct rest *r)
{
    int64_t now = queue_now(m->queue), due = rest_due(m->queue, r), first = -1;
    bool all = r->flags & (REST_LINED | REST_NOW);

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *one = &m->recipients[i];
        if (one->progress == PROGRESS_WAITING && (first < 0 || one->due_msec < first))
            first = one->due_msec;
    }
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *one = &m->recipients[i];
        if (one->progress != PROGRESS_WAITING)
            continue;
        if (all)
            one->due_msec = now;
        else if (first > due + SKEW_MAX_MSEC && !(r->flags & REST_TELLS))
            one->due_msec -= first - due;
    }
}

/* M has what its slot knows. */
static void take_slot(struct queue *q, struct message *m, const struct rest *r)
{
    m->age_msec = r->flags & REST_KNOWN ? rest_age(q, r) : m->age_msec;
    m->recovered = r->flags & REST_RECOVERED;
    m->tried = r->flags & REST_TRIED;
    m->released = m->released || r->flags & REST_RELEASED;
    m->lined = r->flags & REST_LINED;
    if (r->flags & REST_KNOWN)
        due_again(m, r);
    if (r->flags & REST_HELD) {
        m->state = MESSAGE_HELD;
        /* The start does not ask the disk why; only what is held in memory alone (run --hold) has nothing there. */
        if (r->flags & REST_KNOWN || m->held == LOG_REASON_NONE)
            m->held = (enum log_reason)r->reason;
    } else {
        m->state = MESSAGE_LIVE;
    }
}

/* A message from what was read of it; not in the index. NULL with ERR. */
static struct message *make(struct queue *q, const struct spool_read *read, const struct envelope *e, struct err *err)
{
    struct message *m = message_new(q, read->id, read->accepted_utc_msec);

    if (!m || !message_take_hold(m, read->hold_reason)) {
        err_temp(err, "out of memory");
    } else if (message_recipients(m, e, read->state, err)) {
        m->version = read->state_version;
        return m;
    }
    message_free(m);
    return NULL;
}

static struct message *decode(struct queue *q, const struct spool_read *read, struct err *err)
{
    struct arena *a = arena_new(ENVELOPE_MAX);
    struct envelope e = { 0 };
    struct message *m = NULL;

    if (!a)
        err_temp(err, "out of memory");
    else if (envelope_decode(read->envelope, a, &e, err))
        m = make(q, read, &e, err);
    arena_free(a);
    return m;
}

struct message *message_view(struct queue *q, const struct rest *r, const struct spool_read *read,
                             const struct envelope *e, struct err *err)
{
    struct message *m = make(q, read, e, err);

    if (!m)
        return NULL;
    take_slot(q, m, r);
    m->slot = r;
    return m;
}

/* It is awake, and its slot is no more. */
static bool awaken(struct queue *q, struct rest *r, struct message *m)
{
    if (!message_insert(q, m))
        return false;
    take_slot(q, m, r);
    rest_free(q, r);
    return true;
}

/* What cannot be read is set aside and named; its neighbours are delivered. It has no recipients then. */
static void set_aside(struct queue *q, struct rest *r, const char *why)
{
    struct message *m = message_new(q, (struct queue_id){ r->id }, io_wall_msec());

    if (m && !(r->flags & REST_DAMAGED))
        record_hold(m, LOG_REASON_FAILED, str_from_c(why));
    message_free(m);
    rest_waking(q, r, false);
    rest_aside(q, r);
}

/* It could not be read. What was wanted before its time still has that; who was first in line lets the others pass. */
static void put_off(struct queue *q, struct rest *r)
{
    rest_waking(q, r, false);
    if (!(r->flags & REST_HELD) && (!r->line || r->flags & REST_LINED))
        rest_later(q, r);
}

/* ---- who wants one ---- */

static void give(struct queue *q, struct want *w, struct message *m)
{
    struct queue_id id = w->id;

    list_remove(&w->node);
    w->have(w, m);
    m = message_find(q, id);
    if (m)
        message_tire(m);
}

static void give_all(struct queue *q, struct queue_id id, struct message *m)
{
    for (struct list *node = q->rests.wants.next, *next; node != &q->rests.wants; node = next) {
        struct want *w = CONTAINER_OF(node, struct want, node);
        next = node->next;
        if (w->id.n == id.n)
            give(q, w, m);
    }
}

void message_wanted(struct message *m)
{
    give_all(m->queue, m->id, m);
}

void message_unread(struct message *m)
{
    give_all(m->queue, m->id, NULL);
}

void message_want(struct queue *q, struct queue_id id, struct want *want)
{
    want->id = id;
    list_init(&want->node);
    list_append(&q->rests.wants, &want->node);
    io_task_post(&q->pump);
}

/* ---- read back ---- */

static void on_woken(struct spool_read *read);

static struct content *begin(struct queue *q, struct rest *r, unsigned parts)
{
    struct content *c = content_new(q);

    if (!c)
        return NULL;
    rest_waking(q, r, true);
    q->n_reading++;
    list_append(&q->rests.reading, &c->waking);
    c->read.done = on_woken;
    spool_read(q->spool, (struct queue_id){ r->id }, parts, &c->read);
    return c;
}

/* Without content: it is held, but may be shown, or returned to its sender. */
static bool woken_without_content(struct queue *q, struct rest *r, struct content *c)
{
    struct err err = { 0 };
    struct message *m = decode(q, &c->read, &err);

    if (!m || !awaken(q, r, m)) {
        message_free(m);
        return false;
    }
    if (m->state != MESSAGE_HELD) {
        message_hold(m, LOG_REASON_FAILED, str_from_c(MISMATCH));
        message_settle(m);
    }
    give_all(q, m->id, m);
    message_tire(m);
    return true;
}

static bool woken(struct queue *q, struct rest *r, struct content *c, struct err *err)
{
    struct message *m;

    content_take_read(c);
    m = content_decode(c, err) ? make(q, &c->read, &c->envelope, err) : NULL;
    if (!m || !awaken(q, r, m)) {
        message_free(m);
        return false;
    }
    m->content = c;
    c->n = c->envelope_octets.n + c->head.n + c->body.n;
    q->content_memory += c->n;
    message_pin(m);
    give_all(q, m->id, m);
    message_unpin(m);
    /* Somebody wanted it though nothing may be leased now: it waits for that. */
    if (m->state == MESSAGE_LIVE && q->health == SPOOL_HEALTH_REFUSING)
        message_ready(m);
    else if (m->state == MESSAGE_LIVE)
        message_started(m);
    message_tire(m);
    return true;
}

static void on_woken(struct spool_read *read)
{
    struct content *c = CONTAINER_OF(read, struct content, read);
    struct queue *q = c->queue;
    struct queue_id id = read->id;
    struct rest *r = rest_find(q, id);
    struct err err = { 0 };
    bool whole = read->parts & SPOOL_READ_CONTENT, stays = false;

    q->n_reading--;
    list_remove(&c->waking);
    io_task_post(&q->pump);
    c->was_read = true;
    if (c->overtaken) {
        content_free(q, c);
        return;
    }
    BUG_ON(!r);
    if (read->status == SPOOL_READ_OK && whole)
        stays = woken(q, r, c, &err);
    else if (read->status == SPOOL_READ_OK)
        stays = woken_without_content(q, r, c);
    if (stays && whole)
        return;
    bool damaged = read->status == SPOOL_READ_DAMAGED;
    content_free(q, c);
    if (stays)
        return;
    if (damaged && whole && begin(q, r, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD))
        return;
    if (damaged || err.kind == ERR_PERM)
        set_aside(q, r, damaged ? UNREADABLE : err.text);
    else
        put_off(q, r);
    give_all(q, id, NULL);
}

bool rest_wake(struct queue *q, struct rest *r)
{
    if (r->flags & REST_WAKING)
        return true;
    if (q->n_reading >= QUEUE_READING_MAX || q->content_memory > QUEUE_MEMORY_MAX || !list_empty(&q->unrouted))
        return false;
    return begin(q, r, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD | SPOOL_READ_CONTENT);
}

/* What is on its way from the disk is not waited for, nor taken when it comes. */
static void overtake(struct queue *q, struct queue_id id)
{
    LIST_FOR(node, &q->rests.reading) {
        struct content *c = CONTAINER_OF(node, struct content, waking);
        if (c->read.id.n == id.n)
            c->overtaken = true;
    }
}

struct message *message_have(struct queue *q, struct queue_id id)
{
    struct message *m = message_find(q, id);
    struct rest *r = m ? NULL : rest_find(q, id);
    struct spool_read read = { .done = NULL };
    struct err err = { 0 };

    if (!r)
        return m;
    if (r->flags & REST_WAKING)
        overtake(q, id);
    spool_read_now(q->spool, id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD, &read);
    m = read.status == SPOOL_READ_OK ? decode(q, &read, &err) : NULL;
    spool_read_done(q->spool, &read);
    if (m && awaken(q, r, m)) {
        message_wait(m);
        return m;
    }
    message_free(m);
    if (r->flags & REST_WAKING)
        put_off(q, r);
    return NULL;
}

struct message *message_have_damaged(struct queue *q, struct queue_id id)
{
    struct rest *r = rest_find(q, id);
    struct message *m = r && r->flags & REST_DAMAGED ? message_new(q, id, 0) : NULL;

    if (m && awaken(q, r, m))
        return m;
    message_free(m);
    return NULL;
}

/* ---- not known yet ---- */

static void on_known(struct spool_read *read)
{
    struct knowing *k = CONTAINER_OF(read, struct knowing, read);
    struct queue *q = k->queue;
    struct rest *r = rest_find(q, read->id);
    struct err err = { 0 };
    struct message *m = NULL;

    q->rests.n_knowing--;
    io_task_post(&q->pump);
    if (r && !(r->flags & (REST_KNOWN | REST_WAKING))) {
        m = read->status == SPOOL_READ_OK ? decode(q, read, &err) : NULL;
        if (m) {
            take_slot(q, m, r);
            if (!rest_know(q, r, m))
                rest_hasten(q, r);
        } else if (read->status == SPOOL_READ_DAMAGED || err.kind == ERR_PERM) {
            set_aside(q, r, read->status == SPOOL_READ_DAMAGED ? UNREADABLE : err.text);
        } else {
            put_off(q, r);
        }
    }
    message_free(m);
    spool_read_done(q->spool, read);
    free(k);
}

static bool know(struct queue *q, struct rest *r)
{
    struct knowing *k = calloc(1, sizeof(*k));

    if (!k)
        return false;
    k->queue = q;
    k->read.done = on_known;
    q->rests.n_knowing++;
    rest_alone(q, r);
    spool_read(q->spool, (struct queue_id){ r->id }, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD,
               &k->read);
    return true;
}

/* ---- the pump ---- */

static void serve_wants(struct queue *q)
{
    for (struct list *node = q->rests.wants.next, *next; node != &q->rests.wants; node = next) {
        struct want *w = CONTAINER_OF(node, struct want, node);
        struct message *m = message_find(q, w->id);
        struct rest *r = m ? NULL : rest_find(q, w->id);
        next = node->next;
        if (m && (m->state == MESSAGE_TAKING || m->state == MESSAGE_ENDING))
            give(q, w, NULL);
        else if (m && message_has_content(m))
            give(q, w, m);
        else if (m)
            message_read_back(m);
        else if (!r)
            give(q, w, NULL);
        else if (!rest_wake(q, r))
            return;
    }
}

void rests_pump(struct queue *q)
{
    struct rest *r;

    serve_wants(q);
    if (q->health == SPOOL_HEALTH_REFUSING)
        return;
    while (q->n_messages < QUEUE_AWAKE_MAX && (r = rest_line_first(q, &q->rests.waking)) && rest_wake(q, r))
        rest_alone(q, r);
    while (q->rests.n_knowing < KNOWING_MAX && (r = rest_line_first(q, &q->rests.unknown)) && know(q, r))
        ;
    if (q->rests.starved && q->n_reading < QUEUE_READING_MAX / 2 && list_empty(&q->unrouted)) {
        q->rests.starved = false;
        sites_post(q);
        carriers_wake(q);
    }
}

const char *rest_state(const struct queue *q, const struct rest *r)
{
    if (r->flags & REST_HELD)
        return "held";
    if (r->flags & REST_LINED)
        return schedule_rests_deferred(q, r) ? "deferred" : "ready";
    if (r->flags & (REST_WAKING | REST_NOW) || (r->flags & REST_KNOWN && rest_due(q, r) <= queue_now(q)))
        return "ready";
    return "deferred";
}
