/* auth/stored.h -- what a users file keeps of a password: a hash of crypt(3), keys of SCRAM (FACE 1.11; RFC 5802). Pure. */
#ifndef AUTH_STORED_H
#define AUTH_STORED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

enum {
    AUTH_SCRAM_KEY_OCTETS = 32,
    AUTH_SCRAM_SALT_MAX = 64,
    AUTH_SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
    AUTH_SCRAM_ITERATIONS_MAX = 10000000,
};

/* SALT, STORED and SERVER as base64, of which the keys are AUTH_SCRAM_KEY_OCTETS. */
struct auth_scram {
    uint32_t iterations;
    struct str salt;
    struct str stored;
    struct str server;
};

enum auth_stored_kind {
    AUTH_STORED_NONE,   /* a mailbox without a log-in */
    AUTH_STORED_LOCKED, /* "!" or "*" stands before it, or it is the "x" of /etc/passwd */
    AUTH_STORED_CRYPT,  /* HASH */
    AUTH_STORED_SCRAM,  /* SCRAM alone */
    AUTH_STORED_WRONG,  /* nobody can tell what it is */
};

struct auth_stored {
    enum auth_stored_kind kind;
    struct str hash;
    bool has_scram; /* also beside a hash */
    struct auth_scram scram;
};

/* ITERATIONS,SALT,STORED,SERVER. */
MUST_USE bool auth_scram_parse(struct str text, struct auth_scram *out);

/*
 * What follows the name and its colon: [{SCHEME}]hash[:uid:gid:gecos:home:shell:extra]. *out borrows from REST. Without
 * a scheme it is CRYPT, as Dovecot has it. Returns what is wrong with the line, NULL for nothing; a wrong SCRAM form in
 * extra leaves the rest as it is.
 */
const char *auth_stored_parse(struct str rest, struct auth_stored *out);

#endif
