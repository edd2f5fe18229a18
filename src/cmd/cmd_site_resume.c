/* cmd/cmd_site_resume.c -- veredus site resume NAME: what was paused goes on. */
#include <stddef.h>

#include "cmd/site_act.h"
#include "cmd/subcommands.h"

int cmd_site_resume(const struct cmd_call *call)
{
    if (call->argc != 2 || call->argv[1][0] == '-')
        return cmd_usage(call, call->argc < 2 ? NULL : call->argv[call->argc > 2 ? 2 : 1]);
    return site_act(call, "site resume", call->argv[1], 0);
}
