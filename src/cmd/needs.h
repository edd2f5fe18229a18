/* cmd/needs.h -- what a configuration names and must be had: files, folders, accounts (FACE 1.12). */
#ifndef CMD_NEEDS_H
#define CMD_NEEDS_H

#include "config/config.h"
#include "config/diagnostics.h"
#include "core/buf.h"
#include "route/table.h"

/* A file of users or aliases that was read; TABLE is NULL when it cannot be had. */
struct needs_table {
    struct str path;
    enum route_form form;
    struct route_table *table;
};

struct needs_report {
    struct config_diagnostics *diag; /* what belongs to a place of the configuration */
    struct buf lines;                /* what is wrong inside a users or aliases file: "PATH:LINE: error: TEXT" */
    size_t errors;                   /* of LINES */
    size_t warnings;
    struct needs_table *tables;
    size_t n_tables;
};

/*
 * Looks at all of it, as the user who asks: what only the server may read is a warning then, not an error. Nothing is
 * made or changed.
 */
void needs_check(const struct config *config, struct needs_report *report);
/* Then: do aliases lead somewhere, and are postmasters known? By the tables that needs_check() could read. */
void addresses_check(const struct config *config, struct needs_report *report);
/* Reads the file once; NULL, and it was said, when it cannot be had. PLACE: what names it. */
const struct route_table *needs_table(struct needs_report *report, enum route_form form, struct str path,
                                      struct config_place place);
/* A line about a file that is no part of the configuration. */
void needs_line(struct needs_report *report, enum config_severity severity, const char *fmt, ...) PRINTF_LIKE(3, 4);
void needs_done(struct needs_report *report);

#endif
