/* spool/log.c -- the state that the records of the log make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/internal.h"

void log_refer(struct spool *spool, uint64_t where)
{
    struct spool_position p = spool_position_of(where);
    struct segment *s = where ? segments_find(&spool->segments, p.segment) : NULL;

    if (!s)
        return;
    s->refs++;
    s->live += spool_size_octets(p.size);
}

static void let_go(struct spool *spool, uint64_t where)
{
    struct spool_position p = spool_position_of(where);
    struct segment *s = where ? segments_find(&spool->segments, p.segment) : NULL;

    if (!s)
        return;
    s->refs--;
    s->live -= spool_size_octets(p.size);
}

/* Move a reference from position *AT to WHERE; 0 is no place. */
static void point(struct spool *spool, uint64_t *at, uint64_t where)
{
    log_refer(spool, where);
    let_go(spool, *at);
    *at = where;
}

static void apply_message(struct spool *spool, const struct change *change)
{
    spool_tokens_add(&spool->tokens, &change->token, change->id);
    if (change->id.n > spool->last_id)
        spool->last_id = change->id.n;
    if (change->file >= spool->next_file)
        spool->next_file = change->file + 1;
    if (spool_index_has(spool->index, change->id))
        return; /* the checkpoint was written after it */
    log_refer(spool, change->where);
    spool_index_add(spool->index, &(struct spool_entry_row){
                                      .id = change->id.n, .message = change->where, .file = change->file });
}

static void apply_end(struct spool *spool, struct spool_entry_row *row)
{
    if (row->file)
        numbers_add(&spool->files_dead, row->file);
    if (row->flags & SPOOL_ENTRY_HELD)
        spool->figures.held--;
    if (row->flags & SPOOL_ENTRY_DAMAGED)
        spool->figures.damaged--;
    point(spool, &row->message, 0);
    point(spool, &row->outcome, 0);
    point(spool, &row->hold, 0);
    point(spool, &row->edit, 0);
    spool_index_remove(spool->index, (struct queue_id){ row->id });
}

/*
 * Moved, with its edit. A copy comes before the end of its message, so that what is not there has ended while
 * the checkpoint was gathered, and the replay meets that end as well; or a frame was lost, and the copy is
 * all there is.
 */
static void apply_copy(struct spool *spool, const struct change *change)
{
    struct spool_entry_row row;

    if (!spool_index_get(spool->index, change->id, &row)) {
        log_refer(spool, change->where);
        spool_index_add(
            spool->index,
            &(struct spool_entry_row){ .id = change->id.n, .message = change->where, .file = change->file });
        return;
    }
    point(spool, &row.message, change->where);
    point(spool, &row.edit, 0);
    spool_index_set(spool->index, &row);
}

static void apply_hold(struct spool *spool, struct spool_entry_row *row, uint64_t where)
{
    spool->figures.held += (where != 0) - (uint64_t) !!(row->flags & SPOOL_ENTRY_HELD);
    row->flags = (row->flags & ~(uint32_t)SPOOL_ENTRY_HELD) | (where ? SPOOL_ENTRY_HELD : 0);
    point(spool, &row->hold, where);
}

void log_apply(struct spool *spool, const struct change *change)
{
    if (change->kind == SPOOL_KIND_MESSAGE) {
        apply_message(spool, change);
        return;
    }
    if (change->kind == SPOOL_KIND_COPY) {
        apply_copy(spool, change);
        return;
    }
    if (change->kind == SPOOL_KIND_VOID)
        spool_tokens_void(&spool->tokens, change->id);

    struct spool_entry_row row;
    if (!spool_index_get(spool->index, change->id, &row))
        return; /* it has ended: gone and void outlive what comes later (INV-7) */
    switch (change->kind) {
    case SPOOL_KIND_OUTCOME:
        if (change->version >= row.version) { /* INV-8; the same one is a copy of it */
            row.version = change->version;
            point(spool, &row.outcome, change->where);
        }
        break;
    case SPOOL_KIND_HOLD:
        apply_hold(spool, &row, change->where);
        break;
    case SPOOL_KIND_RELEASE:
        apply_hold(spool, &row, 0);
        break;
    case SPOOL_KIND_EDIT:
        point(spool, &row.edit, change->where);
        break;
    case SPOOL_KIND_GONE:
    case SPOOL_KIND_VOID:
        apply_end(spool, &row);
        return;
    case SPOOL_KIND_MESSAGE:
    case SPOOL_KIND_COPY:
    case SPOOL_KINDS:
        return;
    }
    spool_index_set(spool->index, &row);
}

void log_cause(struct spool *spool, int e, const char *what)
{
    const char *words = strerrordesc_np(e);

    snprintf(spool->figures.cause, sizeof(spool->figures.cause), "%s: %s", what,
             words ? words : "unknown error");
    spool->figures.failed_segment = spool->figures.failed_records = 0;
}

bool numbers_reserve(struct numbers *numbers, size_t extra)
{
    size_t want = numbers->count + extra;

    if (want <= numbers->room)
        return true;
    size_t room = numbers->room ? numbers->room * 2 : 16;
    while (room < want)
        room *= 2;
    uint64_t *at = realloc(numbers->at, room * sizeof(*at));
    if (!at)
        return false;
    numbers->at = at;
    numbers->room = room;
    return true;
}

void numbers_add(struct numbers *numbers, uint64_t n)
{
    if (numbers_reserve(numbers, 1))
        numbers->at[numbers->count++] = n;
}

bool numbers_remove(struct numbers *numbers, uint64_t n)
{
    for (size_t i = 0; i < numbers->count; i++) {
        if (numbers->at[i] != n)
            continue;
        numbers->at[i] = numbers->at[--numbers->count];
        return true;
    }
    return false;
}
