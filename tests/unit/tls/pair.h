/* tests/unit/tls/pair.h -- both ends in one process, a wire between them that can be tampered with, and a
 * slow signer. */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "ipc/message.h"
#include "tests/unit/tls/pki.h"
#include "tests/unit/unit.h"
#include "tls/tls.h"

/*
 * AddressSanitizer needs no flag here: it says once that it does not know the stacks of OpenSSL's jobs, and goes on.
 */

/* Everything that was to be signed, in its order; answered when the test says so. */
struct asked {
    uint64_t ticket;
    struct tls_signature what;
};

struct signer {
    struct tls_signer base;
    EVP_PKEY *keys[8];
    size_t n_keys;
    struct asked asked[16];
    size_t n_asked;
    size_t n_in_all;
    bool refuses;
};

extern struct signer signer;

/* A certificate and its key, which the signer knows. */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    struct tls_chain *chain;
    unsigned char key_hash[32];
    unsigned char hash[32];
};

void identity_make(struct identity *id, const char *kind, struct pki_ask ask);
void identity_done(struct identity *id);

/* One end. */
struct end {
    struct tls_owner owner;
    struct tls_stream *stream;
    enum tls_handshake state;
    unsigned resumed;
    struct err err;
};

/* The octets of each direction go through the test, STEP of them at a time. */
struct pair {
    struct end client;
    struct end server;
    int client_fds[2];
    int server_fds[2];
    size_t step;
    size_t moved_to_server;
    size_t moved_to_client;
};

void pair_open(struct pair *p);
void pair_done(struct pair *p);
/* Moves what there is; false when nothing moved. */
bool pair_move(struct pair *p);
/* Until both are done or failed, or nothing moves any more and nothing is to be signed. */
void pair_shake(struct pair *p);
/* The same without anything being signed. */
void pair_shake_unsigned(struct pair *p);
void sign_all(void);

/* A server with these chains, and the usual options. */
struct tls_server *server_with(const struct tls_server_options *o, struct tls_chain *const *chains, size_t n);
/* Trusts whatever comes. */
extern const struct tls_demand any_demand;
void pair_start(struct pair *p, struct tls_server *server, struct tls_client *client,
                const struct tls_demand *demand, const char *sni);

/* Both are done, or the test fails with what they say. */
void check_done(struct pair *p);
void check_echo(struct pair *p);
/* The newest version the client offers. */
void pair_limit(struct pair *p, int version);
extern const struct tls_server_options usual;

int group_begin(void **state);

#endif
