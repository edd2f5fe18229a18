/* tests/fault/mailbox/faulty.h -- the kernel's calls, each of which can be made to fail, or to be the last. */
#ifndef TESTS_FAULT_MAILBOX_FAULTY_H
#define TESTS_FAULT_MAILBOX_FAULTY_H

#include "tests/unit/mailbox/box.h"

#include <errno.h>

#include "core/bug.h"

enum how {
    FAIL_ONE,      /* call N fails, others work */
    FAIL_REPORTED, /* call N does its work and says that it failed */
    FAIL_SHORT,    /* call N writes or reads one octet only */
    FAIL_REST,     /* call N and all after it fail: the process is dead */
    DIE_AFTER,     /* call N works, all after it fail */
};

/* The kernel's calls but for one, and what must be true of each of them. */
struct faulty {
    struct mailbox_disk disk;
    enum how how;
    unsigned n; /* 0: none */
    unsigned calls;
    int error;
    bool no_rename; /* the file system cannot move without replacing */
    bool unsynced;  /* something was written since the last sync of a file */
    bool tripped;
};

static inline struct faulty *faulty_of(const struct mailbox_disk *d)
{
    return CONTAINER_OF((uintptr_t)d, struct faulty, disk);
}

/* Whether this call is to fail before it does anything. */
static inline bool fails(struct faulty *f)
{
    unsigned call = ++f->calls;
    bool fail = f->n && ((f->how == FAIL_ONE && call == f->n) || (f->how == FAIL_REST && call >= f->n) ||
                         (f->how == DIE_AFTER && call > f->n));

    f->tripped |= f->n && call >= f->n;
    if (fail)
        errno = f->error;
    return fail;
}

/* What a call that worked says. */
static inline int says(const struct faulty *f, int r)
{
    if (f->how != FAIL_REPORTED || f->calls != f->n)
        return r;
    errno = f->error;
    return -1;
}

static inline int f_open(const struct mailbox_disk *d, int dir, const char *path, int flags, mode_t mode)
{
    struct faulty *f = faulty_of(d);

    if (fails(f))
        return -1;
    int fd = mailbox_disk_kernel.open_below(d, dir, path, flags, mode);
    if (fd >= 0 && says(f, 0) < 0) {
        close(fd);
        errno = f->error;
        return -1;
    }
    f->unsynced |= fd >= 0 && (flags & O_CREAT);
    return fd;
}

static inline bool is_short(const struct faulty *f)
{
    return f->how == FAIL_SHORT && f->calls == f->n;
}

static inline ssize_t f_read(const struct mailbox_disk *d, int fd, void *at, size_t n, off_t offset)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : mailbox_disk_kernel.read_at(d, fd, at, is_short(f) ? 1 : n, offset);
}

static inline ssize_t f_write(const struct mailbox_disk *d, int fd, const void *at, size_t n)
{
    struct faulty *f = faulty_of(d);

    if (fails(f))
        return -1;
    f->unsynced = true;
    ssize_t r = mailbox_disk_kernel.write(d, fd, at, is_short(f) ? 1 : n);
    return says(f, 0) < 0 ? -1 : r;
}

static inline int f_sync(const struct mailbox_disk *d, int fd)
{
    struct faulty *f = faulty_of(d);
    struct stat st;

    if (fails(f))
        return -1;
    int r = says(f, mailbox_disk_kernel.sync(d, fd));
    if (r == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        f->unsynced = false;
    return r;
}

static inline int f_truncate(const struct mailbox_disk *d, int fd, off_t length)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.truncate(d, fd, length));
}

static inline int f_lock(const struct mailbox_disk *d, int fd)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.lock(d, fd));
}

static inline int f_make_dir(const struct mailbox_disk *d, int dir, const char *name)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.make_dir(d, dir, name));
}

static inline int f_move(const struct mailbox_disk *d, int from, int to, const char *name)
{
    struct faulty *f = faulty_of(d);

    assert_false(f->unsynced);
    if (fails(f))
        return -1;
    if (f->no_rename) {
        errno = EINVAL;
        return -1;
    }
    return says(f, mailbox_disk_kernel.move(d, from, to, name));
}

static inline int f_link(const struct mailbox_disk *d, int from, int to, const char *name)
{
    struct faulty *f = faulty_of(d);

    assert_false(f->unsynced);
    return fails(f) ? -1 : says(f, mailbox_disk_kernel.link(d, from, to, name));
}

static inline int f_remove(const struct mailbox_disk *d, int dir, const char *name)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.remove(d, dir, name));
}

static inline int f_exists(const struct mailbox_disk *d, int dir, const char *name)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.exists(d, dir, name));
}

static inline ssize_t f_entries(const struct mailbox_disk *d, int fd, void *at, size_t n)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : mailbox_disk_kernel.entries(d, fd, at, n);
}

static const struct mailbox_disk faulty_disk = {
    .open_below = f_open,     .read_at = f_read, .write = f_write,   .sync = f_sync, .truncate = f_truncate,
    .lock = f_lock,           .move = f_move,    .link = f_link,     .remove = f_remove,
    .make_dir = f_make_dir,   .exists = f_exists, .entries = f_entries,
};

#endif
