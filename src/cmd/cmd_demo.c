/* cmd/cmd_demo.c -- veredus demo: a whole server on loopback ports. */
#include <stddef.h>

#include "cmd/subcommands.h"

int cmd_demo(const struct cmd_call *call)
{
    return cmd_fail(CMD_USAGE, NULL, "%s: not built yet", call->words);
}
