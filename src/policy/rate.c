/* policy/rate.c */
#include "policy/rate.h"

#include "core/bug.h"
#include "core/check.h"

struct policy_rate policy_rate_make(uint64_t bound, uint64_t msec)
{
    uint64_t n = bound, share = msec, depth;

    BUG_ON(!bound || !msec);
    /* Twice the depth must fit too: a bucket and what is asked of it are added. */
    while (__builtin_mul_overflow(n, share, &depth) || depth > UINT64_MAX / 2) {
        n = n > 1 ? n / 2 : 1;
        share = share > 1 ? share / 2 : 1;
    }
    return (struct policy_rate){ .bound = n, .share = share, .depth = depth };
}

void policy_bucket_fill(struct policy_bucket *b, const struct policy_rate *rate, int64_t now_msec)
{
    uint64_t elapsed = now_msec > b->msec ? (uint64_t)(now_msec - b->msec) : 0, back;

    if (__builtin_mul_overflow(elapsed, rate->bound, &back) || back > b->missing)
        back = b->missing;
    b->missing -= back;
    if (elapsed)
        b->msec = now_msec;
}

/* Shares of N tokens; more than any bucket holds when that is so. */
static uint64_t shares_of(const struct policy_rate *rate, uint64_t n)
{
    uint64_t shares;

    return __builtin_mul_overflow(n, rate->share, &shares) || shares > rate->depth ? rate->depth + 1 : shares;
}

bool policy_bucket_allows(const struct policy_bucket *b, const struct policy_rate *rate, uint64_t n, uint64_t *value)
{
    uint64_t used = b->missing / rate->share + (b->missing % rate->share != 0);

    if (!u64_add(used, n, value))
        *value = UINT64_MAX;
    return shares_of(rate, n) <= rate->depth - b->missing;
}

void policy_bucket_take(struct policy_bucket *b, const struct policy_rate *rate, uint64_t n)
{
    uint64_t shares = shares_of(rate, n);

    b->missing = shares > rate->depth - b->missing ? rate->depth : b->missing + shares;
}
