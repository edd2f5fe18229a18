/* route/find.h -- what one address is: mailbox, alias, another address, or nothing of ours. Pure. */
#ifndef ROUTE_FIND_H
#define ROUTE_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/ip.h"
#include "core/str.h"
#include "route/match.h"
#include "route/table.h"

/* The configuration, and the tables as they are now. */
struct route_view {
    const struct config *config;
    const struct ip *own; /* our addresses: a literal of them is the origin's */
    size_t n_own;
    const struct route_index *routes; /* of CONFIG */
    uint32_t owner;                   /* beside root, whose alias files may name commands */
    /* The table of that form and path; NULL while it cannot be had. */
    const struct route_table *(*table)(void *ctx, enum route_form form, struct str path);
    void *ctx;
};

enum route_find_mode {
    ROUTE_FIND_ALL,     /* as RCPT means it */
    ROUTE_FIND_MAILBOX, /* what aliases led to: users alone */
};

enum route_kind {
    ROUTE_MAILBOX,
    ROUTE_ALIAS,    /* an entry of an alias file */
    ROUTE_REDIRECT, /* another address: catch-all, postmaster */
    ROUTE_UNKNOWN,  /* a domain of ours, no such mailbox */
    ROUTE_FOREIGN,  /* no domain of ours */
    ROUTE_NO_TABLE, /* a table that would have to be asked cannot be had */
    ROUTE_NO_MEMORY,
};

/* What changed a recipient; by= of event=expand. */
enum route_by {
    ROUTE_BY_ITSELF,
    ROUTE_BY_ALIAS,
    ROUTE_BY_LIST, /* an alias with an owner */
    ROUTE_BY_CATCH_ALL,
    ROUTE_BY_POSTMASTER,
    ROUTE_BY_ORIGIN, /* <Postmaster>, or an address literal of ours */
    ROUTE_BYS,
};

struct route_hit {
    enum route_kind kind;
    enum route_by by;
    const struct config_domain *block; /* NULL: FOREIGN */
    struct str domain;                 /* a name of the block */
    struct str user;                   /* MAILBOX: as the users table spells it */
    struct str detail;                 /* MAILBOX: may be empty */
    bool assumed; /* MAILBOX: no table knows the name (users any, postmaster, abuse, routed) */
    bool routed;  /* MAILBOX: a `route` names it, and nothing else */
    bool ask;     /* MAILBOX: whether it exists only the next hop knows */
    const struct route_aliases *aliases; /* ALIAS */
    const struct route_alias *entry;     /* ALIAS */
    struct str to_local;                 /* REDIRECT */
    struct str to_domain;                /* REDIRECT */
    struct str path; /* the file that decided, with the line of ENTRY; NO_TABLE: that cannot be had */
    struct config_place place; /* what decided where no file did */
};

/*
 * LOCAL without quoting, in any case; DOMAIN canonical, an address literal, or empty for <Postmaster>.
 * The full address is looked for first, then it without detail; each time in aliases before users. Then comes
 * a `route` for this address, which needs no mailbox: whether its conditions hold is for the caller to see.
 * Then the roles postmaster and abuse, catch-all, and an "@domain" alias. Texts of *hit borrow from the
 * arguments, the view and ARENA.
 */
void route_find(const struct route_view *view, struct str local, struct str domain, enum route_find_mode mode,
                struct arena *arena, struct route_hit *hit);

/*
 * The route that a MAILBOX or a FOREIGN address, asked for by Q's local part, takes; of Q the sender and the
 * listener count besides. NULL: it is `routed`, and the conditions of its route do not hold: there is no such
 * address. Or (FOREIGN) no route leads there.
 */
const struct config_route *route_of(const struct route_view *view, const struct route_hit *hit,
                                    struct route_question q);

/* The domain that <Postmaster> and literals of our own addresses mean; NULL when none is served. */
const struct config_domain *route_home(const struct route_view *view, struct str *name);
/* An address of the configuration, without its quoting, in ARENA. False without memory. */
MUST_USE bool route_read_address(const struct config_address *written, struct arena *arena, struct str *local,
                                 struct str *domain);
/* The first alias entry of LOCAL in the block's files; path and table as in struct route_hit. */
enum route_kind route_find_alias(const struct route_view *view, const struct config_domain *block,
                                 struct str local, struct str domain, struct route_hit *hit);
/* "/etc/veredus/aliases:12" or "veredus.conf:17", in ARENA. */
struct str route_hit_rule(const struct route_view *view, const struct route_hit *hit, struct arena *arena);
/* "alias", "catch-all", …; "" for ITSELF. */
struct str route_by_name(enum route_by by);

#endif
