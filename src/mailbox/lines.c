/* mailbox/lines.c -- CRLF to LF on the way into a mailbox. */
#include "mailbox/lines.h"

#include <string.h>

size_t mailbox_lines_convert(struct mailbox_lines *l, struct str in, char *out)
{
    size_t n = 0;

    if (in.n && l->held && in.p[0] != '\n')
        out[n++] = '\r';
    if (in.n)
        l->held = false;
    while (in.n) {
        size_t plain = str_find(in, '\r');
        memcpy(out + n, in.p, plain);
        n += plain;
        if (plain == in.n)
            break;
        l->held = plain + 1 == in.n;
        if (!l->held && in.p[plain + 1] != '\n')
            out[n++] = '\r';
        in = str_skip(in, plain + 1);
    }
    return n;
}

size_t mailbox_lines_end(struct mailbox_lines *l, char *out)
{
    if (!l->held)
        return 0;
    l->held = false;
    out[0] = '\r';
    return 1;
}
