/* cmd/bench/latency.c -- a histogram with equal steps inside each power of two. */
#include "cmd/bench/latency.h"

#include <stddef.h>

static const uint64_t steps = 1U << LATENCY_STEP_BITS;

/* Values below 64 have a slot each; above, the leading 7 bits choose it. */
static size_t slot_of(uint64_t usec)
{
    unsigned shift = 0;

    while (usec >> shift >= 2 * steps)
        shift++;
    return (size_t)((usec >> shift) + shift * steps);
}

static uint64_t top_of(size_t slot)
{
    unsigned shift = slot < 2 * steps ? 0 : (unsigned)(slot / steps) - 1;

    return (((uint64_t)slot - shift * steps + 1) << shift) - 1;
}

void latency_add(struct latency *l, uint64_t usec)
{
    const uint64_t day = 86400000000;

    if (usec > day)
        usec = day;
    l->count++;
    l->slot[slot_of(usec)]++;
    if (usec > l->max_usec)
        l->max_usec = usec;
}

uint64_t latency_quantile_usec(const struct latency *l, double share)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < LATENCY_SLOTS; i++) {
        seen += l->slot[i];
        if (seen && (double)seen >= share * (double)l->count)
            return top_of(i) < l->max_usec ? top_of(i) : l->max_usec;
    }
    return l->max_usec;
}
