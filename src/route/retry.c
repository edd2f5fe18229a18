/* route/retry.c -- the waits between attempts, varied so that what failed together does not come back together. */
#include "route/retry.h"

#include "core/bug.h"

enum { VARIED_BY = 10 }; /* a tenth to either side */

/* One number that looks like chance, from two that do not (a finaliser of 64 bits). */
static uint64_t mix(uint64_t seed, uint32_t attempts)
{
    uint64_t x = seed + 0x9e3779b97f4a7c15U * ((uint64_t)attempts + 1);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

int64_t route_retry_wait(const uint64_t *waits, size_t n, uint32_t attempts, uint64_t seed)
{
    BUG_ON(!n || !attempts);
    uint64_t wait = waits[attempts < n ? attempts - 1 : n - 1];
    BUG_ON(wait > INT64_MAX / 2);
    uint64_t span = wait / VARIED_BY;

    /* From wait - span to wait + span, both included. */
    wait = wait - span + mix(seed, attempts) % (2 * span + 1);
    return wait ? (int64_t)wait : 1;
}
