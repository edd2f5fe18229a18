/*
 * queue/check.c -- `veredus spool check`: a thread of its own looks at the spool, at a pace that leaves the
 * disk to mail.
 *
 * control asks, is answered with what was found since, and asks on. The thread works a quarter of the time:
 * after each piece it rests three times as long as that took, so that a disk that is slow because of mail
 * slows the check.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "queue/keep.h"
#include "spool/check_row.h"

enum {
    ROWS_MAX = IPC_FRAME_MAX / 2,
    ROWS_FULL = IPC_FRAME_MAX / 4, /* beyond, the thread waits until they are told */
    REST_SHARE = 3,
    REST_MOST_USEC = 1000000,
    TELL_USEC = 250000,        /* how often it says how far it is */
    FORGOTTEN_USEC = 30000000, /* nobody has asked on for so long */
};

struct checking {
    struct queue *queue;
    uint32_t instance;
    uint64_t ticket;
    bool asked; /* control waits for an answer */
    pthread_t thread;

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t cond;
    struct spool_check *check; /* the thread's alone while it runs */
    struct spool_check_figures figures;
    struct buf rows;
    struct err err;
    bool news, over, stop;
    int64_t told_usec; /* when rows or figures were last taken */
};

static void on_found(void *ctx, const struct spool_finding *finding)
{
    struct checking *c = ctx;
    struct log_record row;

    spool_finding_row(&row, finding);
    pthread_mutex_lock(&c->lock);
    worker_row_add(&c->rows, &row);
    c->news = true;
    pthread_mutex_unlock(&c->lock);
}

/* Wait so long, or until it is to stop. With the lock. */
static void rest(struct checking *c, int64_t usec)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += usec / 1000000;
    until.tv_nsec += usec % 1000000 * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (!c->stop)
        pthread_cond_timedwait(&c->cond, &c->lock, &until);
}

static int64_t rest_of(int64_t worked_usec)
{
    int64_t usec = worked_usec * REST_SHARE;

    return usec < REST_MOST_USEC ? usec : REST_MOST_USEC;
}

/* With the lock: the figures are the loop's to see, and it is woken when it is worth it. */
static void show(struct checking *c, bool more)
{
    int64_t now = io_clock_usec();

    c->figures = *spool_check_figures(c->check);
    c->over = !more;
    c->news |= c->over || now - c->told_usec >= TELL_USEC;
    if (c->news)
        io_waker_wake(&c->queue->waker);
    if (now - c->told_usec >= FORGOTTEN_USEC)
        c->stop = c->over = true;
}

static void *run(void *ctx)
{
    struct checking *c = ctx;
    bool more = true;

    while (more) {
        struct err err = { 0 };
        int64_t began = io_clock_usec();
        more = spool_check_step(c->check, &err);
        pthread_mutex_lock(&c->lock);
        if (err.kind != ERR_NONE)
            c->err = err;
        show(c, more);
        if (more)
            rest(c, rest_of(io_clock_usec() - began));
        while (c->rows.n >= ROWS_FULL && !c->stop) {
            show(c, more);
            rest(c, REST_MOST_USEC);
        }
        more &= !c->stop;
        c->over = !more;
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* ---- the loop's side ---- */

static void end(struct queue *q)
{
    struct checking *c = q->checking;

    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    spool_check_free(c->check);
    buf_done(&c->rows);
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->lock);
    free(c);
    q->checking = NULL;
}

static void answer(struct ipc_channel *to, uint64_t ticket, bool more, const char *error, struct str records)
{
    if (to)
        ipc_send_spool_check_answer(to, &(struct ipc_spool_check_answer){
                                            .ticket = ticket,
                                            .more = more,
                                            .error = str_from_c(error),
                                            .records = records,
                                        });
}

void check_poll(struct queue *q)
{
    struct checking *c = q->checking;
    struct log_record row;

    if (!c || !c->asked)
        return;
    pthread_mutex_lock(&c->lock);
    bool news = c->news, over = c->over;
    if (news || over) {
        spool_figures_row(&row, &c->figures, over);
        worker_row_add(&c->rows, &row);
        answer(queue_peer(q, PROCESS_CONTROL, c->instance), c->ticket, !over, c->err.text, buf_str(&c->rows));
        buf_clear(&c->rows);
        c->news = c->asked = false;
        c->told_usec = io_clock_usec();
        pthread_cond_signal(&c->cond);
    }
    pthread_mutex_unlock(&c->lock);
    if (over)
        end(q);
}

static bool begin(struct queue *q, struct ipc_channel *from, uint64_t ticket)
{
    struct checking *c = calloc(1, sizeof(*c));
    pthread_condattr_t attr;

    if (!c)
        return false;
    *c = (struct checking){
        .queue = q,
        .instance = from->instance,
        .ticket = ticket,
        .asked = true,
        .rows = BUF_INIT(ROWS_MAX),
        .told_usec = io_clock_usec(),
        .check = spool_check_new(q->spool, on_found, c),
    };
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    if (c->check && pthread_create(&c->thread, NULL, run, c) == 0) {
        q->checking = c;
        return true;
    }
    spool_check_free(c->check);
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return false;
}

/* Nobody asks on: its subcommand was interrupted. */
static bool is_forgotten(struct checking *c)
{
    pthread_mutex_lock(&c->lock);
    bool over = c->over && !c->asked;
    pthread_mutex_unlock(&c->lock);
    return over;
}

void check_ask(struct queue *q, struct ipc_channel *from, const struct ipc_spool_check_ask *ask)
{
    struct checking *c = q->checking;
    bool own = c && c->ticket == ask->ticket && c->instance == from->instance;

    if (own && !ask->begin) {
        c->asked = true;
        check_poll(q);
        return;
    }
    if (ask->begin && c && (is_forgotten(c) || !queue_peer(q, PROCESS_CONTROL, c->instance)))
        end(q);
    if (!ask->begin)
        answer(from, ask->ticket, false, "the check was given up: nobody asked on", STR_NONE);
    else if (q->checking)
        answer(from, ask->ticket, false, "another check goes on", STR_NONE);
    else if (!begin(q, from, ask->ticket))
        answer(from, ask->ticket, false, "out of memory", STR_NONE);
}

void check_stop(struct queue *q)
{
    if (q->checking)
        end(q);
}
