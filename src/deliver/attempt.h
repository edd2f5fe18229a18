/* deliver/attempt.h -- one recipient of one message on its way into its mailbox. */
#ifndef DELIVER_ATTEMPT_H
#define DELIVER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/list.h"
#include "ipc/message.h"
#include "mailbox/pool.h"
#include "mailbox/store.h"

enum { ATTEMPT_TEXT_MAX = 240 };

/* Lives from its LEASE until its outcome is SETTLED. */
struct attempt {
    struct list node; /* in its service's table */
    struct mailbox_job job;
    struct deliver *deliver;
    uint64_t lease;
    uint64_t id;
    uint32_t number;
    int64_t began_usec;

    /* Until it is finished. */
    struct arena *arena;
    struct ipc_lease message; /* octets in ARENA */
    int file;                 /* -1: content is in memory */
    size_t octets;            /* of memory in use */
    bool begun; /* by a thread */

    /* From then on. */
    bool finished;
    bool in_doubt; /* its file may be in the mailbox all the same */
    bool repeated;
    enum ipc_result status;
    char code[MAILBOX_CODE_MAX];
    char text[ATTEMPT_TEXT_MAX];
    int64_t usec;
};

/* What an attempt needs to know, the same for all. */
struct attempt_place {
    const struct config *config;
    struct mailbox_store *store;
    struct str root; /* of the mail root */
};

/* A copy of LEASE that outlives the message it came in; takes *file over (-1 then). NULL when memory is out. */
struct attempt *attempt_new(const struct ipc_lease *lease, int *file);
void attempt_free(struct attempt *a);
/* Deliver, in a thread that may wait: fills in the result. LOOK: an earlier attempt may have got through. */
void attempt_run(struct attempt *a, const struct attempt_place *place, bool look);
/* Not even begun. */
void attempt_fail(struct attempt *a, const char *code, const char *text);
/* The content is not needed any more. */
void attempt_drop_content(struct attempt *a);

#endif
