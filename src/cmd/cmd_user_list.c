/* cmd/cmd_user_list.c -- veredus user list: the accounts in the users files, and how they may log in; no password. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/stored.h"
#include "cmd/subcommands.h"
#include "cmd/user.h"
#include "io/fd.h"

static const char *state_of(const struct users_line *line, struct str text, bool *scram)
{
    struct auth_stored stored;
    struct str rest = str_slice(text, line->at + line->fields[0].n + 1, line->at + line->n);
    const char *wrong = line->n_fields > 1 ? auth_stored_parse(rest, &stored) : NULL;

    *scram = line->n_fields > 1 && stored.has_scram && stored.kind != AUTH_STORED_LOCKED;
    if (line->n_fields == 1 || stored.kind == AUTH_STORED_NONE)
        return "no password";
    if (stored.kind == AUTH_STORED_LOCKED)
        return "disabled";
    return wrong || stored.kind == AUTH_STORED_WRONG ? "wrong: see the log" : "password";
}

static void print(const struct cmd_call *call, struct str text, const struct users_line *line, struct str path)
{
    struct str name = str_trim(line->fields[0]);
    bool scram;
    const char *state = state_of(line, text, &scram);

    if (call->json) {
        json_t *row = json_pack("{s:s%,s:s,s:b,s:s%}", "account", name.p, name.n, "state", state, "scram", scram,
                                "file", path.p, path.n);
        char *written = row ? json_dumps(row, JSON_COMPACT) : NULL;
        printf("%s\n", written ? written : "{}");
        free(written);
        json_decref(row);
        return;
    }
    printf("%-32.*s  %s%s\n", STR_ARG(name), state, scram ? ", SCRAM" : "");
}

static int list(const struct cmd_call *call, struct str path)
{
    struct arena *a = arena_new(USERS_EDIT_MAX + 4096);
    struct users_line line;
    struct err err = { 0 };
    struct str text;
    int status = CMD_OK;

    if (!a)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    char *name = arena_cstr(a, path);
    if (!name || !file_read_all(name, USERS_EDIT_MAX, a, &text, &err))
        status = user_fail(&err);
    for (size_t at = 0; status == CMD_OK && users_next(text, &at, &line);)
        print(call, text, &line, path);
    arena_free(a);
    return status;
}

static bool was_listed(const struct config *c, struct str path, size_t domain, size_t users)
{
    for (size_t i = 0; i <= domain; i++)
        for (size_t k = 0; k < (i == domain ? users : c->domains[i].n_users); k++)
            if (str_eq(c->domains[i].users[k].path, path))
                return true;
    return false;
}

static int list_all(const struct cmd_call *call, const struct config *c)
{
    int status = CMD_OK;
    bool any = false;

    for (size_t i = 0; i < c->n_domains && status == CMD_OK; i++)
        for (size_t k = 0; k < c->domains[i].n_users && status == CMD_OK; k++) {
            const struct config_users *users = &c->domains[i].users[k];
            if (users->kind != CONFIG_USERS_FILE)
                continue;
            any = true;
            if (!was_listed(c, users->path, i, k))
                status = list(call, users->path);
        }
    return any || status != CMD_OK ? status
                                   : cmd_fail(CMD_FOUND, "users file:/etc/veredus/users;", "no users stand in a file");
}

int cmd_user_list(const struct cmd_call *call)
{
    struct settings settings;

    if (call->argc > 1)
        return cmd_usage(call, call->argv[1]);
    int status = settings_read(&settings, call);
    if (status == CMD_OK && !settings.config)
        status = cmd_fail(CMD_CONFIG, "veredus config check", "%s has errors", settings.path);
    if (status == CMD_OK)
        status = list_all(call, settings.config);
    settings_done(&settings);
    return status;
}
