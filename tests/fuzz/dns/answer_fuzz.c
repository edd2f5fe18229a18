/*
 * DNS messages, the first octet being the type that was asked for. Oracle: nothing outside the octets given is read;
 * names are names, addresses are of the family asked for, and what was read once reads the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 1 << 20, NAME_MAX_TEXT = 255 };

static bool is_name(struct str name)
{
    if (!name.n || str_eq(name, STR(".")))
        return true;
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alnum(name.p[i]) && !str_has(STR("-_."), name.p[i]))
            return false;
    return name.n <= NAME_MAX_TEXT && !str_starts(name, STR(".")) && !str_contains(name, STR(".."));
}

static void check(const struct dns_answer *answer, enum dns_type type)
{
    BUG_ON(answer->n > DNS_RECORDS_MAX || answer->secure);
    BUG_ON((answer->status == DNS_FOUND) != (answer->n > 0));
    for (size_t i = 0; i < answer->n; i++) {
        const struct dns_record *r = &answer->records[i];
        BUG_ON(!is_name(r->name));
        BUG_ON(type == DNS_A && r->address.family != IP_V4);
        BUG_ON(type == DNS_AAAA && r->address.family != IP_V6);
    }
}

static void check_same(const struct dns_answer *a, const struct dns_answer *b)
{
    BUG_ON(a->status != b->status || a->n != b->n || a->ttl != b->ttl);
    for (size_t i = 0; i < a->n; i++)
        BUG_ON(!str_eq(a->records[i].name, b->records[i].name) ||
               a->records[i].preference != b->records[i].preference ||
               !ip_eq(&a->records[i].address, &b->records[i].address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { DNS_A, DNS_MX, DNS_AAAA, DNS_NS };
    enum dns_type type = types[size ? data[0] % ARRAY_LEN(types) : 0];
    struct str in = str_skip(str_of((const char *)data, size), 1);
    struct arena *a = arena_new(PLENTY);
    char *copy = malloc(in.n ? in.n : 1);
    struct dns_answer once, again;

    BUG_ON(!a || !copy);
    if (in.n)
        memcpy(copy, in.p, in.n);
    if (dns_answer_read(str_of(copy, in.n), type, a, &once)) {
        check(&once, type);
        BUG_ON(!dns_answer_read(str_of(copy, in.n), type, a, &again));
        check_same(&once, &again);
    }
    free(copy);
    arena_free(a);
    return 0;
}
