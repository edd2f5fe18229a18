/* spool/checkpoint.c -- the table of live messages, written from time to time (docs/SPOOL.md 6). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/internal.h"

enum { PIECE_OCTETS = 256 << 10, SLOTS_AT_ONCE = 1024 };

/* The body on its way out. */
struct sink {
    struct spool *spool;
    int fd;
    uint64_t at;
    unsigned char *piece;
    size_t n;
    struct spool_summer *summer;
    int e;
};

const char *checkpoint_name(unsigned slot)
{
    return slot ? "checkpoint-b" : "checkpoint-a";
}

static void sink_flush(struct sink *sink)
{
    if (sink->e || !sink->n)
        return;
    spool_summer_add(sink->summer, sink->piece, sink->n);
    sink->e = spool_disk_put(sink->spool->disk, sink->fd, sink->piece, sink->n, sink->at);
    sink->at += sink->n;
    sink->n = 0;
}

/* Room for a row of N octets, which divide a piece. */
static unsigned char *sink_room(struct sink *sink, size_t n)
{
    if (sink->n + n > PIECE_OCTETS)
        sink_flush(sink);
    if (sink->e)
        sink->n = 0;
    unsigned char *at = sink->piece + sink->n;
    sink->n += n;
    return at;
}

/* What has to be of one moment; with the lock. */
struct moment {
    struct spool_checkpoint_head head;
    struct spool_segment_row *segments;
    struct spool_token_row *tokens;
};

static void moment_done(struct moment *m)
{
    free(m->segments);
    free(m->tokens);
}

static void take_segments(struct spool *spool, struct moment *m)
{
    for (size_t i = 0; i < spool->segments.count; i++) {
        struct segment *s = spool->segments.at[i];
        if (s->state != SEGMENT_ACTIVE && s->state != SEGMENT_SEALED)
            continue;
        /* Not the one where replay begins, be it as dead as it may: the chain has to end in it. */
        if (segment_is_dead(s) && !s->dead_by && s->life != m->head.replay_life)
            s->dead_by = m->head.number;
        m->segments[m->head.segments++] = (struct spool_segment_row){
            .number = s->number,
            .flags = (s->damaged ? SPOOL_SEGMENT_DAMAGED : 0U) | (s->dead_by ? SPOOL_SEGMENT_DEAD : 0U),
            .life = s->life,
            .counts = s->counts,
            .blocks = s->blocks,
        };
    }
}

static int moment_take(struct spool *spool, struct moment *m)
{
    bool active = spool->active != NULL;

    *m = (struct moment){
        .head = {
            .number = spool->checkpoint_number + 1,
            .replay_life = active ? spool->active->life : spool->former_life,
            .replay_segment = active ? spool->active->number : spool->former_number,
            .replay_block = active ? spool->next_block : 0, /* 0: nothing of it */
            .replay_frame = spool->durable_frame + 1,
            .last_life = spool->next_life - 1,
            .next_file = spool->next_file,
            .last_id = spool->last_id,
            .utc_msec = spool->clock->utc_msec(spool->clock),
        },
        .segments = malloc((spool->segments.count + 1) * sizeof(*m->segments)),
        .tokens = malloc((spool->tokens.count + 1) * sizeof(*m->tokens)),
    };
    if (!m->segments || !m->tokens)
        return ENOMEM;
    take_segments(spool, m);
    for (size_t i = 0; i < spool->tokens.count; i++)
        m->tokens[m->head.tokens++] = *spool_tokens_at(&spool->tokens, i);
    return 0;
}

/* One of the two tables of the index, and how a row of it is written. */
struct table {
    size_t (*slots)(const struct spool_index *index);
    bool (*at)(const struct spool_index *index, size_t slot, struct spool_entry_row *row);
    void (*put)(const struct spool_entry_row *row, unsigned char *to);
    size_t octets;
};

static const struct table entries = { spool_index_slots, spool_index_at, spool_entry_row_put, SPOOL_ENTRY_ROW };
static const struct table rare = { spool_index_rare_slots, spool_index_rare_at, spool_rare_row_put, SPOOL_RARE_ROW };

/* Gives the number of rows. Commits go on between the pieces: what they change is said again by the replay. */
static size_t put_table(struct sink *sink, const struct table *table)
{
    struct spool *spool = sink->spool;
    size_t slot = 0, rows = 0;
    bool more = true;

    while (more && !sink->e) {
        sink_flush(sink);
        pthread_mutex_lock(&spool->lock);
        size_t end = table->slots(spool->index);
        for (size_t n = 0; slot < end && n < SLOTS_AT_ONCE; n++, slot++) {
            struct spool_entry_row row;
            if (!table->at(spool->index, slot, &row))
                continue;
            table->put(&row, sink_room(sink, table->octets));
            rows++;
        }
        more = slot < end;
        pthread_mutex_unlock(&spool->lock);
    }
    return rows;
}

/*
 * The file is made longer than it needs to be, while there is space: a full disk must not keep a checkpoint
 * from being written that gives segments free. A quarter is what comes to the table until the next one at
 * most.
 */
static void put_margin(struct sink *sink)
{
    struct spool *spool = sink->spool;
    uint64_t want = sink->at + sink->at / 4 + spool->options.segment_octets / 16, length = 0;

    if (spool->disk->ops->length(spool->disk, sink->fd, &length) || length >= sink->at + sink->at / 8)
        return;
    memset(sink->piece, 0, PIECE_OCTETS);
    for (uint64_t at = length > sink->at ? length : sink->at; at < want; at += PIECE_OCTETS) {
        size_t n = want - at < PIECE_OCTETS ? (size_t)(want - at) : PIECE_OCTETS;
        if (spool_disk_put(spool->disk, sink->fd, sink->piece, n, at))
            return; /* this one is written; the next may have to wait */
    }
}

static int put_all(struct sink *sink, struct moment *m)
{
    struct spool *spool = sink->spool;
    unsigned char head[SPOOL_CHECKPOINT_HEAD];

    for (uint32_t i = 0; i < m->head.segments; i++)
        spool_segment_row_put(&m->segments[i], sink_room(sink, SPOOL_SEGMENT_ROW));
    m->head.entries = put_table(sink, &entries);
    /* After the entries: whose hold or edit came meanwhile has it said again by the replay as well. */
    m->head.rare = (uint32_t)put_table(sink, &rare);
    for (uint32_t i = 0; i < m->head.tokens; i++)
        spool_token_row_put(&m->tokens[i], sink_room(sink, SPOOL_TOKEN_ROW));
    sink_flush(sink);
    m->head.body_sum = spool_summer_end(sink->summer);
    sink->summer = NULL;
    if (sink->e)
        return sink->e;
    put_margin(sink);
    spool_checkpoint_head_put(&spool->secret, &m->head, head);
    int e = spool_disk_put(spool->disk, sink->fd, head, sizeof(head), 0);
    return e ? e : spool->disk->ops->sync(spool->disk, sink->fd);
}

static int open_slot(struct spool *spool, unsigned slot, int *fd)
{
    struct spool_disk *disk = spool->disk;
    int e = disk->ops->open(disk, checkpoint_name(slot), SPOOL_OPEN_WRITE, fd);

    if (e != ENOENT)
        return e;
    e = disk->ops->open(disk, checkpoint_name(slot), SPOOL_OPEN_NEW, fd);
    if (e)
        return e;
    e = disk->ops->sync_folder(disk);
    if (e)
        disk->ops->close(disk, *fd);
    return e;
}

static int moment_write(struct spool *spool, struct moment *m, unsigned slot)
{
    struct sink sink = { .spool = spool, .fd = -1, .at = SPOOL_BLOCK };
    int e = open_slot(spool, slot, &sink.fd);

    if (e)
        return e;
    sink.piece = malloc(PIECE_OCTETS);
    sink.summer = spool_summer_new(&spool->secret, m->head.number, SPOOL_BLOCK);
    if (sink.piece && sink.summer)
        e = put_all(&sink, m);
    else
        e = ENOMEM;
    if (sink.summer)
        spool_summer_end(sink.summer);
    free(sink.piece);
    spool->disk->ops->close(spool->disk, sink.fd);
    return e;
}

/* Both checkpoints were begun when they were dead (INV-10). */
static void reclaim(struct spool *spool)
{
    for (size_t i = 0; i < spool->segments.count; i++) {
        struct segment *s = spool->segments.at[i];
        if (!segment_is_dead(s) || !s->dead_by || s->dead_by >= spool->checkpoint_number)
            continue;
        bool small = (uint64_t)s->blocks * SPOOL_BLOCK < spool->options.segment_octets;
        s->state = small ? SEGMENT_RAW : SEGMENT_FREE;
        s->dead_by = 0;
        s->kept = false;
    }
    pthread_cond_signal(&spool->commit_cond);
}

int checkpoint_write(struct spool *spool)
{
    struct moment m;

    pthread_mutex_lock(&spool->lock);
    int e = moment_take(spool, &m);
    unsigned slot = spool->checkpoint_slot;
    uint64_t since = spool->written_since;
    pthread_mutex_unlock(&spool->lock);
    if (!e)
        e = moment_write(spool, &m, slot);
    if (!e) {
        pthread_mutex_lock(&spool->lock);
        spool->checkpoint_number = m.head.number;
        spool->checkpoint_slot = !slot;
        spool->checkpoint_octets =
            SPOOL_BLOCK + m.head.entries * SPOOL_ENTRY_ROW + (uint64_t)m.head.rare * SPOOL_RARE_ROW;
        spool->written_since -= since;
        spool->figures.checkpoints++;
        reclaim(spool);
        pthread_mutex_unlock(&spool->lock);
    }
    moment_done(&m);
    return e;
}
