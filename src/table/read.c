/* table/read.c */
#include "table/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "io/fd.h"
#include "route/clients.h"
#include "route/users.h"

enum { PIECE = 64 * 1024 };

static bool check_users_file(int fd, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "fstat");
    if (!S_ISREG(st.st_mode))
        return err_perm(err, "not a regular file");
    if (st.st_size > TABLE_USERS_FILE_MAX)
        return err_perm(err, "larger than %d MiB", TABLE_USERS_FILE_MAX >> 20);
    return true;
}

static bool feed_users(int fd, char *piece, struct route_users_parser *p, struct err *err)
{
    off_t at = 0;

    while (at <= TABLE_USERS_FILE_MAX) {
        ssize_t n = pread(fd, piece, PIECE, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read");
        if (n == 0)
            return route_users_end(p) || err_temp(err, "out of memory");
        if (!route_users_feed(p, str_of(piece, (size_t)n)))
            return err_temp(err, "out of memory");
        at += n;
    }
    return err_perm(err, "larger than %d MiB", TABLE_USERS_FILE_MAX >> 20);
}

/* By pieces: the whole file, with all its hashes, is never in memory. */
static bool read_users(int fd, struct route_table *t, struct err *err)
{
    struct route_users_parser p;
    char *piece;
    bool ok;

    if (!check_users_file(fd, err))
        return false;
    piece = malloc(PIECE);
    if (!piece)
        return err_temp(err, "out of memory");
    route_users_begin(&p, &t->names, &t->faults, t->form == ROUTE_FORM_SYSTEM);
    ok = feed_users(fd, piece, &p, err);
    explicit_bzero(piece, PIECE);
    free(piece);
    return ok;
}

static bool note_owner(int fd, struct route_aliases *aliases, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "fstat");
    aliases->owner = st.st_uid;
    aliases->guarded = !(st.st_mode & (S_IWGRP | S_IWOTH));
    return true;
}

static bool read_aliases(int fd, struct route_table *t, struct err *err)
{
    struct arena *a = arena_new(ROUTE_ALIASES_FILE_MAX + 1);
    struct str text;
    bool ok = false;

    if (!a)
        return err_temp(err, "out of memory");
    if (!fd_read_all(fd, ROUTE_ALIASES_FILE_MAX, a, &text, err) || !note_owner(fd, &t->aliases, err))
        goto out;
    if (t->form == ROUTE_FORM_LIST)
        ok = route_list_parse(&t->aliases, text, &t->faults);
    else
        ok = route_aliases_parse(&t->aliases, text, &t->faults);
    if (!ok)
        err_temp(err, "out of memory");
out:
    arena_free(a);
    return ok;
}

static bool read_clients(int fd, struct route_table *t, struct err *err)
{
    struct arena *a = arena_new(ROUTE_CLIENTS_FILE_MAX + 1);
    struct str text;
    bool ok = false;

    if (!a)
        return err_temp(err, "out of memory");
    if (fd_read_all(fd, ROUTE_CLIENTS_FILE_MAX, a, &text, err))
        ok = route_clients_parse(&t->names, text, &t->faults) || err_temp(err, "out of memory");
    arena_free(a);
    return ok;
}

static bool read_senders(int fd, struct route_table *t, struct err *err)
{
    struct arena *a = arena_new(ROUTE_SENDERS_FILE_MAX + 1);
    struct str text;
    bool ok = false;

    if (!a)
        return err_temp(err, "out of memory");
    if (fd_read_all(fd, ROUTE_SENDERS_FILE_MAX, a, &text, err))
        ok = route_senders_parse(&t->senders, text, &t->faults) || err_temp(err, "out of memory");
    arena_free(a);
    return ok;
}

static bool read_form(int fd, struct route_table *t, struct err *err)
{
    switch (t->form) {
    case ROUTE_FORM_USERS:
    case ROUTE_FORM_SYSTEM:
        return read_users(fd, t, err);
    case ROUTE_FORM_CLIENTS:
        return read_clients(fd, t, err);
    case ROUTE_FORM_SENDERS:
        return read_senders(fd, t, err);
    default:
        return read_aliases(fd, t, err);
    }
}

struct route_table *table_read(int fd, enum route_form form, struct err *err)
{
    struct route_table *t = malloc(sizeof(*t));

    if (!t) {
        err_temp(err, "out of memory");
        return NULL;
    }
    route_table_init(t, form);
    if (read_form(fd, t, err))
        return t;
    table_free(t);
    return NULL;
}

struct route_table *table_read_path(const char *path, enum route_form form, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct route_table *t;

    if (fd < 0) {
        err_sys(err, errno, "%s", path);
        return NULL;
    }
    t = table_read(fd, form, err);
    if (!t)
        err_wrap(err, "%s", path);
    close(fd);
    return t;
}

void table_free(struct route_table *table)
{
    if (table)
        route_table_done(table);
    free(table);
}
