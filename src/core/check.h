/* core/check.h -- sums of numbers that a peer, a file or a lesser process chose. Pure. */
#ifndef CORE_CHECK_H
#define CORE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"

/* False, and *sum untouched, when the result does not fit. */
MUST_USE static inline bool size_add(size_t a, size_t b, size_t *sum)
{
    size_t r;

    if (__builtin_add_overflow(a, b, &r))
        return false;
    *sum = r;
    return true;
}

MUST_USE static inline bool size_mul(size_t a, size_t b, size_t *product)
{
    size_t r;

    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *product = r;
    return true;
}

MUST_USE static inline bool u64_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    uint64_t r;

    if (__builtin_add_overflow(a, b, &r))
        return false;
    *sum = r;
    return true;
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
