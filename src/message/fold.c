/* message/fold.c */
#include "message/fold.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The character at the front of TEXT, or '?' in its place; returns what it had. */
static size_t add_character(struct buf *out, struct str text, bool ascii)
{
    size_t n = str_utf8_length(text);
    bool control = text.p[0] >= 0 && (text.p[0] < 0x20 || text.p[0] == 0x7f);

    if (control || !n || (ascii && n > 1))
        buf_add_char(out, '?');
    else
        buf_add(out, str_head(text, n));
    return n ? n : 1;
}

void message_plain_add(struct buf *out, struct str text, size_t max, bool ascii)
{
    for (size_t at = 0; at < text.n && at < max;)
        at += add_character(out, str_skip(text, at), ascii);
}

void message_fold_begin(struct message_fold *f, const char *start)
{
    f->fresh = !*start || start[strlen(start) - 1] == ' ';
    f->column = strlen(start);
    buf_add_c(f->out, start);
}

static void next_line(struct message_fold *f)
{
    buf_add_c(f->out, "\r\n");
    buf_add_c(f->out, f->indent);
    f->column = strlen(f->indent);
    f->fresh = true;
}

/* How many characters WORD shows as; close enough for lines of an even length. */
static size_t width(struct str word)
{
    size_t n = 0;

    for (size_t i = 0; i < word.n; i++)
        n += ((unsigned char)word.p[i] & 0xc0) != 0x80;
    return n;
}

static void add_word(struct message_fold *f, struct str word)
{
    size_t n = width(word);

    if (!f->fresh && f->column + 1 + n > MESSAGE_FOLD_WIDTH)
        next_line(f);
    if (!f->fresh)
        buf_add_char(f->out, ' ');
    f->column += n + !f->fresh;
    f->fresh = false;
    for (size_t at = 0; at < word.n;)
        at += add_character(f->out, str_skip(word, at), f->ascii);
}

/* A word that no line can hold is cut between characters. */
static size_t word_length(struct str text)
{
    size_t n = 0;

    while (n < text.n && !is_blank(text.p[n]) && n < MESSAGE_FOLD_WORD_MAX)
        n += size_max(str_utf8_length(str_skip(text, n)), 1);
    return n;
}

void message_fold_add(struct message_fold *f, struct str text)
{
    while (text.n) {
        size_t n = word_length(text);
        if (n)
            add_word(f, str_head(text, n));
        text = str_skip(text, n ? n : 1);
    }
}

void message_fold_printf(struct message_fold *f, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    message_fold_add(f, str_of(text, n < 0 ? 0 : size_min((size_t)n, sizeof(text) - 1)));
}

void message_fold_end(struct message_fold *f)
{
    buf_add_c(f->out, "\r\n");
}
