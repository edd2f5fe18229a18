/* tls/socket.c -- a socket's octets for OpenSSL: the descriptor stays its owner's, and a peer that is gone is
 * no signal. */
#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

#include "core/check.h"
#include "tls/stream.h"

/* OpenSSL keeps the description of a kind of BIO for the whole process. */
static BIO_METHOD *method;

/* Enough for a long chain in records of a few octets. */
enum { HANDSHAKE_MAX = 1 << 20 };

/* HelloRequests, say, may come in a handshake as long as somebody likes to send them (RFC 5246 7.4.1.1). */
static bool is_endless(struct tls_stream *t)
{
    if (t->established || t->taken <= HANDSHAKE_MAX)
        return false;
    tls_stream_fail(t, "the peer's handshake has no end");
    return true;
}

static bool try_again(int sys)
{
    return sys == EAGAIN || sys == EWOULDBLOCK;
}

static int socket_read(BIO *b, char *at, int room)
{
    struct tls_stream *t = BIO_get_data(b);
    ssize_t n;

    BIO_clear_retry_flags(b);
    if (t->muted) {
        t->at_end = true;
        return 0;
    }
    if (is_endless(t))
        return -1;
    /* What is left is in the socket, which tells of it: others come first. */
    if (t->turn == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    do
        n = recv(t->fd, at, size_min((size_t)room, t->turn), 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        t->turn -= (size_t)n;
        t->taken += (size_t)n;
        return (int)n;
    }
    if (n == 0)
        t->at_end = true;
    else if (try_again(errno))
        BIO_set_retry_read(b);
    else
        t->sys = errno;
    return (int)n;
}

static int socket_write(BIO *b, const char *at, int n)
{
    struct tls_stream *t = BIO_get_data(b);
    ssize_t sent;

    BIO_clear_retry_flags(b);
    if (t->muted)
        return n;
    do
        sent = send(t->fd, at, (size_t)n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return (int)sent;
    if (try_again(errno))
        BIO_set_retry_write(b);
    else
        t->sys = errno;
    return -1;
}

static long socket_control(BIO *b, int command, long number, void *at)
{
    const struct tls_stream *t = BIO_get_data(b);

    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return t->at_end;
    default:
        return 0;
    }
}

bool tls_socket_begin(void)
{
    if (method)
        return true;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "veredus socket");
    return method && BIO_meth_set_read(method, socket_read) == 1 &&
           BIO_meth_set_write(method, socket_write) == 1 && BIO_meth_set_ctrl(method, socket_control) == 1;
}

bool tls_socket_attach(struct tls_stream *t)
{
    BIO *b = BIO_new(method);

    if (!b)
        return false;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b);
    return true;
}
