/* auth/issuers.h -- the issuers of tokens that the configuration names, and the keys that their files hold. */
#ifndef AUTH_ISSUERS_H
#define AUTH_ISSUERS_H

#include "auth/token.h"
#include "config/config.h"

struct auth_issuers {
    const struct config *config;
    struct token_keys **keys; /* of each of config->oauths; NULL: not had yet */
};

MUST_USE bool auth_issuers_init(struct auth_issuers *issuers, const struct config *config, struct err *err);
void auth_issuers_done(struct auth_issuers *issuers);
/* As auth_files_give(): a file that is wrong leaves the last good one. */
bool auth_issuers_give(struct auth_issuers *issuers, struct str path, int fd, struct str error);
/* Keys in a file are what tokens are checked with here; a URL of keys, and introspection, are not asked. */
bool auth_issuer_is_usable(const struct config_oauth *issuer);

#endif
