/* spool/batch.c -- batches: filled, submitted, ended. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "spool/internal.h"

struct spool_batch *spool_batch_new(void)
{
    struct spool_batch *batch = malloc(sizeof(*batch));

    if (!batch)
        return NULL;
    *batch = (struct spool_batch){ 0 };
    list_init(&batch->node);
    return batch;
}

void spool_batch_free(struct spool_batch *batch)
{
    if (!batch)
        return;
    free(batch->records);
    free(batch);
}

uint64_t record_meta_octets(const struct record *record)
{
    switch (record->kind) {
    case SPOOL_KIND_MESSAGE:
    case SPOOL_KIND_COPY:
        return SPOOL_MESSAGE_META + (uint64_t)record->text.n;
    case SPOOL_KIND_OUTCOME:
        return SPOOL_OUTCOME_META + (uint64_t)record->text.n;
    default:
        return record->text.n;
    }
}

uint64_t record_octets(const struct record *record)
{
    return SPOOL_ROW + record_meta_octets(record) + record->head.n + record->body.n;
}

bool batch_add(struct spool_batch *batch, const struct record *record)
{
    if (batch->count == batch->room) {
        uint32_t room = batch->room ? batch->room * 2 : 2;
        struct record *records = realloc(batch->records, room * sizeof(*records));
        if (!records)
            return false;
        batch->records = records;
        batch->room = room;
    }
    batch->records[batch->count++] = *record;
    batch->metas += record_meta_octets(record);
    batch->contents += record->head.n + record->body.n;
    batch->messages += record->kind == SPOOL_KIND_MESSAGE;
    batch->files += record->file != 0;
    batch->rare += record->file || record->kind == SPOOL_KIND_HOLD || record->kind == SPOOL_KIND_EDIT;
    return true;
}

bool spool_batch_message(struct spool_batch *batch, const struct spool_message *message)
{
    return batch_add(batch, &(struct record){
                                .kind = SPOOL_KIND_MESSAGE,
                                .id = message->id,
                                .text = message->envelope,
                                .token = message->token,
                                .accepted_utc_msec = message->accepted_utc_msec,
                                .head = message->head,
                                .body = message->file ? STR_NONE : message->body,
                                .file = message->file,
                                .file_octets = message->file_octets,
                            });
}

bool spool_batch_outcome(struct spool_batch *batch, struct queue_id id, uint32_t version, struct str state)
{
    return batch_add(
        batch, &(struct record){ .kind = SPOOL_KIND_OUTCOME, .id = id, .version = version, .text = state });
}

bool spool_batch_hold(struct spool_batch *batch, struct queue_id id, struct str reason)
{
    return batch_add(batch, &(struct record){ .kind = SPOOL_KIND_HOLD, .id = id, .text = reason });
}

bool spool_batch_release(struct spool_batch *batch, struct queue_id id, struct str reason)
{
    return batch_add(batch, &(struct record){ .kind = SPOOL_KIND_RELEASE, .id = id, .text = reason });
}

bool spool_batch_edit(struct spool_batch *batch, struct queue_id id, struct str envelope)
{
    return batch_add(batch, &(struct record){ .kind = SPOOL_KIND_EDIT, .id = id, .text = envelope });
}

bool spool_batch_gone(struct spool_batch *batch, struct queue_id id)
{
    return batch_add(batch, &(struct record){ .kind = SPOOL_KIND_GONE, .id = id });
}

bool spool_batch_void(struct spool_batch *batch, struct queue_id id)
{
    return batch_add(batch, &(struct record){ .kind = SPOOL_KIND_VOID, .id = id });
}

/* ---- the way through ---- */

/* The commit thread sleeps until its frame is due: it is called only when that time is now, or has become
 * another. */
static void commit_call(struct spool *spool, int64_t now, bool changed)
{
    int64_t until;

    if (!spool->commit_sleeps || (!changed && !commit_is_due(spool, now, &until)))
        return;
    spool->commit_sleeps = false;
    pthread_cond_signal(&spool->commit_cond);
}

void batch_queue(struct spool *spool, struct spool_batch *batch)
{
    int64_t now = spool_now_usec(spool);
    bool urgent = batch->how.urgency == SPOOL_URGENT;
    bool changed = !spool->queued || (urgent && !spool->queued_urgent);

    if (!spool->queued)
        spool->first_usec = now;
    if (urgent && !spool->queued_urgent++)
        spool->first_urgent_usec = now;
    spool->queued++;
    spool->queued_messages += batch->messages;
    list_append(&spool->queue, &batch->node);
    commit_call(spool, now, changed);
}

void batch_end(struct spool *spool, struct spool_batch *batch, enum spool_status status)
{
    batch->result.status = status;
    spool->pending_messages -= batch->messages;
    spool->pending_rare -= batch->rare;
    list_append(&spool->ended, &batch->node);
}

bool owner_wake(struct spool *spool)
{
    bool any = spool->health_changed || !list_empty(&spool->ended) || !list_empty(&spool->reads_ended);

    if (spool->woken || !any)
        return false;
    spool->woken = true;
    if (!spool->options.wake)
        return false;
    pthread_mutex_unlock(&spool->lock);
    spool->options.wake(spool->options.wake_ctx);
    pthread_mutex_lock(&spool->lock);
    return true;
}

/* ---- submitting ---- */

size_t spool_batch_max(const struct spool *spool)
{
    /* What is left of a segment for one frame, less its head and the padding. */
    return spool->options.segment_octets - 3 * SPOOL_BLOCK;
}

static bool is_in_batch(const struct spool_batch *batch, uint32_t before, struct queue_id id)
{
    for (uint32_t i = 0; batch->messages && i < before; i++)
        if (batch->records[i].kind == SPOOL_KIND_MESSAGE && queue_id_eq(batch->records[i].id, id))
            return true;
    return false;
}

static bool is_lent(const struct spool *spool, uint64_t file)
{
    for (size_t i = 0; i < spool->files_lent.count; i++)
        if (spool->files_lent.at[i] == file)
            return true;
    return false;
}

static bool record_is_good(const struct spool *spool, const struct spool_batch *batch, uint32_t at,
                           struct err *err)
{
    const struct record *r = &batch->records[at];
    struct queue_id_text text = queue_id_text(r->id);
    bool known = spool_index_has(spool->index, r->id) || is_in_batch(batch, at, r->id);

    if (r->kind != SPOOL_KIND_MESSAGE)
        return known ? true : err_perm(err, "%s is no message of this spool", text.c);
    if (known || !r->id.n || r->id.n >= spool->next_id)
        return err_perm(err, "%s is not an id for a new message", text.c);
    if (r->file && !is_lent(spool, r->file))
        return err_perm(err, "own file %llu of %s is not lent", (unsigned long long)r->file, text.c);
    return true;
}

static bool batch_is_good(struct spool *spool, const struct spool_batch *batch, struct err *err)
{
    if (!batch->count || batch->count > SPOOL_RECORDS_MAX / 2 ||
        frame_octets(batch->count, batch->metas, batch->contents) >
            spool->options.segment_octets - SPOOL_BLOCK)
        return err_perm(err, "a batch of %u records, %llu octets is not one the spool can write",
                        batch->count, (unsigned long long)(batch->metas + batch->contents));
    for (uint32_t i = 0; i < batch->count; i++)
        if (!record_is_good(spool, batch, i, err))
            return false;
    size_t messages = spool->pending_messages + batch->messages;
    if (!spool_index_reserve(spool->index, messages, spool->pending_rare + batch->rare) ||
        !spool_tokens_reserve(&spool->tokens, messages))
        return err_temp(err, "no memory for one more message");
    return true;
}

/* What the state of the disk says to it at once; SPOOL_OK: it may be tried. */
static enum spool_status batch_chance(struct spool *spool, const struct spool_batch *batch)
{
    if (batch->how.owed)
        return SPOOL_OK;
    if (spool->latched)
        return SPOOL_FAILED;
    space_ask(spool);
    return spool->short_of_space ? SPOOL_NO_SPACE : SPOOL_OK;
}

bool spool_submit(struct spool *spool, struct spool_batch *batch, struct spool_submit how,
                  struct spool_commit *commit, struct err *err)
{
    pthread_mutex_lock(&spool->lock);
    if (!batch_is_good(spool, batch, err)) {
        pthread_mutex_unlock(&spool->lock);
        return false;
    }
    batch->how = how;
    batch->commit = commit;
    spool->pending_messages += batch->messages;
    spool->pending_rare += batch->rare;
    for (uint32_t i = 0; batch->files && i < batch->count; i++)
        if (batch->records[i].file)
            numbers_remove(&spool->files_lent, batch->records[i].file);

    enum spool_status chance = batch_chance(spool, batch);
    if (chance != SPOOL_OK) {
        for (uint32_t i = 0; batch->files && i < batch->count; i++)
            if (batch->records[i].file)
                numbers_add(&spool->files_dead, batch->records[i].file);
        batch_end(spool, batch, chance);
    } else if (batch->files) {
        list_append(&spool->syncing, &batch->node);
        pthread_cond_signal(&spool->content_cond);
    } else {
        batch_queue(spool, batch);
    }
    owner_wake(spool);
    pthread_mutex_unlock(&spool->lock);
    return true;
}

void spool_expect(struct spool *spool, unsigned sessions)
{
    pthread_mutex_lock(&spool->lock);
    spool->expected = sessions;
    if (spool->queued)
        commit_call(spool, spool_now_usec(spool), false);
    pthread_mutex_unlock(&spool->lock);
}
