/* smtp/peer_reply.c -- a line is gathered, taken apart, and its text added to that of the reply. */
#include "smtp/peer_reply.h"

#include <string.h>

#include "core/check.h"

static enum smtp_peer_step nonsense(struct smtp_peer_reply *r, struct str fault)
{
    r->fault = fault;
    r->whole = true;
    return SMTP_PEER_NONSENSE;
}

static void gather(struct smtp_peer_reply *r, struct str part)
{
    size_t n = size_min(part.n, sizeof(r->octets_kept) - r->kept);

    if (n)
        memcpy(r->octets_kept + r->kept, part.p, n);
    r->kept += n;
    r->octets += part.n;
}

/* Digits without a leading zero, at most three, cut off the front of *s. */
static bool cut_number(struct str *s)
{
    size_t n = 0;

    while (n < s->n && n < 4 && ascii_is_digit(s->p[n]))
        n++;
    if (n < 1 || n > 3 || (n > 1 && s->p[0] == '0'))
        return false;
    *s = str_skip(*s, n);
    return true;
}

static bool cut_dot(struct str *s)
{
    if (!str_starts(*s, STR(".")))
        return false;
    *s = str_skip(*s, 1);
    return true;
}

/* Octets of the enhanced status code at the front of TEXT (RFC 3463 2; a blank or the end behind it), or 0.
 */
static size_t status_length(struct str text)
{
    struct str s = str_skip(text, 1); /* behind the class */

    if (!text.n || (text.p[0] != '2' && text.p[0] != '4' && text.p[0] != '5') || !cut_dot(&s) ||
        !cut_number(&s) || !cut_dot(&s) || !cut_number(&s))
        return 0;
    return !s.n || s.p[0] == ' ' ? text.n - s.n : 0;
}

/* Octets of the character at the front of S; 0: it may not be shown. C1 controls are U+0080 to U+009F. */
static size_t shown_length(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];

    if (c < 0x80)
        return c >= 0x20 && c != 0x7f;
    size_t n = str_utf8_length(s);
    return n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0 ? 0 : n;
}

/* False when TEXT_MAX is reached, at the end of a character. */
static bool add_shown(struct smtp_peer_reply *r, struct str shown)
{
    if (shown.n > sizeof(r->text_kept) - r->text.n)
        return false;
    memcpy(r->text_kept + r->text.n, shown.p, shown.n);
    r->text = str_of(r->text_kept, r->text.n + shown.n);
    return true;
}

static void add_text(struct smtp_peer_reply *r, struct str text)
{
    bool room = true;

    text = str_trim(text);
    if (text.n && r->text.n)
        room = add_shown(r, STR(" "));
    while (room && text.n) {
        size_t n = shown_length(text);
        room = add_shown(r, n ? str_head(text, n) : STR("?"));
        text = str_skip(text, size_max(n, 1));
    }
}

static void keep_status(struct smtp_peer_reply *r, struct str status)
{
    if (r->status.n)
        return;
    memcpy(r->status_kept, status.p, status.n);
    r->status = str_of(r->status_kept, status.n);
}

/* The three digits, 200 to 599, at the front of LINE; 0 when there are none. */
static unsigned line_code(struct str line)
{
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
        !ascii_is_digit(line.p[2]))
        return 0;
    return (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
}

static enum smtp_peer_step end_line(struct smtp_peer_reply *r)
{
    struct str line = str_of(r->octets_kept, r->kept);

    if (r->kept == r->octets && str_ends(line, STR("\r")))
        line.n--;
    unsigned code = line_code(line);
    char behind = line.n > 3 ? line.p[3] : ' '; /* RFC 5321 4.2.1: SP may be missing when nothing follows */
    if (!code || (behind != ' ' && behind != '-'))
        return nonsense(r, STR("not a reply code and its text"));
    if (r->code && r->code / 100 != code / 100)
        return nonsense(r, STR("lines of one reply with codes that contradict each other"));
    if (++r->lines > SMTP_PEER_LINES_MAX)
        return nonsense(r, STR("a reply without end"));
    r->code = code;
    r->line = str_skip(line, 4);
    size_t n = status_length(r->line);
    if (n)
        keep_status(r, str_head(r->line, n));
    add_text(r, str_skip(r->line, n));
    r->cut = r->octets > r->kept;
    r->kept = r->octets = 0;
    r->whole = behind == ' ';
    return r->whole ? SMTP_PEER_END : SMTP_PEER_LINE;
}

enum smtp_peer_step smtp_peer_reply_next(struct smtp_peer_reply *r, struct str in, size_t *used)
{
    size_t n = str_find(in, '\n');
    bool ends = n < in.n;

    if (r->whole)
        *r = (struct smtp_peer_reply){ 0 };
    gather(r, str_head(in, n));
    *used = n + ends;
    if (r->octets > SMTP_PEER_LINE_MAX)
        return nonsense(r, STR("a line without end"));
    return ends ? end_line(r) : SMTP_PEER_MORE;
}
