/* smtp/stuff.c -- memchr finds dots, few of which begin a line; what lies between is copied as it is. */
#include "smtp/stuff.h"

#include <string.h>

#include "core/check.h"

/* Up to the first dot behind an LF, both inside PIECE; all of it without one. */
static size_t stretch(struct str piece)
{
    for (size_t at = 1; at < piece.n; at++) {
        at += str_find(str_skip(piece, at), '.');
        if (at < piece.n && piece.p[at - 1] == '\n')
            return at;
    }
    return piece.n;
}

static void remember(struct smtp_stuffer *s, struct str written)
{
    s->before = written.n > 1 ? written.p[written.n - 2] : s->last;
    s->last = written.p[written.n - 1];
    s->doubled = false;
}

bool smtp_stuff(struct smtp_stuffer *s, struct str piece, size_t *taken, struct buf *out)
{
    for (*taken = 0; *taken < piece.n && out->n < out->max;) {
        struct str rest = str_skip(piece, *taken);
        if (s->last == '\n' && rest.p[0] == '.' && !s->doubled) {
            if (!buf_add_char(out, '.'))
                return false;
            s->doubled = true;
            continue;
        }
        rest.n = stretch(str_head(rest, out->max - out->n));
        if (!buf_add(out, rest))
            return false;
        remember(s, rest);
        *taken += rest.n;
    }
    return true;
}

void smtp_stuff_passed(struct smtp_stuffer *s, bool ended_with_crlf)
{
    *s = ended_with_crlf ? SMTP_STUFFER : (struct smtp_stuffer){ 0 };
}

bool smtp_stuff_end(const struct smtp_stuffer *s, struct buf *out)
{
    bool at_line = s->before == '\r' && s->last == '\n';

    return buf_add(out, at_line ? STR(".\r\n") : STR("\r\n.\r\n"));
}
