/* spool/exported.c */
#include "spool/exported.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int exported_open(const char *path, bool make, struct err *err)
{
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
        err_sys(err, errno, "%s", path);
        return -1;
    }
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        err_sys(err, errno, "%s", path);
    /* A file system without locks is no reason to do nothing. */
    if (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        err_sys(err, errno, "%s", path);
        close(folder);
        return -1;
    }
    return folder;
}

int exported_new(int folder, const char *name, struct err *err)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        err_sys(err, errno, "%s", name);
    return fd;
}

bool exported_has(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool exported_name(int folder, const char *from, const char *to, struct err *err)
{
    return renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0 || err_sys(err, errno, "%s", to);
}

void exported_drop(int folder, const char *name)
{
    (void)unlinkat(folder, name, 0);
}

/* Thousands of small files: the file system as a whole is quicker than each of them. */
bool exported_sync(int folder, struct err *err)
{
    return syncfs(folder) == 0 || err_sys(err, errno, "sync");
}

int exported_read(int folder, const char *name, uint64_t *octets, struct err *err)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *octets = (uint64_t)st.st_size;
        return fd;
    }
    err_sys(err, fd < 0 ? errno : EINVAL, "%s", name);
    if (fd >= 0)
        close(fd);
    return -1;
}

bool exported_done(int folder, const char *name, struct err *err)
{
    int done = -1;
    bool ok = (mkdirat(folder, "done", 0700) == 0 || errno == EEXIST) &&
              (done = openat(folder, "done", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) >= 0 &&
              renameat2(folder, name, done, name, RENAME_NOREPLACE) == 0 && fsync(done) == 0 &&
              fsync(folder) == 0;

    if (!ok)
        err_sys(err, errno, "done/%s", name);
    if (done >= 0)
        close(done);
    return ok;
}
