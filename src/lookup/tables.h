/* lookup/tables.h -- the tables of a configuration, as far as they can be had. */
#ifndef LOOKUP_TABLES_H
#define LOOKUP_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/list.h"
#include "io/loop.h"
#include "route/table.h"
#include "table/loader.h"

enum { LOOKUP_INCLUDES_MAX = 1000, LOOKUP_TABLE_BUCKETS = 256, LOOKUP_FAULTS_LOGGED = 10 };

struct lookup_tables {
    struct table_loader loader;
    struct list all;
    struct list buckets[LOOKUP_TABLE_BUCKETS]; /* by path */
    size_t includes;
    /* An alias file names a file by :include: -- it is to be asked for. */
    void (*want)(struct lookup_tables *t, struct str path);
    void (*on_read)(struct table_job *job);
};

/* The tables that CONFIG names, none of them there yet. */
MUST_USE bool lookup_tables_init(struct lookup_tables *t, struct io_loop *loop, const struct config *config,
                                 void (*want)(struct lookup_tables *t, struct str path), struct err *err);
void lookup_tables_done(struct lookup_tables *t);

/*
 * The file PATH: open at FD (taken over), or not to be had because of ERROR. It becomes a table in place of
 * the one before, unless it is wrong and the one before is not: then that one stays. AT_ONCE: read here
 * (nobody asks yet), otherwise on a thread of its own.
 */
void lookup_tables_give(struct lookup_tables *t, struct str path, int fd, struct str error, bool at_once);

/* Of struct route_view. */
const struct route_table *lookup_tables_get(void *tables, enum route_form form, struct str path);

/* A row for each, for `veredus status`: table, state, number of entries. */
void lookup_tables_status(const struct lookup_tables *t, struct buf *rows);

#endif
