/* config/value_send.c -- how mail goes along a route: windows, waits, and what a report returns. */
#include "config/args.h"
#include "config/number.h"

enum { TIMES_MAX = 32, IDLE_MSEC_MAX = 5 * 60 * 1000, REUSE_IDLE_MSEC = 10 * 1000 };

static const uint64_t RATE_MSEC_MAX = 31ULL * 24 * 3600 * 1000;

/* The default of START when COUNT alone is written (FACE 1.9: 20 start 5). */
enum { WINDOW_START = 5, BOUNCE_SIZE = 50 * 1024 };

/* `COUNT [start COUNT]` */
bool config_value_window(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_window *window = &out->window;

    if (!w)
        return false;
    window->place = w->place;
    if (!config_args_number(a, w, &window->max))
        return false;
    window->start = window->max < WINDOW_START ? window->max : WINDOW_START;
    if (!(w = config_args_next(a)))
        return true;
    if (!str_eq(w->text, STR("start")))
        return config_args_refuse(a, w, "'start', the only word that may stand here");
    w = config_args_need(a);
    if (!w || !config_args_number(a, w, &window->start))
        return false;
    return window->start <= window->max || config_args_refuse(a, w, "a start below the most connections");
}

/* `COUNT/TIME`, or `none`. Its bounds let COUNT x TIME fit 64 bits. */
bool config_value_rate(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_rate *rate = &out->rate;

    if (!w)
        return false;
    rate->place = w->place;
    if (str_eq(w->text, STR("none")))
        return true;
    if (!config_args_rate(a, w, &rate->count, &rate->msec))
        return false;
    if (rate->count < a->s->directive->least || rate->count > a->s->directive->most)
        return config_args_refuse(a, w, "within reason: one message at least");
    return rate->msec <= RATE_MSEC_MAX || config_args_refuse(a, w, "a rate by the month or less");
}

/* `COUNT [TIME]` */
bool config_value_reuse(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_reuse *reuse = &out->reuse;

    if (!w)
        return false;
    *reuse = (struct config_reuse){ .idle_msec = REUSE_IDLE_MSEC, .place = w->place };
    if (!config_args_number(a, w, &reuse->count))
        return false;
    if (!(w = config_args_next(a)))
        return true;
    if (!config_number_time(w->text, &reuse->idle_msec) || reuse->idle_msec > IDLE_MSEC_MAX)
        return config_args_refuse(a, w, "a time of five minutes at most, such as 10s");
    return true;
}

/* Ages only grow; waits may do as they like. */
static bool check_order(struct config_args *a, const struct config_times *times)
{
    if (a->s->directive->id != CONFIG_DIRECTIVE_DELAY_WARNING)
        return true;
    for (size_t i = 1; i < times->n; i++)
        if (times->items[i] <= times->items[i - 1])
            return config_args_refuse(a, &a->items[i], "later than the age before it");
    return true;
}

/* `TIME…`, and `off` where no time is a choice too. */
bool config_value_times(struct config_args *a, union config_value *out)
{
    uint64_t *items = ARENA_NEW_ARRAY(a->r->arena, a->n, uint64_t);
    const struct config_word *w = config_args_need(a);
    bool may_be_off = str_contains(a->s->directive->value, STR("off"));

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    out->times = (struct config_times){ .items = items, .place = w->place };
    if (may_be_off && a->n == 1 && str_eq(w->text, STR("off")))
        return true;
    for (; w; w = config_args_next(a)) {
        if (out->times.n == TIMES_MAX)
            return config_args_refuse(a, w, "among the first 32 times, and there are no more");
        if (!config_args_time(a, w, &items[out->times.n++]))
            return false;
    }
    return check_order(a, &out->times);
}

/* `headers` or `full [SIZE]` */
bool config_value_bounce(struct config_args *a, union config_value *out)
{
    static const struct config_scheme kinds[] = { { STR_INIT("headers"), true }, { STR_INIT("full"), true } };
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->bounce.place = w->place;
    size_t kind = config_scheme_find(w, kinds, ARRAY_LEN(kinds));
    if (kind == ARRAY_LEN(kinds))
        return config_scheme_refuse(a, w, kinds, ARRAY_LEN(kinds),
                                    STR("bounce-content takes: headers, full [size]"));
    if (kind == 0)
        return true;
    out->bounce.full = true;
    out->bounce.octets_max = BOUNCE_SIZE;
    w = config_args_next(a);
    return !w || config_args_number(a, w, &out->bounce.octets_max);
}
