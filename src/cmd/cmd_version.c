/* cmd/cmd_version.c -- veredus version. */
#include <stdio.h>

#include "cmd/subcommands.h"

int cmd_version(const struct cmd_call *call)
{
    if (call->argc > 1)
        return cmd_usage(call, call->argv[1]);
    if (call->json)
        printf("{\"version\":\"%s\"}\n", VEREDUS_VERSION);
    else
        printf("veredus %s\n", VEREDUS_VERSION);
    return CMD_OK;
}
