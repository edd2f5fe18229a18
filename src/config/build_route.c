/* config/build_route.c -- every way that mail can go: each domain's `deliver`, each `route`, and `* mx` (FACE 1.6). */
#include "config/builder.h"

#include "config/routes.h"

/* ---- which there are ---- */

static const struct config_statement *first_of(const struct config_builder *b, enum config_directive_id id)
{
    return config_block_find(b->tree->written, id);
}

static size_t count(const struct config_builder *b, enum config_directive_id id)
{
    size_t n = 0;

    for (const struct config_statement *s = first_of(b, id); s; s = s->same)
        n++;
    return n;
}

bool config_routes_begin(struct config_builder *b)
{
    size_t n = count(b, CONFIG_DIRECTIVE_DOMAIN) + count(b, CONFIG_DIRECTIVE_ROUTE) + 1;

    b->routes = ARENA_NEW_ARRAY(b->r->arena, n, struct config_route);
    if (!b->routes)
        return config_exhausted(b->r);
    b->c->routes = b->routes;
    return config_build_sending(b, NULL, &b->c->sending);
}

static struct config_route *new_route(struct config_builder *b)
{
    struct config_route *route = &b->routes[b->c->n_routes];

    *route = (struct config_route){ .index = b->c->n_routes++ };
    return route;
}

/* Only a host can be out of reach. */
static bool fallback(struct config_builder *b, const struct config_block *block, struct config_route *route)
{
    const struct config_statement *s = config_block_find(block, CONFIG_DIRECTIVE_FALLBACK);
    struct config_mark mark = { .cure = STR("leave it out, or let mail go to a host first") };

    if (!s)
        return true;
    route->fallback = s->value.route.targets;
    route->n_fallback = s->value.route.n;
    mark.place = config_statement_place(s);
    return config_target_is_remote(route->targets[0].kind) ||
           config_complain(b->r, mark, "'fallback' is for mail to hosts, and this goes to none");
}

/* `mx` of the recipient may be anybody, and a socket has no TLS: neither gets our password. */
static bool check_login_target(struct config_builder *b, const struct config_route *route,
                               const struct config_target *t)
{
    struct config_mark mark = { .place = route->login_name.place,
                                .cure = STR("let the route lead to the host that knows this name, such as "
                                            "smtp://smtp.provider.example:587") };

    return ((t->kind == CONFIG_TARGET_MX && t->host.n) || t->kind == CONFIG_TARGET_SMTP ||
            t->kind == CONFIG_TARGET_LMTP) ||
           config_complain(b->r, mark, "a log-in is for a host that is named");
}

static bool check_login_level(struct config_builder *b, const struct config_block *block)
{
    const struct config_statement *level = config_block_find(block, CONFIG_DIRECTIVE_TLS_LEVEL);
    struct config_mark mark = { .cure = STR("with 'login' it is verify when nothing is said") };

    if (!level || level->value.demand.level >= CONFIG_TLS_VERIFY)
        return true;
    mark.place = level->value.demand.place;
    return config_complain(b->r, mark, "a password is sent inside verified TLS only");
}

static bool login(struct config_builder *b, const struct config_block *block, struct config_route *route)
{
    const struct config_statement *s = config_block_find(block, CONFIG_DIRECTIVE_LOGIN);
    const struct config_statement *certificate = config_block_find(block, CONFIG_DIRECTIVE_CLIENT_CERTIFICATE);
    bool ok = true;

    if (certificate)
        route->client_certificate = config_certificate_of(b, certificate);
    if (!s || !s->value.login.name.text.n)
        return true;
    route->login_name = s->value.login.name;
    route->login_secret = s->value.login.secret;
    for (size_t i = 0; ok && i < route->n_targets; i++)
        ok = check_login_target(b, route, &route->targets[i]);
    for (size_t i = 0; ok && i < route->n_fallback; i++)
        ok = check_login_target(b, route, &route->fallback[i]);
    return check_login_level(b, block) && ok;
}

/* TLS from the first octet, and none at all. */
static bool check_smtps(struct config_builder *b, const struct config_block *block, const struct config_route *route)
{
    const struct config_statement *level = config_block_find(block, CONFIG_DIRECTIVE_TLS_LEVEL);
    struct config_mark mark = { .cure = STR("write smtp://, or another tls-level") };
    bool at_once = false;

    for (size_t i = 0; i < route->n_targets; i++)
        at_once |= route->targets[i].tls_at_once;
    for (size_t i = 0; i < route->n_fallback; i++)
        at_once |= route->fallback[i].tls_at_once;
    if (!at_once || !level || level->value.demand.level != CONFIG_TLS_NONE)
        return true;
    mark.place = level->value.demand.place;
    return config_complain(b->r, mark, "smtps:// without TLS cannot be");
}

/* What BLOCK says of how mail goes along ROUTE, whose targets are there. */
static bool sending(struct config_builder *b, const struct config_block *block, struct config_route *route)
{
    return config_build_sending(b, block, &route->sending) && fallback(b, block, route) && login(b, block, route) &&
           check_smtps(b, block, route);
}

bool config_routes_deliver(struct config_builder *b, const struct config_statement *s,
                           struct config_domain *d)
{
    const struct config_statement *deliver = config_block_find(s->block, CONFIG_DIRECTIVE_DELIVER);
    struct config_pattern *patterns = ARENA_NEW_ARRAY(b->r->arena, d->n_names, struct config_pattern);
    struct config_route *route = new_route(b);

    if (!patterns)
        return config_exhausted(b->r);
    for (size_t i = 0; i < d->n_names; i++)
        patterns[i] = (struct config_pattern){ .kind = CONFIG_PATTERN_DOMAIN,
                                               .domain = d->names[i].text,
                                               .place = d->names[i].place };
    route->place = deliver->value.route.targets[0].place;
    route->domain = d;
    route->patterns =
        (struct config_patterns){ .items = patterns, .n = d->n_names, .place = d->names[0].place };
    route->targets = deliver->value.route.targets;
    route->n_targets = deliver->value.route.n;
    d->route = route;
    return sending(b, s->block, route);
}

static bool written_route(struct config_builder *b, const struct config_statement *s)
{
    const struct config_statement *senders = config_block_find(s->block, CONFIG_DIRECTIVE_SENDERS);
    const struct config_statement *listeners = config_block_find(s->block, CONFIG_DIRECTIVE_LISTENERS);
    const struct config_statement *accounts = config_block_find(s->block, CONFIG_DIRECTIVE_ACCOUNTS);
    struct config_route *route = new_route(b);

    route->place = config_statement_place(s);
    route->patterns = s->value.route.patterns;
    route->targets = s->value.route.targets;
    route->n_targets = s->value.route.n;
    if (senders)
        route->senders = senders->value.patterns;
    if (accounts)
        route->accounts = accounts->value.patterns;
    if (listeners) {
        route->listeners = listeners->value.texts.items;
        route->n_listeners = listeners->value.texts.n;
    }
    return sending(b, s->block, route);
}

static bool is_for_all(const struct config_route *route)
{
    for (size_t i = 0; i < route->patterns.n; i++)
        if (route->patterns.items[i].kind == CONFIG_PATTERN_ALL)
            return !route->senders.n && !route->n_listeners && !route->accounts.n;
    return false;
}

/* Where no route is written for all the rest, their MX is asked. */
static bool last_route(struct config_builder *b)
{
    static const struct config_pattern all = { .kind = CONFIG_PATTERN_ALL };
    static const struct config_target mx = { .kind = CONFIG_TARGET_MX };

    for (size_t i = 0; i < b->c->n_routes; i++)
        if (is_for_all(&b->routes[i]))
            return true;
    struct config_route *route = new_route(b);
    route->patterns = (struct config_patterns){ .items = &all, .n = 1 };
    route->targets = &mx;
    route->n_targets = 1;
    route->sending = b->c->sending;
    return true;
}

/* ---- conditions ---- */

static bool is_listener(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->n_listeners; i++)
        if (str_eq(c->listeners[i].name.text, name))
            return true;
    return false;
}

static void complain_of_listener(struct config_builder *b, const struct config_text *name)
{
    struct str *names = ARENA_NEW_ARRAY(b->r->arena, b->c->n_listeners, struct str);
    struct str shown = config_shown(b->r, name->text);
    struct str list = b->c->n_listeners ? STR("listeners are:") : STR("there is none at all");
    struct config_mark mark = { .place = name->place };

    if (!names) {
        config_exhausted(b->r);
        return;
    }
    for (size_t i = 0; i < b->c->n_listeners; i++) {
        names[i] = b->c->listeners[i].name.text;
        list = config_say(b->r, "%.*s %.*s", STR_ARG(list), STR_ARG(names[i]));
    }
    size_t near = config_slip_nearest(name->text, names, b->c->n_listeners);
    if (near < b->c->n_listeners)
        mark.hint = config_hint(b->r, names[near]);
    mark.cure = config_shown(b->r, list);
    config_complain(b->r, mark, "there is no listener '%.*s'", STR_ARG(shown));
}

static void check_listeners(struct config_builder *b)
{
    for (size_t i = 0; i < b->c->n_routes; i++)
        for (size_t j = 0; j < b->routes[i].n_listeners; j++)
            if (!is_listener(b->c, b->routes[i].listeners[j].text))
                complain_of_listener(b, &b->routes[i].listeners[j]);
}

/* ---- deliver-as ---- */

static bool has_local_route(const struct config *c)
{
    for (size_t i = c->n_domains; i < c->n_routes; i++)
        if (config_target_is_local(c->routes[i].targets[0].kind))
            return true;
    return false;
}

/* What could be done as somebody: a domain's own delivery, commands of its aliases, a route for one of its addresses. */
static void warn_of_deliver_as(struct config_builder *b)
{
    bool local = has_local_route(b->c);

    for (size_t i = 0; i < b->c->n_domains; i++) {
        const struct config_domain *d = &b->c->domains[i];
        if (local || !d->deliver_as.place.line || d->alias_commands.on ||
            config_target_is_local(d->route->targets[0].kind))
            continue;
        config_diagnostics_add(b->r->diag, CONFIG_WARNING, d->deliver_as.place,
                               STR("'deliver-as' changes nothing: no mail of this domain is delivered here"),
                               STR_NONE, STR("leave it out"));
    }
}

bool config_routes_end(struct config_builder *b)
{
    for (const struct config_statement *s = first_of(b, CONFIG_DIRECTIVE_ROUTE); s; s = s->same)
        if (!written_route(b, s))
            return false;
    check_listeners(b);
    warn_of_deliver_as(b);
    return last_route(b) && config_check_routes(b->r, b->c);
}
