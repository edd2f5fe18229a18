/* spool/still.c -- reads go to the disk below, writes go nowhere. */
#include "spool/still.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "spool/engine.h"
#include "spool/format.h"

/* What was "made" here and is nowhere: a descriptor that no call of the disk below ever sees. */
enum { NOWHERE = INT_MAX };

struct still_disk {
    struct spool_disk disk;
    struct spool_disk *base;
    bool locks; /* its lock is one of the disk below */
};

static struct still_disk *of(struct spool_disk *disk)
{
    return CONTAINER_OF(disk, struct still_disk, disk);
}

static struct spool_disk *below(struct spool_disk *disk)
{
    return of(disk)->base;
}

/* A lock wants a file that could be written; a copy of a spool may have none, and nobody runs on it. */
static int open_lock(struct spool_disk *disk, int *fd)
{
    struct spool_disk *base = below(disk);
    int e = base->ops->open(base, "lock", SPOOL_OPEN_WRITE, fd);

    of(disk)->locks = !e;
    if (e != ENOENT && e != EROFS)
        return e;
    *fd = NOWHERE;
    return 0;
}

static int still_open(struct spool_disk *disk, const char *name, enum spool_open_how how, int *fd)
{
    struct spool_disk *base = below(disk);

    if (!strcmp(name, "lock"))
        return open_lock(disk, fd);
    if (how != SPOOL_OPEN_NEW)
        return base->ops->open(base, name, SPOOL_OPEN_READ, fd);
    *fd = NOWHERE;
    return 0;
}

static void still_close(struct spool_disk *disk, int fd)
{
    if (fd != NOWHERE)
        below(disk)->ops->close(below(disk), fd);
}

static int still_pread(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    *done = 0;
    return fd == NOWHERE ? 0 : below(disk)->ops->pread(below(disk), fd, to, n, at, done);
}

static int still_pwritev(struct spool_disk *disk, int fd, const struct iovec *iov, int count, uint64_t at, size_t *done)
{
    (void)disk, (void)fd, (void)at;
    *done = 0;
    for (int i = 0; i < count; i++)
        *done += iov[i].iov_len;
    return 0;
}

static int still_sync(struct spool_disk *disk, int fd)
{
    (void)disk, (void)fd;
    return 0;
}

static int still_forget(struct spool_disk *disk, int fd)
{
    return fd == NOWHERE ? 0 : below(disk)->ops->forget(below(disk), fd);
}

static int still_length(struct spool_disk *disk, int fd, uint64_t *octets)
{
    *octets = 0;
    return fd == NOWHERE ? 0 : below(disk)->ops->length(below(disk), fd, octets);
}

static int still_unlink(struct spool_disk *disk, const char *name)
{
    (void)disk, (void)name;
    return 0;
}

static int still_rename(struct spool_disk *disk, const char *from, const char *to)
{
    (void)disk, (void)from, (void)to;
    return 0;
}

static int still_sync_folder(struct spool_disk *disk)
{
    (void)disk;
    return 0;
}

static int still_list(struct spool_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx)
{
    return below(disk)->ops->list(below(disk), visit, ctx);
}

static int still_lock(struct spool_disk *disk, int fd)
{
    return of(disk)->locks ? below(disk)->ops->lock(below(disk), fd) : 0;
}

/* Never short of it: nothing is written. */
static int still_space(struct spool_disk *disk, struct spool_space *space)
{
    (void)disk;
    *space = (struct spool_space){ UINT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX / 2 };
    return 0;
}

static int still_random(struct spool_disk *disk, void *to, size_t n)
{
    return below(disk)->ops->random(below(disk), to, n);
}

static const struct spool_disk_ops still_ops = {
    .open = still_open,
    .close = still_close,
    .pread = still_pread,
    .pwritev = still_pwritev,
    .sync = still_sync,
    .forget = still_forget,
    .length = still_length,
    .unlink = still_unlink,
    .rename = still_rename,
    .sync_folder = still_sync_folder,
    .list = still_list,
    .lock = still_lock,
    .space = still_space,
    .random = still_random,
};

struct spool_disk *spool_still_disk(struct spool_disk *base, struct err *err)
{
    struct still_disk *still = malloc(sizeof(*still));

    if (!still) {
        err_sys(err, ENOMEM, "spool");
        return NULL;
    }
    *still = (struct still_disk){ .disk = { .ops = &still_ops }, .base = base };
    return &still->disk;
}

void spool_still_close(struct spool_disk *still)
{
    if (still)
        free(of(still));
}

struct spool *spool_still_open(struct spool_disk *still, struct err *err)
{
    struct spool_options options = { .disk = still, .manual = true };
    int fd, e = still->ops->open(still, "format", SPOOL_OPEN_READ, &fd);

    /* Without it a spool would be made, if only in memory. */
    if (e) {
        err_sys(err, e, "there is no spool here: format");
        return NULL;
    }
    still->ops->close(still, fd);
    return spool_open(&options, err);
}
