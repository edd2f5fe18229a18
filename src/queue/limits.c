/*
 * queue/limits.c -- what a site bears and is allowed: its window, its rate, its pauses (DESIGN 6, FACE 1.9).
 *
 * They belong to a site that the configuration names, with all the sets of hosts it has, or else to one set
 * of hosts of one route (docs/adr/0019).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "queue/on_reply.h"
#include "queue/queue.h"

enum { SLOW_AGAIN_MSEC = 5000, PAUSES_MAX = 4096, CODE_CLOSING = 421 };

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
static void keep_cause(struct site_limits *l, const char *cause, struct str reply)
{
    struct buf words = BUF_INIT(1024);

    free(l->cause);
    if (reply.n)
        buf_printf(&words, "%s: %.*s", cause, STR_ARG(reply));
    else
        buf_add_c(&words, cause);
    l->cause = text_copy(buf_str(&words));
    buf_done(&words);
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

static void say_news(struct site_limits *l, struct str reply)
{
    struct window_news news;

    if (!window_news(&l->window, &news))
        return;
    if (news.now > news.was)
        reply = STR_NONE;
    keep_cause(l, news.cause, reply);
    l->said = news.was;
    limits_say(l, "open", news.cause, 0, reply);
}

/* ---- room ---- */

static void post_all(struct site_limits *l)
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

/* ---- rate and pauses ---- */

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

bool limits_are_paused(const struct site_limits *l)
{
    return l->paused_until_msec > queue_now(l->queue);
}

/* The pause is over; or the rate allows the next, which is one set of hosts' at a time, so that they take turns. */
static void on_wake(struct wheel_node *node)
{
    struct site_limits *l = CONTAINER_OF(node, struct site_limits, wake);

    if (l->paused_until_msec && !limits_are_paused(l)) {
        l->paused_until_msec = 0;
        limits_say(l, "open", "the pause is over", 0, STR_NONE);
        post_all(l);
        return;
    }
    limits_room(l);
    if (!list_empty(&l->hungry))
        queue_wait(l->queue, &l->wake, queue_now(l->queue) + limits_wait(l));
}

void limits_pause(struct site_limits *l, int64_t until_msec, const char *cause, struct str reply)
{
    if (l->paused_until_msec >= until_msec)
        return;
    l->paused_until_msec = until_msec;
    keep_cause(l, cause, reply);
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
    post_all(l);
    return true;
}

/* ---- pauses by the operator: by name, so that they outlive their sites ---- */

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

static void take_pause(struct site_limits *l)
{
    const struct site_pause *p = pause_of(l->queue, str_from_c(l->name));

    if (p && p->until_msec > queue_now(l->queue))
        limits_pause(l, p->until_msec, p->cause, STR_NONE);
}

/* ---- what is heard of the hosts ---- */

void limits_hear(struct site *site, const struct window_sample *sample, struct str reply)
{
    struct site_limits *l = site->limits;

    if (site->retired)
        return;
    window_ended(&l->window, sample);
    say_news(l, sample->put_off ? reply : STR_NONE);
}

void limits_refused(struct site *site, const struct outcome *why)
{
    struct site_limits *l = site->limits;

    window_refused(&l->window, queue_now(l->queue), (uint32_t)l->n_connections, why->code == CODE_CLOSING,
                   log_reason_text(why->reason));
    /* As long as none stands it is open whether this is a limit, or nobody is there. */
    if (site->n_connections > site->n_opening)
        say_news(l, why->text);
}

void limits_restart(struct site *site)
{
    struct site_limits *l = site->limits;

    window_restart(&l->window, queue_now(l->queue));
    l->said = window_connections(&l->window);
}

/* "on-reply of veredus.conf:12" */
static const char *rule_text(const struct site_limits *l, const struct config_on_reply *rule, struct buf *out)
{
    struct config_place_text place = config_rule(l->queue->worker->config, rule->place);

    buf_clear(out);
    buf_printf(out, "on-reply of %s", place.c);
    return buf_add_char(out, '\0') ? out->p : "on-reply";
}

/* Half of the window at once; those that were told the same at the same time do not take more. */
static void slow(struct site_limits *l, const char *cause, struct str reply)
{
    int64_t now = queue_now(l->queue);

    if (l->slowed_msec && now < l->slowed_msec + SLOW_AGAIN_MSEC)
        return;
    l->slowed_msec = now;
    window_slow(&l->window, now, cause);
    say_news(l, reply);
}

/* Another configuration does not end it. */
static void pause_by_rule(struct site_limits *l, const struct config_on_reply *rule, const char *cause,
                          struct str reply)
{
    int64_t until = queue_now(l->queue) + (int64_t)rule->msec;

    if (l->paused_until_msec >= until)
        return;
    /* Without memory for that it ends with this configuration. */
    (void)!limits_note_pause(l->queue, str_from_c(l->name), until, str_from_c(cause));
    limits_pause(l, until, cause, reply);
}

const struct config_on_reply *limits_reply(struct site *site, struct outcome *o)
{
    struct site_limits *l = site->limits;
    const struct config_on_reply *rule;
    struct buf cause = BUF_INIT(4096);

    if (!o->from_peer || o->result == IPC_OK)
        return NULL;
    rule = on_reply_find(&site_sending(site)->on_replies, o->code, o->status, o->text);
    if (!rule)
        return NULL;
    switch (rule->action) {
    case CONFIG_REPLY_SLOW:
        slow(l, rule_text(l, rule, &cause), o->text);
        break;
    case CONFIG_REPLY_FAIL:
        o->result = IPC_PERM;
        break;
    case CONFIG_REPLY_PAUSE:
        pause_by_rule(l, rule, rule_text(l, rule, &cause), o->text);
        o->result = IPC_TEMP;
        break;
    case CONFIG_REPLY_HOLD:
    case CONFIG_REPLY_DEFER:
        o->result = IPC_TEMP;
        break;
    }
    buf_done(&cause);
    return rule;
}

void limits_hold(struct site *site, struct message *m, const struct config_on_reply *rule,
                 const struct outcome *o)
{
    struct buf words = BUF_INIT(4096);

    buf_printf(&words, "%.*s (on-reply of %s)", STR_ARG(o->text),
               config_rule(site->queue->worker->config, rule->place).c);
    message_hold(m, LOG_REASON_POLICY, buf_str(&words));
    buf_done(&words);
}

/* ---- their life ---- */

static struct site_limits *limits_new(struct site *site, char *name, bool named)
{
    struct queue *q = site->queue;
    const struct config_sending *s = site_sending(site);
    struct site_limits *l = name ? calloc(1, sizeof(*l)) : NULL;

    if (!l) {
        free(name);
        return NULL;
    }
    *l =
        (struct site_limits){ .queue = q, .name = name, .named = named, .serial = ++q->schedule.limits_made };
    list_init(&l->sites);
    list_init(&l->hungry);
    list_init(&l->spare);
    wheel_node_init(&l->wake, on_wake);
    window_init(&l->window, (uint32_t)s->connections.start, (uint32_t)s->connections.max);
    l->said = window_connections(&l->window);
    if (s->rate.count)
        l->rate = policy_rate_make(s->rate.count, s->rate.msec);
    l->bucket.msec = queue_now(q);
    if (!named || map_insert(&q->schedule.named, &l->node, str_from_c(l->name)))
        return l;
    free(l->name);
    free(l);
    return NULL;
}

bool limits_join(struct site *site, const struct config_site *named, char *name)
{
    struct queue *q = site->queue;
    struct map_node *node = named ? map_find(&q->schedule.named, named->name.text) : NULL;
    struct site_limits *l;
    bool is_new = !node;

    if (node)
        free(name);
    l = node ? CONTAINER_OF(node, struct site_limits, node) : limits_new(site, name, named != NULL);
    if (!l)
        return false;
    site->limits = l;
    site->name = l->name;
    list_append(&l->sites, &site->of_limits);
    if (is_new)
        take_pause(l);
    return true;
}

void limits_leave(struct site *site)
{
    struct site_limits *l = site->limits;

    list_remove(&site->of_limits);
    list_remove(&site->hungry);
    if (!list_empty(&l->sites))
        return;
    limits_retire(l);
    wheel_unset(&l->queue->wheel, &l->wake);
    free(l->name);
    free(l->cause);
    free(l);
}

void limits_retire(struct site_limits *l)
{
    if (l->named)
        map_remove(&l->queue->schedule.named, &l->node);
    l->named = false;
}
