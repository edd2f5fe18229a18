/* queue/report.h -- reports in the making. Of report*.c alone. */
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

/* All that are made about one message now. */
struct reporting {
    struct list node; /* of the queue's, while a draft asks */
    struct message *message;
    struct list drafts;
};

/* ---- report_draft.c ---- */
void draft_free(struct draft *d);
/* The recipient of that number is told of in it. */
MUST_USE bool draft_number(struct draft *d, uint32_t number);
/* One to TO, be it a new one. */
bool draft_has_room(struct reporting *rep, enum message_report_kind kind, struct str to);
/* The one to TO, made if there is none; NULL without memory. */
struct draft *draft_for(struct reporting *rep, enum message_report_kind kind, struct str to);
/* What TO becomes, as lookup says, in its place: addresses alone, for what an alias would run or write is not told. */
void draft_expanded(struct draft *d, const struct ipc_expand_answer *a);
/* What TO of the draft is, in parts; whether lookup is to be asked about it. False: no address, or no memory. */
bool report_address(struct queue *q, struct draft *d);

/* ---- report.c ---- */
/* It failed for good, and nobody was told. */
bool report_unreported(const struct recipient *r);
/* The postmaster's address, in OUT; empty without one. */
struct str report_postmaster(const struct queue *q, struct buf *out);

/* ---- report_write.c ---- */
/* NULL: none of M's has it. */
struct recipient *report_recipient(struct message *m, uint32_t number);
/* D becomes a message of its own in BATCH, with the next id. */
MUST_USE bool report_draft_add(struct message *m, struct draft *d, struct spool_batch *batch);
/* Whom reports are from. */
struct str report_own_address(const struct queue *q, struct arena *a);
/* TEXT becomes the message d->report, with that ID, in BATCH. M: any message of the queue that it is about. */
bool report_write(struct message *m, struct draft *d, struct spool_batch *batch, const struct buf *text, bool eight_bit,
                  struct queue_id id, struct arena *a);
/* It will not be written. */
void report_undo(struct message *report);

#endif
