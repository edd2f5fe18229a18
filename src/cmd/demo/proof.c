/* cmd/demo/proof.c -- reads Maildirs; written apart from what writes them, so that it can find that wrong. */
#include "cmd/demo/proof.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/id.h"
#include "io/fd.h"
#include "mailbox/maildir.h"

enum { FILE_MAX = 64 << 20, HEADER_MAX = 64 * 1024, NUMBERS_TRIED = 3 };

static const char domain_folder[] = "mail/example.test";
static const char hostname[] = "mail.example.test";

/* ---- finding ---- */

static int open_inside(const struct demo_place *place, const char *path, int how)
{
    return openat(place->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | how);
}

static DIR *open_folder(const struct demo_place *place, const char *path)
{
    int fd = open_inside(place, path, O_DIRECTORY);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

    if (!d)
        fd_close(&fd);
    return d;
}

/* By the name that it should have: cheap, however many files are there. */
static bool guess(const struct demo_place *place, const char *box, struct queue_id id, int64_t accepted_msec,
                  char path[DEMO_PATH_MAX])
{
    for (int64_t msec = accepted_msec - 1000; msec <= accepted_msec + 1000; msec += 1000) {
        for (uint32_t number = 0; number < NUMBERS_TRIED; number++) {
            struct maildir_name name = maildir_name(msec, id, number, str_from_c(hostname));
            snprintf(path, DEMO_PATH_MAX, "%s/%s/new/%s", domain_folder, box, name.c);
            if (faccessat(place->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return true;
        }
    }
    return false;
}

/* By looking at each name: a mail reader may have moved it. */
static bool look(const struct demo_place *place, const char *box, const char *sub, const char *id,
                 char path[DEMO_PATH_MAX])
{
    char folder[DEMO_PATH_MAX / 2];
    bool found = false;

    snprintf(folder, sizeof(folder), "%s/%.128s/%s", domain_folder, box, sub);
    DIR *d = open_folder(place, folder);
    if (!d)
        return false;
    for (struct dirent *e = readdir(d); e && !found; e = readdir(d)) {
        const char *dot = strchr(e->d_name, '.');
        found = dot && !strncmp(dot + 1, id, strlen(id)) && dot[1 + strlen(id)] == '-' &&
                snprintf(path, DEMO_PATH_MAX, "%s/%.200s", folder, e->d_name) < DEMO_PATH_MAX;
    }
    closedir(d);
    return found;
}

bool demo_proof_find(const struct demo_place *place, const char *id, int64_t accepted_msec, char path[DEMO_PATH_MAX])
{
    struct queue_id number;
    bool found = false;
    DIR *boxes = open_folder(place, domain_folder);

    if (!boxes)
        return false;
    if (queue_id_parse(str_from_c(id), &number)) {
        for (struct dirent *e = readdir(boxes); e && !found; e = readdir(boxes))
            found = e->d_name[0] != '.' && guess(place, e->d_name, number, accepted_msec, path);
        rewinddir(boxes);
        for (struct dirent *e = readdir(boxes); e && !found; e = readdir(boxes))
            found = e->d_name[0] != '.' &&
                    (look(place, e->d_name, "new", id, path) || look(place, e->d_name, "cur", id, path));
    }
    closedir(boxes);
    return found;
}

/* ---- comparing ---- */

/* The field at the front of *rest with the lines folded below it; empty at the end of the header. */
static struct str next_field(struct str *rest)
{
    struct str all = *rest;
    size_t n = 0;

    if (!all.n || all.p[0] == '\n' || str_starts(all, STR("\r\n")))
        return STR_NONE;
    do {
        n += str_find(str_skip(all, n), '\n') + 1;
    } while (n < all.n && (all.p[n] == ' ' || all.p[n] == '\t'));
    *rest = str_skip(all, n);
    return str_head(all, n);
}

static bool is_field(struct str field, struct str name)
{
    return str_starts_nocase(field, name) && field.n > name.n && field.p[name.n] == ':';
}

/* The fields of final delivery and of the way here, in their order, each once: anything else is not ours to skip. */
static bool skip_trace(struct str *rest, struct err *err)
{
    static const struct str names[] = { STR_INIT("Return-Path"), STR_INIT("Delivered-To"), STR_INIT("Received") };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!is_field(next_field(rest), names[i]))
            return err_perm(err, "it has no field %.*s on top, where one belongs", STR_ARG(names[i]));
    return true;
}

static void compare(struct str sent, struct str found, struct demo_compared *c)
{
    size_t at = 0;

    while (at < sent.n && at < found.n && sent.p[at] == found.p[at])
        at++;
    *c = (struct demo_compared){
        .sent = sent.n,
        .found = found.n,
        .differs_at = at + 1,
        .same = at == sent.n && at == found.n,
    };
}

bool demo_proof_compare(const struct demo_place *place, const char *path, struct str sent,
                        struct demo_compared *compared, struct err *err)
{
    struct arena *arena = arena_new(FILE_MAX);
    struct buf mail = BUF_INIT(FILE_MAX);
    int fd = open_inside(place, path, 0);
    struct str rest;
    bool ok = false;

    if (fd < 0 || !arena) {
        err_sys(err, fd < 0 ? errno : ENOMEM, "%s", path);
        goto out;
    }
    if (!fd_read_all(fd, FILE_MAX / 2, arena, &rest, err) || !skip_trace(&rest, err))
        goto out;
    while (rest.n) {
        size_t n = str_find(rest, '\n');
        buf_add(&mail, str_head(rest, n));
        if (n < rest.n)
            buf_add(&mail, STR("\r\n"));
        rest = str_skip(rest, n + 1);
    }
    compare(sent, buf_str(&mail), compared);
    ok = !mail.failed || err_temp(err, "out of memory");
out:
    fd_close(&fd);
    buf_done(&mail);
    arena_free(arena);
    return ok;
}

/* ---- one field ---- */

static void add_unfolded(struct buf *value, struct str lines)
{
    while (lines.p) {
        struct str line = str_trim(str_cut(&lines, '\n'));
        if (line.n && value->n)
            buf_add_char(value, ' ');
        buf_add(value, line);
    }
}

bool demo_proof_header_field(struct str content, const char *name, struct buf *value)
{
    struct str field;

    while ((field = next_field(&content)).n) {
        if (!is_field(field, str_from_c(name)))
            continue;
        add_unfolded(value, str_skip(field, str_find(field, ':') + 1));
        return true;
    }
    return false;
}

bool demo_proof_field(const struct demo_place *place, const char *path, const char *name, struct buf *value)
{
    char octets[HEADER_MAX];
    int fd = open_inside(place, path, 0);
    ssize_t n = fd >= 0 ? read(fd, octets, sizeof(octets)) : -1;

    fd_close(&fd);
    return n > 0 && demo_proof_header_field(str_of(octets, (size_t)n), name, value);
}
