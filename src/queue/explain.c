/*
 * queue/explain.c -- why a message has not gone, what it waits for, what comes then: `veredus explain ID` (FACE 2.3).
 *
 * The message is read as it is on disk; it is not woken, and nothing about it changes. Its recipients that wait are
 * told in groups of those that wait for the same; lookup is asked where each group goes now, as the next attempt will ask.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "config/target.h"
#include "core/num.h"
#include "queue/queue.h"

enum {
    ROWS_ROOM = IPC_FRAME_MAX / 2,
    HOPS_ROOM = 64 << 10,
    ARENA_ROOM = 48 << 20,
    GROUPS_MAX = 64,  /* told one by one */
    SHOWN_MAX = 20,   /* addresses of a group */
    FRONT_MAX = 100000, /* counted in a line */
    TIMES_MAX = 16,
    TEXT_ROOM = 2048,
};

/* What a recipient waits for, the worst first. */
enum cause {
    CAUSE_REPORT,
    CAUSE_HELD,
    CAUSE_DISK,
    CAUSE_OUTAGE,
    CAUSE_DEAD,
    CAUSE_PAUSED,
    CAUSE_TIME,
    CAUSE_PROCESS,
    CAUSE_PLAN,
    CAUSE_LOOKUP,
    CAUSE_READING,
    CAUSE_RATE,
    CAUSE_WINDOW,
    CAUSE_TURN,
    CAUSE_SENDING,
};

/* Its name for programs, and what people read behind "waits for". */
static const struct {
    const char *name, *value;
} causes[] = {
    [CAUSE_REPORT] = { "report", "its report" },   [CAUSE_HELD] = { "held", "release" },
    [CAUSE_DISK] = { "disk", "the disk" },         [CAUSE_OUTAGE] = { "dns", "the DNS" },
    [CAUSE_DEAD] = { "site", "its site" },         [CAUSE_PAUSED] = { "paused", "its site" },
    [CAUSE_TIME] = { "time", "its time" },         [CAUSE_RATE] = { "rate", "its turn" },
    [CAUSE_PROCESS] = { "process", "a process" },  [CAUSE_PLAN] = { "plan", "its plan" },
    [CAUSE_LOOKUP] = { "route", "its route" },     [CAUSE_READING] = { "reading", "being read" },
    [CAUSE_WINDOW] = { "window", "its turn" },     [CAUSE_TURN] = { "turn", "its turn" },
    [CAUSE_SENDING] = { "sending", "an answer" },
};

/* Recipients that wait for the same. Texts are in the arena, or of what was read. */
struct group {
    enum cause cause;
    struct str domain; /* of its addresses */
    const struct hop *hop; /* that of this turn; NULL: none known. It may be gone in the next */
    const struct site *site;
    struct str to[SHOWN_MAX];
    size_t n, n_shown;
    struct str local, sender; /* of the first, for lookup */
    struct str own; /* the route that it has of its own; empty: none */
    /* the first recipient's last attempt; the times of those that are next and were first */
    uint32_t attempts, code, warned;
    bool from_peer;
    int64_t first_msec, last_msec, next_msec;
    struct str status, text, host, peer;
    enum log_reason reason;
    /* what the site says of it */
    struct str site_name;
    uint64_t window, in_front, waiting;
    bool has_site;
    struct str words;
    /* from lookup */
    bool asked;
    bool routed;
    uint32_t route;
    struct str target, rule;
    bool remote;
};

struct explaining {
    struct list node; /* of the queue's */
    struct spool_read read; /* its texts are borrowed until the end */
    struct queue *queue;
    struct arena *arena; /* this stands in it, too */
    uint32_t instance;   /* of the control that asked */
    uint64_t ticket;
    uint32_t serial; /* of its questions to lookup */
    size_t limit;
    struct group *groups;
    size_t n_groups, n_told, pending;
    size_t left_out; /* recipients of groups that are not told */
    bool awake; /* when it was asked for: at rest by now, more of it is on disk than was read */
    int64_t age_msec;
    bool warnable, report;
    const struct rest *slot; /* where it rests, while it is looked at; NULL: it is awake */
    struct buf rows, hops;
    uint32_t n_hops;
};

/* ---- what it waits for ---- */

static const struct hop *hop_named(const struct queue *q, uint32_t name)
{
    const struct map_node *node = name ? map_find(&q->schedule.hops, names_text(&q->rests.names, name)) : NULL;

    return node ? CONTAINER_OF(node, struct hop, node) : NULL;
}

static enum cause cause_at(const struct site *site)
{
    if (limits_are_paused(site->limits))
        return CAUSE_PAUSED;
    if (site->dead_until_msec)
        return CAUSE_DEAD;
    if (limits_wait(site->limits))
        return CAUSE_RATE;
    return site->limits->n_connections >= window_connections(&site->limits->window) ? CAUSE_WINDOW : CAUSE_TURN;
}

/* It waits for a plan: is resolve thinking, or is there no DNS? */
static enum cause cause_before_plan(const struct hop *hop)
{
    return hop->asked || !list_empty(&hop->unplanned) ? CAUSE_PLAN : CAUSE_OUTAGE;
}

static enum cause cause_in_line(const struct hop *hop)
{
    if (!hop)
        return CAUSE_PROCESS;
    return hop->site ? cause_at(hop->site) : cause_before_plan(hop);
}

static enum cause cause_asleep(const struct explaining *x, const struct recipient *r, const struct hop *hop)
{
    if (x->slot->flags & REST_LINED)
        return cause_in_line(hop);
    if (x->slot->flags & (REST_NOW | REST_WAKING))
        return CAUSE_READING;
    return r->due_msec > queue_now(x->queue) ? CAUSE_TIME : CAUSE_READING;
}

static enum cause cause_awake(const struct explaining *x, const struct recipient *r)
{
    switch (r->state) {
    case RECIPIENT_LEASED:
        return CAUSE_SENDING;
    case RECIPIENT_ROUTING:
        return CAUSE_LOOKUP;
    case RECIPIENT_CARRIER:
        return CAUSE_PROCESS;
    case RECIPIENT_LINED:
        return r->entry->site ? cause_at(r->entry->site) : cause_before_plan(r->entry->hop);
    case RECIPIENT_IDLE:
        break;
    }
    return r->due_msec > queue_now(x->queue) ? CAUSE_TIME : CAUSE_READING;
}

static enum cause cause_of(const struct explaining *x, const struct recipient *r, const struct hop *hop)
{
    const struct message *m = r->message;

    if (r->progress == PROGRESS_FAILED)
        return CAUSE_REPORT;
    if (r->held || m->state == MESSAGE_HELD)
        return CAUSE_HELD;
    enum cause cause = x->slot ? cause_asleep(x, r, hop) : cause_awake(x, r);
    /* What waits for its time would wait for that anyhow. */
    if (cause == CAUSE_HELD || cause == CAUSE_TIME || cause == CAUSE_SENDING)
        return cause;
    return x->queue->health == SPOOL_HEALTH_REFUSING ? CAUSE_DISK : cause;
}

/* ---- how many are in front ---- */

static uint64_t in_front_awake(const struct entry *e)
{
    uint64_t n = 0;

    for (const struct list *at = &e->node; e->turn && at->prev != &e->turn->entries && n < FRONT_MAX; at = at->prev)
        n++;
    return n;
}

/* Those of its sender that are awake go first. */
static uint64_t in_front_asleep(const struct explaining *x)
{
    const struct rests *rests = &x->queue->rests;
    uint32_t at = x->slot->line ? x->slot->prev : 0;
    uint64_t n = 0;

    for (; at && at != x->slot->line && n < FRONT_MAX; n++)
        at = rest_at(rests, at)->prev;
    return n;
}

/* ---- words ---- */

static struct str words(struct explaining *x, const struct buf *out)
{
    return arena_str(x->arena, buf_str(out));
}

/* "4m", "1h20m". */
static void put_time(struct buf *out, int64_t msec)
{
    static const struct {
        int64_t msec;
        char unit;
    } units[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' } };
    int64_t seconds = (msec + 999) / 1000 * 1000;
    size_t said = 0;

    for (size_t i = 0; i < ARRAY_LEN(units) && said < 2; i++) {
        if (seconds < units[i].msec)
            continue;
        buf_printf(out, "%" PRId64 "%c", seconds / units[i].msec, units[i].unit);
        seconds %= units[i].msec;
        said++;
    }
    if (!said)
        buf_add(out, STR("0s"));
}

static void put_window(const struct group *g, struct buf *out)
{
    if (!g->has_site)
        return;
    buf_printf(out, "%swindow %" PRIu64, out->n ? "; " : "", g->window);
    if (g->cause == CAUSE_WINDOW)
        buf_add(out, STR(", all in use"));
    if (!g->in_front)
        buf_add(out, STR(", nobody in front"));
    else
        buf_printf(out, ", %s%" PRIu64 " of its sender in front", g->in_front >= FRONT_MAX ? "more than " : "",
                   g->in_front);
    if (g->waiting > g->in_front)
        buf_printf(out, ", %" PRIu64 " wait there in all", g->waiting);
}

static void put_site(const struct queue *q, const struct site *site, struct buf *out)
{
    int64_t rest = site->dead_until_msec - queue_now(q);

    buf_add(out, STR("it does not answer"));
    if (site->trouble && site->trouble[0])
        buf_printf(out, ": %s", site->trouble);
    if (rest > 0) {
        buf_add(out, STR("; one message tries it again in "));
        put_time(out, rest);
    } else {
        buf_add(out, STR("; one message tries it just now"));
    }
}

static void put_paused(const struct queue *q, const struct site *site, struct buf *out)
{
    const struct site_limits *l = site->limits;

    buf_add_c(out, l->cause && l->cause[0] ? l->cause : "paused");
    if (l->paused_until_msec == SITE_UNTIL_RESUMED) {
        buf_add(out, STR("; until somebody resumes it"));
        return;
    }
    buf_add(out, STR("; it goes on in "));
    put_time(out, l->paused_until_msec - queue_now(q));
}

static void put_rate(const struct group *g, struct buf *out)
{
    buf_add(out, STR("its rate allows the next message in "));
    put_time(out, limits_wait(g->site->limits));
    put_window(g, out);
}

static void put_held(const struct message *m, struct buf *out)
{
    if (m->held == LOG_REASON_NONE)
        buf_add(out, STR("by its route, together with the message, as soon as its other recipients are done"));
    else if (m->hold_reason && m->hold_reason[0])
        buf_add_c(out, m->hold_reason);
    else
        buf_add_c(out, log_reason_text(m->held));
}

static struct str words_of(struct explaining *x, const struct group *g, const struct message *m)
{
    struct queue *q = x->queue;
    struct buf out = BUF_INIT(TEXT_ROOM);

    switch (g->cause) {
    case CAUSE_REPORT:
        buf_add(&out, STR("it was refused for good; its sender is about to be told"));
        break;
    case CAUSE_HELD:
        put_held(m, &out);
        break;
    case CAUSE_DISK:
        buf_add(&out, STR("it refuses writes: nothing is sent before it takes them"));
        break;
    case CAUSE_OUTAGE:
        buf_add(&out, STR("no server answers; asked again every 15s, and no attempt is counted"));
        break;
    case CAUSE_DEAD:
        put_site(q, g->site, &out);
        break;
    case CAUSE_PAUSED:
        put_paused(q, g->site, &out);
        break;
    case CAUSE_RATE:
        put_rate(g, &out);
        break;
    case CAUSE_PROCESS:
        buf_add(&out, STR("a deliver process is being started, or has enough to do"));
        break;
    case CAUSE_PLAN:
        buf_add(&out, STR("resolve is asked where its mail goes"));
        break;
    case CAUSE_LOOKUP:
        buf_add(&out, STR("lookup is asked where it goes"));
        break;
    case CAUSE_READING:
        buf_add(&out, STR("it is due, and read back from the disk"));
        break;
    case CAUSE_SENDING:
        buf_add(&out, STR("it is with another process just now"));
        break;
    case CAUSE_TIME:
    case CAUSE_WINDOW:
    case CAUSE_TURN:
        put_window(g, &out);
        break;
    }
    struct str said = words(x, &out);
    buf_done(&out);
    return said;
}

/* ---- groups ---- */

static const struct hop *hop_of(const struct explaining *x, const struct recipient *r)
{
    if (r->entry)
        return r->entry->hop;
    /* All of what is in line is so at one next hop. */
    bool one = x->slot && (x->slot->flags & REST_LINED || !(x->slot->flags & REST_SEVERAL));
    return hop_named(x->queue, one ? x->slot->hop : r->hop);
}

static struct group *group_of(struct explaining *x, enum cause cause, const struct envelope_recipient *er)
{
    for (size_t i = 0; i < x->n_groups; i++)
        if (x->groups[i].cause == cause && str_eq(x->groups[i].domain, er->domain) &&
            str_eq(x->groups[i].own, er->route))
            return &x->groups[i];
    if (x->n_groups == GROUPS_MAX)
        return NULL;
    struct group *g = &x->groups[x->n_groups++];
    *g = (struct group){ .cause = cause, .domain = er->domain, .own = er->route };
    return g;
}

/* The facts of its site, of this moment. */
static void look_at_site(struct explaining *x, struct group *g, const struct recipient *r)
{
    const struct site *site = r->entry && r->entry->site ? r->entry->site : g->hop ? g->hop->site : NULL;

    if (!site)
        return;
    g->site = site;
    g->has_site = true;
    g->site_name = arena_str(x->arena, str_from_c(site->name));
    g->window = window_connections(&site->limits->window);
    g->waiting = site->waiting;
    if (r->entry)
        g->in_front = in_front_awake(r->entry);
    else if (x->slot && x->slot->flags & REST_LINED)
        g->in_front = in_front_asleep(x);
}

static int64_t next_of(const struct explaining *x, const struct group *g, const struct recipient *r)
{
    int64_t now = queue_now(x->queue), due = -1;

    if (g->cause == CAUSE_TIME)
        due = r->due_msec;
    else if (g->cause == CAUSE_DEAD || g->cause == CAUSE_PAUSED)
        due = site_rest_until(g->site);
    return due > now && due != SITE_UNTIL_RESUMED ? io_wall_msec() + due - now : 0;
}

static void first_of_group(struct explaining *x, struct group *g, const struct recipient *r, const struct envelope *e)
{
    const struct envelope_recipient *er = &e->recipients[r->index];

    g->hop = hop_of(x, r);
    g->local = er->local;
    g->sender = er->has_sender ? er->sender : e->sender;
    g->attempts = r->attempts;
    g->code = r->code;
    g->warned = r->warned;
    g->from_peer = r->from_peer;
    g->first_msec = r->first_msec;
    g->last_msec = r->last_msec;
    g->reason = r->reason;
    g->status = arena_str(x->arena, str_from_c(r->status));
    g->text = arena_str(x->arena, str_from_c(r->text));
    g->host = arena_str(x->arena, str_from_c(r->host));
    g->peer = arena_str(x->arena, str_from_c(r->peer));
    look_at_site(x, g, r);
    g->next_msec = next_of(x, g, r);
    g->words = words_of(x, g, r->message);
}

static void add_recipient(struct explaining *x, const struct recipient *r, const struct envelope *e)
{
    const struct envelope_recipient *er = &e->recipients[r->index];
    struct group *g = group_of(x, cause_of(x, r, hop_of(x, r)), er);
    struct buf address = BUF_INIT(TEXT_ROOM);

    if (!g) {
        x->left_out++;
        return;
    }
    if (!g->n++)
        first_of_group(x, g, r, e);
    int64_t next = next_of(x, g, r);
    if (next && next < g->next_msec)
        g->next_msec = next;
    if (r->first_msec && r->first_msec < g->first_msec)
        g->first_msec = r->first_msec;
    if (g->n_shown < SHOWN_MAX)
        g->to[g->n_shown++] =
            arena_str(x->arena, er->kind == ENVELOPE_ADDRESS ? recipient_address(er, &address) : er->local);
    buf_done(&address);
}

static int by_cause(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    if (x->cause != y->cause)
        return x->cause < y->cause ? -1 : 1;
    return (x->n < y->n) - (x->n > y->n);
}

static void add_recipients(struct explaining *x, const struct message *m, const struct envelope *e)
{
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (r->progress == PROGRESS_WAITING || r->progress == PROGRESS_FAILED)
            add_recipient(x, r, e);
    }
    qsort(x->groups, x->n_groups, sizeof(*x->groups), by_cause);
    x->n_told = x->n_groups < x->limit ? x->n_groups : x->limit;
    for (size_t i = x->n_told; i < x->n_groups; i++)
        x->left_out += x->groups[i].n;
}

/* ---- where each of them goes ---- */

/* Behind those that attempts may have: attempt_route() leaves them alone. */
static uint64_t ticket_of(const struct explaining *x, size_t group)
{
    return (uint64_t)x->serial << 32 | (QUEUE_ROUTING_MAX + group);
}

/* An administrator said so; no route of the configuration has a say. */
static void goes_its_own_way(struct group *g)
{
    if (!g->own.n)
        return;
    g->remote = true;
    g->route = IPC_NO_ROUTE;
    g->target = g->own;
    g->rule = STR("queue edit");
}

static void ask_lookup(struct explaining *x, const struct envelope *e, bool released)
{
    struct queue *q = x->queue;
    struct ipc_channel *lookup = worker_peer_of(q->worker, PROCESS_LOOKUP, q->worker->generation);

    x->serial = ++q->explained;
    for (size_t i = 0; i < x->n_told; i++)
        goes_its_own_way(&x->groups[i]);
    for (size_t i = 0; lookup && i < x->n_told; i++) {
        struct group *g = &x->groups[i];
        if (g->cause == CAUSE_REPORT || g->own.n || !ipc_may_ask(lookup))
            continue;
        g->asked = ipc_send_route_ask(lookup, &(struct ipc_route_ask){
                                                  .ticket = ticket_of(x, i),
                                                  .local = g->local,
                                                  .domain = g->domain,
                                                  .sender = g->sender,
                                                  .listener = e->listener,
                                                  .released = released,
                                              });
        x->pending += g->asked;
    }
}

static void put_hop(struct explaining *x, const struct group *g)
{
    char head[6];

    le32_put(head, g->route);
    le16_put(head + 4, (uint16_t)g->domain.n);
    buf_add(&x->hops, str_of(head, sizeof(head)));
    buf_add(&x->hops, g->domain);
    if (g->route == IPC_NO_ROUTE) {
        le16_put(head, (uint16_t)g->own.n);
        buf_add(&x->hops, str_of(head, 2));
        buf_add(&x->hops, g->own);
    }
    x->n_hops++;
}

static void take_route(struct explaining *x, struct group *g, const struct ipc_route_answer *a)
{
    const struct config *config = x->queue->worker->config;
    struct buf target = BUF_INIT(TEXT_ROOM);

    g->asked = false;
    g->rule = arena_str(x->arena, a->rule);
    if (a->status != IPC_OK || a->generation != x->queue->worker->generation || a->route >= config->n_routes)
        return;
    const struct config_route *route = &config->routes[a->route];
    g->routed = true;
    g->route = a->route;
    g->remote = config_target_is_remote(route->targets[0].kind);
    if (config_targets_write(&target, route->targets, route->n_targets))
        g->target = words(x, &target);
    buf_done(&target);
}

/* ---- the answer ---- */

static const struct config_sending *sending_of(const struct explaining *x, const struct group *g)
{
    const struct config *config = x->queue->worker->config;

    return g->routed ? &config->routes[g->route].sending : &config->sending;
}

static void add_retry(const struct explaining *x, const struct group *g, struct log_record *row)
{
    const struct config_sending *s = sending_of(x, g);
    struct buf texts[TIMES_MAX];
    struct str list[TIMES_MAX];
    size_t n = s->retry.n < TIMES_MAX ? s->retry.n : TIMES_MAX;

    for (size_t i = 0; i < n; i++) {
        texts[i] = BUF_INIT(TEXT_ROOM);
        put_time(&texts[i], (int64_t)s->retry.items[i]);
        list[i] = buf_str(&texts[i]);
    }
    log_list(row, LOG_RETRY, list, n);
    log_text_c(row, LOG_BY, config_rule(x->queue->worker->config, s->retry.place).c);
    for (size_t i = 0; i < n; i++)
        buf_done(&texts[i]);
}

/* When its sender is told of the delay, and when it is given up; by its age, as the clock stands now. */
static void add_ends(const struct explaining *x, const struct group *g, struct log_record *row)
{
    const struct config *config = x->queue->worker->config;
    const struct config_sending *s = sending_of(x, g);
    int64_t born = io_wall_msec() - x->age_msec;
    uint64_t limit = x->report ? config->expire_bounces.msec : s->expire.msec;

    if (g->cause == CAUSE_REPORT || g->cause == CAUSE_HELD)
        return;
    if (x->warnable && g->warned < s->delay_warning.n)
        log_time(row, LOG_WARN, born + (int64_t)s->delay_warning.items[g->warned]);
    log_time(row, LOG_EXPIRES, born + (int64_t)limit);
}

static void add_last(const struct group *g, struct log_record *row)
{
    if (!g->attempts)
        return;
    log_number(row, LOG_ATTEMPTS, g->attempts);
    log_time(row, LOG_FIRST, g->first_msec);
    log_time(row, LOG_LAST, g->last_msec);
    if (g->host.n)
        log_text(row, LOG_HOST, g->host);
    if (g->peer.n)
        log_text(row, LOG_PEER, g->peer);
    if (g->code)
        log_number(row, LOG_CODE, g->code);
    if (g->status.n)
        log_text(row, LOG_STATUS, g->status);
    if (g->text.n)
        log_text(row, g->from_peer ? LOG_REPLY : LOG_ERROR, g->text);
}

static void add_group(struct explaining *x, const struct group *g, size_t number)
{
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_GROUP, LOG_LEVEL_INFO, 0);
    log_number(&row, LOG_NUMBER, (int64_t)number);
    log_reason(&row, g->reason);
    log_number(&row, LOG_RECIPIENTS, (int64_t)g->n);
    log_text_c(&row, LOG_CAUSE, causes[g->cause].name);
    log_text_c(&row, LOG_VALUE, causes[g->cause].value);
    if (g->words.n)
        log_text(&row, LOG_TEXT, g->words);
    log_text(&row, LOG_NAME, g->domain);
    if (g->has_site) {
        log_text(&row, LOG_SITE, g->site_name);
        log_number(&row, LOG_WINDOW, (int64_t)g->window);
        log_number(&row, LOG_WAITING, (int64_t)g->in_front);
    }
    if (g->target.n)
        log_text(&row, LOG_ROUTE, g->target);
    if (g->rule.n)
        log_text(&row, LOG_RULE, g->rule);
    if (g->routed || g->remote)
        log_text_c(&row, LOG_KIND, g->remote ? "remote" : "local");
    add_last(g, &row);
    if (g->cause == CAUSE_TIME)
        add_retry(x, g, &row);
    if (g->next_msec)
        log_time(&row, LOG_NEXT, g->next_msec);
    add_ends(x, g, &row);
    log_list(&row, LOG_TO, g->to, g->n_shown);
    worker_row_add(&x->rows, &row);
}

static void add_left_out(struct explaining *x)
{
    struct log_record row;

    if (!x->left_out)
        return;
    log_begin(&row, LOG_EVENT_ROW_GROUP, LOG_LEVEL_INFO, 0);
    log_number(&row, LOG_NUMBER, 0);
    log_number(&row, LOG_RECIPIENTS, (int64_t)x->left_out);
    worker_row_add(&x->rows, &row);
}

static bool is_new_hop(const struct explaining *x, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (x->groups[i].remote && x->groups[i].route == x->groups[at].route &&
            str_eq(x->groups[i].own, x->groups[at].own) && str_eq(x->groups[i].domain, x->groups[at].domain))
            return false;
    return true;
}

static void finish(struct explaining *x)
{
    struct ipc_channel *to = queue_peer(x->queue, PROCESS_CONTROL, x->instance);

    for (size_t i = 0; i < x->n_told; i++) {
        add_group(x, &x->groups[i], i + 1);
        if (x->groups[i].remote && is_new_hop(x, i))
            put_hop(x, &x->groups[i]);
    }
    add_left_out(x);
    if (to)
        ipc_send_queue_explain_answer(to, &(struct ipc_queue_explain_answer){
                                              .ticket = x->ticket,
                                              .generation = x->queue->worker->generation,
                                              .count = x->n_hops,
                                              .hops = buf_str(&x->hops),
                                              .records = buf_str(&x->rows),
                                          });
    list_remove(&x->node);
    spool_read_done(x->queue->spool, &x->read);
    buf_done(&x->rows);
    buf_done(&x->hops);
    arena_free(x->arena);
}

bool explain_route(struct queue *q, const struct ipc_route_answer *a)
{
    uint32_t slot = (uint32_t)a->ticket;

    if (slot < QUEUE_ROUTING_MAX)
        return false;
    LIST_FOR(node, &q->explainings) {
        struct explaining *x = CONTAINER_OF(node, struct explaining, node);
        size_t i = slot - QUEUE_ROUTING_MAX;
        if (x->serial != (uint32_t)(a->ticket >> 32) || i >= x->n_told || !x->groups[i].asked)
            continue;
        take_route(x, &x->groups[i], a);
        if (--x->pending == 0)
            finish(x);
        break;
    }
    return true;
}

void explain_lookup_gone(struct queue *q)
{
    for (struct list *node = q->explainings.next, *next; node != &q->explainings; node = next) {
        struct explaining *x = CONTAINER_OF(node, struct explaining, node);
        next = node->next;
        if (x->pending)
            finish(x);
    }
}

/* ---- the question ---- */

static void explain(struct explaining *x, const struct message *m, const struct envelope *e)
{
    x->slot = m->slot;
    x->age_msec = m->slot && m->slot->flags & REST_KNOWN ? rest_age(x->queue, m->slot) : message_age(m);
    x->warnable = m->warnable;
    x->report = m->report;
    show_row(&x->rows, m, e, true);
    if (e) {
        add_recipients(x, m, e);
        ask_lookup(x, e, m->slot ? m->slot->flags & REST_RELEASED : m->released);
    }
    x->slot = NULL;
}

static void begin_reading(struct explaining *x, struct queue_id id, void (*done)(struct spool_read *read))
{
    x->awake = message_find(x->queue, id) != NULL;
    x->read = (struct spool_read){ .done = done };
    spool_read(x->queue->spool, id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD, &x->read);
}

static void on_read(struct spool_read *read)
{
    struct explaining *x = CONTAINER_OF(read, struct explaining, read);
    struct queue *q = x->queue;
    struct envelope e;
    struct err err = { 0 };

    if (x->awake && rest_find(q, read->id)) {
        spool_read_done(q->spool, read);
        begin_reading(x, read->id, on_read);
        return;
    }
    bool readable = read->status == SPOOL_READ_OK && envelope_decode(read->envelope, x->arena, &e, &err);
    struct message *view = NULL;
    const struct message *m = read->status == SPOOL_READ_GONE ? NULL : show_seen(q, read, readable ? &e : NULL, &view);

    if (m && m->state != MESSAGE_TAKING)
        explain(x, m, readable ? &e : NULL);
    message_free(view);
    if (!x->pending)
        finish(x);
}

void explain_ask(struct queue *q, struct ipc_channel *from, const struct ipc_queue_explain_ask *ask)
{
    struct arena *a = arena_new(ARENA_ROOM);
    struct explaining *x = a ? ARENA_NEW(a, struct explaining) : NULL;
    struct group *groups = x ? ARENA_NEW_ARRAY(a, GROUPS_MAX, struct group) : NULL;

    if (!groups) {
        arena_free(a);
        ipc_send_queue_explain_answer(from, &(struct ipc_queue_explain_answer){ .ticket = ask->ticket });
        return;
    }
    *x = (struct explaining){
        .queue = q,
        .arena = a,
        .instance = from->instance,
        .ticket = ask->ticket,
        .limit = ask->limit && ask->limit < GROUPS_MAX ? ask->limit : GROUPS_MAX,
        .groups = groups,
        .rows = BUF_INIT(ROWS_ROOM),
        .hops = BUF_INIT(HOPS_ROOM),
    };
    list_append(&q->explainings, &x->node);
    begin_reading(x, (struct queue_id){ ask->id }, on_read);
}
