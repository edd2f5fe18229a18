/* spool/space.c -- what the disk has left: min-free, and when mail is refused for want of room. */
#include <errno.h>

#include "spool/internal.h"

static bool is_below(const struct spool_options *o, const struct spool_space *s)
{
    return s->octets_free < o->min_free_octets || s->inodes_free < o->min_free_inodes ||
           s->octets_free < s->octets / 100 * o->min_free_percent ||
           s->inodes_free < s->inodes / 100 * o->min_free_percent;
}

static bool no_segment_fits(const struct spool *spool)
{
    return spool->prepare_errno == ENOSPC || spool->prepare_errno == EDQUOT;
}

void space_ask(struct spool *spool)
{
    if (spool->looked_usec + LOOK_USEC > spool_now_usec(spool))
        return;
    spool->want_look = true;
    pthread_cond_signal(&spool->upkeep_cond);
}

void space_look(struct spool *spool)
{
    struct spool_space space;

    spool->want_look = false;
    spool->looked_usec = spool_now_usec(spool);
    pthread_mutex_unlock(&spool->lock);
    int e = spool->disk->ops->space(spool->disk, &space);
    pthread_mutex_lock(&spool->lock);
    if (e)
        return;
    bool below = is_below(&spool->options, &space);
    if (below && !spool->short_of_space)
        log_cause(spool, ENOSPC, "min-free");
    if (!below && no_segment_fits(spool))
        spool->prepare_retry_usec = 0; /* perhaps there is room again */
    spool->health_changed |= below != spool->short_of_space;
    spool->short_of_space = below;
    spool->commit_sleeps = false;
    pthread_cond_signal(&spool->commit_cond); /* what is queued may have to be refused */
}

bool space_is_left(const struct spool *spool, uint64_t octets)
{
    struct spool_space space;

    if (spool->disk->ops->space(spool->disk, &space))
        return true; /* writing will show */
    space.octets_free -= octets < space.octets_free ? octets : space.octets_free;
    return !is_below(&spool->options, &space);
}

bool space_is_out(const struct spool *spool)
{
    return spool->short_of_space || no_segment_fits(spool);
}

bool space_refuses(const struct spool *spool)
{
    return spool->short_of_space ||
           (spool->refused_for_space && no_segment_fits(spool) && segments_lack(&spool->segments));
}

uint32_t space_segment_octets(struct spool_disk *disk)
{
    enum { MOST = 64 << 20, LEAST = 16 << 20, ON_A_DISK = 16 };
    struct spool_space space;
    uint32_t size = MOST;

    if (disk->ops->space(disk, &space))
        return size;
    while (size > LEAST && (uint64_t)size * ON_A_DISK > space.octets)
        size /= 2;
    return size;
}
