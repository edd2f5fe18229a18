/* history/history.c -- segments: begun, written once a turn, given an index, removed. */
#include "history/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "history/names.h"

/* What is left to the mail: so many segments' size must be free before one is begun. */
enum { SPACE_LEFT_FACTOR = 4, NUMBERS_TRIED = 64 };

static struct str const events_end = STR_INIT(".events"), index_end = STR_INIT(".index");

/* ---- names of files ---- */

struct history_name history_name_of(uint64_t number, bool index)
{
    struct history_name name;

    snprintf(name.c, sizeof(name.c), "%016" PRIx64 "%s", number, index ? index_end.p : events_end.p);
    return name;
}

static bool number_of(const char *name, uint64_t *number)
{
    struct str s = str_from_c(name);
    uint64_t n = 0;

    if (!str_ends(s, events_end) || s.n != HISTORY_NAME_DIGITS + events_end.n)
        return false;
    for (size_t i = 0; i < HISTORY_NAME_DIGITS; i++) {
        char c = s.p[i];
        if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
            return false;
        n = n << 4 | (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *number = n;
    return n > 0;
}

/* ---- segments ---- */

static uint64_t segment_size(const struct history *h)
{
    uint64_t size = h->limits.octets / HISTORY_SHARES;

    if (size > HISTORY_SEGMENT_MAX)
        return HISTORY_SEGMENT_MAX;
    return size < HISTORY_SEGMENT_MIN ? HISTORY_SEGMENT_MIN : size;
}

static bool segments_add(struct history *h, const struct history_segment *s)
{
    if (h->n == h->room) {
        size_t room = h->room ? h->room * 2 : 64;
        struct history_segment *grown = realloc(h->segments, room * sizeof(*grown));
        if (!grown)
            return false;
        h->segments = grown;
        h->room = room;
    }
    h->segments[h->n++] = *s;
    h->figures.octets += s->octets;
    return true;
}

/* What cannot be removed now is found again by the next start. */
static void remove_oldest(struct history *h)
{
    uint64_t number = h->segments[0].number;

    h->disk->ops->remove(h->disk, history_name_of(number, true).c);
    h->disk->ops->remove(h->disk, history_name_of(number, false).c);
    h->figures.octets -= h->segments[0].octets;
    memmove(&h->segments[0], &h->segments[1], --h->n * sizeof(h->segments[0]));
}

/* Room for MORE octets; the open segment stays. */
static void make_room(struct history *h, uint64_t more, int64_t utc_msec)
{
    size_t open = h->fd >= 0;

    while (h->n > open && (h->figures.octets + more > h->limits.octets || h->n >= HISTORY_SEGMENTS_MAX ||
                           utc_msec - h->segments[0].utc_msec > h->limits.keep_msec))
        remove_oldest(h);
}

/* An index is a help: without it the segment is read from end to end. */
static uint64_t write_index(struct history *h, uint64_t number)
{
    struct history_name name = history_name_of(number, true);
    struct buf out = BUF_INIT(HISTORY_SEGMENT_MAX * 2);
    int fd = -1;
    uint64_t size = 0;

    if (history_index_write(&h->index, number, &out) && !h->disk->ops->make(h->disk, name.c, &fd)) {
        bool whole = !history_disk_write(h->disk, fd, out.p, out.n, 0);
        h->disk->ops->close(h->disk, fd);
        if (whole)
            size = out.n;
        else
            h->disk->ops->remove(h->disk, name.c);
    }
    buf_done(&out);
    return size;
}

static void segment_end(struct history *h)
{
    struct history_segment *last = &h->segments[h->n - 1];
    uint64_t size = write_index(h, last->number);

    last->octets += size;
    h->figures.octets += size;
    h->disk->ops->close(h->disk, h->fd);
    h->fd = -1;
    history_index_clear(&h->index);
}

/* Another server that was given the same folder may have taken the number. */
static int next_file(struct history *h, struct history_name *name, int *fd)
{
    int sys = EEXIST;

    for (unsigned i = 0; sys == EEXIST && i < NUMBERS_TRIED; i++) {
        h->next_number += i > 0;
        *name = history_name_of(h->next_number, false);
        sys = h->disk->ops->make(h->disk, name->c, fd);
    }
    return sys;
}

static int segment_make(struct history *h, int64_t utc_msec)
{
    struct buf head = BUF_INIT(HISTORY_HEAD_MAX);
    struct history_name name;
    uint64_t octets_free = 0;
    int fd = -1, sys = h->disk->ops->room(h->disk, &octets_free);

    if (!sys && octets_free < SPACE_LEFT_FACTOR * segment_size(h))
        sys = ENOSPC;
    if (!sys)
        sys = next_file(h, &name, &fd);
    if (!sys && !history_head_write(&head, h->next_number, utc_msec))
        sys = ENOMEM;
    if (!sys)
        sys = history_disk_write(h->disk, fd, head.p, head.n, 0);
    if (!sys && !segments_add(h, &(struct history_segment){ h->next_number, head.n, utc_msec }))
        sys = ENOMEM;
    if (sys && fd >= 0) {
        h->disk->ops->close(h->disk, fd);
        h->disk->ops->remove(h->disk, name.c);
    } else if (!sys) {
        h->fd = fd;
        h->begun_at = head.n;
        h->begun_msec = utc_msec;
        h->next_number++;
    }
    buf_done(&head);
    return sys;
}

/* ---- writing ---- */

static void block_seal(struct history *h)
{
    if (h->in_block)
        history_block_seal(h->pending.p + h->block, h->pending.n - h->block, h->segments[h->n - 1].number,
                           h->begun_at + h->block);
    h->in_block = false;
}

static void pending_drop(struct history *h)
{
    h->figures.dropped += h->pending_records;
    h->pending_records = 0;
    h->in_block = false;
    buf_clear(&h->pending);
    history_index_cut(&h->index, (uint32_t)h->begun_at);
}

/* The segment that is open is left as it was, and never written again. */
static void stop(struct history *h)
{
    pending_drop(h);
    h->stopped = true;
    if (h->fd < 0)
        return;
    (void)h->disk->ops->cut(h->disk, h->fd, h->begun_at);
    segment_end(h);
}

static void on_key(void *ctx, uint32_t hash)
{
    struct history *h = ctx;

    history_index_add(&h->index, hash, (uint32_t)(h->begun_at + h->block));
}

static bool record_put(struct history *h, struct str record)
{
    size_t was = h->pending.n, need = HISTORY_RECORD_HEAD + record.n;
    char head[HISTORY_BLOCK_HEAD] = { 0 };

    if (h->in_block && h->pending.n - h->block - HISTORY_BLOCK_HEAD + need > HISTORY_BLOCK_MAX)
        block_seal(h);
    bool begins = !h->in_block;
    if (begins)
        buf_add(&h->pending, str_of(head, HISTORY_BLOCK_HEAD));
    le16_put(head, (uint16_t)record.n);
    buf_add(&h->pending, str_of(head, HISTORY_RECORD_HEAD));
    buf_add(&h->pending, record);
    if (h->pending.failed) {
        h->pending.n = was;
        h->pending.failed = false;
        return false;
    }
    if (begins) {
        h->block = was;
        h->in_block = true;
    }
    return true;
}

/* The first record of a segment begins it. */
static bool ready(struct history *h, struct str record)
{
    int64_t utc_msec = (int64_t)le64_get(record.p + 2);

    if (h->stopped || h->fd >= 0)
        return !h->stopped;
    make_room(h, segment_size(h), utc_msec);
    h->failure = segment_make(h, utc_msec);
    if (h->failure)
        stop(h);
    return !h->stopped;
}

void history_add(struct history *h, struct str record)
{
    BUG_ON(record.n < LOG_RECORD_HEAD || record.n > LOG_RECORD_MAX);
    if (!ready(h, record) || !record_put(h, record)) {
        h->figures.dropped++;
        return;
    }
    h->pending_records++;
    history_keys_of(record, on_key, h);
}

bool history_is_due(const struct history *h)
{
    return h->pending.n >= HISTORY_WRITE || (h->pending.n && h->begun_at + h->pending.n >= segment_size(h));
}

static int write_pending(struct history *h, int64_t utc_msec)
{
    struct history_segment *last = &h->segments[h->n - 1];

    block_seal(h);
    int sys = history_disk_write(h->disk, h->fd, h->pending.p, h->pending.n, h->begun_at);
    if (sys)
        return sys;
    last->octets += h->pending.n;
    last->utc_msec = utc_msec;
    h->figures.octets += h->pending.n;
    h->figures.records += h->pending_records;
    h->begun_at += h->pending.n;
    h->pending_records = 0;
    buf_clear(&h->pending);
    return 0;
}

/* By size; by time, so that what is too old does not stay for the sake of what is not; or its index is full. */
static bool is_full(const struct history *h, int64_t utc_msec)
{
    return h->begun_at >= segment_size(h) || h->index.lacks ||
           utc_msec - h->begun_msec > h->limits.keep_msec / HISTORY_SHARES;
}

bool history_flush(struct history *h, int64_t utc_msec, struct err *err)
{
    if (!h->failure && h->pending.n)
        h->failure = write_pending(h, utc_msec);
    if (h->failure) {
        int sys = h->failure;
        h->failure = 0;
        stop(h);
        return err_sys(err, sys, "history");
    }
    if (h->fd >= 0 && is_full(h, utc_msec))
        segment_end(h);
    return true;
}

bool history_again(struct history *h, int64_t utc_msec)
{
    if (!h->stopped)
        return true;
    make_room(h, segment_size(h), utc_msec);
    h->stopped = segment_make(h, utc_msec) != 0;
    return !h->stopped;
}

void history_tidy(struct history *h, int64_t utc_msec)
{
    if (h->fd >= 0 && !h->pending.n && is_full(h, utc_msec))
        segment_end(h);
    make_room(h, 0, utc_msec);
}

void history_limit(struct history *h, const struct history_limits *limits, int64_t utc_msec)
{
    h->limits = *limits;
    history_tidy(h, utc_msec);
}

/* ---- life ---- */

static void on_name(void *ctx, const char *name)
{
    struct history *h = ctx;
    struct history_segment s = { 0 };
    struct history_file file, index = { 0 };

    if (!number_of(name, &s.number) || h->disk->ops->look(h->disk, name, &file))
        return;
    h->disk->ops->look(h->disk, history_name_of(s.number, true).c, &index);
    s.octets = file.octets + index.octets;
    s.utc_msec = file.utc_msec;
    if (!segments_add(h, &s))
        h->failure = ENOMEM;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct history_segment *)a)->number, y = ((const struct history_segment *)b)->number;

    return x < y ? -1 : x > y;
}

bool history_open(struct history *h, struct history_disk *disk, const struct history_limits *limits,
                  int64_t utc_msec, struct err *err)
{
    int sys;

    *h = (struct history){
        .disk = disk,
        .limits = *limits,
        .next_number = 1,
        .fd = -1,
        .pending = BUF_INIT(HISTORY_PENDING_MAX),
    };
    sys = disk->ops->list(disk, on_name, h);
    if (!sys)
        sys = h->failure;
    h->failure = 0;
    if (sys) {
        history_close(h);
        return err_sys(err, sys, "history");
    }
    if (h->n) {
        qsort(h->segments, h->n, sizeof(h->segments[0]), by_number);
        h->next_number = h->segments[h->n - 1].number + 1;
    }
    history_tidy(h, utc_msec);
    return true;
}

void history_close(struct history *h)
{
    if (h->fd >= 0 && h->pending.n && write_pending(h, h->segments[h->n - 1].utc_msec))
        stop(h);
    if (h->fd >= 0)
        segment_end(h);
    buf_done(&h->pending);
    history_index_done(&h->index);
    free(h->segments);
    *h = (struct history){ .fd = -1 };
}
