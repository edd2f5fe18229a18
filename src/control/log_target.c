/* control/log_target.c -- files, pipes, terminals, the journal and syslog, each written without ever waiting. */
#include "control/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "log/render.h"

enum { FACILITY_MAIL = 2, LENGTH = 4 };

/* ---- writing ---- */

/*
 * A descriptor shared with whoever started us must not be made non-blocking: it would be for them, too. A pipe that
 * poll() calls writable takes PIPE_BUF octets at once.
 */
static ssize_t write_shared(int fd, struct str octets)
{
    struct pollfd room = { .fd = fd, .events = POLLOUT };

    if (poll(&room, 1, 0) <= 0 || !(room.revents & (POLLOUT | POLLERR | POLLHUP))) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, octets.p, octets.n < PIPE_BUF ? octets.n : PIPE_BUF);
}

static ssize_t write_some(struct log_target *t, struct str octets)
{
    switch (t->way) {
    case LOG_TARGET_FILE:
        return write(t->fd, octets.p, octets.n);
    case LOG_TARGET_SHARED:
        return write_shared(t->fd, octets);
    case LOG_TARGET_STREAM:
    case LOG_TARGET_DATAGRAM:
        break;
    }
    return send(t->fd, octets.p, octets.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool write_lines(struct log_target *t)
{
    while (t->waiting.n) {
        ssize_t r = write_some(t, buf_str(&t->waiting));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return false;
        buf_eat(&t->waiting, (size_t)r);
    }
    return true;
}

static bool write_datagrams(struct log_target *t)
{
    size_t done = 0;
    bool ok = true;

    while (ok && done < t->waiting.n) {
        size_t n = le32_get(t->waiting.p + done);
        ok = write_some(t, str_of(t->waiting.p + done + LENGTH, n)) >= 0;
        /* One that the reader will never take must not stand in the way of the others. */
        if (!ok && errno == EMSGSIZE) {
            t->dropped++;
            ok = true;
        }
        if (ok)
            done += LENGTH + n;
    }
    int error = errno;
    buf_eat(&t->waiting, done);
    errno = error;
    return ok;
}

/* ---- taking in ---- */

/* "<22>Nov 22 09:41:07 veredus[4711]: ", as local daemons expect it (RFC 3164 4.1, without the host). */
static void put_syslog_head(struct buf *out, const struct log_view *v)
{
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(v->wall_msec / 1000);
    struct tm tm = { 0 };

    localtime_r(&seconds, &tm);
    buf_printf(out, "<%u>%s %2d %02d:%02d:%02d veredus[%d]: ", FACILITY_MAIL << 3 | log_severity(v->level),
               months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
}

static bool put_record(struct log_target *t, struct str record, const struct log_view *v)
{
    enum log_form form = t->form == CONFIG_LOG_JSON ? LOG_JSON : LOG_KV;

    switch (t->kind) {
    case CONFIG_LOG_JOURNAL:
        return log_render_journal(record, form, &t->waiting);
    case CONFIG_LOG_SYSLOG:
        put_syslog_head(&t->waiting, v);
        return log_render(record, form, true, &t->waiting);
    case CONFIG_LOG_STDERR:
    case CONFIG_LOG_FILE:
        break;
    }
    return log_render(record, form, false, &t->waiting) && buf_add_char(&t->waiting, '\n');
}

static bool add_whole(struct log_target *t, struct str record, const struct log_view *v)
{
    size_t was = t->waiting.n, length = t->way == LOG_TARGET_DATAGRAM ? LENGTH : 0;

    buf_add(&t->waiting, str_of("\0\0\0\0", length));
    if (put_record(t, record, v) && !t->waiting.failed) {
        if (length)
            le32_put(t->waiting.p + was, (uint32_t)(t->waiting.n - was - length));
        return true;
    }
    t->waiting.n = was;
    t->waiting.failed = false;
    return false;
}

static void say_dropped(struct log_target *t)
{
    struct log_record r;
    struct log_view v;

    log_begin(&r, LOG_EVENT_LOG, LOG_LEVEL_WARNING, io_wall_msec());
    log_number(&r, LOG_DROPPED, (int64_t)t->dropped);
    log_text(&r, LOG_CAUSE, STR("this target did not take them in time"));
    if (log_view_open(log_octets(&r), &v) && add_whole(t, log_octets(&r), &v))
        t->dropped = 0;
}

void log_target_add(struct log_target *t, struct str record)
{
    struct log_view v;

    if (!t->open || !log_view_open(record, &v) || (unsigned)v.level > (unsigned)t->level)
        return;
    /* It is said as soon as there is room for it and for what comes now. */
    if (t->dropped && t->waiting.n < LOG_TARGET_WAITING_MAX / 2)
        say_dropped(t);
    if (t->dropped || !add_whole(t, record, &v))
        t->dropped++;
}

/* ---- turns ---- */

void log_target_flush(struct log_target *t)
{
    if (!t->open || !t->waiting.n)
        return;
    bool ok = t->way == LOG_TARGET_DATAGRAM ? write_datagrams(t) : write_lines(t);
    bool full = !ok && (errno == EAGAIN || errno == EWOULDBLOCK);
    io_watch_arm(&t->watch, full ? IO_WRITE : 0);
    if (!ok && !full)
        io_timer_start(&t->retry, LOG_TARGET_RETRY_MSEC);
    if (!ok)
        return;
    buf_shrink(&t->waiting, LOG_LINE_MAX);
    if (t->dropped) {
        say_dropped(t);
        io_timer_start(&t->retry, 0);
    }
}

static void on_room(struct io_watch *w, unsigned what)
{
    (void)what;
    log_target_flush(CONTAINER_OF(w, struct log_target, watch));
}

static void on_retry(struct io_timer *timer)
{
    log_target_flush(CONTAINER_OF(timer, struct log_target, retry));
}

/* ---- opening ---- */

static enum log_target_way way_of(int fd)
{
    struct stat st;
    int type = 0;
    socklen_t length = sizeof(type);

    if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))
        return LOG_TARGET_FILE;
    if (S_ISSOCK(st.st_mode))
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_DGRAM ?
                   LOG_TARGET_DATAGRAM :
                   LOG_TARGET_STREAM;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) ? LOG_TARGET_FILE : LOG_TARGET_SHARED;
}

static void target_close(struct log_target *t)
{
    if (t->watch.write_event && t->retry.event)
        log_target_flush(t);
    io_watch_done(&t->watch);
    io_timer_done(&t->retry);
    fd_close(&t->fd);
    t->open = false;
}

bool log_target_open(struct log_target *t, struct io_loop *loop, const struct config_log *how, int fd,
                     struct err *err)
{
    struct buf waiting = BUF_INIT(LOG_TARGET_WAITING_MAX);
    enum log_target_way way = way_of(fd);
    uint64_t dropped = 0;

    if (t->open) {
        target_close(t);
        dropped = t->dropped;
        if (t->kind == how->kind && t->form == how->form && t->way == way)
            waiting = t->waiting;
        else
            buf_done(&t->waiting);
    }
    *t = (struct log_target){
        .loop = loop,
        .kind = how->kind,
        .form = how->form,
        .level = how->level,
        .way = way,
        .fd = fd,
        .open = true,
        .waiting = waiting,
        .dropped = dropped,
    };
    if (io_watch_init(&t->watch, loop, fd, on_room, err) && io_timer_init(&t->retry, loop, on_retry, err)) {
        log_target_flush(t);
        return true;
    }
    log_target_done(t);
    return false;
}

void log_target_done(struct log_target *t)
{
    if (t->open)
        target_close(t);
    buf_done(&t->waiting);
}
