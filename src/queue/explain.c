/*
 * queue/explain.c -- why a message has not gone, what it waits for, what comes then: `veredus explain ID` (FACE 2.3).
 *
 * The message is read as it is on disk; it is not woken, and nothing about it changes. Its recipients that wait are
 * told in groups of those that wait for the same; lookup is asked where each group goes now, as the next attempt will ask.
 */
#include "queue/explain.h"

#include "config/target.h"
#include "core/num.h"

enum { ROWS_ROOM = IPC_FRAME_MAX / 2, HOPS_ROOM = 64 << 10, ARENA_ROOM = 48 << 20, TIMES_MAX = 16 };

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
    g->secures = true;
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
                                                  .account = e->account,
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
    struct buf target = BUF_INIT(EXPLAIN_TEXT_MAX);

    g->asked = false;
    g->rule = arena_str(x->arena, a->rule);
    if (a->status != IPC_OK || a->generation != x->queue->worker->generation || a->route >= config->n_routes)
        return;
    const struct config_route *route = &config->routes[a->route];
    g->routed = true;
    g->route = a->route;
    g->remote = config_target_is_remote(route->targets[0].kind);
    g->secures = g->remote && route->targets[0].kind != CONFIG_TARGET_LMTP_UNIX;
    if (config_targets_write(&target, route->targets, route->n_targets))
        g->target = arena_str(x->arena, buf_str(&target));
    buf_done(&target);
}

/* ---- the answer ---- */

/* The block of its site, by what the site was a moment ago, or by its domain; NULL: none. */
static const struct config_site *block_of(const struct explaining *x, const struct group *g)
{
    const struct config *config = x->queue->worker->config;

    if (!g->has_site || g->generation != x->queue->worker->generation)
        return config_find_site(config, g->domain, NULL, 0);
    return g->named ? &config->sites[g->named - 1] : NULL;
}

static const struct config_sending *sending_of(const struct explaining *x, const struct group *g)
{
    return limits_sending(x->queue, g->routed ? g->route : IPC_NO_ROUTE, g->remote ? block_of(x, g) : NULL);
}

static void add_retry(const struct explaining *x, const struct group *g, struct log_record *row)
{
    const struct config_sending *s = sending_of(x, g);
    struct buf texts[TIMES_MAX];
    struct str list[TIMES_MAX];
    size_t n = s->retry.n < TIMES_MAX ? s->retry.n : TIMES_MAX;

    for (size_t i = 0; i < n; i++) {
        texts[i] = BUF_INIT(EXPLAIN_TEXT_MAX);
        explain_put_time(&texts[i], (int64_t)s->retry.items[i]);
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
    if (x->warnable && g->warned < s->delay_warning.n && s->delay_warning.items[g->warned] < limit)
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
    record_on_reply(row, g->on_reply);
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
    log_text_c(&row, LOG_CAUSE, explain_cause_name(g->cause));
    log_text_c(&row, LOG_VALUE, explain_cause_value(g->cause));
    if (g->words.n)
        log_text(&row, LOG_TEXT, g->words);
    log_text(&row, LOG_NAME, g->domain);
    if (g->has_site) {
        log_text(&row, LOG_SITE, g->site_name);
        log_number(&row, LOG_WINDOW, (int64_t)g->window);
        log_number(&row, LOG_WAITING, (int64_t)g->in_front);
    }
    if (g->asked_msec)
        log_time(&row, LOG_ASKED, g->asked_msec);
    if (g->target.n)
        log_text(&row, LOG_ROUTE, g->target);
    if (g->rule.n)
        log_text(&row, LOG_RULE, g->rule);
    if (g->routed || g->remote)
        log_text_c(&row, LOG_KIND, g->remote ? "remote" : "local");
    if (g->secures)
        log_text_c(&row, LOG_TLS_LEVEL, explain_tls_level(sending_of(x, g)->tls.level));
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
    x->age_msec -= message_embargo_whole(m);
    x->warnable = m->warnable;
    x->report = m->report;
    show_row(&x->rows, m, e, true);
    if (e) {
        explain_groups(x, m, e);
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
    struct group *groups = x ? ARENA_NEW_ARRAY(a, EXPLAIN_GROUPS_MAX, struct group) : NULL;

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
        .limit = ask->limit && ask->limit < EXPLAIN_GROUPS_MAX ? ask->limit : EXPLAIN_GROUPS_MAX,
        .groups = groups,
        .rows = BUF_INIT(ROWS_ROOM),
        .hops = BUF_INIT(HOPS_ROOM),
    };
    list_append(&q->explainings, &x->node);
    begin_reading(x, (struct queue_id){ ask->id }, on_read);
}
