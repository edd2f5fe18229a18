/* queue/hop.c -- next hops and their plans: asked of resolve, kept as long as they hold (DESIGN 2, 6). */
#include <inttypes.h>
#include <stdlib.h>

#include "config/target.h"
#include "queue/queue.h"
#include "route/tls.h"

enum { KEY_MAX = 300 + CONFIG_TARGETS_TEXT_MAX, PLAN_ARENA_MAX = 1 << 20, PLAN_KEPT_MAX_MSEC = 24 * 3600 * 1000 };

/* ---- hops ---- */

static struct hop *hop_of_wake(struct wheel_node *node)
{
    return CONTAINER_OF(node, struct hop, wake);
}

static void forget_question(struct hop *hop)
{
    if (hop->asked)
        hop->queue->schedule.asking[hop->slot] = NULL;
    hop->asked = false;
}

static void hop_free(struct hop *hop)
{
    struct queue *q = hop->queue;

    if (!hop->retired)
        map_remove(&q->schedule.hops, &hop->node);
    forget_question(hop);
    wheel_unset(&q->wheel, &hop->wake);
    list_remove(&hop->unplanned);
    if (hop->site)
        site_release(hop->site);
    rest_line_done(q, &hop->rest);
    free(hop->domain);
    free(hop->target);
    free(hop->key);
    free(hop);
}

static bool is_needed(const struct hop *hop)
{
    return hop->entries || hop->rest.n;
}

/* Its plan is over: who comes next asks anew. A hop that nobody needs is forgotten. */
static void on_wake(struct wheel_node *node)
{
    struct hop *hop = hop_of_wake(node);

    if (!list_empty(&hop->waiting) || hop->rest.n)
        hop_ask(hop);
    else if (!is_needed(hop))
        hop_free(hop);
}

void hop_release(struct hop *hop)
{
    BUG_ON(!hop->entries);
    hop->entries--;
    if (!is_needed(hop) && hop->retired)
        hop_free(hop);
    else if (!is_needed(hop) && !wheel_is_set(&hop->wake))
        queue_wait(hop->queue, &hop->wake, queue_now(hop->queue));
}

/* The recipient's domain matters only where it is asked for its MX. */
static struct str domain_of(const struct config_route *route, const struct recipient *r)
{
    return config_route_needs_domain(route) ? str_from_c(r->domain) : STR_NONE;
}

static void on_rest_left(struct queue *q, struct rest_line *line)
{
    struct hop *hop = CONTAINER_OF(line, struct hop, rest);

    if (!is_needed(hop) && !hop->retired && !wheel_is_set(&hop->wake))
        queue_wait(q, &hop->wake, queue_now(q));
}

/* What `queue edit` said of it. */
static struct str own_target(const struct recipient *r)
{
    return r->route == IPC_NO_ROUTE ? r->message->content->envelope.recipients[r->index].route : STR_NONE;
}

static struct hop *hop_new(struct queue *q, const struct recipient *r, uint32_t named, struct str domain,
                           const char *key)
{
    struct hop *hop = calloc(1, sizeof(*hop));

    if (!hop)
        return NULL;
    *hop = (struct hop){
        .queue = q,
        .generation = r->generation,
        .route = r->route,
        .named = named,
        .domain = text_copy(domain),
        .target = r->route == IPC_NO_ROUTE ? text_copy(own_target(r)) : NULL,
        .key = text_copy(str_from_c(key)),
        .rest.left = on_rest_left,
    };
    list_init(&hop->waiting);
    list_init(&hop->unplanned);
    wheel_node_init(&hop->wake, on_wake);
    if (hop->domain && hop->key && (hop->target || r->route != IPC_NO_ROUTE) &&
        map_insert(&q->schedule.hops, &hop->node, str_from_c(hop->key)))
        return hop;
    free(hop->domain);
    free(hop->target);
    free(hop->key);
    free(hop);
    return NULL;
}

/* Recipients of one domain may be a site of their own, also where a route leads to one host. */
static uint32_t named_by_domain(const struct queue *q, const struct recipient *r)
{
    const struct config_site *site = config_find_site(q->worker->config, str_from_c(r->domain), NULL, 0);

    return site ? (uint32_t)site->index + 1 : 0;
}

struct hop *hop_have(struct queue *q, const struct recipient *r)
{
    struct str target = own_target(r);
    const struct config_route *route = r->route == IPC_NO_ROUTE ? NULL : &q->worker->config->routes[r->route];
    struct str domain = route ? domain_of(route, r) : str_from_c(r->domain);
    uint32_t named = named_by_domain(q, r);
    struct buf key = BUF_INIT(KEY_MAX);
    struct map_node *node;
    struct hop *hop = NULL;

    if (buf_printf(&key, "%" PRIu32 "/%" PRIu32 " %.*s%s%.*s", r->route, named, STR_ARG(domain), target.n ? " " : "",
                   STR_ARG(target)) &&
        buf_add_char(&key, '\0')) {
        node = map_find(&q->schedule.hops, str_from_c(key.p));
        hop = node ? CONTAINER_OF(node, struct hop, node) : hop_new(q, r, named, domain, key.p);
    }
    buf_done(&key);
    return hop;
}

/* ---- plans ---- */

static bool send_question(struct hop *hop)
{
    struct queue *q = hop->queue;
    struct schedule *s = &q->schedule;
    struct ipc_channel *resolve = worker_peer_of(q->worker, PROCESS_RESOLVE, q->worker->generation);
    uint32_t slot = s->next_asking, tried = 0;

    if (!resolve || !ipc_may_ask(resolve))
        return false;
    while (s->asking[slot] && tried++ < SCHEDULE_ASKING_MAX)
        slot = (slot + 1) % SCHEDULE_ASKING_MAX;
    struct ipc_plan_ask question = {
        .ticket = ++s->serial * SCHEDULE_ASKING_MAX + slot,
        .route = hop->route,
        .domain = str_from_c(hop->domain),
        .target = str_from_c(hop->target),
    };
    if (s->asking[slot] || !ipc_send_plan_ask(resolve, &question))
        return false;
    s->asking[slot] = hop;
    s->next_asking = (slot + 1) % SCHEDULE_ASKING_MAX;
    hop->slot = slot;
    hop->ticket = s->serial * SCHEDULE_ASKING_MAX + slot;
    return true;
}

void hop_ask(struct hop *hop)
{
    if (hop->asked)
        return;
    list_remove(&hop->unplanned);
    hop->asked = send_question(hop);
    if (!hop->asked)
        list_append(&hop->queue->schedule.unplanned, &hop->unplanned);
}

void schedule_ask(struct queue *q)
{
    while (!list_empty(&q->schedule.unplanned)) {
        struct hop *hop = CONTAINER_OF(q->schedule.unplanned.next, struct hop, unplanned);
        hop->asked = send_question(hop);
        if (!hop->asked)
            return;
        list_remove(&hop->unplanned);
    }
}

void schedule_resolve_gone(struct queue *q)
{
    MAP_FOR(node, &q->schedule.hops) {
        struct hop *hop = CONTAINER_OF(node, struct hop, node);
        if (!hop->asked)
            continue;
        forget_question(hop);
        list_append(&q->schedule.unplanned, &hop->unplanned);
    }
    schedule_ask(q);
}

/* Where DNS said no: all that waits for this hop has that outcome. */
static void fail_waiting(struct hop *hop, const struct ipc_plan_answer *a)
{
    struct outcome o = {
        .result = a->status == IPC_PLAN_PERM ? IPC_PERM : IPC_TEMP,
        .reason = a->reason < LOG_REASONS ? (enum log_reason)a->reason : LOG_REASON_DNS,
        .status = a->code,
        .text = a->text,
        .site = str_from_c(hop->domain),
    };
    struct list failing;

    list_init(&failing);
    for (struct list *node; (node = list_take(&hop->waiting));)
        list_append(&failing, node);
    hop->entries++; /* it outlives them */
    rest_line_hasten(hop->queue, &hop->rest);
    while (!list_empty(&failing)) {
        struct entry *e = CONTAINER_OF(failing.next, struct entry, node);
        list_remove(&e->node);
        entry_unpark(e);
        entry_outcome(e, &o);
    }
    hop_release(hop);
}

/* DNS as a whole does not answer: nobody is charged, all wait (DESIGN 6). */
static void park_waiting(struct hop *hop)
{
    LIST_FOR(node, &hop->waiting) {
        entry_park(CONTAINER_OF(node, struct entry, node));
    }
    queue_wait(hop->queue, &hop->wake, queue_now(hop->queue) + SCHEDULE_OUTAGE_MSEC);
}

static void line_waiting(struct hop *hop)
{
    struct list rest;

    list_init(&rest);
    for (struct list *node; (node = list_take(&hop->waiting));) {
        struct entry *e = CONTAINER_OF(node, struct entry, node);
        entry_unpark(e);
        e->site = hop->site;
        if (!site_line(hop->site, e, false)) {
            e->site = NULL;
            list_append(&rest, &e->node);
        }
    }
    for (struct list *node; (node = list_take(&rest));)
        list_append(&hop->waiting, node);
    site_line_rests(hop->site, &hop->rest);
    if (!list_empty(&hop->waiting))
        queue_wait(hop->queue, &hop->wake, queue_now(hop->queue) + QUEUE_MOMENT_MSEC);
}

/* What a certificate has to be for follows the domain: a plan says none but that of this hop, or one that the route names. */
static bool is_of_hop(const struct hop *hop, const struct route_plan *plan)
{
    const struct config *config = hop->queue->worker->config;

    for (size_t i = 0; i < plan->n && hop->route < config->n_routes; i++)
        if (plan->addresses[i].domain.n &&
            !route_tls_leads_to(&config->routes[hop->route], &plan->addresses[i], str_from_c(hop->domain)))
            return false;
    return true;
}

static void take_plan(struct hop *hop, const struct ipc_plan_answer *a)
{
    struct queue *q = hop->queue;
    struct arena *arena = arena_new(PLAN_ARENA_MAX);
    struct site *former = hop->site, *site = NULL;
    struct route_plan plan;

    if (arena && route_plan_decode(a->plan, arena, &plan) && plan.n && is_of_hop(hop, &plan))
        site = site_have(hop, &plan, a->plan);
    arena_free(arena);
    if (!site) {
        queue_wait(q, &hop->wake, queue_now(q) + QUEUE_MOMENT_MSEC);
        return;
    }
    hop->site = site;
    if (former)
        site_release(former);
    hop->planned_msec = queue_now(q);
    uint64_t kept = a->keep_msec < PLAN_KEPT_MAX_MSEC ? a->keep_msec : PLAN_KEPT_MAX_MSEC;
    hop->until_msec = hop->planned_msec + (int64_t)kept;
    queue_wait(q, &hop->wake, hop->until_msec);
    line_waiting(hop);
}

void schedule_plan(struct queue *q, const struct ipc_plan_answer *a)
{
    struct hop *hop = q->schedule.asking[a->ticket % SCHEDULE_ASKING_MAX];

    if (!hop || hop->ticket != a->ticket)
        return;
    forget_question(hop);
    if (a->generation != q->worker->generation)
        hop_ask(hop);
    else if (a->status == IPC_PLAN_OK)
        take_plan(hop, a);
    else if (a->status == IPC_PLAN_OUTAGE)
        park_waiting(hop);
    else
        fail_waiting(hop, a);
    schedule_ask(q);
}

bool hop_has_plan(const struct hop *hop)
{
    return hop->site && !hop->asked && queue_now(hop->queue) < hop->until_msec;
}

/* ---- another configuration ---- */

static void reroute_all(struct list *entries)
{
    for (struct list *node; (node = list_take(entries));) {
        struct entry *e = CONTAINER_OF(node, struct entry, node);
        entry_unpark(e);
        for (struct recipient *r; (r = entry_take(e));)
            attempt_reroute(r);
        entry_free(e);
    }
}

/* A hop whose entries are leased lives until they come back; then it is of a former generation. */
void hop_retire(struct hop *hop)
{
    forget_question(hop);
    hop->retired = true;
    hop->entries++;
    if (hop->site)
        site_release(hop->site);
    hop->site = NULL;
    list_remove(&hop->unplanned);
    wheel_unset(&hop->queue->wheel, &hop->wake);
    reroute_all(&hop->waiting);
    rest_line_hasten(hop->queue, &hop->rest);
    hop_release(hop);
}
