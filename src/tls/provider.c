/* tls/provider.c -- keys without a private half, whose signatures leave their handshake's job until they are
 * there. */
#include "tls/provider.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROVIDER_NAME  "veredus"
#define SIGNATURE_NAME "VEREDUS"
#define KEY_NAME       "veredus-name"

/* OpenSSL keeps one of these for each process; so do we, beside it. */
static struct {
    OSSL_LIB_CTX *library;
    struct tls_job **place;
} process;

enum key_kind { KEY_RSA, KEY_EC, KEY_ED25519 };

struct key {
    enum key_kind kind;
    EVP_PKEY *public_key; /* of OpenSSL's own provider, which answers for it */
    unsigned char name[32];
};

static const char *const kind_names[] = { "RSA", "EC", "ED25519" };

/* ---- keys ---- */

static void *key_new(void *provider)
{
    return calloc(1, sizeof(struct key));
}

static void key_free(void *data)
{
    struct key *k = data;

    if (!k)
        return;
    EVP_PKEY_free(k->public_key);
    free(k);
}

static int key_has(const void *data, int selection)
{
    const struct key *k = data;

    return k->public_key && !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY);
}

static int key_match(const void *a, const void *b, int selection)
{
    return EVP_PKEY_eq(((const struct key *)a)->public_key, ((const struct key *)b)->public_key) == 1;
}

/* By what is said of it. */
static enum key_kind kind_of(const OSSL_PARAM params[])
{
    if (OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_N))
        return KEY_RSA;
    return OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME) ? KEY_EC : KEY_ED25519;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
    struct key *k = data;
    const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, KEY_NAME);
    EVP_PKEY_CTX *c;
    bool ok;

    k->kind = kind_of(params);
    c = EVP_PKEY_CTX_new_from_name(process.library, kind_names[k->kind], "provider=default");
    if (name && name->data_size == sizeof(k->name))
        memcpy(k->name, name->data, sizeof(k->name));
    /* The private half, were there one, is left where it came from. */
    ok = c && EVP_PKEY_fromdata_init(c) == 1 &&
         EVP_PKEY_fromdata(c, &k->public_key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(KEY_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END,
    };

    return types;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
    return EVP_PKEY_get_params(((struct key *)data)->public_key, params);
}

static const OSSL_PARAM *key_gettable_params(void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };

    return gettable;
}

/* A name of our own, so that no other provider's signature is found for our keys. */
static const char *key_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? SIGNATURE_NAME : NULL;
}

/* ---- signatures ---- */

struct signing {
    const struct key *key;
    unsigned bits; /* of the digest; 0: none (Ed25519) */
    bool pss;
};

static void *signing_new(void *provider, const char *properties)
{
    return calloc(1, sizeof(struct signing));
}

static void signing_free(void *data)
{
    free(data);
}

/* RFC 9155: nothing below SHA-256. */
static unsigned digest_bits(const char *name)
{
    static const struct {
        const char *name;
        unsigned bits;
    } digests[] = { { "SHA2-256", 256 }, { "SHA2-384", 384 }, { "SHA2-512", 512 } };
    EVP_MD *md = name ? EVP_MD_fetch(process.library, name, NULL) : NULL;
    unsigned bits = 0;

    for (size_t i = 0; md && i < ARRAY_LEN(digests); i++)
        if (EVP_MD_is_a(md, digests[i].name))
            bits = digests[i].bits;
    EVP_MD_free(md);
    return bits;
}

static int set_padding(struct signing *s, const OSSL_PARAM *p)
{
    int mode = 0;

    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        mode = strcasecmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0       ? RSA_PKCS1_PSS_PADDING
               : strcasecmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
                                                                          : 0;
    else if (!OSSL_PARAM_get_int(p, &mode))
        return 0;
    s->pss = mode == RSA_PKCS1_PSS_PADDING;
    return s->pss || mode == RSA_PKCS1_PADDING;
}

/* RFC 8446 4.2.3: the salt is as long as the digest. */
static int check_salt(const OSSL_PARAM *p)
{
    int length = 0;

    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        return strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
    return OSSL_PARAM_get_int(p, &length) && length == RSA_PSS_SALTLEN_DIGEST;
}

static int signing_set_params(void *data, const OSSL_PARAM params[])
{
    struct signing *s = data;
    const OSSL_PARAM *padding =
        params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
    const OSSL_PARAM *salt =
        params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN) : NULL;

    return (!padding || set_padding(s, padding)) && (!salt || check_salt(salt));
}

static const OSSL_PARAM *signing_settable_params(void *data, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_END,
    };

    return settable;
}

static int signing_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
    struct signing *s = data;

    /* Asked with neither by those who only set parameters anew. */
    if (key)
        s->key = key;
    if (digest)
        s->bits = digest_bits(digest);
    if (!s->key || (s->bits == 0) != (s->key->kind == KEY_ED25519))
        return 0;
    return signing_set_params(s, params);
}

/* SignatureScheme (RFC 8446 4.2.3), which below TLS 1.3 is the pair of a hash and a signature (RFC
 * 5246 7.4.1.4.1). */
static uint16_t scheme_of(const struct signing *s)
{
    uint16_t step = s->bits == 512 ? 2 : s->bits == 384 ? 1 : 0;

    switch (s->key->kind) {
    case KEY_RSA:
        return s->pss ? (uint16_t)(0x0804 + step) : (uint16_t)(0x0401 + (step << 8));
    case KEY_EC:
        return (uint16_t)(0x0403 + (step << 8));
    case KEY_ED25519:
    default:
        return 0x0807;
    }
}

static int sign(void *data, unsigned char *at, size_t *n, size_t room, const unsigned char *octets,
                size_t n_octets)
{
    struct signing *s = data;
    struct tls_job **place = process.place;
    struct tls_job job = { .at = at, .room = room };

    if (!at) {
        *n = (size_t)EVP_PKEY_get_size(s->key->public_key);
        return 1;
    }
    if (!place || !ASYNC_get_current_job())
        return 0;
    job.what.scheme = scheme_of(s);
    job.what.octets = str_of((const char *)octets, n_octets);
    memcpy(job.what.key, s->key->name, sizeof(job.what.key));
    *place = &job;
    while (!job.answered)
        if (ASYNC_pause_job() != 1)
            break;
    *place = NULL;
    *n = job.n;
    return job.answered && job.n > 0;
}

/* ---- the provider ---- */

static const OSSL_DISPATCH key_functions[] = {
    { OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))key_new },
    { OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))key_free },
    { OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))key_has },
    { OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))key_match },
    { OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))key_import },
    { OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))key_import_types },
    { OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))key_get_params },
    { OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))key_gettable_params },
    { OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (void (*)(void))key_operation },
    { 0, NULL },
};

static const OSSL_DISPATCH signature_functions[] = {
    { OSSL_FUNC_SIGNATURE_NEWCTX, (void (*)(void))signing_new },
    { OSSL_FUNC_SIGNATURE_FREECTX, (void (*)(void))signing_free },
    { OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (void (*)(void))signing_init },
    { OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (void (*)(void))sign },
    { OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (void (*)(void))signing_set_params },
    { OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (void (*)(void))signing_settable_params },
    { 0, NULL },
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keys[] = {
        { "RSA:rsaEncryption", "provider=" PROVIDER_NAME, key_functions, NULL },
        { "EC:id-ecPublicKey", "provider=" PROVIDER_NAME, key_functions, NULL },
        { "ED25519", "provider=" PROVIDER_NAME, key_functions, NULL },
        { NULL, NULL, NULL, NULL },
    };
    static const OSSL_ALGORITHM signatures[] = {
        { SIGNATURE_NAME, "provider=" PROVIDER_NAME, signature_functions, NULL },
        { NULL, NULL, NULL, NULL },
    };

    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        { OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
        { 0, NULL },
    };

    *out = functions;
    *provider = &process;
    return 1;
}

/* ---- public ---- */

bool tls_provider_begin(struct err *err)
{
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();

    if (!library)
        return err_temp(err, "no memory for TLS");
    if (OSSL_PROVIDER_add_builtin(library, PROVIDER_NAME, provider_init) != 1 ||
        !OSSL_PROVIDER_load(library, "default") || !OSSL_PROVIDER_load(library, PROVIDER_NAME) ||
        /* Both know RSA; who does not say which means OpenSSL's. */
        EVP_set_default_properties(library, "?provider=default") != 1) {
        OSSL_LIB_CTX_free(library);
        return err_temp(err, "OpenSSL takes no provider");
    }
    process.library = library;
    return true;
}

OSSL_LIB_CTX *tls_library(void)
{
    return process.library;
}

static const char *kind_name(EVP_PKEY *key)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
        if (EVP_PKEY_is_a(key, kind_names[i]))
            return kind_names[i];
    return NULL;
}

/* What PUBLIC_KEY is made of, and NAME. NULL when memory is out. */
static OSSL_PARAM *key_params(EVP_PKEY *public_key, const unsigned char name[32])
{
    OSSL_PARAM named[2] = { OSSL_PARAM_construct_octet_string(KEY_NAME, (void *)name, 32), OSSL_PARAM_END };
    OSSL_PARAM *of_key = NULL, *all;

    if (EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &of_key) != 1)
        return NULL;
    all = OSSL_PARAM_merge(of_key, named);
    /* The merged list borrows from both: a copy owns what it has. */
    OSSL_PARAM *copy = all ? OSSL_PARAM_dup(all) : NULL;
    OPENSSL_free(all);
    OSSL_PARAM_free(of_key);
    return copy;
}

EVP_PKEY *tls_provider_key(EVP_PKEY *public_key, const unsigned char name[32], struct err *err)
{
    const char *kind = kind_name(public_key);
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c;
    OSSL_PARAM *params;

    if (!kind) {
        err_perm(err, "keys are RSA, EC or Ed25519, not %s", EVP_PKEY_get0_type_name(public_key));
        return NULL;
    }
    params = key_params(public_key, name);
    c = EVP_PKEY_CTX_new_from_name(process.library, kind, "provider=" PROVIDER_NAME);
    if (!params || !c || EVP_PKEY_fromdata_init(c) != 1 ||
        EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        err_temp(err, "the public key cannot be used");
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(c);
    return key;
}

void tls_provider_leave_at(struct tls_job **place)
{
    process.place = place;
}
