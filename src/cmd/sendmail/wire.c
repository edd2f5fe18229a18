/* cmd/sendmail/wire.c -- the little of a client that a server next door needs. */
#include "cmd/sendmail/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"

enum { READ_AT_ONCE = 4096, LINE_MAX_OCTETS = 2048 };

static unsigned lost(struct wire *w, const char *why)
{
    snprintf(w->words, sizeof(w->words), "%s", why);
    w->code = 0;
    fd_close(&w->fd);
    return 0;
}

/* A line of the server without its end, good until the next call. */
static bool read_line(struct wire *w, struct str *line)
{
    buf_eat(&w->in, w->eaten);
    w->eaten = 0;
    for (;;) {
        size_t n = str_find(buf_str(&w->in), '\n');
        if (n < w->in.n) {
            *line = str_trim(str_head(buf_str(&w->in), n));
            w->eaten = n + 1;
            return true;
        }
        char *room = buf_room(&w->in, READ_AT_ONCE);
        ssize_t got = room ? recv(w->fd, room, READ_AT_ONCE, 0) : -1;
        if (got < 0 && room && errno == EINTR)
            continue;
        if (got <= 0) {
            lost(w, got == 0 ? "the server closed the connection" : room ? strerror(errno) : "a reply without end");
            return false;
        }
        buf_grew(&w->in, (size_t)got);
    }
}

/* EHLO says who the server is, and what it completes bare names with. */
static void take_hello(struct wire *w, struct str words)
{
    if (str_starts(words, STR("XORIGIN ")))
        snprintf(w->origin, sizeof(w->origin), "%.*s", STR_ARG(str_skip(words, 8)));
    else if (!w->hostname[0])
        snprintf(w->hostname, sizeof(w->hostname), "%.*s", STR_ARG(str_head(words, str_find(words, ' '))));
}

static unsigned read_reply(struct wire *w, bool hello)
{
    struct str line;
    uint64_t code;

    do {
        if (!read_line(w, &line))
            return 0;
        if (w->verbose)
            fprintf(stderr, "<<< %.*s\n", STR_ARG(line));
        if (!num_parse_u64(str_head(line, 3), 599, &code) || code < 200)
            return lost(w, "the server talks nonsense");
        if (hello)
            take_hello(w, str_skip(line, 4));
    } while (line.n > 3 && line.p[3] == '-');
    snprintf(w->words, sizeof(w->words), "%.*s", STR_ARG(line));
    w->code = (unsigned)code;
    /* RFC 5321 3.8: it is about to close. */
    if (code == 421)
        fd_close(&w->fd);
    return w->code;
}

static bool send_all(struct wire *w, struct str octets)
{
    while (octets.n) {
        ssize_t n = send(w->fd, octets.p, octets.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            lost(w, strerror(errno));
            return false;
        }
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}

unsigned wire_say(struct wire *w, const char *fmt, ...)
{
    struct buf line = BUF_INIT(LINE_MAX_OCTETS);
    char text[LINE_MAX_OCTETS - 2];
    bool said = false;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (w->fd < 0)
        return 0;
    if (w->verbose)
        fprintf(stderr, ">>> %s\n", text);
    if (n > 0 && (size_t)n < sizeof(text) && buf_add_c(&line, text) && buf_add(&line, STR("\r\n")))
        said = send_all(w, buf_str(&line));
    buf_done(&line);
    return said ? read_reply(w, strncmp(text, "EHLO ", 5) == 0) : 0;
}

unsigned wire_content(struct wire *w, struct str octets)
{
    if (w->verbose)
        fprintf(stderr, ">>> (%zu octets)\n", octets.n);
    return w->fd >= 0 && send_all(w, octets) ? read_reply(w, false) : 0;
}

int wire_connect(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = WIRE_PATIENCE_SECONDS };

    if (strlen(path) >= sizeof(sa.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool wire_open(struct wire *w, const char *path, bool verbose)
{
    *w = (struct wire){ .fd = wire_connect(path), .verbose = verbose, .in = BUF_INIT(WIRE_REPLY_MAX) };
    if (w->fd < 0) {
        snprintf(w->words, sizeof(w->words), "%s: %s", path, strerror(errno));
        return false;
    }
    return read_reply(w, false) == 220 && wire_say(w, "EHLO localhost") == 250;
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0)
        (void)wire_say(w, "QUIT");
    fd_close(&w->fd);
    buf_done(&w->in);
}
