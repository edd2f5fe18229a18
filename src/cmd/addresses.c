/* cmd/addresses.c -- do aliases lead somewhere, and does somebody read a postmaster's mail? (FACE 1.11) */
#include <stdio.h>
#include <unistd.h>

#include "cmd/needs.h"
#include "route/check.h"

enum { FINDINGS_SHOWN = 200, RULE_MAX = 1200, ROUTES_MAX = 256 << 20 };

struct walk {
    struct needs_report *report;
    size_t findings; /* in files of aliases */
};

static const struct route_table *table_of(void *ctx, enum route_form form, struct str path)
{
    struct walk *w = ctx;

    return needs_table(w->report, form, path, CONFIG_PLACE_DEFAULT);
}

/* One line of an alias file is said once, whatever is wrong with it and in how many domains. */
static void say_line(struct walk *w, const struct route_finding *f)
{
    enum config_severity severity = f->is_warning ? CONFIG_WARNING : CONFIG_ERROR;
    char rule[RULE_MAX];

    snprintf(rule, sizeof(rule), "%.*s:%u: ", STR_ARG(f->path), f->line);
    if (w->findings > FINDINGS_SHOWN || str_contains(buf_str(&w->report->lines), str_from_c(rule)))
        return;
    if (w->findings++ == FINDINGS_SHOWN)
        needs_line(w->report, CONFIG_ERROR, "%.*s: error: more lines like these", STR_ARG(f->path));
    else
        needs_line(w->report, severity, "%s%s: %.*s", rule, f->is_warning ? "warning" : "error",
                   STR_ARG(f->text));
}

static void on_finding(void *ctx, const struct route_finding *f)
{
    struct walk *w = ctx;

    if (f->path.n)
        say_line(w, f);
    else
        config_diagnostics_add(w->report->diag, f->is_warning ? CONFIG_WARNING : CONFIG_ERROR, f->place,
                               f->text, STR_NONE, f->cure);
}

void addresses_check(const struct config *config, struct needs_report *report)
{
    struct walk w = { .report = report };
    struct arena *a = arena_new(ROUTES_MAX);
    struct route_view view = {
        .config = config,
        .routes = a ? route_index_new(a, config) : NULL,
        .owner = geteuid(),
        .table = table_of,
        .ctx = &w,
    };

    if (!view.routes || !route_check(&view, on_finding, &w))
        needs_line(report, CONFIG_ERROR, "error: out of memory: not all aliases were looked at");
    arena_free(a);
}
