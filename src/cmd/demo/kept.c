/* cmd/demo/kept.c -- folders named by strangers. */
#include "cmd/demo/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/demo/sweep.h"
#include "core/arena.h"
#include "io/fd.h"

enum { ADDRESS_ROOM = 8192, ESCAPED = 3 };

/* ---- names ---- */

/* Nothing that a file system, a shell or a terminal takes for more than a letter; a dot in front hides a file. */
static bool stands_for_itself(char c, bool first)
{
    return ascii_is_alnum(c) || c == '-' || c == '_' || c == '+' || c == '=' || c == '@' || c == ':' ||
           (c == '.' && !first) || (c == '[' || c == ']');
}

struct demo_kept_part demo_kept_part(struct str s)
{
    struct demo_kept_part part = { "" };
    size_t n = 0;

    for (size_t i = 0; i < s.n && n + ESCAPED < sizeof(part.c); i++) {
        if (stands_for_itself(s.p[i], i == 0))
            part.c[n++] = s.p[i];
        else
            n += (size_t)snprintf(part.c + n, sizeof(part.c) - n, "%%%02X", (unsigned char)s.p[i]);
    }
    /* <Postmaster> has no domain, ""@example.net no local part. */
    if (!n)
        snprintf(part.c, sizeof(part.c), "%s", "%");
    return part;
}

/* ---- writing ---- */

static int open_part(int outer, struct str s)
{
    struct demo_kept_part part = demo_kept_part(s);

    if (mkdirat(outer, part.c, 0755) < 0 && errno != EEXIST)
        return -1;
    return openat(outer, part.c, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool write_all(int fd, struct str octets)
{
    while (octets.n) {
        ssize_t n = write(fd, octets.p, octets.n);
        if (n <= 0)
            return false;
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}

bool demo_kept_write(int folder, const struct smtp_path *to, const char *name, struct str content, struct err *err)
{
    int domain = open_part(folder, to->domain);
    int user = domain >= 0 ? open_part(domain, to->local) : -1;
    int fd = user >= 0 ? openat(user, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    bool ok = fd >= 0 && write_all(fd, content);

    if (!ok)
        err_sys(err, errno, "%s", name);
    if (!ok && fd >= 0)
        (void)!demo_sweep(user, name, NULL);
    fd_close(&fd);
    fd_close(&user);
    fd_close(&domain);
    return ok;
}

/* ---- finding ---- */

bool demo_kept_find(const struct demo_place *place, struct str address, struct str name, char path[DEMO_PATH_MAX])
{
    struct arena *arena = arena_new(ADDRESS_ROOM);
    struct smtp_path to;
    bool found = false;

    if (arena && smtp_mailbox_parse(arena, address, &to) == SMTP_PATH_OK && !str_has(name, '/')) {
        struct demo_kept_part domain = demo_kept_part(to.domain), user = demo_kept_part(to.local);
        int n = snprintf(path, DEMO_PATH_MAX, "elsewhere/%s/%s/%.*s", domain.c, user.c, STR_ARG(name));
        found = n > 0 && n < DEMO_PATH_MAX && faccessat(place->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    arena_free(arena);
    return found;
}
