/*
 * queue/schedule.c -- in and out of line: recipients at their next hops, and what a new configuration means to them
 * (DESIGN 6).
 */
#include <sys/random.h>

#include "queue/queue.h"

/* ---- in and out of line ---- */

/* Into the line of the site, or to those that wait for the plan. */
static bool entry_wait(struct entry *e, bool first)
{
    struct hop *hop = e->hop;

    if (hop_has_plan(hop)) {
        e->site = hop->site;
        return site_line(hop->site, e, first);
    }
    list_append(&hop->waiting, &e->node);
    hop_ask(hop);
    return true;
}

static void keep_hop(struct recipient *r, const struct hop *hop)
{
    struct names *names = &hop->queue->rests.names;

    names_drop(names, r->hop);
    r->hop = names_have(names, str_from_c(hop->key));
}

static void line_up(struct recipient *r, struct hop *hop, bool first)
{
    struct message *m = r->message;
    struct entry *e = entry_of(m, hop);
    bool is_new = !e;

    if (is_new)
        e = entry_new(m, hop);
    if (e) {
        entry_put(e, r, first);
        recipient_unpin(r);
        keep_hop(r, hop);
        if (!is_new || entry_wait(e, first)) {
            if (e->site)
                site_post(e->site);
            return;
        }
        entry_take(e);
        entry_free(e);
    }
    attempt_fails(r, IPC_TEMP, LOG_REASON_STORAGE, "4.3.0", STR("short of memory"));
}

void schedule_add(struct recipient *r)
{
    struct hop *hop = hop_have(r->message->queue, r);

    if (hop)
        line_up(r, hop, false);
    else
        attempt_fails(r, IPC_TEMP, LOG_REASON_STORAGE, "4.3.0", STR("short of memory"));
}

void schedule_back(struct recipient *r, struct hop *hop)
{
    if (hop->generation != r->message->queue->worker->generation)
        attempt_reroute(r);
    else
        line_up(r, hop, true);
}

void schedule_remove(struct recipient *r)
{
    struct entry *e = r->entry;

    BUG_ON(!e);
    list_remove(&r->node);
    list_prepend(&e->recipients, &r->node);
    (void)entry_take(e);
    r->state = RECIPIENT_IDLE;
    r->due_msec = queue_now(r->message->queue);
    r->message->active--;
    if (e->n)
        return;
    site_unline(e);
    entry_free(e);
}

void schedule_content(struct message *m)
{
    for (struct list *node = m->entries.next, *next; node != &m->entries; node = next) {
        struct entry *e = CONTAINER_OF(node, struct entry, of_message);
        next = node->next;
        if (!e->site || e->turn)
            continue;
        /* It was in front when it was found that it has to be read. */
        list_remove(&e->node);
        if (!site_resume(e->site, e))
            entry_outcome(e, &(struct outcome){
                                 .result = IPC_TEMP,
                                 .reason = LOG_REASON_STORAGE,
                                 .status = STR("4.3.0"),
                                 .text = STR("short of memory"),
                             });
    }
}

/* ---- at rest ---- */

static bool waits_for(const struct message *m, const struct entry *e)
{
    return m->entries.next == m->entries.prev && message_count(m, PROGRESS_WAITING) == e->n;
}

struct rest_line *schedule_line(struct message *m)
{
    const struct queue *q = m->queue;
    struct entry *e = CONTAINER_OF(m->entries.next, struct entry, of_message);
    struct turn *t = e->turn;

    if (!waits_for(m, e) || q->stopping)
        return NULL;
    if (!e->site)
        return e->parked || e->hop->rest.n ? &e->hop->rest : NULL;
    /* What has waited too long stays, and ends with the next probe. */
    if (!t || (e->parked && message_left(m) <= 0))
        return NULL;
    if (e->parked)
        return &t->rest;
    return !m->lined && (t->rest.n || (q->n_messages > QUEUE_AWAKE_MAX && t->n > SCHEDULE_FRONT)) ? &t->rest : NULL;
}

static struct hop *hop_named(const struct queue *q, uint32_t name)
{
    struct map_node *node = name ? map_find(&q->schedule.hops, names_text(&q->rests.names, name)) : NULL;

    return node ? CONTAINER_OF(node, struct hop, node) : NULL;
}

const struct config_sending *schedule_sending(const struct recipient *r)
{
    struct queue *q = r->message->queue;
    const struct hop *hop = hop_named(q, r->hop);

    if (hop && hop->site && hop->route == r->route)
        return site_sending(hop->site);
    return limits_sending(q, r->route,
                          r->domain ? config_find_site(q->worker->config, str_from_c(r->domain), NULL, 0) : NULL);
}

struct site *schedule_site_of(const struct queue *q, const struct rest *r)
{
    const struct hop *hop = hop_named(q, r->hop);

    return hop ? hop->site : NULL;
}

bool schedule_rests_deferred(const struct queue *q, const struct rest *r)
{
    const struct site *site = schedule_site_of(q, r);

    return !site || site_rest_until(site);
}

/* ---- another configuration, and the beginning ---- */

void schedule_reconfigured(struct queue *q)
{
    struct map former_hops = q->schedule.hops, former_sites = q->schedule.sites;

    q->schedule.hops = (struct map){ .seed = former_hops.seed };
    q->schedule.sites = (struct map){ .seed = former_sites.seed };
    for (struct map_node *node; (node = map_any(&former_sites));) {
        struct site *site = CONTAINER_OF(node, struct site, node);
        map_remove(&former_sites, node);
        site_retire(site);
    }
    for (struct map_node *node; (node = map_any(&former_hops));) {
        struct hop *hop = CONTAINER_OF(node, struct hop, node);
        map_remove(&former_hops, node);
        hop_retire(hop);
    }
    map_done(&former_hops);
    map_done(&former_sites);
    limits_forget_values(q);
    attempts_route(q);
}

static void on_pump(struct io_task *t)
{
    struct queue *q = CONTAINER_OF(t, struct queue, schedule.pump);
    struct list all;

    list_init(&all);
    for (struct list *node; (node = list_take(&q->schedule.pumped));)
        list_append(&all, node);
    for (struct list *node; (node = list_take(&all));)
        site_pump(CONTAINER_OF(node, struct site, pumped));
}

bool schedule_init(struct queue *q, struct err *err)
{
    uint64_t lots[3] = { 0 };

    /* Leases of a former queue, which send processes may still hold, are not mistaken for ours. */
    if (getrandom(lots, sizeof(lots), 0) != (ssize_t)sizeof(lots))
        return err_temp(err, "no random numbers");
    q->schedule.hops.seed = lots[0];
    q->schedule.sites.seed = lots[1];
    q->schedule.called.seed = lots[1];
    q->schedule.serial = lots[2] >> 24;
    list_init(&q->schedule.merged);
    list_init(&q->schedule.pauses);
    list_init(&q->schedule.pumped);
    list_init(&q->schedule.unplanned);
    io_task_init(&q->schedule.pump, q->worker->loop, on_pump);
    return true;
}
