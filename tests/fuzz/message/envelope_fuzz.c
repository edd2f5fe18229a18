/*
 * Envelopes, as the spool gives them back. Oracle: what is read is written, and reading that gives the same again;
 * nothing outside the octets given is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 64 << 20 };

/* The octets that *E is written as; n == 0: it is larger than an envelope may be. */
static struct str write_envelope(struct buf *out, const struct envelope *e)
{
    buf_clear(out);
    if (!envelope_encode(out, e))
        buf_clear(out);
    return buf_str(out);
}

static void envelopes(struct str in, struct arena *a)
{
    struct buf first = BUF_INIT(PLENTY), second = BUF_INIT(PLENTY);
    struct envelope e, again;
    struct err err = { 0 };

    if (envelope_decode(in, a, &e, &err) && write_envelope(&first, &e).n) {
        BUG_ON(!envelope_decode(buf_str(&first), a, &again, &err));
        BUG_ON(e.n_recipients != again.n_recipients);
        BUG_ON(!str_eq(write_envelope(&second, &again), buf_str(&first)));
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
    envelopes(str_of(copy, size), a);
    free(copy);
    arena_free(a);
    return 0;
}
