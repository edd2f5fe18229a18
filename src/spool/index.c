/* spool/index.c -- where each live message stands in the log. */
#include "spool/index.h"

#include <stdlib.h>

#include "core/bug.h"

enum { CHUNK_SLOTS = 1024, FIRST_HEADS = 1024 };

struct slot {
    struct spool_entry_row row; /* id 0: empty */
    uint32_t next;              /* slot + 1 of the next with the same hash, or of the next empty one */
};

struct spool_index {
    struct slot **chunks;
    size_t chunk_count;
    size_t chunk_room; /* of the array */
    size_t slots;      /* used at least once */
    size_t count;
    uint32_t empty; /* slot + 1 */
    uint32_t *heads;
    size_t head_count; /* a power of two */
};

static struct slot *slot_at(const struct spool_index *index, size_t i)
{
    return &index->chunks[i / CHUNK_SLOTS][i % CHUNK_SLOTS];
}

/* Ids are a count: their low bits are as good as a hash; the run's start is mixed in. */
static uint32_t *head_of(struct spool_index *index, uint64_t id)
{
    return &index->heads[(id ^ id >> 32) & (index->head_count - 1)];
}

static bool grow_heads(struct spool_index *index, size_t want)
{
    size_t n = index->head_count ? index->head_count : FIRST_HEADS;

    while (n < want)
        n *= 2;
    if (n == index->head_count)
        return true;
    uint32_t *heads = calloc(n, sizeof(*heads));
    if (!heads)
        return false;
    free(index->heads);
    index->heads = heads;
    index->head_count = n;
    for (size_t i = 0; i < index->slots; i++) {
        struct slot *s = slot_at(index, i);
        if (!s->row.id)
            continue;
        uint32_t *head = head_of(index, s->row.id);
        s->next = *head;
        *head = (uint32_t)i + 1;
    }
    return true;
}

static bool grow_chunks(struct spool_index *index, size_t want)
{
    while (index->chunk_count * CHUNK_SLOTS < want) {
        if (index->chunk_count == index->chunk_room) {
            size_t room = index->chunk_room ? index->chunk_room * 2 : 16;
            struct slot **chunks = realloc(index->chunks, room * sizeof(*chunks));
            if (!chunks)
                return false;
            index->chunks = chunks;
            index->chunk_room = room;
        }
        struct slot *chunk = calloc(CHUNK_SLOTS, sizeof(*chunk));
        if (!chunk)
            return false;
        index->chunks[index->chunk_count++] = chunk;
    }
    return true;
}

struct spool_index *spool_index_new(void)
{
    struct spool_index *index = calloc(1, sizeof(*index));

    if (index && !grow_heads(index, FIRST_HEADS)) {
        free(index);
        return NULL;
    }
    return index;
}

void spool_index_free(struct spool_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->chunk_count; i++)
        free(index->chunks[i]);
    free(index->chunks);
    free(index->heads);
    free(index);
}

bool spool_index_reserve(struct spool_index *index, size_t extra)
{
    size_t want = index->count + extra;

    return want < UINT32_MAX && grow_chunks(index, want) && grow_heads(index, want);
}

struct spool_entry_row *spool_index_find(struct spool_index *index, struct queue_id id)
{
    for (uint32_t i = *head_of(index, id.n); i; i = slot_at(index, i - 1)->next)
        if (slot_at(index, i - 1)->row.id == id.n)
            return &slot_at(index, i - 1)->row;
    return NULL;
}

struct spool_entry_row *spool_index_add(struct spool_index *index, struct queue_id id)
{
    uint32_t at = index->empty;

    BUG_ON(!id.n || spool_index_find(index, id));
    if (at) {
        index->empty = slot_at(index, at - 1)->next;
    } else {
        BUG_ON(index->slots == index->chunk_count * CHUNK_SLOTS);
        at = (uint32_t)++index->slots;
    }
    struct slot *s = slot_at(index, at - 1);
    uint32_t *head = head_of(index, id.n);
    *s = (struct slot){ .row.id = id.n, .next = *head };
    *head = at;
    index->count++;
    return &s->row;
}

void spool_index_remove(struct spool_index *index, struct queue_id id)
{
    uint32_t *link = head_of(index, id.n);

    while (*link && slot_at(index, *link - 1)->row.id != id.n)
        link = &slot_at(index, *link - 1)->next;
    BUG_ON(!*link);
    uint32_t at = *link;
    struct slot *s = slot_at(index, at - 1);
    *link = s->next;
    *s = (struct slot){ .next = index->empty };
    index->empty = at;
    index->count--;
}

size_t spool_index_count(const struct spool_index *index)
{
    return index->count;
}

size_t spool_index_slots(const struct spool_index *index)
{
    return index->slots;
}

struct spool_entry_row *spool_index_at(struct spool_index *index, size_t slot)
{
    struct slot *s = slot_at(index, slot);

    return s->row.id ? &s->row : NULL;
}
