/*
 * spool/commit.c -- group commit: what is queued becomes one frame, one write and one sync (DESIGN 5).
 *
 * A state machine of one step. Its thread is a loop around it; the simulation makes the steps itself.
 *
 *   healthy --a frame fails--> repair --that fails too--> latched
 *      ^                         |                           | every retry_msec
 *      +----- durable -----------+------- durable -----------+
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/internal.h"

enum { FRAME_OCTETS_MAX = 4 << 20 }; /* but for a batch that alone is larger */

/* ---- choosing ---- */

bool commit_is_due(const struct spool *spool, int64_t now, int64_t *until_usec)
{
    if (spool->stopping || (spool->repair && !spool->latched))
        return true;
    if (spool->latched)
        *until_usec = spool->retry_usec;
    else if (!spool->queued)
        *until_usec = spool->cleaning.ready_usec + (int64_t)spool->options.ride_msec * 1000;
    else if (!spool->queued_urgent)
        *until_usec = spool->first_usec + (int64_t)spool->options.ride_msec * 1000;
    else if (spool->queued_messages >= spool->expected)
        return true; /* most of the sessions in data are here; a lone message never waits */
    else
        *until_usec = spool->first_urgent_usec + spool->options.gather_usec;
    return now >= *until_usec;
}

static void queue_take(struct spool *spool, struct spool_batch *batch)
{
    list_remove(&batch->node);
    spool->queued--;
    spool->queued_messages -= batch->messages;
    spool->queued_urgent -= batch->how.urgency == SPOOL_URGENT;
}

/* Back to where it came from; it was the first. */
static void queue_put_back(struct spool *spool, struct spool_batch *batch)
{
    list_prepend(&spool->queue, &batch->node);
    spool->queued++;
    spool->queued_messages += batch->messages;
    spool->queued_urgent += batch->how.urgency == SPOOL_URGENT;
}

static void drop_files(struct spool *spool, const struct spool_batch *batch)
{
    for (uint32_t i = 0; batch->files && i < batch->count; i++)
        if (batch->records[i].file)
            numbers_add(&spool->files_dead, batch->records[i].file);
}

/* Answer what is queued and not owed (or, with ALL, everything). No frame ever held it: its files may go. */
static void queue_refuse(struct spool *spool, enum spool_status status, bool all)
{
    for (struct list *node = spool->queue.next, *next; node != &spool->queue; node = next) {
        struct spool_batch *batch = CONTAINER_OF(node, struct spool_batch, node);
        next = node->next;
        if (batch->how.owed && !all)
            continue;
        queue_take(spool, batch);
        if (!batch->how.owed)
            drop_files(spool, batch);
        batch_end(spool, batch, status);
    }
}

static uint64_t octets_with(const struct frame *frame, const struct spool_batch *batch)
{
    return frame_octets(frame->records + batch->count, frame->metas + batch->metas,
                        frame->contents + batch->contents);
}

static struct spool_batch *first_of(const struct spool *spool, bool owed_only)
{
    LIST_FOR(node, &spool->queue)
    {
        struct spool_batch *batch = CONTAINER_OF(node, struct spool_batch, node);
        if (batch->how.owed || !owed_only)
            return batch;
    }
    return NULL;
}

/* Take batches in order into the frame while they fit into ROOM. */
static void fill(struct spool *spool, struct frame *frame, uint64_t room, bool owed_only)
{
    for (struct list *node = spool->queue.next, *next; node != &spool->queue; node = next) {
        struct spool_batch *batch = CONTAINER_OF(node, struct spool_batch, node);
        next = node->next;
        if (owed_only && !batch->how.owed)
            continue;
        uint64_t octets = octets_with(frame, batch);
        bool first = list_empty(&frame->batches);
        if (octets > room || (!first && octets > FRAME_OCTETS_MAX) ||
            frame->records + batch->count > SPOOL_RECORDS_MAX)
            break;
        queue_take(spool, batch);
        list_append(&frame->batches, &batch->node);
        frame->records += batch->count;
        frame->messages += batch->messages;
        frame->metas += batch->metas;
        frame->contents += batch->contents;
    }
}

/* Copies that wait go with it, if they fit into ROOM. */
static void add_copies(struct spool *spool, struct frame *frame, uint64_t room)
{
    const struct spool_batch *copies = spool->cleaning.batch;

    if (octets_with(frame, copies) > room || frame->records + copies->count > SPOOL_RECORDS_MAX ||
        !clean_may_fill(spool, room))
        return;
    spool->cleaning.copies = COPIES_WRITING;
    frame->copies = true;
    frame->records += copies->count;
    frame->metas += copies->metas;
    frame->contents += copies->contents;
}

/*
 * Where a frame of NEED octets to begin with goes, and how much room there is; false when nowhere now. A
 * segment is begun if so many are free: the last ones are for what is owed (INV-15).
 */
static bool find_room(struct spool *spool, struct frame *frame, uint64_t need, size_t if_free, uint64_t *room)
{
    if (spool->active) {
        *room = (uint64_t)(spool->active->blocks - spool->next_block) * SPOOL_BLOCK;
        frame->segment = spool->active;
        if (need <= *room)
            return true;
    }
    if (segments_in(&spool->segments, SEGMENT_FREE) < if_free)
        return false;
    frame->segment = segments_free(&spool->segments, (uint32_t)(1 + need / SPOOL_BLOCK));
    frame->rotate = true;
    if (frame->segment)
        *room = (uint64_t)(frame->segment->blocks - 1) * SPOOL_BLOCK;
    return frame->segment != NULL;
}

/*
 * The active segment is one of the reserve: what was owed has begun it, and only that goes on in it. The log's first
 * one is none as long as another may still be made.
 */
static bool active_is_reserve(const struct spool *spool)
{
    bool first = !segments_in(&spool->segments, SEGMENT_SEALED) && !spool->prepare_errno;

    return spool->active && !first && !segments_reserve_whole(&spool->segments);
}

/* Nothing but copies. */
static bool plan_of_copies(struct spool *spool)
{
    struct frame *frame = &spool->frame;
    uint64_t room = 0;

    if (!clean_is_ready(spool) || !find_room(spool, frame, octets_with(frame, spool->cleaning.batch),
                                             clean_may_begin(spool) ? 1 : SIZE_MAX, &room))
        return false;
    add_copies(spool, frame, room);
    return frame->copies;
}

static bool plan_of(struct spool *spool, bool owed_only)
{
    struct frame *frame = &spool->frame;
    struct spool_batch *first = first_of(spool, owed_only);
    bool empty_log = !spool->active && !spool->former_life;
    size_t if_free = owed_only || empty_log ? 1 : segments_spare(&spool->segments);
    uint64_t room = 0;

    frame_clear(frame);
    if (!owed_only && active_is_reserve(spool))
        return false;
    if (spool->repair)
        frame->records = (uint32_t)(frame->voids = spool->void_count);
    else if (!first)
        return plan_of_copies(spool);
    uint64_t bare = frame_octets(frame->records, frame->metas, 0);
    if (!find_room(spool, frame, first ? octets_with(frame, first) : bare, if_free, &room) &&
        (!spool->repair || !find_room(spool, frame, bare, if_free, &room)))
        return false;
    fill(spool, frame, room, owed_only);
    if (!spool->repair && clean_is_ready(spool))
        add_copies(spool, frame, room);
    return true;
}

/* ---- writing ---- */

static bool voids_reserve(struct spool *spool, size_t extra)
{
    size_t want = spool->void_count + extra;

    if (want <= spool->void_room)
        return true;
    struct taken_back *voids = realloc(spool->voids, want * 2 * sizeof(*voids));
    if (!voids)
        return false;
    spool->voids = voids;
    spool->void_room = want * 2;
    return true;
}

static void put_segment_head(struct spool *spool, struct frame *frame, uint64_t life, uint64_t number)
{
    struct spool_segment_head head = {
        .number = frame->segment->number,
        .blocks = frame->segment->blocks,
        .life = life,
        .first_frame = number,
        .former_life = spool->former_life,
        .former_number = spool->former_number,
        .former_counts = spool->former_counts,
        .utc_msec = spool->clock->utc_msec(spool->clock),
    };

    memset(frame->segment_head, 0, sizeof(frame->segment_head));
    spool_segment_head_put(&spool->secret, &head, frame->segment_head);
}

/* The octets go out and are synced; without the lock. 0 or an errno, and in *what the call that gave it. */
static int write_out(struct spool *spool, struct frame *frame, uint64_t at, const char **what)
{
    struct spool_disk *disk = spool->disk;
    int e;

    if (frame->rotate) {
        if (spool->active_fd >= 0)
            disk->ops->close(disk, spool->active_fd);
        spool->active_fd = -1;
        *what = "open";
        e = disk->ops->open(disk, spool_segment_name(frame->segment->number).c, SPOOL_OPEN_WRITE,
                            &spool->active_fd);
        if (e) {
            spool->active_fd = -1;
            return e;
        }
    }
    *what = "write";
    e = spool_disk_write(disk, spool->active_fd, frame->iov, frame->iov_count, at);
    if (e)
        return e;
    *what = "fdatasync";
    return disk->ops->sync(disk, spool->active_fd);
}

/* The active segment takes no more frames; it counts up to the last durable one. */
static void seal_active(struct spool *spool)
{
    if (!spool->active)
        return;
    spool->active->state = SEGMENT_SEALED;
    spool->active->counts = spool->durable_frame;
    spool->former_life = spool->active->life;
    spool->former_number = spool->active->number;
    spool->former_counts = spool->durable_frame;
    spool->active = NULL;
}

/* ---- settling ---- */

static void apply_batch(struct spool *spool, const struct frame *frame, struct spool_batch *batch,
                        uint32_t block, uint32_t *row)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct record *r = &batch->records[i];
        struct spool_position where = { .segment = frame->segment->number,
                                        .block = block,
                                        .row = (*row)++,
                                        .size = spool_size_of(record_octets(r)) };
        log_apply(spool, &(struct change){
                             .kind = r->kind,
                             .id = r->id,
                             .where = spool_position_pack(where),
                             .version = r->version,
                             .file = r->file,
                             .token = r->token,
                         });
    }
}

static void end_list(struct spool *spool, struct list *list, enum spool_status status)
{
    struct list *node;

    while ((node = list_take(list)) != NULL)
        batch_end(spool, CONTAINER_OF(node, struct spool_batch, node), status);
}

/* The voids of failed frames are durable: their messages are answered, their files may go (INV-6). */
static void settle_voids(struct spool *spool)
{
    for (size_t i = 0; i < spool->void_count; i++)
        if (spool->voids[i].file)
            numbers_add(&spool->files_dead, spool->voids[i].file);
    spool->void_count = 0;
    spool->health_changed |= spool->latched;
    spool->repair = spool->latched = false;
    end_list(spool, &spool->failing, SPOOL_FAILED);
}

static void settle_good(struct spool *spool, struct frame *frame, const struct spool_frame_head *head,
                        int64_t usec)
{
    uint32_t row = (uint32_t)frame->voids, block = frame->rotate ? 1 : spool->next_block;
    struct list *node;

    if (frame->rotate) {
        seal_active(spool);
        spool->active = frame->segment;
        spool->active->state = SEGMENT_ACTIVE;
        spool->active->counts = UINT64_MAX;
        spool->active->dead_by = 0;
        spool->refused_for_space &= !frame->messages;
    }
    spool->next_block = block + head->blocks;
    spool->durable_frame = head->number;
    uint64_t octets = (uint64_t)head->blocks * SPOOL_BLOCK, cleaned = spool->figures.cleaned;
    if (frame->copies)
        clean_settle(spool, frame->segment->number, block, &row);
    cleaned = spool->figures.cleaned - cleaned;
    clean_earn(spool, octets > cleaned ? octets - cleaned : 0);
    while ((node = list_take(&frame->batches)) != NULL) {
        struct spool_batch *batch = CONTAINER_OF(node, struct spool_batch, node);
        apply_batch(spool, frame, batch, block, &row);
        batch->result.messages = frame->messages;
        batch->result.sync_usec = usec;
        batch_end(spool, batch, SPOOL_OK);
    }
    settle_voids(spool);
    spool->figures.committed += frame->messages;
    spool->figures.frames++;
    spool->figures.written += octets;
    spool->written_since += octets;
    if (frame->rotate || spool->files_dead.count)
        pthread_cond_signal(&spool->upkeep_cond);
}

/* What was owed is first in the queue again; the rest is taken back. */
static void take_back(struct spool *spool, struct frame *frame)
{
    while (!list_empty(&frame->batches)) {
        struct spool_batch *batch = CONTAINER_OF(frame->batches.prev, struct spool_batch, node);
        list_remove(&batch->node);
        if (batch->how.owed) {
            queue_put_back(spool, batch);
            continue;
        }
        for (uint32_t i = 0; i < batch->count; i++)
            if (batch->records[i].kind == SPOOL_KIND_MESSAGE)
                spool->voids[spool->void_count++] =
                    (struct taken_back){ .id = batch->records[i].id.n, .file = batch->records[i].file };
        list_prepend(&spool->failing, &batch->node);
    }
}

static void latch(struct spool *spool)
{
    spool->health_changed |= !spool->latched;
    spool->latched = true;
    spool->retry_usec = spool_now_usec(spool) + (int64_t)spool->options.retry_msec * 1000;
    end_list(spool, &spool->failing, SPOOL_FAILED);
    queue_refuse(spool, SPOOL_FAILED, spool->stopping);
}

static void settle_bad(struct spool *spool, struct frame *frame, int e, const char *what)
{
    log_cause(spool, e, what);
    spool->figures.failed_segment = frame->segment->number;
    spool->figures.failed_records = frame->records;
    spool->figures.failures++;
    if (spool->active_fd >= 0)
        spool->disk->ops->close(spool->disk, spool->active_fd);
    spool->active_fd = -1;
    seal_active(spool); /* never again in that life (INV-5) */
    clean_drop(spool);
    take_back(spool, frame);
    if (spool->repair)
        latch(spool);
    spool->repair = true;
}

/* No memory to write with: nothing has happened yet, and the number is not spent. */
static void settle_poor(struct spool *spool, struct frame *frame)
{
    spool->next_frame--;
    clean_drop(spool);
    while (!list_empty(&frame->batches)) {
        struct spool_batch *batch = CONTAINER_OF(frame->batches.prev, struct spool_batch, node);
        list_remove(&batch->node);
        queue_put_back(spool, batch);
    }
    log_cause(spool, ENOMEM, "a frame of the log");
    spool->figures.failures++;
    if (!spool->repair)
        queue_refuse(spool, SPOOL_FAILED, spool->stopping);
    spool->repair = true;
    latch(spool);
}

static void make_frame(struct spool *spool)
{
    struct frame *frame = &spool->frame;
    uint64_t life, at = (uint64_t)(frame->rotate ? 1 : spool->next_block) * SPOOL_BLOCK;
    const char *what = "";
    int e = ENOMEM;

    if (frame->rotate) {
        seal_active(spool);
        life = frame->segment->life = spool->next_life++;
    } else {
        life = frame->segment->life;
    }
    struct spool_frame_head head = {
        .records = frame->records,
        .life = life,
        .number = spool->next_frame++,
        .durable = spool->durable_frame,
        .blocks = (uint32_t)(frame_octets(frame->records, frame->metas, frame->contents) / SPOOL_BLOCK),
        .front = (uint32_t)(SPOOL_FRAME_HEAD + frame->records * SPOOL_ROW + frame->metas),
        .utc_msec = spool->clock->utc_msec(spool->clock),
    };
    if (!voids_reserve(spool, frame->messages)) {
        settle_poor(spool, frame);
        return;
    }
    pthread_mutex_unlock(&spool->lock);
    int64_t began = spool_now_usec(spool);
    if (frame->rotate)
        put_segment_head(spool, frame, life, head.number);
    bool built = frame_build(spool, frame, &head, at);
    if (built)
        e = write_out(spool, frame, frame->rotate ? 0 : at, &what);
    int64_t usec = spool_now_usec(spool) - began;
    pthread_mutex_lock(&spool->lock);

    if (!built) {
        settle_poor(spool, frame);
        return;
    }
    spool->figures.syncs++;
    if (e)
        settle_bad(spool, frame, e, what);
    else
        settle_good(spool, frame, &head, usec);
}

bool commit_is_over(const struct spool *spool)
{
    return spool->stopping && !spool->queued && list_empty(&spool->failing);
}

/* ---- the step ---- */

/*
 * Nothing can be written now: say so to those who wait, or wait for upkeep to make room. A failed frame that nothing
 * can end yet may count after all: that is no plain lack of space.
 */
static enum spool_step no_room(struct spool *spool)
{
    uint32_t before = spool->queued;

    if (!spool->short_of_space && !spool->prepare_errno) {
        pthread_cond_signal(&spool->upkeep_cond);
        return SPOOL_STEP_IDLE;
    }
    if (spool->repair) {
        latch(spool);
        return SPOOL_STEP_DONE;
    }
    spool->refused_for_space = true;
    queue_refuse(spool, space_is_out(spool) ? SPOOL_NO_SPACE : SPOOL_FAILED, spool->stopping);
    return spool->queued < before ? SPOOL_STEP_DONE : SPOOL_STEP_IDLE;
}

static enum spool_step step(struct spool *spool, int64_t *until_usec)
{
    if (spool->latched && spool->stopping) {
        queue_refuse(spool, SPOOL_FAILED, true);
        return SPOOL_STEP_IDLE;
    }
    if (!spool->queued && !spool->repair && !clean_is_ready(spool))
        return SPOOL_STEP_IDLE;
    if (!commit_is_due(spool, spool_now_usec(spool), until_usec))
        return SPOOL_STEP_WAIT;
    if (spool->repair || spool->short_of_space) {
        if (!plan_of(spool, true))
            return no_room(spool);
    } else if (!plan_of(spool, false) && !plan_of(spool, true)) {
        return no_room(spool);
    }
    make_frame(spool);
    return SPOOL_STEP_DONE;
}

enum spool_step commit_step(struct spool *spool, int64_t *until_usec)
{
    enum spool_step done = step(spool, until_usec);

    return owner_wake(spool) ? SPOOL_STEP_DONE : done;
}

enum spool_step spool_step_commit(struct spool *spool, int64_t *until_usec)
{
    pthread_mutex_lock(&spool->lock);
    enum spool_step done = commit_step(spool, until_usec);
    pthread_mutex_unlock(&spool->lock);
    return done;
}
