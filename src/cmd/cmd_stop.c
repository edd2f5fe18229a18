/* cmd/cmd_stop.c -- veredus stop: the server ends in order. */
#include "cmd/server.h"
#include "cmd/subcommands.h"

int cmd_stop(const struct cmd_call *call)
{
    return server_do(call, "stop", "the server ends; what it has accepted is on disk");
}
