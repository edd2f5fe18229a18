/* control/repeat.c -- a few warnings at a time, each with the second it is in. */
#include "control/repeat.h"

/* Fields that tell one occurrence of a warning from another: its session, and what a peer chose. */
static bool tells_apart(enum log_field f)
{
    return f == LOG_SESSION || (f >= LOG_FROM && f != LOG_ERROR);
}

/* False: a record that is never counted away. */
static bool hash_of(struct str record, uint64_t *hash)
{
    struct log_view view;
    struct log_value v;

    if (!log_view_open(record, &view) || view.level > LOG_LEVEL_WARNING)
        return false;
    *hash = str_hash(str_head(record, 2), 0);
    while (log_view_next(&view, &v)) {
        if (v.field == LOG_ID)
            return false;
        if ((v.kind == LOG_KIND_TEXT || v.kind == LOG_KIND_LIST) && !tells_apart(v.field))
            *hash = str_hash(v.octets, *hash + v.field);
    }
    return true;
}

static bool is_over(const struct repeat_slot *s, int64_t now_msec)
{
    return now_msec < s->began_msec || now_msec - s->began_msec >= REPEAT_WINDOW_MSEC;
}

/* The slot of HASH, else one that is free; NULL when all count. */
static struct repeat_slot *slot_of(struct repeat *r, uint64_t hash, int64_t now_msec)
{
    struct repeat_slot *spare = NULL;

    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        struct repeat_slot *s = &r->slots[i];
        if (s->used && s->hash == hash)
            return s;
        if (!s->used || (is_over(s, now_msec) && !s->counted))
            spare = spare ? spare : s;
    }
    if (spare)
        *spare = (struct repeat_slot){ .used = true, .hash = hash, .began_msec = now_msec, .last = spare->last };
    return spare;
}

static void count(struct repeat *r, struct repeat_slot *s, struct str record)
{
    s->last.max = LOG_RECORD_MAX;
    buf_clear(&s->last);
    buf_add(&s->last, record);
    if (s->counted++ == 0)
        r->counting++;
}

bool repeat_pass(struct repeat *r, struct str record, int64_t now_msec)
{
    struct repeat_slot *s;
    uint64_t hash;

    if (!hash_of(record, &hash))
        return true;
    s = slot_of(r, hash, now_msec);
    if (!s)
        return true;
    if (is_over(s, now_msec) && !s->counted) {
        s->began_msec = now_msec;
        s->seen = 0;
    }
    if (++s->seen <= REPEAT_BOUND)
        return true;
    count(r, s, record);
    return false;
}

/* RECORD again, with repeated= in front of what a peer chose, which stays last. */
static bool add_count(struct log_record *sum, struct str record, uint64_t counted)
{
    struct log_view view;
    struct log_value v;
    bool said = false;

    if (!log_view_open(record, &view))
        return false;
    log_begin(sum, view.event, view.level, view.wall_msec);
    while (log_view_next(&view, &v)) {
        if (v.field >= LOG_FROM && !said) {
            log_number(sum, LOG_REPEATED, (int64_t)counted);
            said = true;
        }
        log_again(sum, &v);
    }
    if (!said)
        log_number(sum, LOG_REPEATED, (int64_t)counted);
    return true;
}

bool repeat_take(struct repeat *r, int64_t now_msec, struct log_record *sum)
{
    for (size_t i = 0; r->counting && i < REPEAT_SLOTS; i++) {
        struct repeat_slot *s = &r->slots[i];
        if (!s->counted || !is_over(s, now_msec))
            continue;
        /* Without memory for a copy there is nothing to say it with. */
        bool kept = add_count(sum, buf_str(&s->last), s->counted);
        buf_done(&s->last);
        s->used = false;
        s->counted = 0;
        r->counting--;
        if (kept)
            return true;
    }
    return false;
}

void repeat_done(struct repeat *r)
{
    for (size_t i = 0; i < REPEAT_SLOTS; i++)
        buf_done(&r->slots[i].last);
    *r = (struct repeat){ 0 };
}
