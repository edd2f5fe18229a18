/* history/form.c -- heads, blocks, and records of another version. */
#include "history/form.h"

#include <string.h>
#include <xxhash.h>

#include "core/num.h"

enum { MARK = 0x4b4c4256, SUM_AT = 16, NUMBER_AT = 24, TIME_AT = 32 };

static const struct str magic = STR_INIT("VHISTORY");

static uint64_t sum_of(struct str octets, uint64_t number, uint64_t at)
{
    return XXH3_64bits_withSeed(octets.p, octets.n, number * 0x9e3779b97f4a7c15ULL + at);
}

/* ---- names ---- */

static const char *event_name(unsigned i)
{
    return log_event_name((enum log_event)i);
}

static const char *field_name(unsigned i)
{
    return log_field_name((enum log_field)i);
}

static void put_names(struct buf *out, unsigned n, const char *(*name_of)(unsigned))
{
    char count[2];

    le16_put(count, (uint16_t)n);
    buf_add(out, str_of(count, sizeof(count)));
    for (unsigned i = 0; i < n; i++) {
        struct str name = str_from_c(name_of(i));
        buf_add_char(out, (char)name.n);
        buf_add(out, name);
    }
}

static unsigned find_name(struct str name, unsigned n, const char *(*name_of)(unsigned))
{
    unsigned i = 0;

    while (i < n && !str_eq(name, str_from_c(name_of(i))))
        i++;
    return i;
}

/* Names are few and segments of another version are rare: looked for one by one. */
static bool take_names(struct str *rest, uint8_t map[HISTORY_NAMES_MAX], unsigned n, const char *(*name_of)(unsigned),
                       bool *same)
{
    if (rest->n < 2)
        return false;
    unsigned there = le16_get(rest->p);
    *rest = str_skip(*rest, 2);
    if (there > HISTORY_NAMES_MAX)
        return false;
    memset(map, (int)n, HISTORY_NAMES_MAX);
    *same = *same && there == n;
    for (unsigned i = 0; i < there; i++) {
        size_t length = rest->n ? (unsigned char)rest->p[0] : 0;
        if (!rest->n || length > rest->n - 1)
            return false;
        struct str name = str_slice(*rest, 1, 1 + length);
        bool here = i < n && str_eq(name, str_from_c(name_of(i)));
        map[i] = (uint8_t)(here ? i : find_name(name, n, name_of));
        *same = *same && here;
        *rest = str_skip(*rest, 1 + length);
    }
    return true;
}

/* ---- the head ---- */

bool history_head_write(struct buf *out, uint64_t number, int64_t utc_msec)
{
    char fixed[HISTORY_HEAD_FIXED] = { 0 };
    size_t was = out->n;

    buf_add(out, str_of(fixed, sizeof(fixed)));
    put_names(out, LOG_EVENTS, event_name);
    put_names(out, LOG_FIELDS, field_name);
    if (out->failed)
        return false;
    char *at = out->p + was;
    size_t n = out->n - was;
    memcpy(at, magic.p, magic.n);
    le32_put(at + 8, HISTORY_FORM);
    le32_put(at + 12, (uint32_t)n);
    le64_put(at + NUMBER_AT, number);
    le64_put(at + TIME_AT, (uint64_t)utc_msec);
    le64_put(at + SUM_AT, sum_of(str_of(at + NUMBER_AT, n - NUMBER_AT), number, 0));
    return true;
}

size_t history_head_size(struct str octets)
{
    if (octets.n < HISTORY_HEAD_FIXED || !str_starts(octets, magic) || le32_get(octets.p + 8) != HISTORY_FORM)
        return 0;
    size_t n = le32_get(octets.p + 12);
    return n >= HISTORY_HEAD_FIXED && n <= HISTORY_HEAD_MAX ? n : 0;
}

bool history_head_read(struct str octets, uint64_t number, struct history_names *names)
{
    struct str rest = str_skip(octets, HISTORY_HEAD_FIXED);

    if (!octets.n || history_head_size(octets) != octets.n || le64_get(octets.p + NUMBER_AT) != number ||
        le64_get(octets.p + SUM_AT) != sum_of(str_skip(octets, NUMBER_AT), number, 0))
        return false;
    names->same = true;
    return take_names(&rest, names->events, LOG_EVENTS, event_name, &names->same) &&
           take_names(&rest, names->fields, LOG_FIELDS, field_name, &names->same) && !rest.n;
}

/* ---- blocks ---- */

void history_block_seal(char *octets, size_t n, uint64_t number, uint64_t at)
{
    le32_put(octets, MARK);
    le32_put(octets + 4, (uint32_t)(n - HISTORY_BLOCK_HEAD));
    le64_put(octets + 8, sum_of(str_of(octets + HISTORY_BLOCK_HEAD, n - HISTORY_BLOCK_HEAD), number, at));
}

enum history_block history_block_read(struct str octets, uint64_t number, uint64_t at, struct str *records,
                                      size_t *size)
{
    if (octets.n < HISTORY_BLOCK_HEAD || le32_get(octets.p) != MARK)
        return HISTORY_BLOCK_END;
    size_t n = le32_get(octets.p + 4);
    if (n > HISTORY_BLOCK_MAX || n > octets.n - HISTORY_BLOCK_HEAD)
        return HISTORY_BLOCK_END;
    struct str found = str_slice(octets, HISTORY_BLOCK_HEAD, HISTORY_BLOCK_HEAD + n);
    *size = HISTORY_BLOCK_HEAD + n;
    if (le64_get(octets.p + 8) != sum_of(found, number, at))
        return HISTORY_BLOCK_BAD;
    *records = found;
    return HISTORY_BLOCK_GOOD;
}

bool history_record_next(struct str *records, struct str *record)
{
    if (records->n < HISTORY_RECORD_HEAD)
        return false;
    size_t n = le16_get(records->p);
    if (n > records->n - HISTORY_RECORD_HEAD)
        return false;
    *record = str_slice(*records, HISTORY_RECORD_HEAD, HISTORY_RECORD_HEAD + n);
    *records = str_skip(*records, HISTORY_RECORD_HEAD + n);
    return true;
}

/*
 * The octets of a record with other numbers: event and fields are put in place, a field that is not known here is
 * left out. What log_view_next() would refuse ends the record here, as it does everywhere.
 */
bool history_record_here(struct str record, const struct history_names *names, struct log_record *out)
{
    enum { FIELD_HEAD = 4 };

    if (record.n < LOG_RECORD_HEAD || record.n > LOG_RECORD_MAX)
        return false;
    memcpy(out->octets, record.p, LOG_RECORD_HEAD);
    out->n = LOG_RECORD_HEAD;
    out->octets[0] = (char)names->events[(unsigned char)record.p[0]];
    if ((unsigned char)out->octets[0] >= LOG_EVENTS)
        return false;
    for (struct str rest = str_skip(record, LOG_RECORD_HEAD); rest.n >= FIELD_HEAD;) {
        size_t n = FIELD_HEAD + (size_t)le16_get(rest.p + 2);
        uint8_t field = names->fields[(unsigned char)rest.p[0]];
        if (n > rest.n)
            break;
        if (field < LOG_FIELDS) {
            memcpy(out->octets + out->n, rest.p, n);
            out->octets[out->n] = (char)field;
            out->n += n;
        }
        rest = str_skip(rest, n);
    }
    return true;
}
