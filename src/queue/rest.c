/* queue/rest.c -- messages go to rest: until their time, in buckets of those due together, or in a line. */
#include "queue/rest.h"

#include <stdlib.h>
#include <sys/random.h>

#include "queue/queue.h"

enum { NEAR_MSEC = 60 * 1000, FAR_MSEC = 3600 * 1000, LOOK_MSEC = 300 * 1000, LOOK_SLOTS = 1 << 16 };

/* Those due in the same moment. */
struct bucket {
    struct map_node node;
    struct rest_line line;
    struct wheel_node wake;
    struct queue *queue;
    uint32_t due; /* the key */
};

/* ---- times ---- */

int64_t rest_due(const struct queue *q, const struct rest *r)
{
    return q->rests.began_msec + (int64_t)r->due * REST_TICK_MSEC;
}

int64_t rest_age(const struct queue *q, const struct rest *r)
{
    return queue_now(q) - q->rests.began_msec - (int64_t)r->born * 1000;
}

/* The later, the less does a moment count: fewer buckets. Never 0. */
static uint32_t tick_of(const struct queue *q, int64_t due_msec)
{
    int64_t left = due_msec - queue_now(q), since = due_msec - q->rests.began_msec;
    int64_t grain = left < NEAR_MSEC ? 1 : left < FAR_MSEC ? 10 : 40;
    int64_t tick = (since + REST_TICK_MSEC - 1) / REST_TICK_MSEC;

    tick = (tick + grain - 1) / grain * grain;
    return tick < 1 ? 1 : tick > UINT32_MAX ? UINT32_MAX : (uint32_t)tick;
}

static void wake_all(struct queue *q, struct rest_line *line)
{
    io_task_post(&q->pump);
    /* A bucket ends with the last one that leaves it. */
    for (uint32_t n = line->n; n > 0; n--)
        rest_line_in(q, &q->rests.waking, rest_line_first(q, line));
}

static void on_bucket(struct wheel_node *node)
{
    struct bucket *b = CONTAINER_OF(node, struct bucket, wake);

    wake_all(b->queue, &b->line);
}

static void on_moment(struct wheel_node *node)
{
    struct queue *q = CONTAINER_OF(node, struct queue, rests.moment);

    wake_all(q, &q->rests.later);
}

/* Needs no memory. Of one that waited in line the time is that of telling its sender. */
void rest_later(struct queue *q, struct rest *r)
{
    if (r->flags & REST_LINED) {
        r->flags |= REST_NOW;
        r->due = tick_of(q, queue_now(q));
    }
    rest_line_in(q, &q->rests.later, r);
    if (!wheel_is_set(&q->rests.moment))
        queue_wait(q, &q->rests.moment, queue_now(q) + QUEUE_MOMENT_MSEC);
}

static void on_bucket_left(struct queue *q, struct rest_line *line)
{
    struct bucket *b = CONTAINER_OF(line, struct bucket, line);

    if (line->n)
        return;
    wheel_unset(&q->wheel, &b->wake);
    map_remove(&q->rests.buckets, &b->node);
    rest_line_done(q, line);
    free(b);
}

static struct bucket *bucket_have(struct queue *q, uint32_t due)
{
    struct str key = str_of((const char *)&due, sizeof(due));
    struct map_node *node = map_find(&q->rests.buckets, key);
    struct bucket *b;

    if (node)
        return CONTAINER_OF(node, struct bucket, node);
    b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    *b = (struct bucket){ .queue = q, .due = due, .line.left = on_bucket_left };
    wheel_node_init(&b->wake, on_bucket);
    if (!map_insert(&q->rests.buckets, &b->node, str_of((const char *)&b->due, sizeof(b->due)))) {
        free(b);
        return NULL;
    }
    queue_wait(q, &b->wake, q->rests.began_msec + (int64_t)due * REST_TICK_MSEC);
    return b;
}

bool rest_wait(struct queue *q, struct rest *r, int64_t due_msec)
{
    r->due = tick_of(q, due_msec);
    struct bucket *b = bucket_have(q, r->due);

    return b && rest_line_add(q, &b->line, r);
}

void rest_hasten(struct queue *q, struct rest *r)
{
    if (r->flags & (REST_HELD | REST_WAKING))
        return;
    rest_line_in(q, &q->rests.waking, r);
    r->flags |= REST_NOW;
    r->due = tick_of(q, queue_now(q));
    io_task_post(&q->pump);
}

/* Those in line have no timer: now and then it is looked who of them has waited so long that somebody is to be told. */
static void look_again(struct queue *q)
{
    if (!wheel_is_set(&q->rests.look))
        queue_wait(q, &q->rests.look, queue_now(q) + (q->rests.looked ? REST_TICK_MSEC : LOOK_MSEC));
}

static void on_look(struct wheel_node *node)
{
    struct queue *q = CONTAINER_OF(node, struct queue, rests.look);
    struct rests *rests = &q->rests;
    uint32_t now = tick_of(q, queue_now(q)), end = rests->looked + LOOK_SLOTS;

    while (rests->looked < rests->used && rests->looked < end) {
        struct rest *r = rest_at(rests, rests->looked + 1);
        if (r->flags & REST_LINED && !(r->flags & REST_WAKING) && r->due && r->due <= now && !rest_wake(q, r))
            break;
        rests->looked++;
    }
    if (rests->looked >= rests->used)
        rests->looked = 0;
    if (rests->n)
        look_again(q);
}

/* ---- messages ---- */

uint32_t rest_hash(struct str local, struct str domain)
{
    uint64_t h = 0xcbf29ce484222325ULL;

    for (size_t part = 0; part < 2; part++) {
        struct str s = part ? domain : local;
        for (size_t i = 0; i < s.n; i++)
            h = (h ^ (unsigned char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 'a' - 'A' : s.p[i])) * 0x100000001b3ULL;
        h = (h ^ '@') * 0x100000001b3ULL;
    }
    return (uint32_t)(h ^ h >> 32);
}

/* The facts of M, but where it waits; the time at which it is looked at again, -1: never. */
static int64_t fill(struct rest *r, const struct message *m)
{
    struct names *names = &m->queue->rests.names;
    const struct recipient *speaker = show_speaker(m);
    size_t waiting = message_count(m, PROGRESS_WAITING);
    bool tells = false;
    int64_t due = m->state == MESSAGE_HELD ? -1 : message_due(m, &tells);
    int64_t born = queue_now(m->queue) - m->queue->rests.began_msec - message_age(m);

    r->id = m->id.n;
    r->born = (int32_t)(born / 1000);
    r->recipients = waiting > UINT16_MAX ? UINT16_MAX : (uint16_t)waiting;
    r->uid_plus = m->uid_plus;
    r->from = m->from;
    r->who = m->who;
    names_share(names, r->who);
    if (speaker) {
        r->to = speaker->to;
        r->domain = speaker->to_domain;
        r->hop = speaker->hop;
        names_share(names, r->domain);
        names_share(names, r->hop);
        r->reason = (uint8_t)speaker->reason;
        r->attempts = speaker->attempts > UINT8_MAX ? UINT8_MAX : (uint8_t)speaker->attempts;
    }
    r->flags |= (uint16_t)(REST_KNOWN | (waiting > 1 ? REST_SEVERAL : 0) | (m->recovered ? REST_RECOVERED : 0) |
                           (m->tried ? REST_TRIED : 0) | (m->released ? REST_RELEASED : 0) |
                           (m->report ? REST_REPORT : 0) | (m->n_recipients ? 0 : REST_DAMAGED) |
                           (tells ? REST_TELLS : 0) | (message_embargo(m) ? REST_EMBARGO : 0));
    if (m->state == MESSAGE_HELD) {
        r->flags |= REST_HELD;
        r->reason = (uint8_t)m->held;
    }
    return due;
}

static void forget_names(struct queue *q, struct rest *r)
{
    names_drop(&q->rests.names, r->who);
    names_drop(&q->rests.names, r->domain);
    names_drop(&q->rests.names, r->hop);
    r->who = r->domain = r->hop = 0;
}

/* When its sender is told, or it has waited for too long. */
static uint32_t told_tick(const struct message *m)
{
    const struct queue *q = m->queue;
    int64_t told = report_due(m), over = queue_now(q) + message_left(m);

    if (told >= 0 && told < over)
        over = told;
    return tick_of(q, over);
}

static bool place(struct queue *q, struct rest *r, const struct message *m, struct rest_line *line)
{
    int64_t due = fill(r, m);

    if (!line)
        return due < 0 || rest_wait(q, r, due);
    r->due = told_tick(m);
    look_again(q);
    if (!rest_line_add(q, line, r))
        return false;
    r->flags |= REST_LINED;
    return true;
}

bool message_rest(struct message *m, struct rest_line *line)
{
    struct queue *q = m->queue;
    struct rests *rests = &q->rests;
    uint32_t number;

    number = rest_slot_new(rests);
    if (!number)
        return false;
    struct rest *r = rest_at(rests, number);
    if (!place(q, r, m, line)) {
        forget_names(q, r);
        rest_slot_free(rests, number);
        return false;
    }
    rest_slot_in(q, number);
    entries_leave(m);
    for (uint32_t i = 0; line && i < m->n_recipients; i++)
        if (m->recipients[i].state == RECIPIENT_CARRIER)
            queue_withdraw(&m->recipients[i]);
    message_remove(q, m);
    message_free(m);
    return true;
}

void rest_free(struct queue *q, struct rest *r)
{
    forget_names(q, r);
    rest_slot_out(q, r);
}

bool rest_unknown(struct queue *q, struct queue_id id, bool held)
{
    struct rests *rests = &q->rests;
    uint32_t number;

    number = rest_slot_new(rests);
    if (!number)
        return false;
    struct rest *r = rest_at(rests, number);
    r->id = id.n;
    r->flags |= (uint16_t)(REST_RECOVERED | (held ? REST_HELD : 0));
    r->reason = held ? LOG_REASON_ADMIN : LOG_REASON_NONE;
    rest_slot_in(q, number);
    rest_line_in(q, &rests->unknown, r);
    return true;
}

bool rest_know(struct queue *q, struct rest *r, const struct message *m)
{
    int64_t due = fill(r, m);

    if (due < 0)
        rest_alone(q, r);
    return due < 0 || rest_wait(q, r, due);
}

void rest_aside(struct queue *q, struct rest *r)
{
    if (!(r->flags & REST_HELD))
        q->rests.n_held++;
    r->flags |= REST_KNOWN | REST_HELD | REST_DAMAGED;
    r->reason = LOG_REASON_FAILED;
    rest_alone(q, r);
}

/* ---- who goes to rest ---- */

/* That its route holds it is not on disk, until its message is held. */
static bool is_settled(const struct recipient *r)
{
    bool held = r->held && r->message->state != MESSAGE_HELD;

    return r->progress != PROGRESS_FAILED && !held && !r->writing && (!r->lease || r->state == RECIPIENT_LEASED);
}

/* All that is known of it is on disk, and nobody holds on to it. */
static bool may_rest(const struct message *m)
{
    if ((m->state != MESSAGE_LIVE && m->state != MESSAGE_HELD) || m->writing || m->dirty || m->reporting || m->acting ||
        m->digest || m->bouncing || m->removing || m->releasing || m->report_msec > queue_now(m->queue))
        return false;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (!is_settled(&m->recipients[i]))
            return false;
    return true;
}

/* The line in which it waits, where it may rest there; NULL: it is in none, or stays awake. */
static struct rest_line *line_for(struct message *m)
{
    if (list_empty(&m->entries))
        return m->active ? carrier_line(m) : NULL;
    return m->pins ? NULL : schedule_line(m);
}

/* It is looked at in a moment. That it is due now may be known here alone (flush): on disk its time may be another. */
static bool is_due(const struct message *m)
{
    int64_t due = m->state == MESSAGE_LIVE ? message_due(m, NULL) : -1;

    return due >= 0 && due <= queue_now(m->queue);
}

void messages_rest(struct queue *q)
{
    bool too_many = q->n_messages >= QUEUE_AWAKE_MAX;

    for (struct list *node; (node = list_take(&q->tired));) {
        struct message *m = CONTAINER_OF(node, struct message, tired);
        struct rest_line *line = may_rest(m) ? line_for(m) : NULL;
        bool idle = !m->active && !m->pins && list_empty(&m->entries);
        /* Without memory it stays awake. */
        if (line ? !message_rest(m, line) : idle && may_rest(m) && !is_due(m) && !message_rest(m, NULL))
            return;
    }
    /* Those that are due have room now. */
    if (too_many && q->n_messages < QUEUE_AWAKE_MAX)
        io_task_post(&q->pump);
}

bool rests_init(struct queue *q, struct err *err)
{
    uint64_t lot = 0;

    if (getrandom(&lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
        return err_temp(err, "no random numbers");
    q->rests.names.map.seed = lot;
    q->rests.buckets.seed = lot;
    q->rests.began_msec = queue_now(q);
    list_init(&q->rests.wants);
    list_init(&q->rests.reading);
    wheel_node_init(&q->rests.look, on_look);
    wheel_node_init(&q->rests.moment, on_moment);
    if (!rest_line_begin(&q->rests, &q->rests.waking) || !rest_line_begin(&q->rests, &q->rests.unknown) ||
        !rest_line_begin(&q->rests, &q->rests.later))
        return err_temp(err, "out of memory");
    return true;
}
