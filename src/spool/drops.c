/* spool/drops.c -- files of the drop folder, as who leaves them and as who takes them sees them. */
#include "spool/drops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 1024 };

static const char finished[] = "msg-"; /* how the name of a finished file begins; others are being written */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- taking ---- */

/*
 * NAME in the spool folder, with this mode. The folder above it is the queue's: what stands there in its place, if
 * that process was taken over, is refused.
 */
static int folder_have(const char *spool, const char *name, mode_t mode, struct err *err)
{
    char path[PATH_ROOM];
    struct stat st;
    int fd = -1;

    if (snprintf(path, sizeof(path), "%s/%s", spool, name) >= (int)sizeof(path)) {
        err_perm(err, "%s: too long a path", spool);
        return -1;
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        err_sys(err, errno, "%s", path);
    else if (st.st_uid != geteuid())
        err_perm(err, "%s belongs to uid %u, not to who starts the server", path, (unsigned)st.st_uid);
    else if (fchmod(fd, mode) < 0)
        err_sys(err, errno, "%s", path);
    else
        return fd;
    close_fd(&fd);
    return -1;
}

bool spool_drops_open(struct spool_drops *d, const char *path, struct err *err)
{
    *d = (struct spool_drops){ .folder = folder_have(path, "drop", 01733, err), .aside = -1 };
    if (d->folder >= 0)
        d->aside = folder_have(path, "drop-failed", 0700, err);
    if (d->aside >= 0)
        return true;
    spool_drops_close(d);
    return false;
}

void spool_drops_close(struct spool_drops *d)
{
    close_fd(&d->folder);
    close_fd(&d->aside);
}

void spool_drops_list(const struct spool_drops *d, bool (*each)(void *ctx, const char *name), void *ctx)
{
    int fd = openat(d->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    bool go_on = true;

    if (!folder) {
        close_fd(&fd);
        return;
    }
    while (go_on && (e = readdir(folder)))
        if (strncmp(e->d_name, finished, sizeof(finished) - 1) == 0 && strlen(e->d_name) < SPOOL_DROP_NAME_MAX)
            go_on = each(ctx, e->d_name);
    closedir(folder);
}

static uint64_t number_of(const struct stat *st)
{
    const uint64_t parts[] = { st->st_ino, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec };

    return str_hash(str_of((const char *)parts, sizeof(parts)), st->st_dev);
}

bool spool_drop_open(const struct spool_drops *d, const char *name, struct spool_drop *drop, struct err *err)
{
    struct stat st;

    drop->fd = -1;
    /* First by its name alone: opening a device or a fifo may have effects. */
    if (fstatat(d->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_temp(err, "%s", strerror(errno));
    drop->uid = st.st_uid;
    if (!S_ISREG(st.st_mode))
        return err_perm(err, "it is not a plain file");
    drop->fd = openat(d->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (drop->fd < 0 && errno == EACCES) {
        /* A server that root did not start. */
        err_perm(err, "it is another user's, and only a server started by root may read it");
    } else if (drop->fd < 0 || fstat(drop->fd, &st) < 0) {
        err_temp(err, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
        err_perm(err, S_ISREG(st.st_mode) ? "it has more than one name" : "it is not a plain file");
    } else {
        drop->uid = st.st_uid;
        drop->number = number_of(&st);
        return true;
    }
    close_fd(&drop->fd);
    return false;
}

bool spool_drop_remove(const struct spool_drops *d, const char *name, struct err *err)
{
    return unlinkat(d->folder, name, 0) == 0 || errno == ENOENT || err_sys(err, errno, "%s", name);
}

bool spool_drop_set_aside(const struct spool_drops *d, const char *name, struct err *err)
{
    return renameat(d->folder, name, d->aside, name) == 0 || err_sys(err, errno, "%s", name);
}

/* ---- leaving ---- */

static bool write_all(int fd, struct str octets)
{
    while (octets.n) {
        ssize_t n = write(fd, octets.p, octets.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}

/*
 * The new name is durable when the folder is, and a folder that may not be read cannot be opened to be synced: so the
 * whole file system is, which is rare enough (the server is down).
 */
static bool finish(int fd, int folder, const char *temporary, const char *name)
{
    return fsync(fd) == 0 && renameat(folder, temporary, folder, name) == 0 && syncfs(fd) == 0;
}

bool spool_drop_leave(const char *path, struct str octets, struct err *err)
{
    char folder_path[PATH_ROOM], temporary[40], name[40];
    uint64_t mark;
    int folder = -1, fd = -1;

    if (snprintf(folder_path, sizeof(folder_path), "%s/drop", path) >= (int)sizeof(folder_path))
        return err_perm(err, "%s: too long a path", path);
    if (getrandom(&mark, sizeof(mark), 0) != (ssize_t)sizeof(mark))
        return err_sys(err, errno, "getrandom");
    snprintf(temporary, sizeof(temporary), "tmp-%016" PRIx64, mark);
    snprintf(name, sizeof(name), "%s%016" PRIx64, finished, mark);
    folder = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_sys(err, errno, "%s", folder_path);
        close_fd(&folder);
        return false;
    }
    bool ok = write_all(fd, octets) && finish(fd, folder, temporary, name);
    if (!ok) {
        err_sys(err, errno, "%s", folder_path);
        /* Under either name: what is not promised must not arrive. */
        (void)unlinkat(folder, temporary, 0);
        (void)unlinkat(folder, name, 0);
    }
    close_fd(&fd);
    close_fd(&folder);
    return ok;
}
