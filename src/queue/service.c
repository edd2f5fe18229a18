/* queue/service.c -- the spool opened and closed, peers, timers, and the life of the process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/num.h"
#include "queue/keep.h"
#include "queue/queue.h"
#include "spool/disk.h"

enum { SPOOL_PATH_MAX = 1024, LOCK_MOMENTS = 30 };

/* ---- recovery ---- */

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

/* ---- events ---- */

static void on_pump(struct io_task *t)
{
    struct queue *q = CONTAINER_OF(t, struct queue, pump);

    attempts_pump(q);
}

/* A spool that writes again: what waits at sites goes on, too. */
void queue_look_at_spool(struct queue *q)
{
    bool refused = q->health == SPOOL_HEALTH_REFUSING;

    record_spool(q);
    if (refused && q->health != SPOOL_HEALTH_REFUSING)
        sites_post(q);
}

static void on_waker(struct io_waker *w)
{
    struct queue *q = CONTAINER_OF(w, struct queue, waker);

    spool_poll(q->spool);
    check_poll(q);
    queue_look_at_spool(q);
    io_task_post(&q->pump);
}

static void set_timer(struct queue *q, int64_t due_msec)
{
    int64_t now = queue_now(q);

    q->timer_msec = due_msec;
    io_timer_start(&q->timer, due_msec > now ? due_msec - now : 0);
}

void queue_wait(struct queue *q, struct wheel_node *node, int64_t due_msec)
{
    wheel_set(&q->wheel, node, due_msec);
    /* Within a tick of it the wheel has nothing to say yet. */
    due_msec += WHEEL_TICK_MSEC;
    if (!io_timer_pending(&q->timer) || due_msec < q->timer_msec)
        set_timer(q, due_msec);
}

static void on_timer(struct io_timer *t)
{
    struct queue *q = CONTAINER_OF(t, struct queue, timer);

    queue_look_at_spool(q);
    wheel_turn(&q->wheel, queue_now(q));
    if (wheel_next_msec(&q->wheel) >= 0)
        set_timer(q, wheel_next_msec(&q->wheel));
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
    q->started_wall_msec = io_wall_msec();
    list_init(&q->ready);
    list_init(&q->unread);
    list_init(&q->unpinned);
    list_init(&q->tired);
    list_init(&q->carriers);
    list_init(&q->explainings);
    list_init(&q->unrouted);
    list_init(&q->takings);
    list_init(&q->reportings);
    wheel_init(&q->wheel, queue_now(q));
    wheel_node_init(&q->digest_due, report_digest_due);
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
    return schedule_init(q, err) && rests_init(q, err) && io_waker_init(&q->waker, w->loop, on_waker, err) &&
           io_timer_init(&q->timer, w->loop, on_timer, err) && io_timer_init(&q->patience, w->loop, on_patience, err);
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

    r->queued = queue_messages(queue_of(w));
    r->recovered = rec->messages;
    r->dropped = rec->dropped_records;
    r->unclean = !rec->orderly;
    r->hold_below = queue_of(w)->hold_below;
}

/* ---- the other processes ---- */

struct ipc_channel *queue_peer(struct queue *q, enum process_kind kind, uint32_t instance)
{
    for (size_t i = 0; i < q->worker->n_peers; i++) {
        struct ipc_channel *c = q->worker->peers[i];
        if (c->peer == kind && c->instance == instance && !c->closed)
            return c;
    }
    return NULL;
}

bool queue_has_told(const struct queue *q, uint32_t instance)
{
    for (size_t i = 0; i < q->n_told; i++)
        if (q->told[i] == instance)
            return true;
    return false;
}

bool queue_may_tell(const struct queue *q, const struct ipc_channel *from)
{
    return from->instance < q->worker->instance && !queue_has_told(q, from->instance);
}

static void has_told(struct queue *q, struct ipc_channel *from)
{
    if (!queue_has_told(q, from->instance) && q->n_told < WORKER_PEERS_MAX)
        q->told[q->n_told++] = from->instance;
    if (from->peer == PROCESS_DELIVER)
        carrier_credit(q, from);
    else
        sites_post(q);
}

static void forget_told(struct queue *q, uint32_t instance)
{
    for (size_t i = 0; i < q->n_told; i++)
        if (q->told[i] == instance)
            q->told[i] = q->told[--q->n_told];
}

struct recipient *queue_recipient(struct queue *q, uint64_t id, uint32_t number)
{
    struct message *m = message_have(q, (struct queue_id){ id });

    for (uint32_t i = 0; m && i < m->n_recipients; i++)
        if (m->recipients[i].number == number)
            return &m->recipients[i];
    return NULL;
}

void queue_withdraw(struct recipient *r)
{
    if (r->state == RECIPIENT_LINED) {
        schedule_remove(r);
        return;
    }
    attempt_unroute(r);
    recipient_unpin(r);
    if (r->state != RECIPIENT_IDLE)
        r->message->active--;
    r->state = RECIPIENT_IDLE;
}

/* A Maildir finds what an earlier attempt left there; nothing else does (DESIGN 3, Twice). */
static bool finds_itself(const struct queue *q, const struct recipient *r)
{
    const struct config *config = q->worker->config;

    return r->rule && r->generation == q->worker->generation && r->route < config->n_routes &&
           config->routes[r->route].targets[0].kind == CONFIG_TARGET_MAILDIR;
}

void queue_leases_of(struct queue *q, const struct ipc_channel *gone)
{
    bool here = gone->peer == PROCESS_DELIVER;
    struct str text = here ? STR("the deliver process ended before it was done")
                           : STR("the send process ended before it was done");

    for (size_t i = 0; i < q->index_room; i++) {
        struct message *m = q->index[i];
        bool any = false;
        for (uint32_t k = 0; m && k < m->n_recipients; k++) {
            struct recipient *r = &m->recipients[k];
            if (r->state != RECIPIENT_LEASED || r->carrier != gone->instance)
                continue;
            recipient_interrupted(r, text, here ? STR("local") : STR_NONE);
            if (!finds_itself(q, r))
                record_duplicate(m, r, here ? "the deliver process ended with it in hand"
                                            : "the send process ended with it in hand");
            any = true;
        }
        if (any)
            message_settle(m);
    }
}

void queue_died(struct queue *q, const struct ipc_died *died)
{
    for (size_t i = 0; i + 8 <= died->ids.n; i += 8) {
        struct message *m = message_have(q, (struct queue_id){ le64_get(died->ids.p + i) });
        for (uint32_t k = 0; m && k < m->n_recipients; k++)
            if (m->recipients[k].progress == PROGRESS_WAITING)
                m->recipients[k].deaths++;
        if (!m)
            continue;
        /* Counted on disk: it may be at rest between two deaths. */
        m->dirty = true;
        message_settle(m);
    }
}

static void message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct queue *q = queue_of(w);

    if (q->stopping)
        return;
    switch (m->type) {
    case IPC_ROUTE_ANSWER:
        if (!explain_route(q, &m->route_answer))
            attempt_route(q, &m->route_answer);
        break;
    case IPC_EXPAND_ANSWER:
        report_expanded(q, &m->expand_answer);
        break;
    case IPC_PLAN_ANSWER:
        schedule_plan(q, &m->plan_answer);
        break;
    case IPC_DELIVER_ANSWER:
        carrier_answer(q, &m->deliver_answer);
        break;
    case IPC_MEMORY_ANSWER:
        memory_answer(q, &m->memory_answer);
        break;
    case IPC_DIED:
        queue_died(q, &m->died);
        break;
    case IPC_QUEUE_LIST_ASK:
        select_list(q, from, &m->queue_list_ask);
        break;
    case IPC_QUEUE_ACT_ASK:
        select_act(q, from, &m->queue_act_ask);
        break;
    case IPC_QUEUE_SHOW_ASK:
        show_message(q, from, &m->queue_show_ask);
        break;
    case IPC_QUEUE_SHAPE_ASK:
        shape_ask(q, from, &m->queue_shape_ask);
        break;
    case IPC_QUEUE_EDIT_ASK:
        edit_ask(q, from, &m->queue_edit_ask);
        break;
    case IPC_SITE_LIST_ASK:
        sites_list(q, from, &m->site_list_ask);
        break;
    case IPC_SITE_ACT_ASK:
        sites_act(q, from, &m->site_act_ask);
        break;
    case IPC_QUEUE_EXPLAIN_ASK:
        explain_ask(q, from, &m->queue_explain_ask);
        break;
    case IPC_SPOOL_CHECK_ASK:
        check_ask(q, from, &m->spool_check_ask);
        break;
    case IPC_SPOOL_IDS_ASK:
        export_ids(q, from, &m->spool_ids_ask);
        break;
    case IPC_SPOOL_READ_ASK:
        export_read(q, from, &m->spool_read_ask);
        break;
    case IPC_SPOOL_IMPORT_ASK:
        import_message(q, from, &m->spool_import_ask);
        break;
    case IPC_ALL_PEERS:
        q->knows_peers = true;
        q->lost_attempts = m->all_peers.lost;
        sites_post(q);
        break;
    case IPC_KEPT_END:
        has_told(q, from);
        break;
    case IPC_OUTCOME:
    case IPC_KEPT:
        carrier_message(q, from, m);
        break;
    case IPC_OPEN_ANSWER:
    case IPC_CONNECTION_CLOSED:
    case IPC_TRANSFERRED:
    case IPC_TRANSFER_KEPT:
        connection_message(q, from, m);
        break;
    default:
        take_message(q, from, m);
    }
}

static void goes_on(struct queue *q, enum process_kind with)
{
    if (with == PROCESS_LOOKUP) {
        attempts_route(q);
        reports_ask(q);
    } else if (with == PROCESS_RESOLVE) {
        schedule_ask(q);
    } else if (with == PROCESS_SEND) {
        sites_post(q);
    }
}

static void peer_up(struct worker *w, struct ipc_channel *peer)
{
    goes_on(queue_of(w), peer->peer);
}

static void peer_down(struct worker *w, struct ipc_channel *peer)
{
    struct queue *q = queue_of(w);

    if (q->stopping)
        return;
    memset(q->expected, 0, sizeof(q->expected));
    forget_told(q, peer->instance);
    switch (peer->peer) {
    case PROCESS_RECEIVE:
    case PROCESS_SUBMIT:
    case PROCESS_CONTROL:
        take_peer_gone(q, peer);
        break;
    case PROCESS_LOOKUP:
        attempts_lookup_gone(q);
        reports_lookup_gone(q);
        explain_lookup_gone(q);
        break;
    case PROCESS_RESOLVE:
        schedule_resolve_gone(q);
        break;
    case PROCESS_DELIVER:
        carrier_peer_gone(q, peer);
        break;
    case PROCESS_SEND:
        connection_peer_gone(q, peer);
        break;
    default:
        break;
    }
}

static void credit(struct worker *w, struct ipc_channel *peer)
{
    struct queue *q = queue_of(w);

    if (q->stopping)
        return;
    if (peer->peer == PROCESS_DELIVER)
        carrier_credit(q, peer);
    else
        goes_on(q, peer->peer);
}

static void reconfigured(struct worker *w)
{
    struct queue *q = queue_of(w);

    memory_look_soon(q);
    carriers_reconfigured(q);
    schedule_reconfigured(q);
}

static void stop(struct worker *w, uint32_t msec)
{
    struct queue *q = queue_of(w);

    (void)msec;
    q->stopping = true;
    check_stop(q);
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
