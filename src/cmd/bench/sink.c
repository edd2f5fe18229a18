/* cmd/bench/sink.c -- veredus bench sink: an SMTP server that takes, counts and forgets, as cheaply as it can. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "cmd/bench/args.h"
#include "cmd/bench/bench.h"
#include "cmd/bench/net.h"
#include "cmd/bench/secure.h"
#include "core/buf.h"
#include "core/str.h"

/* CARRY: room in front of what is read for the end of the last read. */
enum { CARRY = 2048, READ_MAX = 1 << 17, EVENTS = 256, REPLIES_MAX = 1 << 20 };

struct sink_options {
    const char *listen;
    uint64_t tempfail_percent;
    const char *count;
    const char *certificate;
    bool print_port;
    bool json;
};

struct sink {
    int epoll;
    int listener;
    int signals;
    uint64_t tempfail_percent;
    uint64_t sessions;
    uint64_t messages;
    uint64_t *shown; /* the same, in a file that others may look into; NULL: none */
    uint64_t deferred;
    uint64_t octets;
    struct secure_context *secure; /* NULL: STARTTLS is not offered */
    uint64_t asked; /* final dots seen; decides which of them get the 451 */
    char in[CARRY + READ_MAX];
};

struct sink_client {
    struct sink *sink;
    int fd;
    struct secure *secure; /* NULL: in clear */
    bool starts_tls;       /* as soon as its 220 is out */
    bool content;
    uint64_t octets; /* of the content so far */
    size_t carried;
    char carry[CARRY]; /* a command of which only the front has come; in content, its last 4 octets */
    struct buf out;    /* replies that the client has not taken yet */
};

/* ---- content ---- */

static void note_message(struct sink *s, struct sink_client *c)
{
    bool defer = s->asked++ % 100 < s->tempfail_percent;

    if (defer)
        s->deferred++;
    else
        s->messages++;
    if (s->shown)
        *s->shown = s->messages;
    s->octets += c->octets;
    buf_add(&c->out, defer ? STR("451 4.3.0 not now\r\n") : STR("250 2.0.0 Ok\r\n"));
}

/*
 * Looks for the end of content in IN, which begins with what was carried over; CR LF is put there when content
 * begins, so that a dot right away ends it. Returns how much is finished with.
 */
static size_t eat_content(struct sink *s, struct sink_client *c, struct str in)
{
    const char *end = memmem(in.p, in.n, "\r\n.\r\n", 5);
    size_t keep = in.n < 4 ? in.n : 4;

    if (!end) {
        c->octets += in.n - keep;
        return in.n - keep;
    }
    c->octets += (size_t)(end - in.p);
    c->content = false;
    note_message(s, c);
    return (size_t)(end - in.p) + 5;
}

/* ---- commands ---- */

/* False when the session is over. */
static bool answer(struct sink_client *c, struct str line)
{
    static const struct {
        struct str verb;
        struct str reply;
    } table[] = {
        { STR_INIT("MAIL"), STR_INIT("250 2.1.0 Ok\r\n") },
        { STR_INIT("RCPT"), STR_INIT("250 2.1.5 Ok\r\n") },
        { STR_INIT("HELO"), STR_INIT("250 sink\r\n") },
        { STR_INIT("RSET"), STR_INIT("250 2.0.0 Ok\r\n") },
        { STR_INIT("NOOP"), STR_INIT("250 2.0.0 Ok\r\n") },
        { STR_INIT("VRFY"), STR_INIT("252 2.5.0 Try it\r\n") },
    };

    if (str_starts_nocase(line, STR("EHLO"))) {
        buf_add(&c->out, STR("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"));
        buf_add(&c->out, c->sink->secure && !c->secure ? STR("250-STARTTLS\r\n") : STR_NONE);
        buf_add(&c->out, STR("250 ENHANCEDSTATUSCODES\r\n"));
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (str_starts_nocase(line, table[i].verb)) {
            buf_add(&c->out, table[i].reply);
            return true;
        }
    }
    if (str_starts_nocase(line, STR("STARTTLS")) && c->sink->secure) {
        buf_add(&c->out, STR("220 2.0.0 Go\r\n"));
        c->starts_tls = true;
        return true;
    }
    if (str_starts_nocase(line, STR("QUIT"))) {
        buf_add(&c->out, STR("221 2.0.0 Bye\r\n"));
        return false;
    }
    buf_add(&c->out, STR("500 5.5.2 What?\r\n"));
    return true;
}

static size_t eat_commands(struct sink_client *c, struct str in, bool *go_on)
{
    size_t used = 0;

    while (*go_on && !c->content && !c->starts_tls) {
        struct str rest = str_of(in.p + used, in.n - used);
        size_t end = str_find(rest, '\n');
        if (end == rest.n)
            break;
        used += end + 1;
        if (str_starts_nocase(rest, STR("DATA"))) {
            buf_add(&c->out, STR("354 Go\r\n"));
            c->content = true;
            c->octets = 0;
        } else {
            *go_on = answer(c, str_of(rest.p, end));
        }
    }
    return used;
}

/* Everything that came, answered in one send. False when the session is over. */
static bool on_octets(struct sink *s, struct sink_client *c, struct str in)
{
    bool go_on = true;

    while (go_on) {
        bool was = c->content;
        size_t used = was ? eat_content(s, c, in) : eat_commands(c, in, &go_on);
        in = str_of(in.p + used, in.n - used);
        if (was == c->content)
            break;
        if (c->content) {
            /* The line end of DATA stays in front of the content. */
            in = str_of(in.p - 2, in.n + 2);
        }
    }
    if (in.n > CARRY)
        return false; /* a command without an end */
    memmove(c->carry, in.p, in.n);
    c->carried = in.n;
    return go_on && !c->out.failed;
}

/* ---- connections ---- */

static void watch(struct sink *s, struct sink_client *c, int how, bool blocked)
{
    struct epoll_event event = { .events = blocked ? EPOLLOUT : EPOLLIN, .data.ptr = c };

    epoll_ctl(s->epoll, how, c->fd, &event);
}

static bool flush(struct sink *s, struct sink_client *c)
{
    const struct iovec all = { c->out.p, c->out.n };
    ssize_t sent = !c->out.n   ? 0
                   : c->secure ? secure_writev(c->secure, &all, 1)
                               : send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN)
        return false;
    if (sent > 0 && (size_t)sent == c->out.n) {
        buf_clear(&c->out);
        return true;
    }
    buf_eat(&c->out, sent > 0 ? (size_t)sent : 0);
    if (c->out.n)
        watch(s, c, EPOLL_CTL_MOD, true);
    return true;
}

static void close_client(struct sink_client *c)
{
    secure_free(c->secure);
    close(c->fd);
    buf_done(&c->out);
    free(c);
}

static void accept_clients(struct sink *s)
{
    int fd, one = 1;

    while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct sink_client *c = calloc(1, sizeof *c);
        if (!c) {
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->sink = s;
        c->fd = fd;
        c->out = BUF_INIT(REPLIES_MAX);
        s->sessions++;
        buf_add(&c->out, STR("220 sink ESMTP\r\n"));
        watch(s, c, EPOLL_CTL_ADD, false);
        if (!flush(s, c))
            close_client(c);
    }
}

/* Its 220 is out: what it says from here on is TLS; what it said before its reply is forgotten. */
static bool begin_tls(struct sink *s, struct sink_client *c)
{
    c->starts_tls = false;
    c->carried = 0;
    c->secure = secure_new(s->secure, c->fd);
    return c->secure != NULL;
}

/* One step of the handshake. False: it is not done yet, or never will be. */
static bool shaken(struct sink *s, struct sink_client *c)
{
    if (!secure_shake(c->secure)) {
        close_client(c);
        return false;
    }
    watch(s, c, EPOLL_CTL_MOD, secure_wants_write(c->secure));
    return secure_is_ready(c->secure);
}

static void on_client(struct sink *s, struct sink_client *c, uint32_t events)
{
    ssize_t n;
    bool go_on;

    /* What came behind the last octets of a handshake is read at once: the descriptor will not tell of it. */
    if (c->secure && !secure_is_ready(c->secure) && !shaken(s, c))
        return;
    if (events & EPOLLOUT) {
        if (!flush(s, c))
            close_client(c);
        else if (!c->out.n)
            watch(s, c, EPOLL_CTL_MOD, false);
        return;
    }
    n = c->secure ? secure_read(c->secure, s->in + CARRY, READ_MAX) : read(c->fd, s->in + CARRY, READ_MAX);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close_client(c);
        return;
    }
    memcpy(s->in + CARRY - c->carried, c->carry, c->carried);
    go_on = on_octets(s, c, str_of(s->in + CARRY - c->carried, (size_t)n + c->carried));
    if (!flush(s, c) || !go_on || (c->starts_tls && !begin_tls(s, c)))
        close_client(c);
}

static bool turn(struct sink *s)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epoll, events, EVENTS, -1);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &s->signals)
            return false;
        if (events[i].data.ptr == &s->listener)
            accept_clients(s);
        else
            on_client(s, events[i].data.ptr, events[i].events);
    }
    return true;
}

/* ---- start ---- */

static bool watch_own(struct sink *s, int *fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };

    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static bool open_sink(struct sink *s, const struct sink_options *o, uint16_t *port, struct err *err)
{
    struct bench_address at;
    sigset_t ends;

    if (!bench_address_parse(o->listen, &at, err))
        return false;
    s->listener = bench_listen(&at, port, err);
    if (s->listener < 0)
        return false;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    s->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->signals < 0 || s->epoll < 0 || !watch_own(s, &s->listener) || !watch_own(s, &s->signals))
        return err_sys(err, errno, "epoll");
    return true;
}

static bool open_count(struct sink *s, const char *path, struct err *err)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
    void *at = MAP_FAILED;

    if (!path)
        return true;
    if (fd >= 0 && ftruncate(fd, sizeof(uint64_t)) == 0)
        at = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        err_sys(err, errno, "%s", path);
    else
        s->shown = at;
    if (fd >= 0)
        close(fd);
    return s->shown != NULL;
}

static void print_sums(const struct sink *s, bool json)
{
    const unsigned long long messages = s->messages, octets = s->octets, deferred = s->deferred,
                             sessions = s->sessions;

    if (json)
        printf("{\"messages\":%llu,\"octets\":%llu,\"deferred\":%llu,\"sessions\":%llu}\n", messages, octets,
               deferred, sessions);
    else
        printf("%llu messages, %llu octets, %llu deferred, %llu sessions\n", messages, octets, deferred,
               sessions);
}

int bench_sink_main(int argc, char **argv)
{
    struct sink_options o = { .listen = "127.0.0.1:2526" };
    const struct bench_arg table[] = {
        { "listen", BENCH_ARG_TEXT, &o.listen, "ADDR:PORT (127.0.0.1:2526); port 0 takes a free one" },
        { "print-port", BENCH_ARG_FLAG, &o.print_port, "print the port on a line as soon as it is open" },
        { "count", BENCH_ARG_TEXT, &o.count, "file that always holds the number of messages, 64 bits of this machine" },
        { "tempfail", BENCH_ARG_COUNT, &o.tempfail_percent, "percent of messages that get 451 (0)" },
        { "certificate", BENCH_ARG_TEXT, &o.certificate, "PEM file with chain and key: STARTTLS is offered" },
        { "json", BENCH_ARG_FLAG, &o.json, "one JSON object instead of text at the end" },
    };
    struct err err = { 0 };
    enum bench_args got = bench_args_read(table, ARRAY_LEN(table), argc, argv, &err);
    struct sink *s = calloc(1, sizeof *s);
    int status = EX_USAGE;
    uint16_t port;

    if (got == BENCH_ARGS_HELP) {
        bench_args_help("veredus bench sink: takes mail, counts it, forgets it", table, ARRAY_LEN(table));
        status = 0;
    }
    if (got != BENCH_ARGS_OK || !s)
        goto out;
    status = EX_UNAVAILABLE;
    s->tempfail_percent = o.tempfail_percent;
    if (o.certificate && !(s->secure = secure_server(o.certificate, &err)))
        goto out;
    if (!open_count(s, o.count, &err) || !open_sink(s, &o, &port, &err))
        goto out;
    if (o.print_port) {
        printf("%u\n", (unsigned)port);
        fflush(stdout);
    }
    while (turn(s))
        ;
    print_sums(s, o.json);
    status = 0;
out:
    if (err.kind != ERR_NONE)
        fprintf(stderr, "veredus bench sink: %s\n", err.text);
    if (s)
        secure_context_free(s->secure);
    free(s);
    return status;
}
