/* policy/rate.h -- a rate as a token bucket as deep as its number (FACE 1.3). Pure; time is a parameter. */
#ifndef POLICY_RATE_H
#define POLICY_RATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * BOUND in each MSEC. Counted in shares of 1/MSEC token, so that nothing is lost to rounding; numbers that would
 * not fit are halved together, which changes a bucket of 2^50 by less than one token.
 */
struct policy_rate {
    uint64_t bound; /* shares that come back in a millisecond */
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
/* After filling: are N tokens there? *value is what would be used with them. */
bool policy_bucket_allows(const struct policy_bucket *b, const struct policy_rate *rate, uint64_t n, uint64_t *value);
/* Take N tokens; what is not there makes the bucket empty. */
void policy_bucket_take(struct policy_bucket *b, const struct policy_rate *rate, uint64_t n);

#endif
