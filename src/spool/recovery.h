/* spool/recovery.h -- one recovery while it goes on; shared by recover.c and replay.c. */
#ifndef SPOOL_RECOVERY_H
#define SPOOL_RECOVERY_H

#include "spool/internal.h"
#include "spool/reader.h"
#include "spool/restore.h"

enum { RECOVERY_PIECE = 64 * SPOOL_BLOCK }; /* read at once when looking ahead */

/* A file of the log as its header says, or, without a good one, as its first frame does. */
struct file {
    uint32_t number;
    bool known;
    bool guessed; /* the header is unreadable */
    struct spool_segment_head head;
};

/* A segment that is read: a link of the chain. */
struct link {
    const struct file *file;
    uint64_t counts; /* up to this frame; all ones: up to the tail */
};

struct recovery {
    struct spool *spool;
    struct err *err;
    struct numbers logs, owns; /* found in the folder */
    struct file *files;
    size_t file_count;
    struct link *chain; /* newest first */
    size_t chain_count;
    struct spool_checkpoint_head checkpoint; /* number 0: none */
    unsigned slot;                           /* that it stands in */
    struct reader reader;
    struct reader probe; /* looks ahead, so that the other keeps its frame */
    unsigned char *piece;
    bool oom;
    /* where replay stands */
    uint32_t block;
    uint64_t expect;
    bool dropped;
};

/* One more reason for the text that people read; what does not fit is left out. */
void recovery_note(struct recovery *rec, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_USE bool recovery_read_start(struct recovery *rec);
/* The numbers of this run, durable before anything else is written. */
MUST_USE bool recovery_begin_run(struct recovery *rec);
/* Read the frames of the chain after the checkpoint, and leave in the spool where the log goes on. */
MUST_USE bool recovery_replay(struct recovery *rec);

#endif
