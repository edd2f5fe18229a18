/* cmd/bench/session.c -- the client side of SMTP at full speed: with PIPELINING, the final dot and the next MAIL,
 * RCPT and DATA leave in one write (RFC 2920 3.1). */
#include "cmd/bench/session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/num.h"
#include "core/str.h"

enum { COMMANDS_MAX = 1 << 20, LINE_MAX_OCTETS = 4096 };

static void want(struct bench_session *s, enum bench_want kind, uint64_t count)
{
    unsigned at = (s->want_first + s->want_count++) % BENCH_WANTS;

    BUG_ON(s->want_count > BENCH_WANTS);
    s->want[at].kind = kind;
    s->want[at].count = count;
}

/* Takes the kind of the oldest reply owed; false when none is. */
static bool take_want(struct bench_session *s, enum bench_want *kind)
{
    if (!s->want_count)
        return false;
    *kind = s->want[s->want_first].kind;
    if (--s->want[s->want_first].count == 0) {
        s->want_first = (s->want_first + 1) % BENCH_WANTS;
        s->want_count--;
    }
    return true;
}

static bool may_begin(const struct bench_session *s)
{
    const struct bench_run *run = s->run;

    return run->begun < run->messages && (!run->deadline_usec || run->now_usec < run->deadline_usec);
}

static bool room_on_connection(const struct bench_session *s)
{
    return !s->run->per_connection || s->on_connection < s->run->per_connection;
}

/* ---- writing ---- */

/*
 * What is left of the head, the body and the tail, with the first WRITTEN octets skipped. Where the final dot goes apart:
 * of the head and the body, and when nothing is left of them, of the tail.
 */
static int pieces(const struct bench_session *s, struct iovec *v)
{
    const struct str all[] = { buf_str(&s->head), s->with_body ? buf_str(&s->run->letter.body) : STR_NONE,
                               buf_str(&s->tail) };
    size_t skip = s->written;
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (n && s->run->apart && i == 2)
            break;
        size_t gone = skip < all[i].n ? skip : all[i].n;
        skip -= gone;
        if (gone < all[i].n)
            v[n++] = (struct iovec){ (char *)(uintptr_t)all[i].p + gone, all[i].n - gone };
    }
    return n;
}

/* BLOCKED: what is left is to be written when it can be; in a handshake, when that waits for it. */
static void watch(struct bench_session *s, bool blocked)
{
    struct epoll_event event = { .events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = s };

    if (s->blocked == blocked)
        return;
    s->blocked = blocked;
    epoll_ctl(s->run->epoll, EPOLL_CTL_MOD, s->fd, &event);
}

/* Writes what it can; a failure shows at the next read. */
static void flush(struct bench_session *s)
{
    struct iovec v[3];
    int n = pieces(s, v);
    ssize_t wrote;

    if (!n)
        return;
    do {
        wrote = s->secure ? secure_writev(s->secure, v, n) : writev(s->fd, v, n);
        s->written += wrote > 0 ? (size_t)wrote : 0;
        n = pieces(s, v);
    } while (n && wrote > 0);
    watch(s, n && (wrote == 0 || errno == EAGAIN));
    if (n)
        return;
    if (s->with_body)
        s->dot_usec = bench_now_usec();
    buf_clear(&s->head);
    buf_clear(&s->tail);
    s->with_body = false;
    s->written = 0;
}

/* ---- commands ---- */

static void add_rcpt(struct bench_session *s, struct buf *out, uint64_t nth)
{
    const struct bench_run *run = s->run;
    struct str pattern = str_from_c(run->rcpt);
    const char *mark = memmem(pattern.p, pattern.n, "{n}", 3);

    buf_add(out, STR("RCPT TO:<"));
    if (mark) {
        uint64_t n = (s->seq * run->recipients + nth) % run->users + 1;
        buf_add(out, str_of(pattern.p, (size_t)(mark - pattern.p)));
        buf_printf(out, "%llu", (unsigned long long)n);
        buf_add_c(out, mark + 3);
    } else {
        buf_add(out, pattern);
    }
    buf_add(out, STR(">\r\n"));
}

/* MAIL, and with PIPELINING all its RCPT and DATA. */
static void begin(struct bench_session *s)
{
    s->seq = s->run->begun++;
    s->on_connection++;
    s->open = true;
    s->bad = false;
    s->accepted = s->rcpt_sent = 0;
    buf_printf(&s->tail, "MAIL FROM:<%s>\r\n", s->run->from);
    want(s, BENCH_WANT_MAIL, 1);
    if (!s->pipelining)
        return;
    for (; s->rcpt_sent < s->run->recipients; s->rcpt_sent++)
        add_rcpt(s, &s->tail, s->rcpt_sent);
    buf_add(&s->tail, STR("DATA\r\n"));
    want(s, BENCH_WANT_RCPT, s->run->recipients);
    want(s, BENCH_WANT_DATA, 1);
}

static void quit(struct bench_session *s)
{
    buf_add(&s->tail, STR("QUIT\r\n"));
    want(s, BENCH_WANT_QUIT, 1);
}

static void begin_or_quit(struct bench_session *s)
{
    if (may_begin(s) && room_on_connection(s))
        begin(s);
    else
        quit(s);
}

/* After a refusal: the server may still hold the transaction (RFC 5321 4.1.4), so it is dropped first. */
static void abandon(struct bench_session *s)
{
    s->open = false;
    s->run->refused++;
    buf_add(&s->tail, STR("RSET\r\n"));
    want(s, BENCH_WANT_RSET, 1);
}

/* The content; with no recipient accepted a lone dot (RFC 2920 3.1). */
static void send_content(struct bench_session *s)
{
    s->open = false;
    s->content = true;
    s->sent_seq = s->seq;
    if (s->accepted) {
        letter_add_head(&s->run->letter, s->seq, &s->head);
        s->with_body = true;
    }
    buf_add(&s->tail, STR(".\r\n"));
    want(s, BENCH_WANT_FINAL, 1);
    if (s->pipelining)
        begin_or_quit(s);
}

/* ---- replies ---- */

static void note_acknowledged(struct bench_session *s)
{
    struct bench_run *run = s->run;

    run->acknowledged++;
    run->last_ack_usec = run->now_usec;
    latency_add(&run->latency, run->now_usec > s->dot_usec ? run->now_usec - s->dot_usec : 0);
    if (run->ledger >= 0) {
        struct letter_id id = letter_id(&run->letter, s->sent_seq);
        size_t n = strlen(id.c);
        id.c[n++] = '\n';
        if (write(run->ledger, id.c, n) != (ssize_t)n)
            run->ledger_failed++;
    }
}

/* Without pipelining, the command after an accepted one. */
static void next_command(struct bench_session *s)
{
    if (s->rcpt_sent < s->run->recipients) {
        add_rcpt(s, &s->tail, s->rcpt_sent++);
        want(s, BENCH_WANT_RCPT, 1);
    } else {
        buf_add(&s->tail, STR("DATA\r\n"));
        want(s, BENCH_WANT_DATA, 1);
    }
}

static void on_final(struct bench_session *s, unsigned code)
{
    s->content = false;
    if (code / 100 == 2)
        note_acknowledged(s);
    else
        s->run->refused++;
    if (!s->pipelining)
        begin_or_quit(s);
}

static void on_data(struct bench_session *s, unsigned code)
{
    if (code != 354) {
        abandon(s);
        return;
    }
    if (s->bad)
        s->accepted = 0;
    send_content(s);
}

static void on_mail_or_rcpt(struct bench_session *s, enum bench_want kind, unsigned code)
{
    if (kind == BENCH_WANT_RCPT)
        s->accepted += code / 100 == 2;
    else
        s->bad = code / 100 != 2;
    if (s->pipelining)
        return;
    if (s->bad || (kind == BENCH_WANT_RCPT && s->rcpt_sent == s->run->recipients && !s->accepted))
        abandon(s);
    else
        next_command(s);
}

/* From the next write on this connection is in TLS. */
static bool secure_begin(struct bench_session *s)
{
    s->secure = secure_new(s->run->secure, s->fd);
    s->pipelining = false;
    return s->secure != NULL;
}

static bool hello(struct bench_session *s)
{
    buf_add(&s->tail, STR("EHLO bench.invalid\r\n"));
    want(s, BENCH_WANT_EHLO, 1);
    return true;
}

/* The dialogue goes on after the last line of a reply. False: nothing more is expected of this connection. */
static bool on_reply(struct bench_session *s, unsigned code)
{
    enum bench_want kind;

    if (code >= 400 && code < BENCH_CODES)
        s->run->codes[code]++;
    if (!take_want(s, &kind))
        return false; /* a 421 that nobody asked for, or nonsense */
    switch (kind) {
    case BENCH_WANT_GREETING:
        if (code != 220)
            return false;
        return hello(s);
    case BENCH_WANT_EHLO:
        if (code != 250)
            return false;
        if (s->run->tls == BENCH_TLS_STARTTLS && !s->secure) {
            buf_add(&s->tail, STR("STARTTLS\r\n"));
            want(s, BENCH_WANT_STARTTLS, 1);
            return true;
        }
        s->run->unconnected--;
        begin_or_quit(s);
        return true;
    case BENCH_WANT_STARTTLS:
        return code == 220 && secure_begin(s) && hello(s);
    case BENCH_WANT_MAIL:
    case BENCH_WANT_RCPT:
        on_mail_or_rcpt(s, kind, code);
        return code != 421;
    case BENCH_WANT_DATA:
        on_data(s, code);
        return code != 421;
    case BENCH_WANT_FINAL:
        on_final(s, code);
        return code != 421;
    case BENCH_WANT_RSET:
        begin_or_quit(s);
        return true;
    case BENCH_WANT_QUIT:
        return false;
    }
    return false;
}

static bool on_line(struct bench_session *s, struct str line)
{
    uint64_t code;

    if (line.n < 3 || !num_parse_u64(str_of(line.p, 3), BENCH_CODES - 1, &code))
        return false;
    if (s->want_count && s->want[s->want_first].kind == BENCH_WANT_EHLO && line.n == 14 &&
        str_eq_nocase(str_of(line.p + 4, 10), STR("PIPELINING")))
        s->pipelining = s->run->pipelining;
    if (line.n > 3 && line.p[3] == '-')
        return true;
    return on_reply(s, (unsigned)code);
}

/* Cuts IN into lines; a front of a line is kept for the next read. */
static bool on_octets(struct bench_session *s, struct str in)
{
    while (in.n) {
        size_t end = str_find(in, '\n');
        struct str line = str_of(in.p, end);
        bool ok;

        if (end == in.n)
            return buf_add(&s->line, in);
        if (s->line.n) {
            buf_add(&s->line, line);
            line = buf_str(&s->line);
        }
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        ok = !s->line.failed && on_line(s, line);
        buf_clear(&s->line);
        if (!ok)
            return false;
        in = str_of(in.p + end + 1, in.n - end - 1);
    }
    return true;
}

/* ---- connections ---- */

static void close_connection(struct bench_session *s)
{
    secure_free(s->secure);
    s->secure = NULL;
    close(s->fd);
    s->fd = -1;
    s->run->lost += (uint64_t)s->open + s->content;
    s->run->live--;
}

static bool greeted(const struct bench_session *s)
{
    enum bench_want kind = s->want[s->want_first].kind;

    return !s->want_count ||
           (kind != BENCH_WANT_GREETING && kind != BENCH_WANT_EHLO && kind != BENCH_WANT_STARTTLS);
}

/* The connection is over; another one follows while there is something to send and the last one worked. */
static void end_connection(struct bench_session *s)
{
    bool worked = greeted(s) && s->on_connection;

    close_connection(s);
    if (worked && may_begin(s))
        bench_session_start(s, s->run);
}

void bench_session_start(struct bench_session *s, struct bench_run *run)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = s };

    bench_session_done(s);
    *s = (struct bench_session){ .run = run,
                                 .fd = bench_connect(&run->to, run->apart),
                                 .head = BUF_INIT(LINE_MAX_OCTETS),
                                 .tail = BUF_INIT(COMMANDS_MAX),
                                 .line = BUF_INIT(LINE_MAX_OCTETS) };
    run->unconnected++;
    if (s->fd < 0)
        return;
    run->live++;
    want(s, BENCH_WANT_GREETING, 1);
    if ((run->tls == BENCH_TLS_IMPLICIT && !secure_begin(s)) || epoll_ctl(run->epoll, EPOLL_CTL_ADD, s->fd, &event) < 0)
        close_connection(s);
    else if (s->secure)
        watch(s, true);
}

/* The handshake goes on. False: it has failed, or is not done yet. */
static bool shaken(struct bench_session *s)
{
    if (!secure_shake(s->secure)) {
        end_connection(s);
        return false;
    }
    watch(s, secure_wants_write(s->secure));
    if (secure_is_ready(s->secure))
        flush(s);
    return secure_is_ready(s->secure);
}

void bench_session_event(struct bench_session *s, uint32_t events)
{
    struct bench_run *run = s->run;
    ssize_t n;

    if (s->secure && !secure_is_ready(s->secure) && !shaken(s))
        return;
    if (events & EPOLLOUT)
        flush(s);
    if (!s->secure && !(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        return;
    n = s->secure ? secure_read(s->secure, run->read, sizeof run->read) : read(s->fd, run->read, sizeof run->read);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || !on_octets(s, str_of(run->read, (size_t)n)) || s->head.failed || s->tail.failed) {
        end_connection(s);
        return;
    }
    if (s->secure && !secure_is_ready(s->secure))
        (void)shaken(s);
    else if (!s->blocked)
        flush(s);
}

void bench_session_done(struct bench_session *s)
{
    secure_free(s->secure);
    s->secure = NULL;
    buf_done(&s->head);
    buf_done(&s->tail);
    buf_done(&s->line);
}
