/* tls/context.c -- versions, suites, groups and signatures; texts of failures. */
#include "tls/context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/buf.h"
#include "tls/provider.h"

enum { CIPHERS_MAX = 4096 };

/* RFC 9325 4.2: TLS 1.2 with forward secrecy and AEAD alone. */
#define RECOMMENDED_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* RFC 10015 2 to 4: whatever a list says, no static keys and no finite fields; RFC 9325 4.1: nothing that
 * hides little. */
#define NEVER ":!kRSA:!kDHE:!aNULL:!eNULL:!PSK:!SRP:!RC4:!3DES:!MD5:!SEED:!IDEA"
/*
 * RFC 9325 4.2.1. Where the library knows it (OpenSSL 3.5), a hybrid comes first: what is recorded today
 * stays unread when there are quantum computers. "/" means a round trip more rather than doing without it;
 * "*" that a client shows its half of both at once, so that a server which knows only X25519 costs none
 * (docs/adr/0028).
 */
#define HYBRID_GROUPS "*X25519MLKEM768/*X25519:P-256:P-384:X448:P-521"
#define GROUPS        "X25519:P-256:P-384:X448:P-521"
/* RFC 9155: no SHA-1. */
#define SIGNATURES                                                                                           \
    "ECDSA+SHA256:ed25519:rsa_pss_rsae_sha256:rsa_pss_pss_sha256:ECDSA+SHA384:rsa_pss_rsae_sha384:"          \
    "rsa_pss_pss_sha384:ECDSA+SHA512:rsa_pss_rsae_sha512:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+"      \
    "SHA512"

static bool set_ciphers(SSL_CTX *context, struct str ciphers, struct err *err)
{
    struct buf list = BUF_INIT(CIPHERS_MAX);
    bool ok;

    buf_add(&list, ciphers.n > 0 ? ciphers : STR(RECOMMENDED_CIPHERS));
    buf_add(&list, STR(NEVER));
    buf_add_char(&list, '\0');
    ok = !list.failed && SSL_CTX_set_cipher_list(context, list.p) == 1;
    buf_done(&list);
    if (!ok)
        ERR_clear_error();
    return ok || err_perm(err, "no cipher of \"%.*s\" can be used", STR_ARG(ciphers));
}

static bool set_groups(SSL_CTX *context)
{
    if (SSL_CTX_set1_groups_list(context, HYBRID_GROUPS) == 1)
        return true;
    /* This library is older than the hybrid, and than such lists. */
    ERR_clear_error();
    return SSL_CTX_set1_groups_list(context, GROUPS) == 1;
}

/* Sizes and habits of a stream: memory only while it is needed, octets from wherever they stand. */
static void set_modes(SSL_CTX *context)
{
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     /* Passwords come this way. */
                                     SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

SSL_CTX *tls_context_new(const SSL_METHOD *method, uint16_t min_version, struct str ciphers, struct err *err)
{
    SSL_CTX *context = tls_library() ? SSL_CTX_new_ex(tls_library(), NULL, method) : NULL;

    if (!context) {
        tls_failed(err, "TLS cannot be used");
        return NULL;
    }
    set_modes(context);
    /* RFC 8996: never below 1.2. */
    if (!set_ciphers(context, ciphers, err))
        goto fail;
    if (SSL_CTX_set_min_proto_version(context, min_version < TLS1_2_VERSION ? TLS1_2_VERSION : min_version) !=
            1 ||
        !set_groups(context) || SSL_CTX_set1_sigalgs_list(context, SIGNATURES) != 1) {
        tls_failed(err, "TLS cannot be used");
        goto fail;
    }
    SSL_CTX_set_security_level(context, 2);
    return context;
fail:
    SSL_CTX_free(context);
    return NULL;
}

/* OpenSSL from 3.2 on makes the records' side anew, and returns nothing of whether that could be had. */
bool tls_take_role(SSL *ssl, void (*set)(SSL *ssl))
{
    ERR_clear_error();
    set(ssl);
    return ERR_peek_error() == 0;
}

bool tls_context_show(SSL_CTX *context, const struct tls_chain *c, struct err *err)
{
    ERR_clear_error();
    if (SSL_CTX_use_cert_and_key(context, c->leaf, c->key, c->above, 1) != 1)
        return tls_failed(err, "the certificate cannot be used");
    return true;
}

/* ---- CAs ---- */

static bool add_all(X509_STORE *store, BIO *in)
{
    size_t n = 0;

    for (;;) {
        X509 *x = X509_new_ex(tls_library(), NULL);
        bool ok = x && PEM_read_bio_X509(in, &x, NULL, NULL);
        if (ok)
            ok = X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
        if (!ok)
            break;
        n++;
    }
    return n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

X509_STORE *tls_store_new(struct str pem, struct err *err)
{
    X509_STORE *store = X509_STORE_new();
    BIO *in = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n) : NULL;
    bool ok;

    ERR_clear_error();
    ok = store && in && add_all(store, in);
    BIO_free(in);
    ERR_clear_error();
    if (ok)
        return store;
    X509_STORE_free(store);
    err_perm(err, "the file of CAs has no certificate, or one that cannot be read");
    return NULL;
}

/* ---- what went wrong ---- */

/* In our words where OpenSSL's say less than is known. */
static const char *own_words(int reason)
{
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "the peer closed the connection";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
        return "what came is not TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return "no TLS version in common";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
        return "a message of the handshake is too long, such as a chain of certificates beyond 100 KiB";
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return "the client wants another protocol than smtp (ALPN)";
    default:
        return NULL;
    }
}

static const char *words_of(int sys)
{
    switch (sys) {
    case 0:
    case EPIPE:
        return "the peer closed the connection";
    case ECONNRESET:
        return "the peer reset the connection";
    default:
        return strerror(sys);
    }
}

void tls_what_failed(int sys, struct err *words)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *own = NULL, *theirs;

    ERR_clear_error();
    if (code == 0) {
        err_perm(words, "%s", words_of(sys));
        return;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
        if (reason - SSL_AD_REASON_OFFSET == SSL_AD_PROTOCOL_VERSION) {
            err_perm(words, "no TLS version in common: the peer takes neither 1.2 nor 1.3");
            return;
        }
        /* An alert of the other side, which says nothing of what we found. */
        err_perm(words, "the peer says: %s", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
        return;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL)
        own = own_words(reason);
    theirs = ERR_reason_error_string(code);
    err_perm(words, "%s", own ? own : theirs ? theirs : "TLS failed");
}

bool tls_failed(struct err *err, const char *what)
{
    struct err words = { 0 };

    tls_what_failed(ENOMEM, &words);
    return err_perm(err, "%s: %s", what, words.text);
}
