/* auth/sasl.h -- the server's side of one SASL exchange, by GNU SASL (RFC 4422, 4616, 5802, 7677, 9266). */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include <gsasl.h>

#include "auth/password.h"
#include "core/err.h"

enum auth_mechanism {
    AUTH_SCRAM_PLUS,
    AUTH_SCRAM,
    AUTH_PLAIN,
    AUTH_LOGIN,
    AUTH_EXTERNAL,
    AUTH_OAUTHBEARER,
    AUTH_XOAUTH2,
    AUTH_MECHANISMS,
};

enum { AUTH_NAME_SAID_MAX = 255, AUTH_BINDING_MAX = 64, AUTH_RESPONSE_MAX = 2048 };

/* "SCRAM-SHA-256-PLUS". */
struct str auth_mechanism_name(enum auth_mechanism m);
/* Ours, for a token: nothing below knows them. */
static inline bool auth_mechanism_is_bearer(enum auth_mechanism m)
{
    return m == AUTH_OAUTHBEARER || m == AUTH_XOAUTH2;
}
/* AUTH_MECHANISMS: unknown. */
enum auth_mechanism auth_mechanism_find(struct str name);

/* What SCRAM needs of an account: base64, NUL-terminated. */
struct auth_scram_keys {
    uint32_t iterations;
    char salt[(AUTH_SCRAM_SALT_MAX + 2) / 3 * 4 + 1];
    char stored[(AUTH_SCRAM_KEY_OCTETS + 2) / 3 * 4 + 1];
    char server[(AUTH_SCRAM_KEY_OCTETS + 2) / 3 * 4 + 1];
};

enum auth_sasl_result {
    AUTH_SASL_CHALLENGE, /* OUT is for the client */
    AUTH_SASL_PASSWORD,  /* name and password are there, to be checked */
    AUTH_SASL_IDENTITY,  /* EXTERNAL: authzid is there, perhaps empty */
    AUTH_SASL_PROVEN,    /* SCRAM: the client has the password; OUT shows that we have its keys (RFC 5802 3) */
    AUTH_SASL_REFUSED,
    AUTH_SASL_WRONG,     /* the client does not keep to the mechanism */
    AUTH_SASL_TEMP,      /* no memory, or keys() said so */
};

/*
 * Embedded in its owner. NAME, AUTHZID and PASSWORD are as the client said them, prepared; empty until they are known.
 */
struct auth_sasl {
    enum auth_mechanism mechanism;
    Gsasl_session *session;
    /* SCRAM: fill *keys for s->name, known or not (nobody may see which). False: cannot be said now. */
    bool (*keys)(struct auth_sasl *s, struct auth_scram_keys *keys);
    struct auth_text name;
    struct auth_text authzid;
    struct auth_text password;
    bool asked;   /* a challenge has gone out */
    bool begun;   /* the client has said something */
    bool has_keys;
    bool failed;  /* keys() said so */
    bool unusual; /* a name that preparation refuses: as if the password were wrong */
};

/* One for a process; NULL with ERR. */
Gsasl *auth_sasl_library(struct err *err);
/* Channel bindings are set when PLUS is offered: then flag "y" is an attack (C120). One that is empty is not had. */
MUST_USE bool auth_sasl_begin(struct auth_sasl *s, Gsasl *library, enum auth_mechanism mechanism,
                              struct str exporter, struct str unique);
/* Takes what was never begun; wipes the password. */
void auth_sasl_end(struct auth_sasl *s);

/*
 * RESPONSE is what the client said (p == NULL: AUTH came without initial response). *out is the caller's to gsasl_free(),
 * NULL unless there is something to say.
 */
enum auth_sasl_result auth_sasl_step(struct auth_sasl *s, struct str response, char **out, size_t *n);
/* SCRAM: the next response is a proof that the client has the password. */
bool auth_sasl_expects_proof(const struct auth_sasl *s);

#endif
