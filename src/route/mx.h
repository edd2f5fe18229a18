/*
 * route/mx.h -- from what the DNS says of a next hop to the plan: hosts and addresses in the order to try them
 * (RFC 5321 5.1, RFC 7505, RFC 3974). Pure: whoever asks the DNS hands the answers in.
 */
#ifndef ROUTE_MX_H
#define ROUTE_MX_H

#include "config/config.h"
#include "core/arena.h"
#include "core/dns.h"
#include "route/plan.h"

/* MX hosts beyond the first so many, and addresses of one host beyond so many, are left out. */
enum { ROUTE_MX_HOSTS_MAX = 20, ROUTE_MX_ADDRESSES_MAX = 16 };
/* For how long a plan, or its failure, may be used: what the records say, within these. */
enum { ROUTE_KEEP_LEAST_MSEC = 30 * 1000, ROUTE_KEEP_MOST_MSEC = 60 * 60 * 1000 };

/* Who we are, and what the route demands. Names are lower case. */
struct route_mx_view {
    const struct str *names; /* our host names */
    size_t n_names;
    const struct ip *own; /* our addresses */
    size_t n_own;
    uint16_t port;             /* of hosts that come without */
    enum config_family family; /* unless route_mx_family() says otherwise */
};

enum route_trouble {
    ROUTE_TROUBLE_NONE,
    ROUTE_TROUBLE_NO_DOMAIN,
    ROUTE_TROUBLE_NO_MX,
    ROUTE_TROUBLE_NULL_MX,
    ROUTE_TROUBLE_LOOP,
    ROUTE_TROUBLE_DNS, /* the only one that may be over later */
};

/* Why there is no plan; CODE is the enhanced one. */
struct route_no_plan {
    enum route_trouble trouble;
    struct str code;
    struct str text;
};

/* One host, whose addresses are to be asked for as WANT_ says, unless it comes with one. */
struct route_host {
    struct str name;
    uint16_t preference;
    bool want_v4;
    bool want_v6;
    struct dns_answer v4; /* the caller's to fill */
    struct dns_answer v6;
    struct ip literal; /* IP_NONE: ask */
    struct str path;   /* of a unix socket: nothing to ask */
};

/* What one target of a route leads to. */
struct route_hosts {
    struct str domain; /* by MX; empty for a host that the configuration names */
    bool implicit;     /* no MX: the domain stands for itself */
    bool secure;
    uint32_t ttl;
    uint16_t port;
    bool tls_at_once;
    enum config_family family; /* `any`: in turn, IPv6 first */
    enum route_plan_protocol protocol;
    struct route_host items[ROUTE_MX_HOSTS_MAX];
    size_t n;
    const struct route_plan_address *addresses; /* by route_mx_addresses() */
    size_t n_addresses;
    bool gaps; /* something could not be had now: ask again soon */
    struct route_no_plan why;
};

/*
 * The hosts of DOMAIN by its MX answer: lower preference first, equal ones in an order that SEED decides; without us
 * and without who is no better than us (C141). False: there are none, out->why says why. Texts live in A.
 */
MUST_USE bool route_mx_hosts(const struct route_mx_view *view, struct str domain, const struct dns_answer *mx,
                             uint64_t seed, struct arena *a, struct route_hosts *out);
/*
 * The host of a domain that is an address literal, "[192.0.2.1]" or "[IPv6:2001:db8::1]"; false: it is none that
 * mail can be sent to, out->why says why.
 */
MUST_USE bool route_mx_literal(const struct route_mx_view *view, struct str domain, struct arena *a,
                               struct route_hosts *out);
/* The host of a target smtp://, lmtp:// or lmtp:unix:; false without memory. */
MUST_USE bool route_mx_named(const struct route_mx_view *view, const struct config_target *target, struct arena *a,
                             struct route_hosts *out);
/* Other addresses than the view says: before any is asked for. */
void route_mx_family(struct route_hosts *hosts, enum config_family family);
/* With the answers filled in: hosts->addresses, in A; or hosts->why, where there are none. */
void route_mx_addresses(const struct route_mx_view *view, struct arena *a, struct route_hosts *hosts);
/* The targets of a route, then those of its fallback. */
struct route_targets {
    struct route_hosts *items;
    size_t n;          /* of the route, at least one */
    size_t n_fallback; /* behind them */
};

/*
 * All targets of a route as one plan, in their order, the fallback's last; those that failed are left out while another
 * did not. A domain that takes no mail, and one whose mail would come back to us, do not fall back. False: there is no
 * address; *why is that of one that may do better later, else that of the first. *keep_msec either way.
 */
MUST_USE bool route_mx_join(const struct route_targets *targets, struct arena *a, struct route_plan *plan,
                            uint64_t *keep_msec, struct route_no_plan *why);

/* This host, this link, nobody, everybody: no MX of the internet has such an address. */
bool route_mx_is_nowhere(struct ip address);
/* Of a host that the configuration names; PORT: the route's. */
uint16_t route_mx_port(const struct config_target *target, uint16_t port);

#endif
