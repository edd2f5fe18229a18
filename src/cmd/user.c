/* cmd/user.c */
#include "cmd/user.h"

#include <errno.h>
#include <stdio.h>

#include "auth/name.h"

enum { ARENA_OVER = 1 << 20 };

/* A name without a domain is one of the origin, as at a log-in. */
static int read_name(struct user *u, const char *said)
{
    struct auth_text text;
    struct auth_name name;
    struct arena *a = u->settings.arena;
    struct str origin = u->settings.config->origin.text;

    if (auth_prepare(said, &text) != AUTH_PREPARED ||
        auth_name_read(a, arena_str(a, str_from_c(text.c)), origin, &name) != AUTH_NAME_OK)
        return cmd_fail(CMD_USAGE, "anna@example.org", "'%s' can be no account", said);
    u->name = (struct users_name){ name.local, name.domain };
    u->account = name.account;
    u->block = config_find_domain(u->settings.config, name.domain);
    if (!u->block)
        return cmd_fail(CMD_FOUND, "name its domain: anna@example.org", "%.*s is not served here",
                        STR_ARG(name.domain));
    return CMD_OK;
}

int user_fail(const struct err *err)
{
    switch (err->sys) {
    case EACCES:
    case EPERM:
    case EROFS:
        return cmd_fail(CMD_DENIED, NULL, "%s", err->text);
    case ENOENT:
        return cmd_fail(CMD_INPUT, "an empty one, with mode 0600, is enough", "%s", err->text);
    default:
        return cmd_fail(err->kind == ERR_TEMP ? CMD_LATER : CMD_INPUT, NULL, "%s", err->text);
    }
}

static void leave_file(struct user *u)
{
    state_rewrite_done(&u->file);
    arena_free(u->arena);
    u->arena = NULL;
    u->file = STATE_REWRITE_INIT;
}

static int open_file(struct user *u, const struct config_users *users)
{
    struct err err = { 0 };
    char path[CMD_PATH_MAX];

    leave_file(u);
    u->arena = arena_new(USERS_EDIT_MAX + ARENA_OVER);
    u->path = users->path;
    snprintf(path, sizeof(path), "%.*s", STR_ARG(users->path));
    if (!u->arena)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    if (!state_rewrite_begin(&u->file, path, USERS_EDIT_MAX, u->arena, &u->text, &err))
        return user_fail(&err);
    u->found = users_find(u->text, &u->name, &u->line);
    return CMD_OK;
}

/* The one of its files that knows it; of several that do not the first. */
static int find(struct user *u)
{
    const struct config_users *first = NULL;
    int status = CMD_OK;

    for (size_t i = 0; i < u->block->n_users && status == CMD_OK && !u->found; i++) {
        if (u->block->users[i].kind != CONFIG_USERS_FILE)
            continue;
        first = first ? first : &u->block->users[i];
        status = open_file(u, &u->block->users[i]);
    }
    if (!first)
        return cmd_fail(CMD_FOUND, "users file:/etc/veredus/users;", "the users of %.*s stand in no file",
                        STR_ARG(u->name.domain));
    return status == CMD_OK && !u->found && !str_eq(u->path, first->path) ? open_file(u, first) : status;
}

int user_open(struct user *u, const struct cmd_call *call, const char *name)
{
    *u = (struct user){ .file = STATE_REWRITE_INIT };
    int status = settings_read(&u->settings, call);

    if (status == CMD_OK && !u->settings.config)
        status = cmd_fail(CMD_CONFIG, "veredus config check", "%s has errors", u->settings.path);
    if (status == CMD_OK)
        status = read_name(u, name);
    return status == CMD_OK ? find(u) : status;
}

int user_have(struct user *u, const struct cmd_call *call, const char *name)
{
    int status = user_open(u, call, name);

    if (status == CMD_OK && !u->found)
        status = cmd_fail(CMD_FOUND, "veredus user list", "%.*s does not know %.*s", STR_ARG(u->path),
                          STR_ARG(u->account));
    return status;
}

/* Its mode is the administrator's; that it lets everyone at the hashes is hardly meant. */
static void warn_of_readers(const struct user *u)
{
    if (u->file.was.st_mode & S_IROTH)
        fprintf(stderr, "veredus: every user of this machine can read %.*s, which holds what passwords are checked with\n"
                        "         chmod o= %.*s\n", STR_ARG(u->path), STR_ARG(u->path));
}

int user_save(struct user *u, const struct cmd_call *call, const struct buf *out, const char *done)
{
    struct err err = { 0 };

    if (out->failed)
        return cmd_fail(CMD_LATER, NULL, "%.*s: out of memory, or larger than a users file may be", STR_ARG(u->path));
    if (!state_rewrite_finish(&u->file, buf_str(out), &err))
        return user_fail(&err);
    if (done && !call->quiet && !call->json)
        printf("%.*s %s (%.*s)\n", STR_ARG(u->account), done, STR_ARG(u->path));
    if (!call->quiet)
        warn_of_readers(u);
    return CMD_OK;
}

void user_close(struct user *u)
{
    leave_file(u);
    settings_done(&u->settings);
}
