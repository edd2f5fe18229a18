/* tls/facts.c -- what is known of a session and its peer. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tls/stream.h"

enum { SUBJECT_MAX = 64 * 1024 };

#define EXPORTER_LABEL "EXPORTER-Channel-Binding"

static struct str subject_of(struct tls_stream *t, const X509 *x)
{
    if (!t->memory)
        t->memory = arena_new(SUBJECT_MAX);
    return t->memory ? tls_subject_of(x, t->memory) : STR_NONE;
}

static void peer_facts(struct tls_stream *t, const X509 *x, struct tls_facts *f)
{
    f->has_certificate = tls_hash_certificate(x, f->certificate) && tls_hash_public_key(x, f->public_key);
    f->verified = t->verified;
    f->subject = subject_of(t, x);
    f->until_msec = tls_time_msec(X509_get0_notAfter(x));
}

void tls_stream_facts(struct tls_stream *t, struct tls_facts *f)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
    const char *name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
    const X509 *x = SSL_get0_peer_certificate(t->ssl);

    *f = (struct tls_facts){
        .version = SSL_get_version(t->ssl),
        .cipher = name ? name : "",
        .resumed = SSL_session_reused(t->ssl) == 1,
    };
    if (t->server)
        f->sni = str_from_c(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
    if (x)
        peer_facts(t, x, f);
    ERR_clear_error();
}

/* RFC 9266 2: bindings are to a secret of this session alone, which below TLS 1.3 wants the extended master
 * secret. */
static bool has_own_secret(const struct tls_stream *t)
{
    return SSL_version(t->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(t->ssl) == 1;
}

bool tls_stream_exporter(struct tls_stream *t, unsigned char out[32])
{
    static const unsigned char no_context[1];
    bool ok = has_own_secret(t) && SSL_export_keying_material(t->ssl, out, 32, EXPORTER_LABEL,
                                                              strlen(EXPORTER_LABEL), no_context, 0, 1) == 1;

    ERR_clear_error();
    return ok;
}

bool tls_stream_unique(struct tls_stream *t, unsigned char out[64], size_t *n)
{
    /* RFC 5929 3.1: the first Finished, the client's, or the server's where a session is resumed. */
    bool ours = (t->server != NULL) == (SSL_session_reused(t->ssl) == 1);

    if (SSL_version(t->ssl) >= TLS1_3_VERSION || !has_own_secret(t))
        return false;
    *n = ours ? SSL_get_finished(t->ssl, out, 64) : SSL_get_peer_finished(t->ssl, out, 64);
    return *n > 0 && *n <= 64;
}

bool tls_stream_addresses(struct tls_stream *t, struct arena *a, struct str *names)
{
    const X509 *x = t->verified ? SSL_get0_peer_certificate(t->ssl) : NULL;
    struct tls_names found = { 0 };
    size_t n = 0, at = 0;
    char *all;

    *names = STR_NONE;
    if (!x)
        return true;
    if (!tls_names_of(x, GEN_EMAIL, a, &found, NULL))
        return false;
    for (size_t i = 0; i < found.n; i++)
        n += found.items[i].n + 1;
    all = arena_alloc(a, n + 1);
    if (!all)
        return false;
    for (size_t i = 0; i < found.n; i++) {
        memcpy(all + at, found.items[i].p, found.items[i].n + 1);
        at += found.items[i].n + 1;
    }
    *names = str_of(all, n);
    return true;
}
