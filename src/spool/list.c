/* spool/list.c -- every live message in the order of the log, from memory alone. */
#include <stdlib.h>

#include "spool/internal.h"

enum { VISITS_AT_ONCE = 256 };

/* Slots of the index, those of one segment together, the segments in the order of their lives. */
struct order {
    struct segment **segments;
    size_t segment_count;
    struct segment lost; /* stands for those that are missing: first */
    uint32_t *slots;
    size_t count;
};

struct visit {
    struct queue_id id;
    bool held, damaged;
};

static int by_life(const void *a, const void *b)
{
    const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

    return (x->life > y->life) - (x->life < y->life);
}

/* Of one segment: a position is block and row. */
static int by_place(const void *a, const void *b, void *index)
{
    uint64_t x = spool_index_place(index, *(const uint32_t *)a);
    uint64_t y = spool_index_place(index, *(const uint32_t *)b);

    return (x > y) - (x < y);
}

/* Neighbours in the index are mostly neighbours in the log: LAST is tried first. */
static struct segment *segment_of(struct spool *spool, struct order *o, uint64_t place, struct segment *last)
{
    uint32_t number = spool_position_of(place).segment;

    if (last && last->number == number)
        return last;
    struct segment *s = segments_find(&spool->segments, number);
    return s ? s : &o->lost;
}

static void count_slots(struct spool *spool, struct order *o)
{
    struct segment *s = NULL;

    for (size_t i = 0; i < o->segment_count; i++)
        o->segments[i]->mark = 0;
    for (size_t i = 0; i < spool_index_slots(spool->index); i++) {
        uint64_t place = spool_index_place(spool->index, i);
        if (place)
            (s = segment_of(spool, o, place, s))->mark++;
    }
    for (size_t i = 0; i < o->segment_count; i++) {
        uint32_t n = o->segments[i]->mark;
        o->segments[i]->mark = (uint32_t)o->count;
        o->count += n;
    }
}

static void place_slots(struct spool *spool, struct order *o)
{
    struct segment *s = NULL;
    uint32_t from = 0;

    for (size_t i = 0; i < spool_index_slots(spool->index); i++) {
        uint64_t place = spool_index_place(spool->index, i);
        if (place)
            o->slots[(s = segment_of(spool, o, place, s))->mark++] = (uint32_t)i;
    }
    for (size_t i = 0; i < o->segment_count; i++) {
        uint32_t end = o->segments[i]->mark;
        qsort_r(o->slots + from, end - from, sizeof(*o->slots), by_place, spool->index);
        from = end;
    }
}

/* With the lock; what it takes is free()d by the caller. */
static bool order_take(struct spool *spool, struct order *o)
{
    o->segments = malloc((spool->segments.count + 1) * sizeof(struct segment *));
    o->slots = malloc((spool_index_count(spool->index) + 1) * sizeof(*o->slots));
    if (!o->segments || !o->slots)
        return false;
    o->segments[o->segment_count++] = &o->lost;
    for (size_t i = 0; i < spool->segments.count; i++)
        o->segments[o->segment_count++] = spool->segments.at[i];
    qsort(o->segments + 1, o->segment_count - 1, sizeof(struct segment *), by_life);
    count_slots(spool, o);
    place_slots(spool, o);
    return true;
}

/* Some of the slots from *AT on, as they are now; gives how many. */
static size_t some(struct spool *spool, const struct order *o, size_t *at, struct visit *to)
{
    size_t n = 0;

    pthread_mutex_lock(&spool->lock);
    for (; *at < o->count && n < VISITS_AT_ONCE; ++*at) {
        struct spool_entry_row row;
        if (spool_index_at(spool->index, o->slots[*at], &row))
            to[n++] = (struct visit){ .id = { row.id },
                                      .held = row.flags & SPOOL_ENTRY_HELD,
                                      .damaged = row.flags & SPOOL_ENTRY_DAMAGED };
    }
    pthread_mutex_unlock(&spool->lock);
    return n;
}

bool spool_list(struct spool *spool, void (*visit)(void *ctx, struct queue_id id, bool held, bool damaged),
                void *ctx)
{
    struct order o = { 0 };
    struct visit visits[VISITS_AT_ONCE];

    pthread_mutex_lock(&spool->lock);
    bool ok = order_take(spool, &o);
    pthread_mutex_unlock(&spool->lock);
    for (size_t at = 0; ok && at < o.count;) {
        size_t n = some(spool, &o, &at, visits);
        for (size_t i = 0; i < n; i++)
            visit(ctx, visits[i].id, visits[i].held, visits[i].damaged);
    }
    free(o.segments);
    free(o.slots);
    return ok;
}
