/* cmd/demo/sweep.c -- a tree, removed from its leaves up. */
#include "cmd/demo/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A demonstration is mail/DOMAIN/USER/new/FILE at its deepest. */
enum { DEPTH_MAX = 8 };

/* What is no folder is gone, or was not there; false, errno saying why, for all else. */
static bool remove_plain(int folder, const char *name)
{
    return unlinkat(folder, name, 0) == 0 || errno == ENOENT;
}

/* NAME, which remove_plain() could not take away. */
static bool sweep_folder(int outer, const char *name, int depth, struct err *err)
{
    bool folder = errno == EISDIR || errno == EPERM; /* of Linux, of POSIX */
    int fd = folder ? openat(outer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = depth < DEPTH_MAX;

    if (!d) {
        err_sys(err, errno, "cannot remove %s", name);
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *e = readdir(d); e && ok; e = readdir(d))
        ok = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || remove_plain(fd, e->d_name) ||
             sweep_folder(fd, e->d_name, depth + 1, err);
    closedir(d);
    if (depth >= DEPTH_MAX)
        return err_perm(err, "%s: deeper than anything of ours", name);
    return ok && (unlinkat(outer, name, AT_REMOVEDIR) == 0 || err_sys(err, errno, "cannot remove %s", name));
}

bool demo_sweep(int folder, const char *name, struct err *err)
{
    return remove_plain(folder, name) || sweep_folder(folder, name, 0, err);
}
