/* cmd/needs_inside.h -- what the parts of `config check` that look at the machine share. */
#ifndef CMD_NEEDS_INSIDE_H
#define CMD_NEEDS_INSIDE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/needs.h"

struct needs_finding {
    enum config_severity severity;
    const char *cure;
};

/* About PLACE of the configuration. */
void needs_say(struct needs_report *r, struct config_place place, struct needs_finding f, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* WHAT as a path of the C library; false when it cannot be one. */
bool needs_path(struct str what, char path[CMD_PATH_MAX]);
/* Looks at the path of NEED; false, and it was said as MISSING, when it is not there. */
bool needs_there(struct needs_report *r, const struct config_need *need, struct needs_finding missing,
                 struct stat *st);
/* The same of a file that the asker may read, too. */
bool needs_file(struct needs_report *r, const struct config_need *need, struct needs_finding missing,
                struct stat *st);

/* needs_secure.c: secrets, certificates of others, where passwords are checked. False: NEED is none of those. */
bool needs_secure(struct needs_report *r, const struct config_need *need);
/* Chains and their keys, each pair: do they fit, and how long are they good? */
void needs_certificates(struct needs_report *r, const struct config *config);

#endif
