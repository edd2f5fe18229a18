/* main/files.c -- files that the configuration names: opened here for those that may open nothing, again when they change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"
#include "main/server.h"
#include "policy/rates.h"

enum {
    FILES_MAX = 1024,
    FILE_PATH_MAX = 1024,
    SETTLE_MSEC = 100, /* an editor's several steps are one change */
    WATCHED = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF,
};

/* What tells one version of a file from the next; all zero when it cannot be had. */
struct version {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
    mode_t mode;
    uid_t uid;
    int error;
};

struct named_file {
    char name[FILE_PATH_MAX]; /* its path, or where a secret stands ("file:PATH", "env:NAME", "credential:NAME") */
    char path[FILE_PATH_MAX]; /* empty: it is in no file */
    struct version version;
    unsigned readers; /* kinds of process that the newest configuration has read it; enum process_set */
    bool wanted;      /* by an alias file; lookup chose it, so it must be for everyone's eyes */
};

struct main_files {
    struct main_server *server;
    struct named_file *files;
    size_t n;
    int inotify;
    struct io_watch watch;
    struct io_timer settle;
    int rates; /* struct policy_rates: it is there as long as we are */
};

static struct version version_of(const char *path)
{
    struct stat st;
    struct version v;

    /* Padding is compared too. */
    memset(&v, 0, sizeof(v));
    if (stat(path, &st) < 0) {
        v.error = errno;
        return v;
    }
    v.dev = st.st_dev;
    v.ino = st.st_ino;
    v.size = st.st_size;
    v.mtime = st.st_mtim;
    v.mode = st.st_mode;
    v.uid = st.st_uid;
    return v;
}

static void watch_folder_of(struct main_files *t, const char *path)
{
    char folder[FILE_PATH_MAX];
    char *slash;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash)
        *slash = '\0';
    /* Watching twice is one watch. A folder that is not there yet is looked at when the server is told to reload. */
    if (t->inotify >= 0)
        (void)inotify_add_watch(t->inotify, folder, WATCHED);
}

/* The folder of systemd's credentials; empty when there is none. */
static const char *credentials(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    return folder ? folder : "";
}

/* Where the file NAME stands; false when that is too long. A variable of the environment stands in none. */
static bool find_path(struct str name, char path[FILE_PATH_MAX])
{
    int n;

    if (str_starts(name, STR("env:")))
        n = snprintf(path, FILE_PATH_MAX, "%s", "");
    else if (str_starts(name, STR("credential:")))
        n = snprintf(path, FILE_PATH_MAX, "%s/%.*s", credentials(), STR_ARG(str_skip(name, 11)));
    else
        n = snprintf(path, FILE_PATH_MAX, "%.*s", STR_ARG(str_starts(name, STR("file:")) ? str_skip(name, 5) : name));
    return n >= 0 && n < FILE_PATH_MAX;
}

/* The place of NAME in the list, perhaps a new one; NULL when it cannot have one. */
static struct named_file *file_add(struct main_files *t, struct str name)
{
    struct named_file *f;

    for (size_t i = 0; i < t->n; i++)
        if (str_eq(str_from_c(t->files[i].name), name))
            return &t->files[i];
    if (!name.n || name.n >= FILE_PATH_MAX || str_has(name, '\0') || t->n == FILES_MAX)
        return NULL;
    f = &t->files[t->n];
    memset(f, 0, sizeof(*f));
    if (!find_path(name, f->path))
        return NULL;
    t->n++;
    memcpy(f->name, name.p, name.n);
    f->version = version_of(f->path);
    if (f->path[0])
        watch_folder_of(t, f->path);
    return f;
}

static void file_name(struct main_files *t, struct str name, unsigned readers)
{
    struct named_file *f = readers ? file_add(t, name) : NULL;

    if (f)
        f->readers |= readers;
}

static bool uses_system(const struct config *config)
{
    for (size_t i = 0; i < config->n_domains; i++)
        for (size_t k = 0; k < config->domains[i].n_users; k++)
            if (config->domains[i].users[k].kind == CONFIG_USERS_SYSTEM)
                return true;
    return false;
}

/* Who reads what: stored passwords are for auth alone, private keys for key. */
static unsigned readers_of(enum config_need_kind kind)
{
    switch (kind) {
    case CONFIG_NEED_USERS_FILE:
    case CONFIG_NEED_ALIASES_FILE:
    case CONFIG_NEED_RELAY_FILE:
    case CONFIG_NEED_SEND_AS_FILE:
        return SET_LOOKUP;
    case CONFIG_NEED_AUTH_FILE:
    case CONFIG_NEED_OAUTH_SECRET:
    case CONFIG_NEED_OAUTH_KEYS:
        return SET_AUTH;
    case CONFIG_NEED_CERTIFICATE:
    case CONFIG_NEED_KEY:
        return SET_KEY;
    case CONFIG_NEED_CLIENT_CA:
        return SET_INTAKE;
    case CONFIG_NEED_TLS_CA:
    case CONFIG_NEED_LOGIN_SECRET:
        return SET_SEND;
    default:
        return 0;
    }
}

/* Also what a lookup chose, which must take no place from what the configuration names. */
static void forget_unread(struct main_files *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n; i++)
        if (t->files[i].readers)
            t->files[kept++] = t->files[i];
    t->n = kept;
}

void files_watch(struct main_server *s)
{
    const struct config *config = main_config(s);
    struct main_files *t = s->files;

    forget_unread(t);
    for (size_t i = 0; i < t->n; i++)
        t->files[i].readers = 0;
    for (size_t i = 0; i < config->n_needs; i++)
        file_name(t, config->needs[i].what, readers_of(config->needs[i].kind));
    if (uses_system(config))
        file_name(t, STR("/etc/passwd"), SET_LOOKUP);
    forget_unread(t);
}

/* A file that a lesser process names is opened only if everyone, or that process itself, may read it. */
static bool readable_by(const struct main_child *lookup, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if ((st.st_mode & S_IROTH) || !lookup->server->root)
        return true;
    return (st.st_uid == lookup->identity.uid && (st.st_mode & S_IRUSR)) ||
           (st.st_gid == lookup->identity.gid && (st.st_mode & S_IRGRP));
}

/* The value of an environment variable as a file; -1: it is not set, or ERROR says what else. */
static int open_variable(const char *name, struct err *err)
{
    const char *value = getenv(name);

    if (!value) {
        err_perm(err, "the environment variable %s is not set", name);
        return -1;
    }
    return fd_sealed("veredus-secret", str_from_c(value), err);
}

static int open_file(const struct named_file *f, struct err *err)
{
    int fd;

    if (!f->path[0])
        return open_variable(f->name + strlen("env:"), err);
    fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        err_perm(err, "%s", strerror(errno));
    return fd;
}

/*
 * A file that lookup chose. Root could walk where it cannot, have a device do something by being opened, and read of other
 * processes what /proc shows to root alone: so it is opened with lookup's own rights.
 */
static int open_wanted(const struct main_child *lookup, const struct named_file *f, struct err *err)
{
    int fd = lookup->server->root ? identity_open(&lookup->identity, f->path)
                                  : open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && errno != EACCES)
        err_perm(err, "%s", strerror(errno));
    else if (fd < 0 || !readable_by(lookup, fd))
        err_perm(err, "an included file must be readable by everyone, and its folders, too");
    if (err->kind != ERR_NONE)
        fd_close(&fd);
    return fd;
}

static void send_one(struct main_child *reader, const struct named_file *f)
{
    struct err err = { 0 };
    int fd = f->readers ? open_file(f, &err) : open_wanted(reader, f, &err);

    ipc_send_opened(reader->channel,
                    &(struct ipc_opened){
                        .path = str_from_c(f->name),
                        .error = str_from_c(fd < 0 ? err.text : ""),
                    },
                    fd);
    fd_close(&fd);
}

void files_want(struct main_server *s, struct main_child *lookup, struct str path)
{
    struct named_file *f;

    if (lookup->kind != PROCESS_LOOKUP || !str_starts(path, STR("/")))
        return;
    f = file_add(s->files, path);
    /* What the configuration has other processes read is none of its business. */
    if (!f || (f->readers && !(f->readers & SET_LOOKUP)))
        return;
    f->wanted = !f->readers;
    send_one(lookup, f);
}

static bool reads(const struct main_child *c, const struct named_file *f)
{
    unsigned readers = f->readers | (f->wanted ? SET_LOOKUP : 0);

    return readers & 1U << c->kind;
}

/* Where accounts were logged in from (lookup/logins.h): one file for the lookup processes of all configurations. */
static void send_logins(struct main_server *s, struct main_child *lookup)
{
    char path[FILE_PATH_MAX];
    int fd = -1;

    if (!main_auth_workers(main_config(s)))
        return;
    if (snprintf(path, sizeof(path), "%.*s/logins", STR_ARG(main_config(s)->state.text)) < (int)sizeof(path))
        fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    /* Without it lookup remembers them as long as it lives. */
    ipc_send_opened(lookup->channel, &(struct ipc_opened){ .path = STR(IPC_FILE_LOGINS) }, fd);
    fd_close(&fd);
}

/*
 * How much of each rate is used, for the lookup processes of all configurations: a limit is no more generous because a
 * certificate was renewed or a process died. Nobody can make it shorter, so that reading it never fails.
 */
static int make_rates(struct err *err)
{
    int fd = memfd_create("veredus-rates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct policy_rates_head head;
    uint64_t seeds[2];

    if (fd < 0 || getrandom(seeds, sizeof(seeds), 0) != sizeof(seeds))
        goto fail;
    head = policy_rates_head(seeds);
    if (ftruncate(fd, sizeof(struct policy_rates)) == 0 && pwrite(fd, &head, sizeof(head), 0) == sizeof(head) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
fail:
    err_sys(err, errno, "memory for rates");
    fd_close(&fd);
    return -1;
}

static void send_rates(struct main_server *s, struct main_child *lookup)
{
    ipc_send_opened(lookup->channel, &(struct ipc_opened){ .path = STR(IPC_FILE_RATES) }, s->files->rates);
}

void files_send(struct main_server *s, struct main_child *reader)
{
    if (reader->kind == PROCESS_LOOKUP) {
        send_rates(s, reader);
        send_logins(s, reader);
    }
    for (size_t i = 0; i < s->files->n; i++)
        if (!s->files->files[i].wanted && reads(reader, &s->files->files[i]))
            send_one(reader, &s->files->files[i]);
}

static void send_to_all(struct main_server *s, const struct named_file *f)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (reads(c, f) && c->channel && c->state != CHILD_ENDING)
            send_one(c, f);
    }
}

static void on_settled(struct io_timer *timer)
{
    struct main_files *t = CONTAINER_OF(timer, struct main_files, settle);

    for (size_t i = 0; i < t->n; i++) {
        struct version now = version_of(t->files[i].path);
        if (memcmp(&now, &t->files[i].version, sizeof(now)) == 0)
            continue;
        t->files[i].version = now;
        send_to_all(t->server, &t->files[i]);
    }
}

static void on_change(struct io_watch *w, unsigned what)
{
    struct main_files *t = CONTAINER_OF(w, struct main_files, watch);
    char events[4096];

    (void)what;
    /* Which file it was is found by looking: names may be links, and events may have been lost. */
    while (read(t->inotify, events, sizeof(events)) > 0)
        ;
    io_timer_start(&t->settle, SETTLE_MSEC);
}

bool files_start(struct main_server *s, struct err *err)
{
    struct main_files *t = calloc(1, sizeof(*t));

    if (!t)
        return err_temp(err, "out of memory");
    *t = (struct main_files){ .server = s, .inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
    t->rates = make_rates(err);
    s->files = t;
    if (t->rates < 0)
        return false;
    t->files = calloc(FILES_MAX, sizeof(*t->files));
    if (!t->files)
        return err_temp(err, "out of memory");
    if (!io_timer_init(&t->settle, s->loop, on_settled, err))
        return false;
    /* Without inotify, files are read again at a reload. */
    if (t->inotify >= 0) {
        if (!io_watch_init(&t->watch, s->loop, t->inotify, on_change, err))
            return false;
        io_watch_arm(&t->watch, IO_READ);
    }
    files_watch(s);
    return true;
}

void files_done(struct main_server *s)
{
    struct main_files *t = s->files;

    if (!t)
        return;
    if (t->watch.loop)
        io_watch_done(&t->watch);
    fd_close(&t->inotify);
    fd_close(&t->rates);
    if (t->settle.loop)
        io_timer_done(&t->settle);
    free(t->files);
    free(t);
    s->files = NULL;
}
