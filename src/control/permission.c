/* control/permission.c -- SO_PEERCRED, SO_PEERGROUPS, and names for them. */
#include "control/permission.h"

#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "core/num.h"
#include "io/fd.h"

enum { PASSWD_MAX = 1 << 20, GROUPS_MAX = 1024 };

void permission_init(struct permission *p, int main, struct str group, struct arena *a)
{
    struct ucred starter;
    socklen_t length = sizeof(starter);
    const char *name = group.n ? arena_cstr(a, group) : NULL;
    const struct group *found = name ? getgrnam(name) : NULL;

    *p = (struct permission){ .has_group = found != NULL, .group = found ? found->gr_gid : 0 };
    if (getsockopt(main, SOL_SOCKET, SO_PEERCRED, &starter, &length) == 0)
        p->server = starter.uid;
    /* Without it accounts are shown as numbers. */
    if (!file_read_all("/etc/passwd", PASSWD_MAX, a, &p->passwd, NULL))
        p->passwd = STR_NONE;
}

/* name:password:uid:... */
static void account_name(const struct permission *p, uid_t uid, char *out, size_t room)
{
    struct str rest = p->passwd;
    uint64_t n;

    while (rest.p) {
        struct str line = str_cut(&rest, '\n');
        struct str name = str_cut(&line, ':');
        str_cut(&line, ':');
        if (num_parse_u64(str_cut(&line, ':'), UINT32_MAX, &n) && n == uid && name.n) {
            snprintf(out, room, "%.*s", STR_ARG(name));
            return;
        }
    }
    snprintf(out, room, "uid%u", (unsigned)uid);
}

static bool in_group(int client, const struct ucred *cred, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t length = sizeof(groups);

    if (cred->gid == group)
        return true;
    if (getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0)
        return false;
    for (size_t i = 0; i < length / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool permission_of(const struct permission *p, int client, struct permission_client *who)
{
    struct ucred cred;
    socklen_t length = sizeof(cred);

    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0 || cred.uid == (uid_t)-1)
        return false;
    *who = (struct permission_client){
        .everything = cred.uid == 0 || cred.uid == p->server || (p->has_group && in_group(client, &cred, p->group)),
    };
    who->uid_plus = who->everything ? 0 : cred.uid + 1;
    account_name(p, cred.uid, who->account, sizeof(who->account));
    return true;
}
