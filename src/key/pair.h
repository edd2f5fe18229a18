/* key/pair.h -- a chain and the private key that fits it. */
#ifndef KEY_PAIR_H
#define KEY_PAIR_H

#include <openssl/x509v3.h>

#include "core/buf.h"
#include "key/file.h"

enum { KEY_CHAIN_MAX = 16, KEY_CHAIN_OCTETS = 256 * 1024, KEY_NAMES_MAX = 32 };

struct key_pair {
    STACK_OF(X509) * chain;
    GENERAL_NAMES *alternatives; /* of the first; NULL: none */
    EVP_PKEY *key;
    unsigned char name[32]; /* SHA-256 of the public key, as SIGN_ASK has it */
    struct buf octets;      /* CHAIN as CERTIFICATE has it */
    int64_t from_msec;
    int64_t until_msec;
};

/* Of what the two files have now, which stays theirs; NULL with ERR: they do not fit. */
struct key_pair *key_pair_new(const struct key_file *chain, const struct key_file *key, struct err *err);
/* Takes NULL; the private half is wiped with its last holder. */
void key_pair_free(struct key_pair *p);
bool key_pair_eq(const struct key_pair *a, const struct key_pair *b);

/* DNS names of the first certificate, else its subject, for the log; borrowed from P. Their count. */
size_t key_pair_names(const struct key_pair *p, struct str names[KEY_NAMES_MAX]);

enum key_age { KEY_AGE_GOOD, KEY_AGE_EXPIRING, KEY_AGE_EXPIRED };
enum key_age key_pair_age(const struct key_pair *p, int64_t wall_msec);

#endif
