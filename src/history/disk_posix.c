/*
 * history/disk_posix.c -- a folder of the system.
 *
 * Apart from spool/disk_posix.c: there a 250 hangs on each call, threads call it, and an error of a sync is never asked
 * about twice. Here nothing is synced or locked and a record that is lost loses no mail: neither can change for the other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/bug.h"
#include "history/disk.h"

struct posix_disk {
    struct history_disk disk;
    int folder;
};

static int folder_of(struct history_disk *disk)
{
    return CONTAINER_OF(disk, struct posix_disk, disk)->folder;
}

static int open_as(struct history_disk *disk, const char *name, int flags, int *fd)
{
    do
        *fd = openat(folder_of(disk), name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? errno : 0;
}

static int posix_open(struct history_disk *disk, const char *name, int *fd)
{
    return open_as(disk, name, O_RDONLY, fd);
}

static int posix_make(struct history_disk *disk, const char *name, int *fd)
{
    return open_as(disk, name, O_RDWR | O_CREAT | O_EXCL, fd);
}

static void posix_close(struct history_disk *disk, int fd)
{
    (void)disk;
    close(fd);
}

static int posix_read(struct history_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
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

static int posix_write(struct history_disk *disk, int fd, const void *from, size_t n, uint64_t at, size_t *done)
{
    ssize_t put;

    (void)disk;
    do
        put = pwrite(fd, from, n, (off_t)at);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return errno;
    *done = (size_t)put;
    return 0;
}

static int posix_cut(struct history_disk *disk, int fd, uint64_t octets)
{
    (void)disk;
    return ftruncate(fd, (off_t)octets) < 0 ? errno : 0;
}

static int posix_look(struct history_disk *disk, const char *name, struct history_file *file)
{
    struct stat st;

    if (fstatat(folder_of(disk), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    *file = (struct history_file){
        .octets = (uint64_t)st.st_size,
        .utc_msec = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
    };
    return 0;
}

static int posix_remove(struct history_disk *disk, const char *name)
{
    return unlinkat(folder_of(disk), name, 0) < 0 ? errno : 0;
}

static int posix_list(struct history_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx)
{
    int fd = openat(folder_of(disk), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int sys;

    if (!dir) {
        sys = errno;
        if (fd >= 0)
            close(fd);
        return sys;
    }
    for (errno = 0; (entry = readdir(dir)); errno = 0)
        visit(ctx, entry->d_name);
    sys = errno;
    closedir(dir);
    return sys;
}

static int posix_room(struct history_disk *disk, uint64_t *octets_free)
{
    struct statvfs st;

    if (fstatvfs(folder_of(disk), &st) < 0)
        return errno;
    *octets_free = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

static const struct history_disk_ops posix_ops = {
    .open = posix_open,
    .make = posix_make,
    .close = posix_close,
    .read = posix_read,
    .write = posix_write,
    .cut = posix_cut,
    .look = posix_look,
    .remove = posix_remove,
    .list = posix_list,
    .room = posix_room,
};

struct history_disk *history_disk_open(const char *path, struct err *err)
{
    struct posix_disk *d = malloc(sizeof(*d));

    if (!d) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *d = (struct posix_disk){ .disk = { &posix_ops } };
    d->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (d->folder >= 0)
        return &d->disk;
    err_sys(err, errno, "%s", path);
    free(d);
    return NULL;
}

void history_disk_close(struct history_disk *disk)
{
    if (!disk)
        return;
    close(folder_of(disk));
    free(CONTAINER_OF(disk, struct posix_disk, disk));
}
