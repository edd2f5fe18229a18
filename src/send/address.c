/* send/address.c -- sockets of the internet, and of the machine for LMTP. */
#include "send/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/fd.h"

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* Its length, 0 when there is no such address. */
static socklen_t fill_in(const struct route_plan_address *a, union socket_address *sa)
{
    memset(sa, 0, sizeof(*sa));
    if (a->path.n) {
        if (a->path.n >= sizeof(sa->local.sun_path) || str_has(a->path, '\0'))
            return 0;
        sa->local.sun_family = AF_UNIX;
        memcpy(sa->local.sun_path, a->path.p, a->path.n);
        return sizeof(sa->local);
    }
    switch (a->address.family) {
    case IP_V4:
        sa->v4.sin_family = AF_INET;
        sa->v4.sin_port = htons(a->port);
        memcpy(&sa->v4.sin_addr, a->address.octets, 4);
        return sizeof(sa->v4);
    case IP_V6:
        sa->v6.sin6_family = AF_INET6;
        sa->v6.sin6_port = htons(a->port);
        memcpy(&sa->v6.sin6_addr, a->address.octets, 16);
        return sizeof(sa->v6);
    case IP_NONE:
        break;
    }
    return 0;
}

int address_connect(const struct route_plan_address *a, int *fd)
{
    union socket_address sa;
    socklen_t n = fill_in(a, &sa);
    int on = 1;

    if (!n)
        return ENAMETOOLONG;
    int s = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return errno;
    /* Each write is a whole group of commands, or a block: none waits for more (DESIGN 10). */
    if (!a->path.n)
        (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(s, &sa.any, n) == 0 || errno == EINPROGRESS) {
        *fd = s;
        return 0;
    }
    int sys = errno;
    close(s);
    return sys;
}

int address_connected(int fd)
{
    int sys = 0;
    socklen_t n = sizeof(sys);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0 ? errno : sys;
}

bool address_is_out_of_reach(int sys)
{
    return sys == ENETUNREACH || sys == EAFNOSUPPORT || sys == EADDRNOTAVAIL;
}

bool address_is_our_shortage(int sys)
{
    return sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM;
}

const char *address_failure_words(int sys)
{
    switch (sys) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "connection timed out";
    case EHOSTUNREACH:
        return "no way to this host";
    case ENETUNREACH:
    case EAFNOSUPPORT:
        return "this machine has no way to such addresses";
    case EAGAIN:
        return "it takes no more connections now";
    default:
        return strerror(sys);
    }
}

struct address_text address_text(const struct route_plan_address *a)
{
    struct address_text t;

    if (a->path.n)
        snprintf(t.c, sizeof(t.c), "unix:%.*s", STR_ARG(a->path));
    else
        snprintf(t.c, sizeof(t.c), "%s", ip_text(&a->address).c);
    return t;
}
