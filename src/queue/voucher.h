/*
 * queue/voucher.h -- what a lease comes with, so that a later queue can tell it from one that never was (DESIGN 3, ADR 0027).
 *
 *   a row for each recipient     { u32 number; u32 attempts that it had had; u64 whom it is, and its own route }
 *   then 16 octets               a keyed hash of the rows, the lease and its message, and the process it was given to
 *
 * The keys are the spool's: a successor has the same, nobody else has any. So what is told with a voucher was leased to
 * the teller, just so. It may be old news: the rows say whether it still is about what waits now.
 */
#ifndef QUEUE_VOUCHER_H
#define QUEUE_VOUCHER_H

#include "queue/queue.h"

/* Whose lease of which message. */
struct voucher_of {
    const struct ipc_channel *process;
    uint64_t lease;
    uint64_t id;
};

struct voucher_row {
    uint32_t number;
    uint32_t attempts;
    uint64_t whom;
};

/* Once Q has its spool. */
void voucher_begin(struct queue *q);
/* The row of R, whose envelope is in memory; all of a lease, in its order, then the end. False: no memory. */
MUST_USE bool voucher_add(struct buf *out, const struct recipient *r);
MUST_USE bool voucher_end(struct buf *out, const struct queue *q, struct voucher_of of);

/* *rows borrows of VOUCHER. False: it was made by nobody who has the keys, or for something else. */
MUST_USE bool voucher_is_true(const struct queue *q, struct str voucher, struct voucher_of of, struct str *rows);
/* Takes the first; false: there is none. */
bool voucher_row_take(struct str *rows, struct voucher_row *row);
/*
 * R waits for what that lease was to do: no attempt at it has ended since, and its address and route are the same. May
 * read the envelope, which blocks; one that cannot be read says nothing against it.
 */
bool voucher_holds(const struct voucher_row *row, struct recipient *r);

#endif
