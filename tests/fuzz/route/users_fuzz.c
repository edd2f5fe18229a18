/* Users files: however they are cut, the same names and faults; every name lies in the input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bug.h"
#include "route/users.h"

struct reading {
    struct route_names names;
    struct route_faults faults;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_in_steps(struct str text, size_t step, bool system, struct reading *r)
{
    struct route_users_parser p;

    *r = (struct reading){ .names = ROUTE_NAMES_INIT };
    route_users_begin(&p, &r->names, &r->faults, system);
    for (size_t at = 0; at < text.n; at += step)
        BUG_ON(!route_users_feed(&p, str_slice(text, at, at + step)));
    BUG_ON(!route_users_end(&p));
}

static bool same(const struct reading *a, const struct reading *b)
{
    return a->names.n == b->names.n && str_eq(buf_str(&a->names.octets), buf_str(&b->names.octets)) &&
           a->faults.total == b->faults.total && memcmp(&a->faults, &b->faults, sizeof(a->faults)) == 0;
}

/* Each local part that is kept stands in the file, and is found again in any case. */
static void check_names(const struct reading *r, struct str text)
{
    struct str all = buf_str(&r->names.octets), spelled;

    while (all.n) {
        size_t local_n = (unsigned char)all.p[0], domain_n = (unsigned char)all.p[1];
        struct str local = str_slice(all, 2, 2 + local_n),
                   domain = str_slice(all, 2 + local_n, 2 + local_n + domain_n);
        BUG_ON(!local.n || !str_contains(text, local));
        BUG_ON(!route_names_find(&r->names, local, domain, &spelled) || !str_eq_nocase(spelled, local));
        all = str_skip(all, 2 + local_n + domain_n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool system = size && data[0] & 1;
    struct str text = str_skip(str_of((const char *)data, size), 1);
    struct reading whole, octets, threes;

    read_in_steps(text, text.n ? text.n : 1, system, &whole);
    read_in_steps(text, 1, system, &octets);
    read_in_steps(text, 3, system, &threes);
    BUG_ON(!same(&whole, &octets) || !same(&whole, &threes));
    check_names(&whole, text);
    route_names_done(&whole.names);
    route_names_done(&octets.names);
    route_names_done(&threes.names);
    return 0;
}
