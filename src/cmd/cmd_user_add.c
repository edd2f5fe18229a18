/* cmd/cmd_user_add.c -- veredus user add NAME: a mailbox, and a password to log in with (FACE 2.1). */
#include <string.h>

#include "cmd/subcommands.h"
#include "cmd/user.h"

enum { FORM_MAX = 1024 };

/* Whoever is read of that line as somebody else, or as nobody, would have no mailbox: "#b", "a:b". */
static int read_back(const struct user *u, const struct buf *out)
{
    struct users_line line;

    if (out->failed || users_find(buf_str(out), &u->name, &line))
        return CMD_OK;
    return cmd_fail(CMD_INPUT, "choose another name", "%.*s cannot stand in a users file", STR_ARG(u->account));
}

static int add(struct user *u, const struct cmd_call *call, bool logs_in)
{
    struct buf out = BUF_INIT(USERS_EDIT_MAX), hash = BUF_INIT(FORM_MAX), scram = BUF_INIT(FORM_MAX);
    /* Where the block has other domains, too, it is a user of this one. */
    struct str name = u->block->n_names > 1 ? u->account : u->name.local;
    struct auth_text password = { { 0 } };
    int status = logs_in ? user_ask_password(u->account, &password) : CMD_OK;

    if (status == CMD_OK && logs_in && !user_hash(&password, &hash, &scram))
        status = cmd_fail(CMD_LATER, NULL, "the password cannot be hashed: out of memory, or no randomness");
    if (status == CMD_OK) {
        out.failed = !users_add(&out, u->text, name, buf_str(&hash), buf_str(&scram));
        status = read_back(u, &out);
    }
    if (status == CMD_OK)
        status = user_save(u, call, &out, logs_in ? NULL : "has a mailbox now, and no password");
    if (status == CMD_OK && logs_in && !call->quiet && !call->json)
        user_welcome(u, str_starts(buf_str(&hash), STR("{CRYPT}$y$")));
    explicit_bzero(&password, sizeof(password));
    buf_done(&out);
    buf_done(&hash);
    buf_done(&scram);
    return status;
}

int cmd_user_add(const struct cmd_call *call)
{
    bool logs_in = !(call->argc == 3 && strcmp(call->argv[2], "--no-password") == 0);
    struct user u;

    if (call->argc < 2 || call->argv[1][0] == '-' || call->argc > (logs_in ? 2 : 3))
        return cmd_usage(call, call->argc < 2 ? NULL : call->argv[call->argc - 1]);
    int status = user_open(&u, call, call->argv[1]);
    if (status == CMD_OK && u.found)
        status = cmd_fail(CMD_FOUND, "veredus user passwd gives it another password", "%.*s is in %.*s already",
                          STR_ARG(u.account), STR_ARG(u.path));
    if (status == CMD_OK)
        status = add(&u, call, logs_in);
    user_close(&u);
    return status;
}
