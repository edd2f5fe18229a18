/* auth/waiting.h -- what an exchange asks of others, and finding it again when they answer. */
#ifndef AUTH_WAITING_H
#define AUTH_WAITING_H

#include "auth/dovecot.h"
#include "auth/exchange.h"

/* A connection to Dovecot that the configuration names. */
struct auth_dovecot {
    struct list node;
    struct auth *auth;
    struct dovecot link;
    bool failing; /* it could not be asked last time, and that was told */
};

/*
 * True: asked; the exchange waits and is found by the number of the answer, or its patience ends. False: x->detail says
 * why it could not be.
 */
MUST_USE bool auth_ask_guess(struct auth_exchange *x);
MUST_USE bool auth_ask_pam(struct auth_exchange *x, struct str service);
MUST_USE bool auth_ask_dovecot(struct auth_exchange *x, struct str path);
/* Its keys, for this token; one question for all that wait. */
MUST_USE bool auth_ask_keys(struct auth_exchange *x, struct auth_issuer *issuer, bool unknown);
MUST_USE bool auth_ask_introspection(struct auth_exchange *x, const struct auth_issuer *issuer);
/* How it went, for the limits: the end of x->guess, if there is one. Nobody answers. */
void auth_tell_guessed(struct auth_exchange *x, enum ipc_guess_end end);

/* Who waits for an answer of that number from such a process (or from DOVECOT); it waits no more. NULL: nobody. */
struct auth_exchange *auth_waiting_take(struct auth *auth, uint64_t number, enum process_kind from);
struct auth_exchange *auth_waiting_take_dovecot(struct auth *auth, uint64_t number, const struct auth_dovecot *from);
/* Any that waits for DOVECOT; it waits no more. */
struct auth_exchange *auth_waiting_take_any(struct auth *auth, const struct auth_dovecot *from);
/* Any that waits for the keys of ISSUER; it waits no more. */
struct auth_exchange *auth_waiting_take_keys(struct auth *auth, const struct auth_issuer *issuer);
/* It waits for nobody any more. */
void auth_waiting_end(struct auth_exchange *x);

/* D can be asked (WHY of NULL), or cannot: what changes is recorded. */
void auth_dovecot_state(struct auth_dovecot *d, const char *why);
/* The connections to Dovecot that the configuration names; false: no memory. */
MUST_USE bool auth_dovecots_init(struct auth *auth, struct err *err);
void auth_dovecots_done(struct auth *auth);

#endif
