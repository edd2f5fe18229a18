/* tests/simulate/disk.c -- a disk in memory that keeps apart what is written and what is durable. */
#include "tests/simulate/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bug.h"

enum { SECTOR = 512, NAMES_MAX = 2048 };

struct sim_write {
    struct sim_write *next;
    uint64_t at;
    size_t n;
    bool asked; /* SIM_LATE_LOG: a sync of it is owed */
    unsigned char octets[];
};

struct octets {
    unsigned char *p;
    uint64_t n, room;
};

struct sim_inode {
    struct sim_inode *next;
    char name[SPOOL_NAME_MAX]; /* its first, for mutants and errors */
    struct octets cache;       /* what reading gives */
    struct octets medium;      /* what is durable */
    struct sim_write *writes;  /* not yet synced, oldest first */
    bool locked;
    bool used;
};

struct sim_names {
    size_t count;
    struct {
        char name[SPOOL_NAME_MAX];
        struct sim_inode *inode;
    } at[NAMES_MAX];
};

/* One change of the folder that is not yet durable. */
struct sim_change {
    struct sim_change *next;
    char name[SPOOL_NAME_MAX];
    char to[SPOOL_NAME_MAX]; /* of a rename */
    struct sim_inode *inode; /* of a new name */
};

struct sim_open {
    struct sim_inode *inode; /* NULL: closed */
    bool locks;
};

static struct sim_disk *sim_of(struct spool_disk *disk)
{
    return CONTAINER_OF(disk, struct sim_disk, disk);
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

/* ---- octets ---- */

static void octets_put(struct octets *o, uint64_t at, const unsigned char *p, size_t n)
{
    if (at + n > o->room) {
        o->room = (at + n) * 2;
        o->p = must(realloc(o->p, o->room));
    }
    if (at + n > o->n) {
        if (at > o->n)
            memset(o->p + o->n, 0, at - o->n);
        o->n = at + n;
    }
    if (n)
        memcpy(o->p + at, p, n);
}

static void octets_copy(struct octets *to, const struct octets *from)
{
    to->n = 0;
    if (from->n)
        octets_put(to, 0, from->p, from->n);
}

/* ---- names ---- */

static size_t names_find(const struct sim_names *names, const char *name)
{
    size_t i = 0;

    while (i < names->count && strcmp(names->at[i].name, name) != 0)
        i++;
    return i;
}

static struct sim_inode *names_get(const struct sim_names *names, const char *name)
{
    size_t i = names_find(names, name);

    return i < names->count ? names->at[i].inode : NULL;
}

static void names_set(struct sim_names *names, const char *name, struct sim_inode *inode)
{
    size_t i = names_find(names, name);

    if (i == names->count) {
        if (names->count == NAMES_MAX)
            abort();
        snprintf(names->at[names->count++].name, SPOOL_NAME_MAX, "%s", name);
    }
    names->at[i].inode = inode;
}

static void names_drop(struct sim_names *names, const char *name)
{
    size_t i = names_find(names, name);

    if (i < names->count)
        names->at[i] = names->at[--names->count];
}

static void names_copy(struct sim_names *to, const struct sim_names *from)
{
    to->count = from->count;
    memcpy(to->at, from->at, from->count * sizeof(from->at[0]));
}

static void change_do(struct sim_names *names, const struct sim_change *c)
{
    if (c->to[0]) {
        struct sim_inode *inode = names_get(names, c->name);
        if (inode) {
            names_drop(names, c->name);
            names_set(names, c->to, inode);
        }
    } else if (c->inode) {
        names_set(names, c->name, c->inode);
    } else {
        names_drop(names, c->name);
    }
}

static void change_add(struct sim_disk *sim, const char *name, const char *to, struct sim_inode *inode)
{
    struct sim_change *c = must(calloc(1, sizeof(*c))), **end = &sim->pending;

    snprintf(c->name, sizeof(c->name), "%s", name);
    snprintf(c->to, sizeof(c->to), "%s", to);
    c->inode = inode;
    while (*end)
        end = &(*end)->next;
    *end = c;
    change_do(sim->now, c);
}

/* ---- loss ---- */

static void land(struct sim_inode *inode, uint64_t at, const unsigned char *p, size_t n)
{
    octets_put(&inode->medium, at, p, n);
}

/* Some sectors of one write reach the medium. */
static void land_some(struct sim_disk *sim, struct sim_inode *inode, const struct sim_write *w, bool fine)
{
    size_t i = 0;

    while (i < w->n) {
        size_t n = SECTOR - (w->at + i) % SECTOR;
        n = n < w->n - i ? n : w->n - i;
        if (random_one_in(&sim->random, 2)) {
            size_t part = fine && random_one_in(&sim->random, 4) ? random_below(&sim->random, n + 1) : n;
            land(inode, w->at + i, w->octets + i, part);
        }
        i += n;
    }
}

static void drop_writes(struct sim_inode *inode)
{
    while (inode->writes) {
        struct sim_write *w = inode->writes;
        inode->writes = w->next;
        free(w);
    }
}

static void lose_writes(struct sim_disk *sim, struct sim_inode *inode, enum sim_loss loss)
{
    size_t count = 0, i = 0;

    for (struct sim_write *w = inode->writes; w; w = w->next)
        count++;
    size_t border = count ? random_below(&sim->random, count) : 0;
    for (struct sim_write *w = inode->writes; w; w = w->next, i++) {
        if (loss == SIM_LOSS_NOTHING || (loss == SIM_LOSS_ORDER && i < border) ||
            (loss == SIM_LOSS_REVERSED && i > border))
            land(inode, w->at, w->octets, w->n);
        else if (loss == SIM_LOSS_ORDER && i == border)
            land(inode, w->at, w->octets, random_below(&sim->random, w->n + 1));
        else if (loss == SIM_LOSS_SECTORS || loss == SIM_LOSS_FINE)
            land_some(sim, inode, w, loss == SIM_LOSS_FINE);
    }
    drop_writes(inode);
}

static void sync_inode(struct sim_inode *inode)
{
    for (struct sim_write *w = inode->writes; w; w = w->next)
        land(inode, w->at, w->octets, w->n);
    drop_writes(inode);
}

/* What was asked for the time before is done now; what came since waits for the next. */
static void sync_late(struct sim_inode *inode)
{
    struct sim_write **at = &inode->writes;

    while (*at) {
        struct sim_write *w = *at;
        if (!w->asked) {
            w->asked = true;
            at = &w->next;
            continue;
        }
        land(inode, w->at, w->octets, w->n);
        *at = w->next;
        free(w);
    }
}

static void drop_changes(struct sim_disk *sim)
{
    while (sim->pending) {
        struct sim_change *c = sim->pending;
        sim->pending = c->next;
        free(c);
    }
}

static void lose_power(struct sim_disk *sim)
{
    for (struct sim_change *c = sim->pending; c; c = c->next)
        if (sim->loss == SIM_LOSS_NOTHING || (sim->loss != SIM_LOSS_ALL && random_one_in(&sim->random, 2)))
            change_do(sim->durable, c);
    drop_changes(sim);
    names_copy(sim->now, sim->durable);
    for (struct sim_inode *inode = sim->inodes; inode; inode = inode->next) {
        lose_writes(sim, inode, sim->loss);
        octets_copy(&inode->cache, &inode->medium);
    }
}

static void inode_free(struct sim_inode *inode)
{
    drop_writes(inode);
    free(inode->cache.p);
    free(inode->medium.p);
    free(inode);
}

static void mark(const struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        names->at[i].inode->used = true;
}

static void sweep(struct sim_disk *sim)
{
    struct sim_inode **at = &sim->inodes;

    for (struct sim_inode *i = sim->inodes; i; i = i->next)
        i->used = i->locked = false;
    mark(sim->now);
    mark(sim->durable);
    for (struct sim_change *c = sim->pending; c; c = c->next)
        if (c->inode)
            c->inode->used = true;
    while (*at) {
        struct sim_inode *inode = *at;
        if (inode->used) {
            at = &inode->next;
            continue;
        }
        *at = inode->next;
        inode_free(inode);
    }
}

/* ---- the plan ---- */

/* A call of any kind: 0, or the errno it fails with. */
static int call(struct sim_disk *sim)
{
    if (sim->dead)
        return EIO;
    sim->calls++;
    if (sim->calls == sim->fail_at) {
        sim->failed++;
        return sim->fail_errno;
    }
    if (sim->fail_rate && random_one_in(&sim->random, sim->fail_rate)) {
        sim->failed++;
        return EIO;
    }
    return 0;
}

/* One that changes something: the cut may come within it. */
static bool cut(struct sim_disk *sim)
{
    if (++sim->changes != sim->cut_at)
        return false;
    sim->dead = true;
    return true;
}

static uint64_t taken(const struct sim_disk *sim)
{
    uint64_t n = sim->other;

    for (size_t i = 0; i < sim->now->count; i++)
        n += sim->now->at[i].inode->cache.n;
    return n;
}

/* ---- operations ---- */

static int sim_open(struct spool_disk *disk, const char *name, enum spool_open_how how, int *fd)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    struct sim_inode *inode = names_get(sim->now, name);
    if (how == SPOOL_OPEN_NEW && inode)
        return EEXIST;
    if (how != SPOOL_OPEN_NEW && !inode)
        return ENOENT;
    if (how == SPOOL_OPEN_NEW) {
        bool is_cut = cut(sim);
        if (is_cut && random_one_in(&sim->random, 2))
            return EIO;
        inode = must(calloc(1, sizeof(*inode)));
        snprintf(inode->name, sizeof(inode->name), "%s", name);
        inode->next = sim->inodes;
        sim->inodes = inode;
        change_add(sim, name, "", inode);
        if (is_cut)
            return EIO;
    }
    size_t i = 0;
    while (i < sim->open_count && sim->opens[i].inode)
        i++;
    if (i == sim->open_count) {
        sim->opens = must(realloc(sim->opens, ++sim->open_count * sizeof(*sim->opens)));
    }
    sim->opens[i] = (struct sim_open){ .inode = inode };
    *fd = (int)i;
    return 0;
}

static struct sim_inode *inode_of(struct sim_disk *sim, int fd)
{
    BUG_ON(fd < 0 || (size_t)fd >= sim->open_count || !sim->opens[fd].inode);
    return sim->opens[fd].inode;
}

static void sim_close(struct spool_disk *disk, int fd)
{
    struct sim_disk *sim = sim_of(disk);

    if (sim->opens[fd].locks)
        inode_of(sim, fd)->locked = false;
    inode_of(sim, fd);
    sim->opens[fd] = (struct sim_open){ 0 };
}

static int sim_pread(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    struct sim_disk *sim = sim_of(disk);
    struct sim_inode *inode = inode_of(sim, fd);
    int e = call(sim);

    if (e)
        return e;
    *done = at >= inode->cache.n ? 0 : inode->cache.n - at < n ? inode->cache.n - at : n;
    if (sim->short_rate && *done > 1 && random_one_in(&sim->random, sim->short_rate))
        *done = 1 + random_below(&sim->random, *done - 1);
    if (*done)
        memcpy(to, inode->cache.p + at, *done);
    if (*done && sim->mutant == SIM_FALSE_OCTET && random_one_in(&sim->random, 200))
        ((unsigned char *)to)[random_below(&sim->random, *done)] ^= 0x40;
    return 0;
}

static void write_add(struct sim_inode *inode, uint64_t at, const unsigned char *p, size_t n)
{
    struct sim_write *w = must(malloc(sizeof(*w) + n)), **end = &inode->writes;

    *w = (struct sim_write){ .at = at, .n = n };
    memcpy(w->octets, p, n);
    while (*end)
        end = &(*end)->next;
    *end = w;
    octets_put(&inode->cache, at, p, n);
}

static int sim_pwritev(struct spool_disk *disk, int fd, const struct iovec *iov, int count, uint64_t at,
                       size_t *done)
{
    struct sim_disk *sim = sim_of(disk);
    struct sim_inode *inode = inode_of(sim, fd);
    int e = call(sim);
    size_t n = 0, left;

    if (e)
        return e;
    for (int i = 0; i < count; i++)
        n += iov[i].iov_len;
    bool is_cut = cut(sim);
    left = is_cut ? random_below(&sim->random, n + 1) : n;
    if (sim->short_rate && left > 1 && random_one_in(&sim->random, sim->short_rate))
        left = 1 + random_below(&sim->random, left - 1);
    if (sim->capacity && at + left > inode->cache.n) {
        uint64_t have = taken(sim), more = at + left - inode->cache.n;
        uint64_t room = have < sim->capacity ? sim->capacity - have : 0;
        if (more > room)
            left = more - room < left ? left - (size_t)(more - room) : 0;
        if (!left)
            return ENOSPC;
    }
    *done = left;
    for (int i = 0; i < count && left; i++) {
        size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
        if (part)
            write_add(inode, at, iov[i].iov_base, part);
        at += part;
        left -= part;
    }
    return is_cut ? EIO : 0;
}

static bool lies(const struct sim_disk *sim, const struct sim_inode *inode)
{
    static const char *const whose[SIM_MUTANTS] = { [SIM_LIES_LOG] = "log-",
                                                    [SIM_LIES_OWN] = "own-",
                                                    [SIM_LIES_CHECKPOINT] = "checkpoint-",
                                                    [SIM_LIES_START] = "start" };
    const char *prefix = whose[sim->mutant];

    return prefix && !strncmp(inode->name, prefix, strlen(prefix));
}

static int sim_sync(struct spool_disk *disk, int fd)
{
    struct sim_disk *sim = sim_of(disk);
    struct sim_inode *inode = inode_of(sim, fd);

    if (sim->dead)
        return EIO;
    if (cut(sim)) {
        /* Part of it was under way; what is left stays dirty. */
        for (struct sim_write *w = inode->writes; w && random_one_in(&sim->random, 3); w = w->next)
            land_some(sim, inode, w, false);
        return EIO;
    }
    int e = call(sim);
    if (e) {
        /* As Linux: said once; the pages are clean from now on, whether they got there or not. */
        lose_writes(sim, inode, (enum sim_loss)random_below(&sim->random, SIM_LOSSES));
        return e;
    }
    if (lies(sim, inode))
        return 0;
    if (sim->mutant == SIM_LATE_LOG && !strncmp(inode->name, "log-", 4)) {
        sync_late(inode);
        return 0;
    }
    sync_inode(inode);
    return 0;
}

static int sim_forget(struct spool_disk *disk, int fd)
{
    struct sim_disk *sim = sim_of(disk);
    struct sim_inode *inode = inode_of(sim, fd);
    int e = call(sim);

    if (e)
        return e;
    if (sim->mutant != SIM_KEEPS_CACHE && !inode->writes)
        octets_copy(&inode->cache, &inode->medium);
    return 0;
}

static int sim_length(struct spool_disk *disk, int fd, uint64_t *octets)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    *octets = inode_of(sim, fd)->cache.n;
    return 0;
}

static int sim_unlink(struct spool_disk *disk, const char *name)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    if (!names_get(sim->now, name))
        return ENOENT;
    bool is_cut = cut(sim);
    if (is_cut && random_one_in(&sim->random, 2))
        return EIO;
    change_add(sim, name, "", NULL);
    return is_cut ? EIO : 0;
}

static int sim_rename(struct spool_disk *disk, const char *from, const char *to)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    if (!names_get(sim->now, from))
        return ENOENT;
    bool is_cut = cut(sim);
    if (is_cut && random_one_in(&sim->random, 2))
        return EIO;
    change_add(sim, from, to, NULL);
    return is_cut ? EIO : 0;
}

static int sim_sync_folder(struct spool_disk *disk)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    if (cut(sim))
        return EIO;
    if (sim->mutant == SIM_LIES_FOLDER)
        return 0;
    names_copy(sim->durable, sim->now);
    drop_changes(sim);
    return 0;
}

static int sim_list(struct spool_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    for (size_t i = 0; i < sim->now->count; i++)
        visit(ctx, sim->now->at[i].name);
    return 0;
}

static int sim_lock(struct spool_disk *disk, int fd)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    if (e)
        return e;
    if (inode_of(sim, fd)->locked)
        return EWOULDBLOCK;
    inode_of(sim, fd)->locked = true;
    sim->opens[fd].locks = true;
    return 0;
}

static int sim_space(struct spool_disk *disk, struct spool_space *space)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);
    uint64_t all = sim->capacity ? sim->capacity : 1ULL << 40, have = taken(sim);

    if (e)
        return e;
    *space = (struct spool_space){
        .octets = all, .octets_free = have < all ? all - have : 0, .inodes = 1000000, .inodes_free = 900000
    };
    return 0;
}

static int sim_random(struct spool_disk *disk, void *to, size_t n)
{
    struct sim_disk *sim = sim_of(disk);
    int e = call(sim);

    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = (unsigned char)random_next(&sim->random);
    return e;
}

static const struct spool_disk_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .sync = sim_sync,
    .forget = sim_forget,
    .length = sim_length,
    .unlink = sim_unlink,
    .rename = sim_rename,
    .sync_folder = sim_sync_folder,
    .list = sim_list,
    .lock = sim_lock,
    .space = sim_space,
    .random = sim_random,
};

/* ---- for the tests ---- */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *sim = must(calloc(1, sizeof(*sim)));

    sim->disk.ops = &sim_ops;
    sim->random.state = seed;
    sim->now = must(calloc(1, sizeof(*sim->now)));
    sim->durable = must(calloc(1, sizeof(*sim->durable)));
    return sim;
}

void sim_disk_free(struct sim_disk *sim)
{
    drop_changes(sim);
    sim->now->count = sim->durable->count = 0;
    sweep(sim);
    free(sim->now);
    free(sim->durable);
    free(sim->opens);
    free(sim);
}

void sim_disk_end(struct sim_disk *sim, enum sim_end end)
{
    if (end == SIM_END_POWER)
        lose_power(sim);
    for (size_t i = 0; i < sim->open_count; i++)
        sim->opens[i] = (struct sim_open){ 0 };
    sweep(sim);
    sim->dead = false;
    sim->changes = sim->calls = sim->cut_at = sim->fail_at = 0;
    sim->fail_rate = 0;
}

int sim_disk_put(struct sim_disk *sim, int fd, const void *p, size_t n, uint64_t at)
{
    return spool_disk_put(&sim->disk, fd, p, n, at);
}

bool sim_disk_rot(struct sim_disk *sim, const char *name, uint64_t at)
{
    struct sim_inode *inode = names_get(sim->now, name);

    if (!inode || at >= inode->medium.n || at >= inode->cache.n)
        return false;
    inode->medium.p[at] ^= 0x10;
    inode->cache.p[at] ^= 0x10;
    return true;
}

uint64_t sim_disk_length(struct sim_disk *sim, const char *name)
{
    struct sim_inode *inode = names_get(sim->now, name);

    return inode ? inode->cache.n : 0;
}

uint64_t sim_disk_octets(const struct sim_disk *sim)
{
    return taken(sim);
}

bool sim_disk_remove(struct sim_disk *sim, const char *name)
{
    bool there = names_get(sim->now, name) != NULL;

    names_drop(sim->now, name);
    names_drop(sim->durable, name);
    return there;
}
