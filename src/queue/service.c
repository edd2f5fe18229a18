/* queue/service.c -- the life of the process: its timers, what others say to it, its end. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "queue/keep.h"
#include "queue/queue.h"

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

static bool run(struct worker *w, struct err *err)
{
    return queue_open(queue_of(w), wake, err);
}

static void sandbox(struct worker *w, struct sandbox *box)
{
    static char path[QUEUE_PATH_MAX];

    if (queue_spool_path(w->config, path))
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

/* ---- what others say ---- */

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
        queue_heard(q, from);
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
    queue_forget(q, peer->instance);
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
