/* route/senders.h -- files of the addresses that accounts may send as, as `send-as file:PATH` names them. Pure. */
#ifndef ROUTE_SENDERS_H
#define ROUTE_SENDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"
#include "route/fault.h"

enum { ROUTE_SENDERS_FILE_MAX = 16 << 20, ROUTE_SENDERS_OCTETS_MAX = 512 << 20 };

/* Pairs of an account and an address. Init: ROUTE_SENDERS_INIT; end with route_senders_done(). */
struct route_senders {
    struct buf octets; /* for each pair: its length (u16), then both in the form in which they are compared */
    struct buf slots;  /* open addressing: 32-bit places in octets, one more than they are; 0 is free */
    size_t n;
};

#define ROUTE_SENDERS_INIT                                                                                   \
    ((struct route_senders){ .octets = BUF_INIT(ROUTE_SENDERS_OCTETS_MAX),                                   \
                             .slots = BUF_INIT(ROUTE_SENDERS_OCTETS_MAX) })

void route_senders_done(struct route_senders *senders);

/*
 * Reads lines `ACCOUNT ADDRESS…` into the empty *senders. An ACCOUNT without a domain is that of every domain; an ADDRESS
 * is user@domain, @domain for all of it, or * for every one. Empty lines and those that begin with # are skipped. A bad
 * word is a fault and takes no other with it. False: no room for more.
 */
MUST_USE bool route_senders_parse(struct route_senders *senders, struct str text, struct route_faults *faults);
/* May USER@HOME send as LOCAL@DOMAIN? Local parts without quoting, in any case; domains canonical. */
bool route_senders_have(const struct route_senders *senders, struct str user, struct str home, struct str local,
                        struct str domain);

#endif
