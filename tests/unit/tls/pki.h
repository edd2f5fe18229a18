/* tests/unit/tls/pki.h -- keys and certificates made for a test. */
#ifndef TESTS_TLS_PKI_H
#define TESTS_TLS_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/buf.h"
#include "core/str.h"

/* "RSA:2048", "EC:P-256", "EC:P-384", "ED25519". */
EVP_PKEY *pki_key(const char *kind);

struct pki_ask {
    EVP_PKEY *key;
    const char *common_name;
    const char *names;   /* DNS names, separated by blanks */
    struct str raw_name; /* a DNS name of any octets */
    const char *mail;    /* an rfc822Name */
    X509 *issuer;        /* NULL: itself */
    EVP_PKEY *issuer_key;
    long from_seconds;  /* from now */
    long until_seconds; /* 0: a day */
    bool ca;
};
X509 *pki_certificate(const struct pki_ask *ask);

/* As CERTIFICATE of ipc/messages.def: DER, each behind its length. N certificates, the host's first. */
void pki_chain(struct buf *out, X509 *const *list, size_t n);
void pki_hash_key(const X509 *x, unsigned char out[32]);
void pki_hash_certificate(const X509 *x, unsigned char out[32]);
void pki_pem(struct buf *out, const X509 *x);
void pki_pem_key(struct buf *out, EVP_PKEY *key);

#endif
