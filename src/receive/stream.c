/* receive/stream.c -- octets of one connection: what the client sent, replies it has not taken yet. */
#include "receive/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "io/local.h"

enum { LINGER_MSEC = 2000, LINGER_OCTETS = 256 * 1024 };

/* ---- in ---- */

static bool is_nothing_yet(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Nothing came, or nothing will. */
static void read_failed(struct session *s, ssize_t n)
{
    if (n < 0 && is_nothing_yet(errno)) {
        if (s->tls)
            io_watch_arm(&s->watch, tls_wants(s->tls));
        return;
    }
    if (n < 0 && s->tls && errno == EPROTO)
        record_tls_fail(s, tls_stream_failure(s->tls));
    session_end(s, "lost");
}

/* In clear; what a client of this machine passes beside it is not ours to close. */
static ssize_t read_clear(struct session *s)
{
    char *room = s->receive->read_room;

    return s->client_n ? recv(s->fd, room, RECEIVE_READ_MAX, 0) : local_recv(s->fd, room, RECEIVE_READ_MAX);
}

struct str stream_read(struct session *s)
{
    struct receive *r = s->receive;
    ssize_t n = s->tls ? tls_read(s->tls, r->read_room, RECEIVE_READ_MAX) : read_clear(s);

    if (n <= 0) {
        read_failed(s, n);
        return STR_NONE;
    }
    s->octets_in += (uint64_t)n;
    r->octets_in += (uint64_t)n;
    return str_of(r->read_room, (size_t)n);
}

void stream_listen(struct session *s)
{
    struct receive *r = s->receive;

    io_watch_arm(&s->watch, IO_READ);
    if (!s->tls || !tls_pending(s->tls) || !list_empty(&s->unread))
        return;
    /* In the next turn: one client with much to say does not keep the others waiting. */
    list_append(&r->unread, &s->unread);
    io_timer_start(&r->unread_next, 0);
}

void stream_acknowledge(struct session *s)
{
    int on = 1;

    if (s->client_n)
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

void stream_rest(struct session *s)
{
    io_watch_arm(&s->watch, !s->blocked ? 0 : s->tls ? tls_wants(s->tls) : IO_WRITE);
}

/* ---- out ---- */

static ssize_t write_some(struct session *s, struct str octets)
{
    if (s->tls)
        return tls_write(s->tls, octets.p, octets.n);
    return send(s->fd, octets.p, octets.n, MSG_NOSIGNAL);
}

/* As much of OCTETS as the client takes now; returns how many it took. */
static size_t send_some(struct session *s, struct str octets)
{
    size_t sent = 0;

    while (sent < octets.n) {
        ssize_t n = write_some(s, str_skip(octets, sent));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            s->blocked = true;
            break;
        }
        if (n <= 0) {
            session_end(s, "lost");
            break;
        }
        sent += (size_t)n;
    }
    s->octets_out += sent;
    return sent;
}

/* Replies wait for the answer to a question about a pipelined command, so that they leave as one (RFC 2920 3.2). */
static bool holds_replies(const struct session *s)
{
    return s->blocked || s->delayed || (s->question != QUESTION_NONE && s->question != QUESTION_COMMIT);
}

/*
 * A close with input unread makes the kernel reset the connection, and the client may never see our last reply. So
 * our side ends, and what it still sends is thrown away for a moment, up to a bound.
 */
static void say_no_more(struct session *s)
{
    char octet;

    if (s->tls && s->secure.on)
        tls_shutdown(s->tls);
    if (recv(s->fd, &octet, 1, MSG_PEEK) <= 0 || shutdown(s->fd, SHUT_WR) < 0) {
        session_end(s, s->end_reason ? s->end_reason : "quit");
        return;
    }
    s->lingering = true;
    io_watch_arm(&s->watch, IO_READ);
    session_deadline(s, LINGER_MSEC);
}

void stream_linger(struct session *s)
{
    ssize_t n = read_clear(s);

    if (n > 0)
        s->lingered += (size_t)n;
    if (n == 0 || s->lingered > LINGER_OCTETS || (n < 0 && !is_nothing_yet(errno)))
        session_end(s, s->end_reason);
}

void session_send(struct session *s)
{
    struct buf *out = &s->receive->out;

    watched_replies(s);
    if (!s->finished && (s->out.n || holds_replies(s)) && !buf_add(&s->out, buf_str(out)))
        session_end(s, "lost");
    if (!s->finished && !holds_replies(s)) {
        struct buf *from = s->out.n ? &s->out : out;
        buf_eat(from, send_some(s, buf_str(from)));
        if (from == out && out->n && !buf_add(&s->out, buf_str(out)))
            session_end(s, "lost");
    }
    buf_clear(out);
    s->receive->out_told = 0;
    if (s->finished)
        return;
    if (s->blocked)
        stream_rest(s);
    else if (s->closing && !s->out.n && !s->lingering)
        say_no_more(s);
    else if (s->shakes && !s->out.n)
        handshake_begin(s);
}
