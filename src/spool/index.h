/* spool/index.h -- where each live message stands in the log; nothing of what it says. Memory only. */
#ifndef SPOOL_INDEX_H
#define SPOOL_INDEX_H

#include "spool/format.h"

/*
 * 36 octets a message, hash included; for one with a hold, an edit or an own file, which are rare, 44 more in
 * a table beside it. What was used once is kept for those that come later.
 */
struct spool_index;

struct spool_index *spool_index_new(void);        /* NULL when memory is out */
void spool_index_free(struct spool_index *index); /* takes NULL */

/*
 * Room for so many messages more beside those there, and so many that become rare, so that as many calls of
 * spool_index_add() and spool_index_set() cannot fail.
 */
MUST_USE bool spool_index_reserve(struct spool_index *index, size_t messages, size_t rare);
bool spool_index_has(const struct spool_index *index, struct queue_id id);
/* False when there is none; *entry is untouched. */
MUST_USE bool spool_index_get(const struct spool_index *index, struct queue_id id,
                              struct spool_entry_row *entry);
/* The id must not be there. */
void spool_index_add(struct spool_index *index, const struct spool_entry_row *entry);
/* The id must be there. */
void spool_index_set(struct spool_index *index, const struct spool_entry_row *entry);
void spool_index_remove(struct spool_index *index, struct queue_id id);

size_t spool_index_count(const struct spool_index *index);
/*
 * Slots ever used: walk 0 to this. A message keeps its slot; one that is added meanwhile may or may not be
 * met. What is rare has slots of its own.
 */
size_t spool_index_slots(const struct spool_index *index);
size_t spool_index_rare_slots(const struct spool_index *index);
/* False for a slot that is empty. */
MUST_USE bool spool_index_at(const struct spool_index *index, size_t slot, struct spool_entry_row *entry);
/* Of a rare slot the id, hold, edit and file alone. */
MUST_USE bool spool_index_rare_at(const struct spool_index *index, size_t slot,
                                  struct spool_entry_row *entry);
/* The place of the message in a slot that is not empty, 0 of one that is. */
uint64_t spool_index_place(const struct spool_index *index, size_t slot);

#endif
