/* resolve/job.c -- MX first, then the addresses of all hosts at once, then the plan. */
#include "resolve/job.h"

#include <stdlib.h>

#include "log/record.h"

enum { JOB_ARENA_MAX = 4 << 20 };

struct asker {
    struct list node;
    struct ipc_channel *from;
    uint64_t ticket;
};

/* INTO is where the answer of an address question goes; NULL: the question is MX. */
struct question {
    struct list node;
    struct job *job;
    struct route_hosts *target;
    struct dns_answer *into;
    struct str name;
    struct dns_query query;
};

struct job *job_new(struct resolve *r, const struct config_route *route, struct str domain, uint64_t hash)
{
    struct arena *a = arena_new(JOB_ARENA_MAX);
    struct job *j = a ? ARENA_NEW(a, struct job) : NULL;
    size_t n = route->n_targets + route->n_fallback;
    struct route_hosts *targets = j ? ARENA_NEW_ARRAY(a, n, struct route_hosts) : NULL;
    struct str name = arena_str(a, domain);

    if (!targets || !name.p) {
        arena_free(a);
        return NULL;
    }
    *j = (struct job){
        .resolve = r, .route = route, .domain = name, .hash = hash, .arena = a,
        .targets = { .items = targets, .n = route->n_targets, .n_fallback = route->n_fallback },
        .view = { .names = r->names, .n_names = r->n_names, .own = r->own, .n_own = r->n_own,
                  .port = (uint16_t)route->sending.port.n,
                  .family = (enum config_family)route->sending.address_family.value },
    };
    list_init(&j->node);
    list_init(&j->queue);
    list_init(&j->askers);
    list_init(&j->questions);
    return j;
}

void job_free(struct job *j)
{
    struct list *node;

    list_remove(&j->node);
    list_remove(&j->queue);
    while ((node = list_take(&j->askers)))
        free(CONTAINER_OF(node, struct asker, node));
    LIST_FOR(at, &j->questions)
        dns_query_done(&CONTAINER_OF(at, struct question, node)->query);
    arena_free(j->own);
    arena_free(j->arena);
}

bool job_add_asker(struct job *j, struct ipc_channel *from, uint64_t ticket)
{
    struct asker *asker = calloc(1, sizeof(*asker));

    if (!asker)
        return false;
    asker->from = from;
    asker->ticket = ticket;
    list_append(&j->askers, &asker->node);
    return true;
}

void job_remove_asker(struct job *j, const struct ipc_channel *from)
{
    for (struct list *node = j->askers.next, *next; node != &j->askers; node = next) {
        struct asker *asker = CONTAINER_OF(node, struct asker, node);
        next = node->next;
        if (asker->from != from)
            continue;
        list_remove(node);
        free(asker);
    }
}

/* ---- questions ---- */

static struct str domain_of(const struct config_target *target, struct str domain)
{
    return target->host.n ? target->host : domain;
}

static bool is_literal(struct str domain)
{
    return str_starts(domain, STR("["));
}

/* The I-th of the route and its fallback. */
static const struct config_target *target_of(const struct config_route *route, size_t i)
{
    return i < route->n_targets ? &route->targets[i] : &route->fallback[i - route->n_targets];
}

static bool needs_dns(const struct config_target *t, struct str domain)
{
    struct ip address;

    if (t->kind == CONFIG_TARGET_MX)
        return !is_literal(domain_of(t, domain));
    return t->kind != CONFIG_TARGET_LMTP_UNIX && !ip_parse(t->host, &address);
}

bool job_needs_dns(const struct config_route *route, struct str domain)
{
    for (size_t i = 0; i < route->n_targets + route->n_fallback; i++)
        if (needs_dns(target_of(route, i), domain))
            return true;
    return false;
}

/* A site may say which addresses of its hosts are used, where the route does not. */
static void follow_site(struct job *j, struct route_hosts *target)
{
    struct str names[ROUTE_MX_HOSTS_MAX];
    struct config_sending merged;

    for (size_t i = 0; i < target->n; i++)
        names[i] = target->items[i].name;
    const struct config_site *site = config_find_site(j->resolve->config, j->domain, names, target->n);
    if (!site)
        return;
    config_sending_merge(&j->route->sending, &site->sending, &merged);
    route_mx_family(target, (enum config_family)merged.address_family.value);
}

static void no_memory(struct route_hosts *target, struct dns_answer *into)
{
    if (into)
        *into = (struct dns_answer){ .status = DNS_FAILED, .error = STR("out of memory") };
    else
        target->why = (struct route_no_plan){ ROUTE_TROUBLE_DNS, STR("4.3.0"), STR("out of memory") };
}

/* The answer goes INTO its host, when it is one of addresses. */
static void ask(struct job *j, struct route_hosts *target, struct str name, enum dns_type type,
                struct dns_answer *into, void (*answered)(struct dns_query *q))
{
    struct question *question = ARENA_NEW(j->arena, struct question);

    if (!question) {
        no_memory(target, into);
        return;
    }
    question->job = j;
    question->target = target;
    question->into = into;
    question->name = name;
    list_append(&j->questions, &question->node);
    j->pending++;
    dns_query_ask(&question->query, j->resolve->dns, name, type, j->arena, answered);
}

static void finish_one(struct job *j)
{
    if (--j->pending == 0)
        resolve_job_done(j);
}

static void on_addresses(struct dns_query *q)
{
    struct question *question = CONTAINER_OF(q, struct question, query);

    resolve_note(question->job->resolve, q);
    *question->into = q->answer;
    finish_one(question->job);
}

static void ask_addresses(struct job *j, struct route_hosts *target)
{
    follow_site(j, target);
    for (size_t i = 0; i < target->n; i++) {
        struct route_host *host = &target->items[i];
        if (host->want_v4)
            ask(j, target, host->name, DNS_A, &host->v4, on_addresses);
        if (host->want_v6)
            ask(j, target, host->name, DNS_AAAA, &host->v6, on_addresses);
    }
}

static void on_mx(struct dns_query *q)
{
    struct question *question = CONTAINER_OF(q, struct question, query);
    struct job *j = question->job;
    uint64_t seed = j->resolve->seed += 0x9e3779b97f4a7c15;

    resolve_note(j->resolve, q);
    if (route_mx_hosts(&j->view, question->name, &q->answer, seed, j->arena, question->target))
        ask_addresses(j, question->target);
    finish_one(j);
}

static void start_target(struct job *j, const struct config_target *target, struct route_hosts *out)
{
    struct str domain = domain_of(target, j->domain);

    if (target->kind == CONFIG_TARGET_MX && is_literal(domain)) {
        if (!route_mx_literal(&j->view, domain, j->arena, out))
            return;
    } else if (target->kind == CONFIG_TARGET_MX) {
        ask(j, out, domain, DNS_MX, NULL, on_mx);
    } else if (route_mx_named(&j->view, target, j->arena, out)) {
        ask_addresses(j, out);
    }
}

void job_start(struct job *j)
{
    j->active = true;
    j->outages_over = j->resolve->outages_over;
    for (size_t i = 0; i < j->targets.n + j->targets.n_fallback; i++)
        start_target(j, target_of(j->route, i), &j->targets.items[i]);
    if (j->pending == 0)
        resolve_job_done(j);
}

/* ---- answers ---- */

static enum log_reason reason_of(enum route_trouble trouble)
{
    static const enum log_reason reasons[] = {
        [ROUTE_TROUBLE_NONE] = LOG_REASON_NONE,       [ROUTE_TROUBLE_NO_DOMAIN] = LOG_REASON_NO_DOMAIN,
        [ROUTE_TROUBLE_NO_MX] = LOG_REASON_NO_MX,     [ROUTE_TROUBLE_NULL_MX] = LOG_REASON_NULL_MX,
        [ROUTE_TROUBLE_LOOP] = LOG_REASON_LOOP,       [ROUTE_TROUBLE_DNS] = LOG_REASON_DNS,
    };
    return reasons[trouble];
}

static void tell(struct job *j, struct ipc_plan_answer answer)
{
    LIST_FOR(node, &j->askers) {
        struct asker *asker = CONTAINER_OF(node, struct asker, node);
        answer.ticket = asker->ticket;
        answer.generation = j->resolve->generation;
        ipc_send_plan_answer(asker->from, &answer);
    }
}

static void tell_plan(struct job *j, const struct route_plan *plan, uint64_t keep_msec)
{
    struct buf *octets = &j->resolve->octets;

    buf_clear(octets);
    if (!route_plan_encode(octets, plan)) {
        tell(j, (struct ipc_plan_answer){ .status = IPC_PLAN_TEMP, .reason = LOG_REASON_DNS,
                                          .keep_msec = ROUTE_KEEP_LEAST_MSEC, .code = STR("4.3.0"),
                                          .text = STR("out of memory") });
        return;
    }
    tell(j, (struct ipc_plan_answer){
                .status = IPC_PLAN_OK, .keep_msec = keep_msec, .plan = buf_str(octets) });
}

static void find_addresses(struct job *j)
{
    for (size_t i = 0; i < j->targets.n + j->targets.n_fallback; i++)
        if (j->targets.items[i].why.trouble == ROUTE_TROUBLE_NONE)
            route_mx_addresses(&j->view, j->arena, &j->targets.items[i]);
}

/* What of the route and its fallback can be had without asking anybody, if anything can. */
static bool tell_what_needs_no_dns(struct job *j)
{
    struct route_plan plan;
    struct route_no_plan why;
    uint64_t keep_msec;

    for (size_t i = 0; i < j->targets.n + j->targets.n_fallback; i++) {
        const struct config_target *t = target_of(j->route, i);
        if (needs_dns(t, j->domain))
            j->targets.items[i] = (struct route_hosts){ .gaps = true, .why.trouble = ROUTE_TROUBLE_DNS };
        else
            start_target(j, t, &j->targets.items[i]);
    }
    find_addresses(j);
    if (!route_mx_join(&j->targets, j->arena, &plan, &keep_msec, &why))
        return false;
    tell_plan(j, &plan, keep_msec);
    return true;
}

static void tell_outage(struct job *j)
{
    tell(j, (struct ipc_plan_answer){
                .status = IPC_PLAN_OUTAGE,
                .reason = LOG_REASON_DNS,
                .keep_msec = RESOLVE_OUTAGE_KEEP_MSEC,
                .code = STR("4.4.3"),
                .text = str_from_c(j->resolve->trouble.text),
            });
}

void job_answer_outage(struct job *j)
{
    if (!tell_what_needs_no_dns(j))
        tell_outage(j);
}

void job_answer_trouble(struct job *j)
{
    if (tell_what_needs_no_dns(j))
        return;
    tell(j, (struct ipc_plan_answer){
                .status = IPC_PLAN_TEMP,
                .reason = LOG_REASON_DNS,
                .keep_msec = ROUTE_KEEP_LEAST_MSEC,
                .code = STR("4.3.0"),
                .text = str_from_c(j->resolve->trouble.text),
            });
}

/* Now, or when it asked: a failure may be heard after somebody else's answer has ended the outage. */
static bool is_outage(const struct job *j)
{
    return j->resolve->health.state == RESOLVE_FAILING || j->outages_over != j->resolve->outages_over;
}

bool job_answer(struct job *j)
{
    struct route_plan plan;
    struct route_no_plan why;
    uint64_t keep_msec;

    find_addresses(j);
    if (route_mx_join(&j->targets, j->arena, &plan, &keep_msec, &why)) {
        tell_plan(j, &plan, keep_msec);
        return true;
    }
    if (why.trouble == ROUTE_TROUBLE_DNS && j->resolve->health.state == RESOLVE_SUSPECT)
        return false;
    if (why.trouble == ROUTE_TROUBLE_DNS && is_outage(j)) {
        tell_outage(j);
        return true;
    }
    tell(j, (struct ipc_plan_answer){
                .status = why.trouble == ROUTE_TROUBLE_DNS ? IPC_PLAN_TEMP : IPC_PLAN_PERM,
                .reason = reason_of(why.trouble),
                .keep_msec = keep_msec,
                .code = why.code,
                .text = why.text,
            });
    return true;
}
