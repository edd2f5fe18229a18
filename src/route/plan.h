/* route/plan.h -- what `resolve` says of a next hop now: hosts and addresses in the order to try them (DESIGN 2). Pure. */
#ifndef ROUTE_PLAN_H
#define ROUTE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/ip.h"
#include "core/str.h"

enum { ROUTE_PLAN_ADDRESSES_MAX = 64, ROUTE_PLAN_OCTETS_MAX = 64 << 10 };

enum route_plan_protocol { ROUTE_PLAN_SMTP, ROUTE_PLAN_LMTP };

/* One address to connect to. Addresses of one host stand together. */
struct route_plan_address {
    struct str host;         /* its name, lower case; of a literal "[192.0.2.1]"; of a unix socket "unix:PATH" */
    struct str path;         /* of a unix socket; empty else */
    struct str domain;       /* whose mail it is for, by DNS; empty of a host that the configuration names */
    struct ip address;       /* without PATH */
    uint16_t port;
    uint16_t preference;     /* of its MX; 0 else */
    bool secure;             /* host's addresses were validated by DNSSEC */
    bool by_mx;              /* its host was found by MX: others of its preference may go first (RFC 5321 5.1) */
    bool tls_at_once;        /* the handshake comes first (RFC 8314 3.3) */
    bool fallback;           /* for when no other could be reached; all of these come last */
    uint8_t group;           /* those of one target of the route have one number */
    enum route_plan_protocol protocol;
};

struct route_plan {
    bool secure; /* the MX answer was validated, or no DNS was needed */
    const struct route_plan_address *addresses;
    size_t n;
};

/* False when OUT is full. */
MUST_USE bool route_plan_encode(struct buf *out, const struct route_plan *plan);
/*
 * *plan in A, texts borrowed from IN. False: not a plan, or no memory. Each address has a host without control
 * octets, and either a path or an address and a port.
 */
MUST_USE bool route_plan_decode(struct str in, struct arena *a, struct route_plan *plan);
/* How many addresses come before those of the fallback. */
size_t route_plan_before_fallback(const struct route_plan *plan);
/*
 * The hosts that mail is meant for, each once, in their order, literals without brackets; without fallbacks, unless
 * there is nothing else, and without unix sockets. Texts are the plan's. Gives their number, ROOM at most.
 */
size_t route_plan_names(const struct route_plan *plan, struct str *names, size_t room);
/*
 * Hosts of equal preference found by MX in another order, by SEED: for each connection anew, so that they share the
 * load (RFC 5321 5.1). Targets of the route stay in order, addresses of a host together and in order. Without memory
 * in A the order stays.
 */
void route_plan_shuffle(struct route_plan *plan, uint64_t seed, struct arena *a);
/*
 * The set of hosts as one text: their names, each once, sorted, with port where it is not 25, parted by commas: the
 * same for all domains that share their MX hosts. "lmtp:" and "tls:" stand before one that is spoken to so, that no
 * connection of one protocol is taken for the other's. False when OUT is full.
 */
MUST_USE bool route_plan_hosts(const struct route_plan *plan, struct buf *out);
/* The domains whose mail it is for, each once, a blank before each: where certificates are for them, not for hosts. */
MUST_USE bool route_plan_domains(const struct route_plan *plan, struct buf *out);

#endif
