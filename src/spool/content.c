/* spool/content.c -- own files: lent, synced before their record enters a frame (INV-1), given back. */
#include <errno.h>
#include <stdlib.h>

#include "spool/internal.h"

enum { SUM_OCTETS = 256 << 10, TOGETHER_USEC = 500 };

int own_file_sum(struct spool *spool, int fd, uint64_t number, uint64_t octets, uint64_t *sum)
{
    struct spool_disk *disk = spool->disk;
    uint64_t length = 0, at = 0;
    int e = disk->ops->length(disk, fd, &length);

    if (e)
        return e;
    if (length != octets)
        return EBADMSG;
    unsigned char *piece = malloc(SUM_OCTETS);
    struct spool_summer *summer = spool_summer_new(&spool->secret, number, 0);
    if (!piece || !summer)
        e = ENOMEM;
    while (!e && at < octets) {
        size_t n = octets - at < SUM_OCTETS ? (size_t)(octets - at) : SUM_OCTETS;
        e = spool_disk_read(disk, fd, piece, n, at);
        if (!e)
            spool_summer_add(summer, piece, n);
        at += n;
    }
    if (summer)
        *sum = spool_summer_end(summer);
    free(piece);
    return e;
}

static int file_sync(struct spool *spool, struct record *r)
{
    struct spool_disk *disk = spool->disk;
    int fd, e = disk->ops->open(disk, spool_own_name(r->file).c, SPOOL_OPEN_READ, &fd);

    if (e)
        return e;
    e = disk->ops->sync(disk, fd);
    if (!e)
        e = own_file_sum(spool, fd, r->file, r->file_octets, &r->file_sum);
    disk->ops->close(disk, fd);
    return e;
}

static void sync_batch(struct spool *spool, struct spool_batch *batch)
{
    struct record *bad = NULL;
    int e = 0;

    pthread_mutex_unlock(&spool->lock);
    for (uint32_t i = 0; !e && i < batch->count; i++) {
        if (!batch->records[i].file)
            continue;
        e = file_sync(spool, &batch->records[i]);
        bad = &batch->records[i];
    }
    pthread_mutex_lock(&spool->lock);
    if (!e && spool->latched && !batch->how.owed) {
        bad = NULL; /* the log has latched meanwhile: nobody waits for its next try */
        e = EIO;
    }
    if (!e) {
        batch_queue(spool, batch);
        return;
    }
    if (bad)
        log_cause(spool, e, spool_own_name(bad->file).c);
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->records[i].file)
            numbers_add(&spool->files_dead, batch->records[i].file);
    pthread_cond_signal(&spool->upkeep_cond);
    batch_end(spool, batch, e == ENOSPC || e == EDQUOT ? SPOOL_NO_SPACE : SPOOL_FAILED);
}

/*
 * Reads that end one soon after the other are told of together: to wake the owner costs as much as to read
 * from memory.
 */
static void tell_of_reads(struct spool *spool)
{
    if (list_empty(&spool->reading) || spool_now_usec(spool) >= spool->read_usec + TOGETHER_USEC)
        owner_wake(spool);
}

enum spool_step content_step(struct spool *spool, struct readers *readers)
{
    struct list *from = spool->reads_first ? &spool->reading : &spool->syncing;

    if (list_empty(from))
        from = spool->reads_first ? &spool->syncing : &spool->reading;
    if (list_empty(from))
        return SPOOL_STEP_IDLE;
    spool->reads_first = from == &spool->syncing;
    if (from == &spool->syncing) {
        sync_batch(spool, CONTAINER_OF(list_take(from), struct spool_batch, node));
        owner_wake(spool);
    } else {
        read_some(spool, readers);
        tell_of_reads(spool);
    }
    return SPOOL_STEP_DONE;
}

enum spool_step spool_step_content(struct spool *spool)
{
    struct readers readers;

    readers_init(&readers, spool);
    pthread_mutex_lock(&spool->lock);
    enum spool_step done = content_step(spool, &readers);
    pthread_mutex_unlock(&spool->lock);
    readers_done(&readers, spool);
    return done;
}

bool spool_file_take(struct spool *spool, struct spool_file *file)
{
    bool ok = false;

    pthread_mutex_lock(&spool->lock);
    space_ask(spool);
    if (spool->files_ready.count <= spool->options.own_files / 2) {
        spool->files_wanted = true;
        pthread_cond_signal(&spool->upkeep_cond);
    }
    if (!spool->short_of_space && spool->files_ready.count && numbers_reserve(&spool->files_lent, 1)) {
        uint64_t number = spool->files_ready.at[spool->files_ready.count - 1];
        if (!spool->disk->ops->open(spool->disk, spool_own_name(number).c, SPOOL_OPEN_WRITE, &file->fd)) {
            file->number = number;
            spool->files_ready.count--;
            numbers_add(&spool->files_lent, number);
            ok = true;
        }
    }
    pthread_mutex_unlock(&spool->lock);
    return ok;
}

void spool_file_return(struct spool *spool, uint64_t number)
{
    pthread_mutex_lock(&spool->lock);
    if (numbers_remove(&spool->files_lent, number)) {
        /* Who had it may still write to it: it is not lent again. */
        numbers_add(&spool->files_dead, number);
        pthread_cond_signal(&spool->upkeep_cond);
    }
    pthread_mutex_unlock(&spool->lock);
}
