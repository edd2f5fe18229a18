/* config/accounts.h -- what a configuration says of those who log in. Pure. */
#ifndef CONFIG_ACCOUNTS_H
#define CONFIG_ACCOUNTS_H

#include "config/tls.h"

enum config_auth_kind {
    CONFIG_AUTH_USERS,   /* the users tables of the log-in's domain */
    CONFIG_AUTH_FILE,    /* WHERE: path of a users file */
    CONFIG_AUTH_DOVECOT, /* path of Dovecot's auth client socket */
    CONFIG_AUTH_PAM,     /* name of the service */
    CONFIG_AUTH_OAUTH,   /* OAUTH */
};

/* A token issuer (`oauth`). */
struct config_oauth {
    size_t index; /* in config->oauths */
    struct str name;
    struct str issuer;
    struct str keys;          /* JWKS: path, or https:// URL; empty: none */
    struct str introspection; /* https:// URL (http:// for loopback only); empty: none */
    struct str client;        /* name at INTROSPECTION, with SECRET; empty: none */
    struct config_secret secret;
    const struct str *audiences; /* any of them; none: not looked at */
    size_t n_audiences;
    struct str login_claim; /* whose value is the account: "email" */
    struct config_place place;
};

struct config_auth {
    enum config_auth_kind kind;
    struct str where;
    const struct config_oauth *oauth;
    struct config_place place;
};

/* Where passwords are checked, in the order asked; n == 0: nobody logs in. */
struct config_auths {
    const struct config_auth *items;
    size_t n;
    struct config_place place;
};

enum config_send_as_kind { CONFIG_SEND_AS_OWN, CONFIG_SEND_AS_ANY, CONFIG_SEND_AS_FILE };

/* What an account may say in MAIL. FILES: lines `account address…`, beside its own. */
struct config_send_as {
    enum config_send_as_kind kind;
    const struct config_text *files;
    size_t n_files;
    struct config_place place;
};

#endif
