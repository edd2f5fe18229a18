/* control/repeat.h -- the same warning more than ten times a second is counted, not written (FACE 3.1). */
#ifndef CONTROL_REPEAT_H
#define CONTROL_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "log/record.h"

enum { REPEAT_BOUND = 10, REPEAT_WINDOW_MSEC = 1000, REPEAT_SLOTS = 64 };

/* One warning in its current second. */
struct repeat_slot {
    bool used;
    uint64_t hash;
    int64_t began_msec;
    unsigned seen;
    uint64_t counted; /* of them not written */
    struct buf last;  /* the newest of those */
};

/*
 * Warnings and errors are the same when event, reason and all that says where are: texts but the session and what a
 * peer chose. One that tells the story of a message (id) is always written. Times are those of waits.
 */
struct repeat {
    struct repeat_slot slots[REPEAT_SLOTS];
    size_t counting; /* slots with something counted */
};

/* True: write RECORD. False: it was counted; repeat_take() will give it back with the number. */
bool repeat_pass(struct repeat *r, struct str record, int64_t now_msec);
/* The last of what was counted in a second that is over, with repeated=. False when there is none (now). */
bool repeat_take(struct repeat *r, int64_t now_msec, struct log_record *sum);
void repeat_done(struct repeat *r);

#endif
