/* mailbox/maildir.c -- tmp, new, cur. */
#include "mailbox/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/fd.h"

enum { HOST_MAX = 63 };

/* One delivery under way. */
struct attempt {
    struct mailbox_store *store;
    const struct mailbox_disk *disk;
    const struct mailbox_folder *folder;
    struct mailbox_open *open;
    const struct maildir_message *message;
    const char *name;
};

struct maildir_name maildir_name(int64_t accepted_msec, struct queue_id id, uint32_t number, struct str hostname)
{
    struct maildir_name name;
    struct str label = str_head(str_head(hostname, str_find(hostname, '.')), HOST_MAX);
    int n = snprintf(name.c, sizeof(name.c), "%" PRId64 ".%s-%" PRIu32 ".%.*s", accepted_msec / 1000,
                     queue_id_text(id).c, number, STR_ARG(label));

    BUG_ON(n < 0 || (size_t)n >= sizeof(name.c));
    /* ':' and ',' would end the name for a reader, '/' for the kernel: no host name has them, but it was only told. */
    for (char *p = name.c + n - label.n; *p; p++)
        if (!ascii_is_alnum(*p) && *p != '-' && *p != '_')
            *p = '_';
    return name;
}

/* ---- writing ---- */

static bool write_content(const struct attempt *a, int fd)
{
    struct mailbox_reader reader;
    char block[MAILBOX_BLOCK];
    ssize_t n;

    mailbox_reader_init(&reader, a->disk, &a->message->content);
    while ((n = mailbox_reader_next(&reader, block, sizeof(block))) > 0)
        if (!mailbox_write_all(a->disk, fd, str_of(block, (size_t)n)))
            return false;
    return n == 0;
}

static int create(const struct attempt *a)
{
    return a->disk->open_below(a->disk, a->folder->tmp, a->name, O_WRONLY | O_CREAT | O_EXCL, 0600);
}

/* Whole and synced in tmp, or not there. False with errno. */
static bool write_tmp(const struct attempt *a)
{
    int fd = create(a);

    /* Left over from a process that died before it was whole: nobody else has this name. */
    if (fd < 0 && errno == EEXIST && a->disk->remove(a->disk, a->folder->tmp, a->name) == 0)
        fd = create(a);
    if (fd < 0)
        return false;

    bool ok = write_content(a, fd);
    int sys = ok ? mailbox_store_sync_file(a->store, fd) : errno;
    fd_close(&fd);
    if (sys)
        a->disk->remove(a->disk, a->folder->tmp, a->name);
    errno = sys;
    return !sys;
}

/* From tmp into `new`. False with errno, EEXIST when it is there already. */
static bool move_to_new(const struct attempt *a)
{
    const struct mailbox_disk *d = a->disk;

    if (d->move(d, a->folder->tmp, a->folder->new, a->name) == 0)
        return true;
    /* Some file systems cannot rename without replacing; they can link. */
    bool linked = errno == EINVAL && d->link(d, a->folder->tmp, a->folder->new, a->name) == 0;
    int sys = errno;
    d->remove(d, a->folder->tmp, a->name);
    errno = sys;
    return linked;
}

/* ---- looking for what an earlier attempt left ---- */

/* The name as we made it, or with what a reader puts behind it. */
static bool is_ours(const char *entry, const char *name)
{
    size_t n = strlen(name);

    return strncmp(entry, name, n) == 0 && (entry[n] == '\0' || entry[n] == ':' || entry[n] == ',');
}

/* 1 found, 0 not there, -1 with errno. */
static int scan(const struct attempt *a, int dir)
{
    _Alignas(struct dirent64) char block[MAILBOX_BLOCK];

    for (;;) {
        ssize_t n = a->disk->entries(a->disk, dir, block, sizeof(block));
        if (n <= 0)
            return n < 0 ? -1 : 0;
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(block + at);
            if (is_ours(entry->d_name, a->name))
                return 1;
            at += entry->d_reclen;
        }
    }
}

/* Also in cur, made durable where it is. */
static int look_in_cur(const struct attempt *a)
{
    int dir = a->disk->open_below(a->disk, a->folder->box, "cur", O_RDONLY | O_DIRECTORY, 0);

    if (dir < 0)
        return -1;
    int found = scan(a, dir);
    int sys = errno;
    if (found == 1 && (sys = mailbox_store_sync_file(a->store, dir)) != 0)
        found = -1;
    fd_close(&dir);
    errno = sys;
    return found;
}

/* `new` before cur: a reader moves from the one into the other, never back. */
static int look(const struct attempt *a)
{
    if (a->disk->exists(a->disk, a->folder->new, a->name) == 0)
        return 1;
    return errno == ENOENT ? look_in_cur(a) : -1;
}

/* ---- */

static enum maildir_result failed(struct mailbox_failure *failure, const char *what)
{
    mailbox_fail_sys(failure, errno, "%s", what);
    return MAILDIR_FAILED;
}

static enum maildir_result deliver_once(const struct attempt *a, struct mailbox_failure *failure)
{
    enum maildir_result result = MAILDIR_STORED;
    int there = a->message->look ? look(a) : 0;

    if (there < 0)
        return failed(failure, "looking for an earlier attempt's file");
    if (!there && !write_tmp(a))
        return failed(failure, "writing into tmp");
    if (there)
        result = MAILDIR_FOUND;
    else if (!move_to_new(a)) {
        if (errno != EEXIST) {
            failed(failure, "moving from tmp to new");
            return MAILDIR_IN_DOUBT;
        }
        result = MAILDIR_FOUND;
    }

    int sys = mailbox_store_sync_new(a->store, a->open);
    if (!sys)
        return result;
    mailbox_fail_sys(failure, sys, "syncing new");
    return MAILDIR_IN_DOUBT;
}

enum maildir_result maildir_deliver(struct mailbox_store *store, struct str path,
                                    const struct maildir_message *message, struct mailbox_failure *failure)
{
    struct attempt a = { .store = store, .disk = mailbox_store_disk(store), .message = message };

    a.name = message->name.c;
    for (;;) {
        bool kept;

        a.open = mailbox_store_lend(store, path, &kept, failure);
        if (!a.open)
            return MAILDIR_FAILED;
        a.folder = mailbox_open_folder(a.open);
        enum maildir_result result = deliver_once(&a, failure);
        /* A kept folder that has been removed meanwhile can hold nothing any more: look it up anew, once. */
        bool gone = result >= MAILDIR_FAILED && failure->err.sys == ENOENT && kept;
        if (gone)
            mailbox_store_forget(store, a.open);
        else
            mailbox_store_release(store, a.open);
        if (!gone)
            return result;
    }
}
