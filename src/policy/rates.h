/* policy/rates.h -- how much of each rate is used up, in memory that several processes share (FACE 1.3, 1.8). Pure. */
#ifndef POLICY_RATES_H
#define POLICY_RATES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

/*
 * A rate of so many in a period is kept as one number: the time at which nothing of it will be used any more. Taking one
 * puts that off by its share of the period, and there is room as long as it lies no further ahead than a period. (ATM
 * calls it the generic cell rate algorithm.) A time that has passed says nothing, so its slot is as good as free.
 *
 * Lookup processes of the former and the present configuration write here at once, and each may be stopped or killed
 * between any two instructions. There is no lock that one could take along, and no pointer: whatever the memory holds is
 * safe to read, and what can be wrong are counts. What a slot counted is lost when another takes it that instant; when two
 * processes make a slot for one key in the same instant, what one of them took is.
 */
enum { POLICY_RATES_BUCKETS = 8192, POLICY_RATES_WAYS = 16, POLICY_RATES_MAGIC = 24 };

struct policy_rates_slot {
    _Atomic uint64_t tag;      /* hash of the key, and the order of magnitude of its period; 0: never used */
    _Atomic uint64_t until_ns; /* of the clock that all processes share (CLOCK_MONOTONIC) */
};

/* What stands before the slots. SEEDS are random, so that nobody can choose keys that share a bucket. */
struct policy_rates_head {
    char magic[POLICY_RATES_MAGIC];
    uint64_t seeds[2];
    char unused[24];
};

/* 2 MiB. Of a full bucket the slot goes whose period is used up least; forgetting only ever lets pass. */
struct policy_rates {
    struct policy_rates_head head;
    struct policy_rates_slot slots[POLICY_RATES_BUCKETS][POLICY_RATES_WAYS];
};

/* The head of memory that is otherwise zero. */
struct policy_rates_head policy_rates_head(const uint64_t seeds[2]);
/* Is what is there such memory, of a program that has the same idea of it? */
bool policy_rates_are(const struct policy_rates *r);

/* Which rate is meant: N in each MSEC, neither 0, for whatever NAME says. Another N leaves used what is used of the period. */
struct policy_rates_key {
    struct str name;
    uint64_t n;
    uint64_t msec;
};

/* Is there room for N more now? *value is what would be used with them, in the measure of the rate. Takes nothing. */
bool policy_rates_allow(struct policy_rates *r, const struct policy_rates_key *key, uint64_t n, int64_t now_msec,
                        uint64_t *value);
/* Take N; what is not there makes the rate used up. */
void policy_rates_take(struct policy_rates *r, const struct policy_rates_key *key, uint64_t n, int64_t now_msec);

#endif
