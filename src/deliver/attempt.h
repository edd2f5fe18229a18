/* deliver/attempt.h -- one recipient of one message on its way into its mailbox, or to its command. */
#ifndef DELIVER_ATTEMPT_H
#define DELIVER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/list.h"
#include "deliver/command.h"
#include "ipc/message.h"
#include "mailbox/mbox.h"
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
    char voucher[IPC_VOUCHER_OCTETS]; /* for another queue than the one that gave the lease */
    size_t voucher_n;
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
    bool unknown;  /* ended by us in the midst: nothing can be said, its lease ends with this process */
    bool repeated;
    enum ipc_result status;
    char code[MAILBOX_CODE_MAX];
    char text[ATTEMPT_TEXT_MAX];
    int64_t usec;
};

/* What an attempt needs to know, the same for all. */
struct attempt_place {
    const struct config *config;
    struct mbox_store *mbox;
    /* Of a process with a mail root. */
    struct mailbox_store *store;
    struct str root;
    int root_fd;
    /* Of one without, which runs commands and writes the files of aliases. */
    const struct deliver_account *account; /* else NULL */
    int stop;                              /* readable: end them now */
};

/* A copy of LEASE that outlives the message it came in; takes *file over (-1 then). NULL when memory is out. */
struct attempt *attempt_new(const struct ipc_lease *lease, int *file);
void attempt_free(struct attempt *a);
/*
 * Deliver, in a thread that may wait: fills in the result (run.c). LOOK: an earlier attempt may have got through; only
 * a Maildir can find its message then, to an mbox or a command it goes twice.
 */
void attempt_run(struct attempt *a, const struct attempt_place *place, bool look);
/* The result: CODE's class says whether a failure is for ever. */
void attempt_finish(struct attempt *a, enum ipc_result status, const char *code, const char *text);
void attempt_fail(struct attempt *a, const char *code, const char *text);
/* The content is not needed any more. */
void attempt_drop_content(struct attempt *a);

#endif
