/* key/sign.c -- which scheme goes with which key, and how it signs. */
#include "key/sign.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "key/form.h"

struct scheme {
    uint16_t number;
    const char *key;    /* as OpenSSL calls it */
    const char *group;  /* the one curve of it in TLS 1.3; NULL: none */
    const char *digest; /* NULL: the key's own */
    bool pss;
    bool in_13;
};

/* RFC 9155: SHA-1 is nowhere. PKCS #1 1.5 ends with TLS 1.2 (RFC 8446 4.2.3). */
static const struct scheme schemes[] = {
    { 0x0401, "RSA", NULL, "SHA256", false, false },
    { 0x0501, "RSA", NULL, "SHA384", false, false },
    { 0x0601, "RSA", NULL, "SHA512", false, false },
    { 0x0403, "EC", "prime256v1", "SHA256", false, true },
    { 0x0503, "EC", "secp384r1", "SHA384", false, true },
    { 0x0603, "EC", "secp521r1", "SHA512", false, true },
    { 0x0804, "RSA", NULL, "SHA256", true, true },
    { 0x0805, "RSA", NULL, "SHA384", true, true },
    { 0x0806, "RSA", NULL, "SHA512", true, true },
    { 0x0807, "ED25519", NULL, NULL, false, true },
};

static bool is_13(unsigned form)
{
    return form == IPC_SIGN_SERVER_13 || form == IPC_SIGN_CLIENT_13;
}

static bool fits(const struct scheme *s, const EVP_PKEY *key, unsigned form)
{
    char group[32];
    size_t n;

    if (!EVP_PKEY_is_a(key, s->key))
        return false;
    if (!is_13(form))
        return true;
    /* Below 1.3 a hash goes with any curve; in 1.3 they are one (RFC 8446 4.2.3). */
    return s->in_13 && (!s->group || (EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
                                      str_eq(str_from_c(group), str_from_c(s->group))));
}

static const struct scheme *scheme_for(const EVP_PKEY *key, unsigned form, uint16_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (schemes[i].number == number)
            return fits(&schemes[i], key, form) ? &schemes[i] : NULL;
    return NULL;
}

static bool begin(EVP_MD_CTX *c, const struct scheme *s, EVP_PKEY *key)
{
    EVP_PKEY_CTX *settings = NULL;

    if (EVP_DigestSignInit_ex(c, &settings, s->digest, NULL, NULL, key, NULL) != 1)
        return false;
    return !s->pss || (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
}

bool key_sign(EVP_PKEY *key, unsigned form, uint16_t scheme, struct str octets,
              unsigned char out[KEY_SIGNATURE_MAX], size_t *n, struct err *err)
{
    const struct scheme *s = scheme_for(key, form, scheme);
    EVP_MD_CTX *c;
    bool ok;

    if (!s)
        return err_perm(err, "signature scheme 0x%04x does not fit the key", scheme);
    if (!key_form_check(form, octets, err))
        return false;
    *n = KEY_SIGNATURE_MAX;
    c = EVP_MD_CTX_new();
    ok = c && begin(c, s, key) && EVP_DigestSign(c, out, n, (const unsigned char *)octets.p, octets.n) == 1;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return ok || err_temp(err, "the signature failed");
}
