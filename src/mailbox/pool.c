/* mailbox/pool.c -- a bounded number of threads, one list of jobs. */
#include "mailbox/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* A delivery has two blocks of 64 KiB on its stack, sanitizers want some of their own; what is not touched costs nothing. */
enum { STACK_OCTETS = 2 * 1024 * 1024 };

enum slot_state { SLOT_FREE, SLOT_RUNNING, SLOT_ENDED };

struct slot {
    struct mailbox_pool *pool;
    pthread_t thread;
    enum slot_state state;
    unsigned number;
};

struct mailbox_pool {
    struct io_waker waker;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work;
    struct list waiting;
    struct list finished;
    unsigned idle;
    unsigned most;
    bool ending;
    struct slot slots[MAILBOX_POOL_THREADS];
};

/* ---- in a thread ---- */

/* The next job; NULL when there was none for so long that this thread may end. LOCK is held. */
static struct mailbox_job *next_job(struct mailbox_pool *pool)
{
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MAILBOX_POOL_IDLE_MSEC / 1000;
    pool->idle++;
    while (list_empty(&pool->waiting) && !pool->ending && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    pool->idle--;

    struct list *node = list_take(&pool->waiting);
    return node ? CONTAINER_OF(node, struct mailbox_job, node) : NULL;
}

static void *thread_main(void *arg)
{
    struct slot *slot = arg;
    struct mailbox_pool *pool = slot->pool;
    struct mailbox_job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool))) {
        pthread_mutex_unlock(&pool->lock);
        job->run(job, slot->number);
        pthread_mutex_lock(&pool->lock);
        bool first = list_empty(&pool->finished);
        list_append(&pool->finished, &job->node);
        if (first)
            io_waker_wake(&pool->waker);
    }
    slot->state = SLOT_ENDED;
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- in the loop ---- */

static void on_woken(struct io_waker *waker)
{
    struct mailbox_pool *pool = CONTAINER_OF(waker, struct mailbox_pool, waker);
    struct list batch;
    struct list *node;

    list_init(&batch);
    pthread_mutex_lock(&pool->lock);
    while ((node = list_take(&pool->finished)))
        list_append(&batch, node);
    pthread_mutex_unlock(&pool->lock);
    while ((node = list_take(&batch))) {
        struct mailbox_job *job = CONTAINER_OF(node, struct mailbox_job, node);
        job->done(job);
    }
}

static struct slot *free_slot(struct mailbox_pool *pool)
{
    for (unsigned i = 0; i < pool->most; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state == SLOT_ENDED) {
            pthread_join(slot->thread, NULL);
            slot->state = SLOT_FREE;
        }
        if (slot->state == SLOT_FREE)
            return slot;
    }
    return NULL;
}

static bool start_thread(struct slot *slot)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (pthread_attr_init(&attr) != 0)
        return false;
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_attr_setstacksize(&attr, STACK_OCTETS) == 0 &&
        pthread_create(&slot->thread, &attr, thread_main, slot) == 0)
        slot->state = SLOT_RUNNING;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return slot->state == SLOT_RUNNING;
}

static unsigned running(const struct mailbox_pool *pool)
{
    unsigned n = 0;

    for (unsigned i = 0; i < pool->most; i++)
        n += pool->slots[i].state == SLOT_RUNNING;
    return n;
}

static size_t waiting(const struct mailbox_pool *pool)
{
    size_t n = 0;

    /* Only whether it is more than the idle ones matters. */
    for (const struct list *l = pool->waiting.next; l != &pool->waiting && n <= pool->idle; l = l->next)
        n++;
    return n;
}

bool mailbox_pool_add(struct mailbox_pool *pool, struct mailbox_job *job)
{
    pthread_mutex_lock(&pool->lock);
    list_append(&pool->waiting, &job->node);
    bool served = pool->idle >= waiting(pool);
    struct slot *slot = served ? NULL : free_slot(pool);
    if (slot)
        served = start_thread(slot);
    if (!served && running(pool) == 0)
        list_remove(&job->node);
    else
        served = true;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    return served;
}

struct mailbox_pool *mailbox_pool_new(struct io_loop *loop, unsigned threads, struct err *err)
{
    struct mailbox_pool *pool = malloc(sizeof(*pool));
    pthread_condattr_t attr;

    BUG_ON(threads < 1 || threads > MAILBOX_POOL_THREADS);
    if (!pool) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *pool = (struct mailbox_pool){ .most = threads };
    list_init(&pool->waiting);
    list_init(&pool->finished);
    for (unsigned i = 0; i < threads; i++)
        pool->slots[i] = (struct slot){ .pool = pool, .number = i };
    if (!io_waker_init(&pool->waker, loop, on_woken, err)) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &attr);
    pthread_condattr_destroy(&attr);
    return pool;
}

static void join(struct mailbox_pool *pool, struct slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    bool started = slot->state != SLOT_FREE;
    pthread_mutex_unlock(&pool->lock);
    if (started)
        pthread_join(slot->thread, NULL);
}

void mailbox_pool_free(struct mailbox_pool *pool)
{
    if (!pool)
        return;
    BUG_ON(!list_empty(&pool->waiting));
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->most; i++)
        join(pool, &pool->slots[i]);
    BUG_ON(!list_empty(&pool->finished));
    io_waker_done(&pool->waker);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
