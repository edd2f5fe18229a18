/* A configuration and its tables from texts, for tests of routes and of lookup. */
#ifndef TESTS_UNIT_ROUTE_WORLD_H
#define TESTS_UNIT_ROUTE_WORLD_H

#include <stdbool.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/str.h"
#include "route/find.h"
#include "route/table.h"

enum { WORLD_TABLES = 16 };

struct world_table {
    struct str path;
    struct route_table *table;
};

struct world {
    struct arena *arena;
    const struct config *config;
    struct world_table tables[WORLD_TABLES];
    size_t n;
    struct route_view view;
};

/* Parses TEXT as the configuration; its diagnostics end the test when it is wrong. */
void world_open(struct world *w, const char *text);
void world_close(struct world *w);
/* No file is there any more. */
void world_forget(struct world *w);
/* The configuration alone, in A. */
const struct config *world_config(struct arena *a, const char *text);

/* The alias or included file PATH belongs to OWNER; GUARDED: nobody else may write to it. */
void world_own(struct world *w, const char *path, uint32_t owner, bool guarded);

/* The file PATH holds TEXT, read in that form; returns the faults found in it. */
const struct route_faults *world_file(struct world *w, enum route_form form, const char *path,
                                      const char *text);
const struct route_faults *world_octets(struct world *w, enum route_form form, const char *path,
                                        struct str text);

#endif
