/* spool/index.c -- where each live message stands in the log. */
#include "spool/index.h"

#include <stdlib.h>

#include "core/bug.h"
#include "spool/table.h"

/* Of every message. */
struct common {
    struct spool_slot slot;
    uint64_t message;
    uint64_t outcome;
};

/* Of those that have any of it. */
struct rare {
    struct spool_slot slot;
    uint64_t hold;
    uint64_t edit;
    uint64_t file;
};

enum { FLAG_RARE = 8 }; /* in the slot, beside SPOOL_ENTRY_HELD and SPOOL_ENTRY_DAMAGED */

struct spool_index {
    struct spool_table common;
    struct spool_table rare;
};

static struct common *common_of(struct spool_slot *slot)
{
    return slot ? CONTAINER_OF(slot, struct common, slot) : NULL;
}

static struct rare *rare_of(struct spool_slot *slot)
{
    return slot ? CONTAINER_OF(slot, struct rare, slot) : NULL;
}

struct spool_index *spool_index_new(void)
{
    struct spool_index *index = malloc(sizeof(*index));

    if (index)
        *index = (struct spool_index){ .common.slot_octets = sizeof(struct common),
                                       .rare.slot_octets = sizeof(struct rare) };
    return index;
}

void spool_index_free(struct spool_index *index)
{
    if (!index)
        return;
    spool_table_done(&index->common);
    spool_table_done(&index->rare);
    free(index);
}

bool spool_index_reserve(struct spool_index *index, size_t messages, size_t rare)
{
    return spool_table_reserve(&index->common, messages) && spool_table_reserve(&index->rare, rare);
}

bool spool_index_has(const struct spool_index *index, struct queue_id id)
{
    return spool_table_find(&index->common, id.n) != NULL;
}

static void get_rare(const struct rare *r, struct spool_entry_row *entry)
{
    entry->hold = r->hold;
    entry->edit = r->edit;
    entry->file = r->file;
}

static void get(const struct spool_index *index, const struct common *c, struct spool_entry_row *entry)
{
    *entry = (struct spool_entry_row){
        .id = c->slot.id,
        .message = c->message,
        .outcome = c->outcome,
        .version = c->slot.version,
        .flags = c->slot.flags & ~(unsigned)FLAG_RARE,
    };
    if (c->slot.flags & FLAG_RARE)
        get_rare(rare_of(spool_table_find(&index->rare, c->slot.id)), entry);
}

bool spool_index_get(const struct spool_index *index, struct queue_id id, struct spool_entry_row *entry)
{
    struct common *c = common_of(spool_table_find(&index->common, id.n));

    if (c)
        get(index, c, entry);
    return c != NULL;
}

static void set_rare(struct spool_index *index, struct common *c, const struct spool_entry_row *entry)
{
    bool any = entry->hold || entry->edit || entry->file, had = c->slot.flags & FLAG_RARE;

    if (any && !had)
        spool_table_add(&index->rare, entry->id);
    if (!any && had)
        spool_table_remove(&index->rare, entry->id);
    if (!any)
        return;
    struct rare *r = rare_of(spool_table_find(&index->rare, entry->id));
    r->hold = entry->hold;
    r->edit = entry->edit;
    r->file = entry->file;
}

static void put(struct spool_index *index, struct common *c, const struct spool_entry_row *entry)
{
    bool any = entry->hold || entry->edit || entry->file;

    if (any || c->slot.flags & FLAG_RARE)
        set_rare(index, c, entry);
    c->message = entry->message;
    c->outcome = entry->outcome;
    c->slot.version = entry->version;
    c->slot.flags = (entry->flags | (any ? FLAG_RARE : 0)) & 15;
}

void spool_index_add(struct spool_index *index, const struct spool_entry_row *entry)
{
    put(index, common_of(spool_table_add(&index->common, entry->id)), entry);
}

void spool_index_set(struct spool_index *index, const struct spool_entry_row *entry)
{
    struct common *c = common_of(spool_table_find(&index->common, entry->id));

    BUG_ON(!c);
    put(index, c, entry);
}

void spool_index_remove(struct spool_index *index, struct queue_id id)
{
    struct common *c = common_of(spool_table_find(&index->common, id.n));

    BUG_ON(!c);
    if (c->slot.flags & FLAG_RARE)
        spool_table_remove(&index->rare, id.n);
    spool_table_remove(&index->common, id.n);
}

size_t spool_index_count(const struct spool_index *index)
{
    return index->common.count;
}

size_t spool_index_slots(const struct spool_index *index)
{
    return index->common.used;
}

size_t spool_index_rare_slots(const struct spool_index *index)
{
    return index->rare.used;
}

bool spool_index_at(const struct spool_index *index, size_t slot, struct spool_entry_row *entry)
{
    struct common *c = common_of(spool_table_at(&index->common, slot));

    if (c)
        get(index, c, entry);
    return c != NULL;
}

bool spool_index_rare_at(const struct spool_index *index, size_t slot, struct spool_entry_row *entry)
{
    struct rare *r = rare_of(spool_table_at(&index->rare, slot));

    if (!r)
        return false;
    *entry = (struct spool_entry_row){ .id = r->slot.id };
    get_rare(r, entry);
    return true;
}

uint64_t spool_index_place(const struct spool_index *index, size_t slot)
{
    struct common *c = common_of(spool_table_at(&index->common, slot));

    return c ? c->message : 0;
}
