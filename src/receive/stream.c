/* receive/stream.c -- octets of one connection: what the client sent, replies it has not taken yet. */
#include "receive/session.h"

#include <errno.h>
#include <sys/socket.h>

enum { LINGER_MSEC = 2000, LINGER_OCTETS = 256 * 1024 };

/* ---- in ---- */

static bool is_nothing_yet(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

struct str stream_read(struct session *s)
{
    struct receive *r = s->receive;
    ssize_t n = recv(s->fd, r->read_room, RECEIVE_READ_MAX, 0);

    if (n < 0 && is_nothing_yet(errno))
        return STR_NONE;
    if (n <= 0) {
        session_end(s, "lost");
        return STR_NONE;
    }
    s->octets_in += (uint64_t)n;
    r->octets_in += (uint64_t)n;
    return str_of(r->read_room, (size_t)n);
}

/* ---- out ---- */

/* As much of OCTETS as the client takes now; returns how many it took. */
static size_t send_some(struct session *s, struct str octets)
{
    size_t sent = 0;

    while (sent < octets.n) {
        ssize_t n = send(s->fd, octets.p + sent, octets.n - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            s->blocked = true;
            break;
        }
        if (n < 0) {
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
    ssize_t n = recv(s->fd, s->receive->read_room, RECEIVE_READ_MAX, 0);

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
        io_watch_arm(&s->watch, IO_WRITE);
    else if (s->closing && !s->out.n)
        say_no_more(s);
}
