/*
 * States of recipients, as the spool gives them back. Oracle: what is read is written, and reading that gives the
 * same again; nothing outside the octets given is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 64 << 20 };

static void states(struct str in, struct arena *a)
{
    struct buf first = BUF_INIT(PLENTY), second = BUF_INIT(PLENTY);
    struct progress *items, *again;
    struct err err = { 0 };
    size_t n, m;

    if (progress_decode(in, a, &items, &n, &err)) {
        BUG_ON(!progress_encode(&first, items, n));
        BUG_ON(!progress_decode(buf_str(&first), a, &again, &m, &err) || m != n);
        BUG_ON(!progress_encode(&second, again, m));
        BUG_ON(!str_eq(buf_str(&first), buf_str(&second)));
    }
    buf_done(&first);
    buf_done(&second);
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
