/* spool/check.c -- a look at the spool in steps: messages gathered, frames walked, contents read, then the other files. */
#include "spool/checking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { STEP_OCTETS = 1 << 20 };

const unsigned spool_check_shows[] = { 4, 5, 7, 8, 10 };
const size_t spool_check_shows_count = ARRAY_LEN(spool_check_shows);

/* ---- what is said ---- */

void check_say(struct spool_check *c, struct spool_finding *f)
{
    c->figures.found[f->kind]++;
    if (f->kind == SPOOL_FOUND_INVARIANT)
        c->figures.broken[f->invariant] = true;
    c->found(c->ctx, f);
}

void check_say_broken(struct spool_check *c, unsigned invariant, struct queue_id id, const char *what)
{
    check_say(c, &(struct spool_finding){
                     .kind = SPOOL_FOUND_INVARIANT, .invariant = invariant, .id = id, .what = what });
}

void check_in_segment(struct spool_finding *f, uint32_t segment, uint64_t offset)
{
    snprintf(f->file, sizeof(f->file), "%s", spool_segment_name(segment).c);
    f->offset = offset;
}

/* ---- the other files ---- */

static int body_sum(struct spool_check *c, int fd, const struct spool_checkpoint_head *head, uint64_t *sum)
{
    struct spool_summer *summer = spool_summer_new(&c->spool->secret, head->number, SPOOL_BLOCK);
    uint64_t octets = 0;
    int e = !summer ? ENOMEM : spool_checkpoint_body(head, &octets) ? 0 : EBADMSG;

    for (uint64_t at = 0; !e && at < octets;) {
        size_t n = octets - at < CHECK_PIECE_OCTETS ? (size_t)(octets - at) : CHECK_PIECE_OCTETS;
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
    bool good = !f->error && spool_checkpoint_head_get(&c->spool->secret, str_of((const char *)in, sizeof(in)), &head);
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

    for (int i = 0; i < CHECK_TRIES; i++) {
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
            check_say(c, &f);
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
            spool_start_get(&spool->secret, at, str_of((const char *)in, sizeof(in)), &start) &&
            start.sequence > best.sequence)
            best = start;
    }
    if (!f.error)
        disk->ops->close(disk, fd);
    pthread_mutex_lock(&spool->lock);
    last_id = spool->last_id;
    pthread_mutex_unlock(&spool->lock);
    if (!best.sequence)
        check_say(c, &f);
    else if (best.id_ceiling <= last_id)
        check_say_broken(c, 8, (struct queue_id){ last_id }, "its number could be given again");
}

/* ---- all of it ---- */

static int by_place(const void *a, const void *b)
{
    const struct check_met *x = a, *y = b;

    return (x->where > y->where) - (x->where < y->where);
}

/* Some slots at a time, so that nobody waits for the lock; a message keeps its slot, wherever it moves. */
static void gather(struct spool_check *c)
{
    struct spool *spool = c->spool;
    struct check_met *met = c->met;

    if (c->figures.messages + CHECK_SLOTS_AT_ONCE > c->met_room) {
        c->met_room = c->met_room * 2 + CHECK_SLOTS_AT_ONCE;
        met = realloc(c->met, c->met_room * sizeof(*met));
    }
    if (!met) {
        c->e = ENOMEM;
        return;
    }
    c->met = met;
    pthread_mutex_lock(&spool->lock);
    size_t end = spool_index_slots(spool->index);
    for (size_t n = 0; c->slot < end && n < CHECK_SLOTS_AT_ONCE; n++, c->slot++) {
        struct spool_entry_row row;
        if (spool_index_at(spool->index, c->slot, &row))
            met[c->figures.messages++] = (struct check_met){ row.message, row.id };
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
        if (check_holds(spool->segments.at[i]))
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
    *c = (struct spool_check){ .spool = spool, .found = found, .ctx = ctx, .piece = malloc(CHECK_PIECE_OCTETS) };
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
            check_walk_on(c);
        else if (c->figures.segments_done < c->figures.segments)
            check_walk_begin(c);
        else
            c->phase = CONTENTS;
        break;
    case CONTENTS:
        if (c->figures.messages_done < c->figures.messages)
            check_message(c, c->met[c->figures.messages_done++].id);
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
        check_walk_end(c);
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
        for (size_t k = 0; slot < end && k < CHECK_SLOTS_AT_ONCE; k++, slot++) {
            struct spool_entry_row row;
            if (!spool_index_at(spool->index, slot, &row) || row.id <= after.n || row.id >= bound)
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
