/*
 * queue/site.c -- one set of hosts: whose turn it is, its connections, and its rest when it is dead (DESIGN 6).
 *
 * How many connections it bears, its rate and its pauses are its limits' (limits.c). A site of which no connection stands
 * is dead: after `dead-host` one probe goes; what waits meanwhile costs neither timer nor record nor attempt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"
#include "route/tls.h"

enum {
    KEY_MAX = 16 << 10,
    PAUSE_MSEC = 1000,
    WELL_MSEC = 2000, /* who took mail so shortly ago and says 421 now is not dead */
    SMTP_PORT = 25,
    CODE_CLOSING = 421,
};

const struct config_sending *site_sending(const struct site *site)
{
    return site->retired ? &site->queue->worker->config->sending : site->sending;
}

static const struct config_site *named_at(const struct queue *q, uint32_t named)
{
    return named ? &q->worker->config->sites[named - 1] : NULL;
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
    limits_leave(site);
    free(site->key);
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

static struct site *site_new(struct hop *hop, const struct route_plan *plan, const struct config_site *named,
                             struct str key)
{
    struct queue *q = hop->queue;
    struct site *site = calloc(1, sizeof(*site));

    if (!site)
        return NULL;
    *site = (struct site){
        .queue = q,
        .key = text_copy(key),
        .generation = hop->generation,
        .route = hop->route,
        .sending = limits_sending(q, hop->route, named),
        .named = named ? (uint32_t)named->index + 1 : 0,
        .senders = { .seed = q->schedule.sites.seed },
    };
    list_init(&site->pumped);
    list_init(&site->of_limits);
    list_init(&site->hungry);
    list_init(&site->turns);
    list_init(&site->sleepers);
    list_init(&site->reading);
    list_init(&site->connections);
    wheel_node_init(&site->wake, on_wake);
    if (site->key && limits_join(site, named, named ? text_copy(named->name.text) : name_of(hop, plan))) {
        if (map_insert(&q->schedule.sites, &site->node, str_from_c(site->key)))
            return site;
        limits_leave(site);
    }
    free(site->key);
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

/* The site that the configuration names: by the recipient's domain, or by any of the hosts. */
static const struct config_site *named_site(const struct hop *hop, const struct route_plan *plan)
{
    struct str hosts[ROUTE_PLAN_ADDRESSES_MAX];

    if (hop->named)
        return named_at(hop->queue, hop->named);
    size_t n = route_plan_names(plan, hosts, ARRAY_LEN(hosts));
    return config_find_site(hop->queue->worker->config, str_from_c(hop->domain), hosts, n);
}

/*
 * Whose connections are for whom: credentials and demands on TLS are those of the route and the named site; where
 * certificates are for the domain and not for its hosts, connections are, too.
 */
static bool write_key(const struct hop *hop, const struct route_plan *plan, const struct config_site *named,
                      struct buf *key)
{
    const struct config_sending *s = limits_sending(hop->queue, hop->route, named);

    return buf_printf(key, "%" PRIu32 " %zu ", hop->route, named ? named->index + 1 : 0) &&
           route_plan_hosts(plan, key) && (!route_tls_is_of_domain(s) || route_plan_domains(plan, key)) &&
           buf_add_char(key, '\0');
}

struct site *site_have(struct hop *hop, const struct route_plan *plan, struct str octets)
{
    const struct config_site *named = named_site(hop, plan);
    struct queue *q = hop->queue;
    struct buf key = BUF_INIT(KEY_MAX);
    struct map_node *node;
    struct site *site = NULL;

    if (write_key(hop, plan, named, &key)) {
        node = map_find(&q->schedule.sites, str_from_c(key.p));
        site = node ? CONTAINER_OF(node, struct site, node) : site_new(hop, plan, named, str_from_c(key.p));
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

/* The one with the least to do; NULL when all have enough, or fewer than now are to have work. */
static struct connection *least_busy(struct site *site)
{
    struct connection *best = NULL;
    bool idle_too = limits_may_work(site);
    uint64_t most = site_sending(site)->reuse.count;

    if (limits_has_too_many_at_work(site))
        return NULL;
    LIST_FOR(node, &site->connections) {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        /* One that has had as many as it may ends with what it has: some hosts refuse the next (FACE 1.9, reuse). */
        if (c->state == CONNECTION_CLOSING || c->used >= most || (best && c->n_transfers >= best->n_transfers) ||
            (!c->n_transfers && !idle_too))
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

/* Of a dead one: a probe, alone. */
static bool may_open(struct site *site)
{
    return !(site->dead_until_msec && site->n_connections) && limits_may_open(site);
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

static bool is_dead(const struct site *site)
{
    return site->dead_until_msec > queue_now(site->queue);
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
    if (is_dead(site) && !wheel_is_set(&site->wake))
        queue_wait(site->queue, &site->wake, site->dead_until_msec);
}

void site_unpark(struct site *site)
{
    LIST_FOR(node, &site->turns) {
        struct turn *t = CONTAINER_OF(node, struct turn, of_site);
        LIST_FOR(at, &t->entries) {
            entry_unpark(CONTAINER_OF(at, struct entry, node));
        }
    }
}

int64_t site_rest_until(const struct site *site)
{
    int64_t paused = site->limits->paused_until_msec;

    return paused > site->dead_until_msec ? paused : site->dead_until_msec;
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
    return ((size_t)window_connections(&site->limits->window) + 1) * SCHEDULE_DEPTH;
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
    limits_sent(site);
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
    if (site_rest_until(site) > queue_now(q)) {
        park(site);
        return;
    }
    /* A probe goes alone. */
    site_wake(site, site->dead_until_msec ? 1 : enough(site));
    while (limits_allow(site) && (e = site_next(site, max ? max : 1))) {
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
    limits_retire(site->limits);
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

/* What has waited too long: the probe that failed was its attempt, too. */
static void expire_turn(struct turn *t, const struct outcome *why)
{
    for (struct list *at = t->entries.next, *next; at != &t->entries; at = next) {
        struct entry *e = CONTAINER_OF(at, struct entry, node);
        const struct recipient *r = CONTAINER_OF(e->recipients.next, struct recipient, node);
        bool only = at->next == at->prev;
        next = at->next;
        if (message_waited(e->message) < (int64_t)attempt_sending(r)->expire.msec)
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
        limits_say(site->limits, "dead", log_reason_text(why->reason), site->dead_until_msec, why->text);
    site->dead_said = true;
    queue_wait(site->queue, &site->wake, site->dead_until_msec);
    expire_parked(site, why);
    park(site);
}

/* For a moment, longer each time. False: it is over with its kindness. */
static bool rests_a_moment(struct site *site, const struct outcome *why)
{
    int64_t now = queue_now(site->queue), most = (int64_t)site_sending(site)->dead_host.msec;

    if (why->code != CODE_CLOSING || !site->well_msec || (!site->rest_msec && now > site->well_msec + WELL_MSEC))
        return false;
    site->rest_msec = site->rest_msec ? site->rest_msec * 2 : PAUSE_MSEC;
    if (site->rest_msec >= most)
        return false;
    site->dead_until_msec = now + site->rest_msec;
    queue_wait(site->queue, &site->wake, site->dead_until_msec);
    return true;
}

void site_failed(struct site *site, const struct outcome *why)
{
    if (site->retired) {
        forget_later(site);
        return;
    }
    if (site->n_connections)
        limits_refused(site, why);
    else if (!is_dead(site) && !rests_a_moment(site, why))
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
    site->well_msec = queue_now(site->queue);
    if (!site->dead_until_msec)
        return;
    site->dead_until_msec = 0;
    wheel_unset(&site->queue->wheel, &site->wake);
    site_unpark(site);
    if (site->dead_said) {
        limits_restart(site);
        limits_say(site->limits, "open", "it answers again", 0, STR_NONE);
    }
    site->dead_said = false;
    site_post(site);
}

void site_hear(struct site *site, const struct window_sample *sample, struct str reply)
{
    if (!sample->put_off) {
        site->well_msec = queue_now(site->queue);
        site->rest_msec = 0;
    }
    limits_hear(site, sample, reply);
}
