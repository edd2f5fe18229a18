/* policy/rate.c */
#include "policy/rate.h"

#include "core/bug.h"
#include "core/check.h"

struct policy_rate policy_rate_make(uint64_t bound, uint64_t msec)
{
    struct policy_rate rate = { .back = bound, .share = msec };

    BUG_ON(!bound || !msec);
    while (__builtin_mul_overflow(bound, rate.share, &rate.depth) && rate.share > 1) {
        rate.share /= 2;
        rate.back = rate.back > 1 ? rate.back / 2 : 1;
    }
    return rate;
}

void policy_bucket_fill(struct policy_bucket *b, const struct policy_rate *rate, int64_t now_msec)
{
    uint64_t elapsed = now_msec > b->msec ? (uint64_t)(now_msec - b->msec) : 0, back;

    if (__builtin_mul_overflow(elapsed, rate->back, &back) || back > b->missing)
        back = b->missing;
    b->missing -= back;
    if (elapsed)
        b->msec = now_msec;
}

/* Shares of N tokens; false: more than any bucket holds. */
static bool shares_of(const struct policy_rate *rate, uint64_t n, uint64_t *shares)
{
    return !__builtin_mul_overflow(n, rate->share, shares) && *shares <= rate->depth;
}

int64_t policy_bucket_wait(const struct policy_bucket *b, const struct policy_rate *rate, uint64_t n)
{
    uint64_t shares, lacking;

    if (!shares_of(rate, n, &shares))
        return INT64_MAX;
    if (shares <= rate->depth - b->missing)
        return 0;
    lacking = shares - (rate->depth - b->missing);
    return (int64_t)(lacking / rate->back + (lacking % rate->back != 0));
}

void policy_bucket_take(struct policy_bucket *b, const struct policy_rate *rate, uint64_t n)
{
    uint64_t shares;
    bool fits = shares_of(rate, n, &shares) && shares <= rate->depth - b->missing;

    b->missing = fits ? b->missing + shares : rate->depth;
}
