/* state/rewrite.c -- a new file beside it, synced, renamed into its place. */
#include "state/rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/fd.h"

enum { TRIES_MAX = 8 };

static const char suffix[] = ".veredus-new";

/* The folder and the name of what PATH leads to. */
static bool find(struct state_rewrite *w, const char *path, struct err *err)
{
    char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;
    bool ok = false;

    if (!real)
        return err_sys(err, errno, "%s", path);
    if (!slash || strlen(slash + 1) + sizeof(suffix) > sizeof(w->name)) {
        err_perm(err, "%s: too long a name", path);
        goto out;
    }
    snprintf(w->name, sizeof(w->name), "%s", slash + 1);
    slash[slash == real] = '\0';
    w->folder = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = w->folder >= 0 || err_sys(err, errno, "%s", real);
out:
    free(real);
    return ok;
}

/* Locked, and still the one of that name: whoever had the lock before may have put another in its place. */
static bool lock(struct state_rewrite *w, struct err *err)
{
    struct stat now;

    for (int i = 0; i < TRIES_MAX; i++) {
        fd_close(&w->fd);
        w->fd = openat(w->folder, w->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (w->fd < 0 || fstat(w->fd, &w->was) < 0)
            return err_sys(err, errno, "%s", w->name);
        if (!S_ISREG(w->was.st_mode))
            return err_perm(err, "%s: not a regular file", w->name);
        if (flock(w->fd, LOCK_EX | LOCK_NB) < 0)
            return errno == EWOULDBLOCK ? err_temp(err, "%s: somebody else is changing it just now", w->name)
                                        : err_sys(err, errno, "%s", w->name);
        if (fstatat(w->folder, w->name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == w->was.st_ino &&
            now.st_dev == w->was.st_dev)
            return true;
    }
    return err_temp(err, "%s: it changes all the time", w->name);
}

bool state_rewrite_begin(struct state_rewrite *w, const char *path, size_t max, struct arena *a, struct str *text,
                         struct err *err)
{
    return find(w, path, err) && lock(w, err) && fd_read_all(w->fd, max, a, text, err);
}

static bool write_all(int fd, struct str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = str_skip(text, (size_t)n);
    }
    return true;
}

/* Its owner first: whoever may not read the old one may at no time read the new one. */
static bool fill(const struct state_rewrite *w, int fd, struct str text)
{
    bool same_owner = w->was.st_uid == geteuid() && w->was.st_gid == getegid();

    return (same_owner || fchown(fd, w->was.st_uid, w->was.st_gid) == 0) && fchmod(fd, w->was.st_mode & 07777) == 0 &&
           write_all(fd, text) && fsync(fd) == 0;
}

bool state_rewrite_finish(struct state_rewrite *w, struct str text, struct err *err)
{
    char name[sizeof(w->name) + sizeof(suffix)];
    bool ok;
    int fd;

    snprintf(name, sizeof(name), "%s%s", w->name, suffix);
    /* What somebody left who was stopped half-way; the lock is ours. */
    (void)unlinkat(w->folder, name, 0);
    fd = openat(w->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "%s", name);
    ok = fill(w, fd, text) && renameat(w->folder, name, w->folder, w->name) == 0;
    if (!ok) {
        err_sys(err, errno, "%s", name);
        (void)unlinkat(w->folder, name, 0);
    } else if (fsync(w->folder) < 0) {
        ok = err_sys(err, errno, "%s is changed, but may be as before after a loss of power", w->name);
    }
    fd_close(&fd);
    return ok;
}

void state_rewrite_done(struct state_rewrite *w)
{
    fd_close(&w->fd);
    fd_close(&w->folder);
}
