/* queue/filter.h -- SELECT: what it says, and which messages it means (FACE 2.2). Of select.c and shape.c. */
#ifndef QUEUE_FILTER_H
#define QUEUE_FILTER_H

#include "queue/queue.h"

struct select_filter {
    const uint64_t *ids; /* by candidates_compare(); n == 0: all */
    size_t n_ids;
    struct str from, to, sent_by, site, state, reason;
    int64_t older_msec;
    uint32_t uid_plus;
};

bool filter_envelope(const struct select_filter *f, const struct envelope *e);
/* Does PATTERN mean this account? A word without @ may be its domain or its name; <> is nobody, * is anybody. */
bool filter_account(struct str pattern, struct str account);
/* All but what filter_envelope() looks at. */
bool filter_message(const struct select_filter *f, const struct message *m);
/* By its slot; what that does not say may be so. */
bool filter_rest(const struct queue *q, const struct select_filter *f, const struct rest *r);
/* Is there more to ask of it than its slot says? */
bool filter_must_read(const struct select_filter *f, const struct rest *r);

#endif
