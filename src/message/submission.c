/* message/submission.c -- fields are looked at one by one, and each is kept whole or left out whole. */
#include "message/submission.h"

#include "message/date.h"

enum {
    ADDED_MAX = 1024, /* octets of fields that are added */
    COMMENT_DEPTH = 20,
};

/* One line, or the lines of one field, with their ends. */
struct part {
    struct str octets;
    struct str name; /* of a field; empty: it is none */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Up to the next line's beginning. */
static size_t line_length(struct str in)
{
    size_t lf = str_find(in, '\n');

    return lf < in.n ? lf + 1 : in.n;
}

static bool is_empty_line(struct str line)
{
    return str_eq(line, STR("\r\n")) || str_eq(line, STR("\n"));
}

/* The name of the field that LINE begins (RFC 5322 3.6.8, 4.5.8: blanks before the colon); empty: it begins none. */
static struct str field_name(struct str line)
{
    size_t colon = str_find(line, ':');
    struct str name = str_head(line, colon);

    if (colon == line.n)
        return STR_NONE;
    while (name.n && is_blank(name.p[name.n - 1]))
        name.n--;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return STR_NONE;
    return name;
}

/* Cuts the next part off *rest: what begins with a blank goes on with what stands before it. */
static struct part next_part(struct str *rest)
{
    struct str line = str_head(*rest, line_length(*rest));
    struct part part = { .octets = line, .name = field_name(line) };
    struct str next = str_skip(*rest, line.n);

    while (next.n && is_blank(next.p[0]) && !is_empty_line(line)) {
        size_t n = line_length(next);
        part.octets.n += n;
        next = str_skip(next, n);
    }
    *rest = next;
    return part;
}

static struct str field_value(const struct part *part)
{
    return str_trim(str_skip(part->octets, str_find(part->octets, ':') + 1));
}

/* Without the comment at the front of S; p == NULL: it has no end (RFC 5322 3.2.2). */
static struct str skip_comment(struct str s)
{
    int depth = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '(' && ++depth > COMMENT_DEPTH)
            return STR_NONE;
        else if (s.p[i] == ')' && --depth == 0)
            return str_skip(s, i + 1);
    }
    return STR_NONE;
}

/* Without blanks and comments at the front. */
static struct str skip_cfws(struct str s)
{
    s = str_trim(s);
    while (s.n && s.p[0] == '(')
        s = str_trim(skip_comment(s));
    return s;
}

/* Between the angle brackets: no blanks, no brackets, one side and the other. UTF-8 is well (RFC 6532 3.2). */
static bool is_id(struct str id)
{
    size_t at = str_rfind(id, '@');

    for (size_t i = 0; i < id.n; i++)
        if ((unsigned char)id.p[i] <= ' ' || id.p[i] == 0x7f || id.p[i] == '<' || id.p[i] == '>')
            return false;
    return at > 0 && at + 1 < id.n && str_is_utf8(id);
}

/*
 * As much of RFC 5322 3.6.4 as tells an id from none. What is odd but told apart stays: the sender's own copy has it, and
 * answers will name it.
 */
static bool is_message_id(struct str value)
{
    value = skip_cfws(value);
    if (!value.n || value.p[0] != '<')
        return false;
    size_t end = str_find(value, '>');
    return end < value.n && is_id(str_slice(value, 1, end)) && !skip_cfws(str_skip(value, end + 1)).n;
}

static bool is_left_out(const struct part *part)
{
    if (str_eq_nocase(part->name, STR("Bcc")) || str_eq_nocase(part->name, STR("Resent-Bcc")))
        return true;
    return str_eq_nocase(part->name, STR("Message-ID")) && !is_message_id(field_value(part));
}

/* What the header has, and how long its fields are: what follows them is the empty line, or malformed. */
struct survey {
    bool any, date, message_id;
    size_t fields_n;
};

static struct survey survey_header(struct str header)
{
    struct survey found = { 0 };
    struct str rest = header;
    bool in_fields = true;

    while (rest.n) {
        struct part part = next_part(&rest);
        /* What begins with a blank is never what ours stand in front of: it would go on with them. */
        in_fields &= part.name.n || is_blank(part.octets.p[0]);
        found.any |= part.name.n > 0;
        if (in_fields)
            found.fields_n += part.octets.n;
        found.date |= str_eq_nocase(part.name, STR("Date"));
        found.message_id |= str_eq_nocase(part.name, STR("Message-ID")) && !is_left_out(&part);
    }
    if (!found.any)
        found.fields_n = 0;
    return found;
}

static void add_missing(struct buf *out, const struct survey *found, const struct message_submission_terms *terms)
{
    if (!found->date)
        buf_printf(out, "Date: %s\r\n", message_date(terms->utc_msec, terms->zone_minutes).c);
    if (found->message_id)
        return;
    buf_add_c(out, "Message-ID: <");
    buf_add(out, terms->unique);
    buf_add_char(out, '@');
    buf_add(out, terms->hostname);
    buf_add_c(out, ">\r\n");
}

static void add_kept(struct buf *out, struct str parts)
{
    while (parts.n) {
        struct part part = next_part(&parts);
        if (!is_left_out(&part))
            buf_add(out, part.octets);
    }
}

bool message_submission_write(struct buf *out, struct str header, const struct message_submission_terms *terms)
{
    struct survey found = survey_header(header);
    struct str rest = str_skip(header, found.fields_n);
    size_t from = out->n;

    add_kept(out, str_head(header, found.fields_n));
    /* Content that ends within a line: ours begins a new one. */
    if (out->n > from && out->p[out->n - 1] != '\n' && !(found.date && found.message_id))
        buf_add(out, STR("\r\n"));
    add_missing(out, &found, terms);
    /* Text alone: behind the first fields it ever had, it is the body. */
    if (!found.any && rest.n && !is_empty_line(str_head(rest, line_length(rest))))
        buf_add(out, STR("\r\n"));
    add_kept(out, rest);
    return !out->failed;
}

void message_submission_init(struct message_submission *m, size_t header_max,
                             const struct message_submission_terms *terms)
{
    *m = (struct message_submission){
        .terms = *terms,
        .held = BUF_INIT(header_max),
        .changed = BUF_INIT(header_max + ADDED_MAX),
    };
}

void message_submission_done(struct message_submission *m)
{
    buf_done(&m->held);
    buf_done(&m->changed);
}

/* Octets of IN up to and with the empty line; in.n + 1: it is not in it. */
static size_t find_end(struct message_submission *m, struct str in)
{
    size_t pos = 0;

    /* A line that began in an earlier call: only what both make together tells whether it is empty. */
    while (pos < in.n) {
        size_t lf = pos + str_find(str_skip(in, pos), '\n');
        if (lf >= in.n)
            break;
        size_t line_n = m->held.n + lf - m->line;
        bool cr = line_n == 1 && (lf ? in.p[lf - 1] : m->held.p[m->held.n - 1]) == '\r';
        pos = lf + 1;
        m->line = m->held.n + pos;
        if (!line_n || cr)
            return pos;
    }
    return in.n + 1;
}

static enum message_submission_step fail(struct message_submission *m, enum message_submission_step step)
{
    message_submission_done(m);
    m->step = step;
    return step;
}

static enum message_submission_step hold(struct message_submission *m, struct str in)
{
    if (in.n > m->held.max - m->held.n)
        return fail(m, MESSAGE_SUBMISSION_TOO_BIG);
    return buf_add(&m->held, in) ? MESSAGE_SUBMISSION_GOOD : fail(m, MESSAGE_SUBMISSION_NO_MEMORY);
}

/* The header section is whole: out with it. */
static enum message_submission_step give_out(struct message_submission *m, struct str *header)
{
    m->over = true;
    if (!message_submission_write(&m->changed, buf_str(&m->held), &m->terms))
        return fail(m, MESSAGE_SUBMISSION_NO_MEMORY);
    buf_done(&m->held);
    *header = buf_str(&m->changed);
    return MESSAGE_SUBMISSION_GOOD;
}

enum message_submission_step message_submission_feed(struct message_submission *m, struct str in,
                                                     struct str *header, struct str *rest)
{
    *header = *rest = STR_NONE;
    if (m->step != MESSAGE_SUBMISSION_GOOD)
        return m->step;
    if (m->over) {
        buf_done(&m->changed);
        *rest = in;
        return MESSAGE_SUBMISSION_GOOD;
    }
    size_t end = find_end(m, in);
    if (hold(m, str_head(in, end)) != MESSAGE_SUBMISSION_GOOD)
        return m->step;
    if (end > in.n)
        return MESSAGE_SUBMISSION_GOOD;
    *rest = str_skip(in, end);
    return give_out(m, header);
}

enum message_submission_step message_submission_end(struct message_submission *m, struct str *header)
{
    *header = STR_NONE;
    if (m->step != MESSAGE_SUBMISSION_GOOD || m->over)
        return m->step;
    return give_out(m, header);
}
