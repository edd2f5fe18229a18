/* spool/check.c -- frames by their lengths, messages by their places, each sum made again. */
#include "spool/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "spool/internal.h"
#include "spool/reader.h"

enum { PIECE_OCTETS = 256 << 10, STEP_OCTETS = 1 << 20, SLOTS_AT_ONCE = 4096, TRIES = 4 };

const unsigned spool_check_shows[] = { 4, 5, 7, 8, 10 };
const size_t spool_check_shows_count = ARRAY_LEN(spool_check_shows);

enum phase { GATHER, WALK, CONTENTS, FILES, OVER };

/* A message as it was met in the index. */
struct met {
    uint64_t where, id;
};

struct spool_check {
    struct spool *spool;
    void (*found)(void *ctx, const struct spool_finding *f);
    void *ctx;
    struct spool_check_figures figures;
    enum phase phase;
    struct met *met; /* live messages, by place once all are gathered */
    size_t met_room, slot;
    int e; /* without memory it cannot go on */
    struct numbers named; /* messages reported */
    unsigned char *piece;

    struct numbers segments; /* in use when it began */
    struct reader walk;
    struct segment *segment; /* that is walked, and pinned; NULL: none */
    uint64_t life, counts, expect;
    uint32_t block, end;

    struct reader reader; /* of messages, by place */
};

static struct str raw(const unsigned char *p, size_t n)
{
    return str_of((const char *)p, n);
}

/* With the lock. */
static bool row_of(const struct spool *spool, uint64_t id, struct spool_entry_row *row)
{
    return spool_index_get(spool->index, (struct queue_id){ id }, row);
}

static bool row_at(const struct spool *spool, size_t slot, struct spool_entry_row *row)
{
    return spool_index_at(spool->index, slot, row);
}

static bool same_place(uint64_t a, uint64_t b)
{
    struct spool_position x = spool_position_of(a), y = spool_position_of(b);

    return a && b && x.segment == y.segment && x.block == y.block && x.row == y.row;
}

/* ---- what is said ---- */

static void say(struct spool_check *c, struct spool_finding *f)
{
    c->figures.found[f->kind]++;
    if (f->kind == SPOOL_FOUND_INVARIANT)
        c->figures.broken[f->invariant] = true;
    c->found(c->ctx, f);
}

static void say_broken(struct spool_check *c, unsigned invariant, struct queue_id id, const char *what)
{
    say(c, &(struct spool_finding){
               .kind = SPOOL_FOUND_INVARIANT, .invariant = invariant, .id = id, .what = what });
}

/* A message once, whatever else of it is damaged. */
static bool is_named(const struct spool_check *c, uint64_t id)
{
    for (size_t i = 0; i < c->named.count; i++)
        if (c->named.at[i] == id)
            return true;
    return false;
}

static void in_segment(struct spool_finding *f, uint32_t segment, uint64_t offset)
{
    snprintf(f->file, sizeof(f->file), "%s", spool_segment_name(segment).c);
    f->offset = offset;
}

/* ---- where a message is: its segments stay as they are until lease_settle() ---- */


struct lease {
    struct spool_entry_row row;
    uint64_t at[PLACES];
    uint64_t life[PLACES];
    struct segment *segment[PLACES];
    bool in_use[PLACES]; /* the segment holds what counts */
    uint64_t counts;     /* of the segment of AT_MESSAGE */
};

static bool holds(const struct segment *s)
{
    return s->state == SEGMENT_ACTIVE || s->state == SEGMENT_SEALED;
}

static bool lease_take(struct spool *spool, uint64_t id, struct lease *lease)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_entry_row row;
    bool there = row_of(spool, id, &row);
    if (there)
        *lease = (struct lease){ .row = row, .at = { row.message, row.edit, row.outcome, row.hold } };
    for (int i = 0; there && i < PLACES; i++) {
        struct segment *s =
            lease->at[i] ? segments_find(&spool->segments, spool_position_of(lease->at[i]).segment) : NULL;
        lease->segment[i] = s;
        if (!s)
            continue;
        s->readers++;
        lease->life[i] = s->life;
        lease->in_use[i] = holds(s);
        if (i == AT_MESSAGE)
            lease->counts = s->state == SEGMENT_ACTIVE ? spool->durable_frame : s->counts;
    }
    pthread_mutex_unlock(&spool->lock);
    return there;
}

static void lease_settle(struct spool *spool, struct lease *lease)
{
    pthread_mutex_lock(&spool->lock);
    for (int i = 0; i < PLACES; i++)
        if (lease->segment[i])
            lease->segment[i]->readers--;
    pthread_mutex_unlock(&spool->lock);
}

/* It has not ended, nor been copied to another place since. */
static bool stands(struct spool *spool, const struct lease *lease)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_entry_row row;
    bool same = row_of(spool, lease->row.id, &row) && row.message == lease->row.message &&
                row.edit == lease->row.edit && row.outcome == lease->row.outcome;
    pthread_mutex_unlock(&spool->lock);
    return same;
}

/* Envelope or state for the finding, if it can be read; the caller's to free(). */
static struct str text_at(struct spool_check *c, const struct lease *lease, enum place place)
{
    static const enum spool_kind kinds[] = { SPOOL_KIND_MESSAGE, SPOOL_KIND_EDIT, SPOOL_KIND_OUTCOME, SPOOL_KIND_HOLD };
    struct spool_message_meta meta;
    struct reader_found found;
    struct str text;
    uint32_t version;

    if (!lease->at[place] || !lease->segment[place] ||
        !reader_record(&c->reader, spool_position_of(lease->at[place]), lease->life[place], &found) ||
        (found.row.kind != kinds[place] && !(place == AT_MESSAGE && found.row.kind == SPOOL_KIND_COPY)) ||
        found.row.id.n != lease->row.id)
        return STR_NONE;
    text = found.meta;
    if (place == AT_MESSAGE && !spool_message_meta_get(found.meta, found.row.content_octets, &meta, &text))
        return STR_NONE;
    if (place == AT_OUTCOME && !spool_outcome_meta_get(found.meta, &version, &text))
        return STR_NONE;
    char *octets = malloc(text.n + 1);
    if (octets && text.n)
        memcpy(octets, text.p, text.n);
    return octets ? str_of(octets, text.n) : STR_NONE;
}

static void say_message(struct spool_check *c, const struct lease *lease, struct spool_finding *f)
{
    if (is_named(c, lease->row.id))
        return;
    numbers_add(&c->named, lease->row.id);
    f->kind = SPOOL_FOUND_MESSAGE;
    f->id = (struct queue_id){ lease->row.id };
    f->envelope = text_at(c, lease, lease->at[AT_EDIT] ? AT_EDIT : AT_MESSAGE);
    f->state = text_at(c, lease, AT_OUTCOME);
    say(c, f);
    free((char *)(uintptr_t)f->envelope.p);
    free((char *)(uintptr_t)f->state.p);
}

/* ---- contents ---- */

/* The sum of OCTETS at OFFSET of the segment that the reader has open. 0 or an errno; ENODATA: the file ends before. */
static int log_sum(struct spool_check *c, uint64_t life, uint64_t offset, uint64_t octets, uint64_t *sum)
{
    struct spool_summer *summer = spool_summer_new(&c->spool->secret, life, offset);
    int e = summer ? 0 : ENOMEM;

    for (uint64_t at = 0; !e && at < octets;) {
        size_t n = octets - at < PIECE_OCTETS ? (size_t)(octets - at) : PIECE_OCTETS;
        e = spool_disk_read(c->spool->disk, c->reader.fd, c->piece, n, offset + at);
        if (!e)
            spool_summer_add(summer, c->piece, n);
        at += n;
    }
    if (summer)
        *sum = spool_summer_end(summer);
    c->figures.octets += octets;
    return e;
}

/* The record itself: true with *meta, or what is wrong with it in F. */
static bool record_is_good(struct spool_check *c, const struct lease *lease, struct reader_found *found,
                           struct spool_message_meta *meta, struct spool_finding *f)
{
    struct spool_position p = spool_position_of(lease->row.message);
    struct str envelope;

    in_segment(f, p.segment, (uint64_t)p.block * SPOOL_BLOCK);
    f->what = "record";
    f->row = p.row;
    if (!lease->segment[AT_MESSAGE]) {
        f->error = ENOENT;
        return false;
    }
    if (!reader_record(&c->reader, p, lease->life[AT_MESSAGE], found)) {
        f->error = c->reader.e;
        return false;
    }
    return spool_kind_is_message(found->row.kind) && found->row.id.n == lease->row.id &&
           spool_message_meta_get(found->meta, found->row.content_octets, meta, &envelope);
}

static bool content_is_good(struct spool_check *c, const struct lease *lease, const struct reader_found *found,
                            const struct spool_message_meta *meta, struct spool_finding *f)
{
    f->what = "content";
    f->offset = found->content;
    f->octets = found->row.content_octets;
    f->wanted = meta->content_sum;
    f->error = log_sum(c, lease->life[AT_MESSAGE], f->offset, f->octets, &f->sum);
    return !f->error && f->sum == f->wanted;
}

static bool file_is_good(struct spool_check *c, const struct spool_message_meta *meta, struct spool_finding *f)
{
    struct spool_disk *disk = c->spool->disk;
    int fd;

    if (!meta->file)
        return true;
    f->what = "own file";
    snprintf(f->file, sizeof(f->file), "%s", spool_own_name(meta->file).c);
    f->offset = 0;
    f->octets = meta->file_octets;
    f->wanted = meta->file_sum;
    f->error = disk->ops->open(disk, f->file, SPOOL_OPEN_READ, &fd);
    if (f->error)
        return false;
    f->error = own_file_sum(c->spool, fd, meta->file, meta->file_octets, &f->sum);
    disk->ops->close(disk, fd);
    c->figures.octets += meta->file_octets;
    c->figures.files++;
    return !f->error && f->sum == f->wanted;
}

static bool is_whole(struct spool_check *c, const struct lease *lease, struct spool_finding *f)
{
    struct spool_message_meta meta;
    struct reader_found found;

    if (!record_is_good(c, lease, &found, &meta, f))
        return false;
    if (!lease->in_use[AT_MESSAGE])
        say_broken(c, 10, (struct queue_id){ lease->row.id }, "it stands in a segment that is free");
    else if (c->reader.head.number > lease->counts)
        say_broken(c, 5, (struct queue_id){ lease->row.id }, "it stands in a frame that does not count");
    if (!content_is_good(c, lease, &found, &meta, f) || !file_is_good(c, &meta, f))
        return false;
    /* A record of it was damaged when the spool was opened: its state may be older than what was acknowledged. */
    f->what = "state";
    f->octets = 0;
    return !(lease->row.flags & SPOOL_ENTRY_DAMAGED);
}

static void look_at_message(struct spool_check *c, uint64_t id)
{
    struct lease lease;

    for (int i = 0; i < TRIES && lease_take(c->spool, id, &lease); i++) {
        struct spool_finding f = { 0 };
        bool good = is_whole(c, &lease, &f), same = good || stands(c->spool, &lease);
        if (same && !good)
            say_message(c, &lease, &f);
        lease_settle(c->spool, &lease);
        if (!same)
            continue;
        c->figures.contents++;
        c->figures.contents_good += good;
        return;
    }
}

/* ---- the walk through the frames ---- */

/* A record of the walk, and whether it is as it was written. VERSION: of an outcome. */
static void judge(struct spool_check *c, const struct spool_row *row, uint64_t where, uint32_t version, bool good)
{
    struct lease lease;
    bool live = lease_take(c->spool, row->id.n, &lease);

    if (good)
        c->figures.records[row->kind]++;
    if (good && live && (row->kind == SPOOL_KIND_GONE || row->kind == SPOOL_KIND_VOID))
        say_broken(c, 7, row->id, "it has ended, and is there");
    else if (good && live && row->kind == SPOOL_KIND_OUTCOME && version > lease.row.version &&
             !(lease.row.flags & SPOOL_ENTRY_DAMAGED))
        say_broken(c, 8, row->id, "it has a newer state than the one that rules");
    if (!good) {
        struct spool_position p = spool_position_of(where);
        struct spool_finding f = { .kind = SPOOL_FOUND_RECORD, .id = row->id, .what = "record", .row = p.row };
        in_segment(&f, p.segment, (uint64_t)p.block * SPOOL_BLOCK);
        bool needed = false;
        for (int i = AT_EDIT; live && i < PLACES; i++)
            needed |= same_place(lease.at[i], where);
        f.what = row->kind == SPOOL_KIND_OUTCOME ? "state" : row->kind == SPOOL_KIND_EDIT ? "envelope" : "record";
        /* The record of a message itself is met again with its content. */
        if (needed)
            say_message(c, &lease, &f);
        else if (!live || !same_place(lease.at[AT_MESSAGE], where))
            say(c, &f);
    }
    if (live)
        lease_settle(c->spool, &lease);
}

static void look_at_frame(struct spool_check *c)
{
    struct reader *r = &c->walk;

    for (uint32_t i = 0; i < r->head.records; i++) {
        struct reader_found found;
        struct str text;
        uint32_t version = 0;
        bool named, good = reader_row(r, i, &found, &named);
        if (!named) {
            struct spool_finding f = { .kind = SPOOL_FOUND_RECORD, .what = "record of an unknown kind", .row = i };
            in_segment(&f, r->segment, (uint64_t)r->block * SPOOL_BLOCK);
            say(c, &f);
            continue;
        }
        if (good && found.row.kind == SPOOL_KIND_OUTCOME)
            good = spool_outcome_meta_get(found.meta, &version, &text);
        judge(c, &found.row, spool_position_pack((struct spool_position){ r->segment, r->block, i }), version, good);
    }
    c->figures.frames++;
    c->figures.octets += r->head.front;
}

static bool is_in(uint64_t at, uint32_t segment, uint32_t from, uint32_t to)
{
    struct spool_position p = spool_position_of(at);

    return at && p.segment == segment && p.block >= from && p.block < to;
}

/*
 * Each place of a live message in blocks FROM to TO of that segment, while the lock is held for some slots at a time. A
 * message that moves meanwhile is met by the look at its content.
 */
static void each_place(struct spool_check *c, uint32_t segment, uint32_t from, uint32_t to,
                       void (*visit)(struct spool_check *c, uint64_t id, uint32_t block, bool is_message))
{
    struct spool *spool = c->spool;
    bool more = true;

    for (size_t slot = 0; more;) {
        struct spool_entry_row some[SLOTS_AT_ONCE / 64];
        size_t n = 0, end;
        pthread_mutex_lock(&spool->lock);
        end = spool_index_slots(spool->index);
        for (size_t k = 0; slot < end && k < SLOTS_AT_ONCE && n < ARRAY_LEN(some); k++, slot++) {
            struct spool_entry_row row;
            if (row_at(spool, slot, &row) &&
                (is_in(row.message, segment, from, to) || is_in(row.outcome, segment, from, to) ||
                 is_in(row.edit, segment, from, to) || is_in(row.hold, segment, from, to)))
                some[n++] = row;
        }
        more = slot < end;
        pthread_mutex_unlock(&spool->lock);
        for (size_t i = 0; i < n; i++) {
            const uint64_t at[PLACES] = { some[i].message, some[i].edit, some[i].outcome, some[i].hold };
            for (int k = 0; k < PLACES; k++)
                if (is_in(at[k], segment, from, to))
                    visit(c, some[i].id, spool_position_of(at[k]).block, k == AT_MESSAGE);
        }
    }
}

static void nearest(struct spool_check *c, uint64_t id, uint32_t block, bool is_message)
{
    (void)id, (void)is_message;
    if (block < c->end)
        c->end = block;
}

static void lost_with_frame(struct spool_check *c, uint64_t id, uint32_t block, bool is_message)
{
    struct lease lease;
    struct spool_finding f = { .what = "state" };

    if (is_message || !lease_take(c->spool, id, &lease))
        return;
    in_segment(&f, c->walk.segment, (uint64_t)block * SPOOL_BLOCK);
    say_message(c, &lease, &f);
    lease_settle(c->spool, &lease);
}

/* Lengths lead no further. Live messages know where other frames begin: the walk goes on at the next of these. */
static void frame_is_lost(struct spool_check *c)
{
    uint32_t from = c->block, end = c->end;
    struct spool_finding f = { .kind = SPOOL_FOUND_FRAME, .what = "frame", .error = c->walk.e };

    each_place(c, c->walk.segment, from + 1, end, nearest);
    uint32_t next = c->end;
    c->end = end;
    in_segment(&f, c->walk.segment, (uint64_t)from * SPOOL_BLOCK);
    f.octets = (uint64_t)(next - from) * SPOOL_BLOCK;
    say(c, &f);
    each_place(c, c->walk.segment, from, from + 1, lost_with_frame);
    c->block = next;
    c->expect = 0;
}

static void walk_header(struct spool_check *c, uint32_t number)
{
    unsigned char in[SPOOL_SEGMENT_HEAD];
    struct spool_segment_head head;
    struct spool_finding f = { .kind = SPOOL_FOUND_FILE, .what = "header of a segment", .octets = sizeof(in) };

    in_segment(&f, number, 0);
    c->expect = 0;
    f.error = reader_open(&c->walk, number) ? 0 : c->walk.e;
    if (!f.error)
        f.error = spool_disk_read(c->spool->disk, c->walk.fd, in, sizeof(in), 0);
    if (f.error || !spool_segment_head_get(&c->spool->secret, raw(in, sizeof(in)), &head) || head.number != number ||
        head.life != c->life)
        say(c, &f);
    else
        c->expect = head.first_frame;
}

/* Pin the next segment that is still in use. */
static void walk_begin(struct spool_check *c)
{
    struct spool *spool = c->spool;
    uint32_t number = (uint32_t)c->segments.at[c->figures.segments_done];

    pthread_mutex_lock(&spool->lock);
    struct segment *s = segments_find(&spool->segments, number);
    if (s && holds(s)) {
        bool active = s->state == SEGMENT_ACTIVE;
        c->segment = s;
        s->readers++;
        c->life = s->life;
        c->counts = active ? spool->durable_frame : s->counts;
        c->end = active ? spool->next_block : s->blocks;
        c->block = 1;
    }
    pthread_mutex_unlock(&spool->lock);
    if (c->segment)
        walk_header(c, number);
    else
        c->figures.segments_done++;
}

static void walk_end(struct spool_check *c)
{
    pthread_mutex_lock(&c->spool->lock);
    c->segment->readers--;
    pthread_mutex_unlock(&c->spool->lock);
    c->segment = NULL;
    c->figures.segments_done++;
}

static void walk_on(struct spool_check *c)
{
    struct reader *r = &c->walk;

    if (c->block >= c->end || c->expect > c->counts) {
        walk_end(c);
        return;
    }
    if (!reader_frame(r, (struct spool_position){ c->segment->number, c->block, 0 }, c->life)) {
        frame_is_lost(c);
        return;
    }
    if (r->head.number > c->counts) { /* begun, and never acknowledged */
        walk_end(c);
        return;
    }
    if ((c->expect && r->head.number != c->expect) || r->head.durable >= r->head.number)
        say_broken(c, 4, QUEUE_ID_NONE, "frames do not follow one another");
    look_at_frame(c);
    c->expect = r->head.number + 1;
    c->block += r->head.blocks;
}

/* ---- the other files ---- */

static int body_sum(struct spool_check *c, int fd, const struct spool_checkpoint_head *head, uint64_t *sum)
{
    struct spool_summer *summer = spool_summer_new(&c->spool->secret, head->number, SPOOL_BLOCK);
    uint64_t octets = 0;
    int e = !summer ? ENOMEM : spool_checkpoint_body(head, &octets) ? 0 : EBADMSG;

    for (uint64_t at = 0; !e && at < octets;) {
        size_t n = octets - at < PIECE_OCTETS ? (size_t)(octets - at) : PIECE_OCTETS;
        e = spool_disk_read(c->spool->disk, fd, c->piece, n, SPOOL_BLOCK + at);
        if (!e)
            spool_summer_add(summer, c->piece, n);
        at += n;
    }
    if (summer)
        *sum = spool_summer_end(summer);
    c->figures.octets += octets;
    return e;
}

static bool checkpoint_is_good(struct spool_check *c, struct spool_finding *f)
{
    struct spool_disk *disk = c->spool->disk;
    unsigned char in[SPOOL_CHECKPOINT_HEAD];
    struct spool_checkpoint_head head;
    int fd;

    f->error = disk->ops->open(disk, f->file, SPOOL_OPEN_READ, &fd);
    if (f->error)
        return false;
    f->error = spool_disk_read(disk, fd, in, sizeof(in), 0);
    bool good = !f->error && spool_checkpoint_head_get(&c->spool->secret, raw(in, sizeof(in)), &head);
    if (good) {
        f->wanted = head.body_sum;
        f->error = body_sum(c, fd, &head, &f->sum);
        good = !f->error && f->sum == f->wanted;
    }
    disk->ops->close(disk, fd);
    return good;
}

/* The newest one; the other may be in the writing. */
static void look_at_checkpoint(struct spool_check *c)
{
    struct spool *spool = c->spool;
    uint64_t number, again = 0;

    for (int i = 0; i < TRIES; i++) {
        struct spool_finding f = { .kind = SPOOL_FOUND_FILE, .what = "checkpoint" };
        pthread_mutex_lock(&spool->lock);
        number = spool->checkpoint_number;
        snprintf(f.file, sizeof(f.file), "%s", checkpoint_name(!spool->checkpoint_slot));
        pthread_mutex_unlock(&spool->lock);
        if (!number || checkpoint_is_good(c, &f))
            return;
        pthread_mutex_lock(&spool->lock);
        again = spool->checkpoint_number;
        pthread_mutex_unlock(&spool->lock);
        if (again == number) {
            say(c, &f);
            return;
        }
    }
}

static void look_at_start(struct spool_check *c)
{
    struct spool *spool = c->spool;
    struct spool_disk *disk = spool->disk;
    struct spool_start best = { 0 };
    struct spool_finding f = { .kind = SPOOL_FOUND_FILE, .what = "start numbers", .file = "start" };
    uint64_t last_id;
    int fd;

    f.error = disk->ops->open(disk, f.file, SPOOL_OPEN_READ, &fd);
    for (uint64_t at = 0; !f.error && at <= SPOOL_BLOCK; at += SPOOL_BLOCK) {
        unsigned char in[SPOOL_START_OCTETS];
        struct spool_start start;
        if (!spool_disk_read(disk, fd, in, sizeof(in), at) &&
            spool_start_get(&spool->secret, at, raw(in, sizeof(in)), &start) && start.sequence > best.sequence)
            best = start;
    }
    if (!f.error)
        disk->ops->close(disk, fd);
    pthread_mutex_lock(&spool->lock);
    last_id = spool->last_id;
    pthread_mutex_unlock(&spool->lock);
    if (!best.sequence)
        say(c, &f);
    else if (best.id_ceiling <= last_id)
        say_broken(c, 8, (struct queue_id){ last_id }, "its number could be given again");
}

/* ---- all of it ---- */

static int by_place(const void *a, const void *b)
{
    const struct met *x = a, *y = b;

    return (x->where > y->where) - (x->where < y->where);
}

/* Some slots at a time, so that nobody waits for the lock; a message keeps its slot, wherever it moves. */
static void gather(struct spool_check *c)
{
    struct spool *spool = c->spool;
    struct met *met = c->met;

    if (c->figures.messages + SLOTS_AT_ONCE > c->met_room) {
        c->met_room = c->met_room * 2 + SLOTS_AT_ONCE;
        met = realloc(c->met, c->met_room * sizeof(*met));
    }
    if (!met) {
        c->e = ENOMEM;
        return;
    }
    c->met = met;
    pthread_mutex_lock(&spool->lock);
    size_t end = spool_index_slots(spool->index);
    for (size_t n = 0; c->slot < end && n < SLOTS_AT_ONCE; n++, c->slot++) {
        struct spool_entry_row row;
        if (row_at(spool, c->slot, &row))
            met[c->figures.messages++] = (struct met){ row.message, row.id };
    }
    bool all = c->slot >= end;
    pthread_mutex_unlock(&spool->lock);
    if (!all)
        return;
    if (c->figures.messages)
        qsort(met, c->figures.messages, sizeof(*met), by_place);
    c->phase = WALK;
}

static bool take_segments(struct spool_check *c)
{
    struct spool *spool = c->spool;

    pthread_mutex_lock(&spool->lock);
    bool ok = numbers_reserve(&c->segments, spool->segments.count + 1);
    for (size_t i = 0; ok && i < spool->segments.count; i++)
        if (holds(spool->segments.at[i]))
            numbers_add(&c->segments, spool->segments.at[i]->number);
    pthread_mutex_unlock(&spool->lock);
    c->figures.segments = (uint32_t)c->segments.count;
    return ok;
}

struct spool_check *spool_check_new(struct spool *spool, void (*found)(void *ctx, const struct spool_finding *f),
                                    void *ctx)
{
    struct spool_check *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct spool_check){ .spool = spool, .found = found, .ctx = ctx, .piece = malloc(PIECE_OCTETS) };
    reader_init(&c->walk, spool->disk, &spool->secret);
    reader_init(&c->reader, spool->disk, &spool->secret);
    if (c->piece && take_segments(c))
        return c;
    spool_check_free(c);
    return NULL;
}

static void step(struct spool_check *c)
{
    switch (c->phase) {
    case GATHER:
        gather(c);
        break;
    case WALK:
        if (c->segment)
            walk_on(c);
        else if (c->figures.segments_done < c->figures.segments)
            walk_begin(c);
        else
            c->phase = CONTENTS;
        break;
    case CONTENTS:
        if (c->figures.messages_done < c->figures.messages)
            look_at_message(c, c->met[c->figures.messages_done++].id);
        else
            c->phase = FILES;
        break;
    case FILES:
        look_at_checkpoint(c);
        look_at_start(c);
        c->phase = OVER;
        break;
    case OVER:
        break;
    }
}

bool spool_check_step(struct spool_check *c, struct err *err)
{
    uint64_t until = c->figures.octets + STEP_OCTETS;

    for (unsigned n = 0; c->phase != OVER && c->figures.octets < until && n < 256; n++) {
        step(c);
        if (c->e || c->walk.e == ENOMEM || c->reader.e == ENOMEM)
            return err_sys(err, ENOMEM, "check the spool");
    }
    return c->phase != OVER;
}

const struct spool_check_figures *spool_check_figures(const struct spool_check *c)
{
    return &c->figures;
}

void spool_check_free(struct spool_check *c)
{
    if (!c)
        return;
    if (c->segment)
        walk_end(c);
    reader_done(&c->walk);
    reader_done(&c->reader);
    free(c->met);
    free(c->named.at);
    free(c->segments.at);
    free(c->piece);
    free(c);
}

/* ---- ids in order ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Of the COUNT in IDS keep the lowest ROOM, sorted. */
static size_t keep_lowest(uint64_t *ids, size_t count, size_t room)
{
    if (count)
        qsort(ids, count, sizeof(*ids), by_number);
    return count < room ? count : room;
}

size_t spool_ids_after(struct spool *spool, struct queue_id after, uint64_t *ids, size_t room)
{
    /* Twice the room is sorted each time that it is full: each id is sorted about once. */
    uint64_t *some = malloc(2 * room * sizeof(*some)), bound = UINT64_MAX;
    size_t n = 0, slot = 0;
    bool more = some != NULL;

    while (more) {
        pthread_mutex_lock(&spool->lock);
        size_t end = spool_index_slots(spool->index);
        for (size_t k = 0; slot < end && k < SLOTS_AT_ONCE; k++, slot++) {
            struct spool_entry_row row;
            if (!row_at(spool, slot, &row) || row.id <= after.n || row.id >= bound)
                continue;
            some[n++] = row.id;
            if (n < 2 * room)
                continue;
            n = keep_lowest(some, n, room);
            bound = some[n - 1];
        }
        more = slot < end;
        pthread_mutex_unlock(&spool->lock);
    }
    n = some ? keep_lowest(some, n, room) : 0;
    if (n)
        memcpy(ids, some, n * sizeof(*ids));
    free(some);
    return n;
}
