/* route/users.h -- users files: the passwd form, of which only names are kept (FACE 1.11). Pure. */
#ifndef ROUTE_USERS_H
#define ROUTE_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"
#include "route/fault.h"
#include "route/local.h"
#include "route/names.h"

/* Accounts of this machine that are people: mail for the others needs an alias (FACE 1.9, users system). */
enum { ROUTE_UID_FIRST = 1000, ROUTE_UID_LAST = 65533 };

enum { ROUTE_USERS_NAME_MAX = ROUTE_LOCAL_MAX + 1 + ROUTE_DOMAIN_MAX };

/*
 * Reads name[:{SCHEME}hash[:uid:gid:gecos:home:shell:extra]] a line; empty lines and those that begin with #
 * are skipped. What follows the name is passed over without being kept, but for the uid in a SYSTEM file.
 */
struct route_users_parser {
    struct route_names *names;
    struct route_faults *faults;
    bool system; /* /etc/passwd: only accounts of ROUTE_UID_FIRST to ROUTE_UID_LAST count */
    bool has_uid;
    bool too_long;
    bool full; /* NAMES could not take all: what it holds is of no use */
    unsigned field;
    uint32_t line;
    uint64_t uid;
    size_t n;
    char name[ROUTE_USERS_NAME_MAX];
};

/* Who a line of a users file is about. */
enum route_users_line {
    ROUTE_USERS_NOBODY, /* an empty line, a comment */
    ROUTE_USERS_SOMEBODY,
    ROUTE_USERS_WRONG,
};

struct route_users_name {
    struct str local;  /* borrows from the line */
    struct str domain; /* canonical, in the arena given; empty: every domain */
    const char *wrong; /* of WRONG: why */
};

/* NAME is what stands before the first colon of a line; ALONE: it has none. */
enum route_users_line route_users_name(struct str name, bool alone, struct arena *a, struct route_users_name *out);

void route_users_begin(struct route_users_parser *p, struct route_names *names, struct route_faults *faults,
                       bool system);
/*
 * The next octets of the file; how it is cut into pieces makes no difference. A bad line is a fault and takes
 * no other line with it. False: no room for more names.
 */
MUST_USE bool route_users_feed(struct route_users_parser *p, struct str octets);
/* The end of the file; also ends a last line without line end. */
MUST_USE bool route_users_end(struct route_users_parser *p);

#endif
