/* history/query.c -- from the oldest segment to the newest: by its index, or from end to end. */
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "history/history.h"
#include "history/names.h"

enum {
    BLOCK_ROOM = HISTORY_BLOCK_HEAD + HISTORY_BLOCK_MAX,
    PROBE_OCTETS = 16 * 1024, /* what looking into a segment counts as */
};

bool history_query_begin(struct history_query *q, struct history *h, enum history_kind kind, struct str text)
{
    bool cut;
    struct str kept = log_value_cut(text, LOG_VALUE_MAX, &cut);

    *q = (struct history_query){ .history = h, .disk = h->disk, .fd = -1, .room = malloc(BLOCK_ROOM) };
    if (kept.n)
        memcpy(q->text, kept.p, kept.n);
    q->key = history_key_of(kind, str_of(q->text, kept.n));
    return q->room != NULL;
}

void history_query_end(struct history_query *q)
{
    if (q->disk && q->fd >= 0)
        q->disk->ops->close(q->disk, q->fd);
    history_places_done(&q->places);
    free(q->room);
    *q = (struct history_query){ .fd = -1 };
}

/* ---- a segment ---- */

/* The next one that is there still; NULL: there is no more. */
static const struct history_segment *segment_next(const struct history_query *q)
{
    const struct history *h = q->history;
    size_t a = 0, b = h->n;

    while (a < b) {
        size_t middle = a + (b - a) / 2;
        if (h->segments[middle].number < q->number)
            a = middle + 1;
        else
            b = middle;
    }
    return a < h->n ? &h->segments[a] : NULL;
}

static bool read_index(struct history_query *q)
{
    struct history_disk *disk = q->disk;
    int fd = -1;
    bool ok = !disk->ops->open(disk, history_name_of(q->number, true).c, &fd) &&
              history_index_read(disk, fd, q->number, q->key.hash, &q->places);

    if (fd >= 0)
        disk->ops->close(disk, fd);
    return ok;
}

/* Its names, and where its blocks begin. */
static bool read_head(struct history_query *q)
{
    struct history_disk *disk = q->disk;
    size_t done, n;

    if (history_disk_read(disk, q->fd, q->room, HISTORY_HEAD_MAX, 0, &done))
        return false;
    n = history_head_size(str_of(q->room, done));
    q->at = n;
    return n && n <= done && history_head_read(str_of(q->room, n), q->number, &q->names);
}

static void segment_leave(struct history_query *q)
{
    if (q->fd >= 0)
        q->disk->ops->close(q->disk, q->fd);
    q->fd = -1;
    q->places.n = q->place = 0;
    q->number++;
}

/* Finds out where to read; what has nothing of the key is not even opened. */
static void segment_enter(struct history_query *q, const struct history_segment *s)
{
    const struct history *h = q->history;
    bool open = h->fd >= 0 && s == &h->segments[h->n - 1];

    q->number = s->number;
    q->scans = open ? !history_index_find(&h->index, q->key.hash, &q->places) : !read_index(q);
    /* What is pending is found by a search that begins after it was written. */
    q->end = open ? h->begun_at : UINT64_MAX;
    if (!q->scans && !q->places.n) {
        q->number++;
        return;
    }
    if (q->disk->ops->open(q->disk, history_name_of(q->number, false).c, &q->fd) || !read_head(q)) {
        q->damaged = true;
        segment_leave(q);
    }
}

/* ---- blocks ---- */

static void block_look(struct history_query *q, struct str records, int64_t oldest_msec,
                       void (*found)(void *ctx, struct str record), void *ctx)
{
    struct log_record here;
    struct str record;

    while (history_record_next(&records, &record)) {
        if (!q->names.same) {
            if (!history_record_here(record, &q->names, &here))
                continue;
            record = log_octets(&here);
        }
        if (record.n >= LOG_RECORD_HEAD && (int64_t)le64_get(record.p + 2) >= oldest_msec &&
            history_key_matches(&q->key, record))
            found(ctx, record);
    }
}

/* The next block of the segment in hand, *size octets of the file; false: there is no more. */
static bool block_next(struct history_query *q, struct str *records, size_t *size)
{
    struct history_disk *disk = q->disk;
    uint64_t at;
    size_t done;

    *records = STR_NONE;
    *size = 0;
    if (q->scans ? q->at >= q->end : q->place == q->places.n)
        return false;
    at = q->scans ? q->at : q->places.at[q->place++];
    if (at >= q->end)
        return false;
    if (history_disk_read(disk, q->fd, q->room, BLOCK_ROOM, at, &done)) {
        q->damaged = true;
        return false;
    }
    switch (history_block_read(str_of(q->room, done), q->number, at, records, size)) {
    case HISTORY_BLOCK_GOOD:
        break;
    case HISTORY_BLOCK_BAD:
        q->damaged = true;
        break;
    case HISTORY_BLOCK_END:
        q->damaged = q->damaged || done;
        /* By an index the others are found all the same. */
        return !q->scans;
    }
    q->at = at + *size;
    return true;
}

bool history_query_step(struct history_query *q, size_t octets, int64_t utc_msec,
                        void (*found)(void *ctx, struct str record), void *ctx)
{
    const struct history_segment *s;
    struct str records;
    size_t size, cost;

    for (size_t used = 0; used < octets; used += cost) {
        cost = PROBE_OCTETS;
        if (q->fd >= 0) {
            if (!block_next(q, &records, &size)) {
                segment_leave(q);
                continue;
            }
            block_look(q, records, utc_msec - q->history->limits.keep_msec, found, ctx);
            cost += size;
        } else if ((s = segment_next(q))) {
            segment_enter(q, s);
        } else {
            return false;
        }
    }
    return true;
}
