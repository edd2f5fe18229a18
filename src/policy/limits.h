/* policy/limits.h -- the directive limit: counters by client, network, account and sender (FACE 1.8). Pure. */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/bug.h"
#include "core/ip.h"
#include "core/str.h"

/*
 * Counters of at most POLICY_COUNTERS_MAX keys; beyond, the one that was touched longest ago goes, but never
 * one that counts open connections. What is not known is at its best: forgetting only ever lets pass.
 */
enum { POLICY_COUNTERS_MAX = 64 * 1024 };

struct policy_counters;

/* SEEDS: two random numbers, so that nobody can choose keys that share a counter. NULL without memory. */
struct policy_counters *policy_counters_new(struct arena *a, const uint64_t seeds[2]);
size_t policy_counters_used(const struct policy_counters *c);

/* Whom a question is about. */
struct policy_party {
    struct ip client;  /* IP_NONE: a unix socket, which has no address to count by */
    bool exempt;        /* from the built-in limits: loopback, relay-from, unix sockets */
    struct str account; /* who logged in, or tries to; empty: nobody, and not counted by */
    bool known;         /* logged in to ACCOUNT from there not long ago: what others guess of it does not shut it out */
    struct str sender;  /* reverse-path; empty: null or not known, and not counted by */
    const struct config_limits *limits;
};

/* 16 octets as the address they are, an IPv4-mapped one as IPv4; IP_NONE when there are none. */
struct ip policy_client_of(struct str client);
/* A party with what its address says: an IPv4-mapped address becomes the IPv4 address it is. */
struct policy_party policy_party_of(struct str client, struct str sender, const struct config_limits *limits);

struct policy_excess {
    const struct config_limit *limit;
    uint64_t value; /* what it would have come to */
};

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_HELD,    /* taken, but kept: a limit that says hold is exceeded, and none that refuses */
    POLICY_REFUSED, /* a limit is in the way */
};

/* May N more of MEASURE be? Takes nothing. *over, unless ALLOWED, is the first limit that says so. */
enum policy_verdict policy_limits_judge(struct policy_counters *c, const struct policy_party *party,
                                        enum config_limit_measure measure, uint64_t n, int64_t now_msec,
                                        struct policy_excess *over);
/* How much of a limit is used now: connections open, or of its rate. */
struct policy_use {
    const struct config_limit *limit;
    uint64_t value;
};

/* Of each limit that binds the party, at most MAX; returns how many. Takes nothing. */
size_t policy_limits_uses(struct policy_counters *c, const struct policy_party *party, int64_t now_msec,
                          struct policy_use *uses, size_t max);
/* N of MEASURE have been, allowed or not. For connections: are open from now on. */
void policy_limits_take(struct policy_counters *c, const struct policy_party *party,
                        enum config_limit_measure measure, uint64_t n, int64_t now_msec);
/* A connection that was taken is closed. */
void policy_limits_release(struct policy_counters *c, const struct policy_party *party, int64_t now_msec);

#endif
