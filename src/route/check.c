/* route/check.c */
#include "route/check.h"

#include "route/expand.h"

enum { SCRATCH_MAX = 64 << 20 };

struct checker {
    const struct route_view *view;
    void (*say)(void *ctx, const struct route_finding *finding);
    void *ctx;
    struct route_finding at; /* where what is looked at stands */
    struct arena *scratch;   /* of what is looked at */
    bool full;
};

static void say(struct checker *c, bool is_warning, struct str text)
{
    struct route_finding f = c->at;

    f.is_warning = is_warning;
    f.text = text;
    if (text.p)
        c->say(c->ctx, &f);
    else
        c->full = true;
}

static void say_failure(struct checker *c, enum route_status status, struct str address)
{
    struct arena *a = c->scratch;

    switch (status) {
    case ROUTE_OK:
    case ROUTE_HAS_NO_TABLE:
        return;
    case ROUTE_IS_UNKNOWN:
        say(c, false, arena_printf(a, "leads to %.*s, which does not exist", STR_ARG(address)));
        return;
    case ROUTE_IS_FOREIGN: /* a postmaster or catch-all elsewhere */
        return;
    case ROUTE_IS_BROKEN: /* a fault of its file, which is said there */
        return;
    case ROUTE_IS_OFF:
        say(c, false,
            STR("names a command or file; until the domain says alias-commands on, its mail gets 451"));
        return;
    case ROUTE_IS_UNGUARDED:
        say(c, false,
            STR("names a command or file; until root owns this file and nobody else may write to it, its mail "
                "gets 451"));
        return;
    case ROUTE_IS_LOOP:
        say(c, false, arena_printf(a, "leads in a circle, or over more than %d aliases", ROUTE_DEPTH_MAX));
        return;
    case ROUTE_IS_TOO_MUCH:
        say(c, false, STR("leads to more addresses than max-expansion"));
        return;
    case ROUTE_HAS_NO_MEMORY:
    case ROUTE_STATUSES:
        break;
    }
    c->full = true;
}

/* Of several targets those that do not exist: mail goes to the others, and comes back for these. */
static void say_missing(struct checker *c, const struct route_results *results)
{
    struct route_hit hit;

    for (size_t i = 0; i < results->n; i++) {
        const struct route_result *r = &results->items[i];
        if (r->kind != ENVELOPE_ADDRESS)
            continue;
        route_find(c->view, r->local, r->domain, ROUTE_FIND_MAILBOX, c->scratch, &hit);
        if (hit.kind == ROUTE_UNKNOWN)
            say(c, false,
                arena_printf(c->scratch, "leads to %.*s@%.*s, which does not exist", STR_ARG(r->local),
                             STR_ARG(r->domain)));
    }
}

static bool begin(struct checker *c, struct route_finding at)
{
    c->at = at;
    c->scratch = arena_new(SCRATCH_MAX);
    c->full |= !c->scratch;
    return c->scratch != NULL;
}

static void end(struct checker *c)
{
    arena_free(c->scratch);
    c->scratch = NULL;
}

/* ---- aliases ---- */

/* Under which name of the block an entry is met; false: of none. */
static bool domain_of(const struct config_domain *block, struct str written, struct str *domain)
{
    for (size_t i = 0; i < block->n_names; i++) {
        if (written.n && !str_eq(written, block->names[i].text))
            continue;
        *domain = block->names[i].text;
        return true;
    }
    return false;
}

static void check_entry(struct checker *c, const struct config_domain *block, const struct route_table *table,
                        struct str path, const struct route_alias *entry)
{
    struct route_hit hit = {
        .kind = ROUTE_ALIAS,
        .block = block,
        .aliases = &table->aliases,
        .entry = entry,
        .path = path,
    };
    struct route_results results = { 0 };
    struct route_failure why = { 0 };
    struct str local, domain;

    route_alias_key(&table->aliases, entry, &local, &domain);
    if (!domain_of(block, domain, &hit.domain))
        return;
    if (!begin(c, (struct route_finding){ .path = path, .line = entry->line }))
        return;
    results.arena = c->scratch;
    /* "@domain: @other" keeps the name: any will do to see where it goes. */
    enum route_status status =
        route_expand_entry(c->view, local.n ? local : STR("postmaster"), &hit, &results, &why);
    say_failure(c, status, why.address);
    say_missing(c, &results);
    end(c);
}

static void check_aliases(struct checker *c, const struct config_domain *block)
{
    for (size_t i = 0; i < block->n_aliases; i++) {
        struct str path = block->aliases[i].text;
        const struct route_table *table = c->view->table(c->view->ctx, ROUTE_FORM_ALIASES, path);
        for (size_t k = 0; table && k < route_aliases_count(&table->aliases); k++)
            check_entry(c, block, table, path, route_aliases_entry(&table->aliases, k));
    }
}

/* ---- directives ---- */

static void check_address(struct checker *c, const struct config_address *address)
{
    struct route_results results = { 0 };
    struct route_failure why = { 0 };
    enum route_status status = ROUTE_HAS_NO_MEMORY;
    struct str local, domain;

    if (!address->domain.n || !begin(c, (struct route_finding){ .place = address->place }))
        return;
    results.arena = c->scratch;
    if (route_read_address(address, c->scratch, &local, &domain))
        status = route_expand(c->view, local, domain, 0, &results, &why);
    say_failure(c, status, why.address);
    end(c);
}

/* Every name is a mailbox, or another host says which are. */
static bool takes_any(const struct config_domain *block)
{
    for (size_t i = 0; i < block->n_users; i++)
        if (block->users[i].kind == CONFIG_USERS_ANY || block->users[i].kind == CONFIG_USERS_ASK)
            return true;
    return false;
}

/* Accepted all the same (RFC 5321 4.5.1), but perhaps nobody reads it. */
static void check_postmaster(struct checker *c, const struct config_domain *block)
{
    struct route_hit hit;

    if (!block->n_names || takes_any(block) || !begin(c, (struct route_finding){ .place = block->place }))
        return;
    struct str domain = block->names[0].text;
    route_find(c->view, STR("postmaster"), domain, ROUTE_FIND_ALL, c->scratch, &hit);
    c->at.cure = STR("name somebody: an alias, or postmaster ADDRESS;");
    if (hit.kind == ROUTE_MAILBOX && hit.assumed)
        say(c, true,
            arena_printf(c->scratch, "postmaster@%.*s is no user and no alias: who reads it?",
                         STR_ARG(domain)));
    end(c);
}

bool route_check(const struct route_view *view,
                 void (*say_it)(void *ctx, const struct route_finding *finding), void *ctx)
{
    struct checker c = { .view = view, .say = say_it, .ctx = ctx };

    for (size_t i = 0; i < view->config->n_domains; i++) {
        const struct config_domain *block = &view->config->domains[i];
        check_aliases(&c, block);
        check_address(&c, &block->catch_all);
        check_address(&c, &block->postmaster);
        check_postmaster(&c, block);
    }
    return !c.full;
}
