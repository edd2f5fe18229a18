/* config/read.h -- files, includes and -o as one tree of statements. Pure. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include "config/reading.h"
#include "config/source.h"
#include "config/tree.h"

/* The tree of SOURCE, with -o in place of what it replaces. NULL only without memory; all else is in the diagnostics. */
struct config_block *config_read_source(struct config_reading *r, const struct config_source *source);
/* The tree of the built-in defaults; all its places are CONFIG_PLACE_DEFAULT. NULL only without memory. */
struct config_block *config_read_defaults(struct config_reading *r);

/* How many words after the name tell apart several of one directive: 2 of `limit client messages 5/m`, else 0 or 1. */
size_t config_key_words(const struct config_directive *d);
/* Are A and B of one directive and, where it has keys, of the same? */
bool config_same_key(const struct config_statement *a, const struct config_statement *b);

#endif
