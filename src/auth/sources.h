/* auth/sources.h -- where the password of a log-in is looked for, in order (FACE 1.9 auth). */
#ifndef AUTH_SOURCES_H
#define AUTH_SOURCES_H

#include "config/config.h"

struct auth_source {
    enum config_auth_kind kind; /* never USERS: that is the files of the domain */
    struct str where;
    const struct config_oauth *oauth;
    bool bare; /* FILE: a name without domain in it counts */
};

/* The sources that a listener has for names of one domain. */
struct auth_sources {
    const struct config *config;
    const struct config_auths *auths; /* of the listener */
    const struct config_domain *domain; /* of the name; NULL: not served */
    bool bare;                          /* served, or the origin */
    bool in_domain;
    bool in_users;
    size_t at;
    size_t at_domain;
    size_t at_users;
};

void auth_sources_begin(struct auth_sources *s, const struct config *config, uint32_t listener, struct str domain);
/* False: that was the last. */
bool auth_sources_next(struct auth_sources *s, struct auth_source *out);

#endif
