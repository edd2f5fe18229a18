/* log/render.c -- quoting, so that nothing a peer sends can look like another field (FACE 3.1). */
#include "log/render.h"

#include "core/num.h"
#include "core/utc.h"

enum { USEC_PER_SEC = 1000000, USEC_DIGITS = 6, NUMBER_MAX = 24 };

/* What a character means to a reader of lines, words and terminals. */
enum class {
    PLAIN,
    QUOTE,  /* stays as it is, but only inside quotes */
    ESCAPE, /* is written as an escape, inside quotes */
    WIDE,   /* of a first octet: the whole character says */
};

struct character {
    enum class is;
    size_t n;      /* octets */
    bool valid;    /* false: one octet that is not UTF-8 */
    uint32_t code; /* scalar value, or that octet */
};

/* By first octet: most of a log line is looked at here and nowhere else. */
static inline enum class class_of_first(unsigned char c)
{
    if (c >= 0x80)
        return WIDE;
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
    enum class is = class_of_first(first);

    if (is == WIDE)
        return wide_character(s);
    return (struct character){ .is = is, .n = 1, .valid = true, .code = first };
}

/* How many octets at the front of S are characters of class MOST or a lesser one. */
static size_t span(struct str s, enum class most)
{
    size_t n = 0;

    while (n < s.n) {
        enum class is = class_of_first((unsigned char)s.p[n]);
        struct character c = { .is = is, .n = 1 };
        if (is == WIDE)
            c = wide_character(str_skip(s, n));
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
    if (form == LOG_KV && s.n && span(s, PLAIN) == s.n) {
        buf_add(out, s);
        return;
    }
    buf_add_char(out, '"');
    put_quoted(out, s, form);
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

/* WIDTH digits at least. printf would cost more than all the rest of a line. */
static void put_digits(struct buf *out, uint64_t n, int width)
{
    char text[NUMBER_MAX], *at = text + sizeof(text);

    for (; n || width > 0; n /= 10, width--)
        *--at = (char)('0' + n % 10);
    buf_add(out, str_of(at, (size_t)(text + sizeof(text) - at)));
}

static uint64_t put_sign(struct buf *out, int64_t n)
{
    if (n >= 0)
        return (uint64_t)n;
    buf_add_char(out, '-');
    return -(uint64_t)n;
}

/* 0.0019, 6696.656, 0.0: no more digits than there are, one at least. */
static void put_seconds(struct buf *out, int64_t usec)
{
    uint64_t whole = put_sign(out, usec);
    unsigned part = (unsigned)(whole % USEC_PER_SEC);
    int digits = USEC_DIGITS;

    for (; digits > 1 && part % 10 == 0; digits--)
        part /= 10;
    put_digits(out, whole / USEC_PER_SEC, 1);
    buf_add_char(out, '.');
    put_digits(out, part, digits);
}

/* Of our own making: needs no quotes but JSON's. */
static void put_word(struct buf *out, const char *word, enum log_form form)
{
    if (form == LOG_JSON)
        buf_add_char(out, '"');
    buf_add_c(out, word);
    if (form == LOG_JSON)
        buf_add_char(out, '"');
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
        put_digits(out, put_sign(out, v->number), 1);
        break;
    case LOG_KIND_SECONDS:
        put_seconds(out, v->number);
        break;
    case LOG_KIND_TIME:
        put_word(out, utc_text_seconds(v->number).c, form);
        break;
    case LOG_KIND_FLAG:
        put_flag(out, v->number != 0, form);
        break;
    }
}

/* ---- lines ---- */

static void put_name(struct buf *out, const char *name, enum log_form form, bool first)
{
    if (!first)
        buf_add_char(out, form == LOG_JSON ? ',' : ' ');
    put_word(out, name, form);
    buf_add_char(out, form == LOG_JSON ? ':' : '=');
}

static void put_front(struct buf *out, const struct log_view *v, enum log_form form, bool plain)
{
    bool timed = !plain && v->wall_msec;

    if (timed) {
        put_name(out, "time", form, true);
        put_word(out, utc_text_msec(v->wall_msec).c, form);
    }
    if (!plain) {
        put_name(out, "level", form, !timed);
        put_word(out, log_level_name(v->level), form);
    }
    put_name(out, "event", form, plain);
    put_word(out, log_event_name(v->event), form);
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
