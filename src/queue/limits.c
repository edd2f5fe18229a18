/*
 * queue/limits.c -- what a site bears and is allowed: its window and its rate (DESIGN 6, FACE 1.9). Its pauses: pauses.c.
 *
 * They belong to a site that the configuration names, with all the sets of hosts it has, or else to one set
 * of hosts of one route (docs/adr/0019).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "queue/queue.h"

enum { CODE_CLOSING = 421 };

/* ---- values ---- */

/* Of a route to a named site, made once in each generation. */
struct merged {
    struct list node;
    uint32_t route, named;
    struct config_sending sending;
};

const struct config_sending *limits_sending(struct queue *q, uint32_t route, const struct config_site *named)
{
    const struct config *config = q->worker->config;
    const struct config_sending *own =
        route < config->n_routes ? &config->routes[route].sending : &config->sending;

    if (!named)
        return own;
    LIST_FOR(node, &q->schedule.merged) {
        struct merged *m = CONTAINER_OF(node, struct merged, node);
        if (m->route == route && m->named == named->index)
            return &m->sending;
    }
    struct merged *m = calloc(1, sizeof(*m));
    if (!m)
        return own;
    m->route = route;
    m->named = (uint32_t)named->index;
    config_sending_merge(own, &named->sending, &m->sending);
    list_append(&q->schedule.merged, &m->node);
    return &m->sending;
}

void limits_forget_values(struct queue *q)
{
    for (struct list *node; (node = list_take(&q->schedule.merged));)
        free(CONTAINER_OF(node, struct merged, node));
}

/* ---- what is told ---- */

/* What holds it, for people who ask later. */
char *limits_cause(const char *cause, struct str reply)
{
    struct buf words = BUF_INIT(1024);

    if (reply.n)
        buf_printf(&words, "%s: %.*s", cause, STR_ARG(reply));
    else
        buf_add_c(&words, cause);
    char *text = text_copy(buf_str(&words));
    buf_done(&words);
    return text;
}

void limits_say(struct site_limits *l, const char *state, const char *cause, int64_t until_msec,
                struct str reply)
{
    struct log_record rec;
    uint32_t now = window_connections(&l->window);

    log_start(&rec, LOG_EVENT_SITE);
    log_text_c(&rec, LOG_SITE, l->name);
    log_number(&rec, LOG_WINDOW, now);
    log_number(&rec, LOG_WAS, l->said);
    log_text_c(&rec, LOG_CAUSE, cause);
    log_text_c(&rec, LOG_STATE, state);
    if (until_msec && until_msec < SITE_UNTIL_RESUMED)
        log_time(&rec, LOG_NEXT, io_wall_msec() + until_msec - queue_now(l->queue));
    if (reply.n)
        log_text(&rec, LOG_REPLY, reply);
    log_send(&rec);
    l->said = now;
}

void limits_tell(struct site_limits *l, struct str reply)
{
    struct window_news news;

    if (!window_news(&l->window, &news))
        return;
    if (news.now > news.was)
        reply = STR_NONE;
    free(l->cause);
    l->cause = limits_cause(news.cause, reply);
    l->said = news.was;
    limits_say(l, "open", news.cause, 0, reply);
}

/* ---- room ---- */

void limits_post(struct site_limits *l)
{
    LIST_FOR(node, &l->sites) {
        struct site *site = CONTAINER_OF(node, struct site, of_limits);
        if (!site->dead_until_msec)
            site_unpark(site);
        site_post(site);
    }
}

/* It is looked at when there is room, after those that wait already. */
static void wait_for_room(struct site *site)
{
    if (list_empty(&site->hungry))
        list_append(&site->limits->hungry, &site->hungry);
}

void limits_room(struct site_limits *l)
{
    struct list *node = list_take(&l->hungry);

    if (node)
        site_post(CONTAINER_OF(node, struct site, hungry));
}

bool limits_may_work(const struct site *site)
{
    return site->limits->n_busy < window_working(&site->limits->window);
}

bool limits_has_too_many_at_work(const struct site *site)
{
    return site->limits->n_busy > window_working(&site->limits->window);
}

bool limits_may_open(struct site *site)
{
    struct site_limits *l = site->limits;

    if (!l->n_connections || (limits_may_work(site) &&
                              window_may_open(&l->window, queue_now(l->queue), (uint32_t)l->n_connections)))
        return true;
    /* It waits for the next one that ends; one of another set of hosts that has nothing to do ends now. */
    wait_for_room(site);
    LIST_FOR(node, &l->spare) {
        struct connection *c = CONTAINER_OF(node, struct connection, spare);
        if (c->site == site)
            continue;
        connection_close(c);
        break;
    }
    return false;
}

bool limits_has_surplus(const struct site *site)
{
    return site->limits->n_connections > window_connections(&site->limits->window);
}

/* ---- rate ---- */

int64_t limits_wait(struct site_limits *l)
{
    int64_t now = queue_now(l->queue);

    if (l->paused_until_msec > now)
        return l->paused_until_msec - now;
    if (!l->rate.share)
        return 0;
    policy_bucket_fill(&l->bucket, &l->rate, now);
    return policy_bucket_wait(&l->bucket, &l->rate, 1);
}

bool limits_allow(struct site *site)
{
    struct site_limits *l = site->limits;
    int64_t wait = limits_wait(l);

    if (!wait)
        return true;
    wait_for_room(site);
    if (!wheel_is_set(&l->wake) && wait < SITE_UNTIL_RESUMED / 2)
        queue_wait(l->queue, &l->wake, queue_now(l->queue) + wait);
    return false;
}

void limits_sent(struct site *site)
{
    struct site_limits *l = site->limits;

    if (l->rate.share)
        policy_bucket_take(&l->bucket, &l->rate, 1);
}

/* The pause is over; or the rate allows the next, which is one set of hosts' at a time, so that they take turns. */
static void on_wake(struct wheel_node *node)
{
    struct site_limits *l = CONTAINER_OF(node, struct site_limits, wake);

    if (l->paused_until_msec && !limits_are_paused(l)) {
        l->paused_until_msec = 0;
        limits_say(l, "open", "the pause is over", 0, STR_NONE);
        limits_post(l);
        return;
    }
    limits_room(l);
    if (!list_empty(&l->hungry))
        queue_wait(l->queue, &l->wake, queue_now(l->queue) + limits_wait(l));
}

/* ---- what is heard of the hosts ---- */

void limits_hear(struct site *site, const struct window_sample *sample, struct str reply)
{
    struct site_limits *l = site->limits;

    if (site->retired)
        return;
    window_ended(&l->window, sample);
    limits_tell(l, sample->put_off ? reply : STR_NONE);
}

void limits_refused(struct site *site, const struct outcome *why)
{
    struct site_limits *l = site->limits;

    window_refused(&l->window, queue_now(l->queue), (uint32_t)l->n_connections, why->code == CODE_CLOSING,
                   log_reason_text(why->reason));
    /* As long as none stands it is open whether this is a limit, or nobody is there. */
    if (site->n_connections > site->n_opening)
        limits_tell(l, why->text);
}

void limits_restart(struct site *site)
{
    struct site_limits *l = site->limits;

    window_restart(&l->window, queue_now(l->queue));
}

/* ---- their life ---- */

static void limits_free(struct site_limits *l)
{
    if (!l)
        return;
    wheel_unset(&l->queue->wheel, &l->wake);
    free(l->called);
    free(l->place);
    free(l->name);
    free(l->cause);
    free(l->pause_cause);
    free(l);
}

static struct site_limits *limits_new(struct site *site, char *called, bool named)
{
    struct queue *q = site->queue;
    const struct config_sending *s = site_sending(site);
    struct site_limits *l = called ? calloc(1, sizeof(*l)) : NULL;

    if (!l) {
        free(called);
        return NULL;
    }
    *l = (struct site_limits){
        .queue = q,
        .called = called,
        .place = text_copy(str_from_c(site_place(site).c)),
        .name = text_copy(str_from_c(called)),
        .named = named,
        .serial = ++q->schedule.limits_made,
    };
    list_init(&l->sites);
    list_init(&l->twins);
    list_init(&l->hungry);
    list_init(&l->spare);
    wheel_node_init(&l->wake, on_wake);
    window_init(&l->window, (uint32_t)s->connections.start, (uint32_t)s->connections.max);
    l->said = window_connections(&l->window);
    if (s->rate.count)
        l->rate = policy_rate_make(s->rate.count, s->rate.msec);
    l->bucket.msec = queue_now(q);
    if (l->place && l->name)
        return l;
    limits_free(l);
    return NULL;
}

/* The first site of new ones. */
static bool begin(struct site *site, char *called, bool named)
{
    struct site_limits *l = limits_new(site, called, named);

    if (!l)
        return false;
    site->limits = l;
    list_append(&l->sites, &site->of_limits);
    if (limits_in(l)) {
        limits_take_pause(l);
        return true;
    }
    list_remove(&site->of_limits);
    limits_free(l);
    return false;
}

bool limits_join(struct site *site, const struct config_site *named, char *called)
{
    struct site_limits *l = named ? limits_named(site->queue, named) : NULL;

    if (!l)
        return begin(site, called, named != NULL);
    free(called);
    site->limits = l;
    list_append(&l->sites, &site->of_limits);
    return true;
}

void limits_leave(struct site *site)
{
    struct site_limits *l = site->limits;

    list_remove(&site->hungry);
    /* What it is called depends on a site of it: while there is one. */
    if (l->sites.next->next == &l->sites)
        limits_out(l);
    list_remove(&site->of_limits);
    if (list_empty(&l->sites))
        limits_free(l);
}

void limits_retire(struct site_limits *l)
{
    limits_out(l);
    l->named = false;
}
