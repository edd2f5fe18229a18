/* cmd/demo/letter.c -- a small SMTP client, and something for it to say. */
#include "cmd/demo/letter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/id.h"
#include "io/fd.h"
#include "io/loop.h"
#include "message/date.h"

enum { PATIENCE_SECONDS = 20, LONG_LINE = 998, READ_AT_ONCE = 4096 };

/* ---- what it says ---- */

bool demo_letter_write(struct buf *out, const char *from, const char *to)
{
    int64_t now = io_wall_msec();

    buf_printf(out, "From: veredus demo <%s>\r\nTo: Ada <%s>\r\nDate: %s\r\n", from, to, message_date(now, 0).c);
    buf_printf(out, "Message-ID: <%lld.%d@mail.example.test>\r\n", (long long)now, (int)getpid());
    buf_add_c(out, "Subject: First of all\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: 8bit\r\n"
                   "\r\n"
                   "What goes in comes out: the same octets, below the fields that say which way it came.\r\n"
                   "\r\n"
                   ".\r\n"
                   "..\r\n"
                   ".A line of one dot does not end this message, and dots at the front stay.\r\n"
                   "Gr\xc3\xbc\xc3\x9f" "e, \xce\xba\xce\xb1\xce\xbb\xce\xb7\xce\xbc\xce\xad\xcf\x81\xce\xb1, "
                   "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, "
                   "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf\r\n"
                   "Blanks at the end of a line stay:  \t \r\n"
                   "From the front of a line nothing is escaped.\r\n"
                   "The longest line that mail allows:\r\n");
    for (int i = 0; i < LONG_LINE; i++)
        buf_add_char(out, (char)('a' + i % 26));
    return buf_add(out, STR("\r\n\r\nAnd two empty lines at the end.\r\n\r\n\r\n"));
}

/* RFC 5321 4.5.2; CONTENT ends in CRLF. */
static void add_stuffed(struct buf *out, struct str content)
{
    while (content.n) {
        size_t n = str_find(content, '\n');
        struct str line = str_head(content, n < content.n ? n + 1 : n);
        if (line.p[0] == '.')
            buf_add_char(out, '.');
        buf_add(out, line);
        content = str_skip(content, line.n);
    }
    buf_add(out, STR(".\r\n"));
}

/* ---- the dialogue ---- */

struct dialogue {
    int fd;
    struct buf in;
    char *reply; /* the last line of the last reply */
    bool eight_bit;
    struct err *err;
};

static int open_connection(uint16_t port, struct err *err)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        err_sys(err, errno, "127.0.0.1:%u", port);
        fd_close(&fd);
    }
    return fd;
}

static bool say(struct dialogue *d, struct str octets)
{
    while (octets.n) {
        ssize_t n = send(d->fd, octets.p, octets.n, MSG_NOSIGNAL);
        if (n < 0)
            return err_sys(d->err, errno, "the connection was cut off");
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}

static bool hear_line(struct dialogue *d)
{
    size_t end;

    while ((end = str_find(buf_str(&d->in), '\n')) == d->in.n) {
        char *room = buf_room(&d->in, READ_AT_ONCE);
        ssize_t n = room ? recv(d->fd, room, READ_AT_ONCE, 0) : -1;
        if (n < 0)
            return err_sys(d->err, errno, "no reply");
        if (n == 0)
            return err_temp(d->err, "the server closed the connection");
        buf_grew(&d->in, (size_t)n);
    }
    struct str line = str_trim(str_head(buf_str(&d->in), end));
    snprintf(d->reply, DEMO_REPLY_MAX, "%.*s", STR_ARG(line));
    buf_eat(&d->in, end + 1);
    return true;
}

/* A whole reply, which must begin with CODE. */
static bool hear(struct dialogue *d, const char *code)
{
    do {
        if (!hear_line(d))
            return false;
        d->eight_bit = d->eight_bit || !strcmp(d->reply, "250-8BITMIME") || !strcmp(d->reply, "250 8BITMIME");
    } while (strlen(d->reply) > 3 && d->reply[3] == '-');
    return !strncmp(d->reply, code, strlen(code)) || err_perm(d->err, "the server says: %s", d->reply);
}

PRINTF_LIKE(3, 4)
static bool command(struct dialogue *d, const char *code, const char *fmt, ...)
{
    char line[DEMO_REPLY_MAX];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    BUG_ON(n < 0 || (size_t)n >= sizeof(line));
    return say(d, str_of(line, (size_t)n)) && hear(d, code);
}

static bool converse(struct dialogue *d, const char *from, const char *to, struct str stuffed,
                     struct demo_sent *sent)
{
    if (!hear(d, "220"))
        return false;
    sent->greeted_usec = io_clock_usec();
    if (!command(d, "250", "EHLO localhost.example.test\r\n") ||
        !command(d, "250", "MAIL FROM:<%s>%s\r\n", from, d->eight_bit ? " BODY=8BITMIME" : "") ||
        !command(d, "250", "RCPT TO:<%s>\r\n", to) || !command(d, "354", "DATA\r\n") || !say(d, stuffed) ||
        !hear(d, "250"))
        return false;
    sent->taken_usec = io_clock_usec();

    /* "250 2.0.0 Ok: queued as 3591TJHR6EY3" */
    struct str reply = str_from_c(d->reply), id = str_skip(reply, str_rfind(reply, ' ') + 1);
    if (id.n != QUEUE_ID_CHARS)
        return err_perm(d->err, "no queue id in the reply: %s", d->reply);
    snprintf(sent->id, sizeof(sent->id), "%.*s", STR_ARG(id));
    /* What is said to QUIT changes nothing: the message is theirs now. */
    (void)say(d, STR("QUIT\r\n"));
    return true;
}

bool demo_letter_send(uint16_t port, const char *from, const char *to, struct str content, struct demo_sent *sent,
                      struct err *err)
{
    struct buf stuffed = BUF_INIT(2 * DEMO_LETTER_MAX);
    struct dialogue d = { .fd = -1, .in = BUF_INIT(READ_AT_ONCE), .reply = sent->reply, .err = err };
    bool ok = false;

    *sent = (struct demo_sent){ .began_usec = io_clock_usec() };
    add_stuffed(&stuffed, content);
    if (stuffed.failed) {
        err_temp(err, "out of memory");
        goto out;
    }
    d.fd = open_connection(port, err);
    ok = d.fd >= 0 && converse(&d, from, to, buf_str(&stuffed), sent);
out:
    fd_close(&d.fd);
    buf_done(&d.in);
    buf_done(&stuffed);
    return ok;
}
