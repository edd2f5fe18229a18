/* send/scram.h -- the client's side of SCRAM-SHA-256, with and without PLUS (RFC 5802, 7677, 9266, 5929). */
#ifndef SEND_SCRAM_H
#define SEND_SCRAM_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

/*
 * Not GNU SASL's: version 2.2 fails where it should say that we could bind the channel and the host does not offer it
 * ("y"), by which a host that does offer it notices who took that out of its EHLO (RFC 5802 6).
 */
enum {
    SCRAM_NONCE_MAX = 40,
    /* Some 40 ms of this process for each new salt: nobody needs more (RFC 7677 4: 4096). */
    SCRAM_ITERATIONS_MAX = 200000,
    SCRAM_KEY = 32,
};

struct scram_who {
    struct str name; /* as SASLprep leaves it (RFC 4013) */
    struct str secret;
    struct str binding; /* octets of the channel; empty: none can be had */
    const char *kind;   /* "tls-exporter", "tls-unique" */
    bool plus;          /* the host offers to bind, and so it is */
};

struct scram;

/* WHO is copied, and wiped at the end. NONCE: printable, without a comma, never used before. NULL with ERR. */
struct scram *scram_new(const struct scram_who *who, struct str nonce, struct err *err);
void scram_free(struct scram *s); /* takes NULL */
enum scram_answer {
    SCRAM_FAILED, /* ERR: the host does not keep to SCRAM, or does not know the password */
    SCRAM_SAYS,   /* RESPONSE, good until the next call */
    SCRAM_ASKS,   /* for the key of scram_salt(), before anything can be said */
};

/*
 * CHALLENGE is answered: first, without one, by who we are; the salt by a question for the key; the signature by nothing,
 * as the host has proven that it knows the password.
 */
enum scram_answer scram_step(struct scram *s, struct str challenge, struct str *response, struct err *err);

/* What SaltedPassword is made of (RFC 5802 3); borrowed until scram_salted(). */
struct scram_salt {
    struct str secret;
    struct str salt;
    size_t iterations;
};

/* After ASKS, and before anything else. */
struct scram_salt scram_salt(const struct scram *s);
/* What is said with it, good until the next call. False with ERR. */
MUST_USE bool scram_salted(struct scram *s, const unsigned char key[SCRAM_KEY], struct str *response, struct err *err);
/* Has it? */
bool scram_is_whole(const struct scram *s);

#endif
