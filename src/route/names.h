/* route/names.h -- the names of a users file, as a compact set: 30 octets or so a name. Pure. */
#ifndef ROUTE_NAMES_H
#define ROUTE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum { ROUTE_NAMES_OCTETS_MAX = 512 << 20, ROUTE_NAMES_SLOTS_MAX = 512 << 20 };

/* Init: ROUTE_NAMES_INIT; end with route_names_done(). */
struct route_names {
    struct buf octets; /* for each name: length of local part, length of domain, both */
    struct buf slots;  /* open addressing: 32-bit places in octets, one more than they are; 0 is free */
    size_t n;
    size_t n_at_domain; /* of them, those of one domain only */
};

#define ROUTE_NAMES_INIT                                                                                     \
    ((struct route_names){ .octets = BUF_INIT(ROUTE_NAMES_OCTETS_MAX),                                       \
                           .slots = BUF_INIT(ROUTE_NAMES_SLOTS_MAX) })

void route_names_done(struct route_names *names);

enum route_names_add { ROUTE_NAMES_ADDED, ROUTE_NAMES_KNOWN, ROUTE_NAMES_FULL };

/* DOMAIN is canonical, or empty: every domain. LOCAL has 1 to ROUTE_LOCAL_MAX octets; the first spelling stays. */
enum route_names_add route_names_add(struct route_names *names, struct str local, struct str domain);
/*
 * LOCAL in any case, at DOMAIN itself or else at every domain. *spelled is the local part as the file has it
 * and borrows from NAMES.
 */
bool route_names_find(const struct route_names *names, struct str local, struct str domain,
                      struct str *spelled);

#endif
