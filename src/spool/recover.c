/* spool/recover.c -- from what is on disk to the state of all messages (docs/SPOOL.md 9). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "spool/internal.h"
#include "spool/reader.h"

enum { PIECE_BLOCKS = 64 };

/* A file of the log as its header says, or, without a good one, as its first frame does. */
struct file {
    uint32_t number;
    bool known;
    bool guessed; /* the header is unreadable */
    struct spool_segment_head head;
};

/* A segment that is read: a link of the chain. */
struct link {
    const struct file *file;
    uint64_t counts; /* up to this frame; all ones: up to the tail */
};

struct recovery {
    struct spool *spool;
    struct err *err;
    struct numbers logs, owns; /* found in the folder */
    struct file *files;
    size_t file_count;
    struct link *chain; /* newest first */
    size_t chain_count;
    struct spool_checkpoint_head checkpoint; /* number 0: none */
    unsigned char *body;                     /* of it */
    struct reader reader;
    struct reader probe; /* looks ahead, so that the other keeps its frame */
    unsigned char *piece;
    bool oom;
    /* where replay stands */
    uint32_t block;
    uint64_t expect;
    bool dropped;
};

static void note(struct recovery *rec, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* One more reason for the text that people read; what does not fit is left out. */
static void note(struct recovery *rec, const char *fmt, ...)
{
    char *text = rec->spool->recovered.text;
    size_t n = strlen(text);
    va_list ap;

    if (n && n + 2 < SPOOL_TEXT_MAX) {
        memcpy(text + n, "; ", 3);
        n += 2;
    }
    va_start(ap, fmt);
    vsnprintf(text + n, SPOOL_TEXT_MAX - n, fmt, ap);
    va_end(ap);
}

/* ---- what there is ---- */

static void on_name(void *ctx, const char *name)
{
    struct recovery *rec = ctx;
    uint64_t number;
    struct numbers *to;

    switch (spool_name_parse(str_from_c(name), &number)) {
    case SPOOL_NAME_SEGMENT:
        to = &rec->logs;
        break;
    case SPOOL_NAME_OWN:
        to = &rec->owns;
        break;
    default:
        return;
    }
    if (numbers_reserve(to, 1))
        numbers_add(to, number);
    else
        rec->oom = true;
}

/* Sync, drop from the cache: what is read after this is what is on the disk (INV-9). */
static bool make_true(struct recovery *rec, const char *name)
{
    struct spool_disk *disk = rec->spool->disk;
    int fd, e = disk->ops->open(disk, name, SPOOL_OPEN_READ, &fd);

    if (e == ENOENT)
        return true;
    if (e)
        return err_sys(rec->err, e, "open %s", name);
    e = disk->ops->sync(disk, fd);
    if (!e)
        e = disk->ops->forget(disk, fd);
    disk->ops->close(disk, fd);
    return e ? err_sys(rec->err, e, "sync %s", name) : true;
}

static bool make_all_true(struct recovery *rec)
{
    struct spool_disk *disk = rec->spool->disk;
    int e = disk->ops->sync_folder(disk);

    if (!e)
        e = disk->ops->list(disk, on_name, rec);
    if (!e && rec->oom)
        e = ENOMEM;
    if (e)
        return err_sys(rec->err, e, "read the folder of the spool");
    if (!make_true(rec, "start") || !make_true(rec, checkpoint_name(0)) || !make_true(rec, checkpoint_name(1)))
        return false;
    for (size_t i = 0; i < rec->logs.count; i++)
        if (!make_true(rec, spool_segment_name((uint32_t)rec->logs.at[i]).c))
            return false;
    return true;
}

/* ---- start ---- */

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
    e = spool_disk_put(disk, fd, out, sizeof(out), at);
    if (!e)
        e = disk->ops->sync(disk, fd);
    disk->ops->close(disk, fd);
    return e || !made ? e : disk->ops->sync_folder(disk);
}

static bool start_read(struct recovery *rec)
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

/* ---- headers ---- */

static bool read_block(struct recovery *rec, int fd, uint64_t at, unsigned char *to, size_t n, bool *there)
{
    int e = spool_disk_read(rec->spool->disk, fd, to, n, at);

    *there = !e;
    return !e || e == ENODATA ? true : err_sys(rec->err, e, "read the log");
}

/* The header is lost: the first frame, if it is good, knows the life and the last frame before it. */
static bool guess_head(struct recovery *rec, struct file *file, uint64_t length, const unsigned char *block)
{
    uint64_t life = le64_get(block + 8);

    if (!life || !reader_frame(&rec->reader, (struct spool_position){ file->number, 1, 0 }, life))
        return !rec->reader.e;
    file->known = file->guessed = true;
    file->head = (struct spool_segment_head){
        .number = file->number,
        .blocks = (uint32_t)(length / SPOOL_BLOCK),
        .life = life,
        .first_frame = rec->reader.head.number,
        .former_counts = rec->reader.head.durable,
    };
    return true;
}

static bool file_read_head(struct recovery *rec, struct file *file, struct segment *segment, int fd, uint64_t length)
{
    struct spool *spool = rec->spool;
    unsigned char in[SPOOL_SEGMENT_HEAD] = { 0 };
    bool there;

    segment->blocks = (uint32_t)(length / SPOOL_BLOCK > SPOOL_BLOCKS_MAX ? SPOOL_BLOCKS_MAX : length / SPOOL_BLOCK);
    if (!read_block(rec, fd, 0, in, sizeof(in), &there))
        return false;
    if (there && spool_segment_head_get(&spool->secret, str_of((const char *)in, sizeof(in)), &file->head) &&
        file->head.number == file->number) {
        file->known = true;
    } else {
        if (!read_block(rec, fd, SPOOL_BLOCK, in, sizeof(in), &there))
            return false;
        if (there && !guess_head(rec, file, length, in))
            return err_sys(rec->err, rec->reader.e, "read the log");
    }
    if (file->known)
        segment->life = file->head.life;
    return true;
}

static bool read_heads(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    struct spool_disk *disk = spool->disk;

    rec->files = calloc(rec->logs.count + 1, sizeof(*rec->files));
    if (!rec->files)
        return err_sys(rec->err, ENOMEM, "recovery");
    for (size_t i = 0; i < rec->logs.count; i++) {
        struct file *file = &rec->files[rec->file_count++];
        uint64_t length = 0;
        int fd;
        file->number = (uint32_t)rec->logs.at[i];
        struct segment *segment = segments_add(&spool->segments, file->number);
        int e = segment ? disk->ops->open(disk, spool_segment_name(file->number).c, SPOOL_OPEN_READ, &fd) : ENOMEM;
        if (e)
            return err_sys(rec->err, e, "open %s", spool_segment_name(file->number).c);
        e = disk->ops->length(disk, fd, &length);
        bool ok = !e && file_read_head(rec, file, segment, fd, length);
        disk->ops->close(disk, fd);
        if (!ok)
            return e ? err_sys(rec->err, e, "read the log") : false;
    }
    return true;
}

/* ---- checkpoint ---- */

static bool read_checkpoints(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    unsigned bad = 0;

    for (unsigned slot = 0; slot < 2; slot++) {
        struct spool_checkpoint_head head;
        unsigned char *body;
        int e;
        enum checkpoint_read got = checkpoint_load(spool, slot, &head, &body, &e);
        if (e && e != ENODATA)
            return err_sys(rec->err, e, "read %s", checkpoint_name(slot));
        bad += got == CHECKPOINT_BAD;
        if (got != CHECKPOINT_OK)
            continue;
        if (head.number < rec->checkpoint.number) {
            free(body);
            continue;
        }
        free(rec->body);
        rec->body = body;
        rec->checkpoint = head;
        spool->checkpoint_slot = !slot;
    }
    spool->checkpoint_number = rec->checkpoint.number;
    spool->checkpoint_octets = SPOOL_BLOCK + rec->checkpoint.entries * SPOOL_ENTRY_ROW;
    if (bad == 2)
        note(rec, "no checkpoint can be read");
    return true;
}

static const struct file *file_of(const struct recovery *rec, uint32_t number)
{
    for (size_t i = 0; i < rec->file_count; i++)
        if (rec->files[i].number == number)
            return &rec->files[i];
    return NULL;
}

static void load_segment(struct recovery *rec, const struct spool_segment_row *row)
{
    struct segment *s = segments_find(&rec->spool->segments, row->number);
    const struct file *file = file_of(rec, row->number);

    if (!s) {
        note(rec, "%s is missing", spool_segment_name(row->number).c);
        return;
    }
    if (file->known && file->head.life != row->life)
        return; /* it has begun another life since */
    s->state = SEGMENT_SEALED;
    s->life = row->life;
    s->counts = row->counts;
    s->blocks = row->blocks;
    s->damaged = row->flags & SPOOL_SEGMENT_DAMAGED;
    rec->spool->orphans_stay |= s->damaged;
}

static void refer(struct spool *spool, uint64_t where)
{
    struct segment *s = where ? segments_find(&spool->segments, spool_position_of(where).segment) : NULL;

    if (s)
        s->refs++;
}

static void load_entry(struct spool *spool, const struct spool_entry_row *row)
{
    struct queue_id id = { row->id };

    if (!row->id || spool_index_find(spool->index, id))
        return;
    *spool_index_add(spool->index, id) = *row;
    refer(spool, row->message);
    refer(spool, row->outcome);
    refer(spool, row->hold);
    refer(spool, row->edit);
    spool->figures.held += (row->flags & SPOOL_ENTRY_HELD) != 0;
    spool->figures.damaged += (row->flags & SPOOL_ENTRY_DAMAGED) != 0;
    if (row->id > spool->last_id)
        spool->last_id = row->id;
}

static bool load_checkpoint(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    const struct spool_checkpoint_head *head = &rec->checkpoint;
    const unsigned char *p = rec->body;

    if (!head->number)
        return true;
    if (!spool_index_reserve(spool->index, head->entries) || !spool_tokens_reserve(&spool->tokens, head->tokens))
        return err_sys(rec->err, ENOMEM, "recovery");
    for (uint32_t i = 0; i < head->segments; i++, p += SPOOL_SEGMENT_ROW) {
        struct spool_segment_row row;
        spool_segment_row_get(p, &row);
        load_segment(rec, &row);
    }
    for (uint64_t i = 0; i < head->entries; i++, p += SPOOL_ENTRY_ROW) {
        struct spool_entry_row row;
        spool_entry_row_get(p, &row);
        load_entry(spool, &row);
    }
    for (uint32_t i = 0; i < head->tokens; i++, p += SPOOL_TOKEN_ROW) {
        struct spool_token_row row;
        spool_token_row_get(p, &row);
        spool_tokens_add(&spool->tokens, &row.token, (struct queue_id){ row.id });
        if (row.flags & SPOOL_TOKEN_FLAG_VOID)
            spool_tokens_void(&spool->tokens, (struct queue_id){ row.id });
    }
    if (head->last_id > spool->last_id)
        spool->last_id = head->last_id;
    if (head->next_file > spool->next_file)
        spool->next_file = head->next_file;
    return true;
}

/* ---- chain ---- */

/* The file with the highest life below BELOW. */
static const struct file *newest_below(const struct recovery *rec, uint64_t below)
{
    const struct file *best = NULL;

    for (size_t i = 0; i < rec->file_count; i++) {
        const struct file *f = &rec->files[i];
        if (f->known && f->head.life < below && (!best || f->head.life > best->head.life))
            best = f;
    }
    return best;
}

static const struct file *file_of_life(const struct recovery *rec, uint64_t life)
{
    const struct file *f = newest_below(rec, life + 1);

    return f && f->head.life == life ? f : NULL;
}

/* The one that FILE follows; NULL: there is none to read. */
static bool former_of(struct recovery *rec, const struct file *file, const struct file **former)
{
    const struct spool_checkpoint_head *from = &rec->checkpoint;
    uint64_t life = file->head.former_life;

    *former = NULL;
    if (file->guessed) {
        *former = newest_below(rec, file->head.life);
        if (*former && (*former)->head.life < from->replay_life)
            *former = NULL;
        return true;
    }
    if (!life || (life == from->replay_life && !from->replay_block))
        return true;
    *former = file_of_life(rec, life);
    if (!*former && !from->number)
        return err_temp(rec->err, "no checkpoint of the spool can be read, and its log has no beginning: messages long "
                                  "delivered would return. Restore checkpoint-a or checkpoint-b from a backup");
    if (!*former && life >= from->replay_life) {
        note(rec, "the segment before %s is missing", spool_segment_name(file->number).c);
        rec->spool->recovered.lost_frames++;
        rec->spool->orphans_stay = true;
        *former = newest_below(rec, life);
    }
    if (*former && (*former)->head.life < from->replay_life)
        *former = NULL;
    return true;
}

static bool find_chain(struct recovery *rec)
{
    const struct spool_checkpoint_head *from = &rec->checkpoint;
    const struct file *file = newest_below(rec, UINT64_MAX), *former = NULL;
    uint64_t counts = UINT64_MAX;

    rec->chain = calloc(rec->file_count + 1, sizeof(*rec->chain));
    if (!rec->chain)
        return err_sys(rec->err, ENOMEM, "recovery");
    while (file && file->head.life >= from->replay_life) {
        if (file->head.life == from->replay_life && !from->replay_block)
            break;
        rec->chain[rec->chain_count++] = (struct link){ .file = file, .counts = counts };
        if (file->head.life == from->replay_life)
            break;
        if (!former_of(rec, file, &former))
            return false;
        counts = file->head.former_counts;
        file = former;
    }
    return true;
}

/* ---- replay ---- */

static bool disk_failed(struct recovery *rec, const struct reader *r)
{
    return err_sys(rec->err, r->e, "read %s", spool_segment_name(r->segment).c);
}

/* A record of which no more is left than its row: the message is set aside. */
static void apply_damaged(struct recovery *rec, const struct spool_row *row, uint64_t where)
{
    struct spool *spool = rec->spool;
    struct change change = { .kind = row->kind, .id = row->id, .where = where };

    if (row->kind == SPOOL_KIND_MESSAGE)
        spool->orphans_stay = true; /* it may name one */
    if (row->kind != SPOOL_KIND_OUTCOME)
        log_apply(spool, &change);
    struct spool_entry_row *entry = spool_index_find(spool->index, row->id);
    if (entry && !(entry->flags & SPOOL_ENTRY_DAMAGED)) {
        entry->flags |= SPOOL_ENTRY_DAMAGED;
        spool->figures.damaged++;
    }
    note(rec, "%s is damaged in %s", queue_id_text(row->id).c, spool_segment_name(rec->reader.segment).c);
}

static bool apply_found(struct recovery *rec, const struct reader_found *found, uint64_t where)
{
    struct change change = { .kind = found->row.kind, .id = found->row.id, .where = where };
    struct spool_message_meta meta;
    struct str text;

    if (change.kind == SPOOL_KIND_MESSAGE) {
        if (!spool_message_meta_get(found->meta, found->row.content_octets, &meta, &text))
            return false;
        change.file = meta.file;
        change.token = meta.token;
    } else if (change.kind == SPOOL_KIND_OUTCOME && !spool_outcome_meta_get(found->meta, &change.version, &text)) {
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

    if (!spool_index_reserve(spool->index, records) || !spool_tokens_reserve(&spool->tokens, records))
        return err_sys(rec->err, ENOMEM, "recovery");
    for (uint32_t i = 0; i < records; i++) {
        struct reader_found found;
        bool named;
        uint64_t where = spool_position_pack((struct spool_position){ segment, rec->block, i });
        if (reader_row(r, i, &found, &named) && apply_found(rec, &found, where))
            continue;
        if (r->e)
            return disk_failed(rec, r);
        if (!named)
            return err_perm(rec->err, "%s has a record of a kind that this veredus does not know",
                            spool_segment_name(segment).c);
        apply_damaged(rec, &found.row, where);
    }
    spool->recovered.frames++;
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
        if (found.row.kind != SPOOL_KIND_MESSAGE)
            continue;
        if (!spool_message_meta_get(found.meta, found.row.content_octets, &meta, &envelope))
            return true;
        if (!reader_sum(r, found.content, found.row.content_octets, meta.content_sum))
            return r->e ? disk_failed(rec, r) : true;
    }
    *whole = true;
    return true;
}

/* Among the COUNT blocks of PIECE, which is from BLOCK of the file: the first frame that knows ABOVE to be durable. */
static uint32_t knowing_frame(struct recovery *rec, const struct file *file, uint32_t block, uint32_t count,
                              uint64_t above)
{
    struct reader *probe = &rec->probe;

    for (uint32_t i = 0; i < count; i++) {
        size_t need;
        struct spool_frame_head head;
        struct str in = str_of((const char *)rec->piece + (size_t)i * SPOOL_BLOCK, (size_t)(count - i) * SPOOL_BLOCK);
        enum spool_frame_scan scan = spool_frame_head_get(probe->secret, file->head.life,
                                                          (uint64_t)(block + i) * SPOOL_BLOCK, in, &head, &need);
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
 * The first block from FROM on where a frame of this life begins that knows ABOVE to be durable; *at is 0 when there
 * is none. Mostly it is the very first, so little is read to begin with.
 */
static bool look_ahead(struct recovery *rec, const struct file *file, uint32_t from, uint64_t above, uint32_t *at)
{
    struct reader *probe = &rec->probe;
    uint32_t step = 4, blocks = file->head.blocks;

    *at = 0;
    if (!reader_open(probe, file->number))
        return disk_failed(rec, probe);
    for (uint32_t block = from; !*at && block < blocks; block += step, step = PIECE_BLOCKS) {
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

    *next = rec->block < file->head.blocks && reader_frame(r, p, file->head.life) && r->head.number == rec->expect &&
            r->head.blocks <= file->head.blocks - rec->block;
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
    note(rec, "frames %llu to %llu in %s cannot be read", (unsigned long long)rec->expect, (unsigned long long)next - 1,
         spool_segment_name(segment->number).c);
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
    note(rec, "a frame that was never acknowledged was dropped");
}

/* The block where the next frame would be looks as if one had been begun there. */
static bool was_begun(const struct recovery *rec, const struct file *file)
{
    const struct reader *r = &rec->reader;
    static const unsigned char magic[4] = "VSfr";

    return rec->block < file->head.blocks && r->octets && r->block == rec->block && !memcmp(r->octets, magic, 4) &&
           le64_get(r->octets + 8) == file->head.life;
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

static bool replay(struct recovery *rec)
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

/* ---- after it ---- */

/* New frames follow the last good one, unless one was dropped there or the header is lost (docs/SPOOL.md 9). */
static bool go_on(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    const struct file *last = rec->chain_count ? rec->chain[0].file : NULL;

    for (size_t i = 0; i < spool->segments.count; i++) {
        struct segment *s = spool->segments.at[i];
        bool first = !rec->chain_count && !rec->checkpoint.number && s->blocks > 2;
        if (s->state == SEGMENT_RAW &&
            ((uint64_t)s->blocks * SPOOL_BLOCK >= spool->options.segment_octets || first))
            s->state = SEGMENT_FREE;
    }
    if (!last || rec->dropped || last->guessed || rec->block >= last->head.blocks)
        return true;
    struct segment *active = segments_find(&spool->segments, last->number);
    int e = spool->disk->ops->open(spool->disk, spool_segment_name(last->number).c, SPOOL_OPEN_WRITE,
                                   &spool->active_fd);
    if (e) {
        spool->active_fd = -1;
        return err_sys(rec->err, e, "open %s", spool_segment_name(last->number).c);
    }
    active->state = SEGMENT_ACTIVE;
    active->counts = UINT64_MAX;
    spool->active = active;
    spool->next_block = rec->block;
    return true;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The numbers of this run, durable before anything else is written. */
static bool begin_run(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    int64_t now = spool->clock->utc_msec(spool->clock);
    uint64_t life = rec->checkpoint.last_life;

    for (size_t i = 0; i < rec->file_count; i++)
        if (rec->files[i].known)
            life = max_u64(life, rec->files[i].head.life);
    if (!spool->start.sequence && !spool->recovered.created)
        note(rec, "the start numbers could not be read");
    struct spool_start start = { .sequence = spool->start.sequence + 1 };
    start.run = max_u64(spool->start.run, life >> 32) + 1;
    spool->next_id = max_u64(max_u64(spool->start.id_ceiling, spool->last_id + 1), now > 0 ? (uint64_t)now << 16 : 1);
    start.id_ceiling = spool->next_id + ID_BLOCK;
    int e = start_write(spool, &start);
    if (e)
        return err_sys(rec->err, e, "write start");
    spool->start = start;
    spool->id_ceiling = start.id_ceiling;
    spool->next_life = start.run << 32 | 1;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool has(const struct numbers *sorted, uint64_t n)
{
    return sorted->count && bsearch(&n, sorted->at, sorted->count, sizeof(n), by_number);
}

/* Messages whose own file is missing are damaged; files of no message are removed, if that is certain (INV-6). */
static bool settle_files(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    struct numbers named = { 0 };
    bool ok = true;

    if (rec->owns.count)
        qsort(rec->owns.at, rec->owns.count, sizeof(*rec->owns.at), by_number);
    for (size_t i = 0; ok && i < spool_index_slots(spool->index); i++) {
        struct spool_entry_row *row = spool_index_at(spool->index, i);
        if (row && row->flags & SPOOL_ENTRY_DAMAGED && !row->file)
            spool->orphans_stay = true; /* its record is unreadable: it may name one */
        if (!row || !row->file)
            continue;
        ok = numbers_reserve(&named, 1);
        numbers_add(&named, row->file);
        if (has(&rec->owns, row->file) || row->flags & SPOOL_ENTRY_DAMAGED)
            continue;
        row->flags |= SPOOL_ENTRY_DAMAGED;
        spool->figures.damaged++;
        note(rec, "the own file of %s is missing", queue_id_text((struct queue_id){ row->id }).c);
    }
    if (named.count)
        qsort(named.at, named.count, sizeof(*named.at), by_number);
    for (size_t i = 0; ok && i < rec->owns.count; i++) {
        uint64_t number = rec->owns.at[i];
        spool->next_file = max_u64(spool->next_file, number + 1);
        if (has(&named, number) || spool->orphans_stay)
            continue;
        spool->disk->ops->unlink(spool->disk, spool_own_name(number).c);
        spool->recovered.orphans++;
    }
    free(named.at);
    spool->files_dead.count = 0; /* they were among them */
    return ok ? true : err_sys(rec->err, ENOMEM, "recovery");
}

static bool all_of_it(struct recovery *rec)
{
    return make_all_true(rec) && start_read(rec) && read_heads(rec) && read_checkpoints(rec) &&
           load_checkpoint(rec) && find_chain(rec) && replay(rec) && go_on(rec) && begin_run(rec) &&
           settle_files(rec);
}

bool spool_recover(struct spool *spool, struct err *err)
{
    struct recovery rec = { .spool = spool, .err = err };

    reader_init(&rec.reader, spool->disk, &spool->secret);
    reader_init(&rec.probe, spool->disk, &spool->secret);
    rec.piece = malloc(PIECE_BLOCKS * SPOOL_BLOCK);
    bool ok = rec.piece ? all_of_it(&rec) : err_sys(err, ENOMEM, "recovery");
    reader_done(&rec.reader);
    reader_done(&rec.probe);
    free(rec.logs.at);
    free(rec.owns.at);
    free(rec.files);
    free(rec.chain);
    free(rec.body);
    free(rec.piece);
    return ok;
}
