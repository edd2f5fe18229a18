/* config/build.c -- what holds where, once everything that was written is known to be right. */
#include "config/build.h"

#include <string.h>

#include "config/builder.h"
#include "config/index.h"
#include "config/parse.h"

enum { FUTURE_RELEASE_MSEC = 7 * 24 * 3600 * 1000 };

/* ---- workers ---- */

static void read_workers(struct config_builder *b, const struct config_block *block)
{
    for (const struct config_statement *s = config_block_find(block, CONFIG_DIRECTIVE_WORKERS); s;
         s = s->same)
        if (s->value.workers.kind == CONFIG_WORKER_RECEIVE)
            b->c->receive_workers = s->value.workers.count;
        else
            b->c->send_workers = s->value.workers.count;
}

/* ---- limits ---- */

static bool is_limit(const struct config_statement *s)
{
    return s->directive && s->directive->id == CONFIG_DIRECTIVE_LIMIT;
}

static size_t count_limits(const struct config_block *block)
{
    size_t n = 0;

    for (const struct config_statement *s = block->first; s; s = s->next)
        n += s->block ? count_limits(s->block) : is_limit(s);
    return n;
}

/* What its block is called, so that another configuration knows the limit again: by its name and what tells it apart. */
static struct str block_name(const struct config_builder *b, const struct config_statement *s)
{
    struct str name = config_statement_name(s);

    return s->n_words > 1
               ? arena_printf(b->r->arena, "%.*s %.*s", STR_ARG(name), STR_ARG(s->words[1].text))
               : name;
}

/* Puts the limits of BLOCK, called NAME, and of the blocks in it in their order into one array, for their indexes. */
static bool collect_limits(struct config_builder *b, struct config_block *block, struct str name, bool built_in)
{
    for (struct config_statement *s = block->first; s; s = s->next) {
        struct str inner = s->block ? block_name(b, s) : STR_NONE;
        if (s->block && (!inner.p || !collect_limits(b, s->block, inner, built_in)))
            return false;
        if (!is_limit(s))
            continue;
        s->value.limit.index = b->c->n_limits;
        s->value.limit.block = name;
        s->value.limit.built_in = built_in;
        b->limits[b->c->n_limits++] = s->value.limit;
    }
    return true;
}

static bool all_limits(struct config_builder *b)
{
    size_t n = count_limits(b->tree->defaults) + count_limits(b->tree->written);

    b->limits = ARENA_NEW_ARRAY(b->r->arena, n, struct config_limit);
    if (!b->limits)
        return config_exhausted(b->r);
    b->c->limits = b->limits;
    return (collect_limits(b, b->tree->defaults, STR_NONE, true) &&
            collect_limits(b, b->tree->written, STR_NONE, false)) ||
           config_exhausted(b->r);
}

/* What BLOCK says replaces what stands outside; `none` takes it away. */
static void fill_slots(const struct config_builder *b, const struct config_block *block,
                       struct config_limit_slots *slots)
{
    for (const struct config_statement *s = config_block_find(block, CONFIG_DIRECTIVE_LIMIT); s;
         s = s->same) {
        const struct config_limit *limit = &b->limits[s->value.limit.index];
        slots->of[limit->key][limit->measure] = limit->bound ? limit : NULL;
    }
}

static bool list_slots(struct config_builder *b, const struct config_limit_slots *slots,
                       struct config_limits *out)
{
    const struct config_limit *const *all = &slots->of[0][0];
    size_t n = 0, at = 0;

    for (size_t i = 0; i < CONFIG_LIMIT_KEYS * CONFIG_LIMIT_MEASURES; i++)
        n += all[i] != NULL;
    const struct config_limit **items = ARENA_NEW_ARRAY(b->r->arena, n, const struct config_limit *);
    if (!items)
        return config_exhausted(b->r);
    for (size_t i = 0; i < CONFIG_LIMIT_KEYS * CONFIG_LIMIT_MEASURES; i++)
        if (all[i])
            items[at++] = all[i];
    *out = (struct config_limits){ .items = items, .n = n };
    return true;
}

/* ---- names ---- */

/* The hostname that was not written is the system's, if that is a full name. */
static bool system_hostname(struct config_builder *b, struct config_text *out)
{
    struct str fqdn = b->r->reader->facts.fqdn, shown = config_shown(b->r, fqdn);
    struct config_mark mark = { .cure = STR("write the full name, such as: hostname mail.example.org;") };

    if (!fqdn.n)
        return config_complain(b->r, mark,
                               "no hostname is written, and this system does not know its full name");
    if (!config_domain_normal(fqdn, b->r->arena, &out->text, NULL) || !str_has(out->text, '.'))
        return config_complain(
            b->r, mark, "no hostname is written, and the name of this system, '%.*s', is not a full one",
            STR_ARG(shown));
    return true;
}

static bool hostname(struct config_builder *b, const struct config_block *block, struct config_text *out)
{
    const struct config_statement *s = config_said(b, block, CONFIG_DIRECTIVE_HOSTNAME);

    if (!s)
        return system_hostname(b, out);
    *out = s->value.text;
    return true;
}

/* The served domain if there is one only, else the hostname. */
static void origin(struct config_builder *b)
{
    struct config *c = b->c;
    const struct config_statement *s = config_said(b, NULL, CONFIG_DIRECTIVE_ORIGIN);

    if (s)
        c->origin = s->value.text;
    else if (c->n_domains == 1 && c->domains[0].n_names == 1)
        c->origin = (struct config_text){ .text = c->domains[0].names[0].text };
    else
        c->origin = (struct config_text){ .text = c->session.hostname.text };
}

/* Without one that is written: that of the origin if we serve it, else of the first domain. */
static void postmaster(struct config_builder *b)
{
    struct config *c = b->c;
    const struct config_statement *s = config_said(b, NULL, CONFIG_DIRECTIVE_POSTMASTER);

    if (s && s->value.address.local.n) {
        c->postmaster = s->value.address;
        return;
    }
    if (!c->n_domains)
        return;
    c->postmaster.local = STR("postmaster");
    c->postmaster.domain =
        config_find_domain(c, c->origin.text) ? c->origin.text : c->domains[0].names[0].text;
}

/* ---- sessions, listeners ---- */

/* What is on where users send, and off where strangers do. */
static struct config_flag flag_of_role(const struct config_builder *b, const struct config_block *block,
                                       enum config_directive_id id, enum config_role role)
{
    const struct config_statement *s = config_said(b, block, id);

    return s ? s->value.flag : (struct config_flag){ .on = role == CONFIG_ROLE_SUBMISSION };
}

static bool session(struct config_builder *b, const struct config_block *block, enum config_role role,
                    struct config_session *out)
{
    const struct config_statement *mechanisms = config_said(b, block, CONFIG_DIRECTIVE_MECHANISMS);
    const union config_value *relay = config_said_value(b, block, CONFIG_DIRECTIVE_RELAY_FROM);
    struct config_limit_slots slots = b->outer;

    *out = (struct config_session){
        .max_message_size = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_MESSAGE_SIZE)->number,
        .max_recipients = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_RECIPIENTS)->number,
        .max_header_size = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_HEADER_SIZE)->number,
        .max_line_length = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_LINE_LENGTH)->number,
        .max_sessions = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_SESSIONS)->count,
        .max_messages = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_MESSAGES)->number,
        .max_errors = config_said_value(b, block, CONFIG_DIRECTIVE_MAX_ERRORS)->number,
        .error_delay = config_said_value(b, block, CONFIG_DIRECTIVE_ERROR_DELAY)->time,
        .timeout_command = config_said_timeout(b, block, CONFIG_TIMEOUT_COMMAND),
        .timeout_transaction = config_said_timeout(b, block, CONFIG_TIMEOUT_TRANSACTION),
        .timeout_lookup = config_said_timeout(b, block, CONFIG_TIMEOUT_LOOKUP),
        .bare_newlines = config_said_value(b, block, CONFIG_DIRECTIVE_BARE_NEWLINES)->choice,
        .ehlo_check = config_said_value(b, block, CONFIG_DIRECTIVE_EHLO_CHECK)->choice,
        .path_syntax = config_said_value(b, block, CONFIG_DIRECTIVE_PATH_SYNTAX)->choice,
        .vrfy = config_said_value(b, block, CONFIG_DIRECTIVE_VRFY)->flag,
        .relay_from = relay->relay.networks,
        .relay_tables = relay->relay.tables,
        .n_relay_tables = relay->relay.n,
        .relay_certificates = relay->relay.certificates,
        .n_relay_certificates = relay->relay.n_certificates,
        .auth = config_build_auth(b, block, role),
        .hide_client = flag_of_role(b, block, CONFIG_DIRECTIVE_HIDE_CLIENT, role),
        .complete_headers = flag_of_role(b, block, CONFIG_DIRECTIVE_COMPLETE_HEADERS, role),
    };
    if (mechanisms) {
        out->mechanisms = mechanisms->value.texts.items;
        out->n_mechanisms = mechanisms->value.texts.n;
    }
    fill_slots(b, block, &slots);
    return list_slots(b, &slots, &out->limits) && hostname(b, block, &out->hostname);
}

/* Role and port: "mx-25"; sockets without a port are told apart by what they are. */
static struct str default_name(struct config_builder *b, enum config_role role, const struct config_endpoint *first)
{
    const char *name = role == CONFIG_ROLE_SUBMISSION ? "submission" : "mx";

    if (first->kind == CONFIG_ENDPOINT_UNIX)
        return config_say(b->r, "%s-unix", name);
    if (first->kind == CONFIG_ENDPOINT_SYSTEMD)
        return config_say(b->r, "%s-%.*s", name, STR_ARG(first->path));
    return config_say(b->r, "%s-%u", name, first->port);
}

/* How long users may have mail kept back (RFC 4865); strangers may not. */
static struct config_time future_release(const struct config_statement *s, enum config_role role)
{
    if (s)
        return s->value.time;
    return (struct config_time){ .msec = role == CONFIG_ROLE_SUBMISSION ? FUTURE_RELEASE_MSEC : 0 };
}

static bool listener(struct config_builder *b, const struct config_statement *s, struct config_listener *out)
{
    const struct config_statement *name = config_block_find(s->block, CONFIG_DIRECTIVE_NAME);
    const struct config_statement *allow = config_block_find(s->block, CONFIG_DIRECTIVE_ALLOW_FROM);
    const struct config_socket *mode = &config_said_value(b, s->block, CONFIG_DIRECTIVE_MODE)->socket;

    *out = (struct config_listener){
        .place = config_statement_place(s),
        .role = s->value.endpoints.role,
        .tls_at_once = s->value.endpoints.tls_at_once,
        .future_release = future_release(config_block_find(s->block, CONFIG_DIRECTIVE_FUTURE_RELEASE),
                                         s->value.endpoints.role),
        .endpoints = s->value.endpoints.items,
        .n_endpoints = s->value.endpoints.n,
        .allow_from = { .everyone = true },
        .mode = { .n = mode->mode, .place = mode->place },
        .group = mode->group,
    };
    if (allow)
        out->allow_from = allow->value.networks;
    if (name)
        out->name = name->value.text;
    else
        out->name.text = default_name(b, out->role, &out->endpoints[0]);
    if (!session(b, s->block, out->role, &out->session) || !config_build_tls(b, s->block, out->role, &out->tls))
        return false;
    config_build_require(b, s, out);
    return true;
}

static const struct config_statement *first_listen(const struct config_builder *b)
{
    return config_block_find(b->tree->written, CONFIG_DIRECTIVE_LISTEN);
}

/* `listen none` is no listener. */
static bool listeners(struct config_builder *b)
{
    size_t n = 0;

    for (const struct config_statement *s = first_listen(b); s; s = s->same)
        n += s->value.endpoints.n > 0;
    struct config_listener *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_listener);
    if (!items)
        return config_exhausted(b->r);
    b->c->listeners = items;
    for (const struct config_statement *s = first_listen(b); s; s = s->same)
        if (s->value.endpoints.n && !listener(b, s, &items[b->c->n_listeners++]))
            return false;
    return true;
}

/* ---- domains ---- */

/* The user that is delivered to where users are accounts; else one account for all mailboxes (FACE 1.9). */
static struct config_text deliver_as(const struct config_statement *said_so, const struct config_users *users)
{
    if (said_so && said_so->value.text.text.n)
        return said_so->value.text;
    return (struct config_text){ .text = users->kind == CONFIG_USERS_SYSTEM ? STR_NONE : STR("vmail") };
}

static bool domain(struct config_builder *b, const struct config_statement *s, struct config_domain *out)
{
    const struct config_statement *users = config_block_find(s->block, CONFIG_DIRECTIVE_USERS);
    const struct config_statement *aliases = config_said(b, s->block, CONFIG_DIRECTIVE_ALIASES);
    const struct config_statement *catch_all = config_block_find(s->block, CONFIG_DIRECTIVE_CATCH_ALL);
    const struct config_statement *post = config_said(b, s->block, CONFIG_DIRECTIVE_POSTMASTER);
    struct config_limit_slots own = { 0 };

    *out = (struct config_domain){
        .index = b->c->n_domains,
        .place = config_statement_place(s),
        .names = s->value.texts.items,
        .n_names = s->value.texts.n,
        .users = users->value.users.items,
        .n_users = users->value.users.n,
        .subaddress = config_said_value(b, s->block, CONFIG_DIRECTIVE_SUBADDRESS)->text,
        .deliver_as =
            deliver_as(config_block_find(s->block, CONFIG_DIRECTIVE_DELIVER_AS), users->value.users.items),
        .alias_commands = config_said_value(b, s->block, CONFIG_DIRECTIVE_ALIAS_COMMANDS)->flag,
        .max_message_size = config_said_value(b, s->block, CONFIG_DIRECTIVE_MAX_MESSAGE_SIZE)->number,
        .max_expansion = config_said_value(b, s->block, CONFIG_DIRECTIVE_MAX_EXPANSION)->number,
    };
    if (!config_routes_deliver(b, s, out))
        return false;
    if (aliases) {
        out->aliases = aliases->value.texts.items;
        out->n_aliases = aliases->value.texts.n;
    }
    if (catch_all)
        out->catch_all = catch_all->value.address;
    if (post)
        out->postmaster = post->value.address;
    out->auth = config_build_domain_auth(s->block);
    out->send_as = config_said_value(b, s->block, CONFIG_DIRECTIVE_SEND_AS)->send_as;
    fill_slots(b, s->block, &own);
    return list_slots(b, &own, &out->limits);
}

static bool domains(struct config_builder *b)
{
    const struct config_statement *first = config_block_find(b->tree->written, CONFIG_DIRECTIVE_DOMAIN);
    size_t n = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    struct config_domain *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_domain);
    if (!items)
        return config_exhausted(b->r);
    b->c->domains = items;
    for (const struct config_statement *s = first; s; s = s->same, b->c->n_domains++)
        if (!domain(b, s, &items[b->c->n_domains]))
            return false;
    return true;
}

/* ---- DNS ---- */

/* The one for everything stands first: that which is written, else the system's. */
static bool resolvers(struct config_builder *b)
{
    const struct config_statement *first = config_block_find(b->tree->written, CONFIG_DIRECTIVE_RESOLVER);
    const struct config_statement *whole = first;
    size_t n = 1;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    struct config_resolver *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_resolver);
    if (!items)
        return config_exhausted(b->r);
    while (whole && whole->value.resolver.zone.n)
        whole = whole->same;
    if (!whole)
        whole = config_block_find(b->tree->defaults, CONFIG_DIRECTIVE_RESOLVER);
    items[b->c->n_resolvers++] = whole->value.resolver;
    for (const struct config_statement *s = first; s; s = s->same)
        if (s->value.resolver.zone.n)
            items[b->c->n_resolvers++] = s->value.resolver;
    b->c->resolvers = items;
    return true;
}

/* ---- the log ---- */

static bool logs(struct config_builder *b)
{
    const struct config_statement *first = config_said(b, NULL, CONFIG_DIRECTIVE_LOG);
    size_t n = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    struct config_log *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_log);
    if (!items)
        return config_exhausted(b->r);
    for (const struct config_statement *s = first; s; s = s->same)
        items[b->c->n_logs++] = s->value.log;
    if (!first->value.log.place.line && b->r->reader->facts.under_systemd)
        items[0].kind = CONFIG_LOG_JOURNAL;
    b->c->logs = items;
    return true;
}

static void top(struct config_builder *b)
{
    const struct config_statement *addresses = config_said(b, NULL, CONFIG_DIRECTIVE_PUBLIC_ADDRESS);
    const struct config_statement *run_as = config_said(b, NULL, CONFIG_DIRECTIVE_RUN_AS);
    const struct config_statement *anchor = config_said(b, NULL, CONFIG_DIRECTIVE_TRUST_ANCHOR);
    struct config *c = b->c;

    c->spool = config_said_value(b, NULL, CONFIG_DIRECTIVE_SPOOL)->text;
    c->state = config_said_value(b, NULL, CONFIG_DIRECTIVE_STATE)->text;
    c->control = config_said_value(b, NULL, CONFIG_DIRECTIVE_CONTROL)->socket;
    c->min_free = config_said_value(b, NULL, CONFIG_DIRECTIVE_MIN_FREE)->share;
    c->max_memory = config_said_value(b, NULL, CONFIG_DIRECTIVE_MAX_MEMORY)->count;
    c->max_received = config_said_value(b, NULL, CONFIG_DIRECTIVE_MAX_RECEIVED)->number;
    c->send_as = config_said_value(b, NULL, CONFIG_DIRECTIVE_SEND_AS)->send_as;
    if (addresses)
        c->public_address = addresses->value.ips;
    if (run_as)
        c->run_as = run_as->value.text;
    c->expire_bounces = config_said_value(b, NULL, CONFIG_DIRECTIVE_EXPIRE_BOUNCES)->time;
    c->bounce_content = config_said_value(b, NULL, CONFIG_DIRECTIVE_BOUNCE_CONTENT)->bounce;
    c->history = config_said_value(b, NULL, CONFIG_DIRECTIVE_HISTORY)->history;
    if (anchor)
        c->trust_anchor = anchor->value.text;
    read_workers(b, b->tree->defaults);
    read_workers(b, b->tree->written);
}

const struct config *config_build(struct config_reading *r, const struct config_tree *tree)
{
    struct config_builder b = { .r = r, .tree = tree, .c = ARENA_NEW(r->arena, struct config) };

    if (!b.c) {
        config_exhausted(r);
        return NULL;
    }
    b.c->files = r->diag->files;
    b.c->tree = tree;
    if (!all_limits(&b))
        return NULL;
    fill_slots(&b, tree->defaults, &b.outer);
    fill_slots(&b, tree->written, &b.outer);
    top(&b);
    if (!config_certificates_begin(&b) || !config_build_oauths(&b) ||
        !session(&b, NULL, CONFIG_ROLE_SUBMISSION, &b.c->session) || !listeners(&b) || !resolvers(&b) || !logs(&b))
        return NULL;
    if (!config_routes_begin(&b) || !domains(&b) || !config_routes_end(&b) || !config_build_sites(&b))
        return NULL;
    if (!config_index_domains(r, b.c))
        return NULL;
    origin(&b);
    postmaster(&b);
    return config_list_needs(r, b.c) ? b.c : NULL;
}
