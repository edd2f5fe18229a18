/* queue/opening.c -- the spool opened, and all that is found in it known by its id (DESIGN 5). */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "queue/voucher.h"
#include "spool/disk.h"

enum { LOCK_MOMENTS = 30 };

/* ---- what is found ---- */

struct recovering {
    struct queue *queue;
    uint64_t hold_below;
    uint64_t held; /* because of it */
    bool failed;
};

/* What it is, and when it is due, is looked at when the queue works already. */
static void on_entry(void *ctx, struct queue_id id, bool held, bool damaged)
{
    struct recovering *rec = ctx;

    (void)damaged;
    rec->failed = rec->failed || !rest_unknown(rec->queue, id, held || id.n < rec->hold_below);
    if (rec->failed || held || id.n >= rec->hold_below)
        return;
    rest_find(rec->queue, id)->reason = LOG_REASON_RUN_HOLD;
    rec->held++;
}

/*
 * `run --hold`: a million of records would make the start wait, so it is known in memory alone, and to main for the
 * successor of a queue that dies. What has an id of this run has come since.
 */
static bool hold_all(struct queue *q, struct err *err)
{
    const struct ipc_start *start = &q->worker->start;
    struct queue_id first = { start->hold_below };

    if (!(start->flags & IPC_START_HOLD))
        return true;
    if (!first.n && !spool_take_ids(q->spool, 1, &first))
        return err_temp(err, "the spool gives no id");
    q->hold_below = first.n;
    return true;
}

static void record_held(const struct recovering *rec)
{
    struct log_record record;

    log_start_level(&record, LOG_EVENT_SPOOL, LOG_LEVEL_WARNING);
    log_reason(&record, LOG_REASON_RUN_HOLD);
    log_text_c(&record, LOG_STATE, "held");
    log_number(&record, LOG_HELD, (int64_t)rec->held);
    log_text_c(&record, LOG_NOTE, "let them go with: veredus queue release --all");
    log_send(&record);
}

static bool recover(struct queue *q, struct err *err)
{
    struct recovering rec = { .queue = q };
    const struct spool_recovered *r = spool_recovered(q->spool);
    struct log_record record;

    if (!hold_all(q, err))
        return false;
    rec.hold_below = q->hold_below;
    if (!spool_list(q->spool, on_entry, &rec) || rec.failed)
        return err_temp(err, "short of memory for what waits in the spool");
    if (q->hold_below)
        record_held(&rec);
    q->unclean = !r->orderly;
    io_task_post(&q->pump);
    if (r->text[0]) {
        log_start_level(&record, LOG_EVENT_SPOOL,
                        r->damaged || r->lost_frames ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING);
        log_text_c(&record, LOG_STATE, r->damaged || r->lost_frames ? "damaged" : "ok");
        log_text_c(&record, LOG_ERROR, r->text);
        log_send(&record);
    }
    return true;
}

/* ---- the spool ---- */

bool queue_spool_path(const struct config *config, char out[QUEUE_PATH_MAX])
{
    struct str path = config->spool.text;

    if (path.n >= QUEUE_PATH_MAX)
        return false;
    memcpy(out, path.p, path.n);
    out[path.n] = '\0';
    return true;
}

static void set_min_free(struct spool_options *o, const struct config *config)
{
    if (config->min_free.percent)
        o->min_free_percent = (unsigned)config->min_free.n;
    else
        o->min_free_octets = config->min_free.n;
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

bool queue_open(struct queue *q, void (*wake)(void *ctx), struct err *err)
{
    const struct config *config = q->worker->config;
    struct spool_options options = { .wake = wake, .wake_ctx = q };
    char path[QUEUE_PATH_MAX];

    if (!queue_spool_path(config, path))
        return err_perm(err, "spool: too long a path");
    q->disk = spool_disk_open(path, err);
    if (!q->disk)
        return err_wrap(err, "spool");
    options.disk = q->disk;
    set_min_free(&options, config);
    q->spool = open_spool(&options, err);
    if (!q->spool)
        return err_wrap(err, "spool");
    voucher_begin(q);
    return recover(q, err);
}
