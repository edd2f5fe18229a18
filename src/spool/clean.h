/* spool/clean.h -- what lives in old segments is copied forward, so that they can be used again
 * (docs/SPOOL.md 10). */
#ifndef SPOOL_CLEAN_H
#define SPOOL_CLEAN_H

#include "spool/format.h"

struct spool;
struct segment;
struct frame;
struct spool_batch;

enum copies {
    COPIES_NONE,
    COPIES_READY,   /* wait for a frame */
    COPIES_WRITING, /* are in one */
};

/* One segment at a time is walked through, frame by frame. */
struct cleaning {
    struct segment *victim; /* NULL: none */
    uint32_t block, row;    /* where the walk goes on */
    bool walked;            /* to the end */
    bool again;             /* something changed between reading and writing: it is walked once more */
    int64_t retry_usec;     /* after a failure: not before */
    int64_t credit;         /* octets that may be read and written; earned by traffic */

    enum copies copies;
    struct spool_batch *batch; /* its records own their octets */
    int64_t ready_usec;
};

/* ---- of upkeep, with the lock ---- */

/* Gather some copies, or end with a segment. False when there is nothing to do now. */
bool clean_step(struct spool *spool);
/* Unlink one free segment that is more than will be wanted soon; false when there is none. */
bool clean_give_back(struct spool *spool);
void clean_done(struct spool *spool);

/* ---- of commit, with the lock ---- */

/* Copies wait that are still what they were read as. */
bool clean_is_ready(struct spool *spool);
/* They may begin a segment; they may go into one with ROOM. The reserve is for what is owed (INV-15). */
bool clean_may_begin(const struct spool *spool);
bool clean_may_fill(const struct spool *spool, uint64_t room);
/* The frame with them is durable, from row *ROW of BLOCK on. */
void clean_settle(struct spool *spool, uint32_t segment, uint32_t block, uint32_t *row);
/* Copies that wait or were in a frame that failed: nothing was copied, and the segment is left for now. */
void clean_drop(struct spool *spool);
/* So many octets of traffic became durable. */
void clean_earn(struct spool *spool, uint64_t octets);

#endif
