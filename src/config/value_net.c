/* config/value_net.c -- networks, addresses of both kinds, domains, limits on clients. */
#include <inttypes.h>

#include "config/args.h"
#include "config/names.h"
#include "config/number.h"
#include "core/num.h"

/* What a network cannot be, in words. */
static bool refuse_network(struct config_args *a, const struct config_word *w, enum config_network_error why,
                           const struct ip_network *net)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = config_args_mark(a, w);

    if (why == CONFIG_NETWORK_HOST_BITS) {
        mark.hint = config_say(a->r, "did you mean '%s/%u'?", ip_text(&net->base).c, net->bits);
        mark.cure = STR_NONE;
        return config_complain(a->r, mark, "'%.*s' has bits beyond its prefix", STR_ARG(shown));
    }
    if (why == CONFIG_NETWORK_PREFIX)
        return config_complain(a->r, mark, "the prefix of '%.*s' is longer than the address", STR_ARG(shown));
    return config_complain(a->r, mark, "'%.*s' is not a network", STR_ARG(shown));
}

static bool is_none_alone(const struct config_args *a)
{
    return a->n == 1 && str_eq(a->items[0].text, STR("none"));
}

bool config_value_networks(struct config_args *a, union config_value *out)
{
    struct config_networks *nets = &out->networks;
    struct ip_network *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct ip_network);
    struct config_place *places = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_place);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items || !places)
        return config_exhausted(a->r);
    *nets =
        (struct config_networks){ .items = items, .places = places, .place = config_statement_place(a->s) };
    if (!w || is_none_alone(a))
        return w;
    for (; w; w = config_args_next(a)) {
        enum config_network_error why = config_name_network(w->text, &items[nets->n]);
        if (why != CONFIG_NETWORK_OK)
            ok = refuse_network(a, w, why, &items[nets->n]);
        places[nets->n++] = w->place;
    }
    return ok;
}

/* Relaying is not built; who would open it to everybody is told so all the same. */
bool config_value_relay(struct config_args *a, union config_value *out)
{
    const struct config_word *w;
    struct ip_network net;
    bool open = false;

    while ((w = config_args_next(a))) {
        enum config_network_error why = config_name_network(w->text, &net);
        bool is_network = why == CONFIG_NETWORK_OK || why == CONFIG_NETWORK_HOST_BITS;
        if (!is_network || net.bits)
            continue;
        struct str shown = config_shown(a->r, w->text);
        struct config_mark mark = { .place = w->place };
        mark.cure = STR("name the networks of your own clients, such as 192.0.2.0/24");
        open = !config_complain(a->r, mark, "'%.*s' would make this an open relay", STR_ARG(shown));
    }
    return !open;
}

bool config_value_ips(struct config_args *a, union config_value *out)
{
    struct ip *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct ip);
    const struct config_word *w = config_args_need(a);

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    out->ips = (struct config_ips){ .items = items, .place = w->place };
    for (; w; w = config_args_next(a))
        if (!config_name_ip(w->text, &items[out->ips.n++]))
            return config_args_refuse(a, w, "an IP address");
    return true;
}

bool config_value_address(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->address.place = w->place;
    if (str_eq(w->text, STR("none")))
        return true;
    size_t at = str_rfind(w->text, '@');
    if (at == w->text.n || !config_name_is_local_part(str_head(w->text, at)))
        return config_args_refuse(a, w, "an address, local-part@domain");
    out->address.local = str_head(w->text, at);
    return config_args_domain(a, w, str_skip(w->text, at + 1), &out->address.domain);
}

bool config_value_domains(struct config_args *a, union config_value *out)
{
    struct config_text *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    for (size_t n = 0; w; w = config_args_next(a), n++) {
        size_t scheme = str_find(w->text, ':') + 1;
        items[n].place = w->place;
        if (scheme <= w->text.n)
            ok = config_args_not_built(a, w, scheme);
        else
            ok &= config_args_domain(a, w, w->text, &items[n].text);
    }
    out->texts.items = items;
    out->texts.n = a->n;
    return ok;
}

/* In the order of enum config_limit_key and config_limit_measure; what is not built comes last. */
static const struct config_scheme keys[] = {
    { STR_INIT("client"), true },        { STR_INIT("network"), true }, { STR_INIT("sender"), true },
    { STR_INIT("sender-domain"), true }, { STR_INIT("all"), true },     { STR_INIT("account"), false },
    { STR_INIT("tenant"), false },
};
static const struct config_scheme measures[] = {
    { STR_INIT("connections"), true },
    { STR_INIT("sessions"), true },
    { STR_INIT("messages"), true },
    { STR_INIT("recipients"), true },
    { STR_INIT("octets"), true },
    { STR_INIT("errors"), true },
    { STR_INIT("unknown-recipients"), true },
    { STR_INIT("auth-failures"), false },
};
static const struct config_scheme actions[] = {
    { STR_INIT("defer"), true },
    { STR_INIT("reject"), true },
    { STR_INIT("hold"), true },
};

struct str config_limit_key_name(enum config_limit_key key)
{
    BUG_ON((size_t)key >= ARRAY_LEN(keys));
    return keys[key].name;
}

struct str config_limit_measure_name(enum config_limit_measure measure)
{
    BUG_ON((size_t)measure >= ARRAY_LEN(measures));
    return measures[measure].name;
}

struct str config_limit_action_name(enum config_limit_action action)
{
    BUG_ON((size_t)action >= ARRAY_LEN(actions));
    return actions[action].name;
}

/* The next word as one of SCHEMES; its index, or N after a complaint. */
static size_t take_one_of(struct config_args *a, const struct config_scheme *schemes, size_t n,
                          struct str cure)
{
    const struct config_word *w = config_args_need(a);
    size_t i = w ? config_scheme_find(w, schemes, n) : n;

    if (w && i == n)
        config_scheme_refuse(a, w, schemes, n, cure);
    if (i < n && !schemes[i].built) {
        config_args_not_built(a, w, w->text.n);
        return n;
    }
    return i;
}

/* A session has a sender only once there is a message. */
static bool can_count(enum config_limit_key key, enum config_limit_measure measure)
{
    bool of_sender = key == CONFIG_LIMIT_SENDER || key == CONFIG_LIMIT_SENDER_DOMAIN;

    return !of_sender || (measure != CONFIG_MEASURE_CONNECTIONS && measure != CONFIG_MEASURE_SESSIONS &&
                          measure != CONFIG_MEASURE_ERRORS);
}

static bool refuse_bound(struct config_args *a, const struct config_word *w, bool rate)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };
    uint64_t n, msec;

    if (rate && config_number_size(w->text, &n)) {
        mark.hint = config_say(a->r, "did you mean '%.*s/h'?", STR_ARG(shown));
        return config_complain(a->r, mark, "'%.*s' is not a rate", STR_ARG(shown));
    }
    if (!rate && config_number_rate(w->text, &n, &msec)) {
        mark.cure = STR("connections are counted at once, not in a time; see 'sessions'");
        return config_complain(a->r, mark, "'%.*s' is not a count", STR_ARG(shown));
    }
    return config_args_refuse(a, w, rate ? "a rate, such as 100/h or 3/10s" : "a count");
}

static bool take_bound(struct config_args *a, struct config_limit *limit)
{
    const struct config_word *w = config_args_need(a);
    bool rate = limit->measure != CONFIG_MEASURE_CONNECTIONS;

    if (!w)
        return false;
    limit->written = w->text;
    if (str_eq(w->text, STR("none")))
        return true;
    if (rate ? !config_number_rate(w->text, &limit->bound, &limit->msec)
             : !config_number_size(w->text, &limit->bound))
        return refuse_bound(a, w, rate);
    if (limit->bound < a->s->directive->least || limit->bound > a->s->directive->most)
        return config_args_refuse(a, w, "within reason: 1 at least");
    return true;
}

bool config_value_limit(struct config_args *a, union config_value *out)
{
    struct config_limit *limit = &out->limit;
    size_t key, measure, action;

    key = take_one_of(a, keys, ARRAY_LEN(keys), STR("keys are: client network sender sender-domain all …"));
    if (key == ARRAY_LEN(keys))
        return false;
    measure = take_one_of(
        a, measures, ARRAY_LEN(measures),
        STR("measures are: connections sessions messages recipients octets errors unknown-recipients …"));
    if (measure == ARRAY_LEN(measures))
        return false;
    *limit = (struct config_limit){ .key = (enum config_limit_key)key,
                                    .measure = (enum config_limit_measure)measure,
                                    .place = config_statement_place(a->s) };
    if (!can_count(limit->key, limit->measure))
        return config_complain(a->r, (struct config_mark){ .place = a->items[1].place },
                               "'%.*s' cannot be counted for each %.*s", STR_ARG(measures[measure].name),
                               STR_ARG(keys[key].name));
    if (!take_bound(a, limit))
        return false;
    if (!config_args_peek(a))
        return true;
    action = take_one_of(a, actions, ARRAY_LEN(actions), STR("actions are: defer reject hold"));
    limit->action = (enum config_limit_action)(action < ARRAY_LEN(actions) ? action : 0);
    return action < ARRAY_LEN(actions);
}
