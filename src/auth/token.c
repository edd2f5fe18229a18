/* auth/token.c */
#include "auth/token.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "auth/claims.h"
#include "core/base64.h"

enum { KID_MAX = 255, PART_MAX = 16 * 1024, RSA_BITS_MIN = 2048, EC_OCTETS = 32, ED_OCTETS = 32, SIGNATURE_MAX = 1024 };

enum kind { KIND_RSA, KIND_P256, KIND_ED25519, KINDS };

struct key {
    enum kind kind;
    EVP_PKEY *pkey;
    char kid[KID_MAX + 1]; /* empty: it has none */
    char alg[16];          /* the one algorithm it is for; empty: any of its kind */
};

struct token_keys {
    size_t n;
    struct key items[TOKEN_KEYS_MAX];
};

/* SAID: what is signed, header and claims with the dot between them. */
struct parts {
    struct str header, claims, said, signature;
};

static const struct algorithm {
    const char *name;
    enum kind kind;
    bool pss;
} algorithms[] = {
    { "RS256", KIND_RSA, false },
    { "PS256", KIND_RSA, true },
    { "ES256", KIND_P256, false },
    { "EdDSA", KIND_ED25519, false },
};

/* ---- base64url (RFC 7515 2) ---- */

/* Appends what TEXT says: no padding, no other alphabet. */
static bool base64url_read(struct buf *out, struct str text)
{
    struct buf usual = BUF_INIT(PART_MAX * 2);
    bool ok = text.n % 4 != 1;

    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = (ascii_is_alnum(c) || c == '-' || c == '_') &&
             buf_add_char(&usual, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (ok && usual.n % 4)
        ok = buf_add_char(&usual, '=');
    ok = ok && base64_read(out, buf_str(&usual));
    buf_done(&usual);
    return ok;
}

static const char *member(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

/* A member that holds octets. */
static bool read_octets(const json_t *object, const char *name, struct buf *out)
{
    return base64url_read(out, str_from_c(member(object, name))) && out->n;
}

/* ---- keys ---- */

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
    struct buf n = BUF_INIT(PART_MAX), e = BUF_INIT(16);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = NULL, *exponent = NULL;
    EVP_PKEY *key = NULL;

    if (!build || !read_octets(jwk, "n", &n) || !read_octets(jwk, "e", &e))
        goto out;
    modulus = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    exponent = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    if (modulus && exponent && BN_num_bits(modulus) >= RSA_BITS_MIN &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
        key = make_key("RSA", build);
out:
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(build);
    buf_done(&n);
    buf_done(&e);
    return key;
}

static EVP_PKEY *read_p256(const json_t *jwk)
{
    struct buf point = BUF_INIT(1 + 2 * EC_OCTETS);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    /* An uncompressed point (SEC 1 2.3.3). */
    if (build && strcmp(member(jwk, "crv"), "P-256") == 0 && buf_add_char(&point, 4) && read_octets(jwk, "x", &point) &&
        point.n == 1 + EC_OCTETS && read_octets(jwk, "y", &point) && point.n == 1 + 2 * EC_OCTETS &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n))
        key = make_key("EC", build);
    OSSL_PARAM_BLD_free(build);
    buf_done(&point);
    return key;
}

static EVP_PKEY *read_ed25519(const json_t *jwk)
{
    struct buf x = BUF_INIT(ED_OCTETS);
    EVP_PKEY *key = NULL;

    if (strcmp(member(jwk, "crv"), "Ed25519") == 0 && read_octets(jwk, "x", &x) && x.n == ED_OCTETS)
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.n);
    buf_done(&x);
    return key;
}

/* False: not one for us. */
static bool read_key(const json_t *jwk, struct key *out)
{
    static const struct {
        const char *type;
        EVP_PKEY *(*read)(const json_t *jwk);
    } kinds[KINDS] = {
        [KIND_RSA] = { "RSA", read_rsa },
        [KIND_P256] = { "EC", read_p256 },
        [KIND_ED25519] = { "OKP", read_ed25519 },
    };
    const char *kid = member(jwk, "kid"), *alg = member(jwk, "alg"), *use = member(jwk, "use");

    *out = (struct key){ 0 };
    if (strlen(kid) > KID_MAX || strlen(alg) >= sizeof(out->alg) || (use[0] && strcmp(use, "sig") != 0))
        return false;
    memcpy(out->kid, kid, strlen(kid) + 1);
    memcpy(out->alg, alg, strlen(alg) + 1);
    for (out->kind = 0; out->kind < KINDS; out->kind++)
        if (strcmp(member(jwk, "kty"), kinds[out->kind].type) == 0) {
            out->pkey = kinds[out->kind].read(jwk);
            return out->pkey;
        }
    return false;
}

static void read_keys(const json_t *array, struct token_keys *keys)
{
    for (size_t i = 0; i < json_array_size(array) && keys->n < TOKEN_KEYS_MAX; i++)
        if (read_key(json_array_get(array, i), &keys->items[keys->n]))
            keys->n++;
}

struct token_keys *token_keys_parse(struct str text, struct err *err)
{
    struct token_keys *keys = calloc(1, sizeof(*keys));
    json_t *root = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);

    if (keys && root)
        read_keys(json_object_get(root, "keys"), keys);
    json_decref(root);
    if (keys && keys->n)
        return keys;
    if (keys)
        err_perm(err, root ? "no key in it that could check a signature" : "not a set of keys (JWKS)");
    else
        err_temp(err, "out of memory");
    token_keys_free(keys);
    return NULL;
}

void token_keys_free(struct token_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->n; i++)
        EVP_PKEY_free(keys->items[i].pkey);
    free(keys);
}

/* ---- signatures ---- */

/* Two integers of 32 octets each (RFC 7518 3.4), as OpenSSL takes them. */
static bool to_der(struct buf *signature)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    const unsigned char *p = (const unsigned char *)signature->p;
    BIGNUM *r = NULL, *s = NULL;
    unsigned char *der = NULL;
    int n = -1;

    if (sig && signature->n == 2 * EC_OCTETS) {
        r = BN_bin2bn(p, EC_OCTETS, NULL);
        s = BN_bin2bn(p + EC_OCTETS, EC_OCTETS, NULL);
        if (r && s && ECDSA_SIG_set0(sig, r, s)) {
            r = s = NULL; /* the signature's now */
            n = i2d_ECDSA_SIG(sig, &der);
        }
    }
    buf_clear(signature);
    bool ok = n > 0 && buf_add(signature, str_of((const char *)der, (size_t)n));
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return ok;
}

static bool verify(const struct key *key, const struct algorithm *algorithm, struct str said, struct str signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    const EVP_MD *hash = key->kind == KIND_ED25519 ? NULL : EVP_sha256();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, &options, hash, NULL, key->pkey) == 1;

    if (ok && algorithm->pss)
        ok = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) > 0;
    ok = ok && EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n, (const unsigned char *)said.p,
                                said.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static const struct algorithm *find_algorithm(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

/* A key counts for its own kind of algorithm only, whatever the token would like (RFC 8725 3.1). */
static bool fits(const struct key *key, const struct algorithm *algorithm, const char *kid)
{
    return key->kind == algorithm->kind && (!key->alg[0] || strcmp(key->alg, algorithm->name) == 0) &&
           (!kid[0] || !key->kid[0] || strcmp(key->kid, kid) == 0);
}

static bool is_signed(const json_t *header, struct str said, struct str text, const struct token_keys *keys)
{
    const struct algorithm *algorithm = find_algorithm(member(header, "alg"));
    struct buf signature = BUF_INIT(SIGNATURE_MAX);
    bool ok = false;

    /* What must be understood and is not (RFC 7515 4.1.11). */
    if (!algorithm || json_object_get(header, "crit") || !base64url_read(&signature, text) || !signature.n)
        goto out;
    if (algorithm->kind == KIND_P256 && !to_der(&signature))
        goto out;
    for (size_t i = 0; !ok && i < keys->n; i++)
        ok = fits(&keys->items[i], algorithm, member(header, "kid")) &&
             verify(&keys->items[i], algorithm, said, buf_str(&signature));
out:
    buf_done(&signature);
    return ok;
}

/* ---- claims ---- */

static json_t *read_json(struct str text)
{
    struct buf octets = BUF_INIT(PART_MAX);
    json_t *root = NULL;

    if (base64url_read(&octets, text))
        root = json_loadb(octets.p ? octets.p : "", octets.n, JSON_REJECT_DUPLICATES, NULL);
    buf_done(&octets);
    return root;
}

static enum token_verdict take_account(const json_t *claims, const struct config_oauth *issuer, struct arena *a,
                                       struct str *account, const char **why)
{
    struct str value = claims_account(claims, issuer);

    *why = "the token does not say whose account it is";
    if (!value.n)
        return TOKEN_BAD;
    *account = arena_str(a, value);
    return account->p ? TOKEN_GOOD : TOKEN_NO_MEMORY;
}

/* The three parts of a signed token; false: it has not three. */
static bool cut(struct str token, struct parts *out)
{
    out->signature = token;
    out->header = str_cut(&out->signature, '.');
    out->claims = str_cut(&out->signature, '.');
    out->said = str_head(token, out->header.n + 1 + out->claims.n);
    return out->signature.n && !str_has(out->signature, '.');
}

static bool knows(const struct token_keys *keys, const char *kid)
{
    for (size_t i = 0; keys && i < keys->n; i++)
        if (!kid[0] || !keys->items[i].kid[0] || strcmp(keys->items[i].kid, kid) == 0)
            return true;
    return false;
}

enum token_look token_look(struct str token, const struct token_keys *keys, const struct config_oauth *issuer)
{
    enum token_look look = TOKEN_OPAQUE;
    json_t *header = NULL, *claims = NULL;
    struct parts parts;

    if (!cut(token, &parts))
        return TOKEN_OPAQUE;
    header = read_json(parts.header);
    claims = header ? read_json(parts.claims) : NULL;
    if (claims && !claims_name_issuer(claims, issuer))
        look = TOKEN_FOREIGN;
    else if (claims)
        look = knows(keys, member(header, "kid")) ? TOKEN_KNOWN : TOKEN_UNKNOWN;
    json_decref(header);
    json_decref(claims);
    return look;
}

enum token_verdict token_check(struct str token, const struct token_keys *keys, const struct config_oauth *issuer,
                               int64_t now, struct arena *a, struct str *account, const char **why)
{
    enum token_verdict verdict = TOKEN_BAD;
    json_t *header, *claims = NULL;
    struct parts parts;

    *why = "not a signed token";
    if (!cut(token, &parts))
        return TOKEN_BAD;
    header = read_json(parts.header);
    if (!header || !is_signed(header, parts.said, parts.signature, keys))
        goto out;
    claims = read_json(parts.claims);
    *why = claims ? claims_check(claims, issuer, CLAIMS_SIGNED, now) : "the token's claims are not JSON";
    if (!*why)
        verdict = take_account(claims, issuer, a, account, why);
out:
    json_decref(header);
    json_decref(claims);
    return verdict;
}
