/* route/names.c -- one row of octets for all names, and a table of 32-bit places into it. */
#include "route/names.h"

#include <string.h>

#include "route/local.h"

enum { HEAD = 2, SLOTS_FIRST = 64 };

struct name {
    struct str local;
    struct str domain;
};

static size_t slot_count(const struct route_names *names)
{
    return names->slots.n / sizeof(uint32_t);
}

static uint32_t *slot_at(const struct buf *slots, size_t i)
{
    return (uint32_t *)(void *)slots->p + i;
}

static struct name name_at(const struct route_names *names, size_t at)
{
    const char *p = names->octets.p + at;
    size_t local = (unsigned char)p[0], domain = (unsigned char)p[1];

    return (struct name){ { p + HEAD, local }, { p + HEAD + local, domain } };
}

static uint64_t name_hash(struct str local, struct str domain)
{
    struct route_folded folded;

    return route_fold(local, &folded) ? str_hash(route_folded_str(&folded), str_hash(domain, 0)) : 0;
}

/* The slot that holds the name, or the free one where it would be. */
static uint32_t *slot_find(const struct route_names *names, const struct buf *slots, struct str local,
                           struct str domain)
{
    size_t mask = slots->n / sizeof(uint32_t) - 1;

    for (size_t i = name_hash(local, domain) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = slot_at(slots, i);
        if (!*slot)
            return slot;
        struct name other = name_at(names, *slot - 1);
        if (str_eq_nocase(other.local, local) && str_eq(other.domain, domain))
            return slot;
    }
}

/* At most two thirds of the slots are taken, so that a search always ends at a free one. */
static bool slots_grow(struct route_names *names)
{
    size_t count = slot_count(names);

    if ((names->n + 1) * 3 <= count * 2)
        return true;
    size_t octets = (count ? count * 2 : SLOTS_FIRST) * sizeof(uint32_t);
    struct buf wider = { .max = names->slots.max };
    if (!buf_room(&wider, octets))
        return false;
    memset(wider.p, 0, octets);
    buf_grew(&wider, octets);
    for (size_t at = 0; at < names->octets.n;) {
        struct name name = name_at(names, at);
        *slot_find(names, &wider, name.local, name.domain) = (uint32_t)at + 1;
        at += HEAD + name.local.n + name.domain.n;
    }
    buf_done(&names->slots);
    names->slots = wider;
    return true;
}

void route_names_done(struct route_names *names)
{
    buf_done(&names->octets);
    buf_done(&names->slots);
    names->n = names->n_at_domain = 0;
}

enum route_names_add route_names_add(struct route_names *names, struct str local, struct str domain)
{
    BUG_ON(!local.n || local.n > ROUTE_LOCAL_MAX || domain.n > ROUTE_DOMAIN_MAX);
    if (!slots_grow(names))
        return ROUTE_NAMES_FULL;
    uint32_t *slot = slot_find(names, &names->slots, local, domain);
    if (*slot)
        return ROUTE_NAMES_KNOWN;

    size_t at = names->octets.n;
    if (!buf_room(&names->octets, HEAD + local.n + domain.n))
        return ROUTE_NAMES_FULL;
    buf_add_char(&names->octets, (char)local.n);
    buf_add_char(&names->octets, (char)domain.n);
    buf_add(&names->octets, local);
    buf_add(&names->octets, domain);
    *slot = (uint32_t)at + 1;
    names->n++;
    names->n_at_domain += domain.n > 0;
    return ROUTE_NAMES_ADDED;
}

static bool find_exactly(const struct route_names *names, struct str local, struct str domain,
                         struct str *spelled)
{
    uint32_t slot = *slot_find(names, &names->slots, local, domain);

    if (slot)
        *spelled = name_at(names, slot - 1).local;
    return slot != 0;
}

bool route_names_find(const struct route_names *names, struct str local, struct str domain,
                      struct str *spelled)
{
    if (!names->n || !local.n || local.n > ROUTE_LOCAL_MAX)
        return false;
    if (names->n_at_domain && find_exactly(names, local, domain, spelled))
        return true;
    return find_exactly(names, local, STR_NONE, spelled);
}
