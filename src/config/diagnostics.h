/* config/diagnostics.h -- all that is wrong with a configuration, with place, mark and cure. Pure. */
#ifndef CONFIG_DIAGNOSTICS_H
#define CONFIG_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/place.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum { CONFIG_DIAGNOSTICS_MAX = 100 };

enum config_severity {
    CONFIG_ERROR,
    CONFIG_WARNING,
};

struct config_diagnostic {
    enum config_severity severity;
    struct config_place place; /* line 0: of the configuration as a whole */
    struct str text;           /* "unknown directive 'hostnam'" */
    struct str hint;           /* "did you mean 'hostname'?", or empty */
    struct str cure;           /* what else helps, or empty */
    bool hidden;               /* its line is not shown: there is a secret in it */
};

/* At most CONFIG_DIAGNOSTICS_MAX are kept, all are counted. Texts live in the arena given to config_parse(). */
struct config_diagnostics {
    struct arena *arena;
    struct config_files files;
    struct config_diagnostic *items;
    size_t n;
    size_t errors;
    size_t warnings;
    bool exhausted; /* the arena was too small: what is listed may not be all, and the parse failed */
};

/*
 * Add one; texts are copied, HINT and CURE may be empty. Said twice of the same place it is kept once.
 * For the parser, and for `config check`, which finds what cannot be had (missing files, unknown accounts).
 */
void config_diagnostics_add(struct config_diagnostics *d, enum config_severity severity,
                            struct config_place place, struct str text, struct str hint, struct str cure);
/* The same of a place whose line nobody is to see, in a log least of all. */
void config_diagnostics_add_hidden(struct config_diagnostics *d, enum config_severity severity,
                                   struct config_place place, struct str text, struct str hint, struct str cure);
/* All of them by place, each with its line, mark and cure, as in FACE 2.3; false when OUT is full. */
bool config_diagnostics_render(const struct config_diagnostics *d, struct buf *out);
/* "3 errors, 1 warning"; "no errors" when there is nothing. */
bool config_diagnostics_count(const struct config_diagnostics *d, struct buf *out);
/* For the log's event=config: "unknown scheme 'mailbox:' (did you mean 'maildir:'?)". */
bool config_diagnostic_error(const struct config_diagnostic *item, struct buf *out);
/* The whole path of the file an item is about, empty for none. */
struct str config_diagnostic_file(const struct config_diagnostics *d, const struct config_diagnostic *item);

#endif
