/* io/local.c -- the queue of a unix socket (unix(7), SCM_RIGHTS), and the thread that closes what may wait. */
#include "io/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io/fd.h"

enum { CLOSE_USEC = 1000 };

/* ---- reading ---- */

void local_begin(int fd)
{
    int on = 1;

    /* An octet out of band stands in the queue like others: else a read would drop it unseen, and what is beside it. */
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

ssize_t local_recv(int fd, void *at, size_t room)
{
    struct iovec iov = { .iov_base = at, .iov_len = room };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    /* No room for descriptors: none enters our table; a look takes a second reference, so dropping it closes nothing. */
    ssize_t n = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);

    if (n <= 0)
        return n;
    if (msg.msg_flags & MSG_CTRUNC) {
        errno = EPROTO;
        return -1;
    }
    /* We alone read here: these are the octets that were looked at, and what came behind them since stays. */
    return recv(fd, at, (size_t)n, MSG_DONTWAIT);
}

/* ---- closing ---- */

static void on_alarm(int signo)
{
    (void)signo;
}

/* A close that waits for its peer ends its wait when a signal is there: soon, and again if it came before the wait. */
static void alarms(suseconds_t usec)
{
    const struct itimerval every = { .it_interval = { .tv_usec = usec }, .it_value = { .tv_usec = usec } };

    (void)setitimer(ITIMER_REAL, &every, NULL);
}

static bool next_fd(int from, int *fd)
{
    ssize_t n;

    do
        n = read(from, fd, sizeof(*fd));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*fd);
}

static void *closing(void *arg)
{
    struct local_closer *c = arg;
    sigset_t alarm;
    int fd;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    while (next_fd(c->from, &fd)) {
        alarms(CLOSE_USEC);
        close(fd);
        alarms(0);
        atomic_fetch_sub(&c->waiting, 1);
    }
    return NULL;
}

static bool start_thread(struct local_closer *c)
{
    struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    sigset_t all, before;

    if (sigaction(SIGALRM, &act, NULL) < 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&c->thread, NULL, closing, c);
    /* The signal is for that thread alone. */
    sigaddset(&before, SIGALRM);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return e == 0;
}

bool local_closer_start(struct local_closer *c)
{
    int wire[2];

    if (c->to >= 0)
        return true;
    if (pipe2(wire, O_CLOEXEC) < 0)
        return false;
    c->from = wire[0];
    if (start_thread(c)) {
        c->to = wire[1];
        return true;
    }
    fd_close(&c->from);
    close(wire[1]);
    return false;
}

bool local_closer_busy(const struct local_closer *c)
{
    return atomic_load(&c->waiting) >= LOCAL_CLOSING_MAX;
}

void local_close_listener(struct local_closer *c, int *fd)
{
    ssize_t n;

    if (*fd < 0)
        return;
    if (c->to < 0) {
        fd_close(fd);
        return;
    }
    atomic_fetch_add(&c->waiting, 1);
    /* Whole, being less than PIPE_BUF; it waits only behind thousands, which all were connected at once. */
    do
        n = write(c->to, fd, sizeof(*fd));
    while (n < 0 && errno == EINTR);
    *fd = -1;
}

void local_close(struct local_closer *c, int *fd)
{
    /* Nothing can be passed any more, and the other side need not wait for the thread to see the end. */
    if (*fd >= 0)
        shutdown(*fd, SHUT_RDWR);
    local_close_listener(c, fd);
}

void local_closer_done(struct local_closer *c)
{
    if (c->to < 0)
        return;
    fd_close(&c->to);
    pthread_join(c->thread, NULL);
    fd_close(&c->from);
}
