/* route/match.h -- which route of the configuration a recipient takes (FACE 1.6). Pure. */
#ifndef ROUTE_MATCH_H
#define ROUTE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/str.h"

/* What parts user and detail in addresses of domains that we do not serve: the default of `subaddress`. */
#define ROUTE_FOREIGN_SEPARATORS STR("+")

/* The patterns of all routes, by what they say: a look-up costs the same for ten routes and for ten thousand.
 */
struct route_index;

/* A recipient, and what conditions ask about. */
struct route_question {
    struct str local;      /* without quoting, any case */
    struct str domain;     /* lower-case A-labels, or an address literal */
    struct str separators; /* that part a detail from the user; may be empty */
    struct str sender;     /* reverse-path in its least-quoted form; empty: the null one */
    struct str listener;   /* name of the one it came in by; empty: none */
    struct str account;    /* who logged in to send it, in the form of SENDER; empty: nobody */
    bool released;         /* somebody let it go: routes that say hold are passed over */
};

/* The patterns and names that CONFIG (which outlives it) has, in A. NULL without memory. */
struct route_index *route_index_new(struct arena *a, const struct config *config);

/*
 * Steps: the full address, the address without detail, the domain, the nearest parent first among those of
 * the form
 * ".parent", then "*". The first step with a route that may be taken decides: at one step those with
 * conditions come first, in the order written, then the one without. A step all of whose routes have
 * conditions, none of which holds, is as if it were not there. A domain's `deliver` is a route for the names
 * of that domain. NULL: no route at all, which a configuration does not leave open.
 */
const struct config_route *route_match(const struct route_index *ix, const struct route_question *q);
/*
 * Is there a route, whatever its conditions, for this very address, with (*detail, empty) or without its
 * detail
 * (*user is what the route calls it)? Such an address of ours needs no mailbox.
 */
bool route_index_names(const struct route_index *ix, const struct route_question *q, struct str *user,
                       struct str *detail);
/* Whether ROUTE was found by the address itself, not by its domain or what is above. */
bool route_is_for_address(const struct route_index *ix, const struct route_question *q,
                          const struct config_route *route);

#endif
