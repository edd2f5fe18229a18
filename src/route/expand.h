/* route/expand.h -- what a recipient becomes by aliases, lists and catch-alls (RFC 5321 3.9). Pure. */
#ifndef ROUTE_EXPAND_H
#define ROUTE_EXPAND_H

#include <stddef.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"
#include "message/envelope.h"
#include "route/find.h"

enum { ROUTE_DEPTH_MAX = 10 };

enum route_status {
    ROUTE_OK,
    ROUTE_IS_FOREIGN,   /* not a domain of ours */
    ROUTE_IS_UNKNOWN,   /* no such mailbox, or an alias that leads to none */
    ROUTE_HAS_NO_TABLE, /* a table cannot be had now */
    ROUTE_IS_BROKEN,    /* an entry of which something could not be read */
    ROUTE_IS_OFF,       /* leads to a command or file, and alias-commands is off */
    ROUTE_IS_UNGUARDED, /* the same, in a file that others than root may write to */
    ROUTE_IS_LOOP,      /* leads nowhere but to itself, or deeper than ROUTE_DEPTH_MAX */
    ROUTE_IS_TOO_MUCH,  /* more addresses than max-expansion */
    ROUTE_HAS_NO_MEMORY,
    ROUTE_STATUSES,
};

/*
 * An address that mail goes to, LOCAL in the case it was written in; or a command or file, which LOCAL is then, of an
 * alias in DOMAIN.
 */
struct route_result {
    size_t index; /* the recipient it comes from */
    enum envelope_kind kind;
    struct str local;
    struct str domain;
    struct str sender; /* a list's owner, in place of the reverse-path; empty: it stays as it is */
    struct str rule;   /* what changed the recipient; empty: nothing did */
    enum route_by by;
};

struct route_seen {
    struct str *slots;
    size_t room;
    size_t n;
};

/* What all recipients of one message become; no address twice. Init: { .arena = a }; all lives there. */
struct route_results {
    struct arena *arena;
    struct route_result *items;
    size_t n;
    size_t room;
    struct route_seen seen;
};

/* Why it failed: the deciding place, and the address at which it did. In the arena of the results. */
struct route_failure {
    struct str rule;
    struct str address;
};

/*
 * Add what LOCAL@DOMAIN becomes. One that another recipient became already is not added again, so OK may add
 * nothing. An address of ours that an alias names and that does not exist is a result all the same, beside
 * others that do: its failure is then reported to the sender. Addresses elsewhere are results as they are, commands
 * and files are where `alias-commands` is on and the alias file is root's alone. Nothing is added unless OK.
 */
MUST_USE enum route_status route_expand(const struct route_view *view, struct str local, struct str domain,
                                        size_t index, struct route_results *results,
                                        struct route_failure *why);
/* The same for one entry of an alias file, asked for by LOCAL; HIT is that of an alias (route_find()). */
MUST_USE enum route_status route_expand_entry(const struct route_view *view, struct str local,
                                              const struct route_hit *hit, struct route_results *results,
                                              struct route_failure *why);
/* Add LOCAL@DOMAIN as it is. False without memory. */
MUST_USE bool route_results_add(struct route_results *results, const struct route_result *result);

#endif
