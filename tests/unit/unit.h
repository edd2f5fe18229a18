/* tests/unit/unit.h -- cmocka and what every unit test needs beside it. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/str.h"

#define assert_str_is(got, want)                                                                            \
    do {                                                                                                    \
        struct str got_ = (got), want_ = (want);                                                            \
        if (!str_eq(got_, want_))                                                                           \
            fail_msg("got \"%.*s\", want \"%.*s\"", STR_ARG(got_), STR_ARG(want_));                         \
    } while (0)

/* A heap copy of exactly S.n octets, so that the sanitizer sees one octet read too far. free() it. */
static inline char *exact_copy(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

#endif
