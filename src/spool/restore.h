/* spool/restore.h -- checkpoints read back (docs/SPOOL.md 6). */
#ifndef SPOOL_RESTORE_H
#define SPOOL_RESTORE_H

#include "spool/format.h"

struct spool;

enum checkpoint_read { CHECKPOINT_NONE, CHECKPOINT_BAD, CHECKPOINT_OK };

/* What its head says; the body may be another's. *e is an errno, 0 when it is bad in itself. */
enum checkpoint_read checkpoint_head(struct spool *spool, unsigned slot, struct spool_checkpoint_head *head,
                                     int *e);
/* Whether the body is that of HEAD: all of it is read. */
enum checkpoint_read checkpoint_verify(struct spool *spool, unsigned slot,
                                       const struct spool_checkpoint_head *head, int *e);

/* The rows of a body that was verified, one after the other. */
struct checkpoint_body {
    struct spool *spool;
    int fd;
    uint64_t at, left;
    unsigned char *piece;
    size_t n, used;
    int e;
};

/* False with body->e; to be ended all the same. */
MUST_USE bool checkpoint_body_begin(struct checkpoint_body *body, struct spool *spool, unsigned slot,
                                    const struct spool_checkpoint_head *head);
/* NULL at the end, or with body->e. Lives until the next call. */
const unsigned char *checkpoint_body_row(struct checkpoint_body *body, size_t octets);
void checkpoint_body_end(struct checkpoint_body *body);

#endif
