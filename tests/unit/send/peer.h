/* tests/unit/send/peer.h -- the other end of a send process: a host that says what the test wants, in the same loop. */
#ifndef TESTS_SEND_PEER_H
#define TESTS_SEND_PEER_H

#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/buf.h"
#include "io/fd.h"
#include "io/loop.h"
#include "route/plan.h"

enum moment { AT_CONNECT, AT_EHLO, AT_STARTTLS, AT_MAIL, AT_RCPT, AT_DATA, AT_DOT, AT_RSET, AT_QUIT, MOMENTS };

enum { PEER_SESSIONS = 8, PEER_REPLIES = 4 };

/* Now a peer is at work, and not the service: what a test makes fail fails for the service alone. */
static bool peer_at_work;

struct peer;

struct peer_session {
    struct peer *peer;
    struct io_watch watch;
    int fd; /* -1: none */
    struct buf in;
    SSL *ssl; /* NULL: in clear */
    struct buf kept; /* of what TLS says */
    bool holds;      /* it is not sent any more until the test has it sent */
    bool in_data;
    bool mute; /* it looks at nothing before it spoke */
};

/*
 * What is said at each moment, the last for all that follow; NULL: the usual. At "" it falls silent until the test has
 * it speak, and a '!' in front closes the connection behind the words.
 */
struct peer {
    struct io_loop *loop;
    struct io_watch watch;
    int fd;
    uint16_t port;
    char path[108];
    const char *says[MOMENTS][PEER_REPLIES];
    size_t said[MOMENTS];
    struct peer_session sessions[PEER_SESSIONS];
    size_t n_sessions;
    struct buf heard;   /* commands, a line each, '|' where a read ended */
    struct buf content; /* as it came, with its dots, without the end */
    SSL_CTX *context;   /* of TLS; NULL: it has none */
    size_t holds;       /* the next reply inside TLS is followed by a ticket without so many of its octets; 0: by none */
    size_t paused;      /* nothing is read any more behind so many octets of content; 0: never */
};

static inline const char *peer_words(struct peer *p, enum moment at)
{
    static const char *const usual[MOMENTS] = {
        "220 there ESMTP\r\n", "250-there\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE\r\n",
        "220 2.0.0 go\r\n",    "250 2.1.0 ok\r\n",  "250 2.1.5 ok\r\n",
        "354 go\r\n",          "250 2.0.0 taken\r\n",
        "250 2.0.0 ok\r\n",    "221 2.0.0 bye\r\n",
    };
    size_t i = p->said[at]++;

    if (i >= PEER_REPLIES)
        i = PEER_REPLIES - 1;
    while (i && !p->says[at][i])
        i--;
    return p->says[at][i] ? p->says[at][i] : usual[at];
}

static inline void peer_hang_up(struct peer_session *s)
{
    if (s->fd < 0)
        return;
    io_watch_done(&s->watch);
    fd_close(&s->fd);
    buf_done(&s->in);
    buf_done(&s->kept);
    SSL_free(s->ssl);
    s->ssl = NULL;
}

/* What TLS has to say goes out, but for its last HOLDS octets: those, and all that comes behind, wait for the test. */
static inline void peer_flush(struct peer_session *s, size_t holds)
{
    char *octets;
    long n = BIO_get_mem_data(SSL_get_wbio(s->ssl), &octets);

    assert_true(buf_add(&s->kept, str_of(octets, (size_t)n)));
    (void)BIO_reset(SSL_get_wbio(s->ssl));
    if (!s->holds && s->kept.n > holds && send(s->fd, s->kept.p, s->kept.n - holds, MSG_NOSIGNAL) > 0)
        buf_eat(&s->kept, s->kept.n - holds);
    s->holds |= holds > 0;
}

/* As the server of TLS, from the next octet on. */
static inline void peer_begin_tls(struct peer_session *s)
{
    s->kept = BUF_INIT(1 << 20);
    s->ssl = SSL_new(s->peer->context);
    SSL_set_bio(s->ssl, BIO_new_socket(s->fd, BIO_NOCLOSE), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(s->ssl);
}

static inline void peer_says_inside(struct peer_session *s, const char *words, size_t n)
{
    size_t holds = s->peer->holds;

    assert_int_equal(SSL_write(s->ssl, words, (int)n), n);
    s->peer->holds = 0;
    if (holds) {
        assert_int_equal(SSL_new_session_ticket(s->ssl), 1);
        SSL_do_handshake(s->ssl);
    }
    peer_flush(s, holds);
}

static inline void peer_speaks(struct peer_session *s, const char *words)
{
    bool closes = words[0] == '!';
    size_t n = strlen(words + closes);

    s->mute = !words[0];
    if (n && s->ssl)
        peer_says_inside(s, words + closes, n);
    else if (n)
        assert_int_equal(send(s->fd, words + closes, n, MSG_NOSIGNAL), n);
    if (closes)
        peer_hang_up(s);
}

static inline void peer_says(struct peer_session *s, enum moment at)
{
    peer_speaks(s, peer_words(s->peer, at));
}

static inline enum moment peer_moment(struct str line)
{
    static const struct {
        const char *verb;
        enum moment at;
    } verbs[] = {
        { "EHLO ", AT_EHLO }, { "HELO ", AT_EHLO }, { "LHLO ", AT_EHLO }, { "MAIL ", AT_MAIL },
        { "RCPT ", AT_RCPT }, { "DATA", AT_DATA },  { "RSET", AT_RSET },  { "QUIT", AT_QUIT },
        { "STARTTLS", AT_STARTTLS },
    };

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_starts(line, str_from_c(verbs[i].verb)))
            return verbs[i].at;
    fail_msg("what is \"%.*s\"?", STR_ARG(line));
    return MOMENTS;
}

/* One line of commands, or of content. False: none is whole. */
static inline bool peer_line(struct peer_session *s)
{
    struct peer *p = s->peer;
    struct str in = buf_str(&s->in);
    size_t n = str_find(in, '\n');

    if (n == in.n)
        return false;
    struct str line = str_head(in, n + 1);
    if (s->in_data && str_eq(line, STR(".\r\n"))) {
        s->in_data = false;
        buf_eat(&s->in, n + 1);
        peer_says(s, AT_DOT);
        return true;
    }
    if (s->in_data) {
        buf_add(&p->content, line);
        buf_eat(&s->in, n + 1);
        return true;
    }
    enum moment at = peer_moment(line);
    buf_add(&p->heard, line);
    buf_eat(&s->in, n + 1);
    const char *words = peer_words(p, at);
    s->in_data = at == AT_DATA && str_starts(str_from_c(words), STR("354"));
    peer_speaks(s, words);
    if (at == AT_STARTTLS && str_starts(str_from_c(words), STR("220")))
        peer_begin_tls(s);
    return true;
}

static inline void peer_goes_on(struct peer_session *s)
{
    while (s->fd >= 0 && !s->mute && peer_line(s))
        ;
}

/* The test has it speak, to its first client. */
static inline void peer_speaks_up(struct peer *p, const char *words)
{
    peer_speaks(&p->sessions[0], words);
    peer_goes_on(&p->sessions[0]);
}

/* As recv(); 0 when TLS is over, however. */
static inline ssize_t peer_hears(struct peer_session *s, char *room, size_t size)
{
    int n;

    if (!s->ssl)
        return recv(s->fd, room, size, 0);
    ERR_clear_error();
    n = SSL_read(s->ssl, room, (int)size);
    peer_flush(s, 0);
    if (n <= 0 && SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    ERR_clear_error();
    return n > 0 ? n : 0;
}

static inline void peer_on_ready(struct io_watch *w, unsigned what)
{
    struct peer_session *s = CONTAINER_OF(w, struct peer_session, watch);
    char room[65536];
    ssize_t n;

    (void)what;
    peer_at_work = true;
    n = peer_hears(s, room, sizeof(room));
    if (n == -EAGAIN) {
        /* The handshake goes on. */
    } else if (n > 0) {
        buf_add(&s->in, str_of(room, (size_t)n));
        peer_goes_on(s);
        buf_add_char(&s->peer->heard, '|');
    } else {
        peer_hang_up(s);
    }
    if (s->fd >= 0 && s->peer->paused && s->peer->content.n > s->peer->paused)
        io_watch_arm(&s->watch, 0);
    peer_at_work = false;
}

static inline void peer_on_client(struct io_watch *w, unsigned what)
{
    struct peer *p = CONTAINER_OF(w, struct peer, watch);
    struct peer_session *s = &p->sessions[p->n_sessions];
    struct err err = { 0 };
    int on = 1;

    (void)what;
    peer_at_work = true;
    assert_true(p->n_sessions < PEER_SESSIONS);
    *s = (struct peer_session){ .peer = p, .fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK), .in = BUF_INIT(1 << 26) };
    assert_true(s->fd >= 0);
    if (!p->path[0])
        assert_int_equal(setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    p->n_sessions++;
    assert_true(io_watch_init(&s->watch, p->loop, s->fd, peer_on_ready, &err));
    io_watch_arm(&s->watch, IO_READ);
    peer_says(s, AT_CONNECT);
    peer_at_work = false;
}

static inline void peer_begin(struct peer *p, struct io_loop *loop)
{
    struct err err = { 0 };

    p->loop = loop;
    p->heard = BUF_INIT(1 << 20);
    p->content = BUF_INIT(1 << 26);
    assert_true(listen(p->fd, 16) == 0);
    assert_true(io_watch_init(&p->watch, loop, p->fd, peer_on_client, &err));
    io_watch_arm(&p->watch, IO_READ);
}

/* A port of this machine; nobody listens until peer_begin(). */
static inline void peer_bind(struct peer *p)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(sa);

    *p = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
    assert_true(bind(p->fd, (struct sockaddr *)&sa, n) == 0);
    assert_true(getsockname(p->fd, (struct sockaddr *)&sa, &n) == 0);
    p->port = ntohs(sa.sin_port);
}

static inline void peer_bind_unix(struct peer *p, const char *folder)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    *p = (struct peer){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0) };
    snprintf(p->path, sizeof(p->path), "%s/lmtp", folder);
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", p->path);
    assert_true(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
}

static inline struct route_plan_address peer_address(const struct peer *p)
{
    if (p->path[0])
        return (struct route_plan_address){ .host = STR("unix:lmtp"), .path = str_from_c(p->path),
                                            .protocol = ROUTE_PLAN_LMTP };
    return (struct route_plan_address){ .host = STR("mx.example.net"), .address = { IP_V4, { 127, 0, 0, 1 } },
                                        .port = p->port };
}

static inline void peer_done(struct peer *p)
{
    for (size_t i = 0; i < p->n_sessions; i++)
        peer_hang_up(&p->sessions[i]);
    if (p->loop)
        io_watch_done(&p->watch);
    if (p->path[0])
        unlink(p->path);
    fd_close(&p->fd);
    buf_done(&p->heard);
    buf_done(&p->content);
}

#endif
