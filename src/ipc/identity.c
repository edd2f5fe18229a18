/* ipc/identity.c -- accounts, and the one-way step into them. */
#include "ipc/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool identity_find(struct str name, bool named, struct identity *id, struct err *err)
{
    char c_name[sizeof(id->name)];
    char space[16384];
    struct passwd pw, *found = NULL;
    int n_groups = IDENTITY_GROUPS_MAX;

    if (!name.n || name.n >= sizeof(c_name) || str_has(name, '\0'))
        return err_perm(err, "'%.*s' is no account name", STR_ARG(name));
    memcpy(c_name, name.p, name.n);
    c_name[name.n] = '\0';

    int r = getpwnam_r(c_name, &pw, space, sizeof(space), &found);
    if (r)
        return err_sys(err, r, "account %s cannot be looked up", c_name);
    if (!found)
        return err_perm(err, "there is no account %s on this machine", c_name);
    if (pw.pw_uid == 0)
        return err_perm(err, "%s is root: mail is never delivered as root", c_name);
    if (pw.pw_uid < IDENTITY_UID_LEAST && !named)
        return err_perm(err, "%s has uid %u, below %d: a system account must be named by deliver-as", c_name,
                        (unsigned)pw.pw_uid, IDENTITY_UID_LEAST);

    struct identity got = { .uid = pw.pw_uid, .gid = pw.pw_gid };
    if (getgrouplist(c_name, pw.pw_gid, got.groups, &n_groups) < 0)
        return err_perm(err, "%s is in more than %d groups", c_name, IDENTITY_GROUPS_MAX);
    got.n_groups = (size_t)n_groups;
    memcpy(got.name, c_name, name.n + 1);
    if (snprintf(got.home, sizeof(got.home), "%s", pw.pw_dir) >= (int)sizeof(got.home))
        return err_perm(err, "the home folder of %s has too long a name", c_name);
    *id = got;
    return true;
}

int identity_open(const struct identity *id, const char *path)
{
    gid_t groups[IDENTITY_GROUPS_MAX], gid = getegid();
    int n = getgroups(IDENTITY_GROUPS_MAX, groups), fd = -1, sys;

    if (n < 0)
        return -1;
    /* Capabilities go with the user, so it is the last to go and the first to come back. */
    if (setgroups(id->n_groups, id->groups) == 0 && setegid(id->gid) == 0 && seteuid(id->uid) == 0)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    sys = errno;
    /* Nothing may go on as somebody else. */
    if (seteuid(0) < 0 || setegid(gid) < 0 || setgroups((size_t)n, groups) < 0)
        abort();
    errno = sys;
    return fd;
}

bool identity_take(const struct identity *id)
{
    uid_t r, e, s;

    if (id->uid == 0 || id->gid == 0)
        return false;
    if (setgroups(id->n_groups, id->groups) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
        setresuid(id->uid, id->uid, id->uid) < 0)
        return false;
    /* A kernel that says yes and does no would leave us root. */
    if (getresuid(&r, &e, &s) < 0 || r != id->uid || e != id->uid || s != id->uid)
        return false;
    return setuid(0) < 0;
}
