/* tls/stream.c -- handshakes that wait for signatures, octets, the end. */
#include "tls/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "io/loop.h"
#include "ipc/message.h"
#include "tls/context.h"

enum { TEXTS_MAX = 64 * 1024, RECORD = 16 * 1024, TURN = RECORD + 2048, IDLE_MAX = 32 };

/* Whoever signs is one for the process, and so is the count of what was given to be signed. */
static struct {
    struct tls_signer *signer;
    struct map waiting; /* streams by ticket */
    uint64_t tickets;
    bool begun;
} process;

/* ---- beginning ---- */

bool tls_begin(struct tls_signer *signer, struct err *err)
{
    process.signer = signer;
    if (process.begun)
        return true;
    if (!tls_socket_begin())
        return err_temp(err, "no memory for TLS");
    if (!tls_provider_begin(err))
        return false;
    process.begun =
        RAND_bytes_ex(tls_library(), (unsigned char *)&process.waiting.seed, sizeof(uint64_t), 0) == 1;
    return process.begun || tls_failed(err, "no random numbers");
}

static struct tls_stream *stream_new(int fd, struct tls_owner *owner, struct err *err)
{
    struct tls_stream *t = calloc(1, sizeof(*t));

    if (!t) {
        err_temp(err, "no memory for TLS");
        return NULL;
    }
    *t = (struct tls_stream){ .fd = fd, .owner = owner };
    return t;
}

void tls_stream_fail(struct tls_stream *t, const char *text)
{
    if (!t->failure)
        t->failure = strdup(text);
}

/*
 * Messages of a handshake that is over. To say that its keys change costs a peer less than to hear it (RFC 8446 4.6.3): who
 * says nothing else is not listened to any longer.
 */
static void on_message(int sends, int version, int type, const void *octets, size_t n, SSL *ssl, void *stream)
{
    struct tls_stream *t = stream;

    if (sends || type != SSL3_RT_HANDSHAKE || !t->established || ++t->idle <= IDLE_MAX)
        return;
    tls_stream_fail(t, "it says again and again that its keys change, and nothing else");
    t->muted = true;
}

/* Its SSL is there, or ERR says why not. */
static struct tls_stream *stream_attach(struct tls_stream *t, struct err *err)
{
    if (t->ssl && SSL_set_app_data(t->ssl, t) == 1 && tls_socket_attach(t)) {
        SSL_set_msg_callback(t->ssl, on_message);
        SSL_set_msg_callback_arg(t->ssl, t);
        return t;
    }
    if (t->ssl)
        err_temp(err, "no memory for TLS");
    tls_stream_free(t);
    return NULL;
}

struct tls_stream *tls_accept(struct tls_server *server, int fd, struct tls_owner *owner, struct err *err)
{
    struct tls_stream *t = stream_new(fd, owner, err);

    if (!t)
        return NULL;
    tls_server_share(server);
    t->server = server;
    t->ssl = tls_server_ssl(server, err);
    return stream_attach(t, err);
}

static const struct str *copy_texts(struct arena *a, const struct str *from, size_t n)
{
    struct str *to = ARENA_NEW_ARRAY(a, n + 1, struct str);

    for (size_t i = 0; to && i < n; i++) {
        to[i] = arena_str(a, from[i]);
        if (!to[i].p)
            return NULL;
    }
    return to;
}

static bool take_demand(struct tls_stream *t, const struct tls_demand *d, struct err *err)
{
    t->memory = arena_new(TEXTS_MAX);
    if (!t->memory)
        return err_temp(err, "no memory for TLS");
    t->demand = *d;
    t->demand.names = copy_texts(t->memory, d->names, d->n_names);
    t->demand.hashes = copy_texts(t->memory, d->hashes, d->n_hashes);
    return (t->demand.names && t->demand.hashes) || err_temp(err, "no memory for TLS");
}

static bool set_sni(struct tls_stream *t, struct str sni, struct err *err)
{
    char *name = arena_cstr(t->memory, sni);

    if (sni.n == 0)
        return true;
    return (name && SSL_set_tlsext_host_name(t->ssl, name) == 1) ||
           tls_failed(err, "the host's name is none for TLS");
}

struct tls_stream *tls_connect(struct tls_client *client, int fd, const struct tls_demand *demand,
                               struct str sni, struct tls_owner *owner, struct err *err)
{
    struct tls_stream *t = stream_new(fd, owner, err);

    if (!t)
        return NULL;
    tls_client_share(client);
    t->client = client;
    if (!take_demand(t, demand, err))
        goto fail;
    t->ssl = tls_client_ssl(client, demand->trust == TLS_TRUST_NAMES, err);
    if (!t->ssl || !set_sni(t, sni, err))
        goto fail;
    if (demand->trust != TLS_TRUST_ANY)
        SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
    return stream_attach(t, err);
fail:
    tls_stream_free(t);
    return NULL;
}

/* ---- signatures ---- */

static enum ipc_sign_form form_of(const struct tls_stream *t)
{
    if (SSL_version(t->ssl) >= TLS1_3_VERSION)
        return t->server ? IPC_SIGN_SERVER_13 : IPC_SIGN_CLIENT_13;
    return t->server ? IPC_SIGN_SERVER_12 : IPC_SIGN_CLIENT_12;
}

static struct str ticket_key(const struct tls_stream *t)
{
    return str_of((const char *)&t->ticket, sizeof(t->ticket));
}

static void answer(struct tls_stream *t, struct str signature)
{
    struct tls_job *job = t->job;

    if (t->asked)
        map_remove(&process.waiting, &t->waiting);
    t->asked = false;
    job->answered = true;
    job->n = signature.n <= job->room ? signature.n : 0;
    if (job->n > 0)
        memcpy(job->at, signature.p, job->n);
}

/* What the handshake left its job with goes to whoever signs; what cannot be signed is refused at once. */
static bool ask(struct tls_stream *t)
{
    t->ticket = ++process.tickets;
    t->job->what.form = (uint8_t)form_of(t);
    if (process.signer && map_insert(&process.waiting, &t->waiting, ticket_key(t))) {
        t->asked = true;
        if (process.signer->sign(process.signer, t->ticket, &t->job->what))
            return true;
    }
    answer(t, STR_NONE);
    return false;
}

void tls_signed(uint64_t ticket, struct str signature)
{
    struct map_node *node = map_find(&process.waiting, str_of((const char *)&ticket, sizeof(ticket)));
    struct tls_stream *t;

    if (!node)
        return;
    t = CONTAINER_OF(node, struct tls_stream, waiting);
    if (signature.n == 0)
        tls_stream_fail(t, "our side could not sign");
    answer(t, signature);
    t->owner->resumed(t->owner);
}

/* ---- the handshake ---- */

/*
 * OpenSSL goes on reading while records come that carry nothing: new keys, refused renegotiations, tickets. Whoever sends
 * them without end must not keep the loop: a call takes one record more than what it brings to the caller, and no more.
 */
static void begin_turn(struct tls_stream *t)
{
    t->turn = TURN;
    t->wants = 0;
}

static int step(struct tls_stream *t)
{
    int result;

    ERR_clear_error();
    t->sys = 0;
    begin_turn(t);
    tls_provider_leave_at(&t->job);
    result = SSL_do_handshake(t->ssl);
    tls_provider_leave_at(NULL);
    return SSL_get_error(t->ssl, result);
}

/* Nothing of it is needed any more: jobs cost each read, and a demand was met. */
static enum tls_handshake handshake_done(struct tls_stream *t)
{
    t->established = true;
    /* What the peer said right behind its last word of the handshake came with it. */
    t->pending = SSL_has_pending(t->ssl);
    SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
    t->demand = (struct tls_demand){ 0 };
    arena_free(t->memory);
    t->memory = NULL;
    return TLS_DONE;
}

static enum tls_handshake handshake_failed(struct tls_stream *t, struct err *err)
{
    struct err words = { 0 };

    /* Words that were found on the way say more than OpenSSL's last ones. */
    tls_what_failed(t->sys, &words);
    tls_stream_fail(t, words.text);
    if (t->sys != 0)
        err_temp(err, "%s", tls_stream_failure(t));
    else
        err_perm(err, "%s", tls_stream_failure(t));
    return TLS_FAILED;
}

enum tls_handshake tls_handshake(struct tls_stream *t, struct err *err)
{
    for (;;) {
        if (t->asked)
            return TLS_WAIT;
        switch (step(t)) {
        case SSL_ERROR_NONE:
            return handshake_done(t);
        case SSL_ERROR_WANT_READ:
            t->wants = IO_READ;
            return TLS_WAIT;
        case SSL_ERROR_WANT_WRITE:
            t->wants = IO_WRITE;
            return TLS_WAIT;
        case SSL_ERROR_WANT_ASYNC:
            if (!ask(t))
                tls_stream_fail(t, "our side could not sign");
            break;
        default:
            return handshake_failed(t, err);
        }
    }
}

unsigned tls_wants(const struct tls_stream *t)
{
    return t->wants;
}

/* ---- octets ---- */

static ssize_t fail_with(int sys)
{
    errno = sys;
    return -1;
}

/* Why a call moved nothing: 0 at the orderly end, -1 with errno. */
static ssize_t stopped(struct tls_stream *t)
{
    struct err words = { 0 };

    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
        t->wants = IO_READ;
        return fail_with(EAGAIN);
    case SSL_ERROR_WANT_WRITE:
        t->wants = IO_WRITE;
        return fail_with(EAGAIN);
    case SSL_ERROR_SYSCALL:
        /* After a failure OpenSSL says no more why. */
        return fail_with(t->failure ? EPROTO : t->sys ? t->sys : ECONNRESET);
    default:
        break;
    }
    if (t->at_end && !t->failure && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return fail_with(ECONNRESET);
    }
    tls_what_failed(0, &words);
    tls_stream_fail(t, words.text);
    return fail_with(EPROTO);
}

/* More can be had at once: OpenSSL has some, or the socket gave as much as a record holds. */
static bool more_at_hand(const struct tls_stream *t, size_t last)
{
    return last == RECORD || SSL_has_pending(t->ssl);
}

ssize_t tls_read(struct tls_stream *t, void *at, size_t room)
{
    size_t got = 0, n = RECORD;

    t->pending = false;
    begin_turn(t);
    while (got < room && (got == 0 || more_at_hand(t, n))) {
        ssize_t why;
        ERR_clear_error();
        t->sys = 0;
        if (SSL_read_ex(t->ssl, (char *)at + got, room - got, &n) == 1) {
            got += n;
            t->turn += n;
            t->idle = 0;
            continue;
        }
        why = stopped(t);
        if (got == 0)
            return why;
        /* The end, or a failure, is told by the next call: no descriptor will. */
        t->pending = why == 0 || errno != EAGAIN;
        return (ssize_t)got;
    }
    t->pending = got == room && SSL_has_pending(t->ssl);
    return (ssize_t)got;
}

ssize_t tls_write(struct tls_stream *t, const void *at, size_t n)
{
    size_t sent = 0, now;

    begin_turn(t);
    while (sent < n) {
        ERR_clear_error();
        t->sys = 0;
        if (SSL_write_ex(t->ssl, (const char *)at + sent, n - sent, &now) == 1) {
            sent += now;
            continue;
        }
        ssize_t why = stopped(t);
        /* What a peer that said its end does not hear is lost. */
        if (why == 0)
            why = fail_with(EPIPE);
        return sent > 0 && errno == EAGAIN ? (ssize_t)sent : why;
    }
    return (ssize_t)sent;
}

bool tls_pending(const struct tls_stream *t)
{
    return t->pending;
}

void tls_shutdown(struct tls_stream *t)
{
    if (t->established && !t->failure)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

const char *tls_stream_failure(const struct tls_stream *t)
{
    return t->failure ? t->failure : "TLS failed";
}

/* OpenSSL frees no job that is paused: it is led to its end, of which the socket learns nothing. */
static void end_job(struct tls_stream *t)
{
    t->muted = true;
    while (t->job) {
        answer(t, STR_NONE);
        if (step(t) != SSL_ERROR_WANT_ASYNC)
            break;
    }
}

void tls_stream_free(struct tls_stream *t)
{
    if (!t)
        return;
    if (t->ssl)
        end_job(t);
    ERR_clear_error();
    SSL_free(t->ssl);
    tls_server_free(t->server);
    tls_client_free(t->client);
    arena_free(t->memory);
    free(t->failure);
    free(t);
}
