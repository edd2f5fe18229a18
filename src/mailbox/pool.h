/* mailbox/pool.h -- threads that wait for the disk, so that the event loop does not. */
#ifndef MAILBOX_POOL_H
#define MAILBOX_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bug.h"
#include "core/err.h"
#include "core/list.h"
#include "io/loop.h"

enum { MAILBOX_POOL_THREADS = 64, MAILBOX_POOL_IDLE_MSEC = 10000 };

struct mailbox_pool;

/* Embedded in its owner; the owner's again when done() is called. */
struct mailbox_job {
    struct list node;
    void (*run)(struct mailbox_job *job, unsigned thread); /* in a thread, whose number is below the pool's most */
    void (*done)(struct mailbox_job *job);                 /* in the loop, after run() */
};

/* At most THREADS of them (1 to MAILBOX_POOL_THREADS), started when there is work, ended after a time without. */
struct mailbox_pool *mailbox_pool_new(struct io_loop *loop, unsigned threads, struct err *err);
/* No job may be in it any more; waits for the threads to end. Takes NULL. */
void mailbox_pool_free(struct mailbox_pool *pool);
/* Jobs are begun in the order added. False: there is no thread and none can be had; the job is not in the pool. */
MUST_USE bool mailbox_pool_add(struct mailbox_pool *pool, struct mailbox_job *job);

#endif
