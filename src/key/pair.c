/* key/pair.c -- does a chain fit a key, is it in order, and fit to be shown? */
#include "key/pair.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool in_order(STACK_OF(X509) * chain, struct err *err)
{
    int n = sk_X509_num(chain);

    if (n > KEY_CHAIN_MAX)
        return err_perm(err, "the chain has %d certificates, %d is much", n, KEY_CHAIN_MAX);
    for (int i = 0; i + 1 < n; i++) {
        X509 *below = sk_X509_value(chain, i), *above = sk_X509_value(chain, i + 1);
        EVP_PKEY *key = X509_get0_pubkey(above);
        /* RFC 8446 4.4.2: each one certifies the one before it; those who read TLS 1.2 insist. */
        if (X509_check_issued(above, below) != X509_V_OK || !key || X509_verify(below, key) != 1)
            return err_perm(err, "the chain is not in order: certificate %d is not signed by certificate %d",
                            i + 1, i + 2);
    }
    return true;
}

/* What nobody should believe any more (RFC 9325 4.5): handshakes with it would fail one by one. */
static bool is_weak(X509 *x)
{
    enum { BITS = 112 }; /* of RSA with 2048 */
    const EVP_PKEY *key = X509_get0_pubkey(x);
    bool signs_itself = X509_get_extension_flags(x) & EXFLAG_SS;
    int bits = 0;

    if (!key || EVP_PKEY_get_security_bits(key) < BITS)
        return true;
    /* Nobody looks at what an anchor says of itself. */
    return !signs_itself && (X509_get_signature_info(x, NULL, NULL, &bits, NULL) != 1 || bits < BITS);
}

static bool is_strong(STACK_OF(X509) * chain, struct err *err)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (is_weak(sk_X509_value(chain, i)))
            return err_perm(err, "certificate %d is too weak: an RSA key of less than 2048 bits, or signed with SHA-1",
                            i + 1);
    return true;
}

static bool add_octets(struct buf *out, X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    bool ok = n > 0;

    for (unsigned i = 0; i < 4; i++)
        buf_add_char(out, (char)((unsigned)n >> (8 * i)));
    if (ok)
        ok = buf_add(out, str_of((const char *)der, (size_t)n));
    OPENSSL_free(der);
    return ok;
}

static bool write_chain(struct key_pair *p, struct err *err)
{
    p->octets = BUF_INIT(KEY_CHAIN_OCTETS);
    for (int i = 0; i < sk_X509_num(p->chain); i++)
        if (!add_octets(&p->octets, sk_X509_value(p->chain, i)))
            return err_perm(err, "the chain is too large");
    return true;
}

static bool name_key(struct key_pair *p, const X509 *leaf, struct err *err)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    bool ok = n > 0 && EVP_Digest(der, (size_t)n, p->name, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return ok || err_temp(err, "the public key cannot be hashed");
}

static int64_t msec_of(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

static bool fill(struct key_pair *p, const struct key_file *chain, const struct key_file *key,
                 struct err *err)
{
    const X509 *leaf;

    if (chain->chain_error.kind)
        return err_perm(err, "%.*s: %s", STR_ARG(chain->path), chain->chain_error.text);
    if (key->key_error.kind)
        return err_perm(err, "%.*s: %s", STR_ARG(key->path), key->key_error.text);
    leaf = sk_X509_value(chain->certificates, 0);
    if (!X509_get0_pubkey(leaf) || EVP_PKEY_eq(X509_get0_pubkey(leaf), key->key) != 1)
        return err_perm(err, "%.*s: the key is not that of the first certificate in %.*s", STR_ARG(key->path),
                        STR_ARG(chain->path));
    if (!in_order(chain->certificates, err) || !is_strong(chain->certificates, err))
        return err_wrap(err, "%.*s", STR_ARG(chain->path));
    p->chain = X509_chain_up_ref(chain->certificates);
    if (!p->chain || EVP_PKEY_up_ref(key->key) != 1)
        return err_temp(err, "no memory for a certificate");
    p->key = key->key;
    p->alternatives = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    p->from_msec = msec_of(X509_get0_notBefore(leaf));
    p->until_msec = msec_of(X509_get0_notAfter(leaf));
    return name_key(p, leaf, err) && write_chain(p, err);
}

struct key_pair *key_pair_new(const struct key_file *chain, const struct key_file *key, struct err *err)
{
    struct key_pair *p = calloc(1, sizeof(*p));
    bool ok;

    if (!p) {
        err_temp(err, "no memory for a certificate");
        return NULL;
    }
    ok = fill(p, chain, key, err);
    ERR_clear_error();
    if (ok)
        return p;
    key_pair_free(p);
    return NULL;
}

void key_pair_free(struct key_pair *p)
{
    if (!p)
        return;
    sk_X509_pop_free(p->chain, X509_free);
    GENERAL_NAMES_free(p->alternatives);
    EVP_PKEY_free(p->key);
    buf_done(&p->octets);
    free(p);
}

bool key_pair_eq(const struct key_pair *a, const struct key_pair *b)
{
    return str_eq(buf_str(&a->octets), buf_str(&b->octets));
}

static struct str string_of(const ASN1_STRING *s)
{
    return str_of((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* The common name, where there is no other: for people. */
static size_t subject_name(const X509 *x, struct str *name)
{
    X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at < 0)
        return 0;
    *name = string_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return 1;
}

size_t key_pair_names(const struct key_pair *p, struct str names[KEY_NAMES_MAX])
{
    const X509 *leaf = sk_X509_value(p->chain, 0);
    const GENERAL_NAMES *all = p->alternatives;
    size_t n = 0;

    for (int i = 0; all && i < sk_GENERAL_NAME_num(all) && n < KEY_NAMES_MAX; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        if (g->type == GEN_DNS)
            names[n++] = string_of(g->d.dNSName);
    }
    return n > 0 ? n : subject_name(leaf, &names[0]);
}

enum key_age key_pair_age(const struct key_pair *p, int64_t wall_msec)
{
    /* A fortnight, or the last third of one that does not live for three. */
    const int64_t fortnight = INT64_C(14) * 86400 * 1000, third = (p->until_msec - p->from_msec) / 3;

    if (p->until_msec <= wall_msec)
        return KEY_AGE_EXPIRED;
    return p->until_msec - wall_msec < (third < fortnight ? third : fortnight) ? KEY_AGE_EXPIRING
                                                                               : KEY_AGE_GOOD;
}
