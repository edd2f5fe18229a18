/* cmd/cmd_user_remove.c -- veredus user remove NAME: its line is gone; its mail stays where it is. */
#include "cmd/subcommands.h"
#include "cmd/user.h"

int cmd_user_remove(const struct cmd_call *call)
{
    struct buf out = BUF_INIT(USERS_EDIT_MAX);
    struct user u;

    if (call->argc != 2 || call->argv[1][0] == '-')
        return cmd_usage(call, call->argc < 2 ? NULL : call->argv[call->argc - 1]);
    int status = user_have(&u, call, call->argv[1]);
    if (status == CMD_OK) {
        out.failed = !users_remove(&out, u.text, &u.line);
        status = user_save(&u, call, &out, "is gone; what is in its mailbox stays");
    }
    buf_done(&out);
    user_close(&u);
    return status;
}
