/* spool/replay.c -- the frames after the checkpoint; which end is tail and which is damage (INV-4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "spool/recovery.h"

static bool disk_failed(struct recovery *rec, const struct reader *r)
{
    return err_sys(rec->err, r->e, "read %s", spool_segment_name(r->segment).c);
}

/* A record of which no more is left than its row: the message is set aside. */
static void apply_damaged(struct recovery *rec, const struct spool_row *row, uint64_t where)
{
    struct spool *spool = rec->spool;
    struct change change = { .kind = row->kind, .id = row->id, .where = where };

    if (row->kind == SPOOL_KIND_COPY) { /* what it was copied from is still there (INV-10) */
        recovery_note(rec, "a copy of %s is damaged in %s", queue_id_text(row->id).c,
                      spool_segment_name(rec->reader.segment).c);
        return;
    }
    if (row->kind == SPOOL_KIND_MESSAGE)
        spool->orphans_stay = true; /* it may name one */
    if (row->kind != SPOOL_KIND_OUTCOME)
        log_apply(spool, &change);
    struct spool_entry_row entry;
    if (spool_index_get(spool->index, row->id, &entry) && !(entry.flags & SPOOL_ENTRY_DAMAGED)) {
        entry.flags |= SPOOL_ENTRY_DAMAGED;
        spool_index_set(spool->index, &entry);
        spool->figures.damaged++;
    }
    recovery_note(rec, "%s is damaged in %s", queue_id_text(row->id).c,
                  spool_segment_name(rec->reader.segment).c);
}

static bool apply_found(struct recovery *rec, const struct reader_found *found, uint64_t where)
{
    struct change change = { .kind = found->row.kind, .id = found->row.id, .where = where };
    struct spool_message_meta meta;
    struct str text;

    if (spool_kind_is_message(change.kind)) {
        if (!spool_message_meta_get(found->meta, found->row.content_octets, &meta, &text))
            return false;
        change.file = meta.file;
        change.token = meta.token;
    } else if (change.kind == SPOOL_KIND_OUTCOME &&
               !spool_outcome_meta_get(found->meta, &change.version, &text)) {
        return false;
    }
    log_apply(rec->spool, &change);
    return true;
}

static bool apply_frame(struct recovery *rec, uint32_t segment)
{
    struct spool *spool = rec->spool;
    struct reader *r = &rec->reader;
    uint32_t records = r->head.records;

    if (!spool_index_reserve(spool->index, records, records) ||
        !spool_tokens_reserve(&spool->tokens, records))
        return err_sys(rec->err, ENOMEM, "recovery");
    for (uint32_t i = 0; i < records; i++) {
        struct reader_found found;
        bool named;
        bool good = reader_row(r, i, &found, &named);
        uint64_t where = named ? spool_row_position(&found.row, segment, rec->block, i) : 0;
        if (good && apply_found(rec, &found, where))
            continue;
        if (r->e)
            return disk_failed(rec, r);
        if (!named)
            return err_perm(rec->err, "%s has a record of a kind that this veredus does not know",
                            spool_segment_name(segment).c);
        apply_damaged(rec, &found.row, where);
    }
    spool->recovered.frames++;
    spool->written_since += (uint64_t)r->head.blocks * SPOOL_BLOCK;
    return true;
}

/* Every octet of the frame is there: asked of the last one, of which nothing says that it is durable. */
static bool frame_is_whole(struct recovery *rec, bool *whole)
{
    struct reader *r = &rec->reader;

    *whole = false;
    for (uint32_t i = 0; i < r->head.records; i++) {
        struct reader_found found;
        struct spool_message_meta meta;
        struct str envelope;
        bool named;
        if (!reader_row(r, i, &found, &named))
            return r->e ? disk_failed(rec, r) : true;
        if (!spool_kind_is_message(found.row.kind))
            continue;
        if (!spool_message_meta_get(found.meta, found.row.content_octets, &meta, &envelope))
            return true;
        if (!reader_sum(r, found.content, found.row.content_octets, meta.content_sum))
            return r->e ? disk_failed(rec, r) : true;
    }
    *whole = true;
    return true;
}

/* Among the COUNT blocks of PIECE, which is from BLOCK of the file: the first frame that knows ABOVE to be
 * durable. */
static uint32_t knowing_frame(struct recovery *rec, const struct file *file, uint32_t block, uint32_t count,
                              uint64_t above)
{
    struct reader *probe = &rec->probe;

    for (uint32_t i = 0; i < count; i++) {
        size_t need;
        struct spool_frame_head head;
        struct str in =
            str_of((const char *)rec->piece + (size_t)i * SPOOL_BLOCK, (size_t)(count - i) * SPOOL_BLOCK);
        enum spool_frame_scan scan = spool_frame_head_get(
            probe->secret, file->head.life, (uint64_t)(block + i) * SPOOL_BLOCK, in, &head, &need);
        if (scan == SPOOL_FRAME_MORE &&
            reader_frame(probe, (struct spool_position){ file->number, block + i, 0 }, file->head.life)) {
            head = probe->head;
            scan = SPOOL_FRAME_OK;
        }
        if (scan == SPOOL_FRAME_OK && head.number > above && head.durable >= above)
            return block + i;
    }
    return 0;
}

/*
 * The first block from FROM on where a frame of this life begins that knows ABOVE to be durable; *at is 0
 * when there is none. Mostly it is the very first, so little is read to begin with.
 */
static bool look_ahead(struct recovery *rec, const struct file *file, uint32_t from, uint64_t above,
                       uint32_t *at)
{
    struct reader *probe = &rec->probe;
    uint32_t step = 4, blocks = file->head.blocks;

    *at = 0;
    if (!reader_open(probe, file->number))
        return disk_failed(rec, probe);
    for (uint32_t block = from; !*at && block < blocks; block += step, step = RECOVERY_PIECE / SPOOL_BLOCK) {
        size_t got = 0;
        uint32_t n = blocks - block < step ? blocks - block : step;
        probe->e = probe->disk->ops->pread(probe->disk, probe->fd, rec->piece, (size_t)n * SPOOL_BLOCK,
                                           (uint64_t)block * SPOOL_BLOCK, &got);
        if (probe->e)
            return disk_failed(rec, probe);
        *at = knowing_frame(rec, file, block, (uint32_t)(got / SPOOL_BLOCK), above);
    }
    return true;
}

/* The frame at rec->block is good so far as its head goes, and the one expected. */
static bool head_is_next(struct recovery *rec, const struct file *file, bool *next)
{
    struct reader *r = &rec->reader;
    struct spool_position p = { file->number, rec->block, 0 };

    *next = rec->block < file->head.blocks && reader_frame(r, p, file->head.life) &&
            r->head.number == rec->expect && r->head.blocks <= file->head.blocks - rec->block;
    return *next || !r->e ? true : disk_failed(rec, r);
}

/* Durable once, unreadable now: go on at AT, or at the end of this segment. */
static void lose(struct recovery *rec, struct segment *segment, const struct link *link, uint32_t at)
{
    struct spool *spool = rec->spool;
    uint64_t next = link->counts + 1;

    if (at && reader_frame(&rec->reader, (struct spool_position){ segment->number, at, 0 }, segment->life))
        next = rec->reader.head.number;
    if (next > link->counts) {
        next = link->counts + 1; /* what follows failed to sync and does not count */
        at = 0;
    }
    spool->recovered.lost_frames += next - rec->expect;
    recovery_note(rec, "frames %llu to %llu in %s cannot be read", (unsigned long long)rec->expect,
                  (unsigned long long)next - 1, spool_segment_name(segment->number).c);
    segment->damaged = true;
    spool->orphans_stay = true;
    rec->expect = next;
    rec->block = at ? at : link->file->head.blocks;
}

static void drop_tail(struct recovery *rec, bool head_good)
{
    struct spool *spool = rec->spool;

    spool->recovered.dropped_frames++;
    if (head_good)
        spool->recovered.dropped_records += rec->reader.head.records;
    rec->dropped = true;
    recovery_note(rec, "a frame that was never acknowledged was dropped");
}

/* The block where the next frame would be looks as if one had been begun there. */
static bool was_begun(const struct recovery *rec, const struct file *file)
{
    const struct reader *r = &rec->reader;
    static const unsigned char magic[4] = "VSfr";

    return rec->block < file->head.blocks && r->octets && r->block == rec->block &&
           !memcmp(r->octets, magic, 4) && le64_get(r->octets + 8) == file->head.life;
}

/* One frame, or the end. *more: there may be another. */
static bool replay_frame(struct recovery *rec, const struct link *link, struct segment *segment, bool *more)
{
    const struct file *file = link->file;
    bool tail = link->counts == UINT64_MAX, next, whole = true;
    uint32_t later = 0;

    *more = false;
    if (rec->expect > link->counts)
        return true;
    if (!head_is_next(rec, file, &next))
        return false;
    uint32_t after = rec->block + (next ? rec->reader.head.blocks : 1);
    if (tail || !next) {
        if (!look_ahead(rec, file, after, rec->expect, &later))
            return false;
    }
    if (next && tail && !later && !frame_is_whole(rec, &whole))
        return false;
    if (next && whole) {
        if (!apply_frame(rec, file->number))
            return false;
        rec->block = after;
        rec->expect++;
        *more = true;
        return true;
    }
    if (later || !tail) {
        lose(rec, segment, link, later);
        *more = later != 0;
        return true;
    }
    if (next || was_begun(rec, file))
        drop_tail(rec, next);
    return true;
}

static bool replay_segment(struct recovery *rec, const struct link *link)
{
    struct spool *spool = rec->spool;
    const struct file *file = link->file;
    struct segment *segment = segments_find(&spool->segments, file->number);
    bool more = true;

    segment->state = SEGMENT_SEALED;
    segment->life = file->head.life;
    segment->blocks = file->head.blocks;
    rec->block = 1;
    rec->expect = file->head.first_frame;
    if (file->head.life == rec->checkpoint.replay_life) {
        rec->block = rec->checkpoint.replay_block;
        rec->expect = rec->checkpoint.replay_frame;
    }
    while (more)
        if (!replay_frame(rec, link, segment, &more))
            return false;
    segment->counts = rec->expect - 1;
    spool->former_life = segment->life;
    spool->former_number = segment->number;
    spool->former_counts = segment->counts;
    return true;
}

bool recovery_replay(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    const struct spool_checkpoint_head *from = &rec->checkpoint;

    spool->former_life = from->replay_life;
    spool->former_number = from->replay_segment;
    spool->former_counts = from->number ? from->replay_frame - 1 : 0;
    rec->expect = from->number ? from->replay_frame : 1;
    for (size_t i = rec->chain_count; i-- > 0;)
        if (!replay_segment(rec, &rec->chain[i]))
            return false;
    spool->durable_frame = rec->expect - 1;
    spool->next_frame = rec->expect + rec->dropped;
    return true;
}
