/* queue/report.h -- between report.c and report_digest.c: one report in the making. */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "message/report.h"
#include "queue/queue.h"

enum { REPORT_OCTETS_MAX = 64 << 20 };

/* One report: to whom, about whom. */
struct draft {
    struct list node;
    enum message_report_kind kind;
    char *to;
    char **locals, **domains; /* what TO becomes; one by itself unless lookup says otherwise */
    size_t n_to;
    bool asks;       /* lookup is to be asked, or is being asked */
    uint64_t ticket; /* 0: not asked yet */
    uint32_t *numbers;
    size_t n_numbers;
    bool told;              /* its recipients are marked so */
    struct message *report; /* once it is in a batch */
};

/* It failed for good, and nobody was told. */
bool report_unreported(const struct recipient *r);
/* What TO of the draft is, in parts; whether lookup is to be asked about it. False: no address, or no memory. */
bool report_address(struct queue *q, struct draft *d);
/* The postmaster's address, in OUT; empty without one. */
struct str report_postmaster(const struct queue *q, struct buf *out);
/* Whom reports are from. */
struct str report_own_address(const struct queue *q, struct arena *a);
/* TEXT becomes the message d->report, with that ID, in BATCH. M: any message of the queue that it is about. */
bool report_write(struct message *m, struct draft *d, struct spool_batch *batch, const struct buf *text, bool eight_bit,
                  struct queue_id id, struct arena *a);
/* It will not be written. */
void report_undo(struct message *report);

#endif
