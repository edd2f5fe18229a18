/* cmd/sendmail/submission.c -- what programs write is seldom what RFC 5322 asks for; here it becomes that. */
#include "cmd/sendmail/submission.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "message/addresses.h"
#include "message/date.h"

enum {
    READ_AT_ONCE = 64 * 1024,
    ARENA_MAX = 64 << 20,
    ADDRESS_MAX = 400, /* more than any path may have (RFC 5321 4.5.3.1.3), less than a line */
};

/* ---- reading ---- */

/* Lines as they are cut: LF, CRLF and CR alone all end one. */
struct cutter {
    struct buf *out;
    size_t line; /* where the line in hand begins */
    bool cr;     /* the last octet was CR */
    bool dots;   /* a dot alone is a line like any other */
    bool ended;  /* by a dot */
};

static void end_line(struct cutter *c)
{
    struct str line = str_skip(buf_str(c->out), c->line);

    if (!c->dots && str_eq(line, STR("."))) {
        c->out->n = c->line;
        c->ended = true;
        return;
    }
    buf_add(c->out, STR("\r\n"));
    c->line = c->out->n;
}

static void cut(struct cutter *c, struct str in)
{
    for (size_t i = 0; i < in.n && !c->ended; i++) {
        char octet = in.p[i];
        bool done = c->cr && octet == '\n'; /* its CR has ended the line already */
        c->cr = octet == '\r';
        if (done)
            continue;
        if (octet == '\r' || octet == '\n')
            end_line(c);
        else
            buf_add_char(c->out, octet);
    }
}

static bool read_lines(struct submission *l, int fd, bool dots, struct err *err)
{
    struct cutter c = { .out = &l->octets, .dots = dots };
    static char room[READ_AT_ONCE];
    ssize_t n = 0;

    while (!c.ended && !l->octets.failed) {
        n = read(fd, room, sizeof(room));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        cut(&c, str_of(room, (size_t)n));
    }
    if (n < 0)
        return err_sys(err, errno, "standard input");
    /* A last line without an end. */
    if (!c.ended && l->octets.n > c.line)
        end_line(&c);
    return !l->octets.failed || err_perm(err, "the message is too large");
}

/* ---- the header ---- */

static struct str take_line(struct str *rest)
{
    size_t n = str_find(*rest, '\n');
    struct str line = str_head(*rest, n < rest->n ? n + 1 : n);

    *rest = str_skip(*rest, line.n);
    return line;
}

static bool begins_folding(struct str rest)
{
    return rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t');
}

/* The name of the field that LINE begins (RFC 5322 2.2, 4.5.8 for blanks before the colon); empty: it begins none. */
static struct str name_of(struct str line)
{
    size_t colon = str_find(line, ':');
    struct str name = str_trim(str_head(line, colon));

    if (colon == line.n || begins_folding(line))
        return STR_NONE;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return STR_NONE;
    return name;
}

static struct submission_field take_field(struct str *rest, struct str name)
{
    struct str from = *rest;

    take_line(rest);
    while (begins_folding(*rest))
        take_line(rest);
    struct str whole = str_head(from, from.n - rest->n);
    struct str value = str_skip(whole, str_find(whole, ':') + 1);
    return (struct submission_field){ .name = name, .value = str_head(value, value.n - 2), .whole = whole };
}

static bool is(const struct submission_field *f, const char *name)
{
    return str_eq_nocase(f->name, str_from_c(name));
}

static bool read_fields(struct submission *l, struct err *err)
{
    struct str rest = buf_str(&l->octets), name;

    l->fields = ARENA_NEW_ARRAY(l->arena, SUBMISSION_FIELDS_MAX, struct submission_field);
    if (!l->fields)
        return err_temp(err, "out of memory");
    /* The line of an mbox file that stands before a message. */
    if (str_starts(rest, STR("From ")))
        take_line(&rest);
    while ((name = name_of(str_head(rest, str_find(rest, '\n')))).n) {
        if (l->n_fields == SUBMISSION_FIELDS_MAX)
            return err_perm(err, "more than %d header fields", SUBMISSION_FIELDS_MAX);
        l->fields[l->n_fields] = take_field(&rest, name);
        l->resent = l->resent || str_starts_nocase(name, STR("Resent-"));
        l->n_fields++;
    }
    if (str_starts(rest, STR("\r\n")))
        take_line(&rest);
    l->body = rest;
    return true;
}

bool submission_read(struct submission *l, int fd, bool dots, struct err *err)
{
    *l = (struct submission){ .arena = arena_new(ARENA_MAX), .octets = BUF_INIT(SUBMISSION_MAX) };
    if (!l->arena)
        return err_temp(err, "out of memory");
    return read_lines(l, fd, dots, err) && read_fields(l, err);
}

void submission_done(struct submission *l)
{
    arena_free(l->arena);
    buf_done(&l->octets);
}

/* ---- addresses ---- */

static bool add(struct submission_addresses *list, struct arena *a, const struct message_mailbox *m, struct err *err)
{
    if (!list->items)
        list->items = ARENA_NEW_ARRAY(a, SUBMISSION_RECIPIENTS_MAX, struct submission_address);
    if (!list->items)
        return err_temp(err, "out of memory");
    if (m->local.n + m->domain.n > ADDRESS_MAX)
        return err_perm(err, "too long an address: %.*s…", STR_ARG(str_head(m->local, 60)));
    if (list->n == SUBMISSION_RECIPIENTS_MAX)
        return err_perm(err, "more than %d recipients", SUBMISSION_RECIPIENTS_MAX);
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i].local, m->local) && str_eq_nocase(list->items[i].domain, m->domain))
            return true;
    list->items[list->n++] = (struct submission_address){ .local = m->local, .domain = m->domain };
    return true;
}

bool submission_addresses_add(struct submission_addresses *list, struct arena *a, struct str text, struct err *err)
{
    struct message_address_reader r = { .in = text };
    struct message_mailbox m;

    for (;;) {
        switch (message_address_next(&r, a, &m)) {
        case MESSAGE_ADDRESS_MAILBOX:
            if (!add(list, a, &m, err))
                return false;
            break;
        case MESSAGE_ADDRESS_END:
            return true;
        case MESSAGE_ADDRESS_BAD:
            return err_perm(err, "no address: %.*s", STR_ARG(str_trim(str_head(text, 200))));
        case MESSAGE_ADDRESS_NO_MEMORY:
            return err_temp(err, "out of memory");
        }
    }
}

static bool names_recipients(const struct submission *l, const struct submission_field *f)
{
    if (l->resent)
        return is(f, "Resent-To") || is(f, "Resent-Cc") || is(f, "Resent-Bcc");
    return is(f, "To") || is(f, "Cc") || is(f, "Bcc");
}

bool submission_recipients(const struct submission *l, struct submission_addresses *list, struct err *err)
{
    for (size_t i = 0; i < l->n_fields; i++)
        if (names_recipients(l, &l->fields[i]) && !submission_addresses_add(list, l->arena, l->fields[i].value, err))
            return false;
    return true;
}

/* ---- writing ---- */

static bool has(const struct submission *l, const char *name)
{
    for (size_t i = 0; i < l->n_fields; i++)
        if (is(&l->fields[i], name))
            return true;
    return false;
}

static bool holds_addresses(const struct submission_field *f)
{
    static const char *const names[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc" };
    struct submission_field plain = *f;

    if (str_starts_nocase(plain.name, STR("Resent-")))
        plain.name = str_skip(plain.name, 7);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is(&plain, names[i]))
            return true;
    return false;
}

/*
 * The field with the domain put behind each bare name, all else as it stands: cron writes "From: root (Cron Daemon)",
 * which is an address nowhere but here. One that is not understood stays as it is.
 */
static void write_completed(const struct submission *l, const struct submission_field *f, struct str origin,
                            struct buf *out)
{
    struct message_address_reader r = { .in = f->value };
    struct buf value = BUF_INIT(SUBMISSION_MAX);
    struct message_mailbox m;
    enum message_address got;
    size_t done = 0;

    while ((got = message_address_next(&r, l->arena, &m)) == MESSAGE_ADDRESS_MAILBOX) {
        if (m.domain.n)
            continue;
        buf_add(&value, str_slice(f->value, done, m.end));
        buf_add_char(&value, '@');
        buf_add(&value, origin);
        done = m.end;
    }
    if (got != MESSAGE_ADDRESS_END || value.failed || !value.n) {
        buf_add(out, f->whole);
    } else {
        buf_add(out, str_head(f->whole, f->whole.n - f->value.n - 2));
        buf_add(out, buf_str(&value));
        buf_add(out, str_skip(f->value, done));
        buf_add(out, STR("\r\n"));
    }
    buf_done(&value);
}

/* NAME as a phrase: quoted, so that nothing in it means anything; controls are left out. */
static void write_phrase(struct str name, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\')
            buf_add_char(out, '\\');
        if ((unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7f)
            buf_add_char(out, name.p[i]);
    }
    buf_add(out, STR("\" "));
}

static void write_from(const char *field, const struct submission_completion *c, struct buf *out)
{
    buf_printf(out, "%s: ", field);
    if (c->name.n)
        write_phrase(c->name, out);
    buf_printf(out, "<%.*s>\r\n", STR_ARG(c->sender));
}

/* What every message must have (RFC 5322 3.6), or should; of one that is sent again, its Resent- fields. */
static void write_missing(const struct submission *l, const struct submission_completion *c, struct buf *out)
{
    const char *from = l->resent ? "Resent-From" : "From", *date = l->resent ? "Resent-Date" : "Date",
               *id = l->resent ? "Resent-Message-ID" : "Message-ID";

    if (!has(l, from) && c->sender.n)
        write_from(from, c, out);
    if (!has(l, date))
        buf_printf(out, "%s: %s\r\n", date, message_date(c->utc_msec, c->zone_minutes).c);
    if (!has(l, id))
        buf_printf(out, "%s: <%" PRIx64 ".%" PRIx64 "@%.*s>\r\n", id, c->unique[0], c->unique[1],
                   STR_ARG(c->hostname));
}

bool submission_write(const struct submission *l, const struct submission_completion *c, struct buf *out)
{
    if (c->add)
        write_missing(l, c, out);
    for (size_t i = 0; i < l->n_fields; i++) {
        const struct submission_field *f = &l->fields[i];
        if (c->remove_bcc && (is(f, "Bcc") || is(f, "Resent-Bcc")))
            continue;
        if (c->add && holds_addresses(f))
            write_completed(l, f, c->origin, out);
        else
            buf_add(out, f->whole);
    }
    buf_add(out, STR("\r\n"));
    return buf_add(out, l->body) && !out->failed;
}

bool submission_stuff(struct str content, struct buf *out)
{
    while (content.n) {
        struct str line = take_line(&content);
        if (line.p[0] == '.')
            buf_add_char(out, '.');
        buf_add(out, line);
    }
    return buf_add(out, STR(".\r\n")) && !out->failed;
}
