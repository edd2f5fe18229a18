/* queue/sites.c -- veredus site: destinations, what they bear and what holds them; pause and resume
 * (FACE 2.1, 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/queue.h"

#define PAUSE_MOST_MSEC (INT64_C(1000) * 86400 * 3650)

enum { PAGE_MAX = 500, ROWS_ROOM = IPC_FRAME_MAX / 2, COUNTED_MSEC = 2000, MEMBERS_MAX = 200, PERCENT = 100,
       NAMES_FULL = 2048, NAMES_ROOM = 32 << 10 };

/* ---- how many wait ---- */

/* Messages at rest by the name of their next hop, in one pass over all. */
static uint32_t *count_rests(const struct queue *q, uint32_t names)
{
    uint32_t *counts = calloc((size_t)names + 1, sizeof(*counts));

    if (!counts)
        return NULL;
    REST_FOR(r, &q->rests) {
        if (r->flags & REST_KNOWN && !(r->flags & REST_HELD) && r->hop <= names)
            counts[r->hop]++;
    }
    return counts;
}

/* For all sites at once; good for a moment, so that a list of many pages counts once. */
static void count_waiting(struct queue *q)
{
    struct schedule *s = &q->schedule;
    uint32_t names = q->rests.names.used, *counts;

    if (s->counted_msec && queue_now(q) < s->counted_msec + COUNTED_MSEC)
        return;
    MAP_FOR(node, &s->sites) {
        CONTAINER_OF(node, struct site, node)->at_rest = 0;
    }
    counts = count_rests(q, names);
    if (!counts)
        return;
    MAP_FOR(node, &s->hops) {
        const struct hop *hop = CONTAINER_OF(node, struct hop, node);
        uint32_t name = hop->site ? names_find(&q->rests.names, str_from_c(hop->key)) : 0;
        if (name && name <= names)
            hop->site->at_rest += counts[name];
    }
    free(counts);
    s->counted_msec = queue_now(q);
}

static size_t list_length(const struct list *head)
{
    size_t n = 0;

    LIST_FOR(node, head) {
        n++;
    }
    return n;
}

/* Messages: awake in its lines, and at rest, in line or until their time. */
static size_t waiting_at(const struct site *site)
{
    return site->n_entries + list_length(&site->reading) + site->at_rest;
}

static size_t sending_at(const struct site *site)
{
    size_t n = 0;

    LIST_FOR(node, &site->connections) {
        n += CONTAINER_OF(node, struct connection, node)->n_transfers;
    }
    return n;
}

/* ---- what holds it ---- */

struct sums {
    size_t waiting, sending, sites, dead, ready;
    const struct site *worst; /* one that is dead */
};

static struct sums sums_of(const struct site_limits *l)
{
    struct sums s = { 0 };

    LIST_FOR(node, &l->sites) {
        const struct site *site = CONTAINER_OF(node, struct site, of_limits);
        s.sites++;
        s.waiting += waiting_at(site);
        s.sending += sending_at(site);
        s.ready += !list_empty(&site->turns);
        if (!site->dead_said)
            continue;
        s.dead++;
        s.worst = site;
    }
    return s;
}

static const char *state_of(const struct site_limits *l, const struct sums *s)
{
    if (limits_are_paused(l))
        return "paused";
    return s->dead && s->dead == s->sites ? "dead" : "open";
}

/* When it goes on by itself; queue_now(), 0: it does, or nobody knows. */
static int64_t next_of(const struct site_limits *l, const struct sums *s)
{
    int64_t until = limits_are_paused(l)             ? l->paused_until_msec
                    : s->dead && s->dead == s->sites ? s->worst->dead_until_msec
                                                     : 0;

    return until == SITE_UNTIL_RESUMED ? 0 : until;
}

static const struct config_sending *values_of(const struct site_limits *l)
{
    return site_sending(CONTAINER_OF(l->sites.next, struct site, of_limits));
}

/* "connections 50, veredus.conf:41" */
static void put_value(const struct site_limits *l, const char *what, struct config_place place,
                      struct buf *out)
{
    buf_printf(out, "%s, %s", what, config_rule(l->queue->worker->config, place).c);
}

/* In words; nothing when nothing holds it. */
static void put_cause(struct site_limits *l, const struct sums *s, struct buf *out)
{
    const struct config_sending *values = values_of(l);
    uint32_t window = window_connections(&l->window);
    char what[64];

    if (limits_are_paused(l)) {
        buf_add_c(out, l->pause_cause ? l->pause_cause : "paused");
    } else if (s->dead && s->worst->trouble) {
        if (s->dead < s->sites)
            buf_printf(out, "%zu of %zu sets of hosts dead: ", s->dead, s->sites);
        buf_add_c(out, s->worst->trouble);
    } else if (limits_wait(l)) {
        snprintf(what, sizeof(what), "rate %" PRIu64 " in %" PRIu64 "s", values->rate.count,
                 values->rate.msec / 1000);
        put_value(l, what, values->rate.place, out);
    } else if (window < l->window.max && l->cause && l->window.size < l->window.start) {
        buf_printf(out, "%s; window %" PRIu32 " of %" PRIu32, l->cause, window, l->window.max);
    } else if (s->ready && l->n_connections >= window && window >= l->window.max) {
        snprintf(what, sizeof(what), "connections %" PRIu32, l->window.max);
        put_value(l, what, values->connections.place, out);
    }
}

/* ---- rows ---- */

static void add_lately(struct log_record *row, const struct site_limits *l)
{
    struct window_part lately = window_lately(&l->window, queue_now(l->queue));

    if (!lately.n)
        return;
    log_seconds(row, LOG_PER_SECOND, (int64_t)lately.n * 1000000 / (WINDOW_PARTS * WINDOW_PART_MSEC / 1000));
    log_number(row, LOG_OK, (int64_t)(lately.n - lately.put_off - lately.failed) * PERCENT / lately.n);
    log_number(row, LOG_PUT_OFF, (int64_t)lately.put_off * PERCENT / lately.n);
    log_seconds(row, LOG_T_SEND, (int64_t)(lately.latency_usec / lately.n));
}

static bool add_site(struct buf *rows, struct site_limits *l)
{
    struct sums s = sums_of(l);
    struct log_record row;
    struct buf cause = BUF_INIT(4096);
    int64_t next = next_of(l, &s);

    log_begin(&row, LOG_EVENT_ROW_SITE, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_SITE, l->name);
    log_text_c(&row, LOG_STATE, state_of(l, &s));
    log_number(&row, LOG_WAITING, (int64_t)s.waiting);
    log_number(&row, LOG_SENDING, (int64_t)s.sending);
    log_number(&row, LOG_CONNECTIONS, (int64_t)l->n_connections);
    log_number(&row, LOG_WINDOW, window_connections(&l->window));
    log_number(&row, LOG_MOST, l->window.max);
    add_lately(&row, l);
    if (next > queue_now(l->queue))
        log_time(&row, LOG_NEXT, io_wall_msec() + next - queue_now(l->queue));
    put_cause(l, &s, &cause);
    if (cause.n)
        log_text(&row, LOG_CAUSE, buf_str(&cause));
    buf_done(&cause);
    return worker_row_add(rows, &row);
}

/* One set of hosts. */
static bool add_member(struct buf *rows, const struct site *site)
{
    const struct config *config = site->queue->worker->config;
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_HOSTS, LOG_LEVEL_INFO, 0);
    if (site->route < config->n_routes)
        log_text_c(&row, LOG_ROUTE, config_rule(config, config->routes[site->route].place).c);
    log_text_c(&row, LOG_STATE, site->dead_said ? "dead" : "open");
    log_number(&row, LOG_WAITING, (int64_t)waiting_at(site));
    log_number(&row, LOG_SENDING, (int64_t)sending_at(site));
    log_number(&row, LOG_CONNECTIONS, (int64_t)site->n_connections);
    if (site->dead_until_msec > queue_now(site->queue))
        log_time(&row, LOG_NEXT, io_wall_msec() + site->dead_until_msec - queue_now(site->queue));
    log_text(&row, LOG_HOSTS, site_hosts(site));
    if (site->dead_said && site->trouble)
        log_text_c(&row, LOG_ERROR, site->trouble);
    return worker_row_add(rows, &row);
}

/* ---- pauses of what is no site just now: before there is mail for it, or since a reload ---- */

static bool has_site(const struct queue *q, struct str name)
{
    MAP_FOR(node, &q->schedule.sites) {
        if (limits_are_called(CONTAINER_OF(node, struct site, node)->limits, name))
            return true;
    }
    return false;
}

/* How many wait for it nobody knows before the first of them asks for its hosts. */
static bool add_pause(struct buf *rows, const struct queue *q, const struct site_pause *p)
{
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_SITE, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_SITE, p->name);
    log_text_c(&row, LOG_STATE, "paused");
    if (p->until_msec != SITE_UNTIL_RESUMED)
        log_time(&row, LOG_NEXT, io_wall_msec() + p->until_msec - queue_now(q));
    log_text_c(&row, LOG_CAUSE, p->cause);
    return worker_row_add(rows, &row);
}

static void add_pauses(struct buf *rows, const struct queue *q, struct str name)
{
    LIST_FOR(node, &q->schedule.pauses) {
        const struct site_pause *p = CONTAINER_OF(node, struct site_pause, node);
        struct str called = str_from_c(p->name);
        bool asked = !name.n || str_eq_nocase(called, name);
        if (asked && p->until_msec > queue_now(q) && !has_site(q, called) && !add_pause(rows, q, p))
            break;
    }
}

/* ---- those asked for, in the order of their making ---- */

struct found {
    struct site_limits **items;
    size_t n;
};

static int by_serial(const void *a, const void *b)
{
    const struct site_limits *x = *(struct site_limits *const *)a, *y = *(struct site_limits *const *)b;

    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* Those of this configuration made after AFTER, of NAME if that is not empty. False without memory. */
static bool find(struct queue *q, uint64_t after, struct str name, struct found *found)
{
    *found = (struct found){ .items = calloc(q->schedule.sites.n + 1, sizeof(*found->items)) };
    if (!found->items)
        return false;
    MAP_FOR(node, &q->schedule.sites) {
        struct site *site = CONTAINER_OF(node, struct site, node);
        struct site_limits *l = site->limits;
        if (l->sites.next != &site->of_limits || l->serial <= after ||
            (name.n && !limits_are_called(l, name)))
            continue;
        found->items[found->n++] = l;
    }
    qsort(found->items, found->n, sizeof(struct site_limits *), by_serial);
    return true;
}

static void add_members(struct buf *rows, const struct site_limits *l)
{
    size_t n = 0;

    LIST_FOR(node, &l->sites) {
        if (n++ == MEMBERS_MAX || !add_member(rows, CONTAINER_OF(node, struct site, of_limits)))
            break;
    }
}

void sites_list(struct queue *q, struct ipc_channel *from, const struct ipc_site_list_ask *ask)
{
    struct buf rows = BUF_INIT(ROWS_ROOM);
    struct found found;
    size_t limit = ask->limit && ask->limit < PAGE_MAX ? ask->limit : PAGE_MAX, told = 0;

    count_waiting(q);
    if (find(q, ask->after, ask->name, &found)) {
        for (; told < found.n && told < limit && add_site(&rows, found.items[told]); told++)
            if (ask->hosts)
                add_members(&rows, found.items[told]);
        if (told == found.n)
            add_pauses(&rows, q, ask->name);
    }
    ipc_send_site_list_answer(from, &(struct ipc_site_list_answer){
                                        .ticket = ask->ticket,
                                        .last = told < found.n && told ? found.items[told - 1]->serial : 0,
                                        .records = buf_str(&rows),
                                    });
    free(found.items);
    buf_done(&rows);
}

/* ---- pause and resume ---- */

static bool is_configured(const struct queue *q, struct str name)
{
    const struct config *config = q->worker->config;

    for (size_t i = 0; i < config->n_sites; i++)
        if (str_eq_nocase(config->sites[i].name.text, name))
            return true;
    return false;
}

static bool pause_found(struct queue *q, const struct ipc_site_act_ask *ask, const struct found *found)
{
    int64_t until =
        ask->msec && ask->msec < PAUSE_MOST_MSEC ? queue_now(q) + (int64_t)ask->msec : SITE_UNTIL_RESUMED;
    char cause[128];

    snprintf(cause, sizeof(cause), "paused by %.*s", STR_ARG(str_head(ask->account, 100)));
    if (!limits_note_pause(q, ask->name, until, str_from_c(cause)))
        return false;
    for (size_t i = 0; i < found->n; i++) {
        found->items[i]->paused_until_msec = 0; /* what is said last counts */
        limits_pause(found->items[i], until, cause, STR_NONE);
    }
    return true;
}

static uint32_t resume_found(struct queue *q, const struct ipc_site_act_ask *ask, const struct found *found)
{
    char cause[128];
    uint32_t n = 0;

    snprintf(cause, sizeof(cause), "resumed by %.*s", STR_ARG(str_head(ask->account, 100)));
    for (size_t i = 0; i < found->n; i++)
        n += limits_resume(found->items[i], cause);
    for (size_t i = 0; i < found->n; i++)
        limits_forget_pauses(found->items[i]);
    /* What was paused before there was mail for it. */
    bool noted = limits_forget_pause(q, ask->name);
    return n ? n : noted;
}

/* All that are meant, by names of their own: "example.net@veredus.conf:14, example.net@default". */
static void put_names(const struct found *found, struct buf *out)
{
    for (size_t i = 0; i < found->n && out->n < NAMES_FULL; i++)
        buf_printf(out, "%s%s", i ? ", " : "", found->items[i]->name);
}

void sites_act(struct queue *q, struct ipc_channel *from, const struct ipc_site_act_ask *ask)
{
    struct ipc_site_act_answer answer = { .ticket = ask->ticket, .status = IPC_SITE_LATER };
    struct found found = { 0 };
    struct buf names = BUF_INIT(NAMES_ROOM);

    if (!ask->name.n || !find(q, 0, ask->name, &found))
        goto out;
    answer.status = IPC_SITE_DONE;
    answer.count = (uint32_t)found.n;
    if (ask->resume)
        answer.done = resume_found(q, ask, &found);
    else if (!found.n && !is_configured(q, ask->name))
        answer.status = IPC_SITE_UNKNOWN;
    else if (!pause_found(q, ask, &found))
        answer.status = IPC_SITE_LATER;
    else
        answer.done = found.n ? (uint32_t)found.n : 1;
    if (ask->resume && !found.n && !answer.done && !is_configured(q, ask->name))
        answer.status = IPC_SITE_UNKNOWN;
    put_names(&found, &names);
    answer.names = buf_str(&names);
out:
    ipc_send_site_act_answer(from, &answer);
    buf_done(&names);
    free(found.items);
}
