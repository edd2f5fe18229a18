/* queue/explain_group.c -- what each recipient of a message waits for; those that wait for the same are one group. */
#include "queue/explain.h"

#include <stdlib.h>

#include "queue/transfer.h"

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

/* Its time comes while its site rests: then it waits on for that. */
static enum cause cause_due(const struct explaining *x, const struct recipient *r, const struct hop *hop)
{
    if (r->due_msec <= queue_now(x->queue))
        return CAUSE_READING;
    return hop && hop->site && site_rest_until(hop->site) > r->due_msec ? cause_at(hop->site) : CAUSE_TIME;
}

static enum cause cause_asleep(const struct explaining *x, const struct recipient *r, const struct hop *hop)
{
    if (x->slot->flags & REST_LINED)
        return cause_in_line(hop);
    if (x->slot->flags & (REST_NOW | REST_WAKING))
        return CAUSE_READING;
    return cause_due(x, r, hop);
}

static enum cause cause_awake(const struct explaining *x, const struct recipient *r, const struct hop *hop)
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
    return cause_due(x, r, hop);
}

static enum cause cause_of(const struct explaining *x, const struct recipient *r, const struct hop *hop)
{
    const struct message *m = r->message;

    if (r->progress == PROGRESS_FAILED)
        return CAUSE_REPORT;
    if (r->held || m->state == MESSAGE_HELD)
        return CAUSE_HELD;
    if (message_embargo(m))
        return CAUSE_RELEASE;
    enum cause cause = x->slot ? cause_asleep(x, r, hop) : cause_awake(x, r, hop);
    /* What waits for its time would wait for that anyhow. */
    if (cause == CAUSE_HELD || cause == CAUSE_TIME || cause == CAUSE_SENDING)
        return cause;
    return x->queue->health == SPOOL_HEALTH_REFUSING ? CAUSE_DISK : cause;
}

/* ---- how many are in front ---- */

static uint64_t in_front_awake(const struct entry *e)
{
    uint64_t n = 0;

    for (const struct list *at = &e->node; e->turn && at->prev != &e->turn->entries && n < EXPLAIN_FRONT_MAX;
         at = at->prev)
        n++;
    return n;
}

/* Those of its sender that are awake go first. */
static uint64_t in_front_asleep(const struct explaining *x)
{
    const struct rests *rests = &x->queue->rests;
    uint32_t at = x->slot->line ? x->slot->prev : 0;
    uint64_t n = 0;

    for (; at && at != x->slot->line && n < EXPLAIN_FRONT_MAX; n++)
        at = rest_at(rests, at)->prev;
    return n;
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

/* What has it in hand, if that is a connection. */
static const struct transfer *transfer_of(const struct queue *q, const struct recipient *r)
{
    uint32_t slot = r->lease & ((1U << SCHEDULE_SLOT_BITS) - 1);
    const struct transfer *t = slot < SCHEDULE_TRANSFERS_MAX ? q->schedule.transfers[slot] : NULL;

    return r->state == RECIPIENT_LEASED && t && t->lease == r->lease && t->message == r->message ? t : NULL;
}

static struct group *group_of(struct explaining *x, enum cause cause, const struct recipient *r,
                              const struct envelope_recipient *er)
{
    const struct transfer *t = transfer_of(x->queue, r);

    for (size_t i = 0; i < x->n_groups; i++) {
        struct group *g = &x->groups[i];
        if (g->cause == cause && g->transfer == t && str_eq(g->domain, er->domain) && str_eq(g->own, er->route))
            return g;
    }
    if (x->n_groups == EXPLAIN_GROUPS_MAX)
        return NULL;
    struct group *g = &x->groups[x->n_groups++];
    *g = (struct group){ .cause = cause, .transfer = t, .domain = er->domain, .own = er->route };
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
    g->named = site->named;
    g->generation = site->generation;
    g->site_name = arena_str(x->arena, str_from_c(site->limits->name));
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

    if (g->cause == CAUSE_RELEASE)
        return r->message->release_msec;
    if (g->cause == CAUSE_TIME)
        due = r->due_msec;
    else if (g->cause == CAUSE_DEAD || g->cause == CAUSE_PAUSED)
        due = site_rest_until(g->site);
    return due > now && due != SITE_UNTIL_RESUMED ? io_wall_msec() + due - now : 0;
}

static void first_of_group(struct explaining *x, struct group *g, const struct recipient *r, const struct envelope *e)
{
    const struct envelope_recipient *er = &e->recipients[r->index];
    struct buf words = BUF_INIT(EXPLAIN_TEXT_MAX);

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
    g->on_reply = arena_str(x->arena, str_from_c(r->on_reply));
    g->host = arena_str(x->arena, str_from_c(r->host));
    g->peer = arena_str(x->arena, str_from_c(r->peer));
    look_at_site(x, g, r);
    if (g->hop && g->hop->site)
        g->asked_msec = io_wall_msec() - (queue_now(x->queue) - g->hop->planned_msec);
    g->next_msec = next_of(x, g, r);
    explain_words(&words, x->queue, g, r->message);
    g->words = arena_str(x->arena, buf_str(&words));
    buf_done(&words);
}

static void add_recipient(struct explaining *x, const struct recipient *r, const struct envelope *e)
{
    const struct envelope_recipient *er = &e->recipients[r->index];
    struct group *g = group_of(x, cause_of(x, r, hop_of(x, r)), r, er);
    struct buf address = BUF_INIT(EXPLAIN_TEXT_MAX);

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
    if (g->n_shown < EXPLAIN_SHOWN_MAX)
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

void explain_groups(struct explaining *x, const struct message *m, const struct envelope *e)
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
