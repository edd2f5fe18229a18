/* spool/recover.c -- from what is on disk to the state of all messages (docs/SPOOL.md 9). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "spool/recovery.h"

/* One more reason for the text that people read; what does not fit is left out. */
void recovery_note(struct recovery *rec, const char *fmt, ...)
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

/* The folder, and what says where to begin; of the log each file when it is known whether it matters. */
static bool make_start_true(struct recovery *rec)
{
    struct spool_disk *disk = rec->spool->disk;
    int e = disk->ops->sync_folder(disk);

    if (!e)
        e = disk->ops->list(disk, on_name, rec);
    if (!e && rec->oom)
        e = ENOMEM;
    if (e)
        return err_sys(rec->err, e, "read the folder of the spool");
    return make_true(rec, "start") && make_true(rec, checkpoint_name(0)) &&
           make_true(rec, checkpoint_name(1));
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

static bool head_get(struct recovery *rec, struct file *file, int fd)
{
    unsigned char in[SPOOL_SEGMENT_HEAD] = { 0 };
    bool there;

    if (!read_block(rec, fd, 0, in, sizeof(in), &there))
        return false;
    file->known =
        there &&
        spool_segment_head_get(&rec->spool->secret, str_of((const char *)in, sizeof(in)), &file->head) &&
        file->head.number == file->number;
    return true;
}

/*
 * It was begun before the checkpoint, so what counts in it was durable then, and no frame of it is replayed.
 * Lives rise: what somebody began to write there since would say so.
 */
static bool is_settled(const struct recovery *rec, const struct file *file)
{
    return file->known && rec->checkpoint.number && file->head.life < rec->checkpoint.replay_life;
}

static bool file_read_head(struct recovery *rec, struct file *file, struct segment *segment, int fd,
                           uint64_t length)
{
    struct spool_disk *disk = rec->spool->disk;
    unsigned char in[SPOOL_SEGMENT_HEAD] = { 0 };
    bool there;

    segment->blocks =
        (uint32_t)(length / SPOOL_BLOCK > SPOOL_BLOCKS_MAX ? SPOOL_BLOCKS_MAX : length / SPOOL_BLOCK);
    if (!head_get(rec, file, fd))
        return false;
    if (!is_settled(rec, file)) {
        int e = disk->ops->sync(disk, fd);
        if (!e)
            e = disk->ops->forget(disk, fd);
        if (e)
            return err_sys(rec->err, e, "sync %s", spool_segment_name(file->number).c);
        if (!head_get(rec, file, fd))
            return false;
    }
    if (!file->known) {
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
        int e = segment ? disk->ops->open(disk, spool_segment_name(file->number).c, SPOOL_OPEN_READ, &fd)
                        : ENOMEM;
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

/* The newer of the two whose body is good as well. */
static bool read_checkpoints(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    struct spool_checkpoint_head head[2];
    enum checkpoint_read got[2];
    int e[2] = { 0, 0 };

    for (unsigned slot = 0; slot < 2; slot++)
        got[slot] = checkpoint_head(spool, slot, &head[slot], &e[slot]);
    unsigned first = got[1] == CHECKPOINT_OK && (got[0] != CHECKPOINT_OK || head[1].number > head[0].number);
    for (unsigned i = 0; i < 2 && !rec->checkpoint.number; i++) {
        unsigned slot = i ? !first : first;
        if (got[slot] == CHECKPOINT_OK)
            got[slot] = checkpoint_verify(spool, slot, &head[slot], &e[slot]);
        if (got[slot] != CHECKPOINT_OK)
            continue;
        rec->checkpoint = head[slot];
        rec->slot = slot;
        spool->checkpoint_slot = !slot;
    }
    for (unsigned slot = 0; slot < 2; slot++)
        if (e[slot] && e[slot] != ENODATA)
            return err_sys(rec->err, e[slot], "read %s", checkpoint_name(slot));
    spool->checkpoint_number = rec->checkpoint.number;
    spool->checkpoint_octets = SPOOL_BLOCK + rec->checkpoint.entries * SPOOL_ENTRY_ROW +
                               (uint64_t)rec->checkpoint.rare * SPOOL_RARE_ROW;
    if (got[0] == CHECKPOINT_BAD && got[1] == CHECKPOINT_BAD)
        recovery_note(rec, "no checkpoint can be read");
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
        if (!(row->flags & SPOOL_SEGMENT_DEAD)) /* that may have been given back */
            recovery_note(rec, "%s is missing", spool_segment_name(row->number).c);
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

static void load_entry(struct spool *spool, const struct spool_entry_row *row)
{
    struct queue_id id = { row->id };

    if (!row->id || spool_index_has(spool->index, id))
        return;
    spool_index_add(spool->index, row);
    log_refer(spool, row->message);
    log_refer(spool, row->outcome);
    spool->figures.held += (row->flags & SPOOL_ENTRY_HELD) != 0;
    spool->figures.damaged += (row->flags & SPOOL_ENTRY_DAMAGED) != 0;
    if (row->id > spool->last_id)
        spool->last_id = row->id;
}

/* A row beside the table; what it belongs to may have ended while that was gathered. */
static void load_rare(struct spool *spool, const unsigned char *p)
{
    struct spool_entry_row rare = { 0 }, entry;

    spool_rare_row_get(p, &rare);
    if (!spool_index_get(spool->index, (struct queue_id){ rare.id }, &entry) || entry.hold || entry.edit ||
        entry.file)
        return;
    spool_rare_row_get(p, &entry);
    spool_index_set(spool->index, &entry);
    log_refer(spool, entry.hold);
    log_refer(spool, entry.edit);
}

static void load_token(struct spool *spool, const unsigned char *p)
{
    struct spool_token_row row;

    spool_token_row_get(p, &row);
    spool_tokens_add(&spool->tokens, &row.token, (struct queue_id){ row.id });
    if (row.flags & SPOOL_TOKEN_FLAG_VOID)
        spool_tokens_void(&spool->tokens, (struct queue_id){ row.id });
}

static void load_body(struct recovery *rec, struct checkpoint_body *body)
{
    struct spool *spool = rec->spool;
    const struct spool_checkpoint_head *head = &rec->checkpoint;
    const unsigned char *p;

    for (uint32_t i = 0; i < head->segments && (p = checkpoint_body_row(body, SPOOL_SEGMENT_ROW)) != NULL;
         i++) {
        struct spool_segment_row row;
        spool_segment_row_get(p, &row);
        load_segment(rec, &row);
    }
    for (uint64_t i = 0; i < head->entries && (p = checkpoint_body_row(body, SPOOL_ENTRY_ROW)) != NULL; i++) {
        struct spool_entry_row row;
        spool_entry_row_get(p, &row);
        load_entry(spool, &row);
    }
    for (uint32_t i = 0; i < head->rare && (p = checkpoint_body_row(body, SPOOL_RARE_ROW)) != NULL; i++)
        load_rare(spool, p);
    for (uint32_t i = 0; i < head->tokens && (p = checkpoint_body_row(body, SPOOL_TOKEN_ROW)) != NULL; i++)
        load_token(spool, p);
}

static bool load_checkpoint(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    const struct spool_checkpoint_head *head = &rec->checkpoint;
    struct checkpoint_body body;

    if (!head->number)
        return true;
    if (!spool_index_reserve(spool->index, head->entries, head->rare) ||
        !spool_tokens_reserve(&spool->tokens, head->tokens))
        return err_sys(rec->err, ENOMEM, "recovery");
    if (checkpoint_body_begin(&body, spool, rec->slot, head))
        load_body(rec, &body);
    checkpoint_body_end(&body);
    if (body.e)
        return err_sys(rec->err, body.e, "read %s", checkpoint_name(rec->slot));
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
        return err_temp(rec->err,
                        "no checkpoint of the spool can be read, and its log has no beginning: messages long "
                        "delivered would return. Restore checkpoint-a or checkpoint-b from a backup");
    if (!*former && life >= from->replay_life) {
        recovery_note(rec, "the segment before %s is missing", spool_segment_name(file->number).c);
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

/* ---- after it ---- */

/* New frames follow the last good one, unless one was dropped there or the header is lost. */
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

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool has(const struct numbers *sorted, uint64_t n)
{
    return sorted->count && bsearch(&n, sorted->at, sorted->count, sizeof(n), by_number);
}

/* Messages whose own file is missing are damaged; files of no message are removed, if that is certain
 * (INV-6). */
static bool settle_files(struct recovery *rec)
{
    struct spool *spool = rec->spool;
    struct numbers named = { 0 };
    bool ok = true;

    if (rec->owns.count)
        qsort(rec->owns.at, rec->owns.count, sizeof(*rec->owns.at), by_number);
    for (size_t i = 0; ok && i < spool_index_slots(spool->index); i++) {
        struct spool_entry_row row;
        if (!spool_index_at(spool->index, i, &row))
            continue;
        if (row.flags & SPOOL_ENTRY_DAMAGED && !row.file)
            spool->orphans_stay = true; /* its record is unreadable: it may name one */
        if (!row.file)
            continue;
        ok = numbers_reserve(&named, 1);
        numbers_add(&named, row.file);
        if (has(&rec->owns, row.file) || row.flags & SPOOL_ENTRY_DAMAGED)
            continue;
        row.flags |= SPOOL_ENTRY_DAMAGED;
        spool_index_set(spool->index, &row);
        spool->figures.damaged++;
        recovery_note(rec, "the own file of %s is missing", queue_id_text((struct queue_id){ row.id }).c);
    }
    if (named.count)
        qsort(named.at, named.count, sizeof(*named.at), by_number);
    for (size_t i = 0; ok && i < rec->owns.count; i++) {
        uint64_t number = rec->owns.at[i];
        if (number >= spool->next_file)
            spool->next_file = number + 1;
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
    return make_start_true(rec) && recovery_read_start(rec) && read_checkpoints(rec) && read_heads(rec) &&
           load_checkpoint(rec) && find_chain(rec) && recovery_replay(rec) && go_on(rec) &&
           recovery_begin_run(rec) && settle_files(rec);
}

bool spool_recover(struct spool *spool, struct err *err)
{
    struct recovery rec = { .spool = spool, .err = err };

    reader_init(&rec.reader, spool->disk, &spool->secret);
    reader_init(&rec.probe, spool->disk, &spool->secret);
    rec.piece = malloc(RECOVERY_PIECE);
    bool ok = rec.piece ? all_of_it(&rec) : err_sys(err, ENOMEM, "recovery");
    reader_done(&rec.reader);
    reader_done(&rec.probe);
    free(rec.logs.at);
    free(rec.owns.at);
    free(rec.files);
    free(rec.chain);
    free(rec.piece);
    return ok;
}
