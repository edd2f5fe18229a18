/* auth/issuers.c */
#include "auth/issuers.h"

#include <stdlib.h>

#include "io/fd.h"
#include "log/log.h"

static void record(struct str table, enum log_level level, const char *state, const char *error)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_TABLE, level);
    log_text(&r, LOG_TABLE, table);
    log_text_c(&r, LOG_STATE, state);
    log_text_c(&r, LOG_ERROR, error);
    log_send(&r);
}

bool auth_issuer_is_usable(const struct config_oauth *issuer)
{
    return str_starts(issuer->keys, STR("/")) && !issuer->introspection.n;
}

bool auth_issuers_init(struct auth_issuers *issuers, const struct config *config, struct err *err)
{
    issuers->config = config;
    issuers->keys = calloc(config->n_oauths + 1, sizeof(struct token_keys *));
    if (!issuers->keys)
        return err_temp(err, "out of memory");
    for (size_t i = 0; i < config->n_oauths; i++)
        if (!auth_issuer_is_usable(&config->oauths[i]))
            record(config->oauths[i].name, LOG_LEVEL_ERROR, "failing",
                   "only keys in a file are asked yet: no token of this issuer is taken");
    return true;
}

void auth_issuers_done(struct auth_issuers *issuers)
{
    for (size_t i = 0; issuers->keys && i < issuers->config->n_oauths; i++)
        token_keys_free(issuers->keys[i]);
    free(issuers->keys);
    issuers->keys = NULL;
}

static struct token_keys *read_keys(int fd, struct err *err)
{
    struct arena *a = arena_new(TOKEN_KEYS_FILE_MAX + 1);
    struct token_keys *keys = NULL;
    struct str text;

    if (!a)
        err_temp(err, "out of memory");
    else if (fd_read_all(fd, TOKEN_KEYS_FILE_MAX, a, &text, err))
        keys = token_keys_parse(text, err);
    arena_free(a);
    return keys;
}

static void give(struct token_keys **current, struct str path, int fd, struct str error)
{
    struct err err = { 0 };
    struct token_keys *keys = NULL;

    if (fd < 0)
        err_temp(&err, "%.*s", STR_ARG(error));
    else
        keys = read_keys(fd, &err);
    if (keys) {
        token_keys_free(*current);
        *current = keys;
    } else if (*current) {
        record(path, LOG_LEVEL_WARNING, "stale", err.text);
    } else {
        record(path, LOG_LEVEL_ERROR, "failing", err.text);
    }
}

bool auth_issuers_give(struct auth_issuers *issuers, struct str path, int fd, struct str error)
{
    bool known = false;

    for (size_t i = 0; i < issuers->config->n_oauths; i++) {
        if (!str_eq(issuers->config->oauths[i].keys, path))
            continue;
        give(&issuers->keys[i], path, fd, error);
        known = true;
    }
    return known;
}
