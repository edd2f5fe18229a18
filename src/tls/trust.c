/* tls/trust.c -- is the peer who it should be? (RFC 9525, RFC 8314 5.) */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "core/buf.h"
#include "core/utc.h"
#include "tls/stream.h"

enum { NAMES_MAX = 256 * 1024 };

/* Refuses, with the alert that belongs to CODE. */
static bool refuse(struct tls_stream *t, X509_STORE_CTX *x, int code, const char *text)
{
    tls_stream_fail(t, text);
    X509_STORE_CTX_set_error(x, code);
    return false;
}

/* The peer's own certificate, or one above it, whose time is not now. */
static bool wrong_time(struct tls_stream *t, X509_STORE_CTX *x, int code, const char *how, int64_t msec)
{
    const X509 *which = X509_STORE_CTX_get_current_cert(x);
    struct arena *a = arena_new(NAMES_MAX);
    struct str subject = a && which ? tls_subject_of(which, a) : STR_NONE;
    struct err words = { 0 };

    err_perm(&words, "the certificate of %.*s %s %.10s", STR_ARG(subject.n ? subject : STR("the peer")), how,
             utc_text_seconds(msec).c);
    arena_free(a);
    return refuse(t, x, code, words.text);
}

static bool to_a_ca(struct tls_stream *t, X509_STORE_CTX *x)
{
    const X509 *which;
    int code;

    if (X509_verify_cert(x) == 1)
        return true;
    code = X509_STORE_CTX_get_error(x);
    which = X509_STORE_CTX_get_current_cert(x);
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return wrong_time(t, x, code, "expired on", tls_time_msec(X509_get0_notAfter(which)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return wrong_time(t, x, code, "is not valid before", tls_time_msec(X509_get0_notBefore(which)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return refuse(t, x, code, "the certificate is signed by itself");
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return refuse(t, x, code,
                      t->server ? "the certificate is signed by no CA that is trusted here (client-ca)"
                                : "the certificate is signed by no CA that is trusted here (tls-ca)");
    case X509_V_ERR_EE_KEY_TOO_SMALL:
        return refuse(t, x, code,
                      "the key of the certificate is too weak: RSA has to have 2048 bits, EC 224");
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        return refuse(t, x, code,
                      "the key of a CA above the certificate is too weak: RSA has to have 2048 bits, EC 224");
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return refuse(
            t, x, code,
            "the certificate, or one above it, is signed with a hash that is too weak, such as SHA-1");
    default:
        return refuse(t, x, code, X509_verify_cert_error_string(code));
    }
}

static bool has_a_name(const struct tls_names *names, const struct tls_demand *d)
{
    for (size_t i = 0; i < names->n; i++)
        for (size_t k = 0; k < d->n_names; k++)
            if (tls_name_matches(names->items[i], d->names[k]))
                return true;
    return false;
}

static bool wrong_name(struct tls_stream *t, X509_STORE_CTX *x, const struct tls_names *names)
{
    struct err words = { 0 };
    struct str wanted = t->demand.n_names ? t->demand.names[0] : STR("anyone");

    if (names->n == 0)
        err_perm(&words, "the certificate has no DNS name, %.*s was expected", STR_ARG(wanted));
    else if (names->n == 1)
        err_perm(&words, "the certificate is for %.*s, not for %.*s", STR_ARG(names->items[0]),
                 STR_ARG(wanted));
    else
        err_perm(&words, "the certificate is for %.*s and %zu more, not for %.*s", STR_ARG(names->items[0]),
                 names->n - 1, STR_ARG(wanted));
    return refuse(t, x, X509_V_ERR_HOSTNAME_MISMATCH, words.text);
}

static bool by_name(struct tls_stream *t, X509_STORE_CTX *x)
{
    struct arena *a;
    struct tls_names names;
    struct err err = { 0 };
    bool ok = false;

    if (!to_a_ca(t, x))
        return false;
    a = arena_new(NAMES_MAX);
    if (!a)
        return refuse(t, x, X509_V_ERR_OUT_OF_MEM, "no memory for the names in the certificate");
    if (!tls_names_of(X509_STORE_CTX_get0_cert(x), GEN_DNS, a, &names, &err))
        refuse(t, x, X509_V_ERR_HOSTNAME_MISMATCH, err.text);
    else
        ok = has_a_name(&names, &t->demand) || wrong_name(t, x, &names);
    arena_free(a);
    return ok;
}

static void add_hash(struct buf *out, const unsigned char hash[32])
{
    buf_add(out, STR("sha256:"));
    for (size_t i = 0; i < 32; i++)
        buf_printf(out, "%02x", hash[i]);
}

/* Both are told, so that nobody has to fetch them to have what the configuration wants. */
static bool unexpected(struct tls_stream *t, X509_STORE_CTX *x, unsigned char hash[2][32])
{
    struct buf words = BUF_INIT(ERR_TEXT_MAX);

    buf_add(&words, STR("another certificate than expected: "));
    add_hash(&words, hash[0]);
    buf_add(&words, STR(", its key "));
    add_hash(&words, hash[1]);
    buf_add_char(&words, '\0');
    refuse(t, x, X509_V_ERR_CERT_REJECTED, words.failed ? "another certificate than expected" : words.p);
    buf_done(&words);
    return false;
}

static bool by_fingerprint(struct tls_stream *t, X509_STORE_CTX *x)
{
    const X509 *leaf = X509_STORE_CTX_get0_cert(x);
    unsigned char hash[2][32];

    if (!tls_hash_certificate(leaf, hash[0]) || !tls_hash_public_key(leaf, hash[1]))
        return refuse(t, x, X509_V_ERR_OUT_OF_MEM, "the certificate cannot be hashed");
    for (size_t i = 0; i < t->demand.n_hashes; i++)
        for (size_t k = 0; k < ARRAY_LEN(hash); k++)
            if (str_eq(t->demand.hashes[i], str_of((const char *)hash[k], sizeof(hash[k]))))
                return true;
    return unexpected(t, x, hash);
}

static bool server_is_trusted(struct tls_stream *t, X509_STORE_CTX *x)
{
    switch (t->demand.trust) {
    case TLS_TRUST_NAMES:
        return t->verified = by_name(t, x);
    case TLS_TRUST_FINGERPRINT:
        return t->verified = by_fingerprint(t, x);
    case TLS_TRUST_ANY:
    default:
        return true;
    }
}

/*
 * Many servers show a certificate to whoever asks for one, of whatever CA. Where none is required it makes
 * nobody's mail wait; it only vouches for nothing.
 */
static bool client_is_trusted(struct tls_stream *t, X509_STORE_CTX *x)
{
    /* It is looked at in each session anew: none is resumed. */
    SSL_set_num_tickets(t->ssl, 0);
    if (!tls_server_has_cas(t->server))
        return true;
    if (tls_server_demands(t->server))
        return t->verified = to_a_ca(t, x);
    t->verified = X509_verify_cert(x) == 1;
    ERR_clear_error();
    return true;
}

static int decide(X509_STORE_CTX *x, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_stream *t = SSL_get_app_data(ssl);
    bool ok = t->server ? client_is_trusted(t, x) : server_is_trusted(t, x);

    if (ok)
        X509_STORE_CTX_set_error(x, X509_V_OK);
    return ok;
}

void tls_trust_install(SSL_CTX *context)
{
    SSL_CTX_set_cert_verify_callback(context, decide, NULL);
}
