/* cmd/settings.c -- the configuration, parsed here as main parses it. */
#include "cmd/settings.h"

#include "config/parse.h"
#include "main/config_disk.h"

enum { SETTINGS_ARENA_MAX = 256 << 20 };

int settings_read(struct settings *s, const struct cmd_call *call)
{
    struct config_reader disk = config_disk_reader();

    s->arena = NULL;
    s->config = NULL;
    s->diag = (struct config_diagnostics){ 0 };
    if (!cmd_config_path(call, s->path))
        return CMD_CONFIG;
    s->arena = arena_new(SETTINGS_ARENA_MAX);
    if (!s->arena)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    struct config_source source = { .root = str_from_c(s->path) };
    if (!config_parse(&disk, &source, s->arena, &s->config, &s->diag))
        s->config = NULL;
    return CMD_OK;
}

void settings_done(struct settings *s)
{
    arena_free(s->arena);
    s->arena = NULL;
}
