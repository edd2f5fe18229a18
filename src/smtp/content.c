/*
 * smtp/content.c -- lines are looked at where they lie; a span ends only where octets are left out or put in.
 *
 * Clean lines, nearly all there are, take the short way: memchr for LF, and one look for CR, NUL and octets
 * above 127. The rest is a machine over single octets. Its state is what the last octets were:
 *
 *     LINE      at the start of a line, behind a real CRLF (or the one of DATA): a dot here is special
 *     TEXT      within a line, or at the start of one we repaired: a dot is text
 *     CR        behind a CR, which is given out already
 *     DOT       behind a dot at LINE, which is held back
 *     DOT_CR    behind a dot and CR at LINE, both held back
 *     END       behind CRLF.CRLF
 */
#include "smtp/content.h"

#include <string.h>

#include "core/check.h"

enum state { LINE, TEXT, CR, DOT, DOT_CR, END };

void smtp_content_init(struct smtp_content *c, const struct smtp_content_limits *limits)
{
    *c = (struct smtp_content){ .limits = *limits, .state = LINE };
}

static void set_fault(struct smtp_content *c, enum smtp_content_fault fault)
{
    if (c->facts.fault != SMTP_CONTENT_GOOD)
        return;
    c->facts.fault = fault;
    c->facts.fault_line = c->facts.lines + 1;
}

/* Octets that count against the limit of RFC 1870; those we put in do not. */
static void count_octets(struct smtp_content *c, size_t n)
{
    if (n > c->limits.size_max - c->taken)
        set_fault(c, SMTP_CONTENT_TOO_BIG);
    else
        c->taken += n;
}

static void end_line(struct smtp_content *c)
{
    c->facts.lines++;
    if (c->line_octets > c->facts.longest_line)
        c->facts.longest_line = c->line_octets;
    c->line_octets = 0;
}

struct look {
    bool high; /* an octet above 127 */
    bool nul;
    bool cr;
};

/* Sixteen octets at once, whatever the machine makes of it: tops of lanes in which something was found. */
typedef unsigned char lanes __attribute__((vector_size(16)));

static struct look look_at_few(struct str s)
{
    struct look look = { 0 };

    for (size_t i = 0; i < s.n; i++) {
        look.high |= (unsigned char)s.p[i] > 127;
        look.nul |= s.p[i] == '\0';
        look.cr |= s.p[i] == '\r';
    }
    return look;
}

static bool any_top(lanes v)
{
    typedef uint64_t halves __attribute__((vector_size(16)));
    halves h = (halves)v;

    return (h[0] | h[1]) & 0x8080808080808080ULL;
}

static struct look look_at(struct str s)
{
    lanes high = { 0 }, nul = { 0 }, cr = { 0 }, v;

    if (s.n < sizeof(v))
        return look_at_few(s);
    /* The last ones are looked at again with some before them. */
    for (size_t i = 0, last = s.n - sizeof(v);; i = i + sizeof(v) < last ? i + sizeof(v) : last) {
        memcpy(&v, s.p + i, sizeof(v));
        high |= v;
        nul |= (lanes)(v == 0);
        cr |= (lanes)(v == '\r');
        if (i == last)
            break;
    }
    return (struct look){ .high = any_top(high), .nul = any_top(nul), .cr = any_top(cr) };
}

/* Of several faults in one piece of a line, the one that comes first, so that splitting changes nothing. */
static void set_first_fault(struct smtp_content *c, struct str text, bool nul_is_fault)
{
    uint64_t at_line = c->limits.line_max - c->line_octets;
    uint64_t at_size = c->limits.size_max - c->taken;
    uint64_t at_nul = nul_is_fault ? str_find(text, '\0') : UINT64_MAX;

    if (at_nul < at_line && at_nul < at_size)
        set_fault(c, SMTP_CONTENT_NUL);
    else if (at_line < at_size)
        set_fault(c, SMTP_CONTENT_LINE_TOO_LONG);
    else
        set_fault(c, SMTP_CONTENT_TOO_BIG);
}

/* TEXT is part of a line, without CR and LF. */
static void take_text(struct smtp_content *c, struct str text)
{
    if (!text.n || c->facts.fault != SMTP_CONTENT_GOOD)
        return;
    struct look look = look_at(text);
    bool nul_is_fault = look.nul && c->limits.newlines == SMTP_NEWLINES_REJECT;
    if (nul_is_fault || text.n > c->limits.line_max - c->line_octets ||
        text.n > c->limits.size_max - c->taken) {
        set_first_fault(c, text, nul_is_fault);
        return;
    }
    c->facts.eight_bit |= look.high;
    c->facts.nul |= look.nul;
    c->facts.leading_dots += c->line_octets == 0 && text.p[0] == '.';
    c->line_octets += text.n;
    c->taken += text.n;
}

enum action {
    KEEP,      /* the octets stepped over go on the span */
    LEAVE_OUT, /* they do not; c->insert may take their place */
};

/* A CR or LF alone: refused, or made CRLF of which ADDED is the part that was not given out yet. */
static enum action bare_newline(struct smtp_content *c, enum smtp_content_fault fault, struct str added)
{
    c->state = TEXT;
    if (c->limits.newlines == SMTP_NEWLINES_REJECT) {
        set_fault(c, fault);
        return KEEP;
    }
    if (c->facts.fault == SMTP_CONTENT_GOOD) {
        c->facts.repaired++;
        c->insert = added;
    }
    end_line(c);
    return LEAVE_OUT;
}

/* Takes the whole line at the front if nothing about it is special: returns its octets, or 0. */
static size_t clean_line(struct smtp_content *c, struct str rest)
{
    const char *lf = memchr(rest.p, '\n', rest.n);
    size_t n = lf ? (size_t)(lf - rest.p) : 0;

    if (n < 1 || lf[-1] != '\r')
        return 0;
    struct look look = look_at(str_of(rest.p, n - 1));
    if (look.cr || look.nul || n - 1 > c->limits.line_max || n + 1 > c->limits.size_max - c->taken)
        return 0;
    c->facts.eight_bit |= look.high;
    c->facts.lines++;
    if (n - 1 > c->facts.longest_line)
        c->facts.longest_line = n - 1;
    c->taken += n + 1;
    return n + 1;
}

/* As many lines as nothing is special about, from the start of one on. */
static size_t clean_lines(struct smtp_content *c, struct str rest)
{
    size_t at = 0, n = 1;

    if (c->facts.fault != SMTP_CONTENT_GOOD)
        return 0;
    for (; n && at < rest.n && rest.p[at] != '.'; at += n)
        n = clean_line(c, str_of(rest.p + at, rest.n - at));
    return at;
}

static enum action step_text(struct smtp_content *c, struct str rest, size_t *pos)
{
    size_t lf = str_find(rest, '\n');
    size_t cr = str_find(str_head(rest, lf), '\r');

    c->state = TEXT;
    take_text(c, str_head(rest, cr));
    *pos += cr;
    if (cr + 1 == lf && lf < rest.n) {
        count_octets(c, 2);
        end_line(c);
        c->state = LINE;
        *pos += 2;
    } else if (cr < lf) {
        count_octets(c, 1);
        c->state = CR;
        *pos += 1;
    } else if (lf == 0) {
        count_octets(c, 1);
        *pos += 1;
        return bare_newline(c, SMTP_CONTENT_BARE_LF, STR("\r\n"));
    }
    return KEEP;
}

static enum action step_behind_cr(struct smtp_content *c, char next, size_t *pos)
{
    if (next != '\n')
        return bare_newline(c, SMTP_CONTENT_BARE_CR, STR("\n"));
    *pos += 1;
    count_octets(c, 1);
    end_line(c);
    c->state = LINE;
    return KEEP;
}

/* A dot at the start of a line is taken away, if more than it is there (RFC 5321 4.5.2). */
static enum action step_behind_dot(struct smtp_content *c, char next, size_t *pos)
{
    if (next != '\r') {
        c->state = TEXT;
        return KEEP;
    }
    c->state = DOT_CR;
    *pos += 1;
    return LEAVE_OUT;
}

/* Here, and only here, is the end (RFC 5321 4.1.1.4). */
static enum action step_behind_dot_cr(struct smtp_content *c, char next, size_t *pos)
{
    if (next == '\n') {
        c->state = END;
        *pos += 1;
        return LEAVE_OUT;
    }
    count_octets(c, 1);
    return bare_newline(c, SMTP_CONTENT_BARE_CR, STR("\r\n"));
}

/* One step of the machine: moves *pos, or the state, or both. */
static enum action step(struct smtp_content *c, struct str rest, size_t *pos)
{
    switch ((enum state)c->state) {
    case LINE: {
        size_t n = clean_lines(c, rest);
        *pos += n;
        if (n)
            return KEEP;
        if (rest.p[0] != '.')
            return step_text(c, rest, pos);
        c->state = DOT;
        *pos += 1;
        return LEAVE_OUT;
    }
    case TEXT:
        return step_text(c, rest, pos);
    case CR:
        return step_behind_cr(c, rest.p[0], pos);
    case DOT:
        return step_behind_dot(c, rest.p[0], pos);
    case DOT_CR:
        return step_behind_dot_cr(c, rest.p[0], pos);
    case END:
        break;
    }
    return LEAVE_OUT;
}

static bool give(struct smtp_content *c, struct str piece, struct str *span)
{
    if (!piece.n || c->facts.fault != SMTP_CONTENT_GOOD)
        return false;
    c->facts.size += piece.n;
    *span = piece;
    return true;
}

static bool give_insert(struct smtp_content *c, struct str *span)
{
    struct str piece = c->insert;

    c->insert = STR_NONE;
    return give(c, piece, span);
}

enum smtp_content_step smtp_content_next(struct smtp_content *c, struct str in, struct str *span,
                                         size_t *used)
{
    size_t from = 0, pos = 0;

    *used = 0;
    if (give_insert(c, span))
        return SMTP_CONTENT_SPAN;
    while (pos < in.n && c->state != END) {
        size_t upto = pos;
        if (step(c, str_skip(in, pos), &pos) == KEEP)
            continue;
        *used = pos;
        if (give(c, str_slice(in, from, upto), span) || give_insert(c, span))
            return SMTP_CONTENT_SPAN;
        from = pos;
    }
    *used = pos;
    if (c->state == END)
        return SMTP_CONTENT_END;
    return give(c, str_slice(in, from, pos), span) ? SMTP_CONTENT_SPAN : SMTP_CONTENT_MORE;
}
