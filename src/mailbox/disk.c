/* mailbox/disk.c -- the kernel's own calls. */
#include "mailbox/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int kernel_open_below(const struct mailbox_disk *d, int dir, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned long long)(flags | O_CLOEXEC),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    (void)d;
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static ssize_t kernel_read_at(const struct mailbox_disk *d, int fd, void *at, size_t n, off_t offset)
{
    (void)d;
    return pread(fd, at, n, offset);
}

static ssize_t kernel_write(const struct mailbox_disk *d, int fd, const void *at, size_t n)
{
    (void)d;
    return write(fd, at, n);
}

static int kernel_sync(const struct mailbox_disk *d, int fd)
{
    (void)d;
    return fsync(fd);
}

static int kernel_truncate(const struct mailbox_disk *d, int fd, off_t length)
{
    (void)d;
    return ftruncate(fd, length);
}

static int kernel_lock(const struct mailbox_disk *d, int fd)
{
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    (void)d;
    return fcntl(fd, F_OFD_SETLK, &all);
}

static int kernel_make_dir(const struct mailbox_disk *d, int dir, const char *name)
{
    (void)d;
    return mkdirat(dir, name, 0700);
}

static int kernel_move(const struct mailbox_disk *d, int from, int to, const char *name)
{
    (void)d;
    return renameat2(from, name, to, name, RENAME_NOREPLACE);
}

static int kernel_link(const struct mailbox_disk *d, int from, int to, const char *name)
{
    (void)d;
    return linkat(from, name, to, name, 0);
}

static int kernel_remove(const struct mailbox_disk *d, int dir, const char *name)
{
    (void)d;
    return unlinkat(dir, name, 0);
}

static int kernel_exists(const struct mailbox_disk *d, int dir, const char *name)
{
    struct stat st;

    (void)d;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
}

static ssize_t kernel_entries(const struct mailbox_disk *d, int fd, void *at, size_t n)
{
    (void)d;
    return getdents64(fd, at, n);
}

const struct mailbox_disk mailbox_disk_kernel = {
    .open_below = kernel_open_below,
    .read_at = kernel_read_at,
    .write = kernel_write,
    .sync = kernel_sync,
    .truncate = kernel_truncate,
    .lock = kernel_lock,
    .make_dir = kernel_make_dir,
    .move = kernel_move,
    .link = kernel_link,
    .remove = kernel_remove,
    .exists = kernel_exists,
    .entries = kernel_entries,
};
