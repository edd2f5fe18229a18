/* config/value_net.c -- networks, addresses of both kinds, domains. */
#include "config/args.h"
#include "config/names.h"
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

/* Who may relay beside networks; of the tables one. */
static const struct config_scheme relay_schemes[] = {
    { STR_INIT("file:"), true },
    { STR_INIT("certificate:"), true },
    { STR_INIT("network:"), false, NULL, 'N' },
    { STR_INIT("regex:"), false, NULL, 'N' },
    { STR_INIT("lmdb:"), false, NULL, 'N' },
    { STR_INIT("redis:"), false, NULL, 'N' },
    { STR_INIT("sqlite:"), false, NULL, 'N' },
    { STR_INIT("postgresql:"), false, NULL, 'N' },
    { STR_INIT("mysql:"), false, NULL, 'N' },
    { STR_INIT("ldap:"), false, NULL, 'N' },
    { STR_INIT("socketmap:"), false, NULL, 'N' },
    { STR_INIT("table:"), false, NULL, 'N' },
};
enum { RELAY_FILE, RELAY_CERTIFICATE };

static bool refuse_open_relay(struct config_args *a, const struct config_word *w)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };

    mark.cure = STR("name the networks of your own clients, such as 192.0.2.0/24");
    return config_complain(a->r, mark, "'%.*s' would make this an open relay", STR_ARG(shown));
}

static bool read_relay_network(struct config_args *a, const struct config_word *w, struct ip_network *out)
{
    enum config_network_error why = config_name_network(w->text, out);

    if ((why == CONFIG_NETWORK_OK || why == CONFIG_NETWORK_HOST_BITS) && !out->bits)
        return refuse_open_relay(a, w);
    if (why != CONFIG_NETWORK_SYNTAX || !config_word_is_path(w->text))
        return why == CONFIG_NETWORK_OK || refuse_network(a, w, why, out);
    return config_args_bare_path(a, w, "file:");
}

bool config_value_relay(struct config_args *a, union config_value *out)
{
    struct config_networks *nets = &out->relay.networks;
    struct ip_network *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct ip_network);
    struct config_place *places = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_place);
    struct config_text *tables = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    struct config_text *certificates = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items || !places || !tables || !certificates)
        return config_exhausted(a->r);
    *nets =
        (struct config_networks){ .items = items, .places = places, .place = config_statement_place(a->s) };
    out->relay.tables = tables;
    out->relay.certificates = certificates;
    if (!w || is_none_alone(a))
        return w;
    for (; w; w = config_args_next(a)) {
        size_t i = config_scheme_find(w, relay_schemes, ARRAY_LEN(relay_schemes));
        if (i == RELAY_FILE) {
            struct config_text *table = &tables[out->relay.n++];
            table->place = w->place;
            ok &= config_args_file(a, w, &table->text);
        } else if (i == RELAY_CERTIFICATE) {
            struct config_text *certificate = &certificates[out->relay.n_certificates++];
            certificate->place = w->place;
            ok &= config_args_hash(a, w, str_skip(w->text, relay_schemes[i].name.n), &certificate->text);
        } else if (i < ARRAY_LEN(relay_schemes)) {
            ok = config_args_not_built(a, w, config_word_scheme(w), relay_schemes[i].stage);
        } else {
            ok &= read_relay_network(a, w, &items[nets->n]);
            places[nets->n++] = w->place;
        }
    }
    return ok;
}

/* ---- resolver ---- */

static const struct config_scheme resolver_words[] = {
    { STR_INIT("system"), true },
    { STR_INIT("full"), true },
};

enum { DNS_PORT = 53 };

/* "192.0.2.53", "192.0.2.53:53", "[::1]:53". */
static bool read_server(struct config_args *a, const struct config_word *w, struct config_endpoint *out)
{
    size_t colon = str_rfind(w->text, ':');
    struct str host = str_head(w->text, colon);
    uint64_t port;

    *out = (struct config_endpoint){ .kind = CONFIG_ENDPOINT_ADDRESS, .port = DNS_PORT, .place = w->place };
    if (config_name_ip(w->text, &out->address))
        return true;
    if (colon < w->text.n && (!str_has(host, ':') || str_starts(host, STR("["))) &&
        config_name_ip(host, &out->address) &&
        num_parse_u64(str_skip(w->text, colon + 1), UINT16_MAX, &port) && port) {
        out->port = (uint16_t)port;
        return true;
    }
    if (config_scheme_find(w, resolver_words, ARRAY_LEN(resolver_words)) < ARRAY_LEN(resolver_words))
        return config_complain(a->r, config_args_mark(a, w), "'%.*s' stands alone: it is no server",
                               STR_ARG(w->text));
    if (!str_has(w->text, ':') && !str_has(w->text, '.'))
        return config_scheme_refuse(a, w, resolver_words, ARRAY_LEN(resolver_words),
                                    STR("resolver takes: 192.0.2.53:53, [::1]:53, system, full"));
    return config_args_refuse(a, w, "the address of a server");
}

/* `for DOMAIN`, the last two words: servers of that zone. */
static bool read_zone(struct config_args *a, const struct config_word *w, struct str *out)
{
    w = w ? config_args_need(a) : NULL;
    return w && config_args_domain(a, w, w->text, out);
}

bool config_value_resolver(struct config_args *a, union config_value *out)
{
    struct config_endpoint *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_endpoint);
    const struct config_word *w = config_args_need(a);
    bool ok = true;
    size_t n = 0;

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    out->resolver =
        (struct config_resolver){ .kind = CONFIG_RESOLVER_SERVERS, .servers = items, .place = w->place };
    size_t kind = config_scheme_find(w, resolver_words, ARRAY_LEN(resolver_words));
    if (kind < ARRAY_LEN(resolver_words)) {
        out->resolver.kind = kind ? CONFIG_RESOLVER_FULL : CONFIG_RESOLVER_SYSTEM;
        w = config_args_next(a);
        if (w && !str_eq(w->text, STR("for")))
            return config_args_refuse(a, w, "'for', the only word that may stand here");
    } else {
        for (; w && !str_eq(w->text, STR("for")); w = config_args_next(a))
            ok &= read_server(a, w, &items[n++]);
        if (ok && !n)
            return config_args_refuse(a, w, "the address of a server");
    }
    out->resolver.n_servers = n;
    return ok && (!w || read_zone(a, w, &out->resolver.zone));
}

/* ---- addresses, domains ---- */

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
            ok = config_args_not_built(a, w, scheme, 'N');
        else
            ok &= config_args_domain(a, w, w->text, &items[n].text);
    }
    out->texts.items = items;
    out->texts.n = a->n;
    return ok;
}
