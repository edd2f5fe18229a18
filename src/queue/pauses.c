/*
 * queue/pauses.c -- nothing goes to a site for a while: by the operator, or because `on-reply` says so (FACE 1.9, 2.1).
 *
 * A pause is kept by the name of its site, so that it outlives the site and the configuration.
 */
#include <stdlib.h>

#include "queue/queue.h"

enum { PAUSES_MAX = 4096 };

bool limits_are_paused(const struct site_limits *l)
{
    return l->paused_until_msec > queue_now(l->queue);
}

void limits_pause(struct site_limits *l, int64_t until_msec, const char *cause, struct str reply)
{
    if (l->paused_until_msec >= until_msec)
        return;
    l->paused_until_msec = until_msec;
    free(l->pause_cause);
    l->pause_cause = limits_cause(cause, reply);
    limits_say(l, "paused", cause, until_msec, reply);
    wheel_unset(&l->queue->wheel, &l->wake);
    if (until_msec < SITE_UNTIL_RESUMED)
        queue_wait(l->queue, &l->wake, until_msec);
    LIST_FOR(node, &l->sites) {
        site_post(CONTAINER_OF(node, struct site, of_limits));
    }
}

bool limits_resume(struct site_limits *l, const char *cause)
{
    if (!limits_are_paused(l))
        return false;
    l->paused_until_msec = 0;
    wheel_unset(&l->queue->wheel, &l->wake);
    limits_say(l, "open", cause, 0, STR_NONE);
    limits_post(l);
    return true;
}

/* ---- by name ---- */

static struct site_pause *pause_of(struct queue *q, struct str name)
{
    LIST_FOR(node, &q->schedule.pauses) {
        struct site_pause *p = CONTAINER_OF(node, struct site_pause, node);
        if (str_eq_nocase(str_from_c(p->name), name))
            return p;
    }
    return NULL;
}

static void pause_free(struct queue *q, struct site_pause *p)
{
    list_remove(&p->node);
    q->schedule.n_pauses--;
    free(p->name);
    free(p->cause);
    free(p);
}

static void forget_old_pauses(struct queue *q)
{
    for (struct list *node = q->schedule.pauses.next, *next; node != &q->schedule.pauses; node = next) {
        struct site_pause *p = CONTAINER_OF(node, struct site_pause, node);
        next = node->next;
        if (p->until_msec <= queue_now(q))
            pause_free(q, p);
    }
}

bool limits_note_pause(struct queue *q, struct str name, int64_t until_msec, struct str cause)
{
    struct site_pause *p;

    forget_old_pauses(q);
    p = pause_of(q, name);
    if (p)
        pause_free(q, p);
    if (q->schedule.n_pauses == PAUSES_MAX)
        return false;
    p = calloc(1, sizeof(*p));
    if (!p)
        return false;
    *p = (struct site_pause){ .name = text_copy(name), .cause = text_copy(cause), .until_msec = until_msec };
    list_append(&q->schedule.pauses, &p->node);
    q->schedule.n_pauses++;
    if (p->name && p->cause)
        return true;
    pause_free(q, p);
    return false;
}

bool limits_forget_pause(struct queue *q, struct str name)
{
    struct site_pause *p = pause_of(q, name);

    if (p)
        pause_free(q, p);
    return p != NULL;
}

/* One that means L; NULL: none. */
static struct site_pause *pause_for(const struct site_limits *l)
{
    LIST_FOR(node, &l->queue->schedule.pauses) {
        struct site_pause *p = CONTAINER_OF(node, struct site_pause, node);
        if (limits_are_called(l, str_from_c(p->name)))
            return p;
    }
    return NULL;
}

/* Of those that P means beside L, each has one of its own from now on. Without memory it ends with this configuration. */
static void share_out(const struct site_limits *l, const struct site_pause *p)
{
    LIST_FOR(node, &l->twins) {
        const struct site_limits *twin = CONTAINER_OF(node, struct site_limits, twins);
        if (limits_are_paused(twin) && limits_are_called(twin, str_from_c(p->name)))
            (void)!limits_note_pause(l->queue, str_from_c(twin->name), p->until_msec, str_from_c(p->cause));
    }
}

void limits_forget_pauses(struct site_limits *l)
{
    for (struct site_pause *p; (p = pause_for(l));) {
        share_out(l, p);
        pause_free(l->queue, p);
    }
}

void limits_take_pause(struct site_limits *l)
{
    const struct site_pause *p = pause_for(l);

    if (p && p->until_msec > queue_now(l->queue))
        limits_pause(l, p->until_msec, p->cause, STR_NONE);
}
