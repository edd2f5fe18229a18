/* history/history.h -- the event history: what the log said, kept for a while where it is found again (FACE 1.9). */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include "history/disk.h"
#include "history/form.h"
#include "history/index.h"
#include "history/key.h"

/*
 * A folder of segments, NUMBER.events, each with its NUMBER.index once it is full. Nothing is synced: the history is
 * not the spool, and what a power loss or a kill takes of it is lost. A segment without an index (its writer died)
 * is read from end to end; one that is damaged costs what is in it. The oldest goes first, by time or by size.
 */
enum {
    HISTORY_SEGMENT_MIN = 64 * 1024,
    HISTORY_SEGMENT_MAX = 16 << 20,
    HISTORY_SEGMENTS_MAX = 4096,
    HISTORY_PENDING_MAX = 4 << 20, /* between two writes */
    HISTORY_WRITE = 256 * 1024,    /* what is worth a write at once */
    HISTORY_SHARES = 16,           /* segments of the size that is allowed, and at least half of them of the time */
};

struct history_limits {
    int64_t keep_msec;
    uint64_t octets;
};

struct history_segment {
    uint64_t number;
    uint64_t octets; /* with its index */
    int64_t utc_msec; /* of its last record */
};

struct history_figures {
    uint64_t octets;
    size_t segments;
    uint64_t records; /* taken in */
    uint64_t dropped; /* records that came while it could not be written, or were lost by that */
};

struct history {
    struct history_disk *disk;
    struct history_limits limits;
    struct history_segment *segments; /* oldest first; the open one is the last */
    size_t n, room;
    uint64_t next_number;
    int fd; /* of the open segment; -1: none */
    uint64_t begun_at; /* the segment's octets that are written */
    int64_t begun_msec;
    struct buf pending;     /* blocks that are not written yet */
    size_t block;           /* where in it the last block begins */
    bool in_block;
    uint64_t pending_records;
    struct history_index index;
    bool stopped; /* by an error: until history_again() */
    int failure;  /* that history_flush() has to tell of */
    struct history_figures figures;
};

/* DISK stays the caller's and lives longer. False: the folder cannot be read, or there is no memory. */
MUST_USE bool history_open(struct history *h, struct history_disk *disk, const struct history_limits *limits,
                           int64_t utc_msec, struct err *err);
/* Writes what is pending and the index of the segment, as far as that goes. */
void history_close(struct history *h);
void history_limit(struct history *h, const struct history_limits *limits, int64_t utc_msec);

/* Take RECORD in; it is written by history_flush(). While it is stopped, records are counted only. */
void history_add(struct history *h, struct str record);
/* Is there enough for a write, or for the end of the segment? Who flushes then keeps segments to their size. */
bool history_is_due(const struct history *h);
/*
 * One write of all that was added. False with ERR, once: it is stopped, and all that was not written is dropped.
 * True also when it was stopped before, or nothing was to be written.
 */
MUST_USE bool history_flush(struct history *h, int64_t utc_msec, struct err *err);
/* Can it be written again? False: it stays stopped. */
MUST_USE bool history_again(struct history *h, int64_t utc_msec);
/* Removes what is too old. */
void history_tidy(struct history *h, int64_t utc_msec);

/* ---- reading ---- */

/*
 * A search, step by step, from the oldest event to the newest; segments may come and go meanwhile. Steps need the
 * history open; the end needs only its disk.
 */
struct history_query {
    struct history *history;
    struct history_disk *disk;
    struct history_key key;
    char text[LOG_VALUE_MAX];
    uint64_t number; /* of the segment in hand, or of the next */
    int fd;          /* of the segment in hand; -1: none */
    bool scans;      /* it has no index that can be used */
    uint64_t at;     /* scans: the next block */
    uint64_t end;    /* scans: what was written when it was begun with */
    struct history_places places;
    size_t place;
    struct history_names names;
    char *room; /* of one block */
    bool damaged; /* something could not be read */
};

/* TEXT is cut at LOG_VALUE_MAX, as in records. False: out of memory. */
MUST_USE bool history_query_begin(struct history_query *q, struct history *h, enum history_kind kind, struct str text);
/*
 * Reads some OCTETS at most, or looks into a few segments, and calls FOUND for each record that is about the key and
 * not older than allowed. False: that was all. FOUND must not end Q.
 */
bool history_query_step(struct history_query *q, size_t octets, int64_t utc_msec,
                        void (*found)(void *ctx, struct str record), void *ctx);
void history_query_end(struct history_query *q); /* of one all zeros too */

#endif
