/* deliver/command.c -- templates and alias text to argv, the account and the envelope to the environment. */
#include "deliver/command.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "deliver/values.h"
#include "mailbox/argv.h"

enum { ARGUMENT_MAX = 64 * 1024 };

void deliver_account_find(struct deliver_account *account)
{
    char space[16384];
    struct passwd pw, *found = NULL;

    *account = (struct deliver_account){ .home = "/" };
    snprintf(account->name, sizeof(account->name), "%u", (unsigned)getuid());
    if (getpwuid_r(getuid(), &pw, space, sizeof(space), &found) != 0 || !found)
        return;
    snprintf(account->name, sizeof(account->name), "%s", pw.pw_name);
    if (pw.pw_dir[0] == '/')
        snprintf(account->home, sizeof(account->home), "%s", pw.pw_dir);
}

bool deliver_alias_allowed(const struct config *config, const struct ipc_lease *lease,
                           struct mailbox_failure *failure)
{
    return (lease->domain_index < config->n_domains && config->domains[lease->domain_index].alias_commands.on) ||
           mailbox_fail(failure, "5.7.1", "commands and files of aliases are not allowed here");
}

/* ---- arguments ---- */

/* As a text for exec; NULL with FAILURE. */
static char *text_of(struct arena *arena, struct str value, struct mailbox_failure *failure)
{
    char *text = arena_cstr(arena, value);

    if (!text && str_has(value, '\0'))
        mailbox_fail(failure, "5.1.3", "a NUL cannot be part of an argument");
    else if (!text)
        mailbox_fail(failure, "4.3.1", "out of memory");
    return text;
}

/*
 * What stands first in an argument and comes from an envelope must not look like an option: a sender chooses it.
 * Behind text of the directive ("--from={sender}") any value is fine.
 */
static bool is_option(const struct config_template *t, struct str value)
{
    return t->n && t->pieces[0].placeholder != CONFIG_PLACEHOLDER_NONE && str_starts(value, STR("-"));
}

static const char *argument(const struct config_template *t, const struct config_values *values, struct arena *arena,
                            struct mailbox_failure *failure)
{
    struct buf out = BUF_INIT(ARGUMENT_MAX);
    struct err err = { 0 };
    const char *text = NULL;

    if (!config_template_expand(t, values, CONFIG_EXPAND_TEXT, &out, &err))
        mailbox_fail(failure, err.kind == ERR_PERM ? "4.3.5" : "4.3.1", "%s", err.text);
    else if (is_option(t, buf_str(&out)))
        mailbox_fail(failure, "5.1.3", "an address that begins with '-' would be an option to the command");
    else
        text = text_of(arena, buf_str(&out), failure);
    buf_done(&out);
    return text;
}

static const char *const *argv_of_target(const struct config *config, const struct ipc_lease *lease, struct str home,
                                         struct arena *arena, struct mailbox_failure *failure)
{
    const struct config_target *target = &config->routes[lease->route].targets[0];
    struct deliver_texts texts;
    struct config_values values = deliver_values(config, lease, home, &texts);
    const char **argv = ARENA_NEW_ARRAY(arena, target->n_args + 2, const char *);

    if (!argv) {
        mailbox_fail(failure, "4.3.1", "out of memory");
        return NULL;
    }
    argv[0] = argument(&target->path, &values, arena, failure);
    for (size_t i = 0; i < target->n_args && argv[i]; i++)
        argv[i + 1] = argument(&target->args[i], &values, arena, failure);
    return argv[target->n_args] ? (const char *const *)argv : NULL;
}

static const char *const *argv_of_alias(const struct config *config, const struct ipc_lease *lease,
                                        struct arena *arena, struct mailbox_failure *failure)
{
    struct err err = { 0 };
    const char *const *argv;
    size_t n;

    if (!deliver_alias_allowed(config, lease, failure))
        return NULL;
    if (mailbox_argv_cut(lease->command, arena, &argv, &n, &err))
        return argv;
    mailbox_fail(failure, "4.3.5", "%s", err.text);
    return NULL;
}

/* ---- environment ---- */

struct variable {
    const char *name;
    struct str value;
};

static const char *const *environment(const struct ipc_lease *l, const struct deliver_account *account,
                                      struct arena *arena, struct mailbox_failure *failure)
{
    struct str name = str_from_c(account->name);
    const struct variable variables[] = {
        { "PATH", STR("/usr/local/bin:/usr/bin:/bin") },
        { "HOME", str_from_c(account->home) },
        { "USER", name },
        { "LOGNAME", name },
        { "SHELL", STR("/bin/sh") },
        { "SENDER", l->sender },
        { "RECIPIENT", l->address },
        { "ORIGINAL_RECIPIENT", l->original },
        { "LOCAL", l->user },
        { "EXTENSION", l->detail },
        { "DOMAIN", l->domain },
    };
    const char **env = ARENA_NEW_ARRAY(arena, ARRAY_LEN(variables) + 1, const char *);

    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        struct str text = arena_printf(arena, "%s=", variables[i].name);
        struct buf both = BUF_INIT(ARGUMENT_MAX);
        bool ok = env && text.p && buf_add(&both, text) && buf_add(&both, variables[i].value);
        if (ok)
            env[i] = text_of(arena, buf_str(&both), failure);
        else
            mailbox_fail(failure, "4.3.1", "out of memory");
        buf_done(&both);
        if (!ok || !env[i])
            return NULL;
    }
    return (const char *const *)env;
}

/* ---- */

bool deliver_command(const struct config *config, const struct ipc_lease *lease,
                     const struct deliver_account *account, struct arena *arena, struct mailbox_command *command,
                     struct mailbox_failure *failure)
{
    if (lease->kind == IPC_DELIVERY_TARGET)
        command->argv = argv_of_target(config, lease, str_from_c(account->home), arena, failure);
    else
        command->argv = argv_of_alias(config, lease, arena, failure);
    command->env = command->argv ? environment(lease, account, arena, failure) : NULL;
    command->folder = account->home;
    return command->env != NULL;
}
