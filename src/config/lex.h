/* config/lex.h -- a text of the configuration cut into words and block marks (FACE 1.2). Pure. */
#ifndef CONFIG_LEX_H
#define CONFIG_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/reading.h"

enum config_token {
    CONFIG_TOKEN_WORD,
    CONFIG_TOKEN_SEMICOLON,
    CONFIG_TOKEN_OPEN,
    CONFIG_TOKEN_CLOSE,
    CONFIG_TOKEN_END, /* of the text, or of memory */
};

struct config_lexer {
    struct config_reading *r;
    struct str text;
    uint32_t file;
    bool built_in; /* places are CONFIG_PLACE_DEFAULT */
    size_t at;
    uint32_t line;
    uint32_t column;
    bool unclosed; /* a quote took all the rest, and was complained of */
    struct config_part *parts; /* of the word in hand */
    size_t n_parts;
    size_t parts_room;
};

/*
 * False, after a complaint, when TEXT cannot be read at all: not UTF-8, control characters. A byte order mark is skipped.
 */
bool config_lexer_open(struct config_lexer *lx, struct config_reading *r, struct str text, uint32_t file);
/*
 * The next token and its place; *word is set for CONFIG_TOKEN_WORD, and borrows from TEXT or lives in the arena.
 * A word with a variable that is not set is complained of, and is WRONG.
 */
enum config_token config_lexer_next(struct config_lexer *lx, struct config_word *word,
                                    struct config_place *place);

#endif
