/* spool/segments.h -- the files of the log: which are free, which hold something alive (INV-10). */
#ifndef SPOOL_SEGMENTS_H
#define SPOOL_SEGMENTS_H

#include "spool/format.h"

enum segment_state {
    SEGMENT_RAW,    /* has to be filled with zeros to its size first */
    SEGMENT_FREE,   /* ready for a new life */
    SEGMENT_ACTIVE, /* is appended to */
    SEGMENT_SEALED, /* is read only */
};

struct segment {
    uint32_t number;
    uint32_t blocks; /* that may be used */
    enum segment_state state;
    bool damaged;    /* met an unreadable frame: never reused */
    bool kept;       /* something alive in it cannot be copied: not cleaned again in this run */
    uint64_t life;   /* the newest; 0: none yet */
    uint64_t counts; /* sealed: the last frame that does */
    uint64_t refs;   /* newest messages, states, holds and edits in it */
    uint64_t live;   /* about how many octets they are (spool_size_of()) */
    uint32_t readers;
    uint64_t dead_by; /* the first checkpoint that was begun when it was dead; 0: none */
    uint32_t mark;    /* of spool_list() while it sorts */
};

struct segments {
    struct segment **at; /* by number, ascending */
    size_t count, room;
};

void segments_done(struct segments *segments);
/* NULL when there is none. */
struct segment *segments_find(const struct segments *segments, uint32_t number);
/* A raw one; NULL when memory is out. The number must be new. */
struct segment *segments_add(struct segments *segments, uint32_t number);
void segments_remove(struct segments *segments, struct segment *segment);
size_t segments_in(const struct segments *segments, enum segment_state state);
/*
 * How many are kept free (INV-15): one to go on in and one in reserve; and when the log has more than its
 * first, one more in reserve. For what is owed fills a segment with records that soon are dead: it can be
 * cleaned or found dead while the next one is written.
 */
size_t segments_spare(const struct segments *segments);
/* Fewer are free. */
bool segments_lack(const struct segments *segments);
/* There is an active one, and it took none of the reserve: so many are free as after a message has begun one. */
bool segments_reserve_whole(const struct segments *segments);
/* A free one of at least BLOCKS, that with the lowest life; NULL when there is none. */
struct segment *segments_free(const struct segments *segments, uint32_t blocks);
/* The lowest that no file has. */
uint32_t segments_next_number(const struct segments *segments);

static inline bool segment_is_dead(const struct segment *segment)
{
    return segment->state == SEGMENT_SEALED && !segment->refs && !segment->readers && !segment->damaged;
}

#endif
