/* cmd/cmd_config_show.c -- veredus config show [NAME]: effective values, each with its place. */
#include <stdio.h>

#include "cmd/settings.h"
#include "cmd/subcommands.h"
#include "config/parse.h"

enum { SHOW_MAX = 64 << 20 };

int cmd_config_show(const struct cmd_call *call)
{
    struct str name = call->argc > 1 ? str_from_c(call->argv[1]) : STR_NONE;
    struct buf out = BUF_INIT(SHOW_MAX);
    struct settings s;

    if (call->argc > 2)
        return cmd_usage(call, call->argv[2]);
    int status = settings_read(&s, call);
    if (status != CMD_OK)
        goto out;
    if (!s.config)
        status = cmd_fail(CMD_CONFIG, "veredus config check shows them", "%s has errors", s.path);
    else if (!config_show(s.config, name, &out))
        status = cmd_fail(CMD_USAGE, "veredus config help lists them", "no such directive: '%.*s'", STR_ARG(name));
    else
        fwrite(out.p, 1, out.n, stdout);
out:
    settings_done(&s);
    buf_done(&out);
    return status;
}
