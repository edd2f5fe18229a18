/* io/fd.h -- descriptors, born close-on-exec and non-blocking; whole files; passing descriptors. */
#ifndef IO_FD_H
#define IO_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

/* Closes *fd if it is not negative and makes it -1. */
void fd_close(int *fd);
MUST_USE bool fd_set_nonblocking(int fd, bool on, struct err *err);

/* The octets of the file at FD or PATH, at most MAX, in A; a larger file is a permanent error. */
MUST_USE bool fd_read_all(int fd, size_t max, struct arena *a, struct str *out, struct err *err);
MUST_USE bool file_read_all(const char *path, size_t max, struct arena *a, struct str *out, struct err *err);

/* A sealed memfd that holds OCTETS, readable from its start, never to be changed by anyone; -1 with ERR. */
int fd_sealed(const char *name, struct str octets, struct err *err);

/* A pair of connected, non-blocking, close-on-exec unix stream sockets. */
MUST_USE bool fd_pair(int fds[2], struct err *err);
/*
 * Nobody can pass descriptors to the unix socket SOCK, nor to those accepted on it; older kernels than Linux 6.16 do not know
 * how. For the last holder of a passed socket waits at its close for as long as SO_LINGER says, which its sender chose.
 */
void fd_refuse_passed(int sock);

enum { FD_PASS_MAX = 64 };

/*
 * sendmsg/recvmsg of stream octets with descriptors. Return what the system call does, errno set; EINTR is retried.
 * Received descriptors are close-on-exec; what exceeds ROOM is closed and *overflow is set.
 */
ssize_t fd_send(int sock, struct str octets, const int *fds, size_t n_fds);
ssize_t fd_recv(int sock, void *at, size_t room, int *fds, size_t room_fds, size_t *n_fds, bool *overflow);

#endif
