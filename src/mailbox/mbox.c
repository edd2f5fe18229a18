/*
 * mailbox/mbox.c -- appending to a file that others read and write.
 *
 *     our turn ─> open ─> fcntl ─> PATH.lock, with a note ─> still the same file? ─> write ─> sync ─> PATH.lock away
 *
 * The note says how long the file was. A process that dies leaves its lock behind, and the kernel takes its fcntl lock
 * back: who has that and finds a lock of ours for the same file knows that its maker is dead, and cuts the file.
 * Never after another boot: then the lock may be one that had been removed, and come back because only the removal was
 * not on disk yet, while the message was. For the same reason a message counts as stored only when the lock is gone.
 */
#include "mailbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/loop.h"
#include "mailbox/folder.h"
#include "mailbox/mbox_lock.h"
#include "mailbox/quote.h"

enum {
    TURNS = 64, /* mailboxes of this process that do not wait for each other */
    BLOCK = 32 * 1024,
    HEAD_MAX = 1536,
    PAUSE_FIRST_MSEC = 10,
    PAUSE_MAX_MSEC = 200,
};

struct mbox_store {
    struct mbox_options options;
    char boot[MBOX_BOOT_MAX];
    uint64_t syncs; /* counted by threads */
    pthread_mutex_t turns[TURNS];
};

enum step {
    STEP_OK,
    STEP_BUSY,   /* somebody else has it, or is changing it: try again */
    STEP_FAILED, /* FAILURE says why */
};

/* One try. */
struct append {
    struct mbox_store *store;
    const struct mailbox_disk *disk;
    const struct mbox_message *message;
    struct mailbox_failure *failure;
    int root;
    struct str folder; /* relative to ROOT */
    char name[NAME_MAX + 1];
    char lock[NAME_MAX + 1];
    int dir;
    int fd;
    struct stat st; /* of the file, once it is locked */
    bool has_lock;
    bool reached; /* the folder was made, or made sure of */
    struct str head; /* what is written first: the end of what stands there, and the From line */
    char head_text[HEAD_MAX];
};

/* ---- what is shared ---- */

static void boot_read(char boot[MBOX_BOOT_MAX])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[MBOX_BOOT_MAX];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct str id = n > 0 ? str_trim(str_of(text, (size_t)n)) : STR_NONE;

    fd_close(&fd);
    memset(boot, 0, MBOX_BOOT_MAX);
    if (id.n && id.n < MBOX_BOOT_MAX)
        memcpy(boot, id.p, id.n);
}

struct mbox_store *mbox_store_new(const struct mbox_options *options)
{
    struct mbox_store *store = calloc(1, sizeof(*store));

    if (!store)
        return NULL;
    *store = (struct mbox_store){ .options = *options };
    boot_read(store->boot);
    for (size_t i = 0; i < TURNS; i++)
        pthread_mutex_init(&store->turns[i], NULL);
    return store;
}

void mbox_store_free(struct mbox_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < TURNS; i++)
        pthread_mutex_destroy(&store->turns[i]);
    free(store);
}

uint64_t mbox_store_syncs(const struct mbox_store *store)
{
    return __atomic_load_n(&store->syncs, __ATOMIC_RELAXED);
}

static bool sync_counted(struct append *a, int fd)
{
    __atomic_add_fetch(&a->store->syncs, 1, __ATOMIC_RELAXED);
    return a->disk->sync(a->disk, fd) == 0;
}

/* ---- the file ---- */

static enum step failed(struct append *a, const char *what)
{
    mailbox_fail_sys(a->failure, errno, "%s", what);
    return STEP_FAILED;
}

static bool reach(struct append *a, bool make)
{
    fd_close(&a->dir);
    a->dir = mailbox_folder_reach(a->disk, a->root, a->folder, make, a->failure);
    a->reached = make;
    return a->dir >= 0;
}

/* Not waiting for what is no file; a link is refused by open_below. */
static int open_file(const struct append *a, int flags)
{
    return a->disk->open_below(a->disk, a->dir, a->name, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY | flags,
                               flags & O_CREAT ? 0600 : 0);
}

static enum step make_file(struct append *a)
{
    if (!a->reached && !reach(a, true))
        return STEP_FAILED;
    a->fd = open_file(a, O_CREAT | O_EXCL);
    if (a->fd >= 0)
        return STEP_OK;
    return errno == EEXIST ? STEP_BUSY : failed(a, "making the mailbox");
}

static enum step open_box(struct append *a)
{
    if (!reach(a, false) && (a->failure->err.sys != ENOENT || !reach(a, true)))
        return STEP_FAILED;
    a->fd = open_file(a, 0);
    if (a->fd < 0 && errno == ENOENT)
        return make_file(a);
    return a->fd >= 0 ? STEP_OK : failed(a, "opening the mailbox");
}

/* A file that was not there a moment ago, or is not what others will find under this name. */
static enum step look_at_file(struct append *a)
{
    struct stat named;

    if (fstat(a->fd, &a->st) < 0)
        return failed(a, "mailbox");
    if (!S_ISREG(a->st.st_mode)) {
        mailbox_fail(a->failure, "4.3.5", "the mailbox is no file");
        return STEP_FAILED;
    }
    /* It may stand elsewhere under another name, where whoever made that would have the mail. */
    if (a->st.st_nlink > 1) {
        mailbox_fail(a->failure, "4.3.5", "the mailbox has a second name: a hard link");
        return STEP_FAILED;
    }
    int fd = a->disk->open_below(a->disk, a->dir, a->name, O_PATH, 0);
    if (fd < 0)
        return errno == ENOENT ? STEP_BUSY : failed(a, "mailbox");
    bool same = fstat(fd, &named) == 0 && named.st_ino == a->st.st_ino && named.st_dev == a->st.st_dev;
    fd_close(&fd);
    return same ? STEP_OK : STEP_BUSY;
}

/* An empty file may be one whose name is not on disk yet, whoever made it; in one with mail in it, that was synced. */
static enum step make_durable(struct append *a)
{
    if (a->st.st_size > 0)
        return STEP_OK;
    if (!a->reached && !reach(a, true))
        return STEP_FAILED;
    return sync_counted(a, a->dir) ? STEP_OK : failed(a, "syncing the mailbox's folder");
}

/* ---- where a message begins ---- */

/* The last octets of it, as many as ROOM; how many, -1 with errno. */
static ssize_t read_tail(const struct append *a, char *at, size_t room)
{
    size_t n = a->st.st_size < (off_t)room ? (size_t)a->st.st_size : room;
    size_t got = 0;

    while (got < n) {
        ssize_t r = a->disk->read_at(a->disk, a->fd, at + got, n - got, a->st.st_size - (off_t)(n - got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0) {
            errno = r == 0 ? EIO : errno;
            return -1;
        }
        got += (size_t)r;
    }
    return (ssize_t)n;
}

/* The line ends that part it from what stands there: none behind an empty line, and none in an empty file. */
static bool gap(const struct append *a, struct str *ends)
{
    char last[2];
    ssize_t n = read_tail(a, last, sizeof(last));

    if (n < 0)
        return false;
    if (n == 0 || str_eq(str_of(last, (size_t)n), STR("\n\n")))
        *ends = STR_NONE;
    else
        *ends = last[n - 1] == '\n' ? STR("\n") : STR("\n\n");
    return true;
}

static enum step make_head(struct append *a)
{
    struct str ends;

    if (!gap(a, &ends))
        return failed(a, "reading the mailbox");
    if (ends.n)
        memcpy(a->head_text, ends.p, ends.n);
    size_t n = mailbox_from_line(a->message->sender, a->message->accepted_msec, a->head_text + ends.n,
                                 sizeof(a->head_text) - ends.n);
    if (!n) {
        mailbox_fail(a->failure, "5.1.7", "the reverse-path cannot stand in a mailbox");
        return STEP_FAILED;
    }
    a->head = str_of(a->head_text, ends.n + n);
    return STEP_OK;
}

/* ---- what a dead one left ---- */

/*
 * Is what stands behind NOTE's length the beginning of its own message, and nothing else? Somebody who knows no locks
 * may have been here since. Behind its head no line of a message of ours begins with "From ".
 */
static bool only_its_message(const struct append *a, const struct mbox_note *note)
{
    struct str mark = STR("\nFrom ");
    char block[BLOCK];
    off_t at = note->length;
    size_t kept = 0;

    while (at < a->st.st_size) {
        ssize_t n = a->disk->read_at(a->disk, a->fd, block + kept, sizeof(block) - kept, at);
        if (n <= 0)
            return false;
        struct str text = str_of(block, kept + (size_t)n);
        if (at == note->length) {
            struct str head = str_head(note->head, text.n);
            if (!str_starts(text, head))
                return false;
            text = str_skip(text, head.n);
        }
        if (str_contains(text, mark))
            return false;
        /* It may lie across two blocks. */
        at += n;
        kept = text.n < mark.n ? text.n : mark.n - 1;
        memmove(block, text.p + text.n - kept, kept);
    }
    return true;
}

/* The lock is in the way. We have the file's fcntl lock: if it is one of ours for this file, its maker is dead. */
static enum step clear_lock(struct append *a)
{
    char text[MBOX_LOCK_MAX];
    struct mbox_note note;
    bool stale;
    bool ours = mbox_note_read(mbox_lock_read(a->disk, a->dir, a->lock, text, &stale), &note) &&
                note.device == a->st.st_dev && note.inode == a->st.st_ino;

    if (!ours && !stale)
        return STEP_BUSY;
    if (ours && note.boot[0] && strcmp(note.boot, a->store->boot) == 0 && note.length < a->st.st_size &&
        only_its_message(a, &note)) {
        if (a->disk->truncate(a->disk, a->fd, note.length) < 0)
            return failed(a, "cutting off what an earlier attempt left");
        a->st.st_size = note.length;
    }
    if (a->disk->remove(a->disk, a->dir, a->lock) < 0 && errno != ENOENT)
        return failed(a, "removing a lock that was left");
    return STEP_OK;
}

static enum step take_lock(struct append *a)
{
    struct mbox_note note = { .device = a->st.st_dev, .inode = a->st.st_ino, .length = a->st.st_size };
    char text[MBOX_LOCK_MAX];

    note.head = a->head;
    memcpy(note.boot, a->store->boot, sizeof(note.boot));
    switch (mbox_lock_take(a->disk, a->dir, a->lock, mbox_note_write(&note, text))) {
    case MBOX_LOCK_TAKEN:
        a->has_lock = true;
        return STEP_OK;
    case MBOX_LOCK_NONE:
        return STEP_OK;
    case MBOX_LOCK_BUSY:
        return STEP_BUSY;
    case MBOX_LOCK_FAILED:
        break;
    }
    return failed(a, "locking the mailbox");
}

/* With the head made anew when the file was cut. */
static enum step lock_by_name(struct append *a)
{
    enum step step = make_head(a);

    if (step == STEP_OK)
        step = take_lock(a);
    if (step != STEP_BUSY)
        return step;
    step = clear_lock(a);
    if (step == STEP_OK)
        step = make_head(a);
    return step == STEP_OK ? take_lock(a) : step;
}

static enum step lock_by_fcntl(struct append *a)
{
    if (a->disk->lock(a->disk, a->fd) == 0)
        return STEP_OK;
    return errno == EAGAIN || errno == EACCES || errno == EINTR ? STEP_BUSY : failed(a, "locking the mailbox");
}

/* ---- writing ---- */

static bool write_message(const struct append *a)
{
    struct mailbox_reader reader;
    struct mailbox_quote quote = MAILBOX_QUOTE_INIT;
    char in[BLOCK];
    char out[HEAD_MAX + 2 * BLOCK + 2 * MAILBOX_QUOTE_END_MAX];
    size_t n = a->head.n;
    ssize_t got;

    memcpy(out, a->head.p, a->head.n);
    mailbox_reader_init(&reader, a->disk, &a->message->content);
    while ((got = mailbox_reader_next(&reader, in, sizeof(in))) > 0) {
        BUG_ON(n > HEAD_MAX);
        n += mailbox_quote_convert(&quote, str_of(in, (size_t)got), out + n);
        /* Less than a block is the last of it: one write for most messages. */
        if (got < BLOCK - 1)
            break;
        if (!mailbox_write_all(a->disk, a->fd, str_of(out, n)))
            return false;
        n = 0;
    }
    if (got < 0)
        return false;
    n += mailbox_quote_end(&quote, out + n);
    return mailbox_write_all(a->disk, a->fd, str_of(out, n));
}

static bool unlock(struct append *a)
{
    bool ok = !a->has_lock || a->disk->remove(a->disk, a->dir, a->lock) == 0;

    a->has_lock = false;
    return ok;
}

/* As it was. Where that fails the lock stays, and with it the note: who comes next cuts the file. */
static void undo(struct append *a)
{
    int sys = errno;

    if (a->disk->truncate(a->disk, a->fd, a->st.st_size) == 0)
        unlock(a);
    errno = sys;
}

static enum step write_durably(struct append *a)
{
    bool written = write_message(a);
    bool synced = written && sync_counted(a, a->fd);

    if (synced && unlock(a))
        return STEP_OK;
    undo(a);
    return failed(a, !written ? "writing the mailbox" : !synced ? "syncing the mailbox" : "unlocking the mailbox");
}

/* ---- */

static enum step try_once(struct append *a)
{
    enum step step = open_box(a);

    if (step == STEP_OK)
        step = lock_by_fcntl(a);
    if (step == STEP_OK)
        step = look_at_file(a);
    if (step == STEP_OK)
        step = make_durable(a);
    if (step == STEP_OK)
        step = lock_by_name(a);
    if (step == STEP_OK)
        step = look_at_file(a);
    if (step == STEP_OK)
        step = write_durably(a);
    else
        unlock(a);
    fd_close(&a->fd);
    fd_close(&a->dir);
    return step;
}

static bool set_names(struct append *a, struct str path)
{
    size_t slash = str_rfind(path, '/');
    struct str name = slash < path.n ? str_skip(path, slash + 1) : path;

    a->folder = slash < path.n ? str_head(path, slash) : STR_NONE;
    /* A mailbox of such a name would be the lock of another. */
    if (!mailbox_name_ok(name) || str_ends(name, STR(".lock")) || (slash < path.n && !slash))
        return mailbox_fail(a->failure, "5.1.3", "not the name of a mailbox");
    if (name.n + sizeof(".lock") > sizeof(a->name))
        return mailbox_fail_sys(a->failure, ENAMETOOLONG, "mailbox");
    snprintf(a->name, sizeof(a->name), "%.*s", STR_ARG(name));
    snprintf(a->lock, sizeof(a->lock), "%.*s.lock", STR_ARG(name));
    return true;
}

/* Threads of this process take turns, in place of asking the kernel again and again. */
static bool wait_turn(pthread_mutex_t *turn, int64_t until_msec)
{
    struct timespec until = { .tv_sec = until_msec / 1000, .tv_nsec = until_msec % 1000 * 1000000 };

    return pthread_mutex_clocklock(turn, CLOCK_MONOTONIC, &until) == 0;
}

static void pause_msec(int64_t msec)
{
    struct timespec time = { .tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000 };

    nanosleep(&time, NULL);
}

static enum step try_until(struct append *a, int64_t until_msec)
{
    int64_t pause = PAUSE_FIRST_MSEC;

    for (;;) {
        enum step step = try_once(a);
        if (step != STEP_BUSY || io_clock_usec() / 1000 + pause > until_msec)
            return step;
        pause_msec(pause);
        pause = pause * 2 < PAUSE_MAX_MSEC ? pause * 2 : PAUSE_MAX_MSEC;
    }
}

bool mbox_append(struct mbox_store *store, int root, struct str path, const struct mbox_message *message,
                 struct mailbox_failure *failure)
{
    struct append a = {
        .store = store,
        .disk = store->options.disk,
        .message = message,
        .failure = failure,
        .root = root,
        .dir = -1,
        .fd = -1,
    };
    int64_t until_msec = io_clock_usec() / 1000 + store->options.wait_msec;
    pthread_mutex_t *turn = &store->turns[str_hash(path, 0) % TURNS];
    enum step step = STEP_BUSY;

    if (!set_names(&a, path))
        return false;
    if (wait_turn(turn, until_msec)) {
        step = try_until(&a, until_msec);
        pthread_mutex_unlock(turn);
    }
    if (step == STEP_BUSY)
        mailbox_fail(failure, "4.2.0", "the mailbox is locked, and stayed so");
    return step == STEP_OK;
}
