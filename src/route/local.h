/* route/local.h -- local parts and domains as tables compare them (RFC 5321 2.4, FACE 1.5). Pure. */
#ifndef ROUTE_LOCAL_H
#define ROUTE_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"

/* What a path can hold at most beside "@" and one octet of domain (RFC 5321 4.5.3.1.3). */
enum { ROUTE_LOCAL_MAX = 254, ROUTE_DOMAIN_MAX = 255 };

/* A local part in the form in which names are compared: ASCII letters small, all else as it is. */
struct route_folded {
    size_t n;
    char c[ROUTE_LOCAL_MAX];
};

/* False when LOCAL is longer than any local part. */
MUST_USE bool route_fold(struct str local, struct route_folded *out);

static inline struct str route_folded_str(const struct route_folded *f)
{
    return (struct str){ f->c, f->n };
}

/*
 * Cut LOCAL at the first of SEPARATORS that leaves something in front of it: "anna+news" is anna and news.
 * False, and outputs untouched, when there is none. *detail may be empty ("anna+").
 */
MUST_USE bool route_cut_detail(struct str local, struct str separators, struct str *user, struct str *detail);

/* postmaster and abuse, in any case: always accepted (RFC 5321 4.5.1, RFC 2142). */
bool route_is_role(struct str local);

/* What a mailbox or alias may be called: 1 to 254 octets of well-formed UTF-8, none of them control octets. */
bool route_local_is_sane(struct str local);

/* A domain in any case or with U-labels, as lower-case A-labels in A. False: no domain, or no memory. */
MUST_USE bool route_domain_normal(struct arena *a, struct str written, struct str *out);

#endif
