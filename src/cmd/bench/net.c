/* cmd/bench/net.c -- sockets of load and sink. */
#include "cmd/bench/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/num.h"
#include "core/str.h"

enum { HOST_MAX = 255, BACKLOG = 4096 };

/* Cuts HOST:PORT at the last colon and takes the brackets of an IPv6 address off. */
static bool cut_address(struct str text, struct str *host, struct str *port)
{
    size_t colon = str_rfind(text, ':');

    if (colon == text.n)
        return false;
    *host = str_of(text.p, colon);
    *port = str_of(text.p + colon + 1, text.n - colon - 1);
    if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
        *host = str_of(host->p + 1, host->n - 2);
    return host->n > 0 && host->n <= HOST_MAX && port->n > 0;
}

bool bench_address_parse(const char *text, struct bench_address *out, struct err *err)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found;
    char host_text[HOST_MAX + 1], port_text[8];
    struct str host, port;
    uint64_t number;
    int bad;

    if (!cut_address(str_from_c(text), &host, &port) || !num_parse_u64(port, UINT16_MAX, &number))
        return err_perm(err, "'%s': an address is written HOST:PORT or [IPV6]:PORT", text);
    snprintf(host_text, sizeof host_text, "%.*s", STR_ARG(host));
    snprintf(port_text, sizeof port_text, "%u", (unsigned)number);
    bad = getaddrinfo(host_text, port_text, &hints, &found);
    if (bad)
        return err_perm(err, "%s: %s", host_text, gai_strerror(bad));
    memcpy(&out->at, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static int open_socket(const struct bench_address *a)
{
    return socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int bench_connect(const struct bench_address *to, bool nagle)
{
    int fd = open_socket(to), one = 1;

    if (fd < 0)
        return -1;
    if (!nagle)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&to->at, to->length) < 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &length) < 0)
        return 0;
    if (at.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
    return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

int bench_listen(const struct bench_address *at, uint16_t *port, struct err *err)
{
    int fd = open_socket(at), one = 1;

    if (fd < 0)
        goto fail;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&at->at, at->length) < 0 || listen(fd, BACKLOG) < 0)
        goto fail;
    *port = port_of(fd);
    return fd;
fail:
    err_sys(err, errno, "cannot listen");
    if (fd >= 0)
        close(fd);
    return -1;
}

uint64_t bench_now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
