/* dns/resolver.h -- asking the DNS, with cache and DNSSEC validation (libunbound). */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "config/config.h"
#include "core/arena.h"
#include "core/dns.h"
#include "core/err.h"
#include "io/loop.h"

struct dns_resolver;

/* What of the machine and the configuration it stands on; borrowed by dns_resolver_new() only. */
struct dns_settings {
    const struct config_resolver *resolvers; /* n == 0: the servers of resolv.conf */
    size_t n_resolvers;
    struct str trust_anchor; /* path; empty: the root anchors */
    struct str resolv_conf;  /* path */
    int64_t timeout_msec;    /* a question that takes longer has failed */
};

/*
 * Reads all files it will ever need, so that the process can enter its sandbox; asks nobody yet. NULL with ERR: a trust
 * anchor that cannot be read (temporary), or settings that cannot be followed (permanent).
 */
struct dns_resolver *dns_resolver_new(struct io_loop *loop, const struct dns_settings *settings, struct err *err);
/* Questions under way must be done before. Takes NULL. */
void dns_resolver_free(struct dns_resolver *r);
/* Whom it asks, for people: "192.0.2.53,2001:db8::53@5353", "root servers". */
struct str dns_resolver_servers(const struct dns_resolver *r);

/* One question, embedded in its owner. */
struct dns_query {
    struct dns_resolver *resolver;
    struct arena *arena;
    struct io_task ready;
    struct io_timer timer;
    enum dns_type type;
    int async_id;
    bool underway;            /* in libunbound */
    bool inside;              /* within the call that asks */
    bool cached;              /* answered from memory: says nothing of servers */
    struct dns_answer answer; /* in ARENA */
    void (*answered)(struct dns_query *q);
};

/*
 * Asks for NAME (no final dot needed, A-labels). ANSWERED is called once, from the loop, never from here, with
 * q->answer filled, unless dns_query_done() comes first. ARENA must live as long as the query.
 */
void dns_query_ask(struct dns_query *q, struct dns_resolver *r, struct str name, enum dns_type type,
                   struct arena *arena, void (*answered)(struct dns_query *q));
/* Needed after each ask, also after the answer; what is under way is forgotten. */
void dns_query_done(struct dns_query *q);

#endif
