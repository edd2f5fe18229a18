/* tests/unit/history/memory_disk.c -- files as blocks of memory; a descriptor is the place of its file, plus one. */
#include "tests/unit/history/memory_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bug.h"

static struct memory_disk *memory_of(struct history_disk *disk)
{
    return CONTAINER_OF(disk, struct memory_disk, disk);
}

static int fails(struct memory_disk *m)
{
    m->calls++;
    if (!m->fails_at || (m->calls != m->fails_at && !(m->fails_on && m->calls > m->fails_at)))
        return 0;
    return m->error ? m->error : ENOSPC;
}

struct memory_file *memory_file_find(struct memory_disk *m, const char *name)
{
    for (size_t i = 0; i < MEMORY_FILES; i++)
        if (m->files[i].name[0] && !strcmp(m->files[i].name, name))
            return &m->files[i];
    return NULL;
}

struct memory_file *memory_file_put(struct memory_disk *m, const char *name, const void *from, size_t n)
{
    struct memory_file *f = memory_file_find(m, name);

    for (size_t i = 0; !f && i < MEMORY_FILES; i++)
        if (!m->files[i].name[0])
            f = &m->files[i];
    BUG_ON(!f);
    char *octets = realloc(f->octets, n ? n : 1);
    if (!octets)
        return NULL;
    f->octets = octets;
    snprintf(f->name, sizeof(f->name), "%s", name);
    if (n)
        memmove(f->octets, from, n);
    f->n = n;
    f->utc_msec = m->utc_msec;
    return f;
}

static int open_file(struct history_disk *disk, const char *name, int *fd)
{
    struct memory_disk *m = memory_of(disk);
    struct memory_file *f = memory_file_find(m, name);
    int sys = fails(m);

    if (sys || !f)
        return sys ? sys : ENOENT;
    m->open++;
    *fd = (int)(f - m->files) + 1;
    return 0;
}

static int make_file(struct history_disk *disk, const char *name, int *fd)
{
    struct memory_disk *m = memory_of(disk);
    int sys = fails(m);

    if (sys || memory_file_find(m, name))
        return sys ? sys : EEXIST;
    struct memory_file *f = memory_file_put(m, name, NULL, 0);
    if (!f)
        return ENOMEM;
    m->open++;
    *fd = (int)(f - m->files) + 1;
    return 0;
}

static void close_file(struct history_disk *disk, int fd)
{
    BUG_ON(fd <= 0);
    memory_of(disk)->open--;
}

static size_t at_once(const struct memory_disk *m, size_t n)
{
    return m->at_once && n > m->at_once ? m->at_once : n;
}

static int read_file(struct history_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    struct memory_disk *m = memory_of(disk);
    struct memory_file *f = &m->files[fd - 1];
    int sys = fails(m);

    if (sys)
        return sys;
    n = at_once(m, n);
    *done = at >= f->n ? 0 : f->n - at < n ? (size_t)(f->n - at) : n;
    if (*done)
        memcpy(to, f->octets + at, *done);
    m->read += *done;
    return 0;
}

/* A write that fails has written half of it. */
static int write_file(struct history_disk *disk, int fd, const void *from, size_t n, uint64_t at, size_t *done)
{
    struct memory_disk *m = memory_of(disk);
    struct memory_file *f = &m->files[fd - 1];
    int sys = fails(m);

    n = sys ? n / 2 : at_once(m, n);
    if (at + n > f->n) {
        char *octets = realloc(f->octets, at + n);
        if (!octets)
            return ENOMEM;
        f->octets = octets;
        if (at > f->n)
            memset(f->octets + f->n, 0, at - f->n);
        f->n = at + n;
    }
    if (n)
        memcpy(f->octets + at, from, n);
    f->utc_msec = m->utc_msec;
    *done = sys ? 0 : n;
    return sys;
}

static int cut_file(struct history_disk *disk, int fd, uint64_t octets)
{
    struct memory_disk *m = memory_of(disk);
    int sys = fails(m);

    if (!sys && octets < m->files[fd - 1].n)
        m->files[fd - 1].n = octets;
    return sys;
}

static int look_file(struct history_disk *disk, const char *name, struct history_file *file)
{
    struct memory_disk *m = memory_of(disk);
    struct memory_file *f = memory_file_find(m, name);
    int sys = fails(m);

    if (sys || !f)
        return sys ? sys : ENOENT;
    *file = (struct history_file){ f->n, f->utc_msec };
    return 0;
}

static int remove_file(struct history_disk *disk, const char *name)
{
    struct memory_disk *m = memory_of(disk);
    struct memory_file *f = memory_file_find(m, name);
    int sys = fails(m);

    if (sys || !f)
        return sys ? sys : ENOENT;
    free(f->octets);
    *f = (struct memory_file){ 0 };
    return 0;
}

static int list_files(struct history_disk *disk, void (*visit)(void *ctx, const char *name), void *ctx)
{
    struct memory_disk *m = memory_of(disk);
    int sys = fails(m);

    for (size_t i = MEMORY_FILES; !sys && i > 0; i--)
        if (m->files[i - 1].name[0])
            visit(ctx, m->files[i - 1].name);
    return sys;
}

static int room_of(struct history_disk *disk, uint64_t *octets_free)
{
    *octets_free = memory_of(disk)->octets_free;
    return fails(memory_of(disk));
}

static const struct history_disk_ops memory_ops = {
    .open = open_file,
    .make = make_file,
    .close = close_file,
    .read = read_file,
    .write = write_file,
    .cut = cut_file,
    .look = look_file,
    .remove = remove_file,
    .list = list_files,
    .room = room_of,
};

void memory_disk_init(struct memory_disk *m)
{
    *m = (struct memory_disk){ .disk = { &memory_ops }, .octets_free = UINT64_MAX };
}

void memory_disk_done(struct memory_disk *m)
{
    for (size_t i = 0; i < MEMORY_FILES; i++)
        free(m->files[i].octets);
    memory_disk_init(m);
}
