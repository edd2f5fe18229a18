/* spool/checking.h -- a look at the spool under way (spool/check.h): what its parts share. Of check*.c alone. */
#ifndef SPOOL_CHECKING_H
#define SPOOL_CHECKING_H

#include "spool/check.h"
#include "spool/internal.h"
#include "spool/reader.h"

enum { CHECK_PIECE_OCTETS = 256 << 10, CHECK_SLOTS_AT_ONCE = 4096, CHECK_TRIES = 4 };

enum check_phase { GATHER, WALK, CONTENTS, FILES, OVER };

/* A message as it was met in the index. */
struct check_met {
    uint64_t where, id;
};

struct spool_check {
    struct spool *spool;
    void (*found)(void *ctx, const struct spool_finding *f);
    void *ctx;
    struct spool_check_figures figures;
    enum check_phase phase;
    struct check_met *met; /* live messages, by place once all are gathered */
    size_t met_room, slot;
    int e; /* without memory it cannot go on */
    struct numbers named; /* messages reported */
    unsigned char *piece;

    struct numbers segments; /* in use when it began */
    struct reader walk;
    struct segment *segment; /* that is walked, and pinned; NULL: none */
    uint64_t life, counts, expect;
    uint32_t block, end;

    struct reader reader; /* of messages, by place */
};

/* Where a message is. Its segments stay as they are until check_lease_settle(). */
struct check_lease {
    struct spool_entry_row row;
    uint64_t at[PLACES];
    uint64_t life[PLACES];
    struct segment *segment[PLACES];
    bool in_use[PLACES]; /* the segment holds what counts */
    uint64_t counts;     /* of the segment of AT_MESSAGE */
};

/* It holds messages: it is neither free nor about to be. */
static inline bool check_holds(const struct segment *s)
{
    return s->state == SEGMENT_ACTIVE || s->state == SEGMENT_SEALED;
}

/* ---- check.c ---- */
void check_say(struct spool_check *c, struct spool_finding *f);
void check_say_broken(struct spool_check *c, unsigned invariant, struct queue_id id, const char *what);
void check_in_segment(struct spool_finding *f, uint32_t segment, uint64_t offset);

/* ---- check_message.c ---- */
bool check_lease_take(struct spool *spool, uint64_t id, struct check_lease *lease); /* false: it has ended */
void check_lease_settle(struct spool *spool, struct check_lease *lease);
/* Each message is told once, whatever else of it is damaged. */
void check_say_message(struct spool_check *c, const struct check_lease *lease, struct spool_finding *f);
/* Its record, content and own file. */
void check_message(struct spool_check *c, uint64_t id);

/* ---- check_walk.c ---- */
void check_walk_begin(struct spool_check *c); /* the next segment that is still in use, or none */
void check_walk_on(struct spool_check *c);    /* a frame of it */
void check_walk_end(struct spool_check *c);

#endif
