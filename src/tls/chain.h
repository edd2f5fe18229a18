/* tls/chain.h -- a certificate with those above it and a key that signs elsewhere. */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include <openssl/ssl.h>

#include "tls/names.h"
#include "tls/tls.h"

struct tls_chain {
    unsigned count;
    X509 *leaf;
    STACK_OF(X509) * above;
    EVP_PKEY *key;
    int kind; /* EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519: a server shows one of each */
    struct arena *memory;
    struct tls_names names;
};

struct tls_chain *tls_chain_share(struct tls_chain *c);
bool tls_chain_has_name(const struct tls_chain *c, struct str name);

#endif
