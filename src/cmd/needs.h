/* cmd/needs.h -- what a configuration names and must be had: files, folders, accounts (FACE 1.12). */
#ifndef CMD_NEEDS_H
#define CMD_NEEDS_H

#include "config/config.h"
#include "config/diagnostics.h"
#include "core/buf.h"

/* What is wrong inside a users or aliases file: lines "PATH:LINE: error: TEXT". */
struct needs_report {
    struct config_diagnostics *diag; /* what belongs to a place of the configuration */
    struct buf lines;
    size_t errors;
    size_t warnings;
};

/*
 * Looks at all of it, as the user who asks: what only the server may read is a warning then, not an error. Nothing is
 * made or changed.
 */
void needs_check(const struct config *config, struct needs_report *report);

#endif
