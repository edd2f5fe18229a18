/* spool/spool.c -- a spool opened, driven by its threads, asked, closed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "spool/internal.h"

/* ---- clock ---- */

static int64_t system_utc_msec(const struct spool_clock *clock)
{
    struct timespec t;

    (void)clock;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_boot_usec(const struct spool_clock *clock)
{
    struct timespec t;

    (void)clock;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const struct spool_clock spool_clock_system = { .utc_msec = system_utc_msec, .boot_usec = system_boot_usec };

int64_t spool_now_usec(const struct spool *spool)
{
    return spool->clock->boot_usec(spool->clock);
}

/* ---- threads ---- */

static void sleep_until(struct spool *spool, pthread_cond_t *cond, enum spool_step step, int64_t until_usec)
{
    if (step == SPOOL_STEP_IDLE) {
        pthread_cond_wait(cond, &spool->lock);
        return;
    }
    int64_t wait = until_usec - spool_now_usec(spool);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    wait = (wait > 0 ? wait : 0) * 1000 + t.tv_nsec;
    t.tv_sec += (time_t)(wait / 1000000000);
    t.tv_nsec = (long)(wait % 1000000000);
    pthread_cond_timedwait(cond, &spool->lock, &t);
}

static void *commit_main(void *arg)
{
    struct spool *spool = arg;
    int64_t until = 0;

    pthread_mutex_lock(&spool->lock);
    for (;;) {
        enum spool_step step = commit_step(spool, &until);
        if (step == SPOOL_STEP_DONE)
            continue;
        if (commit_is_over(spool))
            break;
        spool->commit_sleeps = true;
        sleep_until(spool, &spool->commit_cond, step, until);
        spool->commit_sleeps = false;
    }
    pthread_mutex_unlock(&spool->lock);
    return NULL;
}

static void *content_main(void *arg)
{
    struct spool *spool = arg;
    struct readers readers;
    bool used = false;

    readers_init(&readers, spool);
    pthread_mutex_lock(&spool->lock);
    for (;;) {
        if (content_step(spool, &readers) == SPOOL_STEP_DONE) {
            used = true;
            continue;
        }
        if (used) { /* a segment that is open here and given back would take space until the next read */
            used = false;
            pthread_mutex_unlock(&spool->lock);
            readers_done(&readers, spool);
            pthread_mutex_lock(&spool->lock);
            continue;
        }
        if (spool->content_stop)
            break;
        sleep_until(spool, &spool->content_cond, SPOOL_STEP_IDLE, 0);
    }
    pthread_mutex_unlock(&spool->lock);
    readers_done(&readers, spool);
    return NULL;
}

static void *upkeep_main(void *arg)
{
    struct spool *spool = arg;
    int64_t until = 0;

    pthread_mutex_lock(&spool->lock);
    while (!spool->upkeep_stop) {
        enum spool_step step = upkeep_step(spool, &until);
        if (step != SPOOL_STEP_DONE && !spool->upkeep_stop)
            sleep_until(spool, &spool->upkeep_cond, step, until);
    }
    pthread_mutex_unlock(&spool->lock);
    return NULL;
}

static bool start_threads(struct spool *spool, struct err *err)
{
    void *(*mains[])(void *) = { commit_main, upkeep_main, content_main, content_main };

    _Static_assert(ARRAY_LEN(mains) == 2 + CONTENT_THREADS, "one main a thread");
    if (spool->options.manual)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(mains); i++) {
        int e = pthread_create(&spool->threads[i], NULL, mains[i], spool);
        if (e)
            return err_sys(err, e, "start a thread of the spool");
        spool->thread_count++;
    }
    return true;
}

/* In the order of their work: what one has done is there for the next; upkeep makes room until the last. */
static void stop_threads(struct spool *spool)
{
    enum { COMMIT, UPKEEP, CONTENT };

    pthread_mutex_lock(&spool->lock);
    spool->content_stop = true;
    pthread_cond_broadcast(&spool->content_cond);
    pthread_mutex_unlock(&spool->lock);
    for (unsigned i = CONTENT; i < spool->thread_count; i++)
        pthread_join(spool->threads[i], NULL);

    pthread_mutex_lock(&spool->lock);
    spool->stopping = true;
    pthread_cond_broadcast(&spool->commit_cond);
    pthread_mutex_unlock(&spool->lock);
    if (spool->thread_count > COMMIT)
        pthread_join(spool->threads[COMMIT], NULL);

    pthread_mutex_lock(&spool->lock);
    spool->upkeep_stop = true;
    pthread_cond_broadcast(&spool->upkeep_cond);
    pthread_mutex_unlock(&spool->lock);
    if (spool->thread_count > UPKEEP)
        pthread_join(spool->threads[UPKEEP], NULL);
    spool->thread_count = 0;
}

/* ---- opening ---- */

static void set_defaults(struct spool_options *o)
{
    if (!o->segment_octets)
        o->segment_octets = space_segment_octets(o->disk);
    if (!o->gather_usec)
        o->gather_usec = 1000;
    if (!o->ride_msec)
        o->ride_msec = 50;
    if (!o->retry_msec)
        o->retry_msec = 30000;
    if (!o->own_files)
        o->own_files = 8;
}

static bool options_are_sane(const struct spool_options *o, struct err *err)
{
    if (o->segment_octets % SPOOL_BLOCK || o->segment_octets < 4 * SPOOL_BLOCK)
        return err_perm(err, "%u octets are no size for a segment", o->segment_octets);
    return true;
}

static struct spool *spool_new(const struct spool_options *options, struct err *err)
{
    struct spool *spool = calloc(1, sizeof(*spool));
    pthread_condattr_t attr;

    if (spool)
        spool->index = spool_index_new();
    if (!spool || !spool->index) {
        free(spool);
        err_sys(err, ENOMEM, "spool");
        return NULL;
    }
    spool->options = *options;
    spool->disk = options->disk;
    spool->clock = options->clock ? options->clock : &spool_clock_system;
    spool->lock_fd = spool->active_fd = spool->making_fd = -1;
    spool->next_file = 1;
    spool->files_wanted = true;
    pthread_mutex_init(&spool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&spool->commit_cond, &attr);
    pthread_cond_init(&spool->upkeep_cond, &attr);
    pthread_cond_init(&spool->content_cond, &attr);
    pthread_condattr_destroy(&attr);
    list_init(&spool->queue);
    list_init(&spool->failing);
    list_init(&spool->syncing);
    list_init(&spool->reading);
    list_init(&spool->ended);
    list_init(&spool->reads_ended);
    frame_clear(&spool->frame);
    return spool;
}

static void free_batches(struct list *list)
{
    struct list *node;

    while ((node = list_take(list)) != NULL)
        spool_batch_free(CONTAINER_OF(node, struct spool_batch, node));
}

static void spool_free(struct spool *spool)
{
    int fds[] = { spool->active_fd, spool->making_fd, spool->lock_fd };

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            spool->disk->ops->close(spool->disk, fds[i]);
    free_batches(&spool->queue);
    free_batches(&spool->failing);
    free_batches(&spool->syncing);
    free_batches(&spool->ended);
    free_batches(&spool->frame.batches);
    frame_done(&spool->frame);
    clean_done(spool);
    spool_index_free(spool->index);
    segments_done(&spool->segments);
    spool_tokens_done(&spool->tokens);
    free(spool->voids);
    free(spool->files_ready.at);
    free(spool->files_lent.at);
    free(spool->files_dead.at);
    pthread_cond_destroy(&spool->commit_cond);
    pthread_cond_destroy(&spool->upkeep_cond);
    pthread_cond_destroy(&spool->content_cond);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}

/* A short segment, so that the first 250 waits for a megabyte of zeros and not for 64. */
static bool first_segment(struct spool *spool, struct err *err)
{
    if (spool->segments.count)
        return true;
    uint32_t size = spool->options.segment_octets;
    int64_t until;

    if (size > FIRST_SEGMENT)
        spool->options.segment_octets = FIRST_SEGMENT;
    spool->files_wanted = false;
    while (!spool->segments.count || spool->making) {
        if (upkeep_step(spool, &until) == SPOOL_STEP_DONE && !spool->prepare_errno)
            continue;
        err_sys(err, spool->prepare_errno, "make the log of the spool");
        break;
    }
    spool->options.segment_octets = size;
    spool->files_wanted = true;
    return spool->prepare_errno == 0;
}

struct spool *spool_open(const struct spool_options *options, struct err *err)
{
    struct spool_options all = *options;

    if (!options->disk) {
        err_perm(err, "a spool needs a disk");
        return NULL;
    }
    set_defaults(&all);
    if (!options_are_sane(&all, err))
        return NULL;
    struct spool *spool = spool_new(&all, err);
    if (!spool)
        return NULL;
    int64_t began = spool_now_usec(spool);
    bool ok = folder_lock(spool, err) && folder_read_format(spool, err) && spool_recover(spool, err);
    if (ok) {
        pthread_mutex_lock(&spool->lock);
        ok = first_segment(spool, err);
        pthread_mutex_unlock(&spool->lock);
    }
    if (ok) {
        spool->recovered.messages = spool_index_count(spool->index);
        spool->recovered.held = spool->figures.held;
        spool->recovered.damaged = spool->figures.damaged;
        spool->recovered.usec = spool_now_usec(spool) - began;
        ok = start_threads(spool, err);
    }
    if (!ok) {
        stop_threads(spool);
        spool_free(spool);
        return NULL;
    }
    return spool;
}

/* ---- the owner's turn ---- */

static void splice(struct list *from, struct list *to)
{
    struct list *node;

    list_init(to);
    while ((node = list_take(from)) != NULL)
        list_append(to, node);
}

void spool_poll(struct spool *spool)
{
    struct list batches, reads, *node;

    pthread_mutex_lock(&spool->lock);
    spool->woken = spool->health_changed = false;
    splice(&spool->ended, &batches);
    splice(&spool->reads_ended, &reads);
    pthread_mutex_unlock(&spool->lock);

    while ((node = list_take(&batches)) != NULL) {
        struct spool_batch *batch = CONTAINER_OF(node, struct spool_batch, node);
        struct spool_commit *commit = batch->commit;
        struct spool_result result = batch->result;
        spool_batch_free(batch);
        commit->done(commit, &result);
    }
    while ((node = list_take(&reads)) != NULL) {
        struct spool_read *read = CONTAINER_OF(node, struct spool_read, node);
        read->done(read);
    }
}

static void run_manually(struct spool *spool)
{
    int64_t until;

    while (spool_step_content(spool) == SPOOL_STEP_DONE)
        ;
    spool->stopping = true;
    while (spool_step_commit(spool, &until) == SPOOL_STEP_DONE ||
           (!commit_is_over(spool) && spool_step_upkeep(spool, &until) == SPOOL_STEP_DONE))
        ;
}

static bool has_ended(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool any = !list_empty(&spool->ended) || !list_empty(&spool->reads_ended);
    pthread_mutex_unlock(&spool->lock);
    return any;
}

/* Without it the next recovery takes this end for a death, that is all. */
static void end_in_order(struct spool *spool)
{
    struct spool_start start = spool->start;

    start.sequence++;
    start.orderly = true;
    (void)start_write(spool, &start);
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    if (spool->options.manual)
        run_manually(spool);
    else
        stop_threads(spool);
    if (!spool->repair && spool->written_since)
        (void)checkpoint_write(spool); /* the next recovery reads more without it, that is all */
    if (!spool->repair && list_empty(&spool->queue))
        end_in_order(spool);
    while (has_ended(spool))
        spool_poll(spool);
    spool_free(spool);
}

void spool_die(struct spool *spool)
{
    BUG_ON(!spool->options.manual);
    spool_free(spool);
}

/* ---- questions ---- */

const struct spool_recovered *spool_recovered(const struct spool *spool)
{
    return &spool->recovered;
}

enum spool_token_state spool_token_find(struct spool *spool, const struct spool_token *token,
                                        struct queue_id *id)
{
    enum spool_token_state state = SPOOL_TOKEN_UNKNOWN;

    pthread_mutex_lock(&spool->lock);
    const struct spool_token_row *row = spool_tokens_find(&spool->tokens, token);
    if (row) {
        *id = (struct queue_id){ row->id };
        state = row->flags & SPOOL_TOKEN_FLAG_VOID ? SPOOL_TOKEN_VOID : SPOOL_TOKEN_ACCEPTED;
    }
    pthread_mutex_unlock(&spool->lock);
    return state;
}

bool spool_take_ids(struct spool *spool, unsigned count, struct queue_id *first)
{
    bool ok = false;

    BUG_ON(!count || count > SPOOL_IDS_MAX);
    pthread_mutex_lock(&spool->lock);
    if (spool->id_ceiling - spool->next_id >= count && spool->next_id + count < 1ULL << QUEUE_ID_BITS) {
        *first = (struct queue_id){ spool->next_id };
        spool->next_id += count;
        ok = true;
    }
    if (spool->id_ceiling - spool->next_id < ID_BLOCK / 2)
        pthread_cond_signal(&spool->upkeep_cond);
    pthread_mutex_unlock(&spool->lock);
    return ok;
}

void spool_figures(struct spool *spool, struct spool_figures *out)
{
    pthread_mutex_lock(&spool->lock);
    if (spool->short_of_space)
        space_ask(spool); /* whoever asks may refuse mail by the answer */
    *out = spool->figures;
    out->health = spool->latched ? SPOOL_HEALTH_REFUSING
                  : space_refuses(spool) ? SPOOL_HEALTH_FULL
                                         : SPOOL_HEALTH_OK;
    out->cleaning = spool->cleaning.victim != NULL;
    out->messages = spool_index_count(spool->index);
    out->segments = (uint32_t)spool->segments.count;
    out->segments_free = (uint32_t)segments_in(&spool->segments, SEGMENT_FREE);
    for (size_t i = 0; i < spool->segments.count; i++)
        out->log_octets += (uint64_t)spool->segments.at[i]->blocks * SPOOL_BLOCK;
    pthread_mutex_unlock(&spool->lock);
}
