/* cmd/demo/certificate.c -- made with OpenSSL, once for each folder (RFC 5280). */
#include "cmd/demo/certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { DAY_SEC = 24 * 3600, HOUR_SEC = 3600, MONTH_DAYS = 30, SERIAL_OCTETS = 16 };

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    bool ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *cert)
{
    unsigned char octets[SERIAL_OCTETS];
    BIGNUM *n = RAND_bytes(octets, sizeof(octets)) == 1 ? BN_bin2bn(octets, sizeof(octets), NULL) : NULL;
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));

    BN_free(n);
    return ok;
}

static bool set_name(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);

    static const unsigned char ours[] = "veredus demo";

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, ours, -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1;
}

static X509 *make(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    bool ok = cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) && set_name(cert) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -HOUR_SEC) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), (long)DEMO_CERTIFICATE_DAYS * DAY_SEC) &&
              X509_set_pubkey(cert, key) == 1 && add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
              add_extension(cert, NID_subject_alt_name,
                            "DNS:mail.example.test,DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1") &&
              X509_sign(cert, key, EVP_sha256()) > 0;

    if (ok)
        return cert;
    X509_free(cert);
    return NULL;
}

static bool write_both(struct buf *out, X509 *cert, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *octets = NULL;
    bool ok = bio && PEM_write_bio_X509(bio, cert) == 1 &&
              PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    long n = ok ? BIO_get_mem_data(bio, &octets) : 0;

    ok = n > 0 && buf_add(out, str_of(octets, (size_t)n));
    BIO_free(bio);
    return ok;
}

bool demo_certificate_make(struct buf *out, struct err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make(key) : NULL;
    bool ok = cert && write_both(out, cert, key);

    X509_free(cert);
    EVP_PKEY_free(key);
    return ok || err_temp(err, "no certificate could be made");
}

bool demo_certificate_is_good(struct str pem)
{
    BIO *bio = pem.n && pem.n < INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    time_t later = time(NULL) + (time_t)MONTH_DAYS * DAY_SEC;
    bool ok = cert && X509_cmp_time(X509_get0_notAfter(cert), &later) > 0;

    X509_free(cert);
    BIO_free(bio);
    return ok;
}
