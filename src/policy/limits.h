/* policy/limits.h -- the directive limit: counters by client, network, account and sender (FACE 1.8). Pure. */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/bug.h"
#include "core/ip.h"
#include "core/list.h"
#include "core/str.h"
#include "policy/open.h"
#include "policy/rates.h"

/*
 * What limits count. How much of a rate is used outlives us, in memory that all lookup processes share; what is open is
 * this process's own: connections, and guesses at passwords whose outcome nobody knows yet. What is not known is at its
 * best: forgetting only ever lets pass.
 */
struct policy_counters {
    struct policy_rates *rates;
    struct policy_open *open;
};

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

/* In order: what a stronger one says holds. */
enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_HELD,    /* taken, but kept: a limit that says hold is exceeded, and none that refuses */
    POLICY_WAITS,   /* of a guess: only those under way are in the way, and they may turn out to be right */
    POLICY_REFUSED, /* a limit is in the way */
};

/* May N more of MEASURE be? Takes nothing. *over, unless ALLOWED, is the first limit that says so. */
enum policy_verdict policy_limits_judge(const struct policy_counters *c, const struct policy_party *party,
                                        enum config_limit_measure measure, uint64_t n, int64_t now_msec,
                                        struct policy_excess *over);
/* How much of a limit is used now: connections open, or of its rate. */
struct policy_use {
    const struct config_limit *limit;
    uint64_t value;
};

/* Of each limit that binds the party, at most MAX; returns how many. Takes nothing. */
size_t policy_limits_uses(const struct policy_counters *c, const struct policy_party *party, int64_t now_msec,
                          struct policy_use *uses, size_t max);
/* N of MEASURE, which is a rate, have been, allowed or not. */
void policy_limits_take(const struct policy_counters *c, const struct policy_party *party,
                        enum config_limit_measure measure, uint64_t n, int64_t now_msec);

/*
 * One is open from now on, allowed or not: a connection, or of AUTH_FAILURES a guess under way. It ends once, by the same
 * party; what waited for that is then behind the last of WOKEN, to be judged again.
 */
void policy_limits_open(const struct policy_counters *c, const struct policy_party *party,
                        enum config_limit_measure measure);
void policy_limits_close(const struct policy_counters *c, const struct policy_party *party,
                         enum config_limit_measure measure, struct list *woken);
/* NODE, of a guess that was just told to wait because of OVER, is in a list of ours until then; it may be taken out. */
void policy_limits_wait(const struct policy_counters *c, const struct policy_party *party,
                        const struct policy_excess *over, struct list *node);

#endif
