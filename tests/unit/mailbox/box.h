/* tests/unit/mailbox/box.h -- a mail root under /tmp for a test, and looking into what stands in it. */
#ifndef TESTS_MAILBOX_BOX_H
#define TESTS_MAILBOX_BOX_H

#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mailbox/maildir.h"

struct box {
    char root[40];
    int fd;
};

static inline struct box box_make(void)
{
    struct box b = { .root = "/tmp/veredus-box-XXXXXX" };

    assert_non_null(mkdtemp(b.root));
    b.fd = open(b.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(b.fd >= 0);
    return b;
}

static inline int box_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline void box_drop(struct box *b)
{
    close(b->fd);
    assert_int_equal(nftw(b->root, box_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline struct mailbox_store *box_store(const struct box *b, const struct mailbox_disk *disk)
{
    struct mailbox_store_options options = { .disk = disk, .root = b->fd, .folders = 4, .keep_msec = 60000 };
    struct mailbox_store *store = mailbox_store_new(&options);

    assert_non_null(store);
    return store;
}

/* Files in FOLDER (relative to the root); 0 when there is no such folder. The name of the last one in NAME. */
static inline size_t box_count(const struct box *b, const char *folder, char name[256])
{
    int fd = openat(b->fd, folder, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    size_t n = 0;

    while (dir && (e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (name)
            snprintf(name, 256, "%s", e->d_name);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* The octets of a file, on the heap. */
static inline struct str box_read(const struct box *b, const char *folder, const char *name)
{
    char path[600];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = openat(b->fd, path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *p = malloc((size_t)st.st_size + 1);
    assert_non_null(p);
    assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
    close(fd);
    return str_of(p, (size_t)st.st_size);
}

static inline void box_assert_file(const struct box *b, const char *folder, const char *name, struct str want)
{
    struct str got = box_read(b, folder, name);

    assert_str_is(got, want);
    free((char *)(uintptr_t)got.p);
}

static inline void box_make_file(const struct box *b, const char *path, struct str content)
{
    int fd = openat(b->fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.p, content.n), content.n);
    close(fd);
}

#endif
