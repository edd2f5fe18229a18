/* mailbox/folder.c -- opening and making the folders of a Maildir. */
#include "mailbox/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "io/fd.h"

#define FOLDER_NONE ((struct mailbox_folder){ -1, -1, -1 })

bool mailbox_name_ok(struct str name)
{
    return name.n && !str_eq(name, STR(".")) && !str_eq(name, STR("..")) && !str_has(name, '\0') &&
           !str_has(name, '/');
}

/* As a text for the kernel: "." for ROOT itself. */
static bool path_text(struct str path, char text[PATH_MAX], struct mailbox_failure *failure)
{
    struct str rest = path;

    while (path.n && rest.p)
        if (!mailbox_name_ok(str_cut(&rest, '/')))
            return mailbox_fail(failure, "5.1.3", "not the name of a mailbox");
    if (path.n >= PATH_MAX)
        return mailbox_fail_sys(failure, ENAMETOOLONG, "mailbox");
    if (!path.n)
        path = STR(".");
    memcpy(text, path.p, path.n);
    text[path.n] = '\0';
    return true;
}

static int open_dir(const struct mailbox_disk *disk, int dir, const char *path)
{
    return disk->open_below(disk, dir, path, O_RDONLY | O_DIRECTORY, 0);
}

void mailbox_folder_close(struct mailbox_folder *folder)
{
    fd_close(&folder->box);
    fd_close(&folder->tmp);
    fd_close(&folder->new);
}

/* All there already, the usual case. False with errno. */
static bool open_existing(const struct mailbox_disk *disk, int root, const char *path, struct mailbox_folder *folder)
{
    int sys;

    folder->box = open_dir(disk, root, path);
    if (folder->box >= 0)
        folder->tmp = open_dir(disk, folder->box, "tmp");
    if (folder->tmp >= 0)
        folder->new = open_dir(disk, folder->box, "new");
    if (folder->new >= 0 && disk->exists(disk, folder->box, "cur") == 0)
        return true;
    sys = errno;
    mailbox_folder_close(folder);
    errno = sys;
    return false;
}

/* NAME in DIR, made if missing and durable either way: a former life may have died between making and syncing. */
static int enter(const struct mailbox_disk *disk, int dir, const char *name)
{
    if (disk->make_dir(disk, dir, name) < 0 && errno != EEXIST)
        return -1;
    if (disk->sync(disk, dir) < 0)
        return -1;
    return open_dir(disk, dir, name);
}

/* Each component of PATH in turn; the last one's descriptor, -1 with errno. */
static int make_path(const struct mailbox_disk *disk, int root, char *path)
{
    int dir = open_dir(disk, root, ".");
    char *next = path;

    while (dir >= 0 && next && strcmp(path, ".") != 0) {
        char *name = next;
        char *slash = strchr(name, '/');
        if (slash)
            *slash = '\0';
        next = slash ? slash + 1 : NULL;

        int below = enter(disk, dir, name);
        int sys = errno;
        fd_close(&dir);
        errno = sys;
        dir = below;
    }
    return dir;
}

static bool make_one(const struct mailbox_disk *disk, int box, const char *name)
{
    return disk->make_dir(disk, box, name) == 0 || errno == EEXIST;
}

/* PATH is cut into its components. False with errno. */
static bool make_all(const struct mailbox_disk *disk, int root, char *path)
{
    int box = make_path(disk, root, path);
    bool ok = box >= 0 && make_one(disk, box, "tmp") && make_one(disk, box, "cur") && make_one(disk, box, "new");
    int sys = errno;

    fd_close(&box);
    errno = sys;
    return ok;
}

bool mailbox_folder_open(const struct mailbox_disk *disk, int root, struct str path,
                         struct mailbox_folder *folder, struct mailbox_failure *failure)
{
    char text[PATH_MAX];
    struct mailbox_folder f = FOLDER_NONE;

    if (!path_text(path, text, failure))
        return false;
    if (!open_existing(disk, root, text, &f)) {
        if (errno != ENOENT)
            return mailbox_fail_sys(failure, errno, "mailbox %.*s", STR_ARG(path));
        if (!make_all(disk, root, text))
            return mailbox_fail_sys(failure, errno, "mailbox %.*s cannot be made", STR_ARG(path));
        if (!path_text(path, text, failure))
            return false;
        if (!open_existing(disk, root, text, &f))
            return mailbox_fail_sys(failure, errno, "mailbox %.*s", STR_ARG(path));
    }
    *folder = f;
    return true;
}

int mailbox_folder_reach(const struct mailbox_disk *disk, int root, struct str path, bool make,
                         struct mailbox_failure *failure)
{
    char text[PATH_MAX];

    if (!path_text(path, text, failure))
        return -1;
    int dir = make ? make_path(disk, root, text) : open_dir(disk, root, text);
    if (dir < 0)
        mailbox_fail_sys(failure, errno, "folder %.*s", STR_ARG(path));
    return dir;
}
