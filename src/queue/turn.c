/*
 * queue/turn.c -- the lines of a site: senders take turns by deficit round robin; what there is no room for rests (DESIGN 6).
 *
 * A sender's line has a front of entries whose messages are awake, and behind it messages at rest. As many are woken as
 * the connections of the site can soon take.
 */
#include <stdlib.h>

#include "queue/queue.h"

enum { QUANTUM = 8, WOKEN_LEAST = 4 };

static void turn_free(struct turn *t)
{
    map_remove(&t->site->senders, &t->node);
    list_remove(&t->of_site);
    rest_line_done(t->site->queue, &t->rest);
    t->site->n_waking -= t->waking;
    free(t->key);
    free(t);
}

/* As many of its messages at rest are being read back as its line says. */
static void count_waking(struct turn *t)
{
    t->site->n_waking -= t->waking;
    t->waking = t->rest.waking;
    t->site->n_waking += t->waking;
}

static void on_rest_left(struct queue *q, struct rest_line *line)
{
    struct turn *t = CONTAINER_OF(line, struct turn, rest);

    (void)q;
    count_waking(t);
    site_post(t->site);
    if (!t->n && !t->rest.n)
        turn_free(t);
}

/* One with entries is among those whose turn comes, one with nothing but messages at rest among the sleepers. */
static void turn_moves(struct turn *t)
{
    struct site *site = t->site;

    if (!t->n && !t->rest.n) {
        turn_free(t);
        return;
    }
    list_remove(&t->of_site);
    list_append(t->n ? &site->turns : &site->sleepers, &t->of_site);
}

static struct turn *turn_new(struct site *site, struct str key)
{
    struct turn *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    *t = (struct turn){ .site = site, .key = text_copy(key), .rest.left = on_rest_left };
    list_init(&t->of_site);
    list_init(&t->entries);
    if (!t->key || !map_insert(&site->senders, &t->node, str_from_c(t->key))) {
        free(t->key);
        free(t);
        return NULL;
    }
    list_append(&site->sleepers, &t->of_site);
    return t;
}

static struct turn *turn_have(struct site *site, struct str key)
{
    struct map_node *node = map_find(&site->senders, key);

    return node ? CONTAINER_OF(node, struct turn, node) : turn_new(site, key);
}

bool site_line(struct site *site, struct entry *entry, bool first)
{
    const struct message *m = entry->message;
    struct turn *t = turn_have(site, names_text(&m->queue->rests.names, m->who));

    if (!t)
        return false;
    entry->turn = t;
    entry->site = site;
    list_remove(&entry->node);
    if (first)
        list_prepend(&t->entries, &entry->node);
    else
        list_append(&t->entries, &entry->node);
    site->waiting += entry->n;
    site->n_entries++;
    site->n_front += t->n < WOKEN_LEAST;
    if (t->n++ == 0)
        turn_moves(t);
    message_tire(entry->message);
    site_post(site);
    return true;
}

bool site_resume(struct site *site, struct entry *entry)
{
    if (!site_line(site, entry, true))
        return false;
    struct turn *t = entry->turn;
    if (t->deficit < (long)entry->n)
        t->deficit = (long)entry->n;
    list_remove(&t->of_site);
    list_prepend(&site->turns, &t->of_site);
    return true;
}

void turn_leave(struct entry *entry)
{
    struct turn *t = entry->turn;

    list_remove(&entry->node);
    entry->turn = NULL;
    t->site->n_entries--;
    t->site->n_front -= t->n <= WOKEN_LEAST;
    if (--t->n == 0)
        turn_moves(t);
}

void site_unline(struct entry *entry)
{
    struct turn *t = entry->turn;

    list_remove(&entry->node);
    entry_unpark(entry);
    if (!t && entry->site)
        site_post(entry->site); /* it was being read back: another one may be */
    if (!t)
        return;
    entry->site->waiting -= entry->n;
    turn_leave(entry);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Deficit round robin: who has used up what it may send in this round lets the next one go. */
struct entry *site_next(struct site *site, size_t max)
{
    while (!list_empty(&site->turns)) {
        struct turn *t = CONTAINER_OF(site->turns.next, struct turn, of_site);
        struct entry *e = CONTAINER_OF(t->entries.next, struct entry, node);
        if (!t->served)
            t->deficit += QUANTUM;
        t->served = true;
        if (t->deficit >= (long)least(e->n, max))
            return e;
        t->served = false;
        list_remove(&t->of_site);
        list_append(&site->turns, &t->of_site);
    }
    return NULL;
}

/* ---- at rest ---- */

void site_line_rests(struct site *site, struct rest_line *line)
{
    struct queue *q = site->queue;

    for (uint32_t n = line->n; n > 0; n--) {
        struct rest *r = rest_line_first(q, line);
        struct turn *t = turn_have(site, names_text(&q->rests.names, r->who));
        if (!t || !rest_line_add(q, &t->rest, r)) {
            rest_hasten(q, r);
            if (t)
                turn_moves(t);
            continue;
        }
        r->flags |= REST_LINED;
        count_waking(t);
    }
    site_post(site);
}

static uint32_t wake_some(struct site *site, struct list *turns, uint32_t wanted)
{
    struct list seen;
    uint32_t begun = 0;

    list_init(&seen);
    while (begun < wanted && !list_empty(turns)) {
        struct turn *t = CONTAINER_OF(turns->next, struct turn, of_site);
        list_remove(&t->of_site);
        list_append(&seen, &t->of_site);
        if (!t->rest.n)
            continue;
        uint32_t share = wanted - begun < WOKEN_LEAST || list_empty(turns) ? wanted - begun : WOKEN_LEAST;
        begun += rest_line_wake(site->queue, &t->rest, t->rest.waking + share);
        count_waking(t);
    }
    for (struct list *node; (node = list_take(&seen));)
        list_append(turns, node);
    return begun;
}

/* Of a sender with thousands awake only the first few count where it is about those of whom none is. */
void site_wake(struct site *site, size_t wanted)
{
    size_t first = site->n_front + site->n_waking, there = site->n_entries + site->n_waking;

    if (first < wanted)
        there += wake_some(site, &site->sleepers, (uint32_t)(wanted - first));
    if (there < wanted)
        (void)wake_some(site, &site->turns, (uint32_t)(wanted - there));
}

void site_rests_end(struct site *site)
{
    /* A line ends with the last that leaves it. */
    while (!list_empty(&site->sleepers)) {
        struct turn *t = CONTAINER_OF(site->sleepers.next, struct turn, of_site);
        rest_line_hasten(site->queue, &t->rest);
    }
}
