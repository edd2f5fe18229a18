/* cmd/cmd_help.c -- veredus help [COMMAND]. */
#include "cmd/subcommands.h"

int cmd_help(const struct cmd_call *call)
{
    int words;
    const struct cmd_command *command = cmd_find(call->argc - 1, call->argv + 1, &words);

    if (call->argc < 2) {
        cmd_help_all();
        return CMD_OK;
    }
    if (!command)
        return cmd_usage(call, call->argv[1]);
    cmd_help_one(command);
    return CMD_OK;
}
