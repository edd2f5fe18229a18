/* spool/internal.h -- what the files of spool/ share. Nobody else includes it. */
#ifndef SPOOL_INTERNAL_H
#define SPOOL_INTERNAL_H

#include <pthread.h>

#include "core/list.h"
#include "spool/clean.h"
#include "spool/disk.h"
#include "spool/engine.h"
#include "spool/format.h"
#include "spool/index.h"
#include "spool/reader.h"
#include "spool/segments.h"
#include "spool/spool.h"
#include "spool/tokens.h"

enum {
    CONTENT_THREADS = 2,
    READS_AT_ONCE = 16,      /* taken by one of them */
    ID_BLOCK = 1 << 22,      /* ids set aside at a time */
    LOOK_USEC = 1000000,     /* between looks at the space left, while there is traffic */
    FIRST_SEGMENT = 1 << 20, /* octets of the first one, so that the first start is quick */
};

/* ---- batches ---- */

struct record {
    enum spool_kind kind;
    struct queue_id id;
    uint32_t version;
    struct str text; /* envelope, state or reason; borrowed */
    /* of a message */
    struct spool_token token;
    int64_t accepted_utc_msec;
    struct str head, body;
    uint64_t file, file_octets, file_sum;
    /* of a copy */
    uint64_t from;   /* where the record stood */
    uint64_t folded; /* the edit whose envelope is in it, 0: none */
    uint64_t folded_life;
};

struct spool_batch {
    struct list node; /* in one of the lists of struct spool, or in none */
    struct record *records;
    uint32_t count, room;
    uint32_t messages;
    uint32_t files;
    uint32_t rare;     /* files, holds and edits */
    uint64_t metas;    /* octets */
    uint64_t contents; /* octets */
    struct spool_submit how;
    struct spool_commit *commit;
    struct spool_result result;
};

/* A message whose frame failed: a void record for it is owed, and then its own file may go. */
struct taken_back {
    uint64_t id;
    uint64_t file;
};

struct numbers {
    uint64_t *at;
    size_t count, room;
};

MUST_USE bool numbers_reserve(struct numbers *numbers, size_t extra);
/* Without memory it is forgotten: the file is an orphan at the next recovery. */
void numbers_add(struct numbers *numbers, uint64_t n);
bool numbers_remove(struct numbers *numbers, uint64_t n);

/* The frame in the making; of the commit thread alone. */
struct frame {
    struct list batches;
    uint32_t records;
    uint32_t messages;
    uint64_t metas;
    uint64_t contents;
    size_t voids;            /* void records it begins with */
    struct segment *segment; /* that it goes into */
    bool rotate;             /* and begins */
    bool copies;             /* with those of the cleaning, before the batches */

    unsigned char segment_head[SPOOL_BLOCK];
    unsigned char *head; /* head, table and metas */
    size_t head_room;
    struct iovec *iov;
    int iov_count, iov_room;
};

struct spool {
    struct spool_options options;
    struct spool_disk *disk;
    const struct spool_clock *clock;
    struct spool_secret secret;
    int lock_fd;

    pthread_mutex_t lock; /* over all that follows, but what says otherwise */
    pthread_cond_t commit_cond, upkeep_cond, content_cond;
    pthread_t threads[2 + CONTENT_THREADS];
    unsigned thread_count;
    bool stopping; /* no new work comes: write what there is */
    bool content_stop, upkeep_stop;

    struct spool_index *index;
    struct segments segments;
    struct spool_tokens tokens;
    struct spool_recovered recovered;
    struct spool_figures figures;

    /* the log; written by the commit thread alone */
    struct segment *active; /* NULL: the next frame begins a segment */
    int active_fd;
    uint32_t next_block;
    uint64_t next_frame;
    uint64_t durable_frame;
    uint64_t former_life; /* the segment that the next one follows, and up to which frame it counts */
    uint32_t former_number;
    uint64_t former_counts;
    uint64_t next_life;
    struct frame frame;

    /* commits */
    struct list queue; /* of batches, in order */
    uint32_t queued, queued_urgent, queued_messages;
    uint32_t pending_messages; /* submitted and not ended: index and tokens have room for them */
    uint32_t pending_rare;     /* records among them that make a message rare (spool/index.h) */
    int64_t first_usec, first_urgent_usec;
    unsigned expected;
    bool commit_sleeps;
    struct taken_back *voids;
    size_t void_count, void_room;
    struct list failing; /* batches whose answer waits for their voids */
    bool repair;         /* the last frame failed: voids and owed batches first */
    bool latched;
    int64_t retry_usec;

    /* content */
    struct list syncing; /* batches with own files */
    struct list reading; /* struct spool_read */
    uint32_t reading_count;
    bool reads_first; /* they take turns */

    /* ended; for spool_poll() */
    struct list ended;
    struct list reads_ended;
    int64_t read_usec; /* when the first of them did */
    bool woken;
    bool health_changed; /* since the owner was woken */

    /* ids and start */
    uint64_t next_id, id_ceiling, last_id;
    struct spool_start start;

    /* own files */
    uint64_t next_file;
    struct numbers files_ready, files_lent, files_dead;
    bool files_wanted;
    bool orphans_stay;

    /* upkeep */
    bool short_of_space;    /* less than min-free is left */
    bool refused_for_space; /* some message, as no segment more could be made */
    int prepare_errno;
    int64_t prepare_retry_usec;
    int64_t looked_usec;
    bool want_look;
    struct segment *making;
    int making_fd;
    uint64_t made; /* octets of it */

    uint64_t checkpoint_number; /* of the newest durable one */
    unsigned checkpoint_slot;   /* where the next goes: 0 is a */
    uint64_t checkpoint_octets; /* of the newest */
    uint64_t written_since;     /* octets of log since */
    bool want_checkpoint;
    int64_t checkpoint_retry_usec;

    struct cleaning cleaning;
};

/* What is known of a message stands in up to so many places. */
enum place { AT_MESSAGE, AT_EDIT, AT_OUTCOME, AT_HOLD, PLACES };

/*
 * Open segments and the frames at hand, kept from one read to the next: in the order of the log the next message is
 * mostly in the same frame, and its state with those of its neighbours. Of one thread.
 */
struct readers {
    struct reader at[PLACES];
};

int64_t spool_now_usec(const struct spool *spool);

/* ---- log.c: the state that records make ---- */

/* One record that is durable. WHERE is packed. */
struct change {
    enum spool_kind kind;
    struct queue_id id;
    uint64_t where;
    uint32_t version;
    uint64_t file;
    struct spool_token token;
};

/* One more record of what lives stands at WHERE. */
void log_refer(struct spool *spool, uint64_t where);
/* Room must be there for a message, a hold, an edit. With the lock. Own files of what ended go to files_dead. */
void log_apply(struct spool *spool, const struct change *change);
/* A cause for the figures: "WHAT: words of the errno". */
void log_cause(struct spool *spool, int e, const char *what);

/* ---- batch.c ---- */

MUST_USE bool batch_add(struct spool_batch *batch, const struct record *record);
/* Queue BATCH for the commit thread, or end it. With the lock. */
void batch_queue(struct spool *spool, struct spool_batch *batch);
void batch_end(struct spool *spool, struct spool_batch *batch, enum spool_status status);
/* Let the owner know; with the lock. True when it was let go meanwhile: what was seen before may have
 * changed. */
bool owner_wake(struct spool *spool);

/* ---- space.c ---- */

/* There is traffic: upkeep looks at the space left, if it has not just done so. With the lock. */
void space_ask(struct spool *spool);
/* Upkeep's look; with the lock, which it lets go. */
void space_look(struct spool *spool);
/* OCTETS more leave what min-free keeps. Without the lock. */
bool space_is_left(const struct spool *spool, uint64_t octets);
/* With the lock: less than min-free is left, or no segment could be made for want of space. */
bool space_is_out(const struct spool *spool);
/* With the lock: messages are refused for want of space. */
bool space_refuses(const struct spool *spool);
/* Of one file of the log: 64 MiB, on a small disk less, so that the log has several of them. */
uint32_t space_segment_octets(struct spool_disk *disk);

/* ---- frame.c ---- */

void frame_clear(struct frame *frame);
void frame_done(struct frame *frame);
uint64_t frame_octets(uint32_t records, uint64_t metas, uint64_t contents);
uint64_t record_meta_octets(const struct record *record);
/* All it takes in a frame. */
uint64_t record_octets(const struct record *record);
/* Build head, table, metas and pieces for the place OFFSET; false without memory. */
MUST_USE bool frame_build(struct spool *spool, struct frame *frame, const struct spool_frame_head *head,
                          uint64_t offset);

/* ---- the steps, with the lock, which they let go while they work ---- */

enum spool_step commit_step(struct spool *spool, int64_t *until_usec);
/* A frame is due now; else when, if there is anything to write. */
bool commit_is_due(const struct spool *spool, int64_t now, int64_t *until_usec);
/* Stopping, and nothing is left to write or to answer. */
bool commit_is_over(const struct spool *spool);
enum spool_step content_step(struct spool *spool, struct readers *readers);
enum spool_step upkeep_step(struct spool *spool, int64_t *until_usec);

/* ---- folder.c, recover.c, start.c, checkpoint.c ---- */

/* One owner. */
MUST_USE bool folder_lock(struct spool *spool, struct err *err);
/* The secret; a folder that is no spool yet becomes one. */
MUST_USE bool folder_read_format(struct spool *spool, struct err *err);

MUST_USE bool spool_recover(struct spool *spool, struct err *err);
/* Write START into the slot its sequence says. */
int start_write(struct spool *spool, const struct spool_start *start);
/* Gather and write one; 0 or an errno. Takes the lock itself. */
int checkpoint_write(struct spool *spool);
const char *checkpoint_name(unsigned slot);

/* ---- read.c ---- */

void readers_init(struct readers *readers, const struct spool *spool);
void readers_done(struct readers *readers, const struct spool *spool); /* may be used again */

/* Some of those that wait are read; with the lock, which it lets go. */
void read_some(struct spool *spool, struct readers *readers);
/* Damaged as it is: texts whose sums are right, and of the content what is there. Without the lock. */
void salvage_read(struct spool *spool, struct spool_read *read);
/* The sum over a whole own file of OCTETS. 0, an errno, or EBADMSG when it has another length. */
int own_file_sum(struct spool *spool, int fd, uint64_t number, uint64_t octets, uint64_t *sum);

#endif
