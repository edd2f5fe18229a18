/* route/tls.h -- by which names we know the next hop inside TLS (FACE 1.7; RFC 9525 2, 6). Pure. */
#ifndef ROUTE_TLS_H
#define ROUTE_TLS_H

#include "config/config.h"
#include "route/plan.h"

/*
 * Do the names of these values follow the recipient's domain? Then what is a connection for one domain is none for
 * another (C100). So it is at `secure` without names, and where a password is at stake, which no forged MX may lead
 * astray.
 */
bool route_tls_is_of_domain(const struct config_sending *s);

/*
 * Does R's configuration lead to A? Because it names that host or socket, or A is for the domain whose MX it means: DOMAIN,
 * where it names none. Plans are made by those who listen to the internet, and hosts that they made up may well have
 * certificates of their own (ADR 0023).
 */
bool route_tls_leads_to(const struct config_route *r, const struct route_plan_address *a, struct str domain);

/* The same of one of its targets. */
bool route_tls_target_leads_to(const struct config_target *t, const struct route_plan_address *a, struct str domain);
/*
 * Could a plan for R have A, to the port, the protocol, and the address where the configuration says it, and never what no
 * MX has (loopback, link-local and the like)? Only to which of all other addresses a host's name leads is DNS's to say. For
 * plans that somebody else brings than who made them (within.c).
 */
bool route_is_within(const struct config_route *r, const struct route_plan_address *a, struct str domain);

struct route_tls_names {
    const struct str *items;
    size_t n; /* 0: there is none that could be checked, as of an address literal */
    struct str own[2];
};

/*
 * The names that A's certificate may be for: those that the configuration says; else the host, if the configuration
 * names it, or it is `verify` that is asked for. What only an unsigned MX says is not believed at `secure`: there it is
 * the domain, or the host where that is a name below the domain. *out borrows of S and A, and must not move.
 */
void route_tls_names(const struct config_sending *s, const struct route_plan_address *a, struct route_tls_names *out);

#endif
