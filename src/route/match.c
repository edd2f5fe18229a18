/* route/match.c -- patterns in one hash, each with its routes in the order in which they are looked at. */
#include "route/match.h"

#include "core/bug.h"
#include "route/local.h"

/* A route under one pattern. */
struct link {
    const struct config_route *route;
    struct link *next;
};

/* A pattern, and its routes: those with conditions first. FIRST of NULL: the slot is free. */
struct slot {
    enum config_pattern_kind kind;
    struct str local;
    struct str domain;
    struct link *first;
    struct link **last;
};

struct route_index {
    struct arena *arena;
    struct slot *slots; /* open addressing, at least half of them free */
    size_t room;        /* a power of two */
};

struct pattern {
    enum config_pattern_kind kind;
    struct str local;
    struct str domain;
};

/* ---- the hash ---- */

static struct str folded(const struct pattern *p, struct route_folded *room)
{
    return p->kind == CONFIG_PATTERN_ADDRESS && route_fold(p->local, room) ? route_folded_str(room)
                                                                           : STR_NONE;
}

/* The slot of the pattern, or the free one where it would be. */
static struct slot *slot_find(const struct route_index *ix, const struct pattern *p)
{
    struct route_folded room;
    struct str local = folded(p, &room);

    for (size_t i = str_hash(p->domain, str_hash(local, (uint64_t)p->kind));; i++) {
        struct slot *s = &ix->slots[i & (ix->room - 1)];
        if (!s->first ||
            (s->kind == p->kind && str_eq_nocase(s->local, local) && str_eq(s->domain, p->domain)))
            return s;
    }
}

static const struct link *routes_of(const struct route_index *ix, struct pattern p)
{
    /* No local part is longer than this, so no route is for it. */
    if (p.local.n > ROUTE_LOCAL_MAX)
        return NULL;
    return slot_find(ix, &p)->first;
}

static bool index_add(struct route_index *ix, struct pattern p, const struct config_route *route)
{
    struct link *link = ARENA_NEW(ix->arena, struct link);
    struct slot *s = slot_find(ix, &p);

    if (!link)
        return false;
    link->route = route;
    if (!s->first)
        *s = (struct slot){ .kind = p.kind, .local = p.local, .domain = p.domain, .last = &s->first };
    *s->last = link;
    s->last = &link->next;
    return true;
}

static bool is_conditional(const struct config_route *route)
{
    return route->senders.n || route->n_listeners || route->accounts.n;
}

static bool index_add_route(struct route_index *ix, const struct config_route *route)
{
    bool ok = true;

    for (size_t i = 0; route->domain && i < route->domain->n_names && ok; i++)
        ok = index_add(ix, (struct pattern){ CONFIG_PATTERN_DOMAIN, STR_NONE, route->domain->names[i].text },
                       route);
    for (size_t i = 0; !route->domain && i < route->patterns.n && ok; i++) {
        const struct config_pattern *p = &route->patterns.items[i];
        ok = index_add(ix, (struct pattern){ p->kind, p->local, p->domain }, route);
    }
    return ok;
}

static size_t count_patterns(const struct config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < config->n_routes; i++)
        n += config->routes[i].domain ? config->routes[i].domain->n_names : config->routes[i].patterns.n;
    return n;
}

struct route_index *route_index_new(struct arena *a, const struct config *config)
{
    struct route_index *ix = ARENA_NEW(a, struct route_index);
    size_t n = count_patterns(config);
    bool ok = true;

    if (!ix)
        return NULL;
    *ix = (struct route_index){ .arena = a, .room = 2 };
    while (ix->room < 2 * n + 2)
        ix->room *= 2;
    ix->slots = ARENA_NEW_ARRAY(a, ix->room, struct slot);
    if (!ix->slots)
        return NULL;
    for (int conditional = 1; conditional >= 0; conditional--)
        for (size_t i = 0; i < config->n_routes && ok; i++)
            if (is_conditional(&config->routes[i]) == conditional)
                ok = index_add_route(ix, &config->routes[i]);
    return ok ? ix : NULL;
}

/* ---- conditions ---- */

/* WRITTEN, a local part as it stands in an address, means LOCAL: quoting is undone on the way. */
static bool same_local(struct str written, struct str local)
{
    bool quoted = written.n >= 2 && written.p[0] == '"';
    struct str rest = quoted ? str_slice(written, 1, written.n - 1) : written;
    size_t at = 0;

    for (size_t i = 0; i < rest.n; i++, at++) {
        i += quoted && rest.p[i] == '\\' && i + 1 < rest.n;
        if (at == local.n || ascii_lower(rest.p[i]) != ascii_lower(local.p[at]))
            return false;
    }
    return at == local.n;
}

static bool address_is(const struct config_pattern *p, struct str address)
{
    size_t at = str_rfind(address, '@');
    struct str domain = str_skip(address, at + 1);

    switch (p->kind) {
    case CONFIG_PATTERN_ADDRESS:
        return str_eq_nocase(domain, p->domain) && same_local(str_head(address, at), p->local);
    case CONFIG_PATTERN_DOMAIN:
        return domain.n && str_eq_nocase(domain, p->domain);
    case CONFIG_PATTERN_BELOW:
        return domain.n > p->domain.n + 1 && domain.p[domain.n - p->domain.n - 1] == '.' &&
               str_ends_nocase(domain, p->domain);
    case CONFIG_PATTERN_ALL:
        return true;
    case CONFIG_PATTERN_NULL:
        return !address.n;
    }
    return false;
}

static bool sender_fits(const struct config_route *route, struct str sender)
{
    for (size_t i = 0; i < route->senders.n; i++)
        if (address_is(&route->senders.items[i], sender))
            return true;
    return !route->senders.n;
}

/* Whoever has not logged in is no account, not even one of `*`. */
static bool account_fits(const struct config_route *route, struct str account)
{
    for (size_t i = 0; account.n && i < route->accounts.n; i++)
        if (address_is(&route->accounts.items[i], account))
            return true;
    return !route->accounts.n;
}

static bool listener_fits(const struct config_route *route, struct str listener)
{
    for (size_t i = 0; i < route->n_listeners; i++)
        if (str_eq(route->listeners[i].text, listener))
            return true;
    return !route->n_listeners;
}

/* ---- the steps ---- */

static const struct config_route *first_fit(const struct link *links, const struct route_question *q)
{
    for (const struct link *l = links; l; l = l->next)
        if (sender_fits(l->route, q->sender) && listener_fits(l->route, q->listener) &&
            account_fits(l->route, q->account) && !(q->released && l->route->targets[0].kind == CONFIG_TARGET_HOLD))
            return l->route;
    return NULL;
}

static const struct config_route *match_address(const struct route_index *ix, const struct route_question *q)
{
    struct str user, detail;
    const struct config_route *found =
        first_fit(routes_of(ix, (struct pattern){ CONFIG_PATTERN_ADDRESS, q->local, q->domain }), q);

    if (!found && route_cut_detail(q->local, q->separators, &user, &detail))
        found = first_fit(routes_of(ix, (struct pattern){ CONFIG_PATTERN_ADDRESS, user, q->domain }), q);
    return found;
}

/* ".b.c" and then ".c" for a.b.c. */
static const struct config_route *match_parents(const struct route_index *ix, const struct route_question *q)
{
    const struct config_route *found = NULL;
    struct str rest = q->domain;

    (void)str_cut(&rest, '.');
    for (; rest.n && !found; (void)str_cut(&rest, '.'))
        found = first_fit(routes_of(ix, (struct pattern){ CONFIG_PATTERN_BELOW, STR_NONE, rest }), q);
    return found;
}

const struct config_route *route_match(const struct route_index *ix, const struct route_question *q)
{
    const struct config_route *found = match_address(ix, q);

    if (!found)
        found = first_fit(routes_of(ix, (struct pattern){ CONFIG_PATTERN_DOMAIN, STR_NONE, q->domain }), q);
    if (!found)
        found = match_parents(ix, q);
    if (!found)
        found = first_fit(routes_of(ix, (struct pattern){ CONFIG_PATTERN_ALL, STR_NONE, STR_NONE }), q);
    return found;
}

bool route_is_for_address(const struct route_index *ix, const struct route_question *q,
                          const struct config_route *route)
{
    return route && match_address(ix, q) == route;
}

bool route_index_names(const struct route_index *ix, const struct route_question *q, struct str *user,
                       struct str *detail)
{
    struct str name, rest;

    if (routes_of(ix, (struct pattern){ CONFIG_PATTERN_ADDRESS, q->local, q->domain })) {
        *user = q->local;
        *detail = STR_NONE;
        return true;
    }
    if (!route_cut_detail(q->local, q->separators, &name, &rest) ||
        !routes_of(ix, (struct pattern){ CONFIG_PATTERN_ADDRESS, name, q->domain }))
        return false;
    *user = name;
    *detail = rest;
    return true;
}
