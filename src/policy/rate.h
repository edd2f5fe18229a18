/* policy/rate.h -- a rate of one process's own, as a token bucket as deep as its number (FACE 1.3). Pure. */
#ifndef POLICY_RATE_H
#define POLICY_RATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * So many tokens in so many milliseconds. Counted in shares of a token, as many as the milliseconds, so that
 * nothing is lost to rounding; only where the product would not fit (2^50 in a year) are they coarser.
 */
struct policy_rate {
    uint64_t back;  /* shares that come back in a millisecond */
    uint64_t share; /* shares of a token */
    uint64_t depth; /* shares of a full bucket */
};

/* What is missing from a full bucket, as of MSEC. Init: { 0 }, a full one. */
struct policy_bucket {
    uint64_t missing;
    int64_t msec;
};

/* Neither may be 0. */
struct policy_rate policy_rate_make(uint64_t bound, uint64_t msec);
/* Bring the bucket up to NOW; a clock that went back changes nothing. */
void policy_bucket_fill(struct policy_bucket *b, const struct policy_rate *rate, int64_t now_msec);
/* After filling: milliseconds until N tokens are there, 0: now; INT64_MAX: never, it is more than the bucket holds. */
int64_t policy_bucket_wait(const struct policy_bucket *b, const struct policy_rate *rate, uint64_t n);
/* Take N tokens; what is not there makes the bucket empty. */
void policy_bucket_take(struct policy_bucket *b, const struct policy_rate *rate, uint64_t n);

#endif
