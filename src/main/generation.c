/* main/generation.c -- read the configuration, and keep each one as long as a process runs under it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/parse.h"
#include "io/fd.h"
#include "main/config_disk.h"
#include "main/server.h"

enum { CONFIG_ARENA_MAX = 256 << 20 };

struct main_generation *generation_find(struct main_server *s, uint32_t number)
{
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++)
        if (number && s->generations[i].number == number)
            return &s->generations[i];
    return NULL;
}

const struct config *main_config(struct main_server *s)
{
    struct main_generation *g = generation_find(s, s->generation);

    return g ? g->config : NULL;
}

static struct main_generation *free_slot(struct main_server *s)
{
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++)
        if (!s->generations[i].number)
            return &s->generations[i];
    return NULL;
}

void generation_drop(struct main_generation *g)
{
    fd_close(&g->bundle);
    arena_free(g->arena);
    *g = (struct main_generation){ .bundle = -1 };
}

static bool in_use(struct main_server *s, uint32_t number)
{
    if (number == s->generation)
        return true;
    LIST_FOR(node, &s->children)
        if (CONTAINER_OF(node, struct main_child, node)->generation == number)
            return true;
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++)
        if (s->posts[i].used && s->posts[i].generation == number)
            return true;
    return false;
}

void generations_prune(struct main_server *s)
{
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++)
        if (s->generations[i].number && !in_use(s, s->generations[i].number))
            generation_drop(&s->generations[i]);
}

/* What is wrong goes to people as they read it, and to the log as one record each. */
static void tell(struct main_server *s, const struct config_diagnostics *diag, struct buf *text)
{
    struct main_generation *running = generation_find(s, s->generation);

    config_diagnostics_render(diag, text);
    for (size_t i = 0; i < diag->n; i++) {
        const struct config_diagnostic *d = &diag->items[i];
        struct buf words = BUF_INIT(LOG_VALUE_MAX * 4);
        struct log_record r;
        config_diagnostic_error(d, &words);
        log_start_level(&r, LOG_EVENT_CONFIG, d->severity == CONFIG_WARNING ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR);
        log_text(&r, LOG_FILE, config_diagnostic_file(diag, d));
        log_number(&r, LOG_LINE, d->place.line);
        log_number(&r, LOG_COLUMN, d->place.column);
        log_text(&r, LOG_ERROR, buf_str(&words));
        buf_done(&words);
        if (running)
            log_time(&r, LOG_RUNNING, running->since_msec);
        log_send(&r);
    }
}

static bool make_bundle(struct main_generation *g, const struct config_bundle *bundle, struct err *err)
{
    struct buf octets = BUF_INIT(CONFIG_BUNDLE_MAX);
    bool ok = config_bundle_encode(bundle, &octets, err);

    if (ok) {
        g->bundle = fd_sealed("veredus-config", buf_str(&octets), err);
        ok = g->bundle >= 0;
    }
    buf_done(&octets);
    return ok;
}

struct main_generation *generation_load(struct main_server *s, struct buf *diag_text)
{
    struct main_generation *g = free_slot(s);
    struct arena *a = arena_new(CONFIG_ARENA_MAX);
    struct config_reader disk = config_disk_reader();
    struct config_source source = {
        .root = str_from_c(s->options->config_path),
        .overrides = s->options->overrides,
        .n_overrides = s->options->n_overrides,
    };
    struct config_diagnostics diag = { 0 };
    struct config_bundle bundle;
    const struct config *config;
    struct err err = { 0 };

    if (!g || !a || !config_bundle_record(&bundle, &source, &disk, a)) {
        buf_add_c(diag_text, g ? "out of memory\n" : "sessions of too many former configurations go on; wait\n");
        arena_free(a);
        return NULL;
    }
    struct config_reader reader = config_bundle_reader(&bundle);
    if (!config_parse(&reader, &source, a, &config, &diag)) {
        tell(s, &diag, diag_text);
        arena_free(a);
        return NULL;
    }
    tell(s, &diag, diag_text);
    *g = (struct main_generation){ .config = config, .arena = a, .bundle = -1, .since_msec = io_wall_msec() };
    if (!make_bundle(g, &bundle, &err)) {
        buf_printf(diag_text, "%s\n", err.text);
        generation_drop(g);
        return NULL;
    }
    g->number = s->generation + 1;
    return g;
}
