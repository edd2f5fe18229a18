/* cmd/demo/records.c -- inotify on the log, a descriptor for signals, and one poll for both. */
#include "cmd/demo/records.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/loop.h"

enum { READ_AT_ONCE = 256 * 1024, LINES_MAX = 4 << 20, LONGEST_POLL_MSEC = 3600 * 1000 };

bool demo_records_open(struct demo_records *r, const struct demo_place *place, struct err *err)
{
    char path[DEMO_PATH_MAX];
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    demo_place_path(place, "log", path);
    *r = (struct demo_records){
        .log = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW),
        .changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
        .signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
        .in = BUF_INIT(LINES_MAX),
    };
    if (r->log < 0 || r->changes < 0 || r->signals < 0 || inotify_add_watch(r->changes, path, IN_MODIFY) < 0)
        return err_sys(err, errno, "cannot follow %s", path);
    demo_records_skip(r);
    return true;
}

void demo_records_close(struct demo_records *r)
{
    fd_close(&r->log);
    fd_close(&r->changes);
    fd_close(&r->signals);
    buf_done(&r->in);
}

void demo_records_skip(struct demo_records *r)
{
    lseek(r->log, 0, SEEK_END);
    buf_clear(&r->in);
    r->eaten = 0;
}

/* ---- waiting ---- */

/* DEMO_WAKE_RECORD when no signal came. */
static enum demo_wake take_signal(struct demo_records *r)
{
    struct signalfd_siginfo info;
    enum demo_wake wake = DEMO_WAKE_RECORD;

    while (wake != DEMO_WAKE_STOP && read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        wake = info.ssi_signo == SIGCHLD ? DEMO_WAKE_CHILD : DEMO_WAKE_STOP;
    return wake;
}

static int poll_msec(int64_t until_usec)
{
    int64_t msec = (until_usec - io_clock_usec() + 999) / 1000;

    return msec < 0 ? 0 : msec > LONGEST_POLL_MSEC ? LONGEST_POLL_MSEC : (int)msec;
}

/* DEMO_WAKE_RECORD when the log has grown. */
static enum demo_wake wait_for(struct demo_records *r, bool log, int64_t until_usec)
{
    struct pollfd fds[] = { { .fd = r->signals, .events = POLLIN }, { .fd = r->changes, .events = POLLIN } };
    char events[4096];

    for (;;) {
        int n = poll(fds, log ? 2 : 1, poll_msec(until_usec));
        enum demo_wake wake = take_signal(r);
        if (wake != DEMO_WAKE_RECORD)
            return wake;
        if (log && n > 0) {
            while (read(r->changes, events, sizeof(events)) > 0)
                continue;
            return DEMO_WAKE_RECORD;
        }
        if (io_clock_usec() >= until_usec)
            return DEMO_WAKE_TIME;
    }
}

enum demo_wake demo_records_sleep(struct demo_records *r, int64_t until_usec)
{
    return wait_for(r, false, until_usec);
}

/* ---- lines ---- */

static bool next_line(struct demo_records *r, struct str *line)
{
    struct str rest = str_skip(buf_str(&r->in), r->eaten);
    size_t n = str_find(rest, '\n');

    if (n == rest.n)
        return false;
    *line = str_head(rest, n);
    r->eaten += n + 1;
    return true;
}

bool demo_records_are_behind(const struct demo_records *r)
{
    return str_has(str_skip(buf_str(&r->in), r->eaten), '\n');
}

/* False: nothing more stands in the log now. */
static bool read_more(struct demo_records *r)
{
    buf_eat(&r->in, r->eaten);
    r->eaten = 0;

    char *room = buf_room(&r->in, READ_AT_ONCE);
    ssize_t n = room ? read(r->log, room, READ_AT_ONCE) : 0;
    if (n <= 0)
        return false;
    buf_grew(&r->in, (size_t)n);
    return true;
}

enum demo_wake demo_records_next(struct demo_records *r, int64_t until_usec, json_t **record)
{
    struct str line;

    for (;;) {
        while (next_line(r, &line)) {
            *record = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);
            if (*record)
                return DEMO_WAKE_RECORD;
        }
        /* However fast the log grows, a signal is seen. */
        enum demo_wake wake = take_signal(r);
        if (wake == DEMO_WAKE_RECORD && !read_more(r))
            wake = wait_for(r, true, until_usec);
        if (wake != DEMO_WAKE_RECORD)
            return wake;
    }
}

bool demo_records_await_end(struct demo_records *r, pid_t pid, int64_t until_usec, int *status)
{
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid || (ended < 0 && errno == ECHILD))
            return true;
        if (demo_records_sleep(r, until_usec) == DEMO_WAKE_TIME)
            return false;
    }
}
