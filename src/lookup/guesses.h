/* lookup/guesses.h -- guesses at passwords whose outcome is not known yet, and those that wait for it. */
#ifndef LOOKUP_GUESSES_H
#define LOOKUP_GUESSES_H

#include "core/list.h"
#include "core/map.h"
#include "ipc/channel.h"
#include "policy/limits.h"

/* Of all auth processes; each has at most 1024 exchanges (auth/exchange.h). */
enum { LOOKUP_GUESSES_MAX = 8192, LOOKUP_GUESS_ACCOUNT_MAX = 512 };

/* Compared as octets. */
struct lookup_guess_key {
    const struct ipc_channel *from;
    uint64_t ticket;
};

struct lookup_guess {
    struct map_node node;
    struct list waits; /* for a count of policy/open.h to sink, then in `woken` */
    struct lookup_guess_key key;
    struct ipc_channel *from;
    bool under_way; /* allowed, and counted until it ends */
    bool given_up;  /* nobody is interested in the answer any more */
    struct policy_party party; /* as it was at first: it ends by the counts by which it began */
    char account[LOOKUP_GUESS_ACCOUNT_MAX];
};

/* Init: lookup_guesses_init(). */
struct lookup_guesses {
    struct map map;
    struct list woken; /* to be judged again */
};

void lookup_guesses_init(struct lookup_guesses *g, uint64_t seed);
/* Their counts are left as they are. */
void lookup_guesses_done(struct lookup_guesses *g);
/* One of PARTY, whose account is copied; NULL: there is one of that ticket, too many are there, or memory is out. */
struct lookup_guess *lookup_guesses_add(struct lookup_guesses *g, struct ipc_channel *from, uint64_t ticket,
                                        const struct policy_party *party);
struct lookup_guess *lookup_guesses_find(const struct lookup_guesses *g, const struct ipc_channel *from,
                                         uint64_t ticket);
/* Any of that process, NULL: there is none (any more). */
struct lookup_guess *lookup_guesses_of(const struct lookup_guesses *g, const struct ipc_channel *from);
/* It is free afterwards, and in no list. */
void lookup_guesses_remove(struct lookup_guesses *g, struct lookup_guess *guess);

#endif
