/* log/record.h -- one event as fields; its octets between processes. Pure. */
#ifndef LOG_RECORD_H
#define LOG_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/id.h"
#include "core/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_event {
#define LOG_EVENT(NAME, name, level) LOG_EVENT_##NAME,
#include "log/events.def"
#undef LOG_EVENT
    LOG_EVENTS
};

enum log_field {
#define LOG_FIELD(NAME, name) LOG_##NAME,
#include "log/fields.def"
#undef LOG_FIELD
    LOG_FIELDS
};

enum log_reason {
#define LOG_REASON(NAME, text) LOG_REASON_##NAME,
#include "log/reasons.def"
#undef LOG_REASON
    LOG_REASONS
};

const char *log_event_name(enum log_event e);
enum log_level log_event_level(enum log_event e);
const char *log_field_name(enum log_field f);
const char *log_reason_text(enum log_reason r);
/* The reason of that name; LOG_REASON_NONE: it is none. */
enum log_reason log_reason_named(struct str name);
const char *log_level_name(enum log_level l);

/*
 * A record under construction, in the order in which fields are added: session and client, or id; then reason; then
 * what we know; what a peer chose last. Values are cut at 512 octets. A record that is full drops further fields.
 * The octets: u8 event, u8 level, i64 UTC msec, then fields { u8 key, u8 kind, u16 length, octets }.
 */
enum { LOG_VALUE_MAX = 512, LOG_RECORD_MAX = 8192, LOG_RECORD_HEAD = 10 };

enum log_kind {
    LOG_KIND_TEXT,    /* octets */
    LOG_KIND_LIST,    /* texts, each behind its length (u16) */
    LOG_KIND_NUMBER,  /* i64 */
    LOG_KIND_SECONDS, /* i64 microseconds, shown as seconds */
    LOG_KIND_TIME,    /* i64 UTC msec, shown to the second */
    LOG_KIND_FLAG,    /* u8 */
};

struct log_record {
    size_t n;
    char octets[LOG_RECORD_MAX];
};

/* A record for lists may be given another level, and 0 as its time. */
void log_begin(struct log_record *r, enum log_event event, enum log_level level, int64_t wall_msec);
void log_text(struct log_record *r, enum log_field f, struct str value);
void log_text_c(struct log_record *r, enum log_field f, const char *value);
void log_number(struct log_record *r, enum log_field f, int64_t value);
void log_seconds(struct log_record *r, enum log_field f, int64_t usec);
void log_time(struct log_record *r, enum log_field f, int64_t wall_msec);
void log_flag(struct log_record *r, enum log_field f, bool value);
void log_list(struct log_record *r, enum log_field f, const struct str *values, size_t n);
void log_id(struct log_record *r, struct queue_id id);
void log_session(struct log_record *r, struct session_id id);
/* Of an IPv6 address, IPv4 mapped; a unix socket (ADDR.n == 0) is "unix". */
void log_address(struct log_record *r, enum log_field f, struct str addr);
void log_reason(struct log_record *r, enum log_reason reason);

static inline struct str log_octets(const struct log_record *r)
{
    return (struct str){ r->octets, r->n };
}

/* Reading a record that another process sent. False: not a record. */
struct log_view {
    enum log_event event;
    enum log_level level;
    int64_t wall_msec;
    struct str rest;
};
struct log_value {
    enum log_field field;
    enum log_kind kind;
    struct str octets; /* borrowed */
    int64_t number;    /* NUMBER, SECONDS, TIME, FLAG */
};
MUST_USE bool log_view_open(struct str octets, struct log_view *v);
/* The next field; false at the end, or when the rest is no field. */
bool log_view_next(struct log_view *v, struct log_value *value);
/* The first value of that field. */
bool log_view_find(struct str octets, enum log_field f, struct log_value *value);
/* Add VALUE of another record to R, as it is. */
void log_again(struct log_record *r, const struct log_value *value);
/* The next text of a LIST's octets; false at its end. */
bool log_list_next(struct str *list, struct str *item);

/* What is kept of VALUE in MAX octets: all, or, with *cut, whole characters and room for the "…" behind them. */
struct str log_value_cut(struct str value, size_t max, bool *cut);

#endif
