/*
 * States of recipients, as the spool gives them back. Oracle: what is read is written as the same octets; nothing
 * outside the octets given is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 64 << 20 };

static bool short_texts(const struct progress *p)
{
    return p->status.n <= PROGRESS_TEXT_MAX && p->text.n <= PROGRESS_TEXT_MAX;
}

static void states(struct str in, struct arena *a)
{
    struct buf out = BUF_INIT(PLENTY);
    struct progress *items;
    struct err err = { 0 };
    size_t n;
    bool whole = true;

    if (progress_decode(in, a, &items, &n, &err)) {
        for (size_t i = 0; i < n; i++)
            whole = whole && short_texts(&items[i]);
        BUG_ON(!progress_encode(&out, items, n));
        BUG_ON(whole && !str_eq(buf_str(&out), in));
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(PLENTY);
    char *copy = malloc(size ? size : 1);

    BUG_ON(!a || !copy);
    if (size)
        memcpy(copy, data, size);
    states(str_of(copy, size), a);
    free(copy);
    arena_free(a);
    return 0;
}
