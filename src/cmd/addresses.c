/* cmd/addresses.c -- do aliases lead somewhere, and is there somebody who reads a postmaster's mail? (FACE 1.11) */
#include <stdio.h>

#include "cmd/needs.h"
#include "route/expand.h"

enum { ADDRESS_ARENA_MAX = 64 << 20 };

struct walk {
    struct needs_report *report;
    struct config_place place; /* of the block whose tables are asked for */
    struct route_view view;
};

static const struct route_table *table_of(void *ctx, enum route_form form, struct str path)
{
    struct walk *w = ctx;

    return needs_table(w->report, form, path, w->place);
}

/* What RCPT would say later, said now. */
static void judge(struct walk *w, const char *file, uint32_t line, struct str local, enum route_status status,
                  const struct route_failure *why)
{
    struct needs_report *r = w->report;

    switch (status) {
    case ROUTE_IS_LOOP:
        needs_line(r, CONFIG_ERROR, "%s:%u: error: '%.*s' leads to itself, or deeper than %d aliases", file, line,
                   STR_ARG(local), ROUTE_DEPTH_MAX);
        break;
    case ROUTE_IS_TOO_MUCH:
        needs_line(r, CONFIG_ERROR, "%s:%u: error: '%.*s' becomes more addresses than max-expansion allows", file,
                   line, STR_ARG(local));
        break;
    case ROUTE_IS_NOT_BUILT:
        needs_line(r, CONFIG_ERROR,
                   "%s:%u: error: '%.*s' leads to '%.*s': mail to other hosts, commands and files is not built yet",
                   file, line, STR_ARG(local), STR_ARG(why->address));
        break;
    case ROUTE_IS_UNKNOWN:
        needs_line(r, CONFIG_WARNING, "%s:%u: warning: '%.*s' leads to '%.*s', which does not exist", file, line,
                   STR_ARG(local), STR_ARG(why->address));
        break;
    default: /* fine, or said already */
        break;
    }
}

static void check_alias(struct walk *w, const struct config_domain *d, const char *file,
                        const struct route_aliases *aliases, const struct route_alias *entry)
{
    struct arena *a = arena_new(ADDRESS_ARENA_MAX);
    struct route_results results = { .arena = a };
    struct route_failure why = { 0 };
    struct str local, domain;

    route_alias_key(aliases, entry, &local, &domain);
    /* "@domain" has no name to try; one of another block's domain is tried there. */
    if (a && local.n && (!domain.n || config_find_domain(w->view.config, domain) == d))
        judge(w, file, entry->line, local,
              route_expand(&w->view, local, domain.n ? domain : d->names[0].text, 0, &results, &why), &why);
    arena_free(a);
}

static void check_aliases(struct walk *w, const struct config_domain *d, const struct config_text *path)
{
    const struct route_table *table = table_of(w, ROUTE_FORM_ALIASES, path->text);
    char file[512];

    snprintf(file, sizeof(file), "%.*s", STR_ARG(path->text));
    for (size_t i = 0; table && i < route_aliases_count(&table->aliases); i++)
        check_alias(w, d, file, &table->aliases, route_aliases_entry(&table->aliases, i));
}

/* postmaster is always accepted (RFC 5321 4.5.1): better by somebody who knows of it. */
static void check_postmaster(struct walk *w, const struct config_domain *d, struct str domain)
{
    struct arena *a = arena_new(ADDRESS_ARENA_MAX);
    struct route_hit hit = { 0 };
    char text[400];

    if (!a)
        return;
    route_find(&w->view, STR("postmaster"), domain, ROUTE_FIND_ALL, a, &hit);
    if (hit.kind == ROUTE_MAILBOX && hit.assumed) {
        snprintf(text, sizeof(text), "nobody is postmaster of %.*s: its mail goes to a mailbox of that name",
                 STR_ARG(domain));
        config_diagnostics_add(w->report->diag, CONFIG_WARNING, d->place, str_from_c(text), STR_NONE,
                               STR("name somebody: an alias, or postmaster ADDRESS;"));
    }
    arena_free(a);
}

void addresses_check(const struct config *config, struct needs_report *report)
{
    struct walk w = { .report = report, .view = { .config = config, .table = table_of } };

    w.view.ctx = &w;
    for (size_t i = 0; i < config->n_domains; i++) {
        const struct config_domain *d = &config->domains[i];
        w.place = d->place;
        for (size_t k = 0; k < d->n_aliases; k++)
            check_aliases(&w, d, &d->aliases[k]);
        for (size_t k = 0; k < d->n_names; k++)
            check_postmaster(&w, d, d->names[k].text);
    }
}
