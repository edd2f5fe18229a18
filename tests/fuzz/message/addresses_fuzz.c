/*
 * Address fields. Oracles: it ends, each mailbox is inside of what was read, its texts are what they may be, and a
 * mailbox written again as local@domain reads as itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "message/addresses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 1 << 24, ADDRESS_MAX = 4096 };

static void reads_as_itself(struct arena *a, const struct message_mailbox *m)
{
    struct buf text = BUF_INIT(ADDRESS_MAX);
    struct message_mailbox again;

    buf_add(&text, m->local);
    buf_add(&text, m->domain.n ? STR("@") : STR(""));
    BUG_ON(!buf_add(&text, m->domain));
    struct message_address_reader r = { .in = buf_str(&text) };
    BUG_ON(message_address_next(&r, a, &again) != MESSAGE_ADDRESS_MAILBOX);
    BUG_ON(!str_eq(again.local, m->local) || !str_eq(again.domain, m->domain));
    BUG_ON(again.end != m->local.n);
    BUG_ON(message_address_next(&r, a, &again) != MESSAGE_ADDRESS_END);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(PLENTY);
    char *copy = malloc(size ? size : 1);
    size_t before = 0;

    BUG_ON(!a || !copy);
    if (size)
        memcpy(copy, data, size);
    struct message_address_reader r = { .in = str_of(copy, size) };
    struct message_mailbox m;
    while (message_address_next(&r, a, &m) == MESSAGE_ADDRESS_MAILBOX) {
        BUG_ON(r.pos <= before || r.pos > size || m.end <= before || m.end > r.pos);
        BUG_ON(!m.local.n || str_has(m.local, '\n') || str_has(m.local, '\r') || str_has(m.local, '\0'));
        before = r.pos;
        reads_as_itself(a, &m);
    }
    free(copy);
    arena_free(a);
    return 0;
}
