/* cmd/cmd_run.c -- veredus run: the server, in the foreground. */
#include <stdlib.h>
#include <string.h>

#include "cmd/subcommands.h"
#include "main/run.h"

int cmd_run(const struct cmd_call *call)
{
    static char path[CMD_PATH_MAX];
    struct main_options options = { .config_path = path };
    struct str *overrides = calloc((size_t)call->argc, sizeof(*overrides));
    int status;

    if (!overrides)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    for (int i = 1; i < call->argc; i++) {
        if (!strcmp(call->argv[i], "--hold")) {
            options.hold = true;
            continue;
        }
        if (strcmp(call->argv[i], "-o") != 0 || i + 1 == call->argc) {
            free(overrides);
            return cmd_usage(call, call->argv[i]);
        }
        overrides[options.n_overrides++] = str_from_c(call->argv[++i]);
    }
    options.overrides = overrides;
    status = cmd_config_path(call, path) ? main_run(&options) : CMD_CONFIG;
    free(overrides);
    return status;
}
