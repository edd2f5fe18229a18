/* config/index.c -- sorted names: to find what is said twice, and to find a domain. */
#include "config/index.h"

#include <stdlib.h>

/* Something that must have a name of its own. */
struct entry {
    struct str name;
    struct config_place place;
    const struct config_domain *domain; /* of an index */
};

struct config_name_index {
    struct entry *items;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int d = str_cmp(x->name, y->name);

    return d ? d : config_place_cmp(x->place, y->place);
}

/* One of NAME among sorted ITEMS; NULL for none. */
static const struct entry *find_entry(const struct entry *items, size_t n, struct str name)
{
    size_t from = 0, to = n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int d = str_cmp(name, items[middle].name);
        if (!d)
            return &items[middle];
        if (d < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

static void complain_of_twins(struct config_reading *r, struct entry *items, size_t n, const char *kind)
{
    if (n)
        qsort(items, n, sizeof(*items), by_name);
    for (size_t i = 1; i < n; i++) {
        if (!str_eq(items[i - 1].name, items[i].name))
            continue;
        struct str shown = config_shown(r, items[i].name);
        struct config_mark mark = { .place = items[i].place, .cure = config_first_at(r, items[i - 1].place) };
        config_complain(r, mark, "%s '%.*s' is said twice", kind, STR_ARG(shown));
    }
}

static bool check_domains(struct config_reading *r, const struct config_statement *first)
{
    size_t n = 0, at = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n += s->wrong ? 0 : s->value.texts.n;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!items)
        return config_exhausted(r);
    for (const struct config_statement *s = first; s; s = s->same)
        for (size_t i = 0; !s->wrong && i < s->value.texts.n; i++)
            items[at++] = (struct entry){ s->value.texts.items[i].text, s->value.texts.items[i].place, NULL };
    complain_of_twins(r, items, n, "domain");
    return true;
}

static struct str endpoint_text(struct config_reading *r, const struct config_endpoint *e)
{
    switch (e->kind) {
    case CONFIG_ENDPOINT_PORT:
        return config_say(r, "%u", e->port);
    case CONFIG_ENDPOINT_ADDRESS:
        return config_say(r, e->address.family == IP_V6 ? "[%s]:%u" : "%s:%u", ip_text(&e->address).c,
                          e->port);
    case CONFIG_ENDPOINT_UNIX:
        return config_say(r, "unix:%.*s", STR_ARG(e->path));
    case CONFIG_ENDPOINT_SYSTEMD:
        break;
    }
    return config_say(r, "systemd:%.*s", STR_ARG(e->path));
}

/* The endpoint of ITEMS that takes every address of E's family and port, and so E too; NULL for none. */
static const struct entry *whole_of(struct config_reading *r, const struct entry *items, size_t n,
                                    const struct config_endpoint *e)
{
    struct config_endpoint whole = { .kind = CONFIG_ENDPOINT_ADDRESS, .port = e->port };
    struct config_endpoint port = { .kind = CONFIG_ENDPOINT_PORT, .port = e->port };
    const struct entry *found = find_entry(items, n, endpoint_text(r, &port));

    whole.address.family = e->address.family;
    if (!found && !ip_eq(&whole.address, &e->address))
        found = find_entry(items, n, endpoint_text(r, &whole));
    return found;
}

/* The kernel gives an address and port to one socket only. */
static void complain_of_part(struct config_reading *r, const struct entry *items, size_t n,
                             const struct config_endpoint *e)
{
    const struct entry *whole = e->kind == CONFIG_ENDPOINT_ADDRESS ? whole_of(r, items, n, e) : NULL;

    if (!whole)
        return;
    bool later = config_place_cmp(whole->place, e->place) < 0;
    struct config_mark mark = { .place = later ? e->place : whole->place,
                                .cure = config_first_at(r, later ? whole->place : e->place) };
    struct str part = endpoint_text(r, e);
    config_complain(r, mark, "endpoint '%.*s' is a part of '%.*s'", STR_ARG(part), STR_ARG(whole->name));
}

static bool check_endpoints(struct config_reading *r, const struct config_statement *first)
{
    size_t n = 0, at = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n += s->wrong ? 0 : s->value.endpoints.n;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!items)
        return config_exhausted(r);
    for (const struct config_statement *s = first; s; s = s->same)
        for (size_t i = 0; !s->wrong && i < s->value.endpoints.n; i++) {
            const struct config_endpoint *e = &s->value.endpoints.items[i];
            items[at++] = (struct entry){ endpoint_text(r, e), e->place, NULL };
        }
    complain_of_twins(r, items, n, "endpoint");
    for (const struct config_statement *s = first; s; s = s->same)
        for (size_t i = 0; !s->wrong && i < s->value.endpoints.n; i++)
            complain_of_part(r, items, n, &s->value.endpoints.items[i]);
    return true;
}

/* The name that was given to a listener, NULL for none. */
static const struct config_statement *given_name(const struct config_statement *s)
{
    const struct config_statement *name = config_block_find(s->block, CONFIG_DIRECTIVE_NAME);

    return name && !name->wrong ? name : NULL;
}

/* Those that have no name share that of their port: only names that were given must differ. */
static bool check_listener_names(struct config_reading *r, const struct config_statement *first)
{
    size_t n = 0, at = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n += given_name(s) != NULL;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!items)
        return config_exhausted(r);
    for (const struct config_statement *s = first; s; s = s->same) {
        const struct config_statement *name = given_name(s);
        if (name)
            items[at++] = (struct entry){ name->value.text.text, name->value.text.place, NULL };
    }
    complain_of_twins(r, items, n, "name");
    return true;
}

/* `resolver` once for each zone, and once for everything. */
static bool check_zones(struct config_reading *r, const struct config_statement *first)
{
    size_t n = 0, at = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n += !s->wrong;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!items)
        return config_exhausted(r);
    for (const struct config_statement *s = first; s; s = s->same)
        if (!s->wrong) {
            struct str zone = s->value.resolver.zone;
            struct str name = zone.n ? config_say(r, "for %.*s", STR_ARG(zone)) : STR("for everything");
            items[at++] = (struct entry){ name, config_statement_place(s), NULL };
        }
    complain_of_twins(r, items, n, "resolver");
    return true;
}

/* Names of blocks: a site's shows in queue, log and metrics, an issuer's is used by `auth`. */
static bool check_names(struct config_reading *r, const struct config_statement *first, const char *kind)
{
    size_t n = 0, at = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n += !s->wrong;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!items)
        return config_exhausted(r);
    for (const struct config_statement *s = first; s; s = s->same)
        if (!s->wrong)
            items[at++] = (struct entry){ s->value.text.text, s->value.text.place, NULL };
    complain_of_twins(r, items, n, kind);
    return true;
}

bool config_check_unique(struct config_reading *r, const struct config_tree *tree)
{
    const struct config_statement *listen = config_block_find(tree->written, CONFIG_DIRECTIVE_LISTEN);

    return check_domains(r, config_block_find(tree->written, CONFIG_DIRECTIVE_DOMAIN)) &&
           check_endpoints(r, listen) && check_listener_names(r, listen) &&
           check_zones(r, config_block_find(tree->written, CONFIG_DIRECTIVE_RESOLVER)) &&
           check_names(r, config_block_find(tree->written, CONFIG_DIRECTIVE_SITE), "site") &&
           check_names(r, config_block_find(tree->written, CONFIG_DIRECTIVE_OAUTH), "oauth");
}

bool config_index_domains(struct config_reading *r, struct config *c)
{
    struct config_name_index *index = ARENA_NEW(r->arena, struct config_name_index);
    size_t n = 0;

    for (size_t i = 0; i < c->n_domains; i++)
        n += c->domains[i].n_names;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!index || !items)
        return config_exhausted(r);
    *index = (struct config_name_index){ .items = items };
    for (size_t i = 0; i < c->n_domains; i++)
        for (size_t j = 0; j < c->domains[i].n_names; j++)
            items[index->n++] =
                (struct entry){ c->domains[i].names[j].text, c->domains[i].names[j].place, &c->domains[i] };
    if (index->n)
        qsort(items, index->n, sizeof(*items), by_name);
    c->names = index;
    return true;
}

const struct config_domain *config_find_domain(const struct config *c, struct str domain)
{
    const struct entry *entry = find_entry(c->names->items, c->names->n, domain);

    return entry ? entry->domain : NULL;
}

struct config_text config_route_account(const struct config *c, const struct config_route *r)
{
    const struct config_pattern *first = &r->patterns.items[0];
    bool names_one = first->kind == CONFIG_PATTERN_ADDRESS || first->kind == CONFIG_PATTERN_DOMAIN;
    const struct config_domain *d = names_one ? config_find_domain(c, first->domain) : NULL;

    return d ? d->deliver_as : (struct config_text){ .text = STR("vmail") };
}

/* ---- needs ---- */

struct needs {
    struct config_need *items;
    size_t n;
    size_t shared; /* from here on what several may name, which is needed once */
};

static void need(struct needs *list, enum config_need_kind kind, struct str what, struct config_place place)
{
    if (what.n)
        list->items[list->n++] = (struct config_need){ .kind = kind, .what = what, .place = place };
}

/* As need(), of what others may have named already. */
static void need_once(struct needs *list, enum config_need_kind kind, struct str what, struct config_place place)
{
    for (size_t i = list->shared; i < list->n; i++)
        if (list->items[i].kind == kind && str_eq(list->items[i].what, what))
            return;
    need(list, kind, what, place);
}

static struct str folder_of(struct str path)
{
    size_t slash = str_rfind(path, '/');

    return slash == path.n ? STR(".") : slash ? str_head(path, slash) : STR("/");
}

static size_t needs_most(const struct config *c)
{
    size_t n = 6 + c->n_logs + c->session.n_relay_tables + c->send_as.n_files;

    for (size_t i = 0; i < c->n_listeners; i++)
        n += 2 + c->listeners[i].n_endpoints + c->listeners[i].session.n_relay_tables +
             c->listeners[i].session.auth.n;
    for (size_t i = 0; i < c->n_domains; i++)
        n += 1 + 2 * c->domains[i].n_users + c->domains[i].n_aliases + c->domains[i].auth.n +
             c->domains[i].send_as.n_files;
    for (size_t i = 0; i < c->n_routes; i++)
        n += 3 + c->routes[i].n_targets + c->routes[i].n_fallback;
    return n + 2 * c->n_certificates + 2 * c->n_oauths;
}

static void relay_needs(const struct config_session *session, struct needs *list)
{
    for (size_t i = 0; i < session->n_relay_tables; i++)
        need(list, CONFIG_NEED_RELAY_FILE, session->relay_tables[i].text, session->relay_tables[i].place);
}

/* A listener that says nothing of `relay-from` has what the top says: that was needed there. */
static void listener_needs(const struct config *c, const struct config_listener *l, struct needs *list)
{
    for (size_t i = 0; i < l->n_endpoints; i++)
        if (l->endpoints[i].kind == CONFIG_ENDPOINT_UNIX)
            need(list, CONFIG_NEED_SOCKET_FOLDER, folder_of(l->endpoints[i].path), l->endpoints[i].place);
    need(list, CONFIG_NEED_GROUP, l->group, l->mode.place);
    if (l->session.relay_tables != c->session.relay_tables)
        relay_needs(&l->session, list);
}

static void domain_needs(const struct config_domain *d, struct needs *list)
{
    for (size_t i = 0; i < d->n_users; i++)
        need(list, CONFIG_NEED_USERS_FILE, d->users[i].path, d->users[i].place);
    for (size_t i = 0; i < d->n_aliases; i++)
        need(list, CONFIG_NEED_ALIASES_FILE, d->aliases[i].text, d->aliases[i].place);
    if (d->alias_commands.on)
        need(list, CONFIG_NEED_ACCOUNT, d->deliver_as.text, d->deliver_as.place);
}

static void target_needs(const struct config_target *t, struct needs *list)
{
    switch (t->kind) {
    case CONFIG_TARGET_MAILDIR:
    case CONFIG_TARGET_MBOX:
        need(list, CONFIG_NEED_MAIL_ROOT, config_template_root(&t->path), t->place);
        break;
    case CONFIG_TARGET_PIPE:
        need(list, CONFIG_NEED_COMMAND, t->path.pieces[0].literal, t->place);
        break;
    case CONFIG_TARGET_LMTP_UNIX:
        need(list, CONFIG_NEED_TARGET_SOCKET, t->host, t->place);
        break;
    case CONFIG_TARGET_MX:
    case CONFIG_TARGET_SMTP:
    case CONFIG_TARGET_LMTP:
    case CONFIG_TARGET_HOLD:
    case CONFIG_TARGET_DISCARD:
    case CONFIG_TARGET_FAIL:
    case CONFIG_TARGET_DEFER:
        break;
    }
}

static void route_needs(const struct config *c, const struct config_route *r, struct needs *list)
{
    struct config_text account = config_route_account(c, r);

    if (config_target_is_local(r->targets[0].kind))
        need(list, CONFIG_NEED_ACCOUNT, account.text, account.place);
    for (size_t i = 0; i < r->n_targets; i++)
        target_needs(&r->targets[i], list);
    for (size_t i = 0; i < r->n_fallback; i++)
        target_needs(&r->fallback[i], list);
}

/* ---- needs of TLS and of those who log in ---- */

static void certificate_needs(const struct config *c, struct needs *list)
{
    for (size_t i = 0; i < c->n_certificates; i++) {
        const struct config_certificate *pair = &c->certificates[i];
        need_once(list, CONFIG_NEED_CERTIFICATE, pair->chain, pair->place);
        if (!str_eq(pair->key, pair->chain))
            need_once(list, CONFIG_NEED_KEY, pair->key, pair->place);
    }
}

static void oauth_needs(const struct config *c, struct needs *list)
{
    for (size_t i = 0; i < c->n_oauths; i++) {
        const struct config_oauth *oauth = &c->oauths[i];
        if (!str_contains(oauth->keys, STR("://")))
            need_once(list, CONFIG_NEED_OAUTH_KEYS, oauth->keys, oauth->place);
        need_once(list, CONFIG_NEED_OAUTH_SECRET, oauth->secret.written, oauth->secret.place);
    }
}

static void auth_needs(const struct config_auths *auths, struct needs *list)
{
    for (size_t i = 0; i < auths->n; i++) {
        const struct config_auth *auth = &auths->items[i];
        switch (auth->kind) {
        case CONFIG_AUTH_FILE:
            need_once(list, CONFIG_NEED_AUTH_FILE, auth->where, auth->place);
            break;
        case CONFIG_AUTH_DOVECOT:
            need_once(list, CONFIG_NEED_AUTH_SOCKET, auth->where, auth->place);
            break;
        case CONFIG_AUTH_PAM:
            need_once(list, CONFIG_NEED_PAM_SERVICE, auth->where, auth->place);
            break;
        case CONFIG_AUTH_USERS:
        case CONFIG_AUTH_OAUTH:
            break;
        }
    }
}

static bool asks_users(const struct config_auths *auths)
{
    for (size_t i = 0; i < auths->n; i++)
        if (auths->items[i].kind == CONFIG_AUTH_USERS)
            return true;
    return false;
}

/* Does any listener leave it to the log-in's domain where passwords are? */
static bool domains_are_asked(const struct config *c)
{
    for (size_t i = 0; i < c->n_listeners; i++)
        if (asks_users(&c->listeners[i].session.auth))
            return true;
    return false;
}

static void send_as_needs(const struct config_send_as *send_as, struct needs *list)
{
    for (size_t i = 0; i < send_as->n_files; i++)
        need_once(list, CONFIG_NEED_SEND_AS_FILE, send_as->files[i].text, send_as->files[i].place);
}

static void account_needs(const struct config *c, struct needs *list)
{
    bool asked = domains_are_asked(c), log_in = false;

    for (size_t i = 0; i < c->n_listeners; i++) {
        auth_needs(&c->listeners[i].session.auth, list);
        log_in |= c->listeners[i].session.auth.n > 0;
    }
    send_as_needs(&c->send_as, list);
    for (size_t i = 0; i < c->n_domains; i++) {
        const struct config_domain *d = &c->domains[i];
        send_as_needs(&d->send_as, list);
        if (asked)
            auth_needs(&d->auth, list);
        /* Whoever knows the passwords: a line that locks an account keeps it out. */
        for (size_t k = 0; log_in && k < d->n_users; k++)
            need(list, CONFIG_NEED_AUTH_FILE, d->users[k].path, d->users[k].place);
    }
}

/* All that has to do with TLS and log-ins: kept behind the rest, each once. */
static void secure_needs(const struct config *c, struct needs *list)
{
    list->shared = list->n;
    certificate_needs(c, list);
    for (size_t i = 0; i < c->n_listeners; i++)
        need_once(list, CONFIG_NEED_CLIENT_CA, c->listeners[i].tls.client_ca.text,
                  c->listeners[i].tls.client_ca.place);
    oauth_needs(c, list);
    account_needs(c, list);
    for (size_t i = 0; i < c->n_routes; i++) {
        const struct config_route *route = &c->routes[i];
        need_once(list, CONFIG_NEED_TLS_CA, route->sending.tls_ca.text, route->sending.tls_ca.place);
        need_once(list, CONFIG_NEED_LOGIN_SECRET, route->login_secret.written, route->login_secret.place);
    }
}

bool config_list_needs(struct config_reading *r, struct config *c)
{
    struct needs list = { .items = ARENA_NEW_ARRAY(r->arena, needs_most(c), struct config_need) };

    if (!list.items)
        return config_exhausted(r);
    need(&list, CONFIG_NEED_SPOOL, c->spool.text, c->spool.place);
    need(&list, CONFIG_NEED_STATE, c->state.text, c->state.place);
    need(&list, CONFIG_NEED_SOCKET_FOLDER, folder_of(c->control.path), c->control.place);
    need(&list, CONFIG_NEED_GROUP, c->control.group, c->control.place);
    need(&list, CONFIG_NEED_ACCOUNT, c->run_as.text, c->run_as.place);
    need(&list, CONFIG_NEED_TRUST_ANCHOR, c->trust_anchor.text, c->trust_anchor.place);
    relay_needs(&c->session, &list);
    for (size_t i = 0; i < c->n_listeners; i++)
        listener_needs(c, &c->listeners[i], &list);
    for (size_t i = 0; i < c->n_domains; i++)
        domain_needs(&c->domains[i], &list);
    for (size_t i = 0; i < c->n_routes; i++)
        route_needs(c, &c->routes[i], &list);
    for (size_t i = 0; i < c->n_logs; i++)
        if (c->logs[i].kind == CONFIG_LOG_FILE)
            need(&list, CONFIG_NEED_LOG_FOLDER, folder_of(c->logs[i].path), c->logs[i].place);
    secure_needs(c, &list);
    c->needs = list.items;
    c->n_needs = list.n;
    return true;
}
