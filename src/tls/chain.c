/* tls/chain.c -- chains as the key process tells of them. */
#include "tls/chain.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "tls/provider.h"

enum { CHAIN_MAX = 16, NAMES_MAX = 256 * 1024 };

static X509 *read_certificate(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = X509_new_ex(tls_library(), NULL);

    if (x && d2i_X509(&x, &p, (long)der.n) && p == (const unsigned char *)der.p + der.n)
        return x;
    X509_free(x);
    return NULL;
}

/* The next certificate of LIST; NULL when there is none, and what is left is no list. */
static X509 *next_certificate(struct str *list)
{
    const unsigned char *at = (const unsigned char *)list->p;
    size_t n;
    X509 *x;

    if (list->n < 4)
        return NULL;
    n = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (n > list->n - 4)
        return NULL;
    x = read_certificate(str_slice(*list, 4, 4 + n));
    *list = str_skip(*list, 4 + n);
    return x;
}

static bool read_chain(struct tls_chain *c, struct str list, struct err *err)
{
    c->leaf = next_certificate(&list);
    c->above = sk_X509_new_null();
    if (!c->leaf || !c->above)
        return err_perm(err, "the chain has no certificate that can be read");
    while (list.n > 0) {
        X509 *x = sk_X509_num(c->above) < CHAIN_MAX ? next_certificate(&list) : NULL;
        if (!x || !sk_X509_push(c->above, x)) {
            X509_free(x);
            return err_perm(err, "a certificate in the chain cannot be read");
        }
    }
    return true;
}

static bool take_key(struct tls_chain *c, struct str key, struct err *err)
{
    unsigned char name[32];
    EVP_PKEY *public_key = X509_get0_pubkey(c->leaf);

    if (!public_key || !tls_hash_public_key(c->leaf, name))
        return err_perm(err, "the key in the certificate cannot be read");
    if (!str_eq(key, str_of((const char *)name, sizeof(name))))
        return err_perm(err, "the chain is of another key");
    c->kind = EVP_PKEY_get_base_id(public_key);
    c->key = tls_provider_key(public_key, name, err);
    return c->key != NULL;
}

struct tls_chain *tls_chain_new(struct str chain, struct str key, struct err *err)
{
    struct tls_chain *c = calloc(1, sizeof(*c));

    if (!c) {
        err_temp(err, "no memory for a certificate");
        return NULL;
    }
    c->count = 1;
    c->memory = arena_new(NAMES_MAX);
    if (!c->memory) {
        err_temp(err, "no memory for a certificate");
        goto fail;
    }
    if (!read_chain(c, chain, err) || !tls_names_of(c->leaf, GEN_DNS, c->memory, &c->names, err) ||
        !take_key(c, key, err))
        goto fail;
    return c;
fail:
    tls_chain_free(c);
    return NULL;
}

struct tls_chain *tls_chain_share(struct tls_chain *c)
{
    c->count++;
    return c;
}

void tls_chain_free(struct tls_chain *c)
{
    if (!c || --c->count > 0)
        return;
    X509_free(c->leaf);
    sk_X509_pop_free(c->above, X509_free);
    EVP_PKEY_free(c->key);
    arena_free(c->memory);
    free(c);
}

bool tls_chain_has_name(const struct tls_chain *c, struct str name)
{
    for (size_t i = 0; i < c->names.n; i++)
        if (tls_name_matches(c->names.items[i], name))
            return true;
    return false;
}
