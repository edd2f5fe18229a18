/* spool/upkeep.c -- what is done ahead of need or after it: segments, own files, checkpoints, space, ids. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/internal.h"

enum { FILL_OCTETS = 1 << 20, UNLINK_AT_ONCE = 16 };

static const unsigned char zeros[64 << 10];

static int64_t later(const struct spool *spool)
{
    return spool_now_usec(spool) + (int64_t)spool->options.retry_msec * 1000;
}

/* ---- segments ---- */

static int fill_zeros(struct spool *spool, int fd, uint64_t from, uint64_t to)
{
    struct iovec iov[FILL_OCTETS / sizeof(zeros)];

    while (from < to) {
        int n = 0;
        uint64_t at = from;
        for (; from < to && n < (int)ARRAY_LEN(iov); n++) {
            size_t octets = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
            iov[n] = (struct iovec){ .iov_base = (void *)(uintptr_t)zeros, .iov_len = octets };
            from += octets;
        }
        int e = spool_disk_write(spool->disk, fd, iov, n, at);
        if (e)
            return e;
    }
    return spool->disk->ops->sync(spool->disk, fd);
}

/* Open or create the file of SEGMENT; *have is how long it is. */
static int begin_making(struct spool *spool, uint32_t number, int *fd, uint64_t *have)
{
    struct spool_disk *disk = spool->disk;
    struct spool_name name = spool_segment_name(number);
    int e = disk->ops->open(disk, name.c, SPOOL_OPEN_NEW, fd);

    *have = 0;
    if (e == EEXIST) {
        e = disk->ops->open(disk, name.c, SPOOL_OPEN_WRITE, fd);
        if (!e)
            e = disk->ops->length(disk, *fd, have);
    }
    if (e)
        return e;
    return disk->ops->sync_folder(disk);
}

static struct segment *raw_segment(const struct spool *spool)
{
    for (size_t i = 0; i < spool->segments.count; i++)
        if (spool->segments.at[i]->state == SEGMENT_RAW)
            return spool->segments.at[i];
    return NULL;
}

/* What there was room for goes: a checkpoint needs that room, and nothing dead is used again without one. */
static void give_back_part(struct spool *spool, struct segment *s)
{
    struct spool_name name = spool_segment_name(s->number);

    segments_remove(&spool->segments, s);
    pthread_mutex_unlock(&spool->lock);
    /* One that stays is found when its number comes again. */
    (void)spool->disk->ops->unlink(spool->disk, name.c);
    pthread_mutex_lock(&spool->lock);
}

static void prepare_failed(struct spool *spool, int e, const char *what)
{
    struct segment *part = spool->making;

    if (spool->making_fd >= 0)
        spool->disk->ops->close(spool->disk, spool->making_fd);
    spool->making_fd = -1;
    spool->making = NULL; /* it stays raw */
    if (part && !part->readers && (e == ENOSPC || e == EDQUOT))
        give_back_part(spool, part);
    spool->prepare_errno = e;
    spool->prepare_retry_usec = later(spool);
    log_cause(spool, e, what);
    pthread_cond_signal(&spool->commit_cond);
}

/*
 * A piece of segment NUMBER, without the lock: its zeros reach up to *MADE. The log stops growing before it takes what
 * min-free keeps; the FIRST segment is made all the same: without it nothing starts. 0, or an errno of WHAT.
 */
static int make_piece(struct spool *spool, uint32_t number, bool first, int *fd, uint64_t *made, const char **what)
{
    uint64_t size = spool->options.segment_octets;
    bool fresh = *fd < 0;
    int e = fresh ? begin_making(spool, number, fd, made) : 0;
    uint64_t wanting = *made < size ? size - *made : 0;

    if (!e && fresh && !first && !space_is_left(spool, wanting)) {
        *what = "min-free";
        return ENOSPC;
    }
    uint64_t to = wanting > FILL_OCTETS ? *made + FILL_OCTETS : size;
    if (!e)
        e = fill_zeros(spool, *fd, *made, to);
    if (!e)
        *made = to;
    return e;
}

static void is_made(struct spool *spool)
{
    spool->disk->ops->close(spool->disk, spool->making_fd);
    spool->making_fd = -1;
    spool->making->blocks = (uint32_t)(spool->options.segment_octets / SPOOL_BLOCK);
    spool->making->state = SEGMENT_FREE;
    spool->making = NULL;
    spool->commit_sleeps = false;
    pthread_cond_signal(&spool->commit_cond);
}

/* One piece of one segment more is filled with zeros and synced, so that no commit pays for it. */
static void prepare(struct spool *spool)
{
    const char *what = "a new segment of the log";
    int fd = spool->making_fd;
    uint64_t made = spool->made;

    if (!spool->making)
        spool->making = raw_segment(spool);
    if (!spool->making)
        spool->making = segments_add(&spool->segments, segments_next_number(&spool->segments));
    if (!spool->making) {
        prepare_failed(spool, ENOMEM, what);
        return;
    }
    uint32_t number = spool->making->number;
    bool first = spool->segments.count == 1;
    pthread_mutex_unlock(&spool->lock);
    int e = make_piece(spool, number, first, &fd, &made, &what);
    pthread_mutex_lock(&spool->lock);
    spool->making_fd = fd;
    spool->made = made;
    if (e) {
        prepare_failed(spool, e, what);
        return;
    }
    spool->prepare_errno = 0;
    if (made == spool->options.segment_octets)
        is_made(spool);
}

/* A dead segment is found dead by the next checkpoint, or given free by it. */
static bool segment_waits_for_checkpoint(const struct spool *spool)
{
    for (size_t i = 0; i < spool->segments.count; i++) {
        const struct segment *s = spool->segments.at[i];
        if (segment_is_dead(s) && (spool->active || s->life != spool->former_life))
            return true;
    }
    return false;
}

/*
 * A checkpoint would give a segment: at once where the disk is short, or where one is wanting and cannot be
 * made; if one is wanting that could be, when as much has been written as it costs.
 */
static bool checkpoint_makes_room(const struct spool *spool)
{
    bool wanting = segments_lack(&spool->segments) && !spool->making;
    bool worth_it = spool->written_since && spool->written_since >= spool->checkpoint_octets;

    return (spool->short_of_space || (wanting && (spool->prepare_errno || worth_it))) &&
           segment_waits_for_checkpoint(spool);
}

/* ---- own files ---- */

static int make_file(struct spool *spool, uint64_t number)
{
    int fd, e = spool->disk->ops->open(spool->disk, spool_own_name(number).c, SPOOL_OPEN_NEW, &fd);

    if (!e)
        spool->disk->ops->close(spool->disk, fd);
    return e;
}

/* The pool is filled up again; one sync of the folder makes all their names durable. */
static void make_files(struct spool *spool)
{
    size_t want = spool->options.own_files - spool->files_ready.count;
    uint64_t first = spool->next_file;
    size_t made = 0;
    int e = 0;

    spool->files_wanted = false;
    if (!numbers_reserve(&spool->files_ready, want))
        return;
    spool->next_file += want;
    pthread_mutex_unlock(&spool->lock);
    while (!e && made < want) {
        e = make_file(spool, first + made);
        made += !e;
    }
    if (made)
        e = spool->disk->ops->sync_folder(spool->disk);
    pthread_mutex_lock(&spool->lock);
    if (e)
        log_cause(spool, e, spool_own_name(first + made).c);
    for (size_t i = 0; i < made; i++)
        numbers_add(e ? &spool->files_dead : &spool->files_ready, first + i);
}

static void unlink_files(struct spool *spool)
{
    uint64_t dead[UNLINK_AT_ONCE];
    size_t n = 0;

    while (n < ARRAY_LEN(dead) && spool->files_dead.count)
        dead[n++] = spool->files_dead.at[--spool->files_dead.count];
    pthread_mutex_unlock(&spool->lock);
    for (size_t i = 0; i < n; i++)
        spool->disk->ops->unlink(spool->disk, spool_own_name(dead[i]).c); /* what stays is an orphan later */
    pthread_mutex_lock(&spool->lock);
}

/* ---- ids ---- */

static void raise_ceiling(struct spool *spool)
{
    struct spool_start start = spool->start;

    start.sequence++;
    start.id_ceiling = spool->next_id + ID_BLOCK;
    pthread_mutex_unlock(&spool->lock);
    int e = start_write(spool, &start);
    pthread_mutex_lock(&spool->lock);
    if (e) {
        log_cause(spool, e, "start");
        spool->checkpoint_retry_usec = later(spool);
        return;
    }
    spool->start = start;
    spool->id_ceiling = start.id_ceiling;
}

/* ---- the step ---- */

static bool checkpoint_is_due(const struct spool *spool)
{
    uint64_t often = spool->options.segment_octets;

    if (spool->want_checkpoint)
        return true;
    if (often < 2 * spool->checkpoint_octets)
        often = 2 * spool->checkpoint_octets;
    return spool->written_since >= often;
}

static void checkpoint(struct spool *spool)
{
    spool->want_checkpoint = false;
    pthread_mutex_unlock(&spool->lock);
    int e = checkpoint_write(spool);
    pthread_mutex_lock(&spool->lock);
    if (!e)
        return;
    log_cause(spool, e, checkpoint_name(spool->checkpoint_slot));
    spool->checkpoint_retry_usec = later(spool);
}

/* When something that could not be done is tried again. */
static enum spool_step next_try(const struct spool *spool, bool may_checkpoint, int64_t *until_usec)
{
    if (spool->short_of_space)
        *until_usec = spool->looked_usec + (int64_t)spool->options.retry_msec * 1000;
    else if (segments_lack(&spool->segments))
        *until_usec = spool->prepare_retry_usec;
    else if (!may_checkpoint && checkpoint_is_due(spool))
        *until_usec = spool->checkpoint_retry_usec;
    else
        return SPOOL_STEP_IDLE;
    return SPOOL_STEP_WAIT;
}

/* What can wait for everything else. */
static enum spool_step at_leisure(struct spool *spool, bool may_checkpoint, int64_t *until_usec)
{
    if (clean_give_back(spool) || clean_step(spool))
        return SPOOL_STEP_DONE;
    return next_try(spool, may_checkpoint, until_usec);
}

static enum spool_step step(struct spool *spool, int64_t *until_usec)
{
    int64_t now = spool_now_usec(spool);
    bool look_again =
        spool->short_of_space && now >= spool->looked_usec + (int64_t)spool->options.retry_msec * 1000;
    bool may_checkpoint = now >= spool->checkpoint_retry_usec;
    bool may_prepare = !spool->short_of_space && now >= spool->prepare_retry_usec;

    if (spool->want_look || look_again)
        space_look(spool);
    else if (spool->next_id + ID_BLOCK / 2 > spool->id_ceiling && may_checkpoint)
        raise_ceiling(spool);
    else if (spool->files_wanted && !spool->short_of_space)
        make_files(spool);
    else if (spool->files_dead.count)
        unlink_files(spool);
    else if (may_checkpoint && checkpoint_is_due(spool))
        checkpoint(spool);
    else if (may_checkpoint && checkpoint_makes_room(spool))
        checkpoint(spool);
    else if (segments_lack(&spool->segments) && may_prepare)
        prepare(spool);
    else
        return at_leisure(spool, may_checkpoint, until_usec);
    return SPOOL_STEP_DONE;
}

enum spool_step upkeep_step(struct spool *spool, int64_t *until_usec)
{
    enum spool_step done = step(spool, until_usec);

    return owner_wake(spool) ? SPOOL_STEP_DONE : done;
}

enum spool_step spool_step_upkeep(struct spool *spool, int64_t *until_usec)
{
    pthread_mutex_lock(&spool->lock);
    enum spool_step done = upkeep_step(spool, until_usec);
    pthread_mutex_unlock(&spool->lock);
    return done;
}

void spool_want_checkpoint(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->want_checkpoint = true;
    pthread_cond_signal(&spool->upkeep_cond);
    pthread_mutex_unlock(&spool->lock);
}
