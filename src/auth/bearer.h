/* auth/bearer.h -- what clients say with OAUTHBEARER (RFC 7628 3.1) and XOAUTH2, and what is said to them. Pure. */
#ifndef AUTH_BEARER_H
#define AUTH_BEARER_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/str.h"

enum { BEARER_MESSAGE_MAX = 12288, BEARER_USER_MAX = 255 };

/* Both borrow from the message. USER of OAUTHBEARER has its "=2C" and "=3D" still; empty: the token alone says who. */
struct bearer {
    struct str user;
    struct str token; /* of `auth=Bearer …` (RFC 6750 2.1): b64token, not empty */
};

/* gs2-header kvsep *kvpair kvsep, without channel binding; unknown pairs are skipped. */
MUST_USE bool bearer_read(struct str message, struct bearer *out);
/* user=… kvsep auth=Bearer … kvsep kvsep. */
MUST_USE bool bearer_read_xoauth2(struct str message, struct bearer *out);

/* The error result that goes out as a challenge before the exchange fails (RFC 7628 3.2.2). */
struct str bearer_refusal(bool xoauth2);

#endif
