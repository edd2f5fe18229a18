/* tests/unit/tls/pki.c -- a small certification authority. */
#include "tests/unit/tls/pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/unit/unit.h"

EVP_PKEY *pki_key(const char *kind)
{
    EVP_PKEY *key;

    if (strncmp(kind, "RSA:", 4) == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)strtoul(kind + 4, NULL, 10));
    else if (strncmp(kind, "EC:", 3) == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind + 3);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    assert_non_null(key);
    return key;
}

static void add_name(GENERAL_NAMES *all, int type, struct str text)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_IA5STRING *s = ASN1_IA5STRING_new();

    assert_true(ASN1_STRING_set(s, text.p, (int)text.n));
    GENERAL_NAME_set0_value(g, type, s);
    assert_true(sk_GENERAL_NAME_push(all, g));
}

static void add_names(X509 *x, const struct pki_ask *ask)
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    struct str rest = str_from_c(ask->names);

    while (rest.p && rest.n > 0)
        add_name(all, GEN_DNS, str_cut(&rest, ' '));
    if (ask->raw_name.p)
        add_name(all, GEN_DNS, ask->raw_name);
    if (ask->mail)
        add_name(all, GEN_EMAIL, str_from_c(ask->mail));
    if (sk_GENERAL_NAME_num(all) > 0)
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_APPEND), 1);
    GENERAL_NAMES_free(all);
}

static void add_ca(X509 *x)
{
    BASIC_CONSTRAINTS *c = BASIC_CONSTRAINTS_new();

    c->ca = 0xff;
    assert_int_equal(X509_add1_ext_i2d(x, NID_basic_constraints, c, 1, X509V3_ADD_APPEND), 1);
    BASIC_CONSTRAINTS_free(c);
}

X509 *pki_certificate(const struct pki_ask *ask)
{
    static long serial;
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    EVP_PKEY *signs = ask->issuer_key ? ask->issuer_key : ask->key;
    const char *name = ask->common_name ? ask->common_name : "somebody";

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), ask->from_seconds);
    X509_gmtime_adj(X509_getm_notAfter(x), ask->until_seconds ? ask->until_seconds : 86400);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, ask->issuer ? X509_get_subject_name(ask->issuer) : subject);
    X509_set_pubkey(x, ask->key);
    add_names(x, ask);
    if (ask->ca)
        add_ca(x);
    assert_true(X509_sign(x, signs, EVP_PKEY_is_a(signs, "ED25519") ? NULL : EVP_sha256()) > 0);
    return x;
}

void pki_chain(struct buf *out, X509 *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char *der = NULL;
        int size = i2d_X509(list[i], &der);
        assert_true(size > 0);
        for (int k = 0; k < 4; k++)
            buf_add_char(out, (char)(size >> (8 * k)));
        buf_add(out, str_of((const char *)der, (size_t)size));
        OPENSSL_free(der);
    }
    assert_false(out->failed);
}

void pki_hash_key(const X509 *x, unsigned char out[32])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    assert_int_equal(EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
}

void pki_hash_certificate(const X509 *x, unsigned char out[32])
{
    assert_int_equal(X509_digest(x, EVP_sha256(), out, NULL), 1);
}

static void take(struct buf *out, BIO *b)
{
    char *octets;
    long n = BIO_get_mem_data(b, &octets);

    assert_true(buf_add(out, str_of(octets, (size_t)n)));
    BIO_free(b);
}

void pki_pem(struct buf *out, const X509 *x)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(b, (X509 *)x), 1);
    take(out, b);
}

void pki_pem_key(struct buf *out, EVP_PKEY *key)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), 1);
    take(out, b);
}
