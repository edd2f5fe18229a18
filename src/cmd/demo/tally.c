/* cmd/demo/tally.c -- a hash table of Message-IDs. */
#include "cmd/demo/tally.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/demo/proof.h"
#include "core/str.h"
#include "io/fd.h"

enum { ROOM_FIRST = 1 << 12, LEDGER_MAX = 256 << 20, FIELD_MAX = 1024 };

/* ---- the table ---- */

static struct demo_tally_message *place_of(const struct demo_tally *t, struct str id)
{
    size_t at = str_hash(id, 0) % t->room;

    while (t->slots[at].id[0] && !str_eq(str_from_c(t->slots[at].id), id))
        at = (at + 1) % t->room;
    return &t->slots[at];
}

static bool grow(struct demo_tally *t)
{
    struct demo_tally larger = { .room = t->room ? t->room * 2 : ROOM_FIRST, .used = t->used };

    larger.slots = calloc(larger.room, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < t->room; i++)
        if (t->slots[i].id[0])
            *place_of(&larger, str_from_c(t->slots[i].id)) = t->slots[i];
    free(t->slots);
    *t = larger;
    return true;
}

/* NULL: no memory, or no id. */
static struct demo_tally_message *find_or_add(struct demo_tally *t, struct str id)
{
    if (!id.n || id.n >= DEMO_TALLY_ID_MAX || str_has(id, '\0'))
        return NULL;
    if (t->used * 3 >= t->room * 2 && !grow(t))
        return NULL;

    struct demo_tally_message *m = place_of(t, id);
    if (!m->id[0]) {
        memcpy(m->id, id.p, id.n);
        t->used++;
    }
    return m;
}

void demo_tally_done(struct demo_tally *t)
{
    free(t->slots);
    *t = (struct demo_tally){ 0 };
}

/* ---- what was promised ---- */

bool demo_tally_add_ledger(struct demo_tally *t, const struct demo_place *place, const char *ledger, struct err *err)
{
    struct arena *arena = arena_new(LEDGER_MAX + FIELD_MAX);
    char path[DEMO_PATH_MAX];
    struct str rest;
    bool ok = false;

    demo_place_path(place, ledger, path);
    if (!arena || !file_read_all(path, LEDGER_MAX, arena, &rest, err))
        goto out;
    while (rest.n) {
        /* A last line without an end is not said to be acknowledged: its writer was cut off. */
        if (!str_has(rest, '\n'))
            break;
        struct demo_tally_message *m = find_or_add(t, str_cut(&rest, '\n'));
        if (!m) {
            err_perm(err, "%s: a line is no Message-ID, or memory is out", path);
            goto out;
        }
        m->acknowledged = true;
    }
    ok = true;
out:
    if (!arena)
        err_temp(err, "out of memory");
    arena_free(arena);
    return ok;
}

/* ---- what is there ---- */

static bool add_message(struct demo_tally *t, const struct demo_place *place, const char *path, struct err *err)
{
    struct buf field = BUF_INIT(FIELD_MAX);
    bool has = demo_proof_field(place, path, "Message-ID", &field);
    struct str id = buf_str(&field);

    if (id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
        id = str_slice(id, 1, id.n - 1);
    struct demo_tally_message *m = has ? find_or_add(t, id) : NULL;
    if (m)
        m->found++;
    else
        err_perm(err, "%s/%s: no Message-ID in it, or memory is out", place->shown, path);
    buf_done(&field);
    return m != NULL;
}

static bool add_folder(struct demo_tally *t, const struct demo_place *place, const char *folder, struct err *err)
{
    char path[DEMO_PATH_MAX];
    int fd = openat(place->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = true;

    if (!d) {
        bool none = errno == ENOENT;
        err_sys(err, errno, "%s/%s", place->shown, folder);
        fd_close(&fd);
        return none;
    }
    for (struct dirent *e = readdir(d); e && ok; e = readdir(d)) {
        snprintf(path, sizeof(path), "%s/%.200s", folder, e->d_name);
        ok = e->d_name[0] == '.' || add_message(t, place, path, err);
    }
    closedir(d);
    return ok;
}

bool demo_tally_add_mailbox(struct demo_tally *t, const struct demo_place *place, const char *user, struct err *err)
{
    static const char *const subs[] = { "new", "cur" };
    char folder[DEMO_PATH_MAX / 2];

    for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
        snprintf(folder, sizeof(folder), "mail/example.test/%s/%s", user, subs[i]);
        if (!add_folder(t, place, folder, err))
            return false;
    }
    return true;
}

struct demo_sums demo_tally_sums(const struct demo_tally *t)
{
    struct demo_sums sums = { 0 };

    for (size_t i = 0; i < t->room; i++) {
        const struct demo_tally_message *m = &t->slots[i];
        sums.acknowledged += m->acknowledged;
        sums.lost += m->acknowledged && !m->found;
        sums.twice += m->found > 1;
        sums.unasked += !m->acknowledged && m->found;
    }
    return sums;
}
