/* config/tree.h -- statements, words and blocks as they were written; between reading and checking. Pure. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/directive.h"
#include "config/place.h"
#include "config/value.h"
#include "core/str.h"

/* A stretch of a word: text that stands for itself, or the name of a placeholder. */
struct config_part {
    bool placeholder;
    struct str text;
};

struct config_word {
    struct str text; /* all parts in a row, placeholders in their braces */
    const struct config_part *parts;
    size_t n_parts;
    struct config_place place;
    bool plain; /* stands in the file as in TEXT, so that a part of it can be marked */
    bool alone; /* one variable and nothing else: in a list it is cut at blanks and commas */
    bool placeholders;
    bool wrong; /* complained of: what it should say is not known */
};

struct config_block;

struct config_statement {
    struct config_statement *next;
    const struct config_statement *same;      /* the next one of its directive in the block; once checked */
    const struct config_directive *directive; /* NULL until checked, or unknown */
    const struct config_word *words;          /* the first is the name */
    size_t n_words;
    struct config_place end;    /* of what ends it: the last word */
    struct config_block *block; /* NULL for ";" */
    bool wrong;                 /* something about it was complained of: VALUE is not to be used */
    union config_value value;   /* by the directive's grammar */
};

struct config_block {
    struct config_statement *first;
    struct config_statement **last;
    size_t n;
    const struct config_statement *
        *by_id; /* the first of each directive, once checked; NULL in inner blocks */
};

/* Everything that was written, with what -o replaced taken out, and what holds where nothing was written. */
struct config_tree {
    struct config_block *written;
    struct config_block *defaults;
};

static inline struct str config_statement_name(const struct config_statement *s)
{
    return s->words[0].text;
}

static inline struct config_place config_statement_place(const struct config_statement *s)
{
    return s->words[0].place;
}

/* Puts S behind the last statement of B. */
static inline void config_block_append(struct config_block *b, struct config_statement *s)
{
    s->next = NULL;
    *b->last = s;
    b->last = &s->next;
    b->n++;
}

/* The first statement of ID in B, whose others follow by `same`; NULL when there is none, or no block. */
static inline const struct config_statement *config_block_find(const struct config_block *b,
                                                               enum config_directive_id id)
{
    const struct config_statement *s = b ? b->first : NULL;

    if (b && b->by_id)
        return b->by_id[id];
    while (s && !(s->directive && s->directive->id == id))
        s = s->next;
    return s;
}

#endif
