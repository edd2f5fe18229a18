/* tls/provider.h -- the OpenSSL provider by which a handshake leaves what another process is to sign
 * (provider(7)). */
#ifndef TLS_PROVIDER_H
#define TLS_PROVIDER_H

#include <openssl/evp.h>

#include "core/err.h"
#include "tls/tls.h"

/* What a handshake waits to have signed. It stands on the stack of its asynchronous job, and lives until
 * answered. */
struct tls_job {
    struct tls_signature what; /* all but the form, which the stream knows */
    unsigned char *at;         /* where the signature belongs */
    size_t room;
    size_t n; /* its octets; 0: refused */
    bool answered;
};

/* Once a process; false with ERR. Everything of OpenSSL here lives in tls_library(). */
MUST_USE bool tls_provider_begin(struct err *err);
OSSL_LIB_CTX *tls_library(void);

/* The key of PUBLIC_KEY as one that signs through jobs, called NAME there. The caller's to free; NULL with
 * ERR. */
EVP_PKEY *tls_provider_key(EVP_PKEY *public_key, const unsigned char name[32], struct err *err);

/* Where signatures leave their job from now on; NULL: they fail. Set around each step of a handshake. */
void tls_provider_leave_at(struct tls_job **place);

#endif
