/* tls/server.c -- what the handshakes of one listener share: chains by SNI, tickets, ALPN, clients'
 * certificates. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "tls/context.h"
#include "tls/stream.h"

enum { TICKET_KEYS_MAX = 4, KINDS_MAX = 3, RESUMPTIONS_MAX = 32, TEXTS_MAX = 8192 };

struct ticket_key {
    unsigned char name[16];
    unsigned char aes[32];
    unsigned char hmac[32];
};

/* Chains that are shown together: of each kind of key one. */
struct choice {
    struct tls_chain *chains[KINDS_MAX];
    size_t n;
};

struct tls_server {
    unsigned count;
    struct tls_server_options options; /* texts in MEMORY */
    struct arena *memory;
    X509_STORE *cas; /* NULL: any certificate is taken */
    STACK_OF(X509_NAME) * ca_names;
    unsigned char session_context[32];
    SSL_CTX *context; /* NULL: there are no chains */
    struct tls_chain **chains;
    size_t n_chains;
    struct choice usual; /* what CONTEXT shows */
    struct ticket_key keys[TICKET_KEYS_MAX];
    size_t n_keys;
};

/* ---- which chains ---- */

static void choice_add(struct choice *c, struct tls_chain *chain)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->chains[i]->kind == chain->kind)
            return;
    if (c->n < KINDS_MAX)
        c->chains[c->n++] = chain;
}

static bool choice_eq(const struct choice *a, const struct choice *b)
{
    return a->n == b->n && memcmp(a->chains, b->chains, a->n * sizeof(a->chains[0])) == 0;
}

static struct choice choice_for(struct tls_chain *const *chains, size_t n, struct str name)
{
    struct choice c = { 0 };

    for (size_t i = 0; i < n; i++)
        if (tls_chain_has_name(chains[i], name))
            choice_add(&c, chains[i]);
    return c;
}

/* The first chain, and what the same host has of other kinds: a client that cannot use the first needs one of
 * these. */
static struct choice choice_usual(struct tls_chain *const *chains, size_t n)
{
    struct choice c = { .chains = { chains[0] }, .n = 1 };

    for (size_t i = 1; i < n && chains[0]->names.n > 0; i++)
        if (tls_chain_has_name(chains[i], chains[0]->names.items[0]))
            choice_add(&c, chains[i]);
    return c;
}

static int on_certificate(SSL *ssl, void *unused)
{
    const struct tls_stream *t = SSL_get_app_data(ssl);
    const struct tls_server *s = t->server;
    struct str name = str_from_c(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    struct choice c = name.n > 0 ? choice_for(s->chains, s->n_chains, name) : (struct choice){ 0 };

    /* C104: unknown names are served, too. */
    if (c.n == 0 || choice_eq(&c, &s->usual))
        return 1;
    SSL_certs_clear(ssl);
    for (size_t i = 0; i < c.n; i++)
        if (SSL_use_cert_and_key(ssl, c.chains[i]->leaf, c.chains[i]->key, c.chains[i]->above, 1) != 1)
            return 0;
    return 1;
}

/* ---- ALPN (RFC 7301 3.2) ---- */

static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                        unsigned n, void *unused)
{
    static const unsigned char smtp[] = { 's', 'm', 't', 'p' };

    for (unsigned at = 0; at < n && in[at] < n - at; at += 1U + in[at]) {
        if (in[at] != sizeof(smtp) || memcmp(in + at + 1, smtp, sizeof(smtp)) != 0)
            continue;
        *out = smtp;
        *out_n = sizeof(smtp);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- tickets (RFC 5077 4) ---- */

static bool ticket_cipher(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const struct ticket_key *key,
                          unsigned char *iv, bool encrypt)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof(key->hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_CIPHER *aes = EVP_CIPHER_fetch(tls_library(), "AES-256-CBC", NULL);
    bool ok = aes && EVP_CipherInit_ex(cipher, aes, NULL, key->aes, iv, encrypt) == 1 &&
              EVP_MAC_CTX_set_params(mac, params) == 1;

    EVP_CIPHER_free(aes);
    return ok;
}

static int seal(const struct tls_server *s, SSL *ssl, unsigned char *name, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    /* What a certificate vouched for is looked at again each time. */
    if (s->n_keys == 0 || SSL_get0_peer_certificate(ssl))
        return 0;
    if (RAND_bytes_ex(tls_library(), iv, 16, 0) != 1)
        return -1;
    memcpy(name, s->keys[0].name, sizeof(s->keys[0].name));
    return ticket_cipher(cipher, mac, &s->keys[0], iv, true) ? 1 : -1;
}

static int open_ticket(const struct tls_server *s, SSL *ssl, const unsigned char *name, unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (size_t i = 0; i < s->n_keys; i++) {
        if (memcmp(name, s->keys[i].name, sizeof(s->keys[i].name)) != 0)
            continue;
        if (!ticket_cipher(cipher, mac, &s->keys[i], iv, false))
            return -1;
        /* 2: good, and to be replaced: by one with the newest key, or as a ticket is used once (RFC 8446
         * C.4). */
        return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
    }
    return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    const struct tls_stream *t = SSL_get_app_data(ssl);

    return sealing ? seal(t->server, ssl, name, iv, cipher, mac)
                   : open_ticket(t->server, ssl, name, iv, cipher, mac);
}

/*
 * A ticket carries how many resumptions led to it: after RESUMPTIONS_MAX a whole handshake shows the
 * certificate again (RFC 8446 4.6.1: what one handshake vouched for shall not live for ever).
 */
static unsigned char resumptions(SSL_SESSION *session)
{
    void *at;
    size_t n;

    return SSL_SESSION_get0_ticket_appdata(session, &at, &n) == 1 && n == 1 ? *(unsigned char *)at : 0;
}

static int on_ticket_made(SSL *ssl, void *unused)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    unsigned char count = SSL_session_reused(ssl) ? (unsigned char)(resumptions(session) + 1) : 0;

    return SSL_SESSION_set1_ticket_appdata(session, &count, sizeof(count));
}

static SSL_TICKET_RETURN on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t n,
                                        SSL_TICKET_STATUS status, void *unused)
{
    bool good = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

    if (!good || resumptions(session) >= RESUMPTIONS_MAX)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- making one ---- */

static bool copy_options(struct tls_server *s, const struct tls_server_options *o, struct err *err)
{
    s->memory = arena_new(TEXTS_MAX);
    if (!s->memory)
        return err_temp(err, "no memory for TLS");
    s->options = *o;
    s->options.client_ca = STR_NONE;
    s->options.ciphers = arena_str(s->memory, o->ciphers);
    s->options.name = arena_str(s->memory, o->name);
    if (!s->options.ciphers.p || !s->options.name.p)
        return err_perm(err, "the list of ciphers is too long");
    return EVP_Digest(o->name.p ? o->name.p : "", o->name.n, s->session_context, NULL, EVP_sha256(), NULL) ==
               1 ||
           tls_failed(err, "TLS cannot be used");
}

static bool take_cas(struct tls_server *s, struct str pem, struct err *err)
{
    STACK_OF(X509_OBJECT) * all;

    if (pem.n == 0)
        return true;
    s->cas = tls_store_new(pem, err);
    s->ca_names = sk_X509_NAME_new_null();
    if (!s->cas || !s->ca_names)
        return s->cas ? err_temp(err, "no memory for the CAs") : false;
    all = X509_STORE_get0_objects(s->cas);
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        const X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        X509_NAME *name = x ? X509_NAME_dup(X509_get_subject_name(x)) : NULL;
        if (!name || !sk_X509_NAME_push(s->ca_names, name)) {
            X509_NAME_free(name);
            return err_temp(err, "no memory for the CAs");
        }
    }
    return true;
}

static bool ask_clients(const struct tls_server *s, SSL_CTX *context)
{
    STACK_OF(X509_NAME) * names;

    if (!s->options.ask_certificate && !s->options.require_certificate)
        return true;
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (s->options.require_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        NULL);
    if (!s->cas)
        return true;
    names = SSL_dup_CA_list(s->ca_names);
    if (!names)
        return false;
    SSL_CTX_set0_CA_list(context, names);
    SSL_CTX_set1_cert_store(context, s->cas);
    return true;
}

static SSL_CTX *server_context(const struct tls_server *s, struct err *err)
{
    SSL_CTX *context = tls_context_new(TLS_server_method(), s->options.min_version, s->options.ciphers, err);

    if (!context)
        return NULL;
    tls_trust_install(context);
    SSL_CTX_set_cert_cb(context, on_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    SSL_CTX_set_session_ticket_cb(context, on_ticket_made, on_ticket_read, NULL);
    if (ask_clients(s, context) &&
        SSL_CTX_set_session_id_context(context, s->session_context, sizeof(s->session_context)) == 1)
        return context;
    SSL_CTX_free(context);
    tls_failed(err, "TLS cannot be used");
    return NULL;
}

struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *err)
{
    struct tls_server *s = calloc(1, sizeof(*s));
    SSL_CTX *trial;

    if (!s) {
        err_temp(err, "no memory for TLS");
        return NULL;
    }
    s->count = 1;
    if (!copy_options(s, o, err) || !take_cas(s, o->client_ca, err))
        goto fail;
    /* What is wrong is told now, not with the first chain. */
    trial = server_context(s, err);
    if (!trial)
        goto fail;
    SSL_CTX_free(trial);
    return s;
fail:
    tls_server_free(s);
    return NULL;
}

static void free_chains(struct tls_chain **chains, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tls_chain_free(chains[i]);
    free(chains);
}

void tls_server_free(struct tls_server *s)
{
    if (!s || --s->count > 0)
        return;
    SSL_CTX_free(s->context);
    free_chains(s->chains, s->n_chains);
    X509_STORE_free(s->cas);
    sk_X509_NAME_pop_free(s->ca_names, X509_NAME_free);
    arena_free(s->memory);
    explicit_bzero(s->keys, sizeof(s->keys));
    free(s);
}

void tls_server_share(struct tls_server *s)
{
    s->count++;
}

/* ---- what it has ---- */

/* A context that shows CHOICE: handshakes under way keep theirs. */
static SSL_CTX *context_showing(const struct tls_server *s, const struct choice *c, struct err *err)
{
    SSL_CTX *context = server_context(s, err);

    for (size_t i = 0; context && i < c->n; i++) {
        if (tls_context_show(context, c->chains[i], err))
            continue;
        SSL_CTX_free(context);
        context = NULL;
    }
    return context;
}

static void put_chains(struct tls_server *s, SSL_CTX *context, const struct choice *usual,
                       struct tls_chain **chains, size_t n)
{
    SSL_CTX_free(s->context);
    free_chains(s->chains, s->n_chains);
    s->context = context;
    s->usual = *usual;
    s->chains = chains;
    s->n_chains = n;
}

bool tls_server_chains(struct tls_server *s, struct tls_chain *const *chains, size_t n, struct err *err)
{
    struct choice usual = { 0 };
    struct tls_chain **copy;
    SSL_CTX *context;

    if (n == 0) {
        put_chains(s, NULL, &usual, NULL, 0);
        return true;
    }
    usual = choice_usual(chains, n);
    copy = calloc(n, sizeof(struct tls_chain *));
    if (!copy)
        return err_temp(err, "no memory for certificates");
    context = context_showing(s, &usual, err);
    if (!context) {
        free(copy);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        copy[i] = tls_chain_share(chains[i]);
    put_chains(s, context, &usual, copy, n);
    return true;
}

bool tls_server_can(const struct tls_server *s)
{
    return s->context != NULL;
}

bool tls_server_ticket_keys(struct tls_server *s, struct str keys, struct err *err)
{
    size_t n = keys.n / sizeof(struct ticket_key);

    if (keys.n % sizeof(struct ticket_key) != 0 || n > TICKET_KEYS_MAX)
        return err_perm(err, "no keys of session tickets");
    explicit_bzero(s->keys, sizeof(s->keys));
    if (n > 0)
        memcpy(s->keys, keys.p, keys.n);
    s->n_keys = n;
    return true;
}

SSL *tls_server_ssl(struct tls_server *s, struct err *err)
{
    SSL *ssl;
    bool tickets = s->options.tickets && s->n_keys > 0;

    if (!s->context) {
        err_temp(err, "there is no certificate to show");
        return NULL;
    }
    ssl = SSL_new(s->context);
    if (!ssl || !tls_take_role(ssl, SSL_set_accept_state)) {
        SSL_free(ssl);
        tls_failed(err, "no TLS");
        return NULL;
    }
    SSL_set_mode(ssl, SSL_MODE_ASYNC);
    SSL_set_num_tickets(ssl, tickets ? 1 : 0);
    if (!tickets)
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
    return ssl;
}

bool tls_server_demands(const struct tls_server *s)
{
    return s->options.require_certificate;
}

bool tls_server_has_cas(const struct tls_server *s)
{
    return s->cas != NULL;
}
