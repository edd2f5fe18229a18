/* cmd/demo/elsewhere.c -- a process, its connections, and their patience. */
#include "cmd/demo/elsewhere.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/bench/net.h"
#include "cmd/demo/guest.h"
#include "io/fd.h"
#include "io/loop.h"

enum { PORTS_TRIED = 100, GUESTS_MAX = 250, READ_AT_ONCE = 64 * 1024, FIRST_OWN_FD = 3 };

/* ---- connections ---- */

struct connection {
    int fd; /* -1: a free place */
    struct demo_guest guest;
};

struct loop {
    int listener;
    struct demo_hosts hosts;
    struct connection all[GUESTS_MAX];
};

static void close_connection(struct connection *c)
{
    demo_guest_done(&c->guest);
    fd_close(&c->fd);
}

/* Sends what may be sent now. False: the connection is over. */
static bool flush(struct connection *c)
{
    struct demo_guest *g = &c->guest;

    if (g->due_usec || !g->out.n)
        return true;
    ssize_t n = send(c->fd, g->out.p, g->out.n, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN;
    buf_eat(&g->out, (size_t)n);
    return g->out.n || !g->leaving;
}

/* All that can be answered is; false: the connection is over. */
static bool go_on(struct connection *c)
{
    return demo_guest_go_on(&c->guest) && flush(c);
}

static bool take_octets(struct connection *c)
{
    char *room = buf_room(&c->guest.in, READ_AT_ONCE);
    ssize_t n = room ? recv(c->fd, room, READ_AT_ONCE, 0) : 0;

    if (n < 0)
        return errno == EAGAIN;
    buf_grew(&c->guest.in, (size_t)n);
    return n > 0 && go_on(c);
}

/* Something is to be read or written, or a wait is over. */
static void turn_connection(struct connection *c, short events, int64_t now_usec)
{
    bool stays = true;

    if (c->guest.due_usec && c->guest.due_usec <= now_usec) {
        c->guest.due_usec = 0;
        stays = flush(c) && go_on(c);
    } else if (events & POLLOUT) {
        stays = flush(c);
    } else if (events) {
        stays = take_octets(c);
    }
    if (!stays)
        close_connection(c);
}

static void take_connection(struct loop *l)
{
    int fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    struct connection *c = l->all;

    if (fd < 0)
        return;
    while (c->fd >= 0)
        c++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->fd = fd;
    demo_guest_init(&c->guest, &l->hosts);
    if (!flush(c))
        close_connection(c);
}

/* ---- the loop ---- */

static short events_of(const struct demo_guest *g)
{
    return g->due_usec ? 0 : g->out.n ? POLLOUT : POLLIN;
}

static int msec_until(int64_t due_usec)
{
    int64_t msec = due_usec == INT64_MAX ? -1 : (due_usec - io_clock_usec() + 999) / 1000;

    return due_usec != INT64_MAX && msec < 0 ? 0 : msec > INT_MAX ? INT_MAX : (int)msec;
}

static void turn(struct loop *l)
{
    struct pollfd fds[GUESTS_MAX + 1];
    struct connection *of[GUESTS_MAX + 1];
    int64_t due_usec = INT64_MAX;
    nfds_t n = 1;

    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct connection *c = &l->all[i];
        if (c->fd < 0)
            continue;
        of[n] = c;
        fds[n++] = (struct pollfd){ .fd = c->fd, .events = events_of(&c->guest) };
        if (c->guest.due_usec && c->guest.due_usec < due_usec)
            due_usec = c->guest.due_usec;
    }
    /* Without a free place others wait at the door. */
    fds[0] = (struct pollfd){ .fd = n <= GUESTS_MAX ? l->listener : -1, .events = POLLIN };
    if (poll(fds, n, msec_until(due_usec)) < 0)
        return;
    int64_t now = io_clock_usec();
    for (nfds_t i = 1; i < n; i++)
        turn_connection(of[i], fds[i].revents, now);
    if (fds[0].revents)
        take_connection(l);
}

/* ---- the process ---- */

/* The least of rights: what it writes belongs to the account of the mailboxes. */
static bool step_down(void)
{
    const struct passwd *account = geteuid() == 0 ? demo_place_account() : NULL;

    if (geteuid() != 0)
        return true;
    return account && setgroups(0, NULL) == 0 && setgid(account->pw_gid) == 0 && setuid(account->pw_uid) == 0;
}

/* Two descriptors are ours; above all not the lock of the folder, which must end with the demonstration. */
static void keep_only(int *listener, int *folder)
{
    *listener = fcntl(*listener, F_DUPFD_CLOEXEC, 100);
    *folder = fcntl(*folder, F_DUPFD_CLOEXEC, 100);
    close_range(FIRST_OWN_FD, 99, 0);
    close_range((unsigned)(*listener > *folder ? *listener : *folder) + 1, UINT_MAX, 0);
}

_Noreturn static void become(int listener, const struct demo_place *place, pid_t parent)
{
    struct loop *l = calloc(1, sizeof(*l));
    int folder = openat(place->fd, "elsewhere", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    sigset_t none;

    setpgid(0, 0);
    keep_only(&listener, &folder);
    if (!l || folder < 0 || !step_down())
        _exit(1);
    /* After step_down(), which would undo it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    prctl(PR_SET_NAME, "elsewhere");
    signal(SIGCHLD, SIG_IGN); /* reports are sent by themselves */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    *l = (struct loop){ .listener = listener, .hosts = { .folder = folder, .server = place->port } };
    for (size_t i = 0; i < GUESTS_MAX; i++)
        l->all[i].fd = -1;
    for (;;)
        turn(l);
}

bool demo_elsewhere_open(struct demo_elsewhere *e, struct err *err)
{
    struct bench_address at;
    char text[32];

    for (unsigned port = DEMO_PORT_FIRST + 1; port <= DEMO_PORT_FIRST + PORTS_TRIED && e->listener < 0; port++) {
        snprintf(text, sizeof(text), "127.0.0.1:%u", port);
        e->listener = bench_address_parse(text, &at, NULL) ? bench_listen(&at, &e->port, NULL) : -1;
    }
    return e->listener >= 0 || err_temp(err, "ports %d to %d of 127.0.0.1 are all taken", DEMO_PORT_FIRST + 1,
                                        DEMO_PORT_FIRST + PORTS_TRIED);
}

bool demo_elsewhere_start(struct demo_elsewhere *e, const struct demo_place *place, struct err *err)
{
    pid_t parent = getpid();

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(e->listener, place, parent);
    if (pid < 0)
        return err_sys(err, errno, "fork");
    setpgid(pid, pid); /* here too: who comes first does not matter */
    e->pid = pid;
    return true;
}

bool demo_elsewhere_has_ended(struct demo_elsewhere *e, struct err *err)
{
    if (e->pid <= 0 || waitpid(e->pid, NULL, WNOHANG) != e->pid)
        return false;
    e->pid = 0;
    err_temp(err, "the program that plays every other domain has ended");
    return true;
}

void demo_elsewhere_stop(struct demo_elsewhere *e)
{
    if (e->pid > 0) {
        kill(-e->pid, SIGKILL);
        while (waitpid(e->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    e->pid = 0;
    fd_close(&e->listener);
}
