/* cmd/config_path.c -- which configuration a subcommand is about (FACE 2.2, 4.2). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

static const char standard[] = "/etc/veredus/veredus.conf";

/* NAME seen from the current folder. */
static bool absolute(const char *name, char path[CMD_PATH_MAX])
{
    char folder[CMD_PATH_MAX];
    int n;

    if (name[0] == '/') {
        n = snprintf(path, CMD_PATH_MAX, "%s", name);
    } else {
        if (!getcwd(folder, sizeof(folder))) {
            cmd_fail(CMD_CONFIG, NULL, "the current folder: %s", strerror(errno));
            return false;
        }
        while (!strncmp(name, "./", 2))
            name += 2;
        n = snprintf(path, CMD_PATH_MAX, "%s/%s", folder, name);
    }
    if (n > 0 && n < CMD_PATH_MAX)
        return true;
    cmd_fail(CMD_CONFIG, NULL, "%s: too long a path", name);
    return false;
}

static bool is_there(const char *folder, const char *below, char at[CMD_PATH_MAX])
{
    int n = snprintf(at, CMD_PATH_MAX, "%s%s/veredus.conf", folder, below);

    return n > 0 && n < CMD_PATH_MAX && access(at, F_OK) == 0;
}

/* Where `veredus demo` writes its configuration, in the order in which it chooses. */
static bool demo_is_there(char at[CMD_PATH_MAX])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (is_there(".", "/veredus-demo", at))
        return true;
    if (geteuid() == 0)
        return is_there("/var/lib", "/veredus-demo", at);
    if (state && state[0] == '/')
        return is_there(state, "/veredus-demo", at);
    return home && is_there(home, "/.local/state/veredus-demo", at);
}

bool cmd_config_path(const struct cmd_call *call, char path[CMD_PATH_MAX])
{
    const char *variable = getenv("VEREDUS_CONFIG");
    char demo[CMD_PATH_MAX];

    if (call->config)
        return absolute(call->config, path);
    if (variable && variable[0])
        return absolute(variable, path);
    if (access(standard, F_OK) == 0)
        return absolute(standard, path);
    if (!demo_is_there(demo)) {
        cmd_fail(CMD_CONFIG, "give one with -c FILE or VEREDUS_CONFIG, or try: veredus demo",
                 "there is no %s, and no demonstration here", standard);
        return false;
    }
    if (!call->quiet)
        fprintf(stderr, "veredus: about the demonstration, %s\n", demo);
    return absolute(demo, path);
}

bool cmd_config_is_demo(const struct cmd_call *call, const char *path)
{
    const char *variable = getenv("VEREDUS_CONFIG");

    return !call->config && !(variable && variable[0]) && strcmp(path, standard) != 0;
}
