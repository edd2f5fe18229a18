/* lookup/verified.h -- what next hops said of addresses of domains with `users ask`, for a while. */
#ifndef LOOKUP_VERIFIED_H
#define LOOKUP_VERIFIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "core/map.h"
#include "core/str.h"

/* A mailbox seldom goes away, but a new one must not be refused for long. */
enum {
    LOOKUP_VERIFIED_MAX = 100000,
    LOOKUP_EXISTS_MSEC = 60 * 60 * 1000,
    LOOKUP_UNKNOWN_MSEC = 10 * 60 * 1000
};

/* At most MAX addresses; beyond, the one that was asked about longest ago goes. */
struct lookup_verified {
    struct map map;
    struct list asked; /* last asked about first */
    size_t max;
};

enum lookup_known { LOOKUP_NOT_KNOWN, LOOKUP_EXISTS, LOOKUP_EXISTS_NOT };

/* SEED: a random number. End with lookup_verified_done(). */
void lookup_verified_init(struct lookup_verified *v, uint64_t seed, size_t max);
void lookup_verified_done(struct lookup_verified *v);
/* Without memory it is forgotten, and the next hop is asked again. */
void lookup_verified_put(struct lookup_verified *v, struct str local, struct str domain, bool exists,
                         int64_t now_msec);
/* LOCAL in the case it is written in: whether it matters is for the next hop to say (RFC 5321 2.4). */
enum lookup_known lookup_verified_get(struct lookup_verified *v, struct str local, struct str domain,
                                      int64_t now_msec);

#endif
