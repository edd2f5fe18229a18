/* cmd/cmd_user_passwd.c -- veredus user passwd NAME: another password, also for one that was disabled. */
#include <string.h>

#include "cmd/subcommands.h"
#include "cmd/user.h"

enum { FORM_MAX = 1024 };

static int change(struct user *u, const struct cmd_call *call)
{
    struct buf out = BUF_INIT(USERS_EDIT_MAX), hash = BUF_INIT(FORM_MAX), scram = BUF_INIT(FORM_MAX);
    struct auth_text password = { { 0 } };
    int status = user_ask_password(u->account, &password);

    if (status == CMD_OK && !user_hash(&password, &hash, &scram))
        status = cmd_fail(CMD_LATER, NULL, "the password cannot be hashed: out of memory, or no randomness");
    if (status == CMD_OK) {
        out.failed = !users_set_password(&out, u->text, &u->line, buf_str(&hash), buf_str(&scram));
        status = user_save(u, call, &out, "has another password now");
    }
    explicit_bzero(&password, sizeof(password));
    buf_done(&out);
    buf_done(&hash);
    buf_done(&scram);
    return status;
}

int cmd_user_passwd(const struct cmd_call *call)
{
    struct user u;

    if (call->argc != 2 || call->argv[1][0] == '-')
        return cmd_usage(call, call->argc < 2 ? NULL : call->argv[call->argc - 1]);
    int status = user_have(&u, call, call->argv[1]);
    if (status == CMD_OK)
        status = change(&u, call);
    user_close(&u);
    return status;
}
