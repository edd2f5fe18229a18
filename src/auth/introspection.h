/* auth/introspection.h -- asking the issuer whether a token holds (RFC 7662), and remembering it for a minute. */
#ifndef AUTH_INTROSPECTION_H
#define AUTH_INTROSPECTION_H

#include "auth/token.h"
#include "core/buf.h"

enum { INTROSPECTION_KEEP_SEC = 60, INTROSPECTIONS_MAX = 256, INTROSPECTION_ACCOUNT_MAX = 320 };

/* By the hash of the token: the token itself is not kept. */
struct introspection {
    unsigned char hash[32];
    int64_t until; /* seconds UTC; 0: nothing is here */
    bool good;
    const char *why; /* not good */
    size_t n_account;
    char account[INTROSPECTION_ACCOUNT_MAX];
};

struct introspections {
    struct introspection items[INTROSPECTIONS_MAX];
};

/* Appends S as application/x-www-form-urlencoded has it. */
bool form_add(struct buf *out, struct str s);
/* Appends the request's form (RFC 7662 2.1). */
bool introspection_form(struct buf *out, struct str token);

/* What is remembered of TOKEN at ISSUER; NULL: nothing that still counts. */
const struct introspection *introspection_find(const struct introspections *said, const struct config_oauth *issuer,
                                               struct str token, int64_t now);
/*
 * Reads the answer's BODY (RFC 7662 2.2) as token_check() does a token, and remembers what it says. False: it is
 * no such answer.
 */
MUST_USE bool introspection_take(struct introspections *said, const struct config_oauth *issuer, struct str token,
                                 struct str body, int64_t now, struct introspection *out);

#endif
