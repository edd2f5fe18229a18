/* config/sites.c -- sites: who belongs to which, and which can never be (FACE 1.9). */
#include "config/builder.h"

#include <stdlib.h>

/* A member of a site, by what it is looked up for. */
struct member {
    bool is_host;
    bool below;
    struct str domain;
    const struct config_site *site;
};

/* Sorted; of a member of several sites the first alone. */
struct config_site_index {
    struct member *items;
    size_t n;
    const struct config_site *all[2]; /* the first with "*": as domains, as hosts */
};

static int cmp(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int by_name(const struct member *a, const struct member *b)
{
    int d = cmp(a->is_host, b->is_host);

    d = d ? d : cmp(a->below, b->below);
    return d ? d : str_cmp(a->domain, b->domain);
}

static int by_name_and_site(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int d = by_name(x, y);

    return d ? d : cmp(x->site->index, y->site->index);
}

static const struct config_site *first_of(const struct config_site *a, const struct config_site *b)
{
    if (!a || !b)
        return a ? a : b;
    return a->index < b->index ? a : b;
}

/* ---- finding ---- */

static const struct config_site *find(const struct config_site_index *index, const struct member *key)
{
    size_t from = 0, to = index->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int d = by_name(key, &index->items[middle]);
        if (!d)
            return index->items[middle].site;
        if (d < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

/* The first site with a pattern that fits DOMAIN; with BELOW, everything below DOMAIN. */
static const struct config_site *find_pattern(const struct config_site_index *index, bool is_host,
                                              struct str domain, bool below)
{
    struct member key = { .is_host = is_host, .below = below, .domain = domain };
    const struct config_site *found = first_of(index->all[is_host], find(index, &key));

    key.below = true;
    for (struct str rest = domain; rest.p;) {
        str_cut(&rest, '.');
        key.domain = rest;
        if (rest.p)
            found = first_of(found, find(index, &key));
    }
    return found;
}

const struct config_site *config_find_site(const struct config *c, struct str domain, const struct str *hosts,
                                           size_t n_hosts)
{
    const struct config_site *found;

    if (!c->n_sites)
        return NULL;
    found = find_pattern(c->site_names, false, domain, false);
    if (found)
        return found;
    for (size_t i = 0; i < n_hosts; i++)
        found = first_of(found, find_pattern(c->site_names, true, hosts[i], false));
    return found;
}

/* ---- building ---- */

static void add_members(struct config_site_index *index, const struct config_site *site, bool is_host)
{
    const struct config_patterns *patterns = is_host ? &site->hosts : &site->domains;

    for (size_t i = 0; i < patterns->n; i++) {
        const struct config_pattern *p = &patterns->items[i];
        if (p->kind == CONFIG_PATTERN_ALL)
            index->all[is_host] = first_of(index->all[is_host], site);
        else
            index->items[index->n++] =
                (struct member){ is_host, p->kind == CONFIG_PATTERN_BELOW, p->domain, site };
    }
}

/* Of several with one name the first stays. */
static void drop_hidden(struct config_site_index *index)
{
    size_t kept = 0;

    for (size_t i = 0; i < index->n; i++)
        if (!kept || by_name(&index->items[kept - 1], &index->items[i]))
            index->items[kept++] = index->items[i];
    index->n = kept;
}

static bool index_sites(struct config_builder *b)
{
    struct config_site_index *index = ARENA_NEW(b->r->arena, struct config_site_index);
    size_t n = 0;

    for (size_t i = 0; i < b->c->n_sites; i++)
        n += b->c->sites[i].domains.n + b->c->sites[i].hosts.n;
    struct member *items = ARENA_NEW_ARRAY(b->r->arena, n, struct member);
    if (!index || !items)
        return config_exhausted(b->r);
    *index = (struct config_site_index){ .items = items };
    for (size_t i = 0; i < b->c->n_sites; i++) {
        add_members(index, &b->c->sites[i], false);
        add_members(index, &b->c->sites[i], true);
    }
    if (index->n)
        qsort(items, index->n, sizeof(*items), by_name_and_site);
    drop_hidden(index);
    b->c->site_names = index;
    return true;
}

static bool site(struct config_builder *b, const struct config_statement *s, struct config_site *out)
{
    const struct config_statement *hosts = config_block_find(s->block, CONFIG_DIRECTIVE_HOSTS);
    const struct config_statement *domains = config_block_find(s->block, CONFIG_DIRECTIVE_DOMAINS);

    *out = (struct config_site){
        .index = b->c->n_sites,
        .place = config_statement_place(s),
        .name = s->value.text,
    };
    if (hosts)
        out->hosts = hosts->value.patterns;
    if (domains)
        out->domains = domains->value.patterns;
    return config_build_sending(b, s->block, &out->sending);
}

/* ---- those that can never be ---- */

/* Whose is all that P fits? Where a site has all domains, no host is asked about. */
static const struct config_site *owner_of(const struct config *c, const struct config_pattern *p,
                                          bool is_host)
{
    if (c->site_names->all[false] && is_host)
        return c->site_names->all[false];
    if (p->kind == CONFIG_PATTERN_ALL)
        return c->site_names->all[is_host];
    return find_pattern(c->site_names, is_host, p->domain, p->kind == CONFIG_PATTERN_BELOW);
}

/* Whose are all its members? NULL: some are its own. */
static const struct config_site *hidden_by(const struct config *c, const struct config_site *s)
{
    const struct config_site *owner = NULL;

    for (size_t i = 0; i < s->domains.n + s->hosts.n; i++) {
        bool is_host = i >= s->domains.n;
        const struct config_pattern *p = is_host ? &s->hosts.items[i - s->domains.n] : &s->domains.items[i];
        owner = owner_of(c, p, is_host);
        if (owner == s)
            return NULL;
    }
    return owner;
}

static void refuse_hidden(struct config_builder *b)
{
    for (size_t i = 0; i < b->c->n_sites && !b->r->stopped; i++) {
        const struct config_site *s = &b->c->sites[i], *owner = hidden_by(b->c, s);
        if (!owner)
            continue;
        struct str shown = config_shown(b->r, s->name.text), whose = config_shown(b->r, owner->name.text);
        struct config_mark mark = { .place = s->name.place };
        mark.cure = config_say(b->r, "all that is in it belongs to other sites, such as '%.*s' at %s",
                               STR_ARG(whose), config_place_text(&b->c->files, owner->place).c);
        config_complain(b->r, mark, "the site '%.*s' can never match", STR_ARG(shown));
    }
}

bool config_build_sites(struct config_builder *b)
{
    const struct config_statement *first = config_block_find(b->tree->written, CONFIG_DIRECTIVE_SITE);
    size_t n = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    struct config_site *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_site);
    if (!items)
        return config_exhausted(b->r);
    b->c->sites = items;
    for (const struct config_statement *s = first; s; s = s->same, b->c->n_sites++)
        if (!site(b, s, &items[b->c->n_sites]))
            return false;
    if (!index_sites(b))
        return false;
    refuse_hidden(b);
    return true;
}
