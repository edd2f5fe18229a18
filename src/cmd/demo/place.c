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
#include "cmd/demo/sweep.h"
#include "core/buf.h"
#include "io/fd.h"
#include "ipc/process.h"

enum { PORTS_TRIED = 100, CONFIG_MAX = 8192 };

/* The first line of a configuration of ours: what tells our folders from others. */
static const char mark[] = "# Written by veredus demo";

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
    char front[sizeof(mark) - 1];
    int fd = openat(folder, "veredus.conf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ours = fd >= 0 && read(fd, front, sizeof(front)) == (ssize_t)sizeof(front) &&
                memcmp(front, mark, sizeof(front)) == 0;

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

static bool choose_port(struct demo_place *place, struct err *err)
{
    place->ipv6 = port_is_free("[::1]", 0);
    for (unsigned port = DEMO_PORT_FIRST; port < DEMO_PORT_FIRST + PORTS_TRIED; port++) {
        if (!port_is_free("127.0.0.1", port) || (place->ipv6 && !port_is_free("[::1]", port)))
            continue;
        place->port = (uint16_t)port;
        return true;
    }
    return err_temp(err, "ports %d to %d of 127.0.0.1 are all taken", DEMO_PORT_FIRST,
                    DEMO_PORT_FIRST + PORTS_TRIED - 1);
}

/* ---- files ---- */

static bool write_file(struct demo_place *place, const char *name, int how, struct str text, struct err *err)
{
    int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, 0644);

    if (fd < 0 && errno == EEXIST)
        return true;
    bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
    int error = errno;
    fd_close(&fd);
    return ok || err_sys(err, error, "%s/%s", place->shown, name);
}

/* Those of an installation: one for each kind of process, and one for mailboxes. */
static bool accounts_are_there(void)
{
    for (unsigned kind = 0; kind < PROCESS_KINDS; kind++)
        if (process_account(kind) && !getpwnam(process_account(kind)))
            return false;
    return getpwnam("vmail") != NULL;
}

/* The first configuration that a newcomer reads: each line says what it is for. */
static const char config_text[] = "%s, and written again each time it starts. Copy it to begin one of your own.\n"
    "\n"
    "hostname mail.example.test;                # our name, in greetings and in Received fields\n"
    "%-42s # takes mail here; the port of real mail is 25\n"
    "relay-from 127.0.0.1 ::1;                  # programs on this machine may send to anyone, nobody else may\n"
    "\n"
    "spool spool;                               # the queue: what was taken and is not delivered yet\n"
    "state state;                               # what it remembers beside the queue\n"
    "control control;                           # where veredus status, queue and the others ask\n"
    "log file:log json debug;                   # one line for each event\n"
    "%s"
    "\n"
    "%-42s # all other mail; without this line it goes to the hosts of its domains\n"
    "route slow@elsewhere.test smtp://127.0.0.1:%u; # the nearest pattern decides; what is slow here delays no other\n"
    "retry 2s 5s 10s;                           # waits before it is tried again; usually 1m 5m 15m 30m 1h 2h 4h\n"
    "dead-host 2s;                              # how long to leave a host alone that is not there; usually 5m\n"
    "expire 1h;                                 # when to give up and tell the sender; usually 5d\n"
    "\n"
    "domain example.test {                      # mail for this domain is ours\n"
    "    users file:users;                      # its mailboxes, a name on each line\n"
    "    aliases file:aliases;                  # other names that lead to them\n"
    "    deliver maildir:mail/{domain}/{user};  # a Maildir for each, made with the first message\n"
    "}\n";
static const char run_as_nobody[] =
    "run-as nobody;                             # all of it; installed, each process has an account of its own\n";

static bool write_config(struct demo_place *place, struct err *err)
{
    struct buf text = BUF_INIT(CONFIG_MAX);
    char listen[64], route[64];
    bool nobody = geteuid() == 0 && !accounts_are_there();

    if (place->ipv6)
        snprintf(listen, sizeof(listen), "listen 127.0.0.1:%u [::1]:%u;", place->port, place->port);
    else
        snprintf(listen, sizeof(listen), "listen 127.0.0.1:%u;", place->port);
    snprintf(route, sizeof(route), "route * smtp://127.0.0.1:%u;", place->elsewhere);
    bool ok = buf_printf(&text, config_text, mark, listen, nobody ? run_as_nobody : "", route,
                         place->elsewhere)
                  ? write_file(place, "veredus.conf", O_TRUNC, buf_str(&text), err)
                  : err_temp(err, "out of memory");
    buf_done(&text);
    return ok;
}

const struct passwd *demo_place_account(void)
{
    return getpwnam(accounts_are_there() ? "vmail" : "nobody");
}

/* One for mail: that of deliveries, that of all other hosts. */
static bool make_mail_folder(struct demo_place *place, const char *name, struct err *err)
{
    const struct passwd *account;

    if (mkdirat(place->fd, name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make %s/%s", place->shown, name);
    if (geteuid() != 0)
        return true;
    account = demo_place_account();
    if (!account)
        return err_perm(err, "there is no account nobody on this machine");
    return fchownat(place->fd, name, account->pw_uid, account->pw_gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           err_sys(err, errno, "cannot give %s/%s to %s", place->shown, name, account->pw_name);
}

/* What a newcomer may have added to users and aliases stays. */
static bool write_files(struct demo_place *place, struct err *err)
{
    return write_config(place, err) && write_file(place, "users", O_EXCL, STR("ada\nbob\n"), err) &&
           write_file(place, "aliases", O_EXCL, STR("# name: address, address\npostmaster: ada\n"), err) &&
           write_file(place, "log", O_APPEND, STR_NONE, err) && make_mail_folder(place, "mail", err) &&
           make_mail_folder(place, "elsewhere", err);
}

bool demo_place_open(struct demo_place *place, bool fresh, struct err *err)
{
    return make_folders(place->dir, err) && (geteuid() != 0 || others_get_there(place->dir, err)) &&
           lock(place, err) && (!fresh || remove_former(place, err)) && choose_port(place, err) &&
           write_files(place, err);
}

bool demo_place_change_port(struct demo_place *place, struct err *err)
{
    return choose_port(place, err) && write_config(place, err);
}

void demo_place_close(struct demo_place *place)
{
    fd_close(&place->fd);
}
