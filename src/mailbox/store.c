/*
 * mailbox/store.c -- open Maildirs and the group commit of a folder.
 *
 * Syncs are what local delivery costs. Many threads deliver at once, so that the file syncs of one moment share a commit
 * of the file system's journal; and of those that moved a file into the same `new`, one syncs the folder for all:
 *
 *     thread 1   move ── sync ────────────┐
 *     thread 2     move ── waits ─────────┼── sync for 2 and 3 ──┐
 *     thread 3         move ── waits ─────┘                      ├── both done
 *
 * A sync counts only for who waited before it began: thread 2 may have moved after the first had looked.
 */
#include "mailbox/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/list.h"
#include "io/loop.h"

enum { DURABLE_SLOTS = 4096 };

struct mailbox_open {
    struct list node; /* in store->open while others may get it; the newest first */
    struct str path;
    struct mailbox_folder folder;
    int64_t since_msec;
    unsigned users;
    bool syncing;
    struct list waiting; /* sync_wait */
    pthread_cond_t synced;
};

struct sync_wait {
    struct list node;
    bool done;
    int error;
};

struct mailbox_store {
    struct mailbox_store_options options;
    pthread_mutex_t lock; /* of all that follows */
    struct list open;
    size_t n_open;
    struct mailbox_store_figures figures;
    /* Marks of `new` folders whose entry is known durable, each at its number's place, where later ones replace it. */
    uint64_t durable[DURABLE_SLOTS];
};

struct mailbox_store *mailbox_store_new(const struct mailbox_store_options *options)
{
    struct mailbox_store *store = malloc(sizeof(*store));

    if (!store)
        return NULL;
    *store = (struct mailbox_store){ .options = *options };
    list_init(&store->open);
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

const struct mailbox_disk *mailbox_store_disk(const struct mailbox_store *store)
{
    return store->options.disk;
}

const struct mailbox_folder *mailbox_open_folder(const struct mailbox_open *open)
{
    return &open->folder;
}

struct mailbox_store_figures mailbox_store_figures(struct mailbox_store *store)
{
    pthread_mutex_lock(&store->lock);
    struct mailbox_store_figures figures = store->figures;
    pthread_mutex_unlock(&store->lock);
    return figures;
}

static int sync_counted(struct mailbox_store *store, int fd, uint64_t *count)
{
    int r = store->options.disk->sync(store->options.disk, fd) < 0 ? errno : 0;

    pthread_mutex_lock(&store->lock);
    (*count)++;
    pthread_mutex_unlock(&store->lock);
    return r;
}

int mailbox_store_sync_file(struct mailbox_store *store, int fd)
{
    return sync_counted(store, fd, &store->figures.file_syncs);
}

/* ---- open Maildirs ---- */

static void open_free(struct mailbox_open *open)
{
    BUG_ON(open->users || !list_empty(&open->waiting));
    mailbox_folder_close(&open->folder);
    pthread_cond_destroy(&open->synced);
    free(open);
}

/* Nobody gets it any more; it goes with its last user. LOCK is held, as in all of this part. */
static void detach(struct mailbox_store *store, struct mailbox_open *open)
{
    if (list_empty(&open->node))
        return;
    list_remove(&open->node);
    store->n_open--;
    if (!open->users)
        open_free(open);
}

static struct mailbox_open *find(struct mailbox_store *store, struct str path, int64_t now_msec)
{
    LIST_FOR(node, &store->open)
    {
        struct mailbox_open *open = CONTAINER_OF(node, struct mailbox_open, node);
        if (!str_eq(open->path, path))
            continue;
        if (now_msec - open->since_msec >= store->options.keep_msec) {
            detach(store, open);
            return NULL;
        }
        list_remove(&open->node);
        list_prepend(&store->open, &open->node);
        open->users++;
        return open;
    }
    return NULL;
}

static void keep(struct mailbox_store *store, struct mailbox_open *open)
{
    list_prepend(&store->open, &open->node);
    store->n_open++;
    if (store->n_open > store->options.folders)
        detach(store, CONTAINER_OF(store->open.prev, struct mailbox_open, node));
}

static struct mailbox_open *open_new(struct str path, const struct mailbox_folder *folder, int64_t now_msec)
{
    struct mailbox_open *open = malloc(sizeof(*open) + path.n);

    if (!open)
        return NULL;
    *open = (struct mailbox_open){ .folder = *folder, .since_msec = now_msec, .users = 1 };
    if (path.n)
        memcpy((char *)(open + 1), path.p, path.n);
    open->path = str_of((char *)(open + 1), path.n);
    list_init(&open->node);
    list_init(&open->waiting);
    pthread_cond_init(&open->synced, NULL);
    return open;
}

/* `new` may have been made by a process that died before it was durable: once in our life we make sure. */
static int make_durable(struct mailbox_store *store, const struct mailbox_folder *folder)
{
    struct stat st;

    if (fstat(folder->new, &st) < 0)
        return errno;

    uint64_t mark = (uint64_t)st.st_ino ^ (uint64_t)st.st_dev << 40;
    uint64_t *slot = &store->durable[mark % DURABLE_SLOTS];
    pthread_mutex_lock(&store->lock);
    bool known = *slot == mark;
    pthread_mutex_unlock(&store->lock);
    if (known)
        return 0;

    int error = sync_counted(store, folder->box, &store->figures.folder_syncs);
    if (!error) {
        pthread_mutex_lock(&store->lock);
        *slot = mark;
        pthread_mutex_unlock(&store->lock);
    }
    return error;
}

static struct mailbox_open *lend_kept(struct mailbox_store *store, struct str path)
{
    pthread_mutex_lock(&store->lock);
    struct mailbox_open *open = find(store, path, io_clock_usec() / 1000);
    pthread_mutex_unlock(&store->lock);
    return open;
}

struct mailbox_open *mailbox_store_lend(struct mailbox_store *store, struct str path, bool *kept,
                                        struct mailbox_failure *failure)
{
    int64_t now_msec = io_clock_usec() / 1000;
    struct mailbox_folder folder;
    struct mailbox_open *open = lend_kept(store, path);

    *kept = open != NULL;
    if (open)
        return open;
    if (!mailbox_folder_open(store->options.disk, store->options.root, path, &folder, failure))
        return NULL;

    int error = make_durable(store, &folder);
    open = error ? NULL : open_new(path, &folder, now_msec);
    if (!open) {
        mailbox_fail_sys(failure, error ? error : ENOMEM, "mailbox %.*s", STR_ARG(path));
        mailbox_folder_close(&folder);
        return NULL;
    }
    /* Two threads may have opened the same one: each keeps its own, the later is found from now on. */
    pthread_mutex_lock(&store->lock);
    keep(store, open);
    pthread_mutex_unlock(&store->lock);
    return open;
}

void mailbox_store_release(struct mailbox_store *store, struct mailbox_open *open)
{
    pthread_mutex_lock(&store->lock);
    if (--open->users == 0 && list_empty(&open->node))
        open_free(open);
    pthread_mutex_unlock(&store->lock);
}

void mailbox_store_forget(struct mailbox_store *store, struct mailbox_open *open)
{
    pthread_mutex_lock(&store->lock);
    detach(store, open);
    pthread_mutex_unlock(&store->lock);
    mailbox_store_release(store, open);
}

void mailbox_store_free(struct mailbox_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->lock);
    while (!list_empty(&store->open))
        detach(store, CONTAINER_OF(store->open.next, struct mailbox_open, node));
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* ---- the group commit ---- */

/* Sync for all who wait now. LOCK is held, and given up meanwhile. */
static void lead(struct mailbox_store *store, struct mailbox_open *open)
{
    struct list batch;
    struct list *node;

    list_init(&batch);
    while ((node = list_take(&open->waiting)))
        list_append(&batch, node);
    open->syncing = true;
    pthread_mutex_unlock(&store->lock);
    int error = sync_counted(store, open->folder.new, &store->figures.folder_syncs);
    pthread_mutex_lock(&store->lock);
    open->syncing = false;
    while ((node = list_take(&batch))) {
        struct sync_wait *wait = CONTAINER_OF(node, struct sync_wait, node);
        wait->error = error;
        wait->done = true;
    }
    pthread_cond_broadcast(&open->synced);
}

int mailbox_store_sync_new(struct mailbox_store *store, struct mailbox_open *open)
{
    struct sync_wait me = { .done = false };

    list_init(&me.node);
    pthread_mutex_lock(&store->lock);
    list_append(&open->waiting, &me.node);
    while (!me.done) {
        if (open->syncing)
            pthread_cond_wait(&open->synced, &store->lock);
        else
            lead(store, open);
    }
    pthread_mutex_unlock(&store->lock);
    return me.error;
}
