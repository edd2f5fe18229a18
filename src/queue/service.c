/* queue/service.c -- the spool opened and closed, peers, timers, and the life of the process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "queue/queue.h"
#include "spool/disk.h"

enum { SPOOL_PATH_MAX = 1024, LOCK_MOMENTS = 30 };

/* ---- recovery ---- */

struct recovering {
    struct queue *queue;
    bool failed;
};

static void held_again(struct message *m, const struct spool_entry *entry)
{
    m->state = MESSAGE_HELD;
    m->holding = LOG_REASON_FAILED;
    m->hold_reason = text_copy(entry->hold_reason);
}

/* What cannot be read is set aside and named; its neighbours are delivered. */
static void set_aside(struct message *m, const char *why)
{
    m->state = MESSAGE_HELD;
    m->holding = LOG_REASON_FAILED;
    m->hold_reason = text_copy(str_from_c(why));
    record_hold(m, LOG_REASON_FAILED, str_from_c(why));
}

static void on_entry(void *ctx, const struct spool_entry *entry)
{
    struct recovering *rec = ctx;
    struct queue *q = rec->queue;
    struct message *m = message_new(q, entry->id, entry->accepted_utc_msec);
    struct arena *a = arena_new(32 << 20);
    struct envelope e = { 0 };
    struct err err = { 0 };
    bool understood;

    if (!m || !a || !message_insert(q, m)) {
        rec->failed = true;
        message_free(m);
        arena_free(a);
        return;
    }
    m->version = entry->state_version;
    understood = !entry->damaged && envelope_decode(entry->envelope, a, &e, &err) &&
                 message_recipients(m, &e, entry->state, &err);
    arena_free(a);
    if (entry->held)
        held_again(m, entry);
    else if (!understood)
        set_aside(m, entry->damaged ? "its octets on disk cannot be read" : err.text);
    else
        message_ready(m);
}

static bool recover(struct queue *q, struct err *err)
{
    struct recovering rec = { .queue = q };
    const struct spool_recovered *r = spool_recovered(q->spool);
    struct log_record record;

    if (!spool_each(q->spool, on_entry, &rec, err))
        return false;
    if (rec.failed)
        return err_temp(err, "short of memory for what waits in the spool");
    if (r->text[0]) {
        log_start_level(&record, LOG_EVENT_SPOOL,
                        r->damaged || r->lost_frames ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING);
        log_text_c(&record, LOG_STATE, r->damaged || r->lost_frames ? "damaged" : "ok");
        log_text_c(&record, LOG_ERROR, r->text);
        log_send(&record);
    }
    return true;
}

/* ---- events ---- */

static void on_pump(struct io_task *t)
{
    attempts_pump(CONTAINER_OF(t, struct queue, pump));
}

static void on_waker(struct io_waker *w)
{
    struct queue *q = CONTAINER_OF(w, struct queue, waker);

    spool_poll(q->spool);
    record_spool(q);
    io_task_post(&q->pump);
}

static void on_timer(struct io_timer *t)
{
    struct queue *q = CONTAINER_OF(t, struct queue, timer);
    int64_t now = io_now_msec(q->worker->loop);

    record_spool(q);
    while (!list_empty(&q->deferred)) {
        struct message *m = CONTAINER_OF(q->deferred.next, struct message, node);
        if (m->due_msec > now) {
            io_timer_start(t, m->due_msec - now);
            break;
        }
        message_ready(m);
    }
    io_task_post(&q->pump);
}

static void on_patience(struct io_timer *t)
{
    take_overdue(CONTAINER_OF(t, struct queue, patience));
}

static void wake(void *ctx)
{
    struct queue *q = ctx;

    io_waker_wake(&q->waker);
}

static void set_min_free(struct spool_options *o, const struct config *config)
{
    if (config->min_free.percent)
        o->min_free_percent = (unsigned)config->min_free.n;
    else
        o->min_free_octets = config->min_free.n;
}

/* ---- the process ---- */

static struct queue *queue_new(struct worker *w)
{
    struct queue *q = calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    q->worker = w;
    list_init(&q->ready);
    list_init(&q->deferred);
    list_init(&q->carriers);
    list_init(&q->unrouted);
    list_init(&q->takings);
    q->waker.fd = -1;
    return q;
}

static bool start(struct worker *w, struct err *err)
{
    struct queue *q = queue_new(w);
    uint32_t lot = 0;

    if (!q)
        return err_temp(err, "out of memory");
    w->state = q;
    /* Leases of a former queue, which deliver processes may still hold, are not mistaken for ours. */
    if (getrandom(&lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
        return err_temp(err, "no random numbers");
    q->next_lease = ((uint64_t)lot << 32) + 1;
    io_task_init(&q->pump, w->loop, on_pump);
    return io_waker_init(&q->waker, w->loop, on_waker, err) && io_timer_init(&q->timer, w->loop, on_timer, err) &&
           io_timer_init(&q->patience, w->loop, on_patience, err);
}

static bool spool_path(const struct config *config, char *out, size_t room)
{
    struct str path = config->spool.text;

    if (path.n >= room)
        return false;
    memcpy(out, path.p, path.n);
    out[path.n] = '\0';
    return true;
}

/* A queue whose main was killed lets go of the spool within moments: its successor waits that long. */
static struct spool *open_spool(const struct spool_options *options, struct err *err)
{
    static const struct timespec moment = { .tv_nsec = 100000000 };
    struct spool *spool = spool_open(options, err);

    for (int i = 0; !spool && err->sys == EWOULDBLOCK && i < LOCK_MOMENTS; i++) {
        nanosleep(&moment, NULL);
        err->sys = 0;
        spool = spool_open(options, err);
    }
    return spool;
}

static bool run(struct worker *w, struct err *err)
{
    struct queue *q = queue_of(w);
    struct spool_options options = { .wake = wake, .wake_ctx = q };
    char path[SPOOL_PATH_MAX];

    if (!spool_path(w->config, path, sizeof(path)))
        return err_perm(err, "spool: too long a path");
    q->disk = spool_disk_open(path, err);
    if (!q->disk)
        return err_wrap(err, "spool");
    options.disk = q->disk;
    set_min_free(&options, w->config);
    q->spool = open_spool(&options, err);
    return (q->spool || err_wrap(err, "spool")) && recover(q, err);
}

static void sandbox(struct worker *w, struct sandbox *box)
{
    static char path[SPOOL_PATH_MAX];

    if (spool_path(w->config, path, sizeof(path)))
        box->paths[box->n_paths++] = (struct sandbox_path){ path, SANDBOX_READ | SANDBOX_WRITE };
    box->threads = true;
}

static void ready(struct worker *w, struct ipc_ready *r)
{
    const struct spool_recovered *rec = spool_recovered(queue_of(w)->spool);

    r->queued = queue_of(w)->n_messages;
    r->recovered = rec->messages;
    r->dropped = rec->dropped_records;
}

static void message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct queue *q = queue_of(w);

    if (q->stopping)
        return;
    switch (m->type) {
    case IPC_ROUTE_ANSWER:
        attempt_route(q, &m->route_answer);
        break;
    case IPC_DELIVER_ANSWER:
        carrier_answer(q, &m->deliver_answer);
        break;
    case IPC_DIED:
        carrier_died(q, &m->died);
        break;
    case IPC_QUEUE_LIST_ASK:
    case IPC_QUEUE_SHOW_ASK:
        show_message(q, from, m);
        break;
    case IPC_OUTCOME:
    case IPC_KEPT:
    case IPC_KEPT_END:
        carrier_message(q, from, m);
        break;
    default:
        take_message(q, from, m);
    }
}

static void peer_up(struct worker *w, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_LOOKUP)
        attempts_route(queue_of(w));
}

static void peer_down(struct worker *w, struct ipc_channel *peer)
{
    struct queue *q = queue_of(w);

    if (q->stopping)
        return;
    memset(q->expected, 0, sizeof(q->expected));
    switch (peer->peer) {
    case PROCESS_RECEIVE:
        take_peer_gone(q, peer);
        break;
    case PROCESS_LOOKUP:
        attempts_lookup_gone(q);
        break;
    case PROCESS_DELIVER:
        carrier_peer_gone(q, peer);
        break;
    default:
        break;
    }
}

static void credit(struct worker *w, struct ipc_channel *peer)
{
    if (queue_of(w)->stopping)
        return;
    if (peer->peer == PROCESS_LOOKUP)
        attempts_route(queue_of(w));
    else if (peer->peer == PROCESS_DELIVER)
        carrier_credit(queue_of(w), peer);
}

static void reconfigured(struct worker *w)
{
    carriers_reconfigured(queue_of(w));
}

static void stop(struct worker *w, uint32_t msec)
{
    struct queue *q = queue_of(w);

    (void)msec;
    q->stopping = true;
    spool_close(q->spool);
    /* This turn is not over: what else comes in it finds no spool. */
    io_timer_stop(&q->timer);
    io_timer_stop(&q->patience);
    io_watch_arm(&q->waker.watch, 0);
    worker_exit(w);
}

static void status(struct worker *w, struct buf *rows)
{
    if (!queue_of(w)->stopping)
        show_status(queue_of(w), rows);
}

const struct worker_service queue_service = {
    .kind = PROCESS_QUEUE,
    .start = start,
    .sandbox = sandbox,
    .run = run,
    .ready = ready,
    .message = message,
    .peer_up = peer_up,
    .peer_down = peer_down,
    .credit = credit,
    .reconfigured = reconfigured,
    .stop = stop,
    .status = status,
};
