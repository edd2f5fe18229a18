/* config/value_net.c -- networks, addresses of both kinds, domains. */
#include "config/args.h"
#include "config/names.h"

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
