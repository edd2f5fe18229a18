/* spool/disk_posix.c -- a folder of the system. The history's (history/disk_posix.c) promises nothing of this, and is apart. */
#include "spool/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/bug.h"

struct posix_disk {
    struct spool_disk disk;
    int folder;
};

static int folder_of(struct spool_disk *disk)
{
    return CONTAINER_OF(disk, struct posix_disk, disk)->folder;
}

static int posix_open(struct spool_disk *disk, const char *name, enum spool_open_how how, int *fd)
{
    static const int flags[] = {
        [SPOOL_OPEN_READ] = O_RDONLY,
        [SPOOL_OPEN_WRITE] = O_RDWR,
        [SPOOL_OPEN_NEW] = O_RDWR | O_CREAT | O_EXCL,
    };

    do
        *fd = openat(folder_of(disk), name, flags[how] | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? errno : 0;
}

static void posix_close(struct spool_disk *disk, int fd)
{
    (void)disk;
    close(fd);
}

static int posix_pread(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    ssize_t got;

    (void)disk;
    do
        got = pread(fd, to, n, (off_t)at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    *done = (size_t)got;
    return 0;
}

static int posix_pwritev(struct spool_disk *disk, int fd, const struct iovec *iov, int count, uint64_t at,
                         size_t *done)
{
    ssize_t put;

    (void)disk;
    do
        put = pwritev(fd, iov, count, (off_t)at);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return errno;
    *done = (size_t)put;
    return 0;
}

/* Never again on EINTR: a second sync may report as clean what the first has lost. */
static int posix_sync(struct spool_disk *disk, int fd)
{
    (void)disk;
    return fdatasync(fd) < 0 ? errno : 0;
}

static int posix_forget(struct spool_disk *disk, int fd)
{
    (void)disk;
    return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int posix_length(struct spool_disk *disk, int fd, uint64_t *octets)
{
    struct stat st;

    (void)disk;
    if (fstat(fd, &st) < 0)
        return errno;
    *octets = (uint64_t)st.st_size;
    return 0;
}

static int posix_unlink(struct spool_disk *disk, const char *name)
{
    return unlinkat(folder_of(disk), name, 0) < 0 ? errno : 0;
}

static int posix_rename(struct spool_disk *disk, const char *from, const char *to)
{
    return renameat(folder_of(disk), from, folder_of(disk), to) < 0 ? errno : 0;
}

static int posix_sync_folder(struct spool_disk *disk)
{
    return fsync(folder_of(disk)) < 0 ? errno : 0;
}

static int posix_list(struct spool_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx)
{
    int fd = openat(folder_of(disk), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir;
    struct dirent *entry;

    if (fd < 0)
        return errno;
    dir = fdopendir(fd);
    if (!dir) {
        int e = errno;
        close(fd);
        return e;
    }
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        visit(ctx, entry->d_name);
        errno = 0;
    }
    int e = errno;
    closedir(dir);
    return e;
}

static int posix_lock(struct spool_disk *disk, int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    (void)disk;
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES || errno == EAGAIN ? EWOULDBLOCK : errno;
}

static int posix_space(struct spool_disk *disk, struct spool_space *space)
{
    struct statvfs st;

    if (fstatvfs(folder_of(disk), &st) < 0)
        return errno;
    *space = (struct spool_space){
        .octets = (uint64_t)st.f_blocks * st.f_frsize,
        .octets_free = (uint64_t)st.f_bavail * st.f_frsize,
        .inodes = st.f_files,
        .inodes_free = st.f_favail,
    };
    return 0;
}

static int posix_random(struct spool_disk *disk, void *to, size_t n)
{
    (void)disk;
    return getrandom(to, n, 0) == (ssize_t)n ? 0 : EIO;
}

static const struct spool_disk_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwritev = posix_pwritev,
    .sync = posix_sync,
    .forget = posix_forget,
    .length = posix_length,
    .unlink = posix_unlink,
    .rename = posix_rename,
    .sync_folder = posix_sync_folder,
    .list = posix_list,
    .lock = posix_lock,
    .space = posix_space,
    .random = posix_random,
};

struct spool_disk *spool_disk_open(const char *path, struct err *err)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0) {
        err_sys(err, errno, "open %s", path);
        return NULL;
    }
    struct posix_disk *d = malloc(sizeof(*d));
    if (!d) {
        close(folder);
        err_sys(err, ENOMEM, "spool");
        return NULL;
    }
    *d = (struct posix_disk){ .disk.ops = &posix_ops, .folder = folder };
    return &d->disk;
}

void spool_disk_close(struct spool_disk *disk)
{
    if (!disk)
        return;
    struct posix_disk *d = CONTAINER_OF(disk, struct posix_disk, disk);
    close(d->folder);
    free(d);
}
