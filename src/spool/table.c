/* spool/table.c -- slots found by queue id. */
#include "spool/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/bug.h"
#include "core/id.h"

enum { PAGE_SLOTS = 1024 };

static struct spool_slot *slot_of(const struct spool_table *table, size_t at)
{
    return (struct spool_slot *)(void *)(table->pages[at / PAGE_SLOTS] +
                                         at % PAGE_SLOTS * table->slot_octets);
}

static uint32_t *head_at(const struct spool_table *table, size_t at)
{
    return &table->head_pages[at / PAGE_SLOTS][at % PAGE_SLOTS];
}

/* The highest power of two that is not above N, which is not 0. */
static size_t power_below(size_t n)
{
    return (size_t)1 << (63 - __builtin_clzll(n));
}

/* Heads are as many as slots used: those from the last power of two on are split already. */
static size_t head_index(const struct spool_table *table, uint64_t id)
{
    size_t low = power_below(table->used), at = queue_id_hash((struct queue_id){ id }) & (2 * low - 1);

    return at < table->used ? at : at - low;
}

/* One head more: it takes from its elder twin what belongs to it now. */
static void split(struct spool_table *table)
{
    size_t fresh = table->used++;

    *head_at(table, fresh) = 0;
    if (!fresh)
        return;
    uint32_t *link = head_at(table, fresh - power_below(fresh));
    while (*link) {
        struct spool_slot *s = slot_of(table, *link - 1);
        uint32_t at = *link;
        if (head_index(table, s->id) != fresh) {
            link = &s->next;
            continue;
        }
        *link = s->next;
        s->next = *head_at(table, fresh);
        *head_at(table, fresh) = at;
    }
}

static bool grow_arrays(struct spool_table *table)
{
    size_t room = table->page_room ? table->page_room * 2 : 16;
    unsigned char **pages = realloc(table->pages, room * sizeof(*pages));

    if (!pages)
        return false;
    table->pages = pages;
    uint32_t **heads = realloc(table->head_pages, room * sizeof(*heads));
    if (!heads)
        return false;
    table->head_pages = heads;
    table->page_room = room;
    return true;
}

static bool add_page(struct spool_table *table)
{
    if (table->page_count == table->page_room && !grow_arrays(table))
        return false;
    unsigned char *page = malloc(PAGE_SLOTS * table->slot_octets);
    uint32_t *heads = malloc(PAGE_SLOTS * sizeof(*heads));
    if (!page || !heads) {
        free(page);
        free(heads);
        return false;
    }
    table->pages[table->page_count] = page;
    table->head_pages[table->page_count++] = heads;
    return true;
}

void spool_table_done(struct spool_table *table)
{
    for (size_t i = 0; i < table->page_count; i++) {
        free(table->pages[i]);
        free(table->head_pages[i]);
    }
    free(table->pages);
    free(table->head_pages);
}

bool spool_table_reserve(struct spool_table *table, size_t extra)
{
    size_t want = table->count + extra;

    if (want >= UINT32_MAX)
        return false;
    while (table->page_count * PAGE_SLOTS < want)
        if (!add_page(table))
            return false;
    return true;
}

struct spool_slot *spool_table_find(const struct spool_table *table, uint64_t id)
{
    if (!table->used)
        return NULL;
    for (uint32_t at = *head_at(table, head_index(table, id)); at;) {
        struct spool_slot *s = slot_of(table, at - 1);
        if (s->id == id)
            return s;
        at = s->next;
    }
    return NULL;
}

struct spool_slot *spool_table_add(struct spool_table *table, uint64_t id)
{
    uint32_t at = table->empty;

    BUG_ON(!id || spool_table_find(table, id));
    if (at) {
        table->empty = slot_of(table, at - 1)->next;
    } else {
        BUG_ON(table->used == table->page_count * PAGE_SLOTS);
        at = (uint32_t)table->used + 1;
        split(table);
    }
    struct spool_slot *s = slot_of(table, at - 1);
    uint32_t *head = head_at(table, head_index(table, id));
    memset(s, 0, table->slot_octets);
    s->id = id & ((1ULL << 60) - 1);
    s->next = *head;
    *head = at;
    table->count++;
    return s;
}

void spool_table_remove(struct spool_table *table, uint64_t id)
{
    uint32_t *link = head_at(table, head_index(table, id));

    while (*link && slot_of(table, *link - 1)->id != id)
        link = &slot_of(table, *link - 1)->next;
    BUG_ON(!*link);
    uint32_t at = *link;
    struct spool_slot *s = slot_of(table, at - 1);
    *link = s->next;
    memset(s, 0, table->slot_octets);
    s->next = table->empty;
    table->empty = at;
    table->count--;
}

struct spool_slot *spool_table_at(const struct spool_table *table, size_t at)
{
    struct spool_slot *s = slot_of(table, at);

    return s->id ? s : NULL;
}
