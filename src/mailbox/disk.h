/* mailbox/disk.h -- the system calls that put mail into mailboxes, as a table, so that tests can make each fail. */
#ifndef MAILBOX_DISK_H
#define MAILBOX_DISK_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Each does what the system call of that name does: -1 and errno on failure, EINTR included. Used from many threads.
 * Names are looked up below DIR without ever leaving it and without following a symbolic link.
 */
struct mailbox_disk {
    int (*open_below)(const struct mailbox_disk *d, int dir, const char *path, int flags, mode_t mode);
    ssize_t (*read_at)(const struct mailbox_disk *d, int fd, void *at, size_t n, off_t offset);
    ssize_t (*write)(const struct mailbox_disk *d, int fd, const void *at, size_t n);
    int (*sync)(const struct mailbox_disk *d, int fd);
    int (*truncate)(const struct mailbox_disk *d, int fd, off_t length);
    /*
     * The whole file for this descriptor alone, until it is closed: against other threads as well as against other
     * programs that lock by fcntl(2). Does not wait: EAGAIN while somebody else has it.
     */
    int (*lock)(const struct mailbox_disk *d, int fd);
    int (*make_dir)(const struct mailbox_disk *d, int dir, const char *name);
    /* From one folder into another under the same name; never over a file that is there (EEXIST). */
    int (*move)(const struct mailbox_disk *d, int from, int to, const char *name);
    int (*link)(const struct mailbox_disk *d, int from, int to, const char *name);
    int (*remove)(const struct mailbox_disk *d, int dir, const char *name);
    int (*exists)(const struct mailbox_disk *d, int dir, const char *name);
    /* getdents64(2) */
    ssize_t (*entries)(const struct mailbox_disk *d, int fd, void *at, size_t n);
};

/* The kernel's. */
extern const struct mailbox_disk mailbox_disk_kernel;

#endif
