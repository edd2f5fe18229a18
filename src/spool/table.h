/* spool/table.h -- slots found by queue id: they never move, and the table grows without a pause. Memory
 * only. */
#ifndef SPOOL_TABLE_H
#define SPOOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"

/* How each slot begins; what follows is its owner's. */
struct spool_slot {
    uint64_t id : 60; /* 0: empty */
    uint64_t flags : 4;
    uint32_t next; /* slot + 1 of the next with the same hash, or of the next empty one; the table's own */
    uint32_t version;
};

/*
 * Slots and hash heads stand in pages. Linear hashing: with each new slot one head is split in two, so that
 * growing neither copies the whole nor ever holds it twice. A slot costs its size and 4 octets.
 */
struct spool_table {
    size_t slot_octets;
    unsigned char **pages;
    uint32_t **head_pages;
    size_t page_count, page_room;
    size_t used; /* slots used at least once; as many heads are in use */
    size_t count;
    uint32_t empty; /* slot + 1 */
};

/* Zeroed but for slot_octets, which begins with a struct spool_slot. */
void spool_table_done(struct spool_table *table);
/* Room for EXTRA more, so that as many calls of spool_table_add() cannot fail. */
MUST_USE bool spool_table_reserve(struct spool_table *table, size_t extra);
/* NULL when there is none. A slot stays where it is until it is removed. */
struct spool_slot *spool_table_find(const struct spool_table *table, uint64_t id);
/* A slot of zeros but its id. The id must not be there, room must be reserved. */
struct spool_slot *spool_table_add(struct spool_table *table, uint64_t id);
void spool_table_remove(struct spool_table *table, uint64_t id);
/* Slot AT of those used; NULL when it is empty. */
struct spool_slot *spool_table_at(const struct spool_table *table, size_t at);

#endif
