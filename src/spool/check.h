/*
 * spool/check.h -- a look at all that is kept: every record and every content against its sum, while mail goes on.
 *
 * It is done in pieces on any one thread, of a spool that works or of one that stands still (spool/still.h). What was
 * there when it began is looked at; what ends meanwhile is passed over, what moves is looked for where it is now.
 */
#ifndef SPOOL_CHECK_H
#define SPOOL_CHECK_H

#include "spool/disk.h"
#include "spool/format.h"

enum spool_finding_kind {
    SPOOL_FOUND_MESSAGE,   /* a live message cannot be read whole */
    SPOOL_FOUND_RECORD,    /* a record that no live message needs */
    SPOOL_FOUND_FRAME,     /* frames that cannot be read: messages nobody knows of may have been in them */
    SPOOL_FOUND_FILE,      /* the header of a segment, the newest checkpoint, the start numbers */
    SPOOL_FOUND_INVARIANT, /* what is whole, and cannot be (docs/SPOOL.md 7) */
};

/* One thing that is not as it was written. Texts die when the call returns. */
struct spool_finding {
    enum spool_finding_kind kind;
    struct queue_id id; /* 0: of no message */
    const char *what;   /* that is damaged: "content", "envelope", "state", "own file", ... */
    char file[SPOOL_NAME_MAX];
    uint64_t offset, octets; /* in it; 0: no sum was made, because not even its place is certain */
    uint64_t sum, wanted;
    int error;            /* the errno with which reading failed, 0: it is read and wrong */
    uint32_t row;         /* of a message: its place in the frame */
    unsigned invariant;   /* its number */
    struct str envelope;  /* of a message; empty when it cannot be read either */
    struct str state;
};

enum { SPOOL_CHECK_INVARIANTS = 16 };

struct spool_check_figures {
    uint32_t segments, segments_done;
    uint64_t frames;
    uint64_t records[SPOOL_KINDS]; /* good ones, by kind */
    uint64_t messages, messages_done;      /* live when it began */
    uint64_t contents, contents_good;      /* of them, those that did not end meanwhile */
    uint64_t files;                        /* own files read */
    uint64_t octets;                       /* read */
    uint64_t found[SPOOL_FOUND_INVARIANT + 1];
    bool broken[SPOOL_CHECK_INVARIANTS]; /* by number */
};

/* The invariants that a look at the disk can show: 4, 5, 7, 8, 10. */
extern const unsigned spool_check_shows[];
extern const size_t spool_check_shows_count;

struct spool_check;

/* NULL when memory is out. FOUND runs within spool_check_step(). */
struct spool_check *spool_check_new(struct spool *spool, void (*found)(void *ctx, const struct spool_finding *f),
                                    void *ctx);
/* Look at a piece of about a megabyte. False: that was all, or, with ERR, memory is out. */
MUST_USE bool spool_check_step(struct spool_check *check, struct err *err);
const struct spool_check_figures *spool_check_figures(const struct spool_check *check);
void spool_check_free(struct spool_check *check); /* takes NULL */

/* The lowest ids of live messages behind AFTER, rising, at most ROOM; how many. A look at each message in memory. */
size_t spool_ids_after(struct spool *spool, struct queue_id after, uint64_t *ids, size_t room);

#endif
