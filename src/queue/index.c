/* queue/index.c -- messages by id: open addressing, no tombstones. */
#include <stdlib.h>

#include "queue/queue.h"

enum { INDEX_FIRST = 1024 };

static size_t place(const struct queue *q, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15ULL) >> 20) & (q->index_room - 1);
}

static size_t slot_of(const struct queue *q, uint64_t id)
{
    size_t i = place(q, id);

    while (q->index[i] && q->index[i]->id.n != id)
        i = (i + 1) & (q->index_room - 1);
    return i;
}

struct message *message_find(struct queue *q, struct queue_id id)
{
    return q->index_room ? q->index[slot_of(q, id.n)] : NULL;
}

static bool grow(struct queue *q)
{
    size_t room = q->index_room ? q->index_room * 2 : INDEX_FIRST;
    struct message **former = q->index;
    size_t former_room = q->index_room;
    struct message **grown = calloc(room, sizeof(*grown));

    if (!grown)
        return false;
    q->index = grown;
    q->index_room = room;
    for (size_t i = 0; i < former_room; i++)
        if (former[i])
            q->index[slot_of(q, former[i]->id.n)] = former[i];
    free(former);
    return true;
}

bool message_insert(struct queue *q, struct message *m)
{
    if ((q->n_messages + 1) * 2 > q->index_room && !grow(q))
        return false;
    size_t i = slot_of(q, m->id.n);
    BUG_ON(q->index[i]);
    q->index[i] = m;
    q->n_messages++;
    return true;
}

void message_remove(struct queue *q, struct message *m)
{
    size_t hole = slot_of(q, m->id.n);

    if (q->index[hole] != m)
        return;
    q->index[hole] = NULL;
    q->n_messages--;
    /* Those behind that would no longer be found move up. */
    for (size_t i = (hole + 1) & (q->index_room - 1); q->index[i]; i = (i + 1) & (q->index_room - 1)) {
        size_t home = place(q, q->index[i]->id.n);
        size_t from_home = (i - home) & (q->index_room - 1);
        size_t from_hole = (i - hole) & (q->index_room - 1);
        if (from_home < from_hole)
            continue;
        q->index[hole] = q->index[i];
        q->index[i] = NULL;
        hole = i;
    }
}
