/* tests/unit/history/fails.h -- the linker sends allocations here (--wrap): one of them fails. */
#ifndef TESTS_HISTORY_FAILS_H
#define TESTS_HISTORY_FAILS_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

static unsigned long allocations, allocation_fails; /* at this number; 0: none */

static bool allocation_is_to_fail(void)
{
    return allocation_fails && ++allocations == allocation_fails;
}

void *__wrap_malloc(size_t n)
{
    return allocation_is_to_fail() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
    return allocation_is_to_fail() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return allocation_is_to_fail() ? NULL : __real_realloc(p, n);
}

#endif
