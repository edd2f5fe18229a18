/* io/fd.c -- small things about descriptors. */
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool fd_set_nonblocking(int fd, bool on, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
        return err_sys(err, errno, "cannot change a descriptor's flags");
    return true;
}

bool fd_read_all(int fd, size_t max, struct arena *a, struct str *out, struct err *err)
{
    struct stat st;
    size_t got = 0;

    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "fstat");
    if (!S_ISREG(st.st_mode))
        return err_perm(err, "not a regular file");
    if (st.st_size < 0 || (uint64_t)st.st_size > max)
        return err_perm(err, "larger than %zu octets", max);

    size_t n = (size_t)st.st_size;
    char *p = arena_alloc(a, n + 1);
    if (!p)
        return err_temp(err, "out of memory");
    while (got < n) {
        ssize_t r = pread(fd, p + got, n - got, (off_t)got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_sys(err, errno, "read");
        if (r == 0)
            break;
        got += (size_t)r;
    }
    *out = str_of(p, got);
    return true;
}

bool file_read_all(const char *path, size_t max, struct arena *a, struct str *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_sys(err, errno, "%s", path);
    bool ok = fd_read_all(fd, max, a, out, err) || err_wrap(err, "%s", path);
    close(fd);
    return ok;
}

int fd_sealed(const char *name, struct str octets, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;

    if (fd < 0) {
        err_sys(err, errno, "memfd_create");
        return -1;
    }
    while (done < octets.n) {
        ssize_t r = pwrite(fd, octets.p + done, octets.n - done, (off_t)done);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            goto fail;
        done += (size_t)r;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return fd;
fail:
    err_sys(err, errno, "sealed memory");
    close(fd);
    return -1;
}

bool fd_pair(int fds[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return err_sys(err, errno, "socketpair");
    return true;
}

/* What the C library's headers of Debian 12 and 13 do not know. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

void fd_refuse_passed(int sock)
{
    int off = 0;

    (void)setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

ssize_t fd_send(int sock, struct str octets, const int *fds, size_t n_fds)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)octets.p, .iov_len = octets.n };
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
    } control;
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t r;

    BUG_ON(n_fds > FD_PASS_MAX);
    if (n_fds) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    /* Whoever passes none may not call sendmsg(2) at all (ipc/sandbox_calls.h). */
    do
        r = n_fds ? sendmsg(sock, &msg, MSG_NOSIGNAL) : send(sock, octets.p, octets.n, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r;
}

static void take_fds(const struct cmsghdr *c, int *fds, size_t room_fds, size_t *n_fds, bool *overflow)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < n; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
        if (*n_fds < room_fds) {
            fds[(*n_fds)++] = fd;
        } else {
            close(fd);
            *overflow = true;
        }
    }
}

ssize_t fd_recv(int sock, void *at, size_t room, int *fds, size_t room_fds, size_t *n_fds, bool *overflow)
{
    struct iovec iov = { .iov_base = at, .iov_len = room };
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
    } control;
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof(control.space),
    };
    ssize_t r;

    *n_fds = 0;
    *overflow = false;
    do
        r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return r;
    if (msg.msg_flags & MSG_CTRUNC)
        *overflow = true;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            take_fds(c, fds, room_fds, n_fds, overflow);
    return r;
}
