/* cmd/bench/latency.h -- how long many replies took, in a few kilobytes. */
#ifndef CMD_BENCH_LATENCY_H
#define CMD_BENCH_LATENCY_H

#include <stdint.h>

/* 64 steps to each power of two: a value is kept to 1.6 %. Init with zeros. */
enum { LATENCY_STEP_BITS = 6, LATENCY_SLOTS = (64 - LATENCY_STEP_BITS) << LATENCY_STEP_BITS };

struct latency {
    uint64_t count;
    uint64_t max_usec;
    uint64_t slot[LATENCY_SLOTS];
};

void latency_add(struct latency *l, uint64_t usec);
/* The value that SHARE (0 to 1) of all are not above; 0 when there are none. */
uint64_t latency_quantile_usec(const struct latency *l, double share);

#endif
