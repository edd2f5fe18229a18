/* cmd/cmd_reload.c -- veredus reload: the server reads its configuration again, or says why it keeps the old one. */
#include "cmd/server.h"
#include "cmd/subcommands.h"

int cmd_reload(const struct cmd_call *call)
{
    return server_do(call, "reload", "reloaded: new sessions begin under the new configuration");
}
