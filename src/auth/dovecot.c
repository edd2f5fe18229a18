/* auth/dovecot.c */
#include "auth/dovecot.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"

enum { READ_OCTETS = 4096 };

static void wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_clear(b);
}

static void hang_up(struct dovecot *d)
{
    if (d->fd < 0)
        return;
    io_watch_done(&d->watch);
    fd_close(&d->fd);
    wipe(&d->in);
    wipe(&d->out);
    d->n_sent = 0;
    d->greeted = d->has_plain = false;
}

static void lose(struct dovecot *d, const char *why)
{
    hang_up(d);
    d->lost(d, why);
}

/* ---- what it says ---- */

/* False: the connection is of no use, and gone. */
static bool hear(struct dovecot *d, const struct dovecot_line *line)
{
    switch (line->kind) {
    case DOVECOT_VERSION:
        if (line->number == DOVECOT_MAJOR)
            return true;
        lose(d, "Dovecot speaks another version of its protocol");
        return false;
    case DOVECOT_MECH:
        d->has_plain |= str_eq(line->mechanism, STR("PLAIN"));
        return true;
    case DOVECOT_DONE:
        d->greeted = true;
        if (d->has_plain)
            return true;
        lose(d, "Dovecot does not offer PLAIN");
        return false;
    case DOVECOT_OK:
    case DOVECOT_FAIL:
    case DOVECOT_CONT:
        d->answered(d, line);
        return true;
    case DOVECOT_OTHER:
        return true;
    case DOVECOT_NONSENSE:
        break;
    }
    lose(d, "Dovecot says something that is not its protocol");
    return false;
}

/* Each complete line; false as hear(). */
static bool hear_all(struct dovecot *d)
{
    struct dovecot_line line;
    size_t at;

    while ((at = str_find(buf_str(&d->in), '\n')) < d->in.n) {
        dovecot_line_read(str_of(d->in.p, at), &line);
        if (!hear(d, &line))
            return false;
        buf_eat(&d->in, at + 1);
    }
    return true;
}

static bool read_some(struct dovecot *d)
{
    size_t room = size_min(READ_OCTETS, d->in.max - d->in.n);
    char *at = room ? buf_room(&d->in, room) : NULL;
    ssize_t n;

    if (!at) {
        lose(d, room ? "out of memory" : "Dovecot's line is too long");
        return false;
    }
    n = read(d->fd, at, room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        lose(d, n ? strerror(errno) : "Dovecot closed the connection");
        return false;
    }
    buf_grew(&d->in, (size_t)n);
    return hear_all(d);
}

static bool write_some(struct dovecot *d)
{
    ssize_t n = send(d->fd, d->out.p + d->n_sent, d->out.n - d->n_sent, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose(d, strerror(errno));
        return false;
    }
    d->n_sent += n > 0 ? (size_t)n : 0;
    if (d->n_sent == d->out.n) {
        wipe(&d->out);
        d->n_sent = 0;
    }
    io_watch_arm(&d->watch, IO_READ | (d->out.n ? IO_WRITE : 0));
    return true;
}

static void on_ready(struct io_watch *w, unsigned what)
{
    struct dovecot *d = CONTAINER_OF(w, struct dovecot, watch);

    if ((what & IO_READ) && !read_some(d))
        return;
    if (what & IO_WRITE)
        (void)write_some(d);
}

/* ---- asking ---- */

static const char *words_of(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return DOVECOT_DENIED;
    case ENOENT:
        return "there is no socket of Dovecot's at that path";
    case ECONNREFUSED:
        return "nobody listens on Dovecot's socket: Dovecot does not run";
    case EAGAIN:
        return "Dovecot's socket takes no more connections now";
    default:
        return "Dovecot's socket cannot be connected to";
    }
}

static bool connect_to(struct dovecot *d, const char **why)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct err err;

    *why = "the path of Dovecot's socket is too long";
    if (d->path.n >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, d->path.p, d->path.n);
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd >= 0 && connect(d->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        io_watch_init(&d->watch, d->loop, d->fd, on_ready, &err))
        return true;
    *why = words_of(errno);
    fd_close(&d->fd);
    return false;
}

/* Both sides begin at once; what is asked may follow before its greeting is read. */
static bool greet(struct dovecot *d)
{
    return buf_printf(&d->out, "VERSION\t%d\t1\nCPID\t%ld\n", DOVECOT_MAJOR, (long)getpid());
}

void dovecot_init(struct dovecot *d, struct io_loop *loop, struct str path)
{
    *d = (struct dovecot){
        .path = path, .loop = loop, .fd = -1, .in = BUF_INIT(DOVECOT_LINE_MAX), .out = BUF_INIT(DOVECOT_OUT_MAX),
    };
}

void dovecot_done(struct dovecot *d)
{
    hang_up(d);
    buf_done(&d->in);
    buf_done(&d->out);
}

bool dovecot_ask(struct dovecot *d, uint32_t number, struct str user, struct str password, struct str client,
                 const char **why)
{
    bool fresh = d->fd < 0;
    size_t before;

    if (fresh && !connect_to(d, why))
        return false;
    *why = "too much waits for Dovecot";
    if (fresh && !greet(d)) {
        hang_up(d);
        return false;
    }
    before = d->out.n;
    if (!dovecot_line_ask(&d->out, number, user, password, client)) {
        d->out.n = before;
        d->out.failed = false;
        return false;
    }
    io_watch_arm(&d->watch, IO_READ | IO_WRITE);
    return true;
}
