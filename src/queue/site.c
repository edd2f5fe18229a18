/*
 * queue/site.c -- one set of hosts: whose turn it is, how many connections it bears, and its rest when it is dead (DESIGN 6).
 *
 * The window grows by one for each window of transfers that went well, shrinks by one with a 4yz, and by half with a
 * connection that fails while others stand. A site of which no connection stands is dead: after `dead-host` one probe
 * goes; what waits meanwhile costs neither timer nor record nor attempt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"

enum { KEY_MAX = 16 << 10, PAUSE_MSEC = 1000, SMTP_PORT = 25 };

const struct config_sending *site_sending(const struct site *site)
{
    const struct config *config = site->queue->worker->config;

    if (!site->retired && site->route < config->n_routes)
        return &config->routes[site->route].sending;
    return &config->sending;
}

static double window_max(const struct site *site)
{
    return (double)site_sending(site)->connections.max;
}

/* ---- sites ---- */

static void site_free(struct site *site)
{
    struct queue *q = site->queue;

    if (!site->retired)
        map_remove(&q->schedule.sites, &site->node);
    list_remove(&site->pumped);
    wheel_unset(&q->wheel, &site->wake);
    map_done(&site->senders);
    free(site->key);
    free(site->name);
    free(site->plan);
    free(site->trouble);
    free(site);
}

static bool is_unused(const struct site *site)
{
    return !site->hops && !site->n_connections && list_empty(&site->turns) && list_empty(&site->sleepers) &&
           list_empty(&site->reading);
}

/* The end of its rest, or of the time for which an unused one is remembered. */
static void on_wake(struct wheel_node *node)
{
    struct site *site = CONTAINER_OF(node, struct site, wake);

    if (is_unused(site))
        site_free(site);
    else
        site_post(site);
}

static void forget_later(struct site *site)
{
    if (!is_unused(site))
        return;
    if (site->retired)
        site_free(site);
    else if (!wheel_is_set(&site->wake))
        queue_wait(site->queue, &site->wake, queue_now(site->queue) + SCHEDULE_FORGET_MSEC);
}

/* What people see: the domain that was asked for its MX, else the host, with its port where it is not that of SMTP. */
static char *name_of(const struct hop *hop, const struct route_plan *plan)
{
    const struct route_plan_address *first = &plan->addresses[0];
    struct buf name = BUF_INIT(KEY_MAX);
    char *copy;

    if (hop->domain[0])
        return text_copy(str_from_c(hop->domain));
    if (first->port == SMTP_PORT || first->path.n)
        return text_copy(first->host);
    buf_printf(&name, "%.*s:%u", STR_ARG(first->host), first->port);
    copy = text_copy(buf_str(&name));
    buf_done(&name);
    return copy;
}

static struct site *site_new(struct hop *hop, const struct route_plan *plan, struct str key)
{
    struct queue *q = hop->queue;
    struct site *site = calloc(1, sizeof(*site));

    if (!site)
        return NULL;
    *site = (struct site){
        .queue = q,
        .key = text_copy(key),
        .name = name_of(hop, plan),
        .generation = hop->generation,
        .route = hop->route,
        .senders = { .seed = q->schedule.sites.seed },
    };
    list_init(&site->pumped);
    list_init(&site->turns);
    list_init(&site->sleepers);
    list_init(&site->reading);
    list_init(&site->connections);
    wheel_node_init(&site->wake, on_wake);
    site->window = site->window_said = (double)site_sending(site)->connections.start;
    if (site->key && site->name && map_insert(&q->schedule.sites, &site->node, str_from_c(site->key)))
        return site;
    free(site->key);
    free(site->name);
    free(site);
    return NULL;
}

/* The plan is what the newest hop has: addresses of the same hosts may have changed. */
static bool keep_plan(struct site *site, struct str octets)
{
    char *copy = text_copy(octets);

    if (!copy)
        return site->plan != NULL;
    free(site->plan);
    site->plan = copy;
    site->plan_n = octets.n;
    return true;
}

struct site *site_have(struct hop *hop, const struct route_plan *plan, struct str octets)
{
    struct queue *q = hop->queue;
    struct buf key = BUF_INIT(KEY_MAX);
    struct map_node *node;
    struct site *site = NULL;

    if (buf_printf(&key, "%" PRIu32 " ", hop->route) && route_plan_hosts(plan, &key) && buf_add_char(&key, '\0')) {
        node = map_find(&q->schedule.sites, str_from_c(key.p));
        site = node ? CONTAINER_OF(node, struct site, node) : site_new(hop, plan, str_from_c(key.p));
    }
    buf_done(&key);
    if (site && !keep_plan(site, octets)) {
        forget_later(site);
        return NULL;
    }
    if (site)
        site->hops++;
    return site;
}

void site_release(struct site *site)
{
    site->hops--;
    forget_later(site);
}

/* ---- sending ---- */

void site_post(struct site *site)
{
    struct queue *q = site->queue;

    list_remove(&site->pumped);
    list_append(&q->schedule.pumped, &site->pumped);
    io_task_post(&q->schedule.pump);
}

void sites_post(struct queue *q)
{
    MAP_FOR(node, &q->schedule.sites) {
        site_post(CONTAINER_OF(node, struct site, node));
    }
}

/* The one with the least to do; NULL when all have enough. */
static struct connection *least_busy(struct site *site)
{
    struct connection *best = NULL;

    LIST_FOR(node, &site->connections) {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        if (c->state == CONNECTION_CLOSING || (best && c->n_transfers >= best->n_transfers))
            continue;
        best = c;
        if (!c->n_transfers)
            break;
    }
    /* One that is not open yet is given one, so that the others find theirs elsewhere. */
    if (best && best->n_transfers >= (best->state == CONNECTION_OPEN ? SCHEDULE_DEPTH : 1))
        return NULL;
    return best;
}

static bool may_open(const struct site *site)
{
    if (site->dead_until_msec)
        return !site->n_connections;
    return (double)(site->n_connections + 1) <= site->window || !site->n_connections;
}

static struct connection *connection_for(struct site *site)
{
    struct connection *c = least_busy(site);

    if (c && !c->n_transfers)
        return c;
    if (may_open(site)) {
        struct connection *opened = connection_open(site);
        if (opened)
            return opened;
    }
    /* A probe goes alone. */
    return site->dead_until_msec ? NULL : c;
}

/* All that waits neither counts as under way nor asks for anything until the rest is over. */
static void park(struct site *site)
{
    LIST_FOR(node, &site->turns) {
        struct turn *t = CONTAINER_OF(node, struct turn, of_site);
        LIST_FOR(at, &t->entries) {
            entry_park(CONTAINER_OF(at, struct entry, node));
        }
    }
    if (!wheel_is_set(&site->wake))
        queue_wait(site->queue, &site->wake, site->dead_until_msec);
}

static void unpark(struct site *site)
{
    LIST_FOR(node, &site->turns) {
        struct turn *t = CONTAINER_OF(node, struct turn, of_site);
        LIST_FOR(at, &t->entries) {
            entry_unpark(CONTAINER_OF(at, struct entry, node));
        }
    }
}

static bool is_resting(const struct site *site)
{
    return site->dead_until_msec > queue_now(site->queue);
}

/* Its content was dropped to save memory: out of the line until it is back. */
static void read_back(struct entry *e)
{
    site_unline(e);
    list_append(&e->site->reading, &e->node);
    message_ready(e->message);
}

/* No more is read back than its connections could take soon: it would only be dropped again. */
static size_t enough(const struct site *site)
{
    return ((size_t)site->window + 1) * SCHEDULE_DEPTH;
}

static bool reads_enough(const struct site *site)
{
    size_t n = 0;

    for (const struct list *node = site->reading.next; node != &site->reading && n < enough(site); node = node->next)
        n++;
    return n == enough(site);
}

static bool lease_next(struct site *site, struct entry *e, size_t max)
{
    struct connection *c = connection_for(site);
    struct turn *t = e->turn;
    size_t n = c ? connection_lease(c, e, max) : 0;

    if (!n)
        return false;
    t->deficit -= (long)n;
    if (e->n) {
        /* What is left lets the others of its sender go first. */
        list_remove(&e->node);
        list_append(&t->entries, &e->node);
        return true;
    }
    turn_leave(e);
    entry_free(e);
    return true;
}

void site_pump(struct site *site)
{
    struct queue *q = site->queue;
    size_t max = site_sending(site)->recipients_per_transaction.n;
    struct entry *e;

    if (q->stopping)
        return;
    if (q->health == SPOOL_HEALTH_REFUSING) {
        forget_later(site);
        return;
    }
    if (is_resting(site)) {
        park(site);
        return;
    }
    /* A probe goes alone. */
    site_wake(site, site->dead_until_msec ? 1 : enough(site));
    while ((e = site_next(site, max ? max : 1))) {
        if (!message_has_content(e->message) && reads_enough(site))
            break;
        if (!message_has_content(e->message))
            read_back(e);
        else if (!lease_next(site, e, max ? max : 1))
            break;
    }
    /* Others have all connections that can be: nothing of its own would call it again. */
    if (!site->n_connections && (!list_empty(&site->turns) || !list_empty(&site->sleepers)) &&
        !wheel_is_set(&site->wake))
        queue_wait(q, &site->wake, queue_now(q) + QUEUE_MOMENT_MSEC);
    forget_later(site);
}

static void retire_entries(struct list *entries)
{
    for (struct list *node = entries->next, *next; node != entries; node = next) {
        struct entry *e = CONTAINER_OF(node, struct entry, node);
        next = node->next;
        site_unline(e);
        for (struct recipient *r; (r = entry_take(e));)
            attempt_reroute(r);
        entry_free(e);
    }
}

void site_retire(struct site *site)
{
    site->retired = true;
    site->hops++; /* it outlives what leaves it here */
    while (!list_empty(&site->turns)) {
        struct turn *t = CONTAINER_OF(site->turns.next, struct turn, of_site);
        struct entry *e = CONTAINER_OF(t->entries.next, struct entry, node);
        struct list one;
        site_unline(e);
        list_init(&one);
        list_append(&one, &e->node);
        retire_entries(&one);
    }
    site_rests_end(site);
    retire_entries(&site->reading);
    for (struct list *node = site->connections.next, *next; node != &site->connections; node = next) {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        next = node->next;
        if (!c->n_transfers)
            connection_close(c);
    }
    site_release(site);
}

/* ---- how it does ---- */

static void say(struct site *site, const char *state, const char *cause, struct str reply)
{
    struct log_record rec;

    log_start(&rec, LOG_EVENT_SITE);
    log_text_c(&rec, LOG_SITE, site->name);
    log_number(&rec, LOG_WINDOW, (int64_t)site->window);
    log_number(&rec, LOG_WAS, (int64_t)site->window_said);
    log_text_c(&rec, LOG_CAUSE, cause);
    log_text_c(&rec, LOG_STATE, state);
    if (site->dead_until_msec)
        log_time(&rec, LOG_NEXT, io_wall_msec() + site->dead_until_msec - queue_now(site->queue));
    if (reply.n)
        log_text(&rec, LOG_REPLY, reply);
    log_send(&rec);
    site->window_said = site->window;
}

static void shrink(struct site *site, double to, const char *cause, struct str reply)
{
    site->window = to < 1 ? 1 : to;
    /* Told when it is felt: a quarter, or the last connection but one. */
    if (site->window <= site->window_said * 0.75 && (int)site->window < (int)site->window_said)
        say(site, "open", cause, reply);
}

/* What has waited too long: the probe that failed was its attempt, too. */
static void expire_turn(struct turn *t, const struct outcome *why)
{
    for (struct list *at = t->entries.next, *next; at != &t->entries; at = next) {
        struct entry *e = CONTAINER_OF(at, struct entry, node);
        const struct recipient *r = CONTAINER_OF(e->recipients.next, struct recipient, node);
        bool only = at->next == at->prev;
        next = at->next;
        if (message_age(e->message) < (int64_t)attempt_sending(r)->expire.msec)
            continue;
        entry_outcome(e, why);
        /* The line of a sender goes with its last entry. */
        if (only)
            return;
    }
}

static void expire_parked(struct site *site, const struct outcome *why)
{
    for (struct list *node = site->turns.next, *next; node != &site->turns; node = next) {
        next = node->next;
        expire_turn(CONTAINER_OF(node, struct turn, of_site), why);
    }
}

static void mark_dead(struct site *site, const struct outcome *why)
{
    int64_t rest = (int64_t)site_sending(site)->dead_host.msec;

    site->dead_until_msec = queue_now(site->queue) + (rest ? rest : 1);
    free(site->trouble);
    site->trouble = text_copy(why->text);
    site->reason = why->reason;
    if (!site->dead_said)
        say(site, "dead", log_reason_text(why->reason), why->text);
    site->dead_said = true;
    queue_wait(site->queue, &site->wake, site->dead_until_msec);
    expire_parked(site, why);
    park(site);
}

void site_failed(struct site *site, const struct outcome *why)
{
    if (site->retired) {
        forget_later(site);
        return;
    }
    if (site->n_connections > site->n_opening)
        shrink(site, site->window / 2, log_reason_text(why->reason), why->text);
    else if (!is_resting(site))
        mark_dead(site, why);
    site_post(site);
}

void site_pause(struct site *site)
{
    if (site->retired) {
        forget_later(site);
        return;
    }
    if (!site->n_connections && !site->dead_until_msec) {
        site->dead_until_msec = queue_now(site->queue) + PAUSE_MSEC;
        queue_wait(site->queue, &site->wake, site->dead_until_msec);
    }
    site_post(site);
}

void site_opened(struct site *site)
{
    if (!site->dead_until_msec)
        return;
    site->dead_until_msec = 0;
    site->window = (double)site_sending(site)->connections.start;
    wheel_unset(&site->queue->wheel, &site->wake);
    unpark(site);
    if (site->dead_said)
        say(site, "open", "it answers again", STR_NONE);
    site->dead_said = false;
    site_post(site);
}

void site_well(struct site *site)
{
    double max = window_max(site);

    if (site->window < max)
        site->window += 1 / site->window;
    if (site->window > max)
        site->window = max;
    if (site->window > site->window_said)
        site->window_said = site->window;
}

void site_slow(struct site *site, const char *cause, struct str reply)
{
    shrink(site, site->window - 1, cause, reply);
}
