/* log/render.c -- quoting, so that nothing a peer sends can look like another field (FACE 3.1). */
#include "log/render.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/num.h"
#include "core/utc.h"

enum { USEC_PER_SEC = 1000000, USEC_DIGITS = 6 };

/* What a character means to a reader of lines, words and terminals. */
enum class {
    PLAIN,
    QUOTE,  /* stays as it is, but only inside quotes */
    ESCAPE, /* is written as an escape, inside quotes */
};

struct character {
    enum class is;
    size_t n;      /* octets */
    bool valid;    /* false: one octet that is not UTF-8 */
    uint32_t code; /* scalar value, or that octet */
};

static enum class class_of_ascii(unsigned char c)
{
    if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
        return ESCAPE;
    return c == ' ' || c == '=' ? QUOTE : PLAIN;
}

/*
 * Beyond ASCII: C1 controls, line and paragraph separators, and what turns the direction of text around are controls
 * to whoever shows the line; some readers cut words at any blank that Unicode knows.
 */
static enum class class_of_wide(uint32_t c)
{
    if (c < 0xa0 || c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2066 && c <= 0x2069) || c == 0xfeff)
        return ESCAPE;
    if (c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x202f || c == 0x205f || c == 0x3000)
        return QUOTE;
    return PLAIN;
}

static struct character wide_character(struct str s)
{
    static const unsigned char first_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = str_utf8_length(s);

    if (!n)
        return (struct character){ .is = ESCAPE, .n = 1, .code = p[0] };

    uint32_t code = p[0] & first_mask[n];
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3f);
    return (struct character){ .is = class_of_wide(code), .n = n, .valid = true, .code = code };
}

/* The first character of S, which is not empty. */
static struct character character_of(struct str s)
{
    unsigned char first = (unsigned char)s.p[0];

    if (first >= 0x80)
        return wide_character(s);
    return (struct character){ .is = class_of_ascii(first), .n = 1, .valid = true, .code = first };
}

/* How many octets at the front of S are characters of class MOST or a lesser one. */
static size_t span(struct str s, enum class most)
{
    size_t n = 0;

    while (n < s.n) {
        struct character c = character_of(str_skip(s, n));
        if (c.is > most)
            break;
        n += c.n;
    }
    return n;
}

/*
 * ---- texts ----
 * JSON is written directly: a record is a flat object, and a tree for each line would cost more than all the rest.
 */

static void kv_escape(struct buf *out, struct str octets)
{
    char c = octets.p[0];

    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c == '\n')
        buf_add(out, STR("\\n"));
    else
        for (size_t i = 0; i < octets.n; i++)
            buf_printf(out, "\\x%02X", (unsigned char)octets.p[i]);
}

static void json_escape(struct buf *out, struct character c)
{
    if (!c.valid)
        buf_add(out, STR("\xef\xbf\xbd"));
    else if (c.code == '"' || c.code == '\\')
        buf_printf(out, "\\%c", (int)c.code);
    else if (c.code == '\n')
        buf_add(out, STR("\\n"));
    else
        buf_printf(out, "\\u%04x", (unsigned)c.code);
}

/* What stands between quotes, in either form. */
static void put_quoted(struct buf *out, struct str s, enum log_form form)
{
    for (;;) {
        size_t n = span(s, QUOTE);
        buf_add(out, str_head(s, n));
        s = str_skip(s, n);
        if (!s.n)
            return;
        struct character c = character_of(s);
        if (form == LOG_JSON)
            json_escape(out, c);
        else
            kv_escape(out, str_head(s, c.n));
        s = str_skip(s, c.n);
    }
}

static void put_text(struct buf *out, struct str s, enum log_form form)
{
    bool quotes = form == LOG_JSON || !s.n || span(s, PLAIN) < s.n;

    if (quotes)
        buf_add_char(out, '"');
    put_quoted(out, s, form);
    if (quotes)
        buf_add_char(out, '"');
}

/* A list of key=value is one value: quotes stand around all of it. */
static bool list_wants_quotes(struct str list)
{
    size_t octets = 0, items = 0;
    struct str item;

    for (; log_list_next(&list, &item); items++, octets += item.n)
        if (span(item, PLAIN) < item.n)
            return true;
    return !octets && items < 2;
}

static void put_list(struct buf *out, struct str list, enum log_form form)
{
    const char *quote = form == LOG_KV && list_wants_quotes(list) ? "\"" : "";
    struct str item;

    buf_add_c(out, form == LOG_JSON ? "[" : quote);
    for (bool first = true; log_list_next(&list, &item); first = false) {
        if (!first)
            buf_add_char(out, ',');
        if (form == LOG_JSON)
            put_text(out, item, form);
        else
            put_quoted(out, item, form);
    }
    buf_add_c(out, form == LOG_JSON ? "]" : quote);
}

/* ---- numbers ---- */

/* 0.0019, 6696.656, 0.0: no more digits than there are, one at least. */
static void put_seconds(struct buf *out, int64_t usec)
{
    uint64_t whole = usec < 0 ? -(uint64_t)usec : (uint64_t)usec;
    unsigned part = (unsigned)(whole % USEC_PER_SEC);
    int digits = USEC_DIGITS;

    for (; digits > 1 && part % 10 == 0; digits--)
        part /= 10;
    buf_printf(out, "%s%" PRIu64 ".%0*u", usec < 0 ? "-" : "", whole / USEC_PER_SEC, digits, part);
}

static void put_time(struct buf *out, int64_t msec, enum log_form form)
{
    const char *quote = form == LOG_JSON ? "\"" : "";

    buf_printf(out, "%s%s%s", quote, utc_text_seconds(msec).c, quote);
}

static void put_flag(struct buf *out, bool on, enum log_form form)
{
    if (form == LOG_JSON)
        buf_add_c(out, on ? "true" : "false");
    else
        buf_add_c(out, on ? "yes" : "no");
}

static void put_value(struct buf *out, const struct log_value *v, enum log_form form)
{
    switch (v->kind) {
    case LOG_KIND_TEXT:
        put_text(out, v->octets, form);
        break;
    case LOG_KIND_LIST:
        put_list(out, v->octets, form);
        break;
    case LOG_KIND_NUMBER:
        buf_printf(out, "%" PRId64, v->number);
        break;
    case LOG_KIND_SECONDS:
        put_seconds(out, v->number);
        break;
    case LOG_KIND_TIME:
        put_time(out, v->number, form);
        break;
    case LOG_KIND_FLAG:
        put_flag(out, v->number != 0, form);
        break;
    }
}

/* ---- lines ---- */

static void put_name(struct buf *out, const char *name, enum log_form form, bool first)
{
    if (form == LOG_JSON)
        buf_printf(out, "%s\"%s\":", first ? "" : ",", name);
    else
        buf_printf(out, "%s%s=", first ? "" : " ", name);
}

static void put_front(struct buf *out, const struct log_view *v, enum log_form form, bool plain)
{
    const char *quote = form == LOG_JSON ? "\"" : "";
    bool first = true;

    if (!plain && v->wall_msec) {
        put_name(out, "time", form, true);
        buf_printf(out, "%s%s%s", quote, utc_text_msec(v->wall_msec).c, quote);
        first = false;
    }
    if (!plain) {
        put_name(out, "level", form, first);
        buf_printf(out, "%s%s%s", quote, log_level_name(v->level), quote);
        first = false;
    }
    put_name(out, "event", form, first);
    buf_printf(out, "%s%s%s", quote, log_event_name(v->event), quote);
}

/* OUT as it was when anything since WAS failed. */
static bool settle(struct buf *out, size_t was)
{
    if (!out->failed)
        return true;
    out->n = was;
    out->failed = false;
    return false;
}

bool log_render(struct str record, enum log_form form, bool plain, struct buf *out)
{
    size_t was = out->n;
    struct log_view v;
    struct log_value value;

    if (out->failed || !log_view_open(record, &v))
        return false;
    if (form == LOG_JSON)
        buf_add_char(out, '{');
    put_front(out, &v, form, plain);
    while (log_view_next(&v, &value)) {
        put_name(out, log_field_name(value.field), form, false);
        put_value(out, &value, form);
    }
    if (form == LOG_JSON)
        buf_add_char(out, '}');
    return settle(out, was);
}

/* ---- the journal ---- */

unsigned log_severity(enum log_level level)
{
    static const unsigned char severities[] = { 3, 4, 6, 7 };

    BUG_ON(level > LOG_LEVEL_DEBUG);
    return severities[level];
}

static void put_journal_name(struct buf *out, const char *name)
{
    buf_add(out, STR("VEREDUS_"));
    for (; *name; name++)
        buf_add_char(out, ascii_upper(*name));
}

/* A value with a line end in it goes behind its length, as octets; others as NAME=value. */
static void put_journal_field(struct buf *out, const char *name, struct str value)
{
    char length[sizeof(uint64_t)];

    put_journal_name(out, name);
    if (str_has(value, '\n')) {
        le64_put(length, value.n);
        buf_add_char(out, '\n');
        buf_add(out, str_of(length, sizeof(length)));
    } else {
        buf_add_char(out, '=');
    }
    buf_add(out, value);
    buf_add_char(out, '\n');
}

static void put_journal_value(struct buf *out, const struct log_value *v)
{
    const char *name = log_field_name(v->field);
    struct str list = v->octets, item;

    switch (v->kind) {
    case LOG_KIND_TEXT:
        put_journal_field(out, name, v->octets);
        break;
    case LOG_KIND_LIST:
        while (log_list_next(&list, &item))
            put_journal_field(out, name, item);
        break;
    default:
        put_journal_name(out, name);
        buf_add_char(out, '=');
        put_value(out, v, LOG_KV);
        buf_add_char(out, '\n');
    }
}

bool log_render_journal(struct str record, enum log_form form, struct buf *out)
{
    size_t was = out->n;
    struct log_view v;
    struct log_value value;

    if (out->failed || !log_view_open(record, &v))
        return false;
    buf_printf(out, "SYSLOG_IDENTIFIER=veredus\nPRIORITY=%u\nMESSAGE=", log_severity(v.level));
    if (!log_render(record, form, true, out))
        out->failed = true;
    buf_add_char(out, '\n');
    put_journal_field(out, "event", str_from_c(log_event_name(v.event)));
    while (log_view_next(&v, &value))
        put_journal_value(out, &value);
    return settle(out, was);
}
