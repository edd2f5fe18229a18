/* route/find.c -- the order in which what we know is asked. */
#include "route/find.h"

#include "route/local.h"
#include "smtp/address.h"

struct finder {
    const struct route_view *view;
    struct arena *arena;
    enum route_find_mode mode;
    struct route_hit *hit;
};

static struct str users_path(const struct config_users *users)
{
    return users->kind == CONFIG_USERS_SYSTEM ? ROUTE_SYSTEM_PATH : users->path;
}

static const struct route_table *users_table(const struct route_view *view, const struct config_users *users)
{
    enum route_form form = users->kind == CONFIG_USERS_SYSTEM ? ROUTE_FORM_SYSTEM : ROUTE_FORM_USERS;

    return view->table(view->ctx, form, users_path(users));
}

/* ---- mailboxes ---- */

/* Nobody spells the names of `users any`, so that one spelling must stand for all: small letters. */
static enum route_kind any_user(struct finder *f, struct str local)
{
    struct route_folded folded;

    if (!local.n || !route_fold(local, &folded))
        return ROUTE_UNKNOWN;
    f->hit->assumed = true;
    f->hit->user = arena_str(f->arena, route_folded_str(&folded));
    return f->hit->user.p ? ROUTE_MAILBOX : ROUTE_NO_MEMORY;
}

/* WHOLE: LOCAL is as given though it could be cut; `any` and `ask` wait for the name without detail. */
static enum route_kind find_user(struct finder *f, struct str local, bool whole)
{
    struct route_hit *hit = f->hit;

    for (size_t i = 0; i < hit->block->n_users; i++) {
        const struct config_users *users = &hit->block->users[i];
        hit->place = users->place;
        if (users->kind == CONFIG_USERS_ANY || users->kind == CONFIG_USERS_ASK) {
            if (whole)
                continue;
            hit->ask = users->kind == CONFIG_USERS_ASK;
            return any_user(f, local);
        }
        const struct route_table *table = users_table(f->view, users);
        hit->path = table ? STR_NONE : users_path(users);
        if (!table)
            return ROUTE_NO_TABLE;
        if (route_names_find(&table->names, local, hit->domain, &hit->user))
            return ROUTE_MAILBOX;
    }
    return ROUTE_UNKNOWN;
}

/* An address that a `route` names needs no mailbox (FACE 1.6). */
static enum route_kind find_routed(struct finder *f, struct str local)
{
    struct route_hit *hit = f->hit;
    struct route_question q = { .local = local,
                                .domain = hit->domain,
                                .separators = hit->block->subaddress.text };
    struct str user, detail;

    if (!route_index_names(f->view->routes, &q, &user, &detail))
        return ROUTE_UNKNOWN;
    hit->routed = true;
    hit->detail = detail;
    return any_user(f, user);
}

/* A mailbox of that name by the domain's deliver, though no table knows it (RFC 5321 4.5.1). */
static enum route_kind role_mailbox(struct finder *f, struct str local)
{
    f->hit->detail = STR_NONE;
    f->hit->place = f->hit->block->route->place;
    return any_user(f, local);
}

/* ---- aliases ---- */

enum route_kind route_find_alias(const struct route_view *view, const struct config_domain *block,
                                 struct str local, struct str domain, struct route_hit *hit)
{
    for (size_t i = 0; i < block->n_aliases; i++) {
        struct str path = block->aliases[i].text;
        const struct route_table *table = view->table(view->ctx, ROUTE_FORM_ALIASES, path);
        hit->path = path;
        if (!table)
            return ROUTE_NO_TABLE;
        /* An empty local part asks for the entry of the domain as a whole. */
        hit->entry = local.n ? route_aliases_find(&table->aliases, local, domain)
                             : route_aliases_find_domain(&table->aliases, domain);
        hit->aliases = &table->aliases;
        if (hit->entry)
            return ROUTE_ALIAS;
    }
    hit->path = STR_NONE;
    return ROUTE_UNKNOWN;
}

static enum route_kind find_alias(struct finder *f, struct str local)
{
    f->hit->by = ROUTE_BY_ALIAS;
    return route_find_alias(f->view, f->hit->block, local, f->hit->domain, f->hit);
}

static enum route_kind find_name(struct finder *f, struct str local, bool whole)
{
    enum route_kind kind = ROUTE_UNKNOWN;

    if (f->mode == ROUTE_FIND_ALL && local.n)
        kind = find_alias(f, local);
    if (kind == ROUTE_UNKNOWN) {
        f->hit->by = ROUTE_BY_ITSELF;
        kind = find_user(f, local, whole);
    }
    return kind;
}

/* The full address, then without detail. */
static enum route_kind find_names(struct finder *f, struct str local)
{
    struct str user, detail;
    bool has_detail = route_cut_detail(local, f->hit->block->subaddress.text, &user, &detail);
    enum route_kind kind = find_name(f, local, has_detail);

    if (kind == ROUTE_UNKNOWN && has_detail) {
        kind = find_name(f, user, false);
        if (kind == ROUTE_MAILBOX)
            f->hit->detail = detail;
    }
    return kind;
}

/* ---- other addresses ---- */

bool route_read_address(const struct config_address *written, struct arena *arena, struct str *local,
                        struct str *domain)
{
    struct str text = arena_printf(arena, "%.*s@%.*s", STR_ARG(written->local), STR_ARG(written->domain));
    struct smtp_path path;

    if (!text.p || smtp_mailbox_parse(arena, text, &path) != SMTP_PATH_OK)
        return false;
    *local = path.local;
    *domain = path.domain;
    return true;
}

static enum route_kind redirect(struct finder *f, const struct config_address *to, enum route_by by)
{
    if (!route_read_address(to, f->arena, &f->hit->to_local, &f->hit->to_domain))
        return ROUTE_NO_MEMORY;
    f->hit->by = by;
    f->hit->path = STR_NONE;
    f->hit->place = to->place;
    return ROUTE_REDIRECT;
}

/* Behind all users: catch-all, and then the "@domain" aliases. */
static enum route_kind find_rest(struct finder *f)
{
    struct config_place users = f->hit->place;
    enum route_kind kind;

    if (f->mode == ROUTE_FIND_MAILBOX)
        return ROUTE_UNKNOWN;
    if (f->hit->block->catch_all.domain.n)
        return redirect(f, &f->hit->block->catch_all, ROUTE_BY_CATCH_ALL);
    kind = find_alias(f, STR_NONE);
    if (kind == ROUTE_UNKNOWN) {
        f->hit->by = ROUTE_BY_ITSELF;
        f->hit->place = users;
    }
    return kind;
}

/* Does the directive postmaster lead to somebody? If not, the domain's own mailbox must do (RFC 5321 4.5.1).
 */
static bool leads_on(struct finder *f, struct str local)
{
    struct route_hit *hit = f->hit, there = { 0 };
    struct finder to = { f->view, f->arena, ROUTE_FIND_ALL, &there };

    if (str_eq_nocase(hit->to_local, local) && str_eq(hit->to_domain, hit->domain))
        return false;
    there.block = config_find_domain(f->view->config, hit->to_domain);
    there.domain = hit->to_domain;
    /* Whether it exists elsewhere is not ours to say. */
    if (!there.block)
        return true;
    /* A role of another domain is not followed further here: two of them may name each other. */
    return route_is_role(hit->to_local) || find_names(&to, hit->to_local) != ROUTE_UNKNOWN ||
           find_routed(&to, hit->to_local) != ROUTE_UNKNOWN || find_rest(&to) != ROUTE_UNKNOWN;
}

static enum route_kind find_role(struct finder *f, struct str local)
{
    const struct config_address *postmaster = &f->hit->block->postmaster;
    enum route_kind kind;

    if (f->mode == ROUTE_FIND_MAILBOX || !postmaster->domain.n)
        return role_mailbox(f, local);
    kind = redirect(f, postmaster, ROUTE_BY_POSTMASTER);
    if (kind != ROUTE_REDIRECT || leads_on(f, local))
        return kind;
    f->hit->by = ROUTE_BY_ITSELF;
    return role_mailbox(f, local);
}

static enum route_kind find_in_domain(struct finder *f, struct str local)
{
    enum route_kind kind = find_names(f, local);

    if (kind == ROUTE_UNKNOWN)
        kind = find_routed(f, local);
    if (kind == ROUTE_UNKNOWN && route_is_role(local))
        kind = find_role(f, local);
    return kind == ROUTE_UNKNOWN ? find_rest(f) : kind;
}

/* ---- domains ---- */

const struct config_domain *route_home(const struct route_view *view, struct str *name)
{
    const struct config *config = view->config;
    const struct config_domain *block = config_find_domain(config, config->origin.text);

    if (block) {
        *name = config->origin.text;
        return block;
    }
    if (!config->n_domains || !config->domains[0].n_names)
        return NULL;
    *name = config->domains[0].names[0].text;
    return &config->domains[0];
}

/* "[192.0.2.1]" of ours (RFC 5321 4.1.3, RFC 1123 5.2.17). */
static bool is_own_literal(const struct route_view *view, struct str domain)
{
    struct str inside = str_slice(domain, 1, domain.n - 1);
    struct ip ip;

    if (str_starts_nocase(inside, STR("IPv6:")))
        inside = str_skip(inside, 5);
    if (!ip_parse(inside, &ip))
        return false;
    ip = ip_unmap(ip);
    for (size_t i = 0; i < view->n_own; i++)
        if (ip_eq(&view->own[i], &ip))
            return true;
    return false;
}

static bool means_home(const struct route_view *view, struct str local, struct str domain)
{
    if (!domain.n)
        return str_eq_nocase(local, STR("postmaster"));
    return domain.n > 2 && domain.p[0] == '[' && is_own_literal(view, domain);
}

void route_find(const struct route_view *view, struct str local, struct str domain, enum route_find_mode mode,
                struct arena *arena, struct route_hit *hit)
{
    struct finder f = { view, arena, mode, hit };

    *hit = (struct route_hit){ .kind = ROUTE_FOREIGN, .domain = domain };
    hit->block = means_home(view, local, domain) ? route_home(view, &hit->domain)
                                                 : config_find_domain(view->config, domain);
    if (hit->block)
        hit->kind = find_in_domain(&f, local);
}

const struct config_route *route_of(const struct route_view *view, const struct route_hit *hit,
                                    struct route_question q)
{
    const struct config_route *route;

    q.domain = hit->domain;
    q.separators = hit->block ? hit->block->subaddress.text : ROUTE_FOREIGN_SEPARATORS;
    route = route_match(view->routes, &q);
    return !hit->routed || route_is_for_address(view->routes, &q, route) ? route : NULL;
}

struct str route_hit_rule(const struct route_view *view, const struct route_hit *hit, struct arena *arena)
{
    struct config_place_text text;

    if (hit->path.n && hit->entry)
        return arena_printf(arena, "%.*s:%u", STR_ARG(hit->path), hit->entry->line);
    if (hit->path.n)
        return hit->path;
    text = config_rule(view->config, hit->place);
    return arena_str(arena, str_from_c(text.c));
}

struct str route_by_name(enum route_by by)
{
    static const struct str names[ROUTE_BYS] = {
        [ROUTE_BY_ITSELF] = STR_INIT(""),
        [ROUTE_BY_ALIAS] = STR_INIT("alias"),
        [ROUTE_BY_LIST] = STR_INIT("list"),
        [ROUTE_BY_CATCH_ALL] = STR_INIT("catch-all"),
        [ROUTE_BY_POSTMASTER] = STR_INIT("postmaster"),
        [ROUTE_BY_ORIGIN] = STR_INIT("origin"),
    };

    BUG_ON(by >= ROUTE_BYS);
    return names[by];
}
