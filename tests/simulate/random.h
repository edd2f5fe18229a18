/* tests/simulate/random.h -- numbers that a seed gives again. */
#ifndef TESTS_SIMULATE_RANDOM_H
#define TESTS_SIMULATE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* A Weyl sequence through a mixer of shifts and odd multipliers. */
static inline uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

/* Below N, which is not 0. */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
    return random_next(r) % n;
}

/* True once in N. */
static inline bool random_one_in(struct random *r, uint64_t n)
{
    return random_below(r, n) == 0;
}

#endif
