/* auth/exchange.h -- exchanges under way: from AUTH to its answer. */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include "auth/auth.h"
#include "auth/dovecot.h"
#include "auth/name.h"
#include "auth/sources.h"

/* OF_CLIENT: of one address (IPv6: one /64), so that nobody takes all there are. */
enum { AUTH_EXCHANGES_MAX = 1024, AUTH_EXCHANGES_OF_CLIENT_MAX = 128, AUTH_PATIENCE_MSEC = 30000 };

enum auth_stage {
    AUTH_STAGE_TALK,
    AUTH_STAGE_LAST,    /* all is said but the client's empty response to our last word */
    AUTH_STAGE_REFUSED, /* a token was: the client says something that nobody looks at (RFC 7628 3.2.3) */
};

/* Compared as octets. */
struct auth_exchange_key {
    struct ipc_channel *peer;
    uint64_t ticket;
};

struct auth_exchange {
    struct map_node node;
    struct map_node by_number;
    struct auth *auth;
    struct auth_exchange_key key;
    struct arena *arena; /* of the texts below */
    enum auth_stage stage;
    uint32_t listener;
    size_t n_client;
    char client[16];
    struct str names; /* in the client's certificate, each ends in NUL */
    struct auth_sasl sasl;
    struct str token;       /* of OAUTHBEARER and XOAUTH2 */
    size_t at_issuer;       /* the one that the token is compared with */
    bool fetched;           /* its keys were, for this log-in */
    const char *later;      /* why an issuer before it could not say; NULL: all could */
    struct auth_issuer *keys_of; /* they are waited for */
    struct auth_name name;  /* when it was said; empty for what no account can be called */
    struct str account;     /* whose the log-in is, when it is known */
    const char *detail;     /* of the last failure, for the log */
    struct auth_sources sources;
    bool outdated;          /* the account was changed under way */
    bool asked_others;      /* PAM or Dovecot did not know the password */
    bool hashed;            /* a hash was computed for the password */
    size_t n_proof;
    char proof[AUTH_RESPONSE_MAX]; /* of SCRAM, while lookup is asked */
    uint64_t guess;                /* the question of lookup's that has no end yet; 0: there is none */
    uint64_t number;               /* under which somebody is asked; 0: nobody is */
    struct ipc_channel *asked;     /* who: a process */
    struct auth_dovecot *dovecot;  /* or this */
    struct io_timer patience;
};

/* Each is answered once, now or later, unless its asker is gone before. */
void auth_login(struct auth *auth, struct ipc_channel *from, const struct ipc_login_ask *ask);
void auth_step(struct auth *auth, struct ipc_channel *from, const struct ipc_login_step *step);
void auth_gone(struct auth *auth, struct ipc_channel *from, uint64_t ticket);
/* PEER is gone: what it asked is forgotten, what it was asked cannot be said. */
void auth_peer_gone(struct auth *auth, const struct ipc_channel *peer);
void auth_guess(struct auth *auth, const struct ipc_guess_answer *answer);
void auth_pam_answered(struct auth *auth, const struct ipc_pam_answer *answer);
void auth_fetched(struct auth *auth, const struct ipc_fetch_answer *answer);
/* Of struct dovecot. */
void auth_dovecot_answered(struct dovecot *link, const struct dovecot_line *line);
void auth_dovecot_lost(struct dovecot *link, const char *why);
/* Those whose account CHANGE changed end with TEMP: their keys, or who answered for it, may be the former ones. */
void auth_exchanges_outdate(struct auth *auth, const struct auth_files_change *change);
/* All of them, unanswered. */
void auth_exchanges_end(struct auth *auth);

#endif
