/* io/local.h -- connections of other users of this machine: what they pass is never taken, and cannot hold us up. */
#ifndef IO_LOCAL_H
#define IO_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Beside octets such a user can pass descriptors. Whoever drops the last reference to one closes it, and that may take
 * as long as its sender likes (SO_LINGER on a TCP socket whose peer acknowledges nothing). The reference is dropped by
 * reading the octets beside it, and by closing a connection in whose queue they stand. So octets are looked at before
 * they are read, and connections are closed by a thread, which waits for nothing longer than a millisecond.
 * Linux 6.16 and newer refuse them before they come (fd_refuse_passed()).
 */

/* A connection that was just accepted: before anything is read of it. */
void local_begin(int fd);

/* recv(2) without waiting. -1 with EPROTO: descriptors stand in the queue, none of it was read, and none will ever be. */
ssize_t local_recv(int fd, void *at, size_t room);

/* Where as many connections are being closed, no more should be accepted for a moment. */
enum { LOCAL_CLOSING_MAX = 256 };

/* The closing thread of a process; SIGALRM and ITIMER_REAL are its own. */
struct local_closer {
    pthread_t thread;
    int to, from;        /* a pipe of descriptors; -1: no thread */
    atomic_uint waiting; /* not closed yet */
};

#define LOCAL_CLOSER_INIT { .to = -1, .from = -1 }

/* Starts the thread unless it runs, inside the sandbox. False: it cannot be had now. */
bool local_closer_start(struct local_closer *c);
/* LOCAL_CLOSING_MAX are not closed yet. */
bool local_closer_busy(const struct local_closer *c);
/*
 * Nothing goes either way any more, the other side sees the end; *fd is -1 and closed some time later.
 * Without a thread it is closed here: only what no other user connected.
 */
void local_close(struct local_closer *c, int *fd);
/* Of a listening socket: others that have it, too, go on with it. */
void local_close_listener(struct local_closer *c, int *fd);
/* Returns when all is closed and the thread has ended. */
void local_closer_done(struct local_closer *c);

#endif
