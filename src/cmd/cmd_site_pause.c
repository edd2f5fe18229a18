/* cmd/cmd_site_pause.c -- veredus site pause NAME [TIME]: nothing goes there meanwhile. */
#include <stddef.h>

#include "cmd/site_act.h"
#include "cmd/subcommands.h"
#include "config/number.h"

int cmd_site_pause(const struct cmd_call *call)
{
    uint64_t msec = 0;

    if (call->argc < 2 || call->argc > 3 || call->argv[1][0] == '-')
        return cmd_usage(call, call->argc < 2 ? NULL : call->argv[call->argc > 3 ? 3 : 1]);
    if (call->argc == 3 &&
        (!config_number_time(str_from_c(call->argv[2]), &msec) || !msec || msec > INT64_MAX))
        return cmd_fail(CMD_USAGE, "veredus site pause NAME 30m", "%s: not a time", call->argv[2]);
    return site_act(call, "site pause", call->argv[1], msec);
}
