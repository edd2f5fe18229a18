/* auth/claims.h -- what a token, or its issuer of it, claims: for whom, for where, until when (RFC 7519 4.1). Pure. */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include <jansson.h>

#include "config/config.h"

/* SAID: by the issuer itself, just now; it need not say who it is, nor an end (RFC 7662 2.2). */
enum claims_of { CLAIMS_SIGNED, CLAIMS_SAID };

/* NULL: they are for us, at NOW (seconds UTC, give or take TOKEN_SKEW_SEC); else why not. */
const char *claims_check(const json_t *claims, const struct config_oauth *issuer, enum claims_of of, int64_t now);
/* The value of the issuer's login-claim, borrowed from CLAIMS; empty: it has none that could be an account. */
struct str claims_account(const json_t *claims, const struct config_oauth *issuer);
/* Do they name ISSUER? */
bool claims_name_issuer(const json_t *claims, const struct config_oauth *issuer);
/* When they end (with the skew), or LATEST if that comes first. */
int64_t claims_until(const json_t *claims, int64_t latest);

#endif
