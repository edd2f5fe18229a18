/* tls/names.c -- subjectAltName, and wildcards. */
#include "tls/names.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

bool tls_name_matches(struct str pattern, struct str name)
{
    if (str_starts(pattern, STR("*."))) {
        size_t label = str_find(name, '.');
        if (label == 0 || label == name.n)
            return false;
        pattern = str_skip(pattern, 1);
        name = str_skip(name, label);
    }
    return name.n > 0 && !str_has(pattern, '*') && str_eq_nocase(pattern, name);
}

static struct str text_of(const GENERAL_NAME *g, int kind)
{
    const ASN1_STRING *s = kind == GEN_DNS ? g->d.dNSName : g->d.rfc822Name;

    return str_of((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static bool collect(GENERAL_NAMES *all, int kind, struct arena *a, struct tls_names *names, struct err *err)
{
    size_t n = (size_t)sk_GENERAL_NAME_num(all);
    struct tls_names out = { .items = ARENA_NEW_ARRAY(a, n + 1, struct str) };

    if (!out.items)
        return err_temp(err, "no memory for the names in the certificate");
    for (size_t i = 0; i < n; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, (int)i);
        struct str text;
        if (g->type != kind)
            continue;
        text = text_of(g, kind);
        /* What a library for NUL-terminated texts would read as another name. */
        if (str_has(text, '\0'))
            return err_perm(err, "a name in the certificate has a NUL in it");
        out.items[out.n] = arena_str(a, text);
        if (!out.items[out.n].p)
            return err_temp(err, "no memory for the names in the certificate");
        out.n++;
    }
    *names = out;
    return true;
}

bool tls_names_of(const X509 *x, int kind, struct arena *a, struct tls_names *names, struct err *err)
{
    int critical = 0;
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
    bool ok;

    if (!all) {
        *names = (struct tls_names){ 0 };
        return critical == -1 || err_perm(err, "the names in the certificate cannot be read");
    }
    ok = collect(all, kind, a, names, err);
    GENERAL_NAMES_free(all);
    return ok;
}

struct str tls_subject_of(const X509 *x, struct arena *a)
{
    struct tls_names names;
    struct str text = STR_NONE;
    char *octets;
    BIO *out;

    if (tls_names_of(x, GEN_DNS, a, &names, NULL) && names.n > 0)
        return names.items[0];
    out = BIO_new(BIO_s_mem());
    if (out && X509_NAME_print_ex(out, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(out, &octets);
        text = arena_str(a, str_of(octets, n > 0 ? (size_t)n : 0));
    }
    BIO_free(out);
    return text;
}

int64_t tls_time_msec(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

bool tls_hash_certificate(const X509 *x, unsigned char out[32])
{
    return X509_digest(x, EVP_sha256(), out, NULL) == 1;
}

bool tls_hash_public_key(const X509 *x, unsigned char out[32])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool ok = n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return ok;
}
