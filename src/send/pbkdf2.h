/* send/pbkdf2.h -- PBKDF2 with HMAC-SHA-256, one block of it (RFC 8018 5.2; the Hi() of RFC 5802 2.2), in steps. */
#ifndef SEND_PBKDF2_H
#define SEND_PBKDF2_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bug.h"
#include "core/str.h"

enum { PBKDF2_KEY = 32 };

struct evp_mac_ctx_st;

struct pbkdf2 {
    struct evp_mac_ctx_st *mac; /* the secret is its key, which is scheduled once */
    unsigned char last[PBKDF2_KEY]; /* U of the iteration before (RFC 8018 5.2) */
    unsigned char key[PBKDF2_KEY];  /* the sum of all so far */
    size_t left;                    /* iterations; 0: KEY is it */
};

/* Nothing is reckoned yet; ITERATIONS is at least 1. SECRET and SALT are copied, and wiped at the end. False: no memory. */
MUST_USE bool pbkdf2_begin(struct pbkdf2 *p, struct str secret, struct str salt, size_t iterations);
/* At most N iterations more. False: no memory, and nothing can be had of it. */
MUST_USE bool pbkdf2_go_on(struct pbkdf2 *p, size_t n);
/* Also after a failure. */
void pbkdf2_done(struct pbkdf2 *p);

#endif
