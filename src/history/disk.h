/* history/disk.h -- what the history asks of a disk: one folder of files; a real one, or one that fails. */
#ifndef HISTORY_DISK_H
#define HISTORY_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct history_file {
    uint64_t octets;
    int64_t utc_msec; /* of the last write */
};

struct history_disk {
    const struct history_disk_ops *ops;
};

/* Each gives 0 or an errno. Files are named without a slash. */
struct history_disk_ops {
    int (*open)(struct history_disk *disk, const char *name, int *fd);
    /* For writing and reading; it must not exist. */
    int (*make)(struct history_disk *disk, const char *name, int *fd);
    void (*close)(struct history_disk *disk, int fd);
    /* May do less than asked: *done, 0 at the end of the file. */
    int (*read)(struct history_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done);
    int (*write)(struct history_disk *disk, int fd, const void *from, size_t n, uint64_t at, size_t *done);
    int (*cut)(struct history_disk *disk, int fd, uint64_t octets);
    int (*look)(struct history_disk *disk, const char *name, struct history_file *file);
    int (*remove)(struct history_disk *disk, const char *name);
    int (*list)(struct history_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx);
    int (*room)(struct history_disk *disk, uint64_t *octets_free);
};

/* The folder PATH of the system, which exists. NULL with ERR. */
MUST_USE struct history_disk *history_disk_open(const char *path, struct err *err);
void history_disk_close(struct history_disk *disk); /* takes NULL */

/* As much of N octets as there are before the end of the file. */
int history_disk_read(struct history_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done);
/* All of it, or an errno. */
int history_disk_write(struct history_disk *disk, int fd, const void *from, size_t n, uint64_t at);

#endif
