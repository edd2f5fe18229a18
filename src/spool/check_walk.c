/* spool/check_walk.c -- frame by frame through a segment, by their lengths. */
#include "spool/checking.h"

static bool same_place(uint64_t a, uint64_t b)
{
    struct spool_position x = spool_position_of(a), y = spool_position_of(b);

    return a && b && x.segment == y.segment && x.block == y.block && x.row == y.row;
}

/* A record of the walk, and whether it is as it was written. VERSION: of an outcome. */
static void judge(struct spool_check *c, const struct spool_row *row, uint64_t where, uint32_t version, bool good)
{
    struct check_lease lease;
    bool live = check_lease_take(c->spool, row->id.n, &lease);

    if (good)
        c->figures.records[row->kind]++;
    if (good && live && (row->kind == SPOOL_KIND_GONE || row->kind == SPOOL_KIND_VOID))
        check_say_broken(c, 7, row->id, "it has ended, and is there");
    else if (good && live && row->kind == SPOOL_KIND_OUTCOME && version > lease.row.version &&
             !(lease.row.flags & SPOOL_ENTRY_DAMAGED))
        check_say_broken(c, 8, row->id, "it has a newer state than the one that rules");
    if (!good) {
        struct spool_position p = spool_position_of(where);
        struct spool_finding f = { .kind = SPOOL_FOUND_RECORD, .id = row->id, .what = "record", .row = p.row };
        check_in_segment(&f, p.segment, (uint64_t)p.block * SPOOL_BLOCK);
        bool needed = false;
        for (int i = AT_EDIT; live && i < PLACES; i++)
            needed |= same_place(lease.at[i], where);
        f.what = row->kind == SPOOL_KIND_OUTCOME ? "state" : row->kind == SPOOL_KIND_EDIT ? "envelope" : "record";
        /* The record of a message itself is met again with its content. */
        if (needed)
            check_say_message(c, &lease, &f);
        else if (!live || !same_place(lease.at[AT_MESSAGE], where))
            check_say(c, &f);
    }
    if (live)
        check_lease_settle(c->spool, &lease);
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
            check_in_segment(&f, r->segment, (uint64_t)r->block * SPOOL_BLOCK);
            check_say(c, &f);
            continue;
        }
        if (good && found.row.kind == SPOOL_KIND_OUTCOME)
            good = spool_outcome_meta_get(found.meta, &version, &text);
        struct spool_position at = { .segment = r->segment, .block = r->block, .row = i };
        judge(c, &found.row, spool_position_pack(at), version, good);
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
        struct spool_entry_row some[CHECK_SLOTS_AT_ONCE / 64];
        size_t n = 0, end;
        pthread_mutex_lock(&spool->lock);
        end = spool_index_slots(spool->index);
        for (size_t k = 0; slot < end && k < CHECK_SLOTS_AT_ONCE && n < ARRAY_LEN(some); k++, slot++) {
            struct spool_entry_row row;
            if (spool_index_at(spool->index, slot, &row) &&
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
    struct check_lease lease;
    struct spool_finding f = { .what = "state" };

    if (is_message || !check_lease_take(c->spool, id, &lease))
        return;
    check_in_segment(&f, c->walk.segment, (uint64_t)block * SPOOL_BLOCK);
    check_say_message(c, &lease, &f);
    check_lease_settle(c->spool, &lease);
}

/* Lengths lead no further. Live messages know where other frames begin: the walk goes on at the next of these. */
static void frame_is_lost(struct spool_check *c)
{
    uint32_t from = c->block, end = c->end;
    struct spool_finding f = { .kind = SPOOL_FOUND_FRAME, .what = "frame", .error = c->walk.e };

    each_place(c, c->walk.segment, from + 1, end, nearest);
    uint32_t next = c->end;
    c->end = end;
    check_in_segment(&f, c->walk.segment, (uint64_t)from * SPOOL_BLOCK);
    f.octets = (uint64_t)(next - from) * SPOOL_BLOCK;
    check_say(c, &f);
    each_place(c, c->walk.segment, from, from + 1, lost_with_frame);
    c->block = next;
    c->expect = 0;
}

static void walk_header(struct spool_check *c, uint32_t number)
{
    unsigned char in[SPOOL_SEGMENT_HEAD];
    struct spool_segment_head head;
    struct spool_finding f = { .kind = SPOOL_FOUND_FILE, .what = "header of a segment", .octets = sizeof(in) };

    check_in_segment(&f, number, 0);
    c->expect = 0;
    f.error = reader_open(&c->walk, number) ? 0 : c->walk.e;
    if (!f.error)
        f.error = spool_disk_read(c->spool->disk, c->walk.fd, in, sizeof(in), 0);
    if (f.error || !spool_segment_head_get(&c->spool->secret, str_of((const char *)in, sizeof(in)), &head) ||
        head.number != number || head.life != c->life)
        check_say(c, &f);
    else
        c->expect = head.first_frame;
}

/* Pin the next segment that is still in use. */
void check_walk_begin(struct spool_check *c)
{
    struct spool *spool = c->spool;
    uint32_t number = (uint32_t)c->segments.at[c->figures.segments_done];

    pthread_mutex_lock(&spool->lock);
    struct segment *s = segments_find(&spool->segments, number);
    if (s && check_holds(s)) {
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

void check_walk_end(struct spool_check *c)
{
    pthread_mutex_lock(&c->spool->lock);
    c->segment->readers--;
    pthread_mutex_unlock(&c->spool->lock);
    c->segment = NULL;
    c->figures.segments_done++;
}

void check_walk_on(struct spool_check *c)
{
    struct reader *r = &c->walk;

    if (c->block >= c->end || c->expect > c->counts) {
        check_walk_end(c);
        return;
    }
    if (!reader_frame(r, (struct spool_position){ .segment = c->segment->number, .block = c->block }, c->life)) {
        frame_is_lost(c);
        return;
    }
    if (r->head.number > c->counts) { /* begun, and never acknowledged */
        check_walk_end(c);
        return;
    }
    if ((c->expect && r->head.number != c->expect) || r->head.durable >= r->head.number)
        check_say_broken(c, 4, QUEUE_ID_NONE, "frames do not follow one another");
    look_at_frame(c);
    c->expect = r->head.number + 1;
    c->block += r->head.blocks;
}
