/*
 * spool/clean.c -- what lives in old segments is copied forward, so that they can be used again.
 *
 * Upkeep reads: it walks through the frames of the segment in which least is alive, and puts together copies
 * of what the index still says to be there. The commit thread looks once more whether they are current, puts
 * them before everything else into its next frame, and points the index at them when that is durable. So no
 * copy ever comes after the end of its message (INV-7), and of several the newest rules (INV-8).
 */
#include "spool/clean.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/internal.h"
#include "spool/reader.h"

enum {
    COPY_OCTETS = 256 << 10, /* of one frame */
    COPY_RECORDS = 256,
    WALK_FRAMES = 64,   /* in one step */
    SLACK_SEGMENTS = 4, /* that are never worth it */
    CREDIT_PART = 2,    /* an octet for so many of traffic */
    READ_COST =
        512, /* octets written are as dear as looking at a frame, which stands behind the one before */
};

/* ---- when, and which ---- */

static uint64_t octets_of(const struct segment *s)
{
    return (uint64_t)s->blocks * SPOOL_BLOCK;
}

/* The log goes on behind it: then it is left as it is. */
static bool is_last(const struct spool *spool, const struct segment *s)
{
    return !spool->active && s->life == spool->former_life;
}

static bool may_be_cleaned(const struct spool *spool, const struct segment *s)
{
    return s->state == SEGMENT_SEALED && s->refs && !s->damaged && !s->kept && !is_last(spool, s);
}

/* The log has to become shorter: the disk is short, or a segment is wanting and none can be made. */
static bool is_pressed(const struct spool *spool)
{
    return spool->short_of_space || (spool->prepare_errno && segments_lack(&spool->segments));
}

static bool has_dead(const struct spool *spool)
{
    for (size_t i = 0; i < spool->segments.count; i++)
        if (segment_is_dead(spool->segments.at[i]) && !is_last(spool, spool->segments.at[i]))
            return true;
    return false;
}

/* The one in which least lives, if a quarter at least can be won, or, of the reserve, a half. */
static struct segment *best_victim(const struct spool *spool, bool pressed)
{
    struct segment *best = NULL;

    for (size_t i = 0; i < spool->segments.count; i++) {
        struct segment *s = spool->segments.at[i];
        if (may_be_cleaned(spool, s) && (!best || s->live < best->live))
            best = s;
    }
    if (!best || best->live > octets_of(best) / 4 * (pressed ? 2 : 3))
        return NULL;
    return best;
}

/* The log is longer than twice what lives in it, and some segments. */
static bool is_too_long(const struct spool *spool)
{
    uint64_t octets = 0, live = 0;

    for (size_t i = 0; i < spool->segments.count; i++) {
        const struct segment *s = spool->segments.at[i];
        if (!may_be_cleaned(spool, s))
            continue;
        octets += octets_of(s);
        live += s->live;
    }
    return octets > 2 * live + (uint64_t)SLACK_SEGMENTS * spool->options.segment_octets;
}

static struct segment *victim(const struct spool *spool)
{
    bool pressed = is_pressed(spool);

    if (pressed ? has_dead(spool) : !is_too_long(spool))
        return NULL; /* what is dead wants a checkpoint, and no copies */
    return best_victim(spool, pressed);
}

/* ---- what has been gathered ---- */

static void drop_copies(struct cleaning *c)
{
    for (uint32_t i = 0; c->batch && i < c->batch->count; i++)
        free((char *)(uintptr_t)c->batch->records[i].text.p);
    spool_batch_free(c->batch);
    c->batch = NULL;
    c->copies = COPIES_NONE;
}

static void leave_victim(struct cleaning *c)
{
    if (c->victim)
        c->victim->readers--;
    c->victim = NULL;
}

void clean_drop(struct spool *spool)
{
    struct cleaning *c = &spool->cleaning;

    if (c->copies == COPIES_NONE)
        return; /* upkeep may be reading: what it finds is as true as before */
    drop_copies(c);
    leave_victim(c);
}

void clean_done(struct spool *spool)
{
    drop_copies(&spool->cleaning);
}

/* ---- reading: without the lock ---- */

struct walk {
    struct spool *spool;
    struct cleaning *cleaning;
    uint64_t life, counts;
    uint32_t number, blocks;
    struct reader reader;
    struct reader edits; /* elsewhere; so that the other keeps its frame */
    uint64_t octets;     /* gathered */
    uint64_t work;       /* octets read and to be written */
    int e;               /* of the disk or memory: it goes no further */
};

static uint64_t *part_of(struct spool_entry_row *entry, enum spool_kind kind)
{
    switch (kind) {
    case SPOOL_KIND_MESSAGE:
    case SPOOL_KIND_COPY:
        return &entry->message;
    case SPOOL_KIND_OUTCOME:
        return &entry->outcome;
    case SPOOL_KIND_HOLD:
        return &entry->hold;
    case SPOOL_KIND_EDIT:
        return &entry->edit;
    default:
        return NULL;
    }
}

/* With the lock: WHERE is what the index says of that record. */
static bool is_current(const struct spool *spool, const struct record *r, struct spool_entry_row *entry)
{
    if (!spool_index_get(spool->index, r->id, entry))
        return false;
    const uint64_t *at = part_of(entry, r->kind);
    return at && *at == r->from;
}

/* The row at hand, if it is alive; *r is begun with what the index knows. */
static bool row_lives(struct walk *w, struct record *r)
{
    struct spool_row row;
    struct spool_entry_row entry;
    uint32_t at = w->cleaning->row;

    if (!spool_row_get(w->reader.octets, at, &row))
        return false;
    *r = (struct record){ .kind = row.kind == SPOOL_KIND_MESSAGE ? SPOOL_KIND_COPY : row.kind,
                          .id = row.id,
                          .from = spool_row_position(&row, w->number, w->cleaning->block, at) };
    pthread_mutex_lock(&w->spool->lock);
    bool lives = is_current(w->spool, r, &entry);
    uint64_t edit = lives ? entry.edit : 0;
    const struct segment *s =
        edit ? segments_find(&w->spool->segments, spool_position_of(edit).segment) : NULL;
    r->folded = edit;
    r->folded_life = s ? s->life : 0; /* a segment that is missing has none: nothing is read there */
    pthread_mutex_unlock(&w->spool->lock);
    return lives;
}

/* The newest envelope; *text is the first. */
static bool envelope_read(struct walk *w, const struct record *r, struct str *text)
{
    struct reader_found edit;

    if (!r->folded)
        return true;
    if (!reader_record(&w->edits, spool_position_of(r->folded), r->folded_life, &edit)) {
        w->e = w->edits.e;
        return false;
    }
    *text = edit.meta;
    return edit.row.kind == SPOOL_KIND_EDIT && edit.row.id.n == r->id.n;
}

/* TEXT and CONTENT in one piece of memory that is the record's. */
static bool record_own(struct walk *w, struct record *r, struct str text, uint64_t at, uint64_t content)
{
    char *octets = malloc(text.n + content + 1);

    if (!octets) {
        w->e = ENOMEM;
        return false;
    }
    if (text.n)
        memcpy(octets, text.p, text.n);
    r->text = str_of(octets, text.n);
    if (content)
        w->e = spool_disk_read(w->spool->disk, w->reader.fd, octets + text.n, content, at);
    if (!w->e)
        return true;
    free(octets);
    return false;
}

static bool message_read(struct walk *w, struct record *r, const struct reader_found *found)
{
    struct spool_message_meta meta;
    struct str envelope;
    uint64_t content = found->row.content_octets;

    if (!spool_message_meta_get(found->meta, content, &meta, &envelope) || !envelope_read(w, r, &envelope) ||
        !record_own(w, r, envelope, found->content, content))
        return false;
    const char *octets = r->text.p + r->text.n;
    if (spool_sum(&w->spool->secret, w->life, found->content, octets, content) != meta.content_sum) {
        free((char *)(uintptr_t)r->text.p);
        return false;
    }
    r->head = str_of(octets, meta.head_octets);
    r->body = str_of(octets + meta.head_octets, content - meta.head_octets);
    r->token = meta.token;
    r->accepted_utc_msec = meta.accepted_utc_msec;
    r->file = meta.file;
    r->file_octets = meta.file_octets;
    r->file_sum = meta.file_sum;
    return true;
}

static bool record_read(struct walk *w, struct record *r)
{
    struct reader_found found;
    struct str text;
    bool named;

    if (!reader_row(&w->reader, w->cleaning->row, &found, &named)) {
        w->e = w->reader.e;
        return false;
    }
    if (r->kind == SPOOL_KIND_COPY)
        return message_read(w, r, &found);
    text = found.meta;
    if (r->kind == SPOOL_KIND_OUTCOME && !spool_outcome_meta_get(found.meta, &r->version, &text))
        return false;
    return record_own(w, r, text, 0, 0);
}

/* A record that cannot be read stays where it is, and its segment with it. */
static bool copy_row(struct walk *w)
{
    struct record r;

    if (!row_lives(w, &r) || !record_read(w, &r))
        return !w->e;
    uint64_t octets = record_octets(&r);
    if (frame_octets(1, record_meta_octets(&r), r.head.n + r.body.n) >
            w->spool->options.segment_octets - SPOOL_BLOCK ||
        !batch_add(w->cleaning->batch, &r)) {
        free((char *)(uintptr_t)r.text.p);
        return true;
    }
    w->octets += octets;
    w->work += octets;
    return true;
}

static bool is_full(const struct walk *w)
{
    return w->octets >= COPY_OCTETS || w->cleaning->batch->count >= COPY_RECORDS;
}

/* The frame at hand; false when there is none, or the walk cannot go on. */
static bool walk_frame(struct walk *w)
{
    struct cleaning *c = w->cleaning;
    struct spool_position p = { .segment = w->number, .block = c->block };

    if (c->block >= w->blocks || !reader_frame(&w->reader, p, w->life) || w->reader.head.number > w->counts) {
        w->e = c->block < w->blocks ? w->reader.e : 0;
        return false;
    }
    w->work += READ_COST;
    for (; c->row < w->reader.head.records; c->row++)
        if (is_full(w) || !copy_row(w))
            return !w->e;
    c->row = 0;
    c->block += w->reader.head.blocks;
    return true;
}

static void walk(struct walk *w)
{
    reader_init(&w->reader, w->spool->disk, &w->spool->secret);
    reader_init(&w->edits, w->spool->disk, &w->spool->secret);
    for (int n = 0; n < WALK_FRAMES && !is_full(w) && !w->cleaning->walked; n++)
        w->cleaning->walked = !walk_frame(w);
    reader_done(&w->reader);
    reader_done(&w->edits);
}

/* ---- the steps of upkeep ---- */

static void gather_failed(struct spool *spool, int e)
{
    struct cleaning *c = &spool->cleaning;

    log_cause(spool, e, spool_segment_name(c->victim->number).c);
    c->victim->kept |= e != ENOMEM && e != EMFILE && e != ENFILE;
    c->retry_usec = spool_now_usec(spool) + (int64_t)spool->options.retry_msec * 1000;
    drop_copies(c);
    leave_victim(c);
}

static void gather(struct spool *spool)
{
    struct cleaning *c = &spool->cleaning;
    struct segment *s = c->victim;
    struct walk w = { .spool = spool,
                      .cleaning = c,
                      .life = s->life,
                      .counts = s->counts,
                      .number = s->number,
                      .blocks = s->blocks };

    c->batch = spool_batch_new();
    if (!c->batch) {
        gather_failed(spool, ENOMEM);
        return;
    }
    pthread_mutex_unlock(&spool->lock);
    walk(&w);
    pthread_mutex_lock(&spool->lock);
    c->credit -= (int64_t)w.work;
    if (w.e) {
        gather_failed(spool, w.e);
        return;
    }
    if (!c->batch->count) {
        drop_copies(c);
        return;
    }
    c->copies = COPIES_READY;
    c->ready_usec = spool_now_usec(spool);
    spool->commit_sleeps = false;
    pthread_cond_signal(&spool->commit_cond);
}

/* Walked to its end, and all copies are durable. What is alive in it all the same cannot be read, or has
 * changed. */
static void finish(struct cleaning *c)
{
    bool again = c->victim->refs && c->again;

    c->victim->kept |= c->victim->refs && !again;
    if (!again) {
        leave_victim(c);
        return;
    }
    c->block = 1;
    c->row = 0;
    c->walked = c->again = false;
}

static bool begin(struct spool *spool)
{
    struct cleaning *c = &spool->cleaning;

    c->victim = victim(spool);
    if (!c->victim)
        return false;
    c->victim->readers++;
    c->block = 1;
    c->row = 0;
    c->walked = c->again = false;
    return true;
}

bool clean_step(struct spool *spool)
{
    struct cleaning *c = &spool->cleaning;

    if (c->copies != COPIES_NONE || spool->repair || spool->stopping ||
        spool_now_usec(spool) < c->retry_usec || (c->credit <= 0 && !is_pressed(spool)))
        return false;
    if (!c->victim && !begin(spool))
        return false;
    if (c->walked || !c->victim->refs)
        finish(c);
    else
        gather(spool);
    return true;
}

bool clean_give_back(struct spool *spool)
{
    struct segment *last = NULL;
    size_t count = 0, keep = segments_spare(&spool->segments);

    for (size_t i = 0; i < spool->segments.count; i++) {
        struct segment *s = spool->segments.at[i];
        count += s->state == SEGMENT_FREE;
        if (s->state == SEGMENT_FREE && !s->readers && s != spool->frame.segment)
            last = s;
    }
    if (!spool->short_of_space)
        keep += 2 + (spool->segments.count - count) / 8;
    if (count <= keep || !last)
        return false;
    struct spool_name name = spool_segment_name(last->number);
    segments_remove(&spool->segments, last);
    pthread_mutex_unlock(&spool->lock);
    (void)spool->disk->ops->unlink(spool->disk,
                                   name.c); /* one that stays is found when its number comes again */
    pthread_mutex_lock(&spool->lock);
    spool->want_look |= spool->short_of_space;
    return true;
}

/* ---- the commit thread's part ---- */

bool clean_is_ready(struct spool *spool)
{
    struct cleaning *c = &spool->cleaning;
    struct spool_batch *b = c->batch;
    uint32_t left = 0;

    if (c->copies != COPIES_READY || spool->stopping)
        return false;
    b->metas = b->contents = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        struct record *r = &b->records[i];
        struct spool_entry_row entry;
        bool current = is_current(spool, r, &entry);
        bool same = current && (r->kind != SPOOL_KIND_COPY || r->folded == entry.edit);
        c->again |= current && !same;
        if (!same) {
            free((char *)(uintptr_t)r->text.p);
            continue;
        }
        b->metas += record_meta_octets(r);
        b->contents += r->head.n + r->body.n;
        b->records[left++] = *r;
    }
    b->count = left;
    if (left)
        return true;
    drop_copies(c);
    pthread_cond_signal(&spool->upkeep_cond);
    return false;
}

bool clean_may_begin(const struct spool *spool)
{
    const struct segment *s = spool->cleaning.victim;
    bool may_press = segments_in(&spool->segments, SEGMENT_FREE) && is_pressed(spool);

    return !segments_lack(&spool->segments) ||
           (may_press && s && 2 * s->live <= spool->options.segment_octets);
}

bool clean_may_fill(const struct spool *spool, uint64_t room)
{
    const struct segment *s = spool->cleaning.victim;

    return segments_in(&spool->segments, SEGMENT_FREE) || (s && 2 * s->live <= room);
}

void clean_settle(struct spool *spool, uint32_t segment, uint32_t block, uint32_t *row)
{
    struct cleaning *c = &spool->cleaning;

    for (uint32_t i = 0; i < c->batch->count; i++) {
        const struct record *r = &c->batch->records[i];
        struct spool_position where = {
            .segment = segment, .block = block, .row = (*row)++, .size = spool_size_of(record_octets(r))
        };
        log_apply(spool, &(struct change){ .kind = r->kind,
                                           .id = r->id,
                                           .where = spool_position_pack(where),
                                           .version = r->version,
                                           .file = r->file,
                                           .token = r->token });
        spool->figures.cleaned += record_octets(r);
    }
    drop_copies(c);
    pthread_cond_signal(&spool->upkeep_cond);
}

void clean_earn(struct spool *spool, uint64_t octets)
{
    struct cleaning *c = &spool->cleaning;
    bool waits = c->credit <= 0;

    c->credit += (int64_t)(octets / CREDIT_PART);
    if (c->credit > (int64_t)spool->options.segment_octets)
        c->credit = spool->options.segment_octets;
    if (waits && c->credit > 0 && c->victim)
        pthread_cond_signal(&spool->upkeep_cond);
}
