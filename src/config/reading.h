/* config/reading.h -- one parse from beginning to end: its bounds, and how its parts complain. Pure. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "config/diagnostics.h"
#include "config/source.h"
#include "config/tree.h"
#include "core/arena.h"
#include "core/bug.h"

enum {
    CONFIG_INCLUDE_DEPTH_MAX = 8,
    CONFIG_BLOCK_DEPTH_MAX = 8,
    CONFIG_STATEMENTS_MAX = 200 * 1000,
    CONFIG_WORDS_MAX = 1000 * 1000,
    CONFIG_VARIABLE_MAX = 64 * 1024,
    CONFIG_VARIABLE_WRITTEN_MAX = 4096, /* from ${ to } */
};

struct config_reading {
    const struct config_reader *reader;
    struct arena *arena;
    struct config_diagnostics *diag;
    struct config_file *files; /* with room to grow; diag->files shows them */
    size_t files_room;
    size_t octets; /* of all texts and variables so far */
    size_t statements;
    size_t words;
    bool stopped; /* a bound of the whole was met: nothing more is read */
};

/* Where, and what else to say with a complaint; HINT and CURE may be empty. HIDDEN: the line is not shown. */
struct config_mark {
    struct config_place place;
    struct str hint;
    struct str cure;
    bool hidden;
};

/* Add an error. Returns false, so that a caller can write: return config_complain(...). */
bool config_complain(struct config_reading *r, struct config_mark mark, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Memory has run out: false. */
bool config_exhausted(struct config_reading *r);
/* Formatted text in the arena; empty, and exhausted, when there is no room. */
struct str config_say(struct config_reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* TEXT fit to stand in a message: not much more than 60 octets, no control characters. */
struct str config_shown(struct config_reading *r, struct str text);
/* "did you mean 'MEANT'?" */
struct str config_hint(struct config_reading *r, struct str meant);
/* "the first is at FILE:LINE" */
struct str config_first_at(struct config_reading *r, struct config_place first);

/* N octets from FROM of a word; all of it where the file spells it otherwise (quotes, variables). */
struct config_place config_word_part(const struct config_word *w, size_t from, size_t n);
/* PATH seen from the folder of the file that PLACE is in, in the arena; absolute paths stay as they are. */
struct str config_path_from(struct config_reading *r, struct config_place place, struct str path);

#endif
