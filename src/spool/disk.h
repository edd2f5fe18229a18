/* spool/disk.h -- what the spool asks of a disk: one folder of files; a real one, or one that fails. */
#ifndef SPOOL_DISK_H
#define SPOOL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/err.h"

enum { SPOOL_NAME_MAX = 40 };

enum spool_open_how {
    SPOOL_OPEN_READ,
    SPOOL_OPEN_WRITE, /* and read */
    SPOOL_OPEN_NEW,   /* as write; the file must not exist */
};

struct spool_space {
    uint64_t octets, octets_free;
    uint64_t inodes, inodes_free;
};

struct spool_disk {
    const struct spool_disk_ops *ops;
};

/*
 * Each gives 0 or an errno. Files are regular, named without a slash. May be called from several threads.
 * pread and pwritev may do less than asked; *done says how much (0 at the end of the file).
 */
struct spool_disk_ops {
    int (*open)(struct spool_disk *disk, const char *name, enum spool_open_how how, int *fd);
    void (*close)(struct spool_disk *disk, int fd);
    int (*pread)(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done);
    int (*pwritev)(struct spool_disk *disk, int fd, const struct iovec *iov, int count, uint64_t at,
                   size_t *done);
    int (*sync)(struct spool_disk *disk, int fd);   /* content and length are durable after it */
    int (*forget)(struct spool_disk *disk, int fd); /* what is clean leaves the cache */
    int (*length)(struct spool_disk *disk, int fd, uint64_t *octets);
    int (*unlink)(struct spool_disk *disk, const char *name);
    int (*rename)(struct spool_disk *disk, const char *from, const char *to);
    int (*sync_folder)(struct spool_disk *disk); /* names are durable after it */
    int (*list)(struct spool_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx);
    int (*lock)(struct spool_disk *disk, int fd); /* EWOULDBLOCK: another has it; ends with FD */
    int (*space)(struct spool_disk *disk, struct spool_space *space);
    int (*random)(struct spool_disk *disk, void *to, size_t n);
};

/* The folder PATH of the system, which exists. NULL with ERR. Closed after the spool. */
MUST_USE struct spool_disk *spool_disk_open(const char *path, struct err *err);
void spool_disk_close(struct spool_disk *disk); /* takes NULL */

/* All N octets, or an errno; ENODATA when the file ends before. */
int spool_disk_read(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at);
/* All of it, or an errno. Changes IOV. */
int spool_disk_write(struct spool_disk *disk, int fd, struct iovec *iov, int count, uint64_t at);
int spool_disk_put(struct spool_disk *disk, int fd, const void *from, size_t n, uint64_t at);

#endif
