/*
 * queue/shape.c -- how many messages wait for what, and since when: `veredus queue shape` (FACE 2.1).
 *
 * Counted from what is in memory alone, in slices, so that nobody waits for a count of a million. A message counts
 * once: where the first of its recipients that wait goes.
 */
#include <stdlib.h>
#include <string.h>

#include "queue/filter.h"

enum {
    SLICE_USEC = 8000,
    SLICE_STEP = 512,      /* slots between two looks at the clock */
    TARGETS_MAX = 1 << 17, /* rows counted; what is beyond is told as one */
    ROWS_ROOM = IPC_FRAME_MAX / 2,
    ARENA_ROOM = 64 << 20,
    CLASSES = 12,
    NUMBER_ROOM = 24,
};

#define MINUTES(n) (INT64_C(60000) * (n))

/* Younger than this; the last class has no bound. */
static const int64_t bounds_msec[CLASSES - 1] = {
    MINUTES(5),   MINUTES(10),  MINUTES(20),  MINUTES(40),   MINUTES(80),   MINUTES(160),
    MINUTES(320), MINUTES(640), MINUTES(1440), MINUTES(2880), MINUTES(5760),
};

/* One row of the answer. */
struct target {
    struct map_node node;
    uint64_t messages;
    uint64_t recipients;
    uint64_t ages[CLASSES];
};

struct filter {
    struct str from, to, sent_by, site, state, reason;
    uint32_t from_hash, to_hash; /* of patterns that are addresses */
    int64_t older_msec;
};

/* What is known of one message, wherever it stands. */
struct subject {
    struct str domain, hop, who; /* hop: its key, as in schedule.h */
    uint32_t from, to;
    const char *state;
    enum log_reason reason;
    int64_t age_msec;
    uint64_t recipients;
};

struct shaping {
    struct io_timer timer; /* the next slice */
    struct queue *queue;
    uint32_t instance; /* of the control that asked */
    uint64_t ticket;
    enum ipc_shape by;
    uint32_t limit;
    struct filter filter;
    struct arena *arena; /* this stands in it, too */
    struct map targets;
    struct target all, others;
    uint64_t unknown;     /* messages not looked at yet after a start */
    uint32_t next;        /* slot */
    struct target **seen; /* in this slice: the row of each name, by number */
    uint32_t n_seen;
};

/* ---- what is counted ---- */

static uint32_t pattern_hash(struct str pattern)
{
    size_t at = str_rfind(pattern, '@');

    return at < pattern.n ? rest_hash(str_head(pattern, at), str_skip(pattern, at + 1)) : rest_hash(STR_NONE, STR_NONE);
}

static bool domain_matches(struct str pattern, struct str domain)
{
    return str_starts(pattern, STR(".")) ? str_ends_nocase(domain, pattern) : str_eq_nocase(domain, pattern);
}

/* An address is known by its hash alone; NULL_PATH: the pattern <> has a meaning here. */
static bool address_matches(struct str pattern, uint32_t pattern_is, uint32_t hash, struct str domain, bool null_path)
{
    if (!pattern.n || str_eq(pattern, STR("*")))
        return true;
    if (str_has(pattern, '@') || (null_path && str_eq(pattern, STR("<>"))))
        return pattern_is == hash;
    return domain_matches(pattern, domain);
}

static struct str hop_domain(struct str key)
{
    return str_skip(key, str_find(key, ' ') + 1);
}

/* The name of its site, as far as there is one now; else its domain. */
static struct str site_name(const struct queue *q, const struct subject *s)
{
    const struct map_node *node = s->hop.n ? map_find(&q->schedule.hops, s->hop) : NULL;
    const struct hop *hop = node ? CONTAINER_OF(node, struct hop, node) : NULL;

    if (hop && hop->site)
        return str_from_c(hop->site->limits->name);
    return s->domain.n ? s->domain : hop_domain(s->hop);
}

/* Of an account its domain stands for that of the sender. */
static struct str who_domain(struct str who)
{
    return str_has(who, '@') ? str_skip(who, str_rfind(who, '@') + 1) : who;
}

static bool matches(const struct shaping *sh, const struct subject *s)
{
    const struct filter *f = &sh->filter;

    if (f->state.n && !str_eq(f->state, str_from_c(s->state)))
        return false;
    if (f->reason.n && !str_eq(f->reason, str_from_c(log_reason_text(s->reason))))
        return false;
    return s->age_msec >= f->older_msec && address_matches(f->from, f->from_hash, s->from, who_domain(s->who), true) &&
           filter_account(f->sent_by, str_has(s->who, '@') ? s->who : STR_NONE) &&
           address_matches(f->to, f->to_hash, s->to, s->domain, false) &&
           (!f->site.n || site_name_fits(site_name(sh->queue, s), f->site));
}

static void count(struct target *t, const struct subject *s)
{
    size_t class = 0;

    while (class < CLASSES - 1 && s->age_msec >= bounds_msec[class])
        class++;
    t->messages++;
    t->recipients += s->recipients;
    t->ages[class]++;
}

static struct str name_of(const struct shaping *sh, const struct subject *s)
{
    switch (sh->by) {
    case IPC_SHAPE_SITE:
        return site_name(sh->queue, s);
    case IPC_SHAPE_SENDER:
        return s->who;
    case IPC_SHAPE_DOMAIN:
        break;
    }
    return s->domain;
}

/* Where there are too many, or no memory: all the rest. */
static struct target *target_of(struct shaping *sh, struct str name)
{
    struct map_node *node = map_find(&sh->targets, name);
    struct target *t;

    if (node)
        return CONTAINER_OF(node, struct target, node);
    t = sh->targets.n < TARGETS_MAX ? ARENA_NEW(sh->arena, struct target) : NULL;
    struct str copy = t ? arena_str(sh->arena, name) : STR_NONE;
    return t && copy.p && map_insert(&sh->targets, &t->node, copy) ? t : &sh->others;
}

/* NUMBER: of the name that decides the row; 0: it has none. */
static void take(struct shaping *sh, const struct subject *s, uint32_t number)
{
    struct target **seen = number && number <= sh->n_seen ? &sh->seen[number - 1] : NULL;
    struct target *t = seen ? *seen : NULL;

    if (!t)
        t = target_of(sh, name_of(sh, s));
    if (seen)
        *seen = t;
    count(t, s);
    count(&sh->all, s);
}

/* ---- messages at rest ---- */

static void take_rest(struct shaping *sh, const struct rest *r)
{
    const struct queue *q = sh->queue;
    const struct names *names = &q->rests.names;
    const uint32_t numbers[] = {
        [IPC_SHAPE_DOMAIN] = r->domain, [IPC_SHAPE_SITE] = r->hop, [IPC_SHAPE_SENDER] = r->who
    };
    struct subject s = {
        .domain = names_text(names, r->domain),
        .hop = names_text(names, r->hop),
        .who = names_text(names, r->who),
        .from = r->from,
        .to = r->to,
        .state = rest_state(q, r),
        .reason = (enum log_reason)r->reason,
        .age_msec = rest_age(q, r),
        .recipients = r->recipients,
    };

    /* Nothing waits there: it is to be told, or over. */
    if (!(r->flags & REST_KNOWN))
        sh->unknown++;
    else if (matches(sh, &s))
        take(sh, &s, numbers[sh->by]);
}

/* Names may have come and gone since the last slice. */
static void slice_begins(struct shaping *sh)
{
    uint32_t n = sh->queue->rests.names.used;

    free(sh->seen);
    sh->seen = calloc(n ? n : 1, sizeof(struct target *));
    sh->n_seen = sh->seen ? n : 0;
}

/* False: there is more. */
static bool walk(struct shaping *sh)
{
    const struct rests *rests = &sh->queue->rests;
    int64_t end = io_clock_usec() + SLICE_USEC;

    slice_begins(sh);
    for (; sh->next <= rests->used; sh->next++) {
        const struct rest *r = rest_at(rests, sh->next);
        if (r && (r->flags & (REST_IN_USE | REST_HEAD)) == REST_IN_USE)
            take_rest(sh, r);
        if (sh->next % SLICE_STEP == 0 && io_clock_usec() >= end) {
            sh->next++;
            return false;
        }
    }
    return true;
}

/* ---- messages awake ---- */

static void take_awake(struct shaping *sh, const struct message *m)
{
    const struct names *names = &sh->queue->rests.names;
    const struct recipient *r = show_speaker(m);
    struct subject s = {
        .who = names_text(names, m->who),
        .from = m->from,
        .state = show_state(m),
        .reason = m->state == MESSAGE_HELD ? m->held : r ? r->reason : LOG_REASON_NONE,
        .age_msec = message_age(m),
        .recipients = message_count(m, PROGRESS_WAITING),
    };

    if (r) {
        s.domain = names_text(names, r->to_domain);
        s.hop = names_text(names, r->hop);
        s.to = r->to;
    }
    if (matches(sh, &s))
        take(sh, &s, 0);
}

static void take_all_awake(struct shaping *sh)
{
    const struct queue *q = sh->queue;

    for (size_t i = 0; i < q->index_room; i++)
        if (q->index[i] && q->index[i]->state != MESSAGE_TAKING)
            take_awake(sh, q->index[i]);
}

/* ---- the answer ---- */

static int by_size(const void *a, const void *b)
{
    const struct target *x = *(struct target *const *)a, *y = *(struct target *const *)b;

    if (x->messages != y->messages)
        return x->messages < y->messages ? 1 : -1;
    return str_cmp(x->node.key, y->node.key);
}

static void add_numbers(struct log_record *row, enum log_field f, const uint64_t *numbers, size_t n)
{
    char texts[CLASSES][NUMBER_ROOM];
    struct str list[CLASSES];

    for (size_t i = 0; i < n; i++) {
        struct buf one = BUF_INIT(NUMBER_ROOM);
        buf_printf(&one, "%llu", (unsigned long long)numbers[i]);
        memcpy(texts[i], one.p ? one.p : "", one.n);
        list[i] = str_of(texts[i], one.n);
        buf_done(&one);
    }
    log_list(row, f, list, n);
}

static void begin_row(struct log_record *row, const struct target *t, const char *kind)
{
    log_begin(row, LOG_EVENT_ROW_SHAPE, LOG_LEVEL_INFO, 0);
    log_text_c(row, LOG_KIND, kind);
    log_number(row, LOG_MESSAGES, (int64_t)t->messages);
    log_number(row, LOG_RECIPIENTS, (int64_t)t->recipients);
    add_numbers(row, LOG_AGE, t->ages, CLASSES);
}

/* Of all, with the bounds in seconds. */
static void add_first(struct shaping *sh, struct buf *rows)
{
    uint64_t seconds[CLASSES - 1];
    struct log_record row;

    for (size_t i = 0; i < CLASSES - 1; i++)
        seconds[i] = (uint64_t)bounds_msec[i] / 1000;
    begin_row(&row, &sh->all, "all");
    add_numbers(&row, LOG_BOUND, seconds, CLASSES - 1);
    log_number(&row, LOG_COUNT, (int64_t)sh->targets.n);
    if (sh->unknown)
        log_number(&row, LOG_WAITING, (int64_t)sh->unknown);
    worker_row_add(rows, &row);
}

static void add_target(struct buf *rows, const struct target *t)
{
    struct log_record row;

    begin_row(&row, t, "one");
    log_text(&row, LOG_NAME, t->node.key);
    worker_row_add(rows, &row);
}

/* Those that have no row of their own. */
static void add_others(struct buf *rows, const struct target *others, size_t n)
{
    struct log_record row;

    if (!others->messages)
        return;
    begin_row(&row, others, "others");
    log_number(&row, LOG_COUNT, (int64_t)n);
    worker_row_add(rows, &row);
}

static void join(struct target *to, const struct target *from)
{
    to->messages += from->messages;
    to->recipients += from->recipients;
    for (size_t i = 0; i < CLASSES; i++)
        to->ages[i] += from->ages[i];
}

static void add_rows(struct shaping *sh, struct buf *rows)
{
    struct target **sorted = calloc(sh->targets.n + 1, sizeof(struct target *));
    size_t n = 0, shown = 0;

    add_first(sh, rows);
    MAP_FOR(node, &sh->targets) {
        if (sorted)
            sorted[n++] = CONTAINER_OF(node, struct target, node);
    }
    if (sorted)
        qsort(sorted, n, sizeof(struct target *), by_size);
    while (shown < n && shown < sh->limit && rows->n < ROWS_ROOM - LOG_RECORD_MAX)
        add_target(rows, sorted[shown++]);
    for (size_t i = shown; i < n; i++)
        join(&sh->others, sorted[i]);
    add_others(rows, &sh->others, n - shown);
    free(sorted);
}

static void shaping_free(struct shaping *sh)
{
    io_timer_done(&sh->timer);
    map_done(&sh->targets);
    free(sh->seen);
    arena_free(sh->arena);
}

static void finish(struct shaping *sh)
{
    struct ipc_channel *to = queue_peer(sh->queue, PROCESS_CONTROL, sh->instance);
    struct buf rows = BUF_INIT(ROWS_ROOM);

    if (to) {
        add_rows(sh, &rows);
        ipc_send_queue_shape_answer(to, &(struct ipc_queue_shape_answer){
                                            .ticket = sh->ticket,
                                            .records = buf_str(&rows),
                                        });
    }
    buf_done(&rows);
    shaping_free(sh);
}

static void on_slice(struct io_timer *t)
{
    struct shaping *sh = CONTAINER_OF(t, struct shaping, timer);

    if (sh->queue->stopping)
        shaping_free(sh);
    else if (!walk(sh))
        io_timer_start(&sh->timer, 0);
    else {
        take_all_awake(sh);
        finish(sh);
    }
}

/* ---- the question ---- */

static void keep_filter(struct shaping *sh, const struct ipc_queue_shape_ask *ask)
{
    sh->filter = (struct filter){
        .from = arena_str(sh->arena, ask->from),
        .to = arena_str(sh->arena, ask->to),
        .sent_by = arena_str(sh->arena, ask->sent_by),
        .site = arena_str(sh->arena, ask->site),
        .state = arena_str(sh->arena, ask->state),
        .reason = arena_str(sh->arena, ask->reason),
        .from_hash = pattern_hash(ask->from),
        .to_hash = pattern_hash(ask->to),
        .older_msec = (int64_t)ask->older_msec,
    };
}

void shape_ask(struct queue *q, struct ipc_channel *from, const struct ipc_queue_shape_ask *ask)
{
    struct arena *a = arena_new(ARENA_ROOM);
    struct shaping *sh = a ? ARENA_NEW(a, struct shaping) : NULL;
    struct err err = { 0 };

    if (!sh || !io_timer_init(&sh->timer, q->worker->loop, on_slice, &err)) {
        arena_free(a);
        ipc_send_queue_shape_answer(from, &(struct ipc_queue_shape_answer){ .ticket = ask->ticket });
        return;
    }
    sh->queue = q;
    sh->instance = from->instance;
    sh->ticket = ask->ticket;
    sh->by = ask->by <= IPC_SHAPE_SENDER ? (enum ipc_shape)ask->by : IPC_SHAPE_DOMAIN;
    sh->limit = ask->limit;
    sh->arena = a;
    sh->targets = (struct map){ .seed = q->schedule.hops.seed };
    sh->next = 1;
    keep_filter(sh, ask);
    io_timer_start(&sh->timer, 0);
}
