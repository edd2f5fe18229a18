/* cmd/demo/place.c -- folders, owners, ports, and a first configuration. */
#include "cmd/demo/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/bench/net.h"
#include "cmd/demo/files.h"
#include "cmd/demo/sweep.h"
#include "core/buf.h"
#include "io/fd.h"
#include "ipc/process.h"

enum { PORTS_TRIED = 100 };

/* ---- choosing ---- */

static bool set(struct demo_place *place, const char *shown, const char *folder, const char *below)
{
    int n = snprintf(place->dir, sizeof(place->dir), "%s%s", folder, below);
    int m = snprintf(place->shown, sizeof(place->shown), "%s", shown ? shown : place->dir);

    return n > 0 && (size_t)n < sizeof(place->dir) && m > 0 && (size_t)m < sizeof(place->shown);
}

static bool choose_named(struct demo_place *place, const char *named, struct err *err)
{
    char folder[DEMO_PATH_MAX] = "";
    char below[DEMO_PATH_MAX];

    place->named = true;
    if (named[0] != '/' && !getcwd(folder, sizeof(folder)))
        return err_sys(err, errno, "the current folder");
    snprintf(below, sizeof(below), "%s%s", named[0] == '/' ? "" : "/", named);
    return (named[0] && set(place, named, folder, below)) ||
           err_perm(err, "%s: a folder whose path has at most %d octets is needed", named, DEMO_DIR_MAX - 1);
}

static bool choose_here(struct demo_place *place)
{
    char folder[DEMO_PATH_MAX];
    bool writable = access("veredus-demo", W_OK | X_OK) == 0 || (errno == ENOENT && access(".", W_OK | X_OK) == 0);

    return writable && getcwd(folder, sizeof(folder)) && set(place, "./veredus-demo", folder, "/veredus-demo");
}

static bool choose_state(struct demo_place *place)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/')
        return set(place, NULL, state, "/veredus-demo");
    return home && home[0] == '/' && set(place, NULL, home, "/.local/state/veredus-demo");
}

bool demo_place_choose(struct demo_place *place, const char *named, struct err *err)
{
    *place = (struct demo_place){ .fd = -1 };
    if (named)
        return choose_named(place, named, err);
    if (geteuid() == 0)
        return set(place, NULL, "/var/lib", "/veredus-demo");
    return choose_here(place) || choose_state(place) ||
           err_perm(err, "neither the current folder nor one below HOME can be used; name one with --dir");
}

bool demo_place_inside(struct demo_place *place, const struct demo_place *outer, const char *name, struct err *err)
{
    char below[DEMO_DIR_MAX];
    char shown[DEMO_PATH_MAX];

    *place = (struct demo_place){ .fd = -1, .named = true };
    snprintf(below, sizeof(below), "/%s", name);
    snprintf(shown, sizeof(shown), "%s/%s", outer->shown, name);
    return set(place, shown, outer->dir, below) || err_perm(err, "%s: too long a path", shown);
}

void demo_place_path(const struct demo_place *place, const char *name, char path[DEMO_PATH_MAX])
{
    snprintf(path, DEMO_PATH_MAX, "%s/%s", place->dir, name);
}

/* ---- the folder itself ---- */

/* With all that is missing above it. */
static bool make_folders(const char *dir, struct err *err)
{
    char path[DEMO_DIR_MAX];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return err_sys(err, errno, "cannot make %s", path);
        if (!slash)
            return true;
        *slash = '/';
    }
}

/* Started by root, workers and deliveries run under other accounts: they must get through to their folders. */
static bool others_get_there(const char *dir, struct err *err)
{
    char path[DEMO_DIR_MAX + 1];
    struct stat st;

    snprintf(path, sizeof(path), "%s/", dir);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (stat(path, &st) < 0)
            return err_sys(err, errno, "%s", path);
        if (!(st.st_mode & S_IXOTH))
            return err_perm(err,
                            "%s is closed to other accounts, under which a server started by root does its work; "
                            "name another folder with --dir",
                            path);
        *slash = '/';
    }
    return true;
}

static bool has_mark(int folder)
{
    char front[sizeof(DEMO_FILES_MARK) - 1];
    int fd = openat(folder, "veredus.conf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ours = fd >= 0 && read(fd, front, sizeof(front)) == (ssize_t)sizeof(front) &&
                memcmp(front, DEMO_FILES_MARK, sizeof(front)) == 0;

    fd_close(&fd);
    return ours;
}

/* Nothing in it, or nothing but the folder of an earlier `demo crash`. */
static bool is_empty(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    bool empty = d != NULL;

    if (!d) {
        fd_close(&fd);
        return false;
    }
    for (struct dirent *e = readdir(d); e && empty; e = readdir(d))
        empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, "crash");
    closedir(d);
    return empty;
}

static bool lock(struct demo_place *place, struct err *err)
{
    place->fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->fd < 0)
        return err_sys(err, errno, "%s", place->shown);
    if (flock(place->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? err_temp(err, "a demonstration is running in %s already", place->shown) :
                                      err_sys(err, errno, "%s", place->shown);
    return has_mark(place->fd) || is_empty(place->fd) ||
           err_perm(err, "%s has something else in it than a demonstration; name another folder with --dir",
                    place->shown);
}

/* That of `demo crash`, unless it goes on in there just now. */
static bool remove_crash(struct demo_place *place, struct err *err)
{
    int fd = openat(place->fd, "crash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || demo_sweep(place->fd, "crash", err);

    fd_close(&fd);
    return ok;
}

static bool remove_former(struct demo_place *place, struct err *err)
{
    /* The configuration last: until then the folder is known as ours. */
    static const char *const names[] = { "mail",  "elsewhere", "spool",  "state",        "log", "control", "public",
                                         "users", "aliases",   "ledger", "veredus.conf" };

    if (!remove_crash(place, err))
        return err_wrap(err, "%s", place->shown);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!demo_sweep(place->fd, names[i], err))
            return err_wrap(err, "%s", place->shown);
    return true;
}

/* ---- ports ---- */

static bool port_is_free(const char *host, unsigned port)
{
    struct bench_address at;
    char text[64];
    uint16_t got;

    snprintf(text, sizeof(text), "%s:%u", host, port);
    int fd = bench_address_parse(text, &at, NULL) ? bench_listen(&at, &got, NULL) : -1;
    bool free = fd >= 0;
    fd_close(&fd);
    return free;
}

/* The first free one from FIRST on. */
static bool choose_port(struct demo_place *place, unsigned first, uint16_t *chosen, struct err *err)
{
    for (unsigned port = first; port < first + PORTS_TRIED; port++) {
        if (!port_is_free("127.0.0.1", port) || (place->ipv6 && !port_is_free("[::1]", port)))
            continue;
        *chosen = (uint16_t)port;
        return true;
    }
    return err_temp(err, "ports %u to %u of 127.0.0.1 are all taken", first, first + PORTS_TRIED - 1);
}

static bool choose_ports(struct demo_place *place, struct err *err)
{
    place->ipv6 = port_is_free("[::1]", 0);
    return choose_port(place, DEMO_PORT_FIRST, &place->port, err) &&
           choose_port(place, DEMO_PORT_LOGIN_FIRST, &place->port_login, err) &&
           choose_port(place, DEMO_PORT_TLS_FIRST, &place->port_tls, err);
}

bool demo_place_open(struct demo_place *place, bool fresh, struct err *err)
{
    return make_folders(place->dir, err) && (geteuid() != 0 || others_get_there(place->dir, err)) &&
           lock(place, err) && (!fresh || remove_former(place, err)) && choose_ports(place, err) &&
           demo_files_write(place, err);
}

bool demo_place_change_ports(struct demo_place *place, struct err *err)
{
    return choose_ports(place, err) && demo_files_write_config(place, err);
}

void demo_place_close(struct demo_place *place)
{
    fd_close(&place->fd);
}
