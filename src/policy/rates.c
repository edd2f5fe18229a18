/* policy/rates.c -- keys as 58 bits of a keyed hash, slots changed by compare-and-swap alone. */
#include "policy/rates.h"

#include <string.h>

#include "core/bug.h"
#include "core/check.h"
#include "core/siphash.h"

/* Only what needs no lock works between processes, and after the death of one. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64 bits are changed at once");
_Static_assert(sizeof(struct policy_rates_head) == 64, "slots do not begin in the middle of a cache line");

enum {
    MSEC_NS = 1000 * 1000,
    MAGNITUDE_BITS = 6, /* the low bits of a tag */
    TRIES = 64,         /* somebody gets on each time; many who do not give up, or memory that somebody spoils, end this */
};

/* 146 years: sums of two stay far from where they would overflow. */
#define NS_MAX (1ULL << 62)

static const char magic[POLICY_RATES_MAGIC] = "veredus rates 1\n";

__extension__ typedef unsigned __int128 wide;

/* A key at a time. */
struct mark {
    struct policy_rates_slot *bucket;
    uint64_t tag;
    uint64_t period_ns;
    uint64_t now_ns;
};

static uint64_t ns_of(uint64_t msec)
{
    return msec < NS_MAX / MSEC_NS ? msec * MSEC_NS : NS_MAX;
}

static unsigned magnitude(uint64_t ns)
{
    return 63 - (unsigned)__builtin_clzll(ns);
}

static struct mark mark_of(struct policy_rates *r, const struct policy_rates_key *key, int64_t now_msec)
{
    uint64_t hash = siphash(key->name, r->head.seeds), period = ns_of(key->msec);

    BUG_ON(!key->n || !key->msec);
    return (struct mark){
        .bucket = r->slots[hash % POLICY_RATES_BUCKETS],
        .tag = hash >> MAGNITUDE_BITS << MAGNITUDE_BITS | magnitude(period),
        .period_ns = period,
        .now_ns = ns_of(now_msec > 0 ? (uint64_t)now_msec : 0),
    };
}

/* ---- slots ---- */

static uint64_t left_until(uint64_t until, uint64_t now, uint64_t most)
{
    uint64_t left = until > now ? until - now : 0;

    return left < most ? left : most;
}

static uint64_t left_of(const struct mark *m, const struct policy_rates_slot *slot)
{
    return slot ? left_until(slot->until_ns, m->now_ns, m->period_ns) : 0;
}

/* How much of its period a slot has used up, the period rounded down to a power of two: comparable with other slots. */
static uint64_t use_of(uint64_t tag, uint64_t until, uint64_t now)
{
    unsigned bits = (unsigned)(tag % (1U << MAGNITUDE_BITS));
    uint64_t left = left_until(until, now, (2ULL << (bits < 62 ? bits : 62)) - 1);

    return left << (62 - (bits < 62 ? bits : 62));
}

static struct policy_rates_slot *find(const struct mark *m)
{
    for (size_t i = 0; i < POLICY_RATES_WAYS; i++)
        if (m->bucket[i].tag == m->tag)
            return &m->bucket[i];
    return NULL;
}

/* Empties the slot that can best be spared and makes it this key's; NULL when somebody else was at it. */
static struct policy_rates_slot *claim(const struct mark *m)
{
    struct policy_rates_slot *spared = NULL;
    uint64_t least = UINT64_MAX, tag = 0, until = 0;

    for (size_t i = 0; i < POLICY_RATES_WAYS; i++) {
        uint64_t its_tag = m->bucket[i].tag, its_until = m->bucket[i].until_ns;
        uint64_t use = use_of(its_tag, its_until, m->now_ns);
        if (spared && use >= least)
            continue;
        spared = &m->bucket[i];
        least = use;
        tag = its_tag;
        until = its_until;
    }
    /* In this order: whoever is killed in between leaves a slot that counts nothing. */
    return atomic_compare_exchange_strong(&spared->until_ns, &until, 0) &&
                   atomic_compare_exchange_strong(&spared->tag, &tag, m->tag)
               ? spared
               : NULL;
}

/* ---- shares ---- */

/* Of the period; rounded down, so that the last of N is always let in. */
static uint64_t share_of(const struct mark *m, const struct policy_rates_key *key, uint64_t n)
{
    return n < key->n ? (uint64_t)((wide)n * m->period_ns / key->n) : m->period_ns;
}

/* The other way, rounded up: what is not given back wholly is used. */
static uint64_t used_of(const struct mark *m, const struct policy_rates_key *key, uint64_t left_ns)
{
    return (uint64_t)(((wide)left_ns * key->n + m->period_ns - 1) / m->period_ns);
}

/* ---- all of it ---- */

struct policy_rates_head policy_rates_head(const uint64_t seeds[2])
{
    struct policy_rates_head head = { .seeds = { seeds[0], seeds[1] } };

    memcpy(head.magic, magic, sizeof(magic));
    return head;
}

bool policy_rates_are(const struct policy_rates *r)
{
    return memcmp(r->head.magic, magic, sizeof(magic)) == 0;
}

bool policy_rates_allow(struct policy_rates *r, const struct policy_rates_key *key, uint64_t n, int64_t now_msec,
                        uint64_t *value)
{
    struct mark m = mark_of(r, key, now_msec);
    uint64_t left = left_of(&m, find(&m));

    if (!u64_add(used_of(&m, key, left), n, value))
        *value = UINT64_MAX;
    return n <= key->n && share_of(&m, key, n) <= m.period_ns - left;
}

void policy_rates_take(struct policy_rates *r, const struct policy_rates_key *key, uint64_t n, int64_t now_msec)
{
    struct mark m = mark_of(r, key, now_msec);
    uint64_t share = share_of(&m, key, n);

    for (int i = 0; i < TRIES; i++) {
        struct policy_rates_slot *slot = find(&m);
        if (!slot && !(slot = claim(&m)))
            continue;
        uint64_t until = slot->until_ns;
        uint64_t left = left_until(until, m.now_ns, m.period_ns);
        left = share < m.period_ns - left ? left + share : m.period_ns;
        if (atomic_compare_exchange_strong(&slot->until_ns, &until, m.now_ns + left))
            return;
    }
}
