/* tls/names.h -- names in certificates, and whether one is meant (RFC 9525 6.3, 6.4). */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <openssl/x509.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

/* Does PATTERN of a certificate stand for NAME? Letters without case; "*" only as the whole leftmost label,
 * for one label. */
bool tls_name_matches(struct str pattern, struct str name);

struct tls_names {
    struct str *items;
    size_t n;
};

/*
 * Names of one kind (GEN_DNS, GEN_EMAIL) in the subjectAltName of X, each ended by a NUL; false with ERR for one with
 * a NUL inside.
 */
MUST_USE bool tls_names_of(const X509 *x, int kind, struct arena *a, struct tls_names *names,
                           struct err *err);

/* For people: the first DNS name, or the subject. p == NULL without memory. */
struct str tls_subject_of(const X509 *x, struct arena *a);
int64_t tls_time_msec(const ASN1_TIME *t); /* UTC; 0: it is none */
/* SHA-256 of the certificate, of its SubjectPublicKeyInfo. */
MUST_USE bool tls_hash_certificate(const X509 *x, unsigned char out[32]);
MUST_USE bool tls_hash_public_key(const X509 *x, unsigned char out[32]);

#endif
