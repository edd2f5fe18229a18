/* message/quoted.c */
#include "message/quoted.h"

#include <stdbool.h>
#include <string.h>

enum { QUOTED_LINE_MAX = 76 };

/* Rules 1 to 3: printable octets as they are, blanks too where no line ends behind them. */
static bool is_literal(struct str in, size_t i)
{
    char c = in.p[i];
    bool last = i + 1 == in.n || str_starts(str_skip(in, i + 1), STR("\r\n"));

    return (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !last);
}

static size_t encode(char *at, char c, bool literal)
{
    static const char hex[] = "0123456789ABCDEF";

    at[0] = literal ? c : '=';
    at[1] = hex[(unsigned char)c >> 4];
    at[2] = hex[(unsigned char)c & 15];
    return literal ? 1 : 3;
}

void message_quoted_add(struct buf *out, struct str in)
{
    char line[QUOTED_LINE_MAX];
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        char piece[3];
        if (str_starts(str_skip(in, i), STR("\r\n"))) {
            buf_add(out, str_of(line, n));
            buf_add(out, STR("\r\n"));
            n = 0;
            i++;
            continue;
        }
        size_t octets = encode(piece, in.p[i], is_literal(in, i));
        if (n + octets > QUOTED_LINE_MAX - 1) { /* one is for the soft line break */
            buf_add(out, str_of(line, n));
            buf_add(out, STR("=\r\n"));
            n = 0;
        }
        memcpy(line + n, piece, octets);
        n += octets;
    }
    buf_add(out, str_of(line, n));
}
