/* main/tables.c -- files of tables: opened here for lookup, which may open nothing; given again when they change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "main/server.h"

enum {
    TABLES_MAX = 1024,
    TABLE_PATH_MAX = 1024,
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

struct table_file {
    char path[TABLE_PATH_MAX];
    struct version version;
    bool named;  /* by the newest configuration */
    bool wanted; /* by an alias file; lookup chose it, so it must be for everyone's eyes */
};

struct main_tables {
    struct main_server *server;
    struct table_file *files;
    size_t n;
    int inotify;
    struct io_watch watch;
    struct io_timer settle;
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

static void watch_folder_of(struct main_tables *t, const char *path)
{
    char folder[TABLE_PATH_MAX];
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

static bool table_add(struct main_tables *t, struct str path)
{
    char c_path[TABLE_PATH_MAX];

    if (!path.n || path.n >= sizeof(c_path) || t->n == TABLES_MAX)
        return false;
    memcpy(c_path, path.p, path.n);
    c_path[path.n] = '\0';
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->files[i].path, c_path) == 0)
            return true;
    struct table_file *f = &t->files[t->n++];
    memset(f, 0, sizeof(*f));
    memcpy(f->path, c_path, path.n + 1);
    f->version = version_of(c_path);
    watch_folder_of(t, c_path);
    return true;
}

static void table_name(struct main_tables *t, struct str path)
{
    (void)table_add(t, path);
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(str_from_c(t->files[i].path), path))
            t->files[i].named = true;
}

static bool uses_system(const struct config *config)
{
    for (size_t i = 0; i < config->n_domains; i++)
        for (size_t k = 0; k < config->domains[i].n_users; k++)
            if (config->domains[i].users[k].kind == CONFIG_USERS_SYSTEM)
                return true;
    return false;
}

static bool is_table(enum config_need_kind kind)
{
    return kind == CONFIG_NEED_USERS_FILE || kind == CONFIG_NEED_ALIASES_FILE || kind == CONFIG_NEED_RELAY_FILE;
}

void tables_watch(struct main_server *s)
{
    const struct config *config = main_config(s);
    struct main_tables *t = s->tables;
    size_t kept = 0;

    for (size_t i = 0; i < t->n; i++)
        t->files[i].named = t->files[i].wanted = false;
    for (size_t i = 0; i < config->n_needs; i++)
        if (is_table(config->needs[i].kind))
            table_name(t, config->needs[i].what);
    if (uses_system(config))
        table_name(t, STR("/etc/passwd"));
    for (size_t i = 0; i < t->n; i++)
        if (t->files[i].named)
            t->files[kept++] = t->files[i];
    t->n = kept;
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

static void send_one(struct main_child *lookup, const struct table_file *f)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *error = fd < 0 ? strerror(errno) : "";

    if (fd >= 0 && f->wanted && !readable_by(lookup, fd)) {
        fd_close(&fd);
        error = "an included file must be readable by everyone";
    }
    ipc_send_table(lookup->channel,
                   &(struct ipc_table){ .path = str_from_c(f->path), .error = str_from_c(error) }, fd);
    fd_close(&fd);
}

void tables_want(struct main_server *s, struct main_child *lookup, struct str path)
{
    struct main_tables *t = s->tables;

    if (lookup->kind != PROCESS_LOOKUP || !str_starts(path, STR("/")) || str_has(path, '\0'))
        return;
    for (size_t i = 0; i <= t->n; i++) {
        if (i == t->n && !table_add(t, path))
            return;
        if (!str_eq(str_from_c(t->files[i].path), path))
            continue;
        t->files[i].wanted = t->files[i].wanted || !t->files[i].named;
        send_one(lookup, &t->files[i]);
        return;
    }
}

void tables_send(struct main_server *s, struct main_child *lookup)
{
    for (size_t i = 0; i < s->tables->n; i++)
        if (s->tables->files[i].named)
            send_one(lookup, &s->tables->files[i]);
}

static void send_to_all(struct main_server *s, const struct table_file *f)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->kind == PROCESS_LOOKUP && c->channel && c->state != CHILD_ENDING)
            send_one(c, f);
    }
}

static void on_settled(struct io_timer *timer)
{
    struct main_tables *t = CONTAINER_OF(timer, struct main_tables, settle);

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
    struct main_tables *t = CONTAINER_OF(w, struct main_tables, watch);
    char events[4096];

    (void)what;
    /* Which file it was is found by looking: names may be links, and events may have been lost. */
    while (read(t->inotify, events, sizeof(events)) > 0)
        ;
    io_timer_start(&t->settle, SETTLE_MSEC);
}

bool tables_start(struct main_server *s, struct err *err)
{
    struct main_tables *t = calloc(1, sizeof(*t));

    if (!t)
        return err_temp(err, "out of memory");
    *t = (struct main_tables){ .server = s, .inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
    s->tables = t;
    t->files = calloc(TABLES_MAX, sizeof(*t->files));
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
    tables_watch(s);
    return true;
}

void tables_done(struct main_server *s)
{
    struct main_tables *t = s->tables;

    if (!t)
        return;
    if (t->watch.loop)
        io_watch_done(&t->watch);
    fd_close(&t->inotify);
    if (t->settle.loop)
        io_timer_done(&t->settle);
    free(t->files);
    free(t);
    s->tables = NULL;
}
