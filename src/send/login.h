/* send/login.h -- AUTH at a next hop: which mechanism, and what is said (RFC 4954; 5802, 7677, 9266; 4616; 7628). */
#ifndef SEND_LOGIN_H
#define SEND_LOGIN_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

/*
 * Exchanges are GNU SASL's, but for SCRAM (send/scram.h) and those with a token, which it does not know. A secret that
 * begins with "Bearer " is a token: OAUTHBEARER, and nothing that would take it for a password.
 */

/* Once a process, before the sandbox; for all log-ins. NULL with ERR. */
struct login_context;
struct login_context *login_context_new(struct err *err);
void login_context_free(struct login_context *l); /* takes NULL */

/* Borrowed while login_new() runs; copied, and wiped at login_free(). */
struct login_who {
    struct str name;
    struct str secret;
    struct str host;     /* of the next hop */
    uint16_t port;
    struct str exporter; /* channel bindings (RFC 9266, 5929), one of them; empty: none */
    struct str unique;
};

struct login;

/*
 * The strongest of OFFERED (words parted by blanks) that WHO can: SCRAM-SHA-256-PLUS with a channel binding,
 * SCRAM-SHA-256, PLAIN, LOGIN, OAUTHBEARER. NULL with ERR. Where the host offers no PLUS, and there is a binding, it is
 * told so: if it did offer it, somebody in between took that away, and it refuses (RFC 5802 6).
 */
struct login *login_new(struct login_context *context, struct str offered, const struct login_who *who,
                        struct err *err);
void login_free(struct login *l); /* takes NULL */
/* As AUTH says it. */
struct str login_mechanism(const struct login *l);
/* Has it something to say before it is asked? */
bool login_speaks_first(const struct login *l);
/*
 * What is said to CHALLENGE (empty where it speaks first), good until the next call. False with ERR: the host does not
 * keep to the mechanism, or does not know the password either.
 */
MUST_USE bool login_step(struct login *l, struct str challenge, struct str *response, struct err *err);
/* Has the host proven all that the mechanism has it prove? Before that a 235 says nothing. */
bool login_is_whole(const struct login *l);
/* Does TEXT, which the host says, have the secret in it, plain or in base64? Then it is for no log. */
bool login_is_betrayed(const struct login *l, struct str text);

#endif
