/* policy/limits.c -- keys as 128 bits of keyed hash; the counter touched longest ago goes first. */
#include "policy/limits.h"

#include <string.h>

#include "core/list.h"
#include "policy/rate.h"

enum {
    BUCKETS = 16 * 1024,
    CHUNK = 256,
    KEY_MAX = 600,
    CLIENT_V6_BITS = 64,
    NETWORK_V4_BITS = 24,
    NETWORK_V6_BITS = 48
};

struct counter {
    struct list lru;
    struct counter *next;
    uint64_t key[2];
    struct policy_bucket bucket;
    uint64_t open; /* connections */
};

struct policy_counters {
    struct arena *arena;
    uint64_t seeds[2];
    struct list lru; /* touched last first; those with open connections are in no list */
    struct list free;
    size_t made;
    size_t used;
    struct counter *buckets[BUCKETS];
};

/* A limit's key about a party, as octets; cannot be had: the limit does not bind. */
struct key {
    size_t n;
    char c[KEY_MAX];
};

/* ---- keys ---- */

static void key_add(struct key *k, const void *p, size_t n)
{
    BUG_ON(n > sizeof(k->c) - k->n);
    memcpy(k->c + k->n, p, n);
    k->n += n;
}

static bool key_add_address(struct key *k, const struct policy_party *party, unsigned v4_bits,
                            unsigned v6_bits)
{
    struct ip net = ip_mask(party->client, party->client.family == IP_V4 ? v4_bits : v6_bits);

    if (party->client.family == IP_NONE)
        return false;
    key_add(k, &(char){ (char)net.family }, 1);
    key_add(k, net.octets, sizeof(net.octets));
    return true;
}

/* An address, in whatever case it was written. */
static bool key_add_folded(struct key *k, struct str address)
{
    if (!address.n || address.n > sizeof(k->c) - k->n)
        return false;
    for (size_t i = 0; i < address.n; i++)
        k->c[k->n++] = ascii_lower(address.p[i]);
    return true;
}

static bool key_of(struct key *k, const struct config_limit *limit, const struct policy_party *party)
{
    struct str sender = party->sender;

    k->n = 0;
    key_add(k, &limit->index, sizeof(limit->index));
    switch (limit->key) {
    case CONFIG_LIMIT_CLIENT:
        return key_add_address(k, party, ip_bits(IP_V4), CLIENT_V6_BITS);
    case CONFIG_LIMIT_NETWORK:
        return key_add_address(k, party, NETWORK_V4_BITS, NETWORK_V6_BITS);
    case CONFIG_LIMIT_ACCOUNT:
        return key_add_folded(k, party->account);
    case CONFIG_LIMIT_SENDER:
        return key_add_folded(k, sender);
    case CONFIG_LIMIT_SENDER_DOMAIN:
        return key_add_folded(k, str_skip(sender, str_rfind(sender, '@') + 1));
    case CONFIG_LIMIT_ALL:
        return true;
    }
    return false;
}

/* ---- counters ---- */

static struct counter **chain_of(struct policy_counters *c, const uint64_t key[2])
{
    return &c->buckets[key[0] % BUCKETS];
}

static void chain_remove(struct policy_counters *c, struct counter *gone)
{
    struct counter **at = chain_of(c, gone->key);

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
}

static void make_chunk(struct policy_counters *c)
{
    struct counter *chunk =
        c->made < POLICY_COUNTERS_MAX ? ARENA_NEW_ARRAY(c->arena, CHUNK, struct counter) : NULL;

    for (size_t i = 0; chunk && i < CHUNK; i++)
        list_append(&c->free, &chunk[i].lru);
    c->made += chunk ? CHUNK : 0;
}

/* One that nobody uses, or the one touched longest ago; NULL when all count open connections. */
static struct counter *take_free(struct policy_counters *c)
{
    struct list *node;

    if (list_empty(&c->free))
        make_chunk(c);
    node = list_take(&c->free);
    if (node) {
        c->used++;
        return CONTAINER_OF(node, struct counter, lru);
    }
    if (list_empty(&c->lru))
        return NULL;
    struct counter *idle = CONTAINER_OF(c->lru.prev, struct counter, lru);
    list_remove(&idle->lru);
    chain_remove(c, idle);
    return idle;
}

static struct counter *counter_find(struct policy_counters *c, const struct key *k, uint64_t key[2])
{
    struct str octets = str_of(k->c, k->n);

    for (size_t i = 0; i < 2; i++)
        key[i] = str_hash(octets, c->seeds[i]);
    for (struct counter *at = *chain_of(c, key); at; at = at->next)
        if (at->key[0] == key[0] && at->key[1] == key[1])
            return at;
    return NULL;
}

/* As counter_find, made when it is not there; NULL when there is no room. */
static struct counter *counter_have(struct policy_counters *c, const struct key *k, int64_t now_msec)
{
    uint64_t key[2];
    struct counter *at = counter_find(c, k, key);

    if (at)
        return at;
    at = take_free(c);
    if (!at)
        return NULL;
    struct counter **chain = chain_of(c, key);
    *at = (struct counter){ .next = *chain, .key = { key[0], key[1] }, .bucket = { .msec = now_msec } };
    list_init(&at->lru);
    *chain = at;
    return at;
}

/* Just touched: last to go. */
static void counter_touch(struct policy_counters *c, struct counter *at)
{
    list_remove(&at->lru);
    if (!at->open)
        list_prepend(&c->lru, &at->lru);
}

/* ---- limits ---- */

/* Guesses at an account are no matter of whoever is known there: strangers could shut anybody out (FACE 1.8). */
static bool is_guess_of_others(const struct config_limit *limit, const struct policy_party *party)
{
    return party->known && limit->key == CONFIG_LIMIT_ACCOUNT && limit->measure == CONFIG_MEASURE_AUTH_FAILURES;
}

static bool binds(const struct config_limit *limit, const struct policy_party *party,
                  enum config_limit_measure measure)
{
    return limit->measure == measure && limit->bound && !(limit->built_in && party->exempt) &&
           !is_guess_of_others(limit, party);
}

static bool allows(const struct config_limit *limit, struct counter *at, uint64_t n, int64_t now_msec,
                   uint64_t *value)
{
    if (limit->measure == CONFIG_MEASURE_CONNECTIONS) {
        *value = (at ? at->open : 0) + n;
        return *value <= limit->bound;
    }
    struct policy_bucket full = { .msec = now_msec };
    struct policy_rate rate = policy_rate_make(limit->bound, limit->msec);
    struct policy_bucket *bucket = at ? &at->bucket : &full;
    policy_bucket_fill(bucket, &rate, now_msec);
    return policy_bucket_allows(bucket, &rate, n, value);
}

static void take(const struct config_limit *limit, struct counter *at, uint64_t n, int64_t now_msec)
{
    if (limit->measure == CONFIG_MEASURE_CONNECTIONS) {
        at->open += n;
        return;
    }
    struct policy_rate rate = policy_rate_make(limit->bound, limit->msec);
    policy_bucket_fill(&at->bucket, &rate, now_msec);
    policy_bucket_take(&at->bucket, &rate, n);
}

struct policy_counters *policy_counters_new(struct arena *a, const uint64_t seeds[2])
{
    struct policy_counters *c = ARENA_NEW(a, struct policy_counters);

    if (!c)
        return NULL;
    c->arena = a;
    memcpy(c->seeds, seeds, sizeof(c->seeds));
    list_init(&c->lru);
    list_init(&c->free);
    return c;
}

size_t policy_counters_used(const struct policy_counters *c)
{
    return c->used;
}

struct ip policy_client_of(struct str client)
{
    struct ip ip = { .family = IP_NONE };

    if (client.n != sizeof(ip.octets))
        return ip;
    ip.family = IP_V6;
    memcpy(ip.octets, client.p, client.n);
    return ip_unmap(ip);
}

struct policy_party policy_party_of(struct str client, struct str sender, const struct config_limits *limits)
{
    struct policy_party party = { .client = policy_client_of(client), .sender = sender, .limits = limits };

    party.exempt = party.client.family == IP_NONE || ip_is_loopback(&party.client);
    return party;
}

enum policy_verdict policy_limits_judge(struct policy_counters *c, const struct policy_party *party,
                                        enum config_limit_measure measure, uint64_t n, int64_t now_msec,
                                        struct policy_excess *over)
{
    enum policy_verdict verdict = POLICY_ALLOWED;
    struct key k;
    uint64_t key[2], value;

    for (size_t i = 0; i < party->limits->n && verdict != POLICY_REFUSED; i++) {
        const struct config_limit *limit = party->limits->items[i];
        bool holds = limit->action == CONFIG_LIMIT_HOLD;
        if (!binds(limit, party, measure) || !key_of(&k, limit, party) || (holds && verdict == POLICY_HELD))
            continue;
        if (allows(limit, counter_find(c, &k, key), n, now_msec, &value))
            continue;
        *over = (struct policy_excess){ limit, value };
        verdict = holds ? POLICY_HELD : POLICY_REFUSED;
    }
    return verdict;
}

size_t policy_limits_uses(struct policy_counters *c, const struct policy_party *party, int64_t now_msec,
                          struct policy_use *uses, size_t max)
{
    size_t n = 0;
    struct key k;
    uint64_t key[2];

    for (size_t i = 0; i < party->limits->n && n < max; i++) {
        const struct config_limit *limit = party->limits->items[i];
        if (!binds(limit, party, limit->measure) || !key_of(&k, limit, party))
            continue;
        uses[n] = (struct policy_use){ .limit = limit };
        (void)allows(limit, counter_find(c, &k, key), 0, now_msec, &uses[n].value);
        n++;
    }
    return n;
}

void policy_limits_take(struct policy_counters *c, const struct policy_party *party,
                        enum config_limit_measure measure, uint64_t n, int64_t now_msec)
{
    struct key k;

    for (size_t i = 0; n && i < party->limits->n; i++) {
        const struct config_limit *limit = party->limits->items[i];
        struct counter *at =
            binds(limit, party, measure) && key_of(&k, limit, party) ? counter_have(c, &k, now_msec) : NULL;
        if (!at)
            continue;
        take(limit, at, n, now_msec);
        counter_touch(c, at);
    }
}

void policy_limits_release(struct policy_counters *c, const struct policy_party *party, int64_t now_msec)
{
    struct key k;
    uint64_t key[2];

    for (size_t i = 0; i < party->limits->n; i++) {
        const struct config_limit *limit = party->limits->items[i];
        struct counter *at = binds(limit, party, CONFIG_MEASURE_CONNECTIONS) && key_of(&k, limit, party)
                                 ? counter_find(c, &k, key)
                                 : NULL;
        if (!at || !at->open)
            continue;
        at->open--;
        at->bucket.msec = now_msec;
        counter_touch(c, at);
    }
}
