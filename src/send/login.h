/* send/login.h -- AUTH at a next hop: which mechanism, and what is said (RFC 4954; 5802, 7677, 9266; 4616; 7628). */
#ifndef SEND_LOGIN_H
#define SEND_LOGIN_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"
#include "io/loop.h"

/*
 * Exchanges are GNU SASL's, but for SCRAM (send/scram.h) and those with a token, which it does not know. A secret that
 * begins with "Bearer " is a token: OAUTHBEARER, and nothing that would take it for a password.
 */

/* Once a process, before the sandbox; for all log-ins. NULL with ERR. */
struct login_context;
struct login_context *login_context_new(struct io_loop *loop, struct err *err);
/* All log-ins are over. Keys that were reckoned are wiped. Takes NULL. */
void login_context_free(struct login_context *l);

/* Borrowed while login_new() runs; copied, and wiped at login_free(). */
struct login_who {
    struct str name;
    struct str secret;
    struct str host;     /* of the next hop */
    uint16_t port;
    struct str exporter; /* channel bindings (RFC 9266, 5929), one of them; empty: none */
    struct str unique;
};

/* Who logs in, where something takes long. */
struct login_owner {
    /*
     * After LOGIN_WAITS, by the loop, once: what is said, borrowed; or NULL, and WHY not. The log-in may be freed in it;
     * one that is freed before is not told of.
     */
    void (*answered)(struct login_owner *o, const struct str *response, const struct err *why);
};

struct login;

/*
 * The strongest of OFFERED (words parted by blanks) that WHO can: SCRAM-SHA-256-PLUS with a channel binding,
 * SCRAM-SHA-256, PLAIN, LOGIN, OAUTHBEARER. NULL with ERR. Where the host offers no PLUS, and there is a binding, it is
 * told so: if it did offer it, somebody in between took that away, and it refuses (RFC 5802 6). OWNER outlives it.
 */
struct login *login_new(struct login_context *context, struct str offered, const struct login_who *who,
                        struct login_owner *owner, struct err *err);
void login_free(struct login *l); /* takes NULL */
/* As AUTH says it. */
struct str login_mechanism(const struct login *l);
/* Has it something to say before it is asked? */
bool login_speaks_first(const struct login *l);
enum login_answer {
    LOGIN_FAILED, /* ERR: the host does not keep to the mechanism, or does not know the password either */
    LOGIN_SAYS,   /* RESPONSE, good until the next call */
    LOGIN_WAITS,  /* for the key of SCRAM (send/salting.h): the owner is told */
};

/* To CHALLENGE, empty where it speaks first. */
enum login_answer login_step(struct login *l, struct str challenge, struct str *response, struct err *err);
/* Is it we who are waited for? */
bool login_waits(const struct login *l);
/* Has the host proven all that the mechanism has it prove? Before that a 235 says nothing. */
bool login_is_whole(const struct login *l);
/* Does TEXT, which the host says, have the secret in it, plain or in base64? Then it is for no log. */
bool login_is_betrayed(const struct login *l, struct str text);

#endif
