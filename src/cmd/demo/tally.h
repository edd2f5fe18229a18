/* cmd/demo/tally.h -- what was promised against what is there, by Message-ID. */
#ifndef CMD_DEMO_TALLY_H
#define CMD_DEMO_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/demo/place.h"
#include "core/bug.h"
#include "core/err.h"

enum { DEMO_TALLY_ID_MAX = 64 };

struct demo_tally_message {
    char id[DEMO_TALLY_ID_MAX]; /* empty: a free slot */
    bool acknowledged;
    unsigned found;
};

/* Init: { 0 }. Fields are read-only outside. */
struct demo_tally {
    struct demo_tally_message *slots; /* a hash table, at most two thirds full */
    size_t room, used;
};

struct demo_sums {
    uint64_t acknowledged;
    uint64_t lost;    /* acknowledged, and in no mailbox */
    uint64_t twice;   /* in the mailboxes more than once */
    uint64_t unasked; /* there, though nobody was told that it was taken */
};

void demo_tally_done(struct demo_tally *t);
/* Each line of the file LEDGER in the folder is the Message-ID of an acknowledged message. */
MUST_USE bool demo_tally_add_ledger(struct demo_tally *t, const struct demo_place *place, const char *ledger,
                                    struct err *err);
/* Each message in the mailbox of USER, read or unread. */
MUST_USE bool demo_tally_add_mailbox(struct demo_tally *t, const struct demo_place *place, const char *user,
                                     struct err *err);
struct demo_sums demo_tally_sums(const struct demo_tally *t);

#endif
