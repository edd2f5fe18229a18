/* spool/start.c -- the durable start numbers: of runs, and so of lives, and of ids (INV-8). */
#include <errno.h>

#include "spool/recovery.h"

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static const unsigned char nothing[2 * SPOOL_BLOCK];

int start_write(struct spool *spool, const struct spool_start *start)
{
    struct spool_disk *disk = spool->disk;
    unsigned char out[SPOOL_START_OCTETS];
    uint64_t at = start->sequence % 2 ? SPOOL_BLOCK : 0;
    bool made = false;
    int fd, e = disk->ops->open(disk, "start", SPOOL_OPEN_WRITE, &fd);

    if (e == ENOENT) {
        made = true;
        e = disk->ops->open(disk, "start", SPOOL_OPEN_NEW, &fd);
    }
    if (e)
        return e;
    spool_start_put(&spool->secret, at, start, out);
    /* Both slots have their place from the beginning: a full disk does not stop the next start. */
    if (made)
        e = spool_disk_put(disk, fd, nothing, sizeof(nothing), 0);
    if (!e)
        e = spool_disk_put(disk, fd, out, sizeof(out), at);
    if (!e)
        e = disk->ops->sync(disk, fd);
    disk->ops->close(disk, fd);
    return e || !made ? e : disk->ops->sync_folder(disk);
}

bool recovery_read_start(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    struct spool_disk *disk = spool->disk;
    int fd, e = disk->ops->open(disk, "start", SPOOL_OPEN_READ, &fd);

    if (e == ENOENT)
        return true;
    if (e)
        return err_sys(rec->err, e, "open start");
    for (unsigned slot = 0; slot < 2; slot++) {
        unsigned char in[SPOOL_START_OCTETS];
        struct spool_start start;
        uint64_t at = slot ? SPOOL_BLOCK : 0;
        e = spool_disk_read(disk, fd, in, sizeof(in), at);
        if (e && e != ENODATA)
            break;
        if (!e && spool_start_get(&spool->secret, at, str_of((const char *)in, sizeof(in)), &start) &&
            start.sequence > spool->start.sequence)
            spool->start = start;
        e = 0;
    }
    disk->ops->close(disk, fd);
    return e ? err_sys(rec->err, e, "read start") : true;
}

bool recovery_begin_run(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    int64_t now = spool->clock->utc_msec(spool->clock);
    uint64_t life = rec->checkpoint.last_life;

    for (size_t i = 0; i < rec->file_count; i++)
        if (rec->files[i].known)
            life = max_u64(life, rec->files[i].head.life);
    if (!spool->start.sequence && !spool->recovered.created)
        recovery_note(rec, "the start numbers could not be read");
    spool->recovered.orderly = spool->start.orderly || spool->recovered.created;
    struct spool_start start = { .sequence = spool->start.sequence + 1 };
    start.run = max_u64(spool->start.run, life >> 32) + 1;
    spool->next_id =
        max_u64(max_u64(spool->start.id_ceiling, spool->last_id + 1), now > 0 ? (uint64_t)now << 16 : 1);
    start.id_ceiling = spool->next_id + ID_BLOCK;
    int e = start_write(spool, &start);
    if (e)
        return err_sys(rec->err, e, "its file 'start' cannot be written; nothing is lost, and it begins when it can");
    spool->start = start;
    spool->id_ceiling = start.id_ceiling;
    spool->next_life = start.run << 32 | 1;
    return true;
}
