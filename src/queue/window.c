/* queue/window.c */
#include "queue/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    ROUND_MIN = 20, /* transactions before anything is judged: below, chance speaks */
    TRIAL_MIN = 40, /* before a trial, and in one; for that long at least: */
    TRIAL_MSEC = 2000,
    SHARE_COUNT_MIN = 5, /* 4yz, likewise */
    REOPEN_MSEC = 1000,
    PATIENCE_MSEC = 15000,
    PATIENCE_MAX_MSEC = 600000,
};

/*
 * ALARM: latency against its norm, half as long again. RELIEF: a third less. SHARE: of 4yz beyond their norm.
 * ENOUGH: what fewer connections have to bring of what all brought. REFUSES: less than that is taken. USED:
 * of the window.
 */
static const double ALARM = 0.585, RELIEF = 0.6, SHARE = 0.10, ENOUGH = 0.8, REFUSES = 0.4, USED = 0.8,
                    CHANCE = 4;

static double at_least_one(double n)
{
    return n < 1 ? 1 : n;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* ---- numbers ---- */

/* Logarithm to base 2; between powers of two a parabola, wrong by less than 0.01. */
static double log2_of(int64_t usec)
{
    uint64_t n = usec > 0 ? (uint64_t)usec : 1;
    int whole = 63 - __builtin_clzll(n);
    double part = (double)n / (double)(1ULL << whole) - 1;

    return whole + part + 0.344 * part * (1 - part);
}

/* Likewise. */
static double power_of_2(double e)
{
    int whole = (int)e - (e < 0);
    double part = e - whole, n = 1 + part * (0.656 + 0.344 * part);

    for (; whole > 0; whole--)
        n *= 2;
    for (; whole < 0; whole++)
        n /= 2;
    return n;
}

static void view_add(struct window_view *v, const struct window_sample *s)
{
    v->n++;
    v->put_off += s->put_off;
    v->in_use += s->in_use;
    v->latency += log2_of(s->latency_usec);
}

static struct window_pace pace_of(const struct window_view *v)
{
    return (struct window_pace){
        .in_use = (double)v->in_use / v->n,
        .latency = v->latency / v->n,
        .good = (double)(v->n - v->put_off) / v->n,
    };
}

/* ---- 4yz in the last minute ---- */

static void span_add(struct window *w, const struct window_sample *s)
{
    int64_t part = s->now_msec / WINDOW_PART_MSEC;
    struct window_part *p = &w->parts[part % WINDOW_PARTS];

    if (p->part != part)
        *p = (struct window_part){ .part = part };
    p->n++;
    p->put_off += s->put_off;
    p->failed += s->failed;
    p->latency_usec += s->latency_usec > 0 ? (uint64_t)s->latency_usec : 0;
}

static void span_forget(struct window *w)
{
    memset(w->parts, 0, sizeof(w->parts));
}

struct window_part window_lately(const struct window *w, int64_t now_msec)
{
    int64_t newest = now_msec / WINDOW_PART_MSEC;
    struct window_part all = { .part = newest };

    for (size_t i = 0; i < WINDOW_PARTS; i++) {
        const struct window_part *p = &w->parts[i];
        if (p->part <= newest - WINDOW_PARTS)
            continue;
        all.n += p->n;
        all.put_off += p->put_off;
        all.failed += p->failed;
        all.latency_usec += p->latency_usec;
    }
    return all;
}

/* ---- what is known ---- */

static void set_size(struct window *w, double size, const char *cause)
{
    w->size = least(at_least_one(size), w->max);
    if (cause != w->cause)
        snprintf(w->cause, sizeof(w->cause), "%s", cause);
}

/* Not above SIZE for a while; for longer each time that it is met again. */
static void set_bound(struct window *w, int64_t now_msec, double size)
{
    if (!w->patience_msec)
        w->patience_msec = PATIENCE_MSEC;
    else if (now_msec >= w->bound_msec)
        w->patience_msec =
            w->patience_msec * 2 < PATIENCE_MAX_MSEC ? w->patience_msec * 2 : PATIENCE_MAX_MSEC;
    w->bound = size;
    w->bound_msec = now_msec + w->patience_msec;
}

/* It may grow again; of what was learnt half is kept. */
static void doubt_bound(struct window *w)
{
    w->bound_msec = 0;
    if (w->patience_msec > PATIENCE_MSEC)
        w->patience_msec /= 2;
}

static void begin_round(struct window *w, int64_t now_msec)
{
    w->round = (struct window_view){ 0 };
    w->since_msec = now_msec;
}

static void end_trial(struct window *w, int64_t now_msec)
{
    w->on_trial = 0;
    begin_round(w, now_msec);
}

/* ---- trials ---- */

static void begin_trial(struct window *w, const struct window_pace *before)
{
    w->before = *before;
    w->on_trial = (uint32_t)at_least_one(before->in_use / 2);
    begin_round(w, -1);
}

/* What the fewer bring of what all brought. */
static double rest_of(const struct window_pace *all, const struct window_pace *fewer)
{
    if (all->good <= 0 || fewer->good <= 0)
        return all->good <= 0;
    return fewer->in_use / all->in_use * power_of_2(all->latency - fewer->latency) * fewer->good / all->good;
}

static void not_our_doing(struct window *w, int64_t now_msec)
{
    w->norm = w->before.latency;
    w->norm_share = least(w->share > 1 - w->before.good ? w->share : 1 - w->before.good, 1 - REFUSES);
    if (w->before.in_use > w->bound * 1.6)
        doubt_bound(w);
    end_trial(w, now_msec);
}

/* Who refuses most of what comes is not asked as often, though nothing is gained. */
static void wears_on_it(struct window *w, int64_t now_msec)
{
    span_forget(w);
    set_size(w, w->before.in_use * 0.75, w->doubt);
    set_bound(w, now_msec, w->size);
    end_trial(w, now_msec);
}

/* Fewer do as well: and fewer still? */
static void fewer_will_do(struct window *w, int64_t now_msec, const struct window_pace *fewer)
{
    span_forget(w);
    set_size(w, w->on_trial, w->doubt);
    set_bound(w, now_msec, w->size);
    w->norm = fewer->latency;
    w->norm_share = least(1 - fewer->good, 1 - REFUSES);
    w->share = w->norm_share;
    end_trial(w, now_msec);
    if (fewer->in_use >= 1.5)
        begin_trial(w, fewer);
}

/* False: it began before, when others had work, too. */
static bool view_round(struct window *w, const struct window_sample *s)
{
    if (s->now_msec - s->latency_usec / 1000 < w->since_msec)
        return false;
    view_add(&w->round, s);
    return true;
}

static bool has_seen_some(const struct window *w, double connections)
{
    return w->round.n >= ROUND_MIN && w->round.n >= 2 * connections;
}

static bool has_seen_enough(const struct window *w, const struct window_sample *s, double connections)
{
    return has_seen_some(w, connections) && w->round.n >= TRIAL_MIN &&
           s->now_msec >= w->since_msec + TRIAL_MSEC;
}

static void trial_hears(struct window *w, const struct window_sample *s)
{
    if (s->in_use > w->on_trial) /* those that had work before finish it */
        return;
    if (w->since_msec < 0)
        w->since_msec = s->now_msec;
    if (!view_round(w, s) || !has_seen_enough(w, s, w->on_trial))
        return;

    struct window_pace fewer = pace_of(&w->round);
    if (w->before.in_use < fewer.in_use * 1.2)
        end_trial(w, s->now_msec); /* there was less to do meanwhile: it shows nothing */
    else if (rest_of(&w->before, &fewer) >= ENOUGH)
        fewer_will_do(w, s->now_msec, &fewer);
    else if (w->before.good < REFUSES)
        wears_on_it(w, s->now_msec);
    else
        not_our_doing(w, s->now_msec);
}

/* ---- rounds ---- */

static bool is_used(const struct window *w, const struct window_pace *p)
{
    return p->in_use >= USED * window_connections(w);
}

/* Twice as many as long as nothing has spoken against it; later by a quarter, by one at least. */
static void grow(struct window *w)
{
    double step = w->patience_msec ? w->size / 4 : w->size;

    set_size(w, w->size + at_least_one(step), "it bears more");
}

/* The norm follows quickly to what is better, and slowly to what is worse. */
static void learn_norm(struct window *w, double latency)
{
    if (!w->has_norm)
        w->norm = latency;
    w->has_norm = true;
    if (latency < w->norm - RELIEF)
        w->bound_msec = 0;
    w->norm += (latency - w->norm) / (latency < w->norm ? 4 : 64);
}

static bool is_slower(struct window *w, const struct window_pace *p)
{
    bool slower = w->has_norm && p->in_use >= 1.5 && is_used(w, p) && p->latency > w->norm + ALARM;

    if (slower)
        snprintf(w->doubt, sizeof(w->doubt), "latency %.1fx", power_of_2(p->latency - w->norm));
    return slower;
}

/* The fewer there were, the more it takes. */
static bool is_more(const struct window *w, uint32_t put_off, uint32_t n)
{
    return put_off >= SHARE_COUNT_MIN && (double)put_off / n > w->norm_share + SHARE + CHANCE / n;
}

/* In the last minute, or, when it is new, in this round. */
static bool is_put_off(struct window *w, const struct window_pace *p, int64_t now_msec)
{
    struct window_part span = window_lately(w, now_msec);
    bool lately = is_more(w, w->round.put_off, w->round.n);

    if (p->in_use < 1.5 || (!lately && !is_more(w, span.put_off, span.n)))
        return false;
    w->share = 1 - p->good;
    if (lately)
        snprintf(w->doubt, sizeof(w->doubt), "4yz %.0f%% of the last %" PRIu32, 100 * w->share, w->round.n);
    else
        snprintf(w->doubt, sizeof(w->doubt), "4yz %.0f%% in %ds", 100.0 * span.put_off / span.n,
                 WINDOW_PARTS * WINDOW_PART_MSEC / 1000);
    return true;
}

static void round_hears(struct window *w, const struct window_sample *s)
{
    if (!view_round(w, s) || !has_seen_some(w, w->size))
        return;

    struct window_pace p = pace_of(&w->round);
    bool alarm = is_put_off(w, &p, s->now_msec) || is_slower(w, &p);
    if (alarm && !has_seen_enough(w, s, w->size))
        return; /* it may be chance */
    learn_norm(w, p.latency);
    begin_round(w, s->now_msec);
    if (alarm)
        begin_trial(w, &p);
    else if (w->size < w->max && s->now_msec >= w->bound_msec && is_used(w, &p))
        grow(w);
}

/* ---- for the site ---- */

void window_init(struct window *w, uint32_t start, uint32_t max)
{
    *w = (struct window){ .start = start, .max = max };
    set_size(w, start, "");
    w->said = window_connections(w);
}

uint32_t window_connections(const struct window *w)
{
    return (uint32_t)w->size;
}

bool window_may_open(const struct window *w, int64_t now_msec, uint32_t standing)
{
    return standing < window_connections(w) && now_msec >= w->open_msec;
}

uint32_t window_working(const struct window *w)
{
    uint32_t all = window_connections(w);

    return w->on_trial && w->on_trial < all ? w->on_trial : all;
}

void window_ended(struct window *w, const struct window_sample *s)
{
    span_add(w, s);
    if (s->in_use > w->borne)
        w->borne = s->in_use;
    if (w->on_trial)
        trial_hears(w, s);
    else
        round_hears(w, s);
}

void window_refused(struct window *w, int64_t now_msec, uint32_t standing, bool by_reply, const char *why)
{
    char cause[WINDOW_CAUSE_MAX];
    double size = at_least_one(standing);

    /* It bore more a moment ago: it may not have noticed yet that one of them is gone. That is believed once.
     */
    if (size + 0.5 < w->borne) {
        w->borne = size + 0.5;
        w->open_msec = now_msec + REOPEN_MSEC;
        return;
    }
    if (by_reply)
        snprintf(cause, sizeof(cause), "limits connections to %.0f", size);
    else
        snprintf(cause, sizeof(cause), "%s", why);
    if (size < w->size)
        set_size(w, size, cause);
    set_bound(w, now_msec, w->size);
    end_trial(w, now_msec);
}

void window_slow(struct window *w, int64_t now_msec, const char *why)
{
    set_size(w, w->size / 2, why);
    set_bound(w, now_msec, w->size);
    end_trial(w, now_msec);
}

void window_restart(struct window *w, int64_t now_msec)
{
    set_size(w, w->start, "it answers again");
    w->bound_msec = w->patience_msec = 0;
    end_trial(w, now_msec);
    w->has_norm = false;
    w->norm_share = 0;
    w->said = window_connections(w);
}

bool window_news(struct window *w, struct window_news *news)
{
    uint32_t now = window_connections(w);

    if (now == w->said)
        return false;
    *news = (struct window_news){ .was = w->said, .now = now, .cause = w->cause };
    w->said = now;
    return true;
}
