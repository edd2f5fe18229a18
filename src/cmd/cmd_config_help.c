/* cmd/cmd_config_help.c -- veredus config help [NAME]: what a directive means, or a list of all. */
#include <stdio.h>

#include "cmd/subcommands.h"
#include "config/parse.h"

enum { HELP_MAX = 1 << 20 };

int cmd_config_help(const struct cmd_call *call)
{
    struct buf out = BUF_INIT(HELP_MAX);
    struct err err = { 0 };
    int status = CMD_OK;

    if (call->argc > 2)
        return cmd_usage(call, call->argv[2]);
    if (call->argc < 2 ? !config_help_list(&out) : !config_help(str_from_c(call->argv[1]), &out, &err))
        status = cmd_fail(CMD_USAGE, "veredus config help lists them", "%s", err.text);
    else
        fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    return status;
}
