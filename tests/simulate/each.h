/* tests/simulate/each.h -- every live message of a spool, read back one by one in the order of ids. */
#ifndef TESTS_SIMULATE_EACH_H
#define TESTS_SIMULATE_EACH_H

#include <errno.h>
#include <stdlib.h>

#include "spool/spool.h"

/* READ is of envelope, state and hold, and empty where DAMAGED; it dies with the call. */
typedef void each_visit(void *ctx, const struct spool_read *read, bool damaged);

struct each_id {
    uint64_t id;
    bool damaged;
};

struct each_ids {
    struct each_id *at;
    size_t n, room;
};

static inline void each_take(void *ctx, struct queue_id id, bool held, bool damaged)
{
    struct each_ids *ids = ctx;

    (void)held;
    if (ids->n == ids->room) {
        ids->room = ids->room * 2 + 64;
        ids->at = realloc(ids->at, ids->room * sizeof(*ids->at));
        if (!ids->at)
            abort();
    }
    ids->at[ids->n++] = (struct each_id){ id.n, damaged };
}

static inline int each_by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct each_id *)a)->id, y = ((const struct each_id *)b)->id;

    return (x > y) - (x < y);
}

/* False with ERR when the disk cannot be read. */
static inline bool each_message(struct spool *spool, each_visit *visit, void *ctx, struct err *err)
{
    struct each_ids ids = { 0 };
    enum spool_read_status status = SPOOL_READ_OK;

    if (!spool_list(spool, each_take, &ids))
        return err_sys(err, ENOMEM, "spool");
    if (ids.n)
        qsort(ids.at, ids.n, sizeof(*ids.at), each_by_id);
    for (size_t i = 0; i < ids.n && status != SPOOL_READ_FAILED; i++) {
        struct spool_read read;
        spool_read_now(spool, (struct queue_id){ ids.at[i].id },
                       SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_HOLD, &read);
        status = read.status;
        if (status == SPOOL_READ_OK || status == SPOOL_READ_DAMAGED)
            visit(ctx, &read, ids.at[i].damaged || status == SPOOL_READ_DAMAGED);
        spool_read_done(spool, &read);
    }
    free(ids.at);
    return status != SPOOL_READ_FAILED || err_sys(err, EIO, "read the spool");
}

#endif
