/* auth/issuers.h -- the issuers of tokens that the configuration names: their keys, and what they said of tokens. */
#ifndef AUTH_ISSUERS_H
#define AUTH_ISSUERS_H

#include "auth/introspection.h"
#include "auth/token.h"
#include "config/config.h"
#include "core/buf.h"
#include "ipc/channel.h"

enum {
    AUTH_KEYS_AGAIN_MSEC = 60 * 1000,       /* between two fetches because of keys that are not known */
    AUTH_KEYS_RETRY_MSEC = 2 * 1000,        /* while there are none at all */
    AUTH_KEYS_KEEP_MSEC = 5 * 60 * 1000,    /* when the answer does not say how long */
    AUTH_KEYS_KEEP_MAX_MSEC = 24 * 3600 * 1000,
    AUTH_SECRET_MAX = 4096,
};

/* Keys that are fetched are those of the last good answer, however old. */
struct auth_issuer {
    const struct config_oauth *oauth;
    struct token_keys *keys; /* NULL: not had yet */
    struct buf secret;       /* of its introspection; wiped */
    bool has_secret;
    bool failing;            /* the last fetch was in vain */
    bool is_mute;            /* it could not be asked of the last token */
    uint64_t ticket;         /* of the fetch under way; 0: none is */
    bool was_asked;
    int64_t asked_msec;
    bool was_unknown;
    int64_t unknown_msec; /* when last asked because of a key that is not known */
    int64_t fresh_until_msec;
};

struct auth_issuers {
    const struct config *config;
    struct auth_issuer *items; /* of each of config->oauths */
    struct introspections said;
};

MUST_USE bool auth_issuers_init(struct auth_issuers *issuers, const struct config *config, struct err *err);
void auth_issuers_done(struct auth_issuers *issuers);
/* As auth_files_give(), of keys and secrets: a file that is wrong leaves the last good one. */
bool auth_issuers_give(struct auth_issuers *issuers, struct str path, int fd, struct str error);

/* Are its keys fetched? */
bool auth_issuer_has_url(const struct auth_issuer *issuer);
/* Should its keys be fetched at NOW (or are they, just now), for a token whose key is UNKNOWN? */
bool auth_issuer_wants_keys(const struct auth_issuer *issuer, bool unknown, int64_t now_msec);
/* They were asked for, under TICKET. */
void auth_issuer_asked(struct auth_issuer *issuer, bool unknown, uint64_t ticket, int64_t now_msec);
/* What came; NULL: nobody answers any more. Waits for nothing now. */
void auth_issuer_take_keys(struct auth_issuer *issuer, const struct ipc_fetch_answer *answer, int64_t now_msec);
/* Could it say something of a token? What is WRONG is recorded once, as is that it can again (NULL). */
void auth_issuer_heard(struct auth_issuer *issuer, const char *wrong);
/* Why an answer of that code, 200 apart, is no use: for people. */
void auth_issuer_fault(const struct ipc_fetch_answer *answer, struct err *err);
/* Value of Authorization (RFC 6749 2.3.1, RFC 7617); OUT stays empty when it needs none. False: it cannot be had. */
MUST_USE bool auth_issuer_authorize(const struct auth_issuer *issuer, struct buf *out);

#endif
