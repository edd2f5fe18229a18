/* message/subject.c */
#include "message/subject.h"

#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "message/fold.h"

/* RFC 2047 2: an encoded word has at most 75 octets, 12 of them around its text. */
enum { ENCODED_TEXT_MAX = 75 - 12 };

struct encoded_word {
    char text[ENCODED_TEXT_MAX + 1];
    size_t n;
};

static void end_word(struct message_fold *f, struct encoded_word *w)
{
    if (w->n)
        message_fold_printf(f, "=?utf-8?Q?%.*s?=", (int)w->n, w->text);
    w->n = 0;
}

/* RFC 2047 4.2, and no more of ASCII than what every reader takes. */
static void add_octet(struct encoded_word *w, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char u = (unsigned char)c;

    if (ascii_is_alnum(c) || (c && strchr("!*+-/.,:;()", c))) {
        w->text[w->n++] = c;
    } else if (c == ' ' || c == '\t') {
        w->text[w->n++] = '_';
    } else if (u < 0x20 || u == 0x7f) {
        w->text[w->n++] = '-';
    } else {
        w->text[w->n++] = '=';
        w->text[w->n++] = hex[u >> 4];
        w->text[w->n++] = hex[u & 15];
    }
}

/* No character is divided between two words (RFC 2047 5). */
static void add_utf8(struct message_fold *f, struct str subject)
{
    struct encoded_word w = { .n = 0 };

    while (subject.n) {
        size_t n = size_max(str_utf8_length(subject), 1);
        if (w.n + 3 * n > ENCODED_TEXT_MAX)
            end_word(f, &w);
        for (size_t i = 0; i < n; i++)
            add_octet(&w, subject.p[i]);
        subject = str_skip(subject, n);
    }
    end_word(f, &w);
}

/* What is kept of a UTF-8 text: whole characters. */
static struct str whole_characters(struct str s)
{
    size_t n = 0;

    while (n < s.n && n < MESSAGE_SUBJECT_KEPT)
        n += size_max(str_utf8_length(str_skip(s, n)), 1);
    return str_head(s, n);
}

/* What is kept of an ASCII one: whole words, since a word may be an encoded one; of a first word its
 * beginning. */
static struct str whole_words(struct str s)
{
    size_t n = MESSAGE_SUBJECT_KEPT;

    if (s.n <= n)
        return s;
    while (n && s.p[n] != ' ' && s.p[n] != '\t')
        n--;
    if (!n && !str_starts(s, STR("=?")))
        n = MESSAGE_SUBJECT_KEPT;
    return str_head(s, n);
}

void message_subject_write(struct buf *out, struct str prefix, struct str subject)
{
    struct message_fold f = { .out = out, .indent = " ", .ascii = true };
    struct str whole = str_trim(subject), kept;
    bool utf8 = !str_is_ascii(whole) && str_is_utf8(whole);

    kept = utf8 ? whole_characters(whole) : whole_words(whole);
    message_fold_begin(&f, "Subject:");
    message_fold_add(&f, prefix);
    if (utf8)
        add_utf8(&f, kept);
    else
        message_fold_add(&f, whole.n ? kept : STR("(no subject)"));
    if (kept.n < whole.n)
        message_fold_add(&f, STR("..."));
    message_fold_end(&f);
}
