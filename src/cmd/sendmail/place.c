/* cmd/sendmail/place.c -- what is asked of the configuration, and what holds without it. */
#include "cmd/sendmail/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/settings.h"

static const char standard[] = "/etc/veredus/veredus.conf";

static void copy(char *out, size_t room, struct str s)
{
    if (s.n && s.n < room)
        snprintf(out, room, "%.*s", STR_ARG(s));
}

static void from_configuration(struct sendmail_place *place, const char *file)
{
    struct cmd_call call = { .words = "sendmail", .config = file, .quiet = true };
    struct settings settings;

    if (access(file, R_OK) == 0 && settings_read(&settings, &call) == CMD_OK) {
        char control[CMD_PATH_MAX];
        if (settings_control(&settings, control))
            copy(place->control, sizeof(place->control), str_from_c(control));
        if (settings.config) {
            copy(place->spool, sizeof(place->spool), settings.config->spool.text);
            copy(place->hostname, sizeof(place->hostname), settings.config->session.hostname.text);
            copy(place->origin, sizeof(place->origin), settings.config->origin.text);
        }
        settings_done(&settings);
    }
}

void sendmail_place_find(const struct sendmail_options *o, struct sendmail_place *place)
{
    const char *variable = getenv("VEREDUS_CONFIG");

    *place = (struct sendmail_place){ .control = "/run/veredus/control", .spool = "/var/spool/veredus" };
    if (gethostname(place->hostname, sizeof(place->hostname) - 1) < 0 || !place->hostname[0])
        snprintf(place->hostname, sizeof(place->hostname), "localhost");
    from_configuration(place, o->config ? o->config : variable && variable[0] ? variable : standard);
    if (!place->origin[0])
        snprintf(place->origin, sizeof(place->origin), "%s", place->hostname);
    const char *slash = strrchr(place->control, '/');
    snprintf(place->submit, sizeof(place->submit), "%.*ssubmit", slash ? (int)(slash + 1 - place->control) : 0,
             place->control);
}
