/* tests/fuzz/smtp/fuzz.h -- what the fuzz targets of the wire share. */
#ifndef TESTS_FUZZ_SMTP_H
#define TESTS_FUZZ_SMTP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bug.h"
#include "core/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first octet of the input says how octets are split: 0 is whole, others are lengths in turn. */
struct splitter {
    uint8_t seed;
    unsigned turn;
};

static inline size_t next_piece(struct splitter *s, size_t left)
{
    static const size_t lengths[] = { 1, 3, 2, 7, 1, 1, 64, 512, 5, 600 };
    size_t n = s->seed == 0 ? left : lengths[(s->seed + s->turn++) % ARRAY_LEN(lengths)];

    return n < left ? n : left;
}

/* Exactly S on the heap; free() it. */
static inline char *heap_copy(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);

    BUG_ON(!p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

#endif
