/*
 * send/pbkdf2.c -- an EVP_MAC that is begun anew without a key keeps the one it has: an iteration costs what it costs inside
 * PKCS5_PBKDF2_HMAC(), which can only be had in one go.
 */
#include "send/pbkdf2.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

static EVP_MAC_CTX *keyed_mac(struct str secret)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                  OSSL_PARAM_construct_end() };
    /* No key at all is another thing than an empty one. */
    const char *key = secret.n ? secret.p : "";
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac);
    if (ctx && EVP_MAC_init(ctx, (const unsigned char *)key, secret.n, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

bool pbkdf2_begin(struct pbkdf2 *p, struct str secret, struct str salt, size_t iterations)
{
    static const unsigned char block[4] = { 0, 0, 0, 1 };

    BUG_ON(iterations == 0);
    *p = (struct pbkdf2){ .mac = keyed_mac(secret), .left = iterations };
    /* What the first iteration is of lies in the MAC already. */
    return p->mac && EVP_MAC_update(p->mac, (const unsigned char *)salt.p, salt.n) == 1 &&
           EVP_MAC_update(p->mac, block, sizeof(block)) == 1;
}

static bool iterate(struct pbkdf2 *p)
{
    size_t n;

    if (EVP_MAC_final(p->mac, p->last, &n, sizeof(p->last)) != 1 || EVP_MAC_init(p->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(p->mac, p->last, sizeof(p->last)) != 1)
        return false;
    for (size_t i = 0; i < PBKDF2_KEY; i++)
        p->key[i] ^= p->last[i];
    p->left--;
    return true;
}

bool pbkdf2_go_on(struct pbkdf2 *p, size_t n)
{
    bool ok = true;

    for (; ok && n && p->left; n--)
        ok = iterate(p);
    return ok;
}

void pbkdf2_done(struct pbkdf2 *p)
{
    EVP_MAC_CTX_free(p->mac);
    explicit_bzero(p, sizeof(*p));
}
