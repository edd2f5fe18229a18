/* send/send.h -- the process that gives messages to other hosts: connections, transfers, what they share. */
#ifndef SEND_SEND_H
#define SEND_SEND_H

#include "core/buf.h"
#include "core/list.h"
#include "ipc/worker.h"
#include "log/live.h"
#include "send/signer.h"
#include "send/trust.h"

enum {
    SEND_READ_MAX = 64 * 1024,   /* one read of a peer */
    SEND_IN_MAX = 2 * SEND_READ_MAX, /* with what was left of the one before */
    SEND_BLOCK = 256 * 1024,    /* content made ready for one write */
    SEND_FILE_BLOCK = 64 * 1024, /* one read of a content's file that must be stuffed */
    SEND_OUT_MAX = 8 << 20,     /* a block, stuffed, and the commands behind it */
    SEND_CONTENT_MAX = 256 << 20, /* octets of content in memory, of all transfers */
    SEND_TABLE = 1024,          /* places of the table of transfers */
    SEND_VERIFIES_MAX = 64,     /* questions about addresses under way at once */
};

struct send {
    struct worker *worker;
    struct list connections;
    struct list verifies;
    struct list transfers[SEND_TABLE]; /* by lease, until they are settled */
    char *read_room;                   /* SEND_READ_MAX: what the peer in hand says */
    struct buf out;                    /* what is said to it */
    struct trust trust;
    struct signer signer;
    struct login_context *logins;
    struct live live;                  /* who watches dialogues */
    size_t out_told;                   /* of OUT, to them */
    size_t octets;                     /* of content in memory */
    size_t n_connections;
    size_t n_verifies;
    size_t n_checks;
    size_t running; /* transfers without results */
    size_t kept;    /* with results, not settled */
    uint64_t lot;   /* for the order of hosts of equal preference */
    bool retiring;  /* takes nothing new */
    bool stopping;  /* and ends what has not begun */
    struct io_timer patience; /* of a stop */
    /* sums for status */
    uint64_t delivered;
    uint64_t failed;
    uint64_t octets_out;
};

extern const struct worker_service send_service;

static inline struct send *send_of(const struct worker *w)
{
    return w->state;
}

/* Exit when nothing is in hand any more and we were told to end. */
void send_exit_if_done(struct send *s);

#endif
