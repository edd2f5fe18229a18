/* auth/token.h -- tokens that are signed: JWT (RFC 7519, 7515), checked with the keys of an issuer (RFC 7517). */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "config/config.h"
#include "core/arena.h"
#include "core/err.h"

enum { TOKEN_KEYS_MAX = 64, TOKEN_KEYS_FILE_MAX = 1 << 20, TOKEN_SKEW_SEC = 60 };

struct token_keys;

/* A JWK set. Keys of kinds that are not used here are skipped; NULL with ERR when TEXT is none, or has no key for us. */
struct token_keys *token_keys_parse(struct str text, struct err *err);
/* Takes NULL. */
void token_keys_free(struct token_keys *keys);

/*
 * What TOKEN says of itself, nothing of it checked: is it signed at all, by ISSUER, with a key that KEYS (NULL:
 * none) may have?
 */
enum token_look { TOKEN_OPAQUE, TOKEN_FOREIGN, TOKEN_UNKNOWN, TOKEN_KNOWN };
enum token_look token_look(struct str token, const struct token_keys *keys, const struct config_oauth *issuer);

enum token_verdict { TOKEN_GOOD, TOKEN_BAD, TOKEN_NO_MEMORY };

/*
 * Is TOKEN one of ISSUER's, for one of its audiences, at NOW (seconds UTC, give or take TOKEN_SKEW_SEC), signed by RS256,
 * PS256, ES256 or EdDSA with one of KEYS? GOOD: *account is what its login-claim says, in A. BAD: *why says why.
 */
enum token_verdict token_check(struct str token, const struct token_keys *keys, const struct config_oauth *issuer,
                               int64_t now, struct arena *a, struct str *account, const char **why);

#endif
