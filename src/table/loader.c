/* table/loader.c */
#include "table/loader.h"

#include <signal.h>

#include "io/fd.h"

static struct table_job *job_of(struct list *node)
{
    return node ? CONTAINER_OF(node, struct table_job, node) : NULL;
}

static void job_read(struct table_job *job)
{
    job->err = (struct err){ 0 };
    job->table = table_read(job->fd, job->form, &job->err);
    fd_close(&job->fd);
}

/* The next one to read; NULL ends the thread, and that is decided under the lock. */
static struct table_job *next_job(struct table_loader *l, struct table_job *finished)
{
    struct table_job *job;

    pthread_mutex_lock(&l->lock);
    if (finished)
        list_append(&l->finished, &finished->node);
    job = job_of(list_take(&l->waiting));
    l->working = job != NULL;
    pthread_mutex_unlock(&l->lock);
    return job;
}

static void *read_all(void *arg)
{
    struct table_loader *l = arg;

    for (struct table_job *job = next_job(l, NULL), *next; job; job = next) {
        job_read(job);
        next = next_job(l, job);
        io_waker_wake(&l->waker);
    }
    return NULL;
}

static void join(struct table_loader *l)
{
    if (l->has_thread)
        pthread_join(l->thread, NULL);
    l->has_thread = false;
}

static void on_woken(struct io_waker *w)
{
    struct table_loader *l = CONTAINER_OF(w, struct table_loader, waker);
    struct list finished;
    struct table_job *job;

    list_init(&finished);
    pthread_mutex_lock(&l->lock);
    while ((job = job_of(list_take(&l->finished))))
        list_append(&finished, &job->node);
    bool ended = !l->working;
    pthread_mutex_unlock(&l->lock);
    if (ended)
        join(l);
    while ((job = job_of(list_take(&finished))))
        job->done(job);
}

/* Signals are for the loop's thread. Without a thread the reading is done here: late is better than never. */
static void begin_thread(struct table_loader *l)
{
    sigset_t all, before;

    join(l);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    l->has_thread = pthread_create(&l->thread, NULL, read_all, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!l->has_thread)
        read_all(l);
}

bool table_loader_init(struct table_loader *l, struct io_loop *loop, struct err *err)
{
    l->has_thread = l->working = false;
    list_init(&l->waiting);
    list_init(&l->finished);
    pthread_mutex_init(&l->lock, NULL);
    return io_waker_init(&l->waker, loop, on_woken, err);
}

void table_loader_read(struct table_loader *l, struct table_job *job, int fd, enum route_form form,
                       void (*done)(struct table_job *job))
{
    bool working;

    *job = (struct table_job){ .fd = fd, .form = form, .done = done };
    list_init(&job->node);
    pthread_mutex_lock(&l->lock);
    list_append(&l->waiting, &job->node);
    working = l->working;
    l->working = true;
    pthread_mutex_unlock(&l->lock);
    if (!working)
        begin_thread(l);
}

void table_loader_done(struct table_loader *l)
{
    struct table_job *job;

    pthread_mutex_lock(&l->lock);
    while ((job = job_of(list_take(&l->waiting))))
        fd_close(&job->fd);
    pthread_mutex_unlock(&l->lock);
    join(l);
    while ((job = job_of(list_take(&l->finished)))) {
        table_free(job->table);
        job->table = NULL;
    }
    io_waker_done(&l->waker);
    pthread_mutex_destroy(&l->lock);
}
