/* tests/simulate/world.h -- a queue that uses the spool over the simulated disk, and a model of what must be
 * there. */
#ifndef TESTS_SIMULATE_WORLD_H
#define TESTS_SIMULATE_WORLD_H

#include "spool/engine.h"
#include "spool/spool.h"
#include "tests/simulate/disk.h"

/* What of a message the spool has to know. */
struct fate {
    bool live;
    uint32_t version; /* of its state */
    bool held;
    uint32_t edit; /* which envelope; 0 is the first */
};

enum message_end {
    MESSAGE_OPEN,
    MESSAGE_GONE,
    MESSAGE_REFUSED, /* answered 45x, or not there after a recovery: never again */
};

struct world_message {
    struct queue_id id;
    struct spool_token token;
    uint32_t size; /* of the content */
    bool own;
    bool long_deferred; /* outlives most others */
    struct fate sure; /* acknowledged */
    enum message_end end;
    struct world_batch *busy; /* one batch at a time, as under a lease */
};

enum { BATCH_PARTS = 4 };

struct world_batch {
    struct spool_commit commit;
    struct world *world;
    struct world_batch *next;
    struct {
        size_t message;
        struct fate then;
    } part[BATCH_PARTS];
    unsigned parts;
    bool owed;
    bool doubtful; /* refused while nothing could be written (docs/SPOOL.md 8): it may count after all */
    char *octets[BATCH_PARTS * 3]; /* lent to the spool until the callback */
    unsigned octet_count;
};

struct world_counts {
    unsigned long ends_process, ends_power, ends_orderly, ends_in_recovery, ends_failed_open;
    unsigned long messages, batches, refused, reads, frames, checkpoints, latched, dropped;
    unsigned long rounds; /* lives in which segments were used again */
    unsigned long cleaned;     /* octets copied forward */
    unsigned long in_cleaning; /* ends while a segment was being cleaned */
};

struct world {
    struct random random;
    struct sim_disk *disk;
    struct spool_clock clock;
    int64_t utc_msec, boot_usec;
    struct spool_options options;
    struct spool *spool;
    struct world_message *messages;
    size_t message_count, message_room;
    struct world_batch *batches; /* submitted, not called back */
    uint64_t highest_id;
    unsigned reading;
    bool calling;      /* in a call of the spool other than spool_poll(): no callback may come */
    bool closing;      /* in spool_close() */
    bool space_short;  /* may answer NO_SPACE */
    bool faults;       /* of the disk were planned in this run: it may refuse */
    const char *wrong; /* the first promise that was broken; NULL */
    char detail[160];
    struct world_counts counts;
};

void world_init(struct world *w, uint64_t seed, enum sim_mutant mutant);
void world_done(struct world *w);
/* Start the queue; false when the disk did not let it (the process is to be ended then), or something is
 * wrong. */
bool world_open(struct world *w);
/* Compare what was recovered with the model, and take it over. */
void world_check(struct world *w);
/* One thing that a queue or its spool does, by chance. */
void world_step(struct world *w);
/* All steps of the spool until it has nothing to do; callbacks run. */
void world_settle(struct world *w);
/* The end of the process, as said. */
void world_end(struct world *w, enum sim_end end);
void world_close(struct world *w);

/* The single things, for scripts. */
void world_accept(struct world *w, uint32_t size, bool own, bool owed);
void world_change(struct world *w);
void world_defer(struct world *w); /* an outcome of one, and it stays */

#endif
