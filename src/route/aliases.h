/* route/aliases.h -- alias files in the form of aliases(5), as an index (FACE 1.11). Pure. */
#ifndef ROUTE_ALIASES_H
#define ROUTE_ALIASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"
#include "route/fault.h"

/*
 * name: target, target    in every domain the file stands for
 * name@domain: target     in that one
 * @domain: target         every name of that domain that nothing else knows
 * owner-name: target      the reverse-path of mail to the list NAME
 *
 * Comments begin with #, a line that begins with a blank continues the one before, "quoted" parts hold anything.
 */
enum route_target_kind {
    ROUTE_TARGET_ADDRESS, /* user@domain; user, in the domain looked at; @domain, the same name there */
    ROUTE_TARGET_MAILBOX, /* \name: that mailbox, no further alias */
    ROUTE_TARGET_INCLUDE, /* :include:/path, a file of targets */
    ROUTE_TARGET_COMMAND, /* |command */
    ROUTE_TARGET_FILE,    /* /file */
    ROUTE_TARGET_BROKEN,  /* what could not be read: the entry is known, and cannot be had */
};

struct route_target {
    enum route_target_kind kind;
    struct str text;   /* local part without quoting; path; command */
    struct str domain; /* canonical; empty: none was written */
};

/* An entry, as places in the index's octets and targets; opaque to others. */
struct route_alias {
    uint32_t key;
    uint32_t line;
    uint32_t first;
    uint32_t n;
    uint8_t local_n;
    uint8_t domain_n;
};

enum { ROUTE_ALIASES_FILE_MAX = 64 << 20, ROUTE_ALIASES_INDEX_MAX = 1 << 30 };

/* Init: ROUTE_ALIASES_INIT; end with route_aliases_done(). */
struct route_aliases {
    struct buf octets;
    struct buf entries; /* struct route_alias */
    struct buf targets; /* as packed in aliases.c */
    struct buf slots;   /* open addressing: 32-bit numbers of entries, one more than they are; 0 is free */
    uint32_t owner;     /* uid of whom the file belongs to */
    bool guarded;       /* nobody but its owner may write to it */
};

#define ROUTE_ALIASES_INIT                                                                                   \
    ((struct route_aliases){ .octets = BUF_INIT(ROUTE_ALIASES_INDEX_MAX),                                    \
                             .entries = BUF_INIT(ROUTE_ALIASES_INDEX_MAX),                                   \
                             .targets = BUF_INIT(ROUTE_ALIASES_INDEX_MAX),                                   \
                             .slots = BUF_INIT(ROUTE_ALIASES_INDEX_MAX) })

void route_aliases_done(struct route_aliases *aliases);

/*
 * Read a whole file of at most ROUTE_ALIASES_FILE_MAX octets into the empty *aliases. A bad line is a fault
 * and takes no other with it; an entry with a bad target keeps it as ROUTE_TARGET_BROKEN. False: without
 * memory, and *aliases is empty again.
 */
MUST_USE bool route_aliases_parse(struct route_aliases *aliases, struct str text,
                                  struct route_faults *faults);
/* The same for a file of :include: -- targets alone, any number a line; together they are entry 0. */
MUST_USE bool route_list_parse(struct route_aliases *aliases, struct str text, struct route_faults *faults);

/* The entry of LOCAL (any case) at DOMAIN, or of LOCAL everywhere; NULL for none. */
const struct route_alias *route_aliases_find(const struct route_aliases *aliases, struct str local,
                                             struct str domain);
/* The entry "@DOMAIN". */
const struct route_alias *route_aliases_find_domain(const struct route_aliases *aliases, struct str domain);

size_t route_aliases_count(const struct route_aliases *aliases);
const struct route_alias *route_aliases_entry(const struct route_aliases *aliases, size_t i);
/* As the file has it; one of them may be empty. Borrowed from ALIASES, as targets are. */
void route_alias_key(const struct route_aliases *aliases, const struct route_alias *entry, struct str *local,
                     struct str *domain);
/* I < entry->n. */
struct route_target route_alias_target(const struct route_aliases *aliases, const struct route_alias *entry,
                                       size_t i);

#endif
