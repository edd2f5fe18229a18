/* table/loader.h -- tables read on a thread: nobody waits for a disk or a million names. */
#ifndef TABLE_LOADER_H
#define TABLE_LOADER_H

#include <pthread.h>

#include "core/err.h"
#include "core/list.h"
#include "io/loop.h"
#include "table/read.h"

/* A reading under way; embedded in its owner, who must keep it until DONE was called. */
struct table_job {
    struct list node;
    int fd;
    enum route_form form;
    struct route_table *table; /* in done(): the owner's from then on; NULL with ERR */
    struct err err;
    void (*done)(struct table_job *job);
};

struct table_loader {
    struct io_waker waker;
    pthread_mutex_t lock;
    pthread_t thread;
    bool has_thread; /* to be joined */
    bool working;    /* under the lock: it will look at WAITING again before it ends */
    struct list waiting;
    struct list finished;
};

MUST_USE bool table_loader_init(struct table_loader *l, struct io_loop *loop, struct err *err);
/*
 * Read FD (taken over) as FORM; job->done() is called from the loop, never from here. The thread lives as
 * long as there is something to read: it begins behind the sandbox, and an idle process has none.
 */
void table_loader_read(struct table_loader *l, struct table_job *job, int fd, enum route_form form,
                       void (*done)(struct table_job *job));
/* Waits for the reading in hand; done() is not called any more and what was read is freed. */
void table_loader_done(struct table_loader *l);

#endif
