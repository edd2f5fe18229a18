/* cmd/settings.h -- the configuration a subcommand is about, read from disk. */
#ifndef CMD_SETTINGS_H
#define CMD_SETTINGS_H

#include "cmd/cmd.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "core/arena.h"

struct settings {
    char path[CMD_PATH_MAX];
    struct arena *arena;
    const struct config *config; /* NULL: it has errors, DIAG says which */
    struct config_diagnostics diag;
};

/* CMD_OK also when it has errors; otherwise an exit code, and the reason was printed. settings_done() in any case. */
int settings_read(struct settings *s, const struct cmd_call *call);
/*
 * Where the server of this configuration is to be asked. A server goes on under the former configuration when the file
 * has errors: then the first `control` in the file counts, wrong as the rest may be. False: the path is too long.
 */
MUST_USE bool settings_control(const struct settings *s, char path[CMD_PATH_MAX]);
void settings_done(struct settings *s);

#endif
