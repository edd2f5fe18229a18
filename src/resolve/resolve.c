/* resolve/resolve.c -- who waits for which next hop, how many at once, and what to do while no server answers. */
#include "resolve/resolve.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config/target.h"
#include "log/log.h"
#include "resolve/job.h"

enum { PROBE_ARENA_MAX = 256 << 10, PROBE_NAME_MAX = 32, OWN_ARENA_MAX = 256 << 10 };

/* ---- who we are ---- */

static bool ip_of(const struct sockaddr *sa, struct ip *out)
{
    *out = (struct ip){ 0 };
    if (sa && sa->sa_family == AF_INET) {
        out->family = IP_V4;
        memcpy(out->octets, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    } else if (sa && sa->sa_family == AF_INET6) {
        out->family = IP_V6;
        memcpy(out->octets, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    }
    return out->family != IP_NONE;
}

/* As outside sees us: what the configuration says, else what the interfaces have now. */
static void find_own(struct resolve *r)
{
    struct ifaddrs *all;

    r->own = r->config->public_address.items;
    r->n_own = r->config->public_address.n;
    if (r->n_own || getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *i = all; i && r->n_own < RESOLVE_OWN_MAX; i = i->ifa_next)
        r->n_own += ip_of(i->ifa_addr, &r->own_found[r->n_own]);
    r->own = r->own_found;
    freeifaddrs(all);
}

static bool find_names(struct resolve *r)
{
    r->names = calloc(r->config->n_listeners + 1, sizeof(*r->names));
    if (!r->names)
        return false;
    r->names[r->n_names++] = r->config->session.hostname.text;
    for (size_t i = 0; i < r->config->n_listeners; i++)
        r->names[r->n_names++] = r->config->listeners[i].session.hostname.text;
    return true;
}

/* ---- life ---- */

static void record(struct resolve *r, const char *state, struct str error)
{
    struct log_record record;

    log_start_level(&record, LOG_EVENT_DNS, error.n ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO);
    log_text_c(&record, LOG_STATE, state);
    if (r->dns)
        log_text(&record, LOG_SERVER, dns_resolver_servers(r->dns));
    if (error.n)
        log_text(&record, LOG_ERROR, error);
    log_send(&record);
}

static size_t most_at_once(const struct resolve *r)
{
    return r->health.state == RESOLVE_FAILING ? RESOLVE_PROBES_MAX : RESOLVE_ACTIVE_MAX;
}

/* The next ones that wait, while there is room. */
static void start_waiting(struct io_task *task)
{
    struct resolve *r = CONTAINER_OF(task, struct resolve, more);
    struct list *node;

    while (r->n_active < most_at_once(r) && (node = list_take(&r->waiting))) {
        r->n_waiting--;
        r->n_active++;
        job_start(CONTAINER_OF(node, struct job, queue));
    }
}

struct resolve *resolve_new(struct io_loop *loop, const struct config *config, uint32_t generation,
                            const struct dns_settings *settings, struct err *err)
{
    struct resolve *r = calloc(1, sizeof(*r));
    uint64_t seeds[2] = { 0 };

    if (!r) {
        err_temp(err, "out of memory");
        return NULL;
    }
    r->loop = loop;
    r->config = config;
    r->generation = generation;
    r->octets = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);
    list_init(&r->waiting);
    list_init(&r->doubtful);
    io_task_init(&r->more, loop, start_waiting);
    for (size_t i = 0; i < RESOLVE_BUCKETS; i++)
        list_init(&r->jobs[i]);
    find_own(r);
    if (getrandom(seeds, sizeof(seeds), 0) != sizeof(seeds))
        err_sys(err, errno, "getrandom");
    else if (!find_names(r))
        err_temp(err, "out of memory");
    else
        r->dns = dns_resolver_new(loop, settings, &r->trouble);
    r->seed = seeds[0];
    r->hash_seed = seeds[1];
    if (r->dns)
        return r;
    if (r->trouble.kind == ERR_TEMP) {
        record(r, "failing", str_from_c(r->trouble.text));
        return r;
    }
    if (err->kind == ERR_NONE)
        *err = r->trouble;
    resolve_free(r);
    return NULL;
}

static void probe_done(struct resolve *r)
{
    if (!r->probe_arena)
        return;
    dns_query_done(&r->probe);
    arena_free(r->probe_arena);
    r->probe_arena = NULL;
}

void resolve_free(struct resolve *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < RESOLVE_BUCKETS; i++)
        while (!list_empty(&r->jobs[i]))
            job_free(CONTAINER_OF(r->jobs[i].next, struct job, node));
    probe_done(r);
    io_task_done(&r->more);
    dns_resolver_free(r->dns);
    buf_done(&r->octets);
    free(r->names);
    free(r);
}

/* ---- jobs ---- */

void resolve_job_done(struct job *j)
{
    struct resolve *r = j->resolve;

    r->n_active--;
    if (job_answer(j))
        job_free(j);
    else
        list_append(&r->doubtful, &j->queue);
    if (!list_empty(&r->waiting))
        io_task_post(&r->more);
}

static struct job *find_job(struct resolve *r, const struct config_route *route, struct str domain, uint64_t hash)
{
    LIST_FOR(node, &r->jobs[hash % RESOLVE_BUCKETS]) {
        struct job *j = CONTAINER_OF(node, struct job, node);
        if (j->route == route && str_eq(j->domain, domain))
            return j;
    }
    return NULL;
}

/* Those that wait are told at once; those under way are the probes that may find an end of it. */
static void answer_waiting(struct resolve *r)
{
    struct list *node;

    while ((node = list_take(&r->waiting))) {
        struct job *j = CONTAINER_OF(node, struct job, queue);
        r->n_waiting--;
        job_answer_outage(j);
        job_free(j);
    }
}

/* ---- does anybody answer ---- */

static void say(struct resolve *r, enum resolve_step step, const struct dns_answer *answer)
{
    if (step == RESOLVE_SAY_FAILING) {
        err_temp(&r->trouble, "the DNS as a whole fails: %.*s", STR_ARG(answer->error));
        record(r, "failing", answer->error);
        answer_waiting(r);
    } else if (step == RESOLVE_SAY_WELL) {
        r->outages_over++;
        record(r, "ok", STR_NONE);
    }
}

static bool is_answer(const struct dns_answer *answer)
{
    return answer->status != DNS_FAILED && answer->status != DNS_BOGUS;
}

/* It is known now whose fault it was. */
static void answer_doubtful(struct resolve *r)
{
    for (struct list *node; r->health.state != RESOLVE_SUSPECT && (node = list_take(&r->doubtful));) {
        struct job *j = CONTAINER_OF(node, struct job, queue);
        if (job_answer(j))
            job_free(j);
    }
}

static void probed(struct resolve *r, bool answered, const struct dns_answer *answer)
{
    if (answered)
        r->trusted_until_msec = io_now_msec(r->loop) + RESOLVE_TRUST_MSEC;
    say(r, resolve_health_probed(&r->health, answered), answer);
    answer_doubtful(r);
}

static void on_probed(struct dns_query *q)
{
    struct resolve *r = CONTAINER_OF(q, struct resolve, probe);

    probed(r, is_answer(&q->answer), &q->answer);
    probe_done(r);
}

/* A name that nobody asked for before, so that no memory answers: that it does not exist is an answer, too. */
static void probe(struct resolve *r)
{
    char name[PROBE_NAME_MAX];
    uint64_t random = str_hash(STR("probe"), r->seed += 0x9e3779b97f4a7c15);

    probe_done(r);
    r->probe_arena = arena_new(PROBE_ARENA_MAX);
    if (!r->probe_arena) {
        probed(r, true, NULL);
        return;
    }
    snprintf(name, sizeof(name), "probe-%016llx", (unsigned long long)random);
    dns_query_ask(&r->probe, r->dns, str_from_c(name), DNS_NS, r->probe_arena, on_probed);
}

void resolve_note(struct resolve *r, const struct dns_query *q)
{
    bool answered = is_answer(&q->answer);
    enum resolve_step step;

    /* What is remembered says nothing of servers; but one that is known to be dead is not even asked. */
    if (answered && q->cached)
        return;
    /* Somebody answered, if not for that domain. */
    if (q->answer.status == DNS_BOGUS)
        return;
    if (!answered && r->health.state == RESOLVE_WELL && io_now_msec(r->loop) < r->trusted_until_msec)
        return;
    step = resolve_health_note(&r->health, answered);
    if (step == RESOLVE_PROBE)
        probe(r);
    else
        say(r, step, &q->answer);
    answer_doubtful(r);
}

/* ---- questions ---- */

static void refuse(struct resolve *r, struct ipc_channel *from, uint64_t ticket, const char *words)
{
    ipc_send_plan_answer(from, &(struct ipc_plan_answer){
                                   .ticket = ticket,
                                   .status = IPC_PLAN_TEMP,
                                   .generation = r->generation,
                                   .reason = LOG_REASON_DNS,
                                   .keep_msec = ROUTE_KEEP_LEAST_MSEC,
                                   .code = STR("4.3.0"),
                                   .text = str_from_c(words),
                               });
}

/* A route of another generation, or one whose target is no host. */
static const struct config_route *route_of(const struct resolve *r, uint32_t index)
{
    const struct config_route *route = index < r->config->n_routes ? &r->config->routes[index] : NULL;

    for (size_t i = 0; route && i < route->n_targets; i++)
        if (!config_target_is_remote(route->targets[i].kind))
            return NULL;
    return route && route->n_targets ? route : NULL;
}

static void enter(struct resolve *r, struct job *j)
{
    bool needs_dns = job_needs_dns(j->route, j->domain);

    list_append(&r->jobs[j->hash % RESOLVE_BUCKETS], &j->node);
    if (needs_dns && !r->dns) {
        job_answer_trouble(j);
        job_free(j);
    } else if (!needs_dns || r->n_active < most_at_once(r)) {
        r->n_active++;
        job_start(j);
    } else if (r->health.state == RESOLVE_FAILING) {
        job_answer_outage(j);
        job_free(j);
    } else {
        list_append(&r->waiting, &j->queue);
        r->n_waiting++;
    }
}

static const struct config_route *own_route(const struct resolve *r, struct str target, struct arena *a,
                                            struct err *err)
{
    struct config_route *route = a ? ARENA_NEW(a, struct config_route) : NULL;

    if (!route || !config_targets_parse(target, a, &route->targets, &route->n_targets, err))
        return NULL;
    route->sending = r->config->sending;
    return route;
}

/* Of a message with a route of its own: who asks for it asks once for all that have the same. */
static void ask_own(struct resolve *r, struct ipc_channel *from, const struct ipc_plan_ask *ask)
{
    struct arena *a = arena_new(OWN_ARENA_MAX);
    struct err err = { 0 };
    const struct config_route *route = own_route(r, ask->target, a, &err);
    uint64_t hash = str_hash(ask->domain, str_hash(ask->target, r->hash_seed));
    struct job *j = route ? job_new(r, route, config_route_needs_domain(route) ? ask->domain : STR_NONE, hash) : NULL;

    if (!j) {
        refuse(r, from, ask->ticket, err.kind == ERR_PERM ? err.text : "out of memory");
        arena_free(a);
        return;
    }
    j->own = a;
    if (job_add_asker(j, from, ask->ticket)) {
        enter(r, j);
        return;
    }
    job_free(j);
    refuse(r, from, ask->ticket, "out of memory");
}

void resolve_ask(struct resolve *r, struct ipc_channel *from, const struct ipc_plan_ask *ask)
{
    const struct config_route *route = route_of(r, ask->route);
    struct str domain = route && config_route_needs_domain(route) ? ask->domain : STR_NONE;
    uint64_t hash = str_hash(domain, r->hash_seed ^ ask->route);
    struct job *j;

    if (ask->target.n) {
        ask_own(r, from, ask);
        return;
    }
    if (!route) {
        refuse(r, from, ask->ticket, "no such route");
        return;
    }
    j = find_job(r, route, domain, hash);
    if (j) {
        if (!job_add_asker(j, from, ask->ticket))
            refuse(r, from, ask->ticket, "out of memory");
        return;
    }
    j = job_new(r, route, domain, hash);
    if (j && job_add_asker(j, from, ask->ticket)) {
        enter(r, j);
        return;
    }
    if (j)
        job_free(j);
    refuse(r, from, ask->ticket, "out of memory");
}

void resolve_forget(struct resolve *r, const struct ipc_channel *from)
{
    for (size_t i = 0; i < RESOLVE_BUCKETS; i++) {
        for (struct list *node = r->jobs[i].next, *next; node != &r->jobs[i]; node = next) {
            struct job *j = CONTAINER_OF(node, struct job, node);
            next = node->next;
            job_remove_asker(j, from);
            if (j->active || !list_empty(&j->askers))
                continue;
            r->n_waiting--;
            job_free(j);
        }
    }
}
