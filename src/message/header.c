/*
 * message/header.c -- of each line only its beginning is judged, and only wanted values are kept.
 *
 * A line is one of: the empty line (the end), folding (begins with a blank), a field (name, colon), or
 * malformed. To tell which, the first octets up to the colon are gathered in NAME; what is longer than any
 * name we look for is just a name. After that the rest of the line is skipped, or gathered in VALUE when the
 * field is wanted.
 */
#include "message/header.h"

#include <string.h>

enum where {
    LINE,  /* nothing of this line was seen */
    NAME,  /* within what may be a field name */
    VALUE, /* behind the colon, or in folding */
    SKIP,  /* in a malformed line */
};

enum wanted { WANT_NONE, WANT_MESSAGE_ID, WANT_SUBJECT, WANT_REFERENCES, WANT_DELIVERED_TO };

enum {
    NAME_KEPT = 16, /* longer than each name looked for */
    VALUE_ROOM = 2 * MESSAGE_VALUE_MAX,
    TAIL_KEPT = MESSAGE_VALUE_MAX + 1, /* the last of them may be the CR of the line end */
};

struct message_header_scan {
    struct arena *arena;
    struct message_header header;
    enum where where;
    enum wanted wanted;
    bool name_blank; /* a blank was seen behind the name (obsolete syntax, RFC 5322 4.5.8) */
    bool has_message_id, has_subject, has_references;
    bool cr; /* the last octet was CR */
    size_t name_n;
    char name[NAME_KEPT];
    size_t value_n;
    bool value_cut; /* of References: its beginning was dropped */
    char *value;    /* VALUE_ROOM octets, made when first wanted */
};

struct message_header_scan *message_header_scan_new(struct arena *arena)
{
    struct message_header_scan *scan = ARENA_NEW(arena, struct message_header_scan);

    if (scan)
        *scan = (struct message_header_scan){ .arena = arena, .where = LINE };
    return scan;
}

const struct message_header *message_header_scan_facts(const struct message_header_scan *scan)
{
    return &scan->header;
}

static enum wanted field_wanted(const struct message_header_scan *scan, struct str name)
{
    if (str_eq_nocase(name, STR("Message-ID")) && !scan->has_message_id)
        return WANT_MESSAGE_ID;
    if (str_eq_nocase(name, STR("Subject")) && !scan->has_subject)
        return WANT_SUBJECT;
    if (str_eq_nocase(name, STR("References")) && !scan->has_references)
        return WANT_REFERENCES;
    if (str_eq_nocase(name, STR("Delivered-To")) &&
        scan->header.delivered_to_count < MESSAGE_DELIVERED_TO_MAX)
        return WANT_DELIVERED_TO;
    return WANT_NONE;
}

/* The colon was met: what stands before it is a field name. */
static void begin_field(struct message_header_scan *scan)
{
    struct str name = str_of(scan->name, scan->name_n <= NAME_KEPT ? scan->name_n : 0);

    scan->header.fields++;
    scan->header.received += str_eq_nocase(name, STR("Received"));
    scan->wanted = field_wanted(scan, name);
    scan->value_n = 0;
    scan->value_cut = false;
    scan->where = VALUE;
}

static void append(struct message_header_scan *scan, struct str piece)
{
    if (piece.n)
        memcpy(scan->value + scan->value_n, piece.p, piece.n);
    scan->value_n += piece.n;
}

/* The last octets count: the nearest messages of a thread are named last (RFC 5322 3.6.4). */
static void append_tail(struct message_header_scan *scan, struct str piece)
{
    struct str tail = piece.n > TAIL_KEPT ? str_skip(piece, piece.n - TAIL_KEPT) : piece;

    scan->value_cut |= tail.n < piece.n;
    if (scan->value_n + tail.n > VALUE_ROOM) {
        size_t keep = TAIL_KEPT - tail.n;
        memmove(scan->value, scan->value + scan->value_n - keep, keep);
        scan->value_n = keep;
        scan->value_cut = true;
    }
    append(scan, tail);
}

static bool add_value(struct message_header_scan *scan, struct str piece)
{
    if (scan->wanted == WANT_NONE)
        return true;
    if (!scan->value)
        scan->value = arena_alloc(scan->arena, VALUE_ROOM);
    if (!scan->value)
        return false;
    if (scan->wanted == WANT_REFERENCES)
        append_tail(scan, piece);
    else
        append(scan, str_head(piece, MESSAGE_VALUE_MAX - scan->value_n));
    return true;
}

/* What stands in angle brackets, else the first word: log and listing want the bare id. */
static struct str bare_message_id(struct str value)
{
    size_t open = str_find(value, '<');
    struct str rest = open < value.n ? str_skip(value, open + 1) : value;
    size_t end = str_find(rest, '>');

    return str_trim(str_head(rest, open < value.n ? end : str_find(rest, ' ')));
}

/* What fits of References, without an id whose beginning is lost. */
static struct str whole_ids(const struct message_header_scan *scan)
{
    struct str value = str_of(scan->value, scan->value_n);
    bool cut = scan->value_cut || value.n > MESSAGE_VALUE_MAX;

    if (value.n > MESSAGE_VALUE_MAX)
        value = str_skip(value, value.n - MESSAGE_VALUE_MAX);
    return str_trim(cut ? str_skip(value, str_find(value, '<')) : value);
}

static bool keep(struct message_header_scan *scan, struct str value, struct str *at)
{
    struct str copy = arena_str(scan->arena, value);

    if (!copy.p)
        return false;
    *at = copy;
    return true;
}

static bool keep_delivered_to(struct message_header_scan *scan, struct str value)
{
    struct message_header *h = &scan->header;

    if (!h->delivered_to)
        h->delivered_to = ARENA_NEW_ARRAY(scan->arena, MESSAGE_DELIVERED_TO_MAX, struct str);
    if (!h->delivered_to || !keep(scan, value, &h->delivered_to[h->delivered_to_count]))
        return false;
    h->delivered_to_count++;
    return true;
}

/* A field is over when a line begins that does not go on with it. */
static bool end_field(struct message_header_scan *scan)
{
    enum wanted wanted = scan->wanted;
    struct str value = str_trim(str_of(scan->value, scan->value_n));

    scan->wanted = WANT_NONE;
    switch (wanted) {
    case WANT_NONE:
        break;
    case WANT_MESSAGE_ID:
        scan->has_message_id = true;
        return keep(scan, bare_message_id(value), &scan->header.message_id);
    case WANT_SUBJECT:
        scan->has_subject = true;
        return keep(scan, value, &scan->header.subject);
    case WANT_REFERENCES:
        scan->has_references = true;
        return keep(scan, whole_ids(scan), &scan->header.references);
    case WANT_DELIVERED_TO:
        return keep_delivered_to(scan, value);
    }
    return true;
}

static void set_malformed(struct message_header_scan *scan)
{
    scan->header.malformed++;
    scan->where = SKIP;
}

/* The first octet of a line, or the second behind a CR; true when it is used up. */
static bool begin_line(struct message_header_scan *scan, char c, bool *ok)
{
    if (c == '\n' || (c == '\r' && !scan->cr)) {
        scan->cr = c == '\r';
        scan->header.ended = c == '\n';
        *ok = c == '\n' ? end_field(scan) : true;
        return true;
    }
    bool folding = !scan->cr && (c == ' ' || c == '\t') && scan->header.fields;
    if (folding) {
        scan->where = VALUE;
        return false;
    }
    *ok = end_field(scan);
    scan->name_n = 0;
    scan->name_blank = false;
    if (scan->cr)
        set_malformed(scan);
    else
        scan->where = NAME;
    scan->cr = false;
    return false;
}

/* An octet of what may be a field name; RFC 5322 3.6.8, and 4.5.8 for blanks before the colon. */
static bool step_name(struct message_header_scan *scan, char c)
{
    bool blank = c == ' ' || c == '\t';

    if (c == ':' && scan->name_n) {
        begin_field(scan);
        return true;
    }
    if (blank && scan->name_n) {
        scan->name_blank = true;
        return true;
    }
    if (c <= ' ' || c > '~' || c == ':' || scan->name_blank) {
        set_malformed(scan);
        return false;
    }
    if (scan->name_n < NAME_KEPT)
        scan->name[scan->name_n] = c;
    scan->name_n += scan->name_n <= NAME_KEPT;
    return true;
}

/* To the end of the line, or of what is here; the CR before LF is no part of a value. */
static size_t step_rest(struct message_header_scan *scan, struct str rest, bool *ok)
{
    size_t lf = str_find(rest, '\n');
    struct str piece = str_head(rest, lf);

    if (scan->where == VALUE)
        *ok = add_value(scan, piece);
    if (lf == rest.n)
        return rest.n;
    if (scan->where == VALUE && scan->wanted != WANT_NONE && scan->value_n &&
        scan->value[scan->value_n - 1] == '\r')
        scan->value_n--;
    scan->where = LINE;
    return lf + 1;
}

bool message_header_scan_feed(struct message_header_scan *scan, struct str in)
{
    bool all_ok = true;
    size_t pos = 0;

    while (pos < in.n && !scan->header.ended) {
        bool ok = true;
        if (scan->where == LINE)
            pos += begin_line(scan, in.p[pos], &ok);
        else if (scan->where == NAME)
            pos += step_name(scan, in.p[pos]);
        else
            pos += step_rest(scan, str_skip(in, pos), &ok);
        all_ok &= ok;
    }
    scan->header.size += pos;
    if (!scan->header.eight_bit)
        scan->header.eight_bit = !str_is_ascii(str_head(in, pos));
    return all_ok;
}

bool message_header_scan_end(struct message_header_scan *scan)
{
    if (scan->header.ended)
        return true;
    if (scan->where == NAME)
        set_malformed(scan);
    scan->header.ended = true;
    return end_field(scan);
}

/* Local part as it is, domain without case. */
static bool same_address(struct str a, struct str b)
{
    size_t at = str_rfind(a, '@');

    return a.n == b.n && str_eq(str_head(a, at), str_head(b, at)) && str_eq_nocase(a, b);
}

bool message_header_was_delivered_to(const struct message_header *header, struct str address)
{
    for (size_t i = 0; i < header->delivered_to_count; i++)
        if (same_address(header->delivered_to[i], address))
            return true;
    return false;
}
