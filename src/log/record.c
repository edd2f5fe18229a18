/* log/record.c -- fields behind one another, each with its key, kind and length. */
#include "log/record.h"

#include <string.h>

#include "core/check.h"
#include "core/ip.h"
#include "core/num.h"

enum { FIELD_HEAD = 4, ITEM_HEAD = 2, BACK_MAX = 3 };

/* What stands for the part of a value that was cut off. */
static const struct str ellipsis = STR_INIT("\xe2\x80\xa6");

static const char *const event_names[LOG_EVENTS] = {
#define LOG_EVENT(NAME, name, level) #name,
#include "log/events.def"
#undef LOG_EVENT
};

static const enum log_level event_levels[LOG_EVENTS] = {
#define LOG_EVENT(NAME, name, level) LOG_LEVEL_##level,
#include "log/events.def"
#undef LOG_EVENT
};

static const char *const field_names[LOG_FIELDS] = {
#define LOG_FIELD(NAME, name) #name,
#include "log/fields.def"
#undef LOG_FIELD
};

static const char *const reason_texts[LOG_REASONS] = {
#define LOG_REASON(NAME, text) text,
#include "log/reasons.def"
#undef LOG_REASON
};

static const char *const level_names[] = { "error", "warning", "info", "debug" };

const char *log_event_name(enum log_event e)
{
    BUG_ON(e >= LOG_EVENTS);
    return event_names[e];
}

enum log_level log_event_level(enum log_event e)
{
    BUG_ON(e >= LOG_EVENTS);
    return event_levels[e];
}

const char *log_field_name(enum log_field f)
{
    BUG_ON(f >= LOG_FIELDS);
    return field_names[f];
}

const char *log_reason_text(enum log_reason r)
{
    BUG_ON(r >= LOG_REASONS);
    return reason_texts[r];
}

enum log_reason log_reason_named(struct str name)
{
    for (unsigned i = 1; name.n && i < LOG_REASONS; i++)
        if (str_eq(name, str_from_c(log_reason_text((enum log_reason)i))))
            return (enum log_reason)i;
    return LOG_REASON_NONE;
}

const char *log_level_name(enum log_level l)
{
    BUG_ON(l > LOG_LEVEL_DEBUG);
    return level_names[l];
}

/* ---- writing ---- */

/* Room for a field with N octets, or NULL: then the record is full, and the field is dropped whole. */
static char *field_room(struct log_record *r, enum log_field f, enum log_kind kind, size_t n)
{
    char *at = r->octets + r->n;

    BUG_ON(f >= LOG_FIELDS);
    if (n > UINT16_MAX || n + FIELD_HEAD > sizeof(r->octets) - r->n)
        return NULL;
    at[0] = (char)f;
    at[1] = (char)kind;
    le16_put(at + 2, (uint16_t)n);
    r->n += FIELD_HEAD + n;
    return at + FIELD_HEAD;
}

static void field_number(struct log_record *r, enum log_field f, enum log_kind kind, int64_t value)
{
    char *at = field_room(r, f, kind, sizeof(uint64_t));

    if (at)
        le64_put(at, (uint64_t)value);
}

struct str log_value_cut(struct str value, size_t max, bool *cut)
{
    size_t n = max < ellipsis.n ? 0 : max - ellipsis.n;

    *cut = value.n > max;
    if (!*cut)
        return value;
    /* Not inside a character: back to its first octet, unless the value is no UTF-8 anyway. */
    for (size_t back = 0; back <= BACK_MAX && back <= n; back++)
        if (((unsigned char)value.p[n - back] & 0xc0) != 0x80)
            return str_head(value, n - back);
    return str_head(value, n);
}

static char *put_text(char *at, struct str value, bool cut)
{
    if (value.n)
        memcpy(at, value.p, value.n);
    at += value.n;
    if (cut)
        at = (char *)memcpy(at, ellipsis.p, ellipsis.n) + ellipsis.n;
    return at;
}

void log_begin(struct log_record *r, enum log_event event, enum log_level level, int64_t wall_msec)
{
    BUG_ON(event >= LOG_EVENTS || level > LOG_LEVEL_DEBUG);
    r->octets[0] = (char)event;
    r->octets[1] = (char)level;
    le64_put(r->octets + 2, (uint64_t)wall_msec);
    r->n = LOG_RECORD_HEAD;
}

void log_text(struct log_record *r, enum log_field f, struct str value)
{
    bool cut;
    struct str kept = log_value_cut(value, LOG_VALUE_MAX, &cut);
    char *at = field_room(r, f, LOG_KIND_TEXT, kept.n + (cut ? ellipsis.n : 0));

    if (at)
        put_text(at, kept, cut);
}

void log_text_c(struct log_record *r, enum log_field f, const char *value)
{
    log_text(r, f, str_from_c(value));
}

void log_number(struct log_record *r, enum log_field f, int64_t value)
{
    field_number(r, f, LOG_KIND_NUMBER, value);
}

void log_seconds(struct log_record *r, enum log_field f, int64_t usec)
{
    field_number(r, f, LOG_KIND_SECONDS, usec);
}

void log_time(struct log_record *r, enum log_field f, int64_t wall_msec)
{
    field_number(r, f, LOG_KIND_TIME, wall_msec);
}

void log_flag(struct log_record *r, enum log_field f, bool value)
{
    char *at = field_room(r, f, LOG_KIND_FLAG, 1);

    if (at)
        at[0] = value;
}

/* Texts and the commas between them have the bound of one value; the text that passes it is cut and is the last. */
void log_list(struct log_record *r, enum log_field f, const struct str *values, size_t n)
{
    char octets[LOG_VALUE_MAX * (1 + ITEM_HEAD)];
    char *at = octets;
    size_t left = LOG_VALUE_MAX - ellipsis.n;
    bool cut = false;

    for (size_t i = 0; i < n && !cut; i++) {
        struct str kept = log_value_cut(values[i], left, &cut);
        if (!left)
            cut = true;
        le16_put(at, (uint16_t)(kept.n + (cut ? ellipsis.n : 0)));
        at = put_text(at + ITEM_HEAD, kept, cut);
        left -= size_min(left, kept.n + 1);
    }
    size_t size = (size_t)(at - octets);
    char *room = field_room(r, f, LOG_KIND_LIST, size);
    if (room && size)
        memcpy(room, octets, size);
}

void log_id(struct log_record *r, struct queue_id id)
{
    struct queue_id_text t = queue_id_text(id);

    log_text(r, LOG_ID, str_of(t.c, QUEUE_ID_CHARS));
}

void log_session(struct log_record *r, struct session_id id)
{
    struct session_id_text t = session_id_text(id);

    log_text(r, LOG_SESSION, str_of(t.c, SESSION_ID_CHARS));
}

void log_address(struct log_record *r, enum log_field f, struct str addr)
{
    struct ip ip = { .family = IP_V6 };

    if (!addr.n) {
        log_text(r, f, STR("unix"));
        return;
    }
    BUG_ON(addr.n != sizeof(ip.octets));
    memcpy(ip.octets, addr.p, sizeof(ip.octets));
    ip = ip_unmap(ip);
    log_text_c(r, f, ip_text(&ip).c);
}

void log_reason(struct log_record *r, enum log_reason reason)
{
    if (reason != LOG_REASON_NONE)
        log_text_c(r, LOG_REASON, log_reason_text(reason));
}

/* ---- reading ---- */

bool log_view_open(struct str octets, struct log_view *v)
{
    if (octets.n < LOG_RECORD_HEAD || octets.n > LOG_RECORD_MAX)
        return false;
    unsigned char event = (unsigned char)octets.p[0], level = (unsigned char)octets.p[1];
    if (event >= LOG_EVENTS || level > LOG_LEVEL_DEBUG)
        return false;
    *v = (struct log_view){
        .event = event,
        .level = level,
        .wall_msec = (int64_t)le64_get(octets.p + 2),
        .rest = str_skip(octets, LOG_RECORD_HEAD),
    };
    return true;
}

bool log_list_next(struct str *list, struct str *item)
{
    if (list->n < ITEM_HEAD)
        return false;
    size_t n = le16_get(list->p);
    if (n > list->n - ITEM_HEAD)
        return false;
    *item = str_slice(*list, ITEM_HEAD, ITEM_HEAD + n);
    *list = str_skip(*list, ITEM_HEAD + n);
    return true;
}

static bool list_is_whole(struct str list)
{
    struct str item;

    while (log_list_next(&list, &item))
        ;
    return !list.n;
}

bool log_view_next(struct log_view *v, struct log_value *value)
{
    if (v->rest.n < FIELD_HEAD)
        return false;
    unsigned char field = (unsigned char)v->rest.p[0], kind = (unsigned char)v->rest.p[1];
    size_t n = le16_get(v->rest.p + 2);
    if (field >= LOG_FIELDS || kind > LOG_KIND_FLAG || n > v->rest.n - FIELD_HEAD)
        return false;

    struct log_value got = { .field = field, .kind = kind, .octets = str_slice(v->rest, FIELD_HEAD, FIELD_HEAD + n) };
    switch (got.kind) {
    case LOG_KIND_TEXT:
        break;
    case LOG_KIND_LIST:
        if (!list_is_whole(got.octets))
            return false;
        break;
    case LOG_KIND_NUMBER:
    case LOG_KIND_SECONDS:
    case LOG_KIND_TIME:
        if (n != sizeof(uint64_t))
            return false;
        got.number = (int64_t)le64_get(got.octets.p);
        break;
    case LOG_KIND_FLAG:
        if (n != 1)
            return false;
        got.number = got.octets.p[0] != 0;
        break;
    }
    v->rest = str_skip(v->rest, FIELD_HEAD + n);
    *value = got;
    return true;
}

bool log_view_find(struct str octets, enum log_field f, struct log_value *value)
{
    struct log_view v;
    struct log_value next;

    if (!log_view_open(octets, &v))
        return false;
    while (log_view_next(&v, &next)) {
        if (next.field == f) {
            *value = next;
            return true;
        }
    }
    return false;
}

void log_again(struct log_record *r, const struct log_value *value)
{
    char *at = field_room(r, value->field, value->kind, value->octets.n);

    if (at && value->octets.n)
        memcpy(at, value->octets.p, value->octets.n);
}
