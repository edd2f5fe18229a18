/* policy/limits.c -- who is counted together: the key of a limit about a party. */
#include "policy/limits.h"

#include <string.h>

#include "core/siphash.h"

enum {
    KEY_MAX = 600,
    CLIENT_V6_BITS = 64,
    NETWORK_V4_BITS = 24,
    NETWORK_V6_BITS = 48
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

/*
 * The limit by what it is, not by its place in one configuration: the next one goes on counting. Its bound is no part of
 * that, so that nobody has more of an hour because somebody wrote another number.
 */
static void key_begin(struct key *k, const struct config_limit *limit)
{
    static const uint64_t no_secret[2] = { 0 };
    uint64_t block = siphash(limit->block, no_secret);
    unsigned char what[] = { (unsigned char)limit->key, (unsigned char)limit->measure };

    k->n = 0;
    key_add(k, &block, sizeof(block));
    key_add(k, what, sizeof(what));
    key_add(k, &limit->msec, sizeof(limit->msec));
}

static bool key_of(struct key *k, const struct config_limit *limit, const struct policy_party *party)
{
    struct str sender = party->sender;

    key_begin(k, limit);
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

static struct str octets_of(const struct key *k)
{
    return str_of(k->c, k->n);
}

static struct policy_rates_key rate_of(const struct key *k, const struct config_limit *limit)
{
    return (struct policy_rates_key){ .name = octets_of(k), .n = limit->bound, .msec = limit->msec };
}

static uint64_t open_of(const struct policy_counters *c, const struct key *k)
{
    const struct policy_open_count *at = policy_open_find(c->open, octets_of(k));

    return at ? at->n : 0;
}

/* What one limit says; *value is what it would have come to. */
static enum policy_verdict verdict_of(const struct policy_counters *c, const struct config_limit *limit,
                                      const struct key *k, uint64_t n, int64_t now_msec, uint64_t *value)
{
    enum policy_verdict over = limit->action == CONFIG_LIMIT_HOLD ? POLICY_HELD : POLICY_REFUSED;
    struct policy_rates_key rate = rate_of(k, limit);
    uint64_t open = open_of(c, k);

    if (limit->measure == CONFIG_MEASURE_CONNECTIONS) {
        *value = open + n;
        return *value <= limit->bound ? POLICY_ALLOWED : over;
    }
    if (!policy_rates_allow(c->rates, &rate, n, now_msec, value))
        return over;
    /* Were all that are under way wrong, would it be one too many? Without any there is nothing that could be waited for. */
    if (!open || policy_rates_allow(c->rates, &rate, open + n, now_msec, value))
        return POLICY_ALLOWED;
    return POLICY_WAITS;
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

enum policy_verdict policy_limits_judge(const struct policy_counters *c, const struct policy_party *party,
                                        enum config_limit_measure measure, uint64_t n, int64_t now_msec,
                                        struct policy_excess *over)
{
    enum policy_verdict verdict = POLICY_ALLOWED;
    struct key k;

    for (size_t i = 0; i < party->limits->n && verdict != POLICY_REFUSED; i++) {
        const struct config_limit *limit = party->limits->items[i];
        uint64_t value;
        if (!binds(limit, party, measure) || !key_of(&k, limit, party))
            continue;
        enum policy_verdict one = verdict_of(c, limit, &k, n, now_msec, &value);
        if (one <= verdict)
            continue;
        *over = (struct policy_excess){ limit, value };
        verdict = one;
    }
    return verdict;
}

static uint64_t used_of(const struct policy_counters *c, const struct config_limit *limit, const struct key *k,
                        int64_t now_msec)
{
    struct policy_rates_key rate = rate_of(k, limit);
    uint64_t value;

    if (limit->measure == CONFIG_MEASURE_CONNECTIONS)
        return open_of(c, k);
    (void)policy_rates_allow(c->rates, &rate, 0, now_msec, &value);
    return value;
}

size_t policy_limits_uses(const struct policy_counters *c, const struct policy_party *party, int64_t now_msec,
                          struct policy_use *uses, size_t max)
{
    size_t n = 0;
    struct key k;

    for (size_t i = 0; i < party->limits->n && n < max; i++) {
        const struct config_limit *limit = party->limits->items[i];
        if (binds(limit, party, limit->measure) && key_of(&k, limit, party))
            uses[n++] = (struct policy_use){ .limit = limit, .value = used_of(c, limit, &k, now_msec) };
    }
    return n;
}

void policy_limits_take(const struct policy_counters *c, const struct policy_party *party,
                        enum config_limit_measure measure, uint64_t n, int64_t now_msec)
{
    struct key k;

    BUG_ON(measure == CONFIG_MEASURE_CONNECTIONS);
    for (size_t i = 0; n && i < party->limits->n; i++) {
        const struct config_limit *limit = party->limits->items[i];
        if (!binds(limit, party, measure) || !key_of(&k, limit, party))
            continue;
        struct policy_rates_key rate = rate_of(&k, limit);
        policy_rates_take(c->rates, &rate, n, now_msec);
    }
}

/* ---- what is open ---- */

void policy_limits_open(const struct policy_counters *c, const struct policy_party *party,
                        enum config_limit_measure measure)
{
    struct key k;

    for (size_t i = 0; i < party->limits->n; i++) {
        const struct config_limit *limit = party->limits->items[i];
        if (binds(limit, party, measure) && key_of(&k, limit, party))
            policy_open_add(c->open, octets_of(&k));
    }
}

void policy_limits_close(const struct policy_counters *c, const struct policy_party *party,
                         enum config_limit_measure measure, struct list *woken)
{
    struct key k;

    for (size_t i = 0; i < party->limits->n; i++) {
        const struct config_limit *limit = party->limits->items[i];
        if (binds(limit, party, measure) && key_of(&k, limit, party))
            policy_open_remove(c->open, octets_of(&k), woken);
    }
}

void policy_limits_wait(const struct policy_counters *c, const struct policy_party *party,
                        const struct policy_excess *over, struct list *node)
{
    struct policy_open_count *at;
    struct key k;

    BUG_ON(!key_of(&k, over->limit, party));
    at = policy_open_find(c->open, octets_of(&k));
    BUG_ON(!at);
    list_append(&at->waiting, node);
}
