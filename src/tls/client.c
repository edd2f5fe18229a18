/* tls/client.c -- what our handshakes as a client share: CAs, and the certificate we show. */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "tls/context.h"
#include "tls/stream.h"

/* CAs in PEM till they are first needed, then parsed. */
struct cas {
    char *pem;
    size_t n;
    X509_STORE *store;
};

struct tls_client {
    unsigned count;
    SSL_CTX *context;
    struct tls_chain *chain; /* NULL: we show none */
    struct cas cas;          /* none: those of the system */
};

/* The same for every client of the process, and parsed once: hundreds of certificates. */
static struct cas system_cas;

static bool cas_copy(struct cas *c, struct str pem, struct err *err)
{
    char *copy = malloc(pem.n ? pem.n : 1);

    if (!copy)
        return err_temp(err, "no memory for the CAs");
    if (pem.n > 0)
        memcpy(copy, pem.p, pem.n);
    X509_STORE_free(c->store);
    free(c->pem);
    *c = (struct cas){ .pem = copy, .n = pem.n };
    return true;
}

static void cas_done(struct cas *c)
{
    X509_STORE_free(c->store);
    free(c->pem);
    *c = (struct cas){ 0 };
}

static X509_STORE *cas_store(struct cas *c, struct err *err)
{
    if (c->store)
        return c->store;
    if (c->n == 0) {
        err_perm(err, "there are no CAs to verify with (tls-ca)");
        return NULL;
    }
    c->store = tls_store_new(str_of(c->pem, c->n), err);
    if (!c->store)
        return NULL;
    /* A CA below another, or the host's own certificate, may be trusted by itself. */
    X509_STORE_set_flags(c->store, X509_V_FLAG_PARTIAL_CHAIN);
    free(c->pem);
    c->pem = NULL;
    return c->store;
}

bool tls_system_cas(struct str pem, struct err *err)
{
    return cas_copy(&system_cas, pem, err);
}

struct tls_client *tls_client_new(struct str cas, struct tls_chain *chain, struct err *err)
{
    struct tls_client *c = calloc(1, sizeof(*c));

    if (!c) {
        err_temp(err, "no memory for TLS");
        return NULL;
    }
    c->count = 1;
    c->context = tls_context_new(TLS_client_method(), TLS1_2_VERSION, STR_NONE, err);
    if (!c->context || (cas.n > 0 && !cas_copy(&c->cas, cas, err)) ||
        (chain && !tls_context_show(c->context, chain, err))) {
        tls_client_free(c);
        return NULL;
    }
    tls_trust_install(c->context);
    c->chain = chain ? tls_chain_share(chain) : NULL;
    return c;
}

void tls_client_free(struct tls_client *c)
{
    if (!c || --c->count > 0)
        return;
    SSL_CTX_free(c->context);
    tls_chain_free(c->chain);
    cas_done(&c->cas);
    free(c);
}

void tls_client_share(struct tls_client *c)
{
    c->count++;
}

bool tls_client_signs(const struct tls_client *c)
{
    return c->chain != NULL;
}

SSL *tls_client_ssl(struct tls_client *c, bool names, struct err *err)
{
    X509_STORE *store = names ? cas_store(c->cas.n > 0 ? &c->cas : &system_cas, err) : NULL;
    SSL *ssl;

    if (names && !store)
        return NULL;
    ssl = SSL_new(c->context);
    if (!ssl || (store && SSL_set1_verify_cert_store(ssl, store) != 1) ||
        !tls_take_role(ssl, SSL_set_connect_state)) {
        SSL_free(ssl);
        tls_failed(err, "no TLS");
        return NULL;
    }
    if (c->chain)
        SSL_set_mode(ssl, SSL_MODE_ASYNC);
    return ssl;
}
