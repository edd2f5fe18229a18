/* cmd/bench/secure.c -- OpenSSL on the sockets of generator and sink. */
#include "cmd/bench/secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* Reads are given more room than the library reads ahead, so that nothing stays there of which no descriptor tells. */
enum { GATHER_MAX = 64 * 1024, READ_AHEAD = 32 * 1024, SESSIONS_MAX = 1024 };

struct secure_context {
    SSL_CTX *ssl;
    bool is_client;
    bool resume;
    SSL_SESSION *sessions[SESSIONS_MAX]; /* to be resumed, the newest first */
    size_t n_sessions;
    unsigned long long handshakes;
    unsigned long long resumed;
    char gather[GATHER_MAX]; /* pieces of one write, so that they are one record */
};

struct secure {
    struct secure_context *context;
    SSL *ssl;
    bool ready;
    bool wants_write;
};

/* A session came, in TLS 1.3 some time after the handshake. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct secure_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (c->n_sessions == SESSIONS_MAX)
        return 0;
    c->sessions[c->n_sessions++] = session;
    return 1;
}

/*
 * In TLS 1.3 each is resumed once (RFC 8446 C.4): the library makes one useless as soon as a handshake with it is through,
 * also for a connection that was to resume it at the same time.
 */
static void resume(struct secure_context *c, SSL *ssl)
{
    SSL_SESSION *session = c->n_sessions ? c->sessions[c->n_sessions - 1] : NULL;

    if (!session)
        return;
    SSL_set_session(ssl, session);
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return;
    c->n_sessions--;
    SSL_SESSION_free(session);
}

static struct secure_context *context_new(const SSL_METHOD *method, struct err *err)
{
    struct secure_context *c = calloc(1, sizeof(*c));

    if (c)
        c->ssl = SSL_CTX_new(method);
    if (!c || !c->ssl) {
        free(c);
        err_temp(err, "TLS: out of memory");
        return NULL;
    }
    SSL_CTX_set_app_data(c->ssl, c);
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c->ssl, 1);
    SSL_CTX_set_default_read_buffer_len(c->ssl, READ_AHEAD);
    return c;
}

struct secure_context *secure_client(bool resume, struct err *err)
{
    struct secure_context *c = context_new(TLS_client_method(), err);

    if (!c)
        return NULL;
    c->is_client = true;
    c->resume = resume;
    if (resume) {
        SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(c->ssl, on_session);
    }
    return c;
}

struct secure_context *secure_server(const char *certificate, struct err *err)
{
    struct secure_context *c = context_new(TLS_server_method(), err);

    if (!c)
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(c->ssl, certificate) == 1 &&
        SSL_CTX_use_PrivateKey_file(c->ssl, certificate, SSL_FILETYPE_PEM) == 1)
        return c;
    err_perm(err, "%s: no chain with its key: %s", certificate, ERR_reason_error_string(ERR_peek_last_error()));
    secure_context_free(c);
    return NULL;
}

void secure_context_free(struct secure_context *c)
{
    if (!c)
        return;
    while (c->n_sessions)
        SSL_SESSION_free(c->sessions[--c->n_sessions]);
    SSL_CTX_free(c->ssl);
    free(c);
}

unsigned long long secure_handshakes(const struct secure_context *c)
{
    return c->handshakes;
}

unsigned long long secure_resumed(const struct secure_context *c)
{
    return c->resumed;
}

struct secure *secure_new(struct secure_context *c, int fd)
{
    struct secure *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    *s = (struct secure){ .context = c, .ssl = SSL_new(c->ssl) };
    if (!s->ssl || SSL_set_fd(s->ssl, fd) != 1) {
        secure_free(s);
        return NULL;
    }
    if (c->is_client)
        SSL_set_connect_state(s->ssl);
    else
        SSL_set_accept_state(s->ssl);
    if (c->resume)
        resume(c, s->ssl);
    return s;
}

void secure_free(struct secure *s)
{
    if (!s)
        return;
    if (s->ready)
        (void)SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    free(s);
}

/* What a call that returned N means for errno; 0: the peer's orderly end. */
static ssize_t judged(struct secure *s, int n)
{
    int error = SSL_get_error(s->ssl, n);

    ERR_clear_error();
    s->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

bool secure_shake(struct secure *s)
{
    int n = SSL_do_handshake(s->ssl);

    if (n != 1)
        return judged(s, n) < 0 && errno == EAGAIN;
    s->ready = true;
    s->wants_write = false;
    s->context->handshakes++;
    s->context->resumed += SSL_session_reused(s->ssl) == 1;
    return true;
}

bool secure_is_ready(const struct secure *s)
{
    return s->ready;
}

bool secure_wants_write(const struct secure *s)
{
    return s->wants_write;
}

ssize_t secure_read(struct secure *s, void *at, size_t room)
{
    size_t got = 0;

    while (got < room) {
        int n = SSL_read(s->ssl, (char *)at + got, (int)(room - got));
        if (n <= 0 && got)
            break; /* the next call says why */
        if (n <= 0)
            return judged(s, n);
        got += (size_t)n;
    }
    return (ssize_t)got;
}

ssize_t secure_writev(struct secure *s, const struct iovec *v, int n)
{
    struct secure_context *c = s->context;
    size_t all = 0;
    ssize_t sent = 0;

    for (int i = 0; i < n && all < GATHER_MAX; i++) {
        size_t part = v[i].iov_len < GATHER_MAX - all ? v[i].iov_len : GATHER_MAX - all;
        memcpy(c->gather + all, v[i].iov_base, part);
        all += part;
    }
    while ((size_t)sent < all) {
        int wrote = SSL_write(s->ssl, c->gather + sent, (int)(all - (size_t)sent));
        if (wrote <= 0 && sent)
            return judged(s, wrote) < 0 && errno == EAGAIN ? sent : -1;
        if (wrote <= 0)
            return judged(s, wrote);
        sent += wrote;
    }
    return sent;
}
