#include "tests/unit/route/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/parse.h"
#include "core/bug.h"
#include "route/clients.h"
#include "route/users.h"

static bool no_file(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    (void)ctx, (void)a, (void)text;
    return err_perm(err, "%.*s: there are no files here", STR_ARG(path));
}

static bool no_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n,
                    struct err *err)
{
    (void)ctx, (void)a, (void)paths, (void)n;
    return err_perm(err, "%.*s: there are no files here", STR_ARG(pattern));
}

static bool no_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    (void)ctx, (void)name, (void)a, (void)value;
    return false;
}

const struct config *world_config(struct arena *a, const char *text)
{
    struct str override = str_from_c(text);
    struct config_reader reader = {
        .read_file = no_file,
        .glob = no_glob,
        .env = no_env,
        .facts = { .fqdn = STR("mail.example.org") },
    };
    struct config_source source = { .overrides = &override, .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    struct buf out = BUF_INIT(1 << 20);
    const struct config *config = NULL;

    if (!config_parse(&reader, &source, a, &config, &diag)) {
        if (config_diagnostics_render(&diag, &out))
            fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&out)));
        BUG_ON(!config);
    }
    buf_done(&out);
    return config;
}

static const struct route_table *find(void *ctx, enum route_form form, struct str path)
{
    struct world *w = ctx;

    for (size_t i = 0; i < w->n; i++)
        if (w->tables[i].table->form == form && str_eq(w->tables[i].path, path))
            return w->tables[i].table;
    return NULL;
}

void world_open(struct world *w, const char *text)
{
    *w = (struct world){ .arena = arena_new(64 << 20) };
    BUG_ON(!w->arena);
    w->config = world_config(w->arena, text);
    w->view = (struct route_view){
        .config = w->config,
        .own = w->config->public_address.items,
        .n_own = w->config->public_address.n,
        .routes = route_index_new(w->arena, w->config),
        .table = find,
        .ctx = w,
    };
    BUG_ON(!w->view.routes);
}

void world_own(struct world *w, const char *path, uint32_t owner, bool guarded)
{
    for (size_t i = 0; i < w->n; i++) {
        if (!str_eq(w->tables[i].path, str_from_c(path)))
            continue;
        w->tables[i].table->aliases.owner = owner;
        w->tables[i].table->aliases.guarded = guarded;
    }
}

void world_forget(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        route_table_done(w->tables[i].table);
        free(w->tables[i].table);
    }
    w->n = 0;
}

void world_close(struct world *w)
{
    world_forget(w);
    arena_free(w->arena);
}

static bool read_users(struct route_table *t, struct str text)
{
    struct route_users_parser p;

    route_users_begin(&p, &t->names, &t->faults, t->form == ROUTE_FORM_SYSTEM);
    return route_users_feed(&p, text) && route_users_end(&p);
}

static bool read_table(struct route_table *t, struct str text)
{
    switch (t->form) {
    case ROUTE_FORM_USERS:
    case ROUTE_FORM_SYSTEM:
        return read_users(t, text);
    case ROUTE_FORM_CLIENTS:
        return route_clients_parse(&t->names, text, &t->faults);
    case ROUTE_FORM_LIST:
        return route_list_parse(&t->aliases, text, &t->faults);
    default:
        return route_aliases_parse(&t->aliases, text, &t->faults);
    }
}

const struct route_faults *world_octets(struct world *w, enum route_form form, const char *path,
                                        struct str text)
{
    struct route_table *t = malloc(sizeof(*t));

    BUG_ON(!t || w->n == WORLD_TABLES);
    route_table_init(t, form);
    BUG_ON(!read_table(t, text));
    w->tables[w->n++] = (struct world_table){ str_from_c(path), t };
    return &t->faults;
}

const struct route_faults *world_file(struct world *w, enum route_form form, const char *path,
                                      const char *text)
{
    return world_octets(w, form, path, str_from_c(text));
}
