/* mailbox/quote.c -- what a line begins with decides; all the rest is copied. */
#include "mailbox/quote.h"

#include <stdio.h>
#include <string.h>

#include "core/bug.h"
#include "core/utc.h"

enum {
    STATE_START,   /* of a line */
    STATE_ANGLES,  /* of a line, behind its ">" */
    STATE_FROM,    /* HOLD is the beginning of "From " */
    STATE_FIELD,   /* HOLD is the beginning of "Content-Length" */
    STATE_LINE,    /* nothing in this line matters any more */
    STATE_DROP,    /* in a line of the field that is left out */
    STATE_DROPPED, /* behind such a line: it may go on in the next one */
};

static const struct str from = STR_INIT("From ");
static const struct str field = STR_INIT("content-length");

_Static_assert(sizeof("content-length") <= sizeof(((struct mailbox_quote *)0)->hold), "the words can be held");

static size_t emit(struct mailbox_quote *q, char c, char *out)
{
    *out = c;
    q->line_open = c != '\n';
    return 1;
}

/* What was held is ordinary text. */
static size_t release(struct mailbox_quote *q, char *out)
{
    size_t n = q->held;

    memcpy(out, q->hold, n);
    q->held = 0;
    q->line_open |= n > 0;
    return n;
}

static size_t hold(struct mailbox_quote *q, int state, char c)
{
    q->state = state;
    q->hold[q->held++] = c;
    return 0;
}

static size_t in_line(struct mailbox_quote *q, char c, char *out)
{
    q->state = c == '\n' ? STATE_START : STATE_LINE;
    return emit(q, c, out);
}

/* The first octet of a line, or of what stands behind its ">". */
static size_t at_start(struct mailbox_quote *q, char c, char *out)
{
    bool first = q->state == STATE_START;

    if (c == 'F')
        return hold(q, STATE_FROM, c);
    if (first && q->in_header && ascii_lower(c) == 'c')
        return hold(q, STATE_FIELD, c);
    if (c == '>') {
        q->state = STATE_ANGLES;
        return emit(q, c, out);
    }
    if (first && c == '\n')
        q->in_header = false;
    return in_line(q, c, out);
}

static size_t in_from(struct mailbox_quote *q, char c, char *out)
{
    size_t n;

    if (c != from.p[q->held]) {
        n = release(q, out);
        return n + in_line(q, c, out + n);
    }
    if (q->held + 1 < from.n)
        return hold(q, STATE_FROM, c);
    /* Behind the others instead of before them: the same line. */
    n = emit(q, '>', out);
    n += release(q, out + n);
    return n + in_line(q, c, out + n);
}

static size_t in_field(struct mailbox_quote *q, char c, char *out)
{
    if (q->held < field.n && ascii_lower(c) == field.p[q->held])
        return hold(q, STATE_FIELD, c);
    if (q->held == field.n && (c == ':' || c == ' ' || c == '\t')) {
        q->held = 0;
        q->state = STATE_DROP;
        return 0;
    }
    size_t n = release(q, out);
    return n + in_line(q, c, out + n);
}

static size_t take(struct mailbox_quote *q, char c, char *out)
{
    switch (q->state) {
    case STATE_FROM:
        return in_from(q, c, out);
    case STATE_FIELD:
        return in_field(q, c, out);
    case STATE_DROP:
        q->state = c == '\n' ? STATE_DROPPED : STATE_DROP;
        return 0;
    case STATE_DROPPED:
        q->state = c == ' ' || c == '\t' ? STATE_DROP : STATE_START;
        return q->state == STATE_DROP ? 0 : at_start(q, c, out);
    case STATE_LINE:
        return in_line(q, c, out);
    default:
        return at_start(q, c, out);
    }
}

size_t mailbox_quote_convert(struct mailbox_quote *q, struct str in, char *out)
{
    size_t n = 0;

    while (in.n) {
        size_t plain = q->state == STATE_LINE ? str_find(in, '\n') : 0;
        if (plain) {
            memcpy(out + n, in.p, plain);
            n += plain;
        } else {
            n += take(q, in.p[0], out + n);
            plain = 1;
        }
        in = str_skip(in, plain);
    }
    return n;
}

size_t mailbox_quote_end(struct mailbox_quote *q, char *out)
{
    size_t n = release(q, out);

    if (q->line_open)
        n += emit(q, '\n', out + n);
    return n + emit(q, '\n', out + n);
}

size_t mailbox_from_line(struct str sender, int64_t accepted_msec, char *out, size_t room)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct utc_date d = utc_date_of(accepted_msec);
    struct str who = sender.n ? sender : STR("MAILER-DAEMON");
    int n = snprintf(out, room, "From %.*s %s %s %2d %02d:%02d:%02d %d\n", STR_ARG(who), days[d.weekday],
                     months[d.month - 1], d.day, d.hour, d.minute, d.second, d.year);

    /* A NUL in the address would cut it short. */
    if (n <= 0 || (size_t)n >= room || str_has(who, '\0'))
        return 0;
    for (char *p = out + from.n; p < out + from.n + who.n; p++)
        if ((unsigned char)*p <= ' ' || *p == '\177')
            *p = '_';
    return (size_t)n;
}
