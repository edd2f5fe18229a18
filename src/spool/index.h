/* spool/index.h -- where each live message stands in the log; nothing of what it says. Memory only. */
#ifndef SPOOL_INDEX_H
#define SPOOL_INDEX_H

#include "spool/format.h"

/* Slots in chunks that never move, found by a hash of the id; 64 octets a message and 4 to 8 for the hash. */
struct spool_index;

struct spool_index *spool_index_new(void);        /* NULL when memory is out */
void spool_index_free(struct spool_index *index); /* takes NULL */

/* Room for EXTRA more beside those there, so that as many calls of spool_index_add() cannot fail. */
MUST_USE bool spool_index_reserve(struct spool_index *index, size_t extra);
/* NULL when there is none. The row stays where it is until it is removed. */
struct spool_entry_row *spool_index_find(struct spool_index *index, struct queue_id id);
/* A new row with nothing but its id. The id must not be there, room must be reserved. */
struct spool_entry_row *spool_index_add(struct spool_index *index, struct queue_id id);
void spool_index_remove(struct spool_index *index, struct queue_id id);

size_t spool_index_count(const struct spool_index *index);
/* Slots ever used: walk 0 to this; a row that is added meanwhile may or may not be met. */
size_t spool_index_slots(const struct spool_index *index);
/* NULL for a slot that is empty. */
struct spool_entry_row *spool_index_at(struct spool_index *index, size_t slot);

#endif
