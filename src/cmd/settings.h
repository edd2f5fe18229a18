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
void settings_done(struct settings *s);

#endif
