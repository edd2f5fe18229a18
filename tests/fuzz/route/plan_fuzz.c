/*
 * Plans, as resolve tells them. Oracle: what is read is written as the same octets, and its set of hosts fits; nothing
 * outside the octets given is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "route/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 1 << 20 };

static void read_plan(struct str in, struct arena *a)
{
    struct buf out = BUF_INIT(PLENTY), hosts = BUF_INIT(PLENTY);
    struct route_plan plan;

    if (route_plan_decode(in, a, &plan)) {
        BUG_ON(!route_plan_encode(&out, &plan) || !str_eq(buf_str(&out), in));
        BUG_ON(!route_plan_hosts(&plan, &hosts));
        BUG_ON(!plan.n != !hosts.n);
        BUG_ON(!route_plan_domains(&plan, &hosts));
    }
    buf_done(&hosts);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(PLENTY);
    char *copy = malloc(size ? size : 1);

    BUG_ON(!a || !copy);
    if (size)
        memcpy(copy, data, size);
    read_plan(str_of(copy, size), a);
    free(copy);
    arena_free(a);
    return 0;
}
