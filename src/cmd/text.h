/* cmd/text.h -- text for people: columns, sizes, ages, what a terminal can show (FACE 2.2). */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/str.h"

enum { TEXT_MAX = 1 << 20, TEXT_SHORT = 32 };

/* What standard output is. */
struct text_screen {
    size_t width; /* columns; 0: no terminal, lines are as long as they are */
    bool colour;
    bool utf8; /* by the locale; otherwise marks are ASCII */
};

enum text_colour { TEXT_PLAIN, TEXT_GOOD, TEXT_BAD, TEXT_LOUD, TEXT_FAINT };

struct text_short {
    char c[TEXT_SHORT];
};

struct text_screen text_screen(void);

/* Columns that S takes; a control character, which is shown as a mark, takes one. */
size_t text_width(struct str s);
/*
 * Add S, with nothing in it that could move a cursor or turn the line around, cut to WIDTH columns (0: not cut) with a
 * mark at its end.
 */
void text_add(struct buf *out, const struct text_screen *screen, struct str s, size_t width);
/* The same, filled up with blanks to WIDTH; right: blanks in front. */
void text_cell(struct buf *out, const struct text_screen *screen, struct str s, size_t width, bool right);
/* Switch to a colour, and back with TEXT_PLAIN; nothing where there is none. */
void text_paint(struct buf *out, const struct text_screen *screen, enum text_colour colour);
/* Prints OUT as a line, cut to the screen, and clears it. Colours count nothing. */
void text_print(struct buf *out, const struct text_screen *screen);

/* "3s", "1m26s", "2h10m", "5d", "12d4h"; of a negative age "0s". */
struct text_short text_age(int64_t msec);
/* "812", "3.1k", "61k", "1.2M". */
struct text_short text_size(uint64_t octets);
/* "4,216". */
struct text_short text_count(uint64_t n);
/* "2026-11-22 09:41:07" of "2026-11-22T09:41:07Z". */
struct text_short text_time(const char *written);
/* The same, without its date where that is NOW's. */
struct text_short text_time_today(const char *written, int64_t now_msec);
/* Why it is held: names of reasons that say too little, in words. */
struct str text_hold_reason(struct str reason);
/* Milliseconds of "2026-11-22T09:41:07Z" or with .301; -1 when it is none. */
int64_t text_time_msec(const char *written);

#endif
