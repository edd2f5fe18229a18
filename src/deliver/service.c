/*
 * deliver/service.c -- leases in, outcomes out; nothing is forgotten before the queue has it on disk.
 *
 *     LEASE ──> attempt, in the table ──> a thread delivers ──> OUTCOME ──> SETTLED: gone
 *
 * When the queue dies its successor is told of every attempt in the table (KEPT), so that it leases none of them
 * again; the OUTCOME of one that was in progress then goes to it as if it had leased it.
 */
#include "deliver/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "deliver/attempt.h"
#include "log/log.h"

enum {
    TABLE = 1024,                /* places of the table of attempts */
    THREADS = 32,                /* deliveries that wait for the disk at once */
    COMMANDS = 8,                /* commands at once, each with its message in memory */
    HAND_LOOP = 255,             /* place in the hand page for what the loop itself looks at */
    TROUBLE_AGAIN_MSEC = 60000,  /* that mailboxes cannot be had is recorded so often at most */
    CONTENT_MAX = 256 << 20,     /* octets of content in memory, of all attempts */
    LOOK_SLACK_MSEC = 10000,     /* a former process may go on for so long beside this one */
};

struct deliver {
    struct worker *worker;
    int root; /* -1: none, for commands and the files of aliases */
    struct deliver_account account; /* who we are */
    bool troubled;                  /* mailboxes could not be had, and when that was told */
    int64_t troubled_msec;
    int stop; /* eventfd: commands are ended when it is readable */
    struct io_timer stop_timer;
    struct mailbox_store *store; /* NULL without a root */
    struct mbox_store *mbox;
    struct mailbox_pool *pool;
    struct list table[TABLE]; /* attempts by lease */
    size_t running;
    size_t kept; /* finished, not settled */
    size_t octets;
    uint64_t delivered;
    uint64_t failed;
    /*
     * A message accepted before this may have been delivered by somebody who could not tell: a former process, or an
     * attempt of ours whose last sync failed. Later ones can only have come to us once. Read by threads.
     */
    int64_t look_before_msec;
    bool stopping; /* read by threads: begin nothing more */
    bool retiring;
};

_Static_assert((int)THREADS <= (int)MAILBOX_POOL_THREADS && (int)HAND_LOOP < (int)WORKER_HAND_SLOTS,
               "each thread has a place in the hand page, and the loop another one");

static struct deliver *deliver_of(const struct worker *w)
{
    return w->state;
}

/* What is in hand when this process dies was perhaps why. */
static void hand_note(struct deliver *d, unsigned slot, uint64_t id)
{
    if (d->worker->hand)
        __atomic_store_n(&d->worker->hand->ids[slot], id, __ATOMIC_RELEASE);
}

/* ---- telling the queue ---- */

static bool send_outcome(struct ipc_channel *queue, const struct attempt *a)
{
    return ipc_send_outcome(queue, &(struct ipc_outcome){
                                       .lease = a->lease,
                                       .id = a->id,
                                       .number = a->number,
                                       .status = (uint8_t)a->status,
                                       .repeated = a->repeated,
                                       .code = str_from_c(a->code),
                                       .text = str_from_c(a->text),
                                       .usec = (uint64_t)a->usec,
                                   });
}

/* Of one in progress nothing else may be looked at: a thread is writing it. */
static bool send_kept(struct ipc_channel *queue, const struct attempt *a)
{
    struct ipc_kept kept = {
        .lease = a->lease,
        .id = a->id,
        .voucher = str_of(a->voucher, a->voucher_n),
        .finished = a->finished,
    };

    if (a->finished) {
        kept.status = (uint8_t)a->status;
        kept.code = str_from_c(a->code);
        kept.text = str_from_c(a->text);
    }
    return ipc_send_kept(queue, &kept);
}

/* Without a queue, or when it cannot be told, it stays kept: the next queue hears of it. */
static void tell(struct deliver *d, const struct attempt *a)
{
    struct ipc_channel *queue = worker_peer(d->worker, PROCESS_QUEUE);

    if (queue)
        send_outcome(queue, a);
}

static void peer_up(struct worker *w, struct ipc_channel *peer)
{
    struct deliver *d = deliver_of(w);
    uint32_t count = 0;

    if (peer->peer != PROCESS_QUEUE)
        return;
    for (size_t i = 0; i < TABLE; i++) {
        LIST_FOR(node, &d->table[i])
        {
            count += send_kept(peer, CONTAINER_OF(node, struct attempt, node));
        }
    }
    ipc_send_kept_end(peer, &(struct ipc_kept_end){ .count = count });
}

/* ---- attempts ---- */

static void exit_if_done(struct deliver *d)
{
    /* A server that stops waits for what was begun; one that goes on also wants to know it settled. */
    if (d->running == 0 && (d->stopping || (d->retiring && d->kept == 0)))
        worker_exit(d->worker);
}

/* Said with path and account, which are for the administrator and come to stand in no report. */
static void tell_trouble(struct deliver *d, const struct attempt *a)
{
    int64_t now = io_now_msec(d->worker->loop);
    struct buf text = BUF_INIT(LOG_VALUE_MAX);
    struct log_record r;

    if (d->root < 0 || a->status != IPC_TEMP || !str_ends(str_from_c(a->text), STR(MAILBOX_DENIED)))
        return;
    if (d->troubled && now - d->troubled_msec < TROUBLE_AGAIN_MSEC)
        return;
    d->troubled = true;
    d->troubled_msec = now;
    buf_printf(&text, "%s; deliveries below %.*s run as %s: give that folder to this account (chown), or name the one that it "
                      "belongs to by deliver-as",
               a->text, STR_ARG(d->worker->param), d->account.name);
    log_start_level(&r, LOG_EVENT_TABLE, LOG_LEVEL_WARNING);
    log_text(&r, LOG_TABLE, d->worker->param);
    log_text_c(&r, LOG_STATE, "failing");
    log_text(&r, LOG_ERROR, buf_str(&text));
    log_send(&r);
    buf_done(&text);
}

static void finished(struct deliver *d, struct attempt *a)
{
    a->finished = true;
    d->running--;
    d->kept++;
    d->octets -= a->octets;
    attempt_drop_content(a);
    if (a->status == IPC_OK)
        d->delivered++;
    else
        d->failed++;
    tell_trouble(d, a);
    tell(d, a);
}

/* Its lease ends with this process. */
static void give_back(struct deliver *d, struct attempt *a)
{
    d->running--;
    d->octets -= a->octets;
    attempt_free(a);
}

static void run(struct mailbox_job *job, unsigned thread)
{
    struct attempt *a = CONTAINER_OF(job, struct attempt, job);
    struct deliver *d = a->deliver;
    struct attempt_place place = {
        .config = d->worker->config,
        .mbox = d->mbox,
        .store = d->store,
        .root = d->worker->param,
        .root_fd = d->root,
        .account = d->root < 0 ? &d->account : NULL,
        .stop = d->stop,
    };

    if (__atomic_load_n(&d->stopping, __ATOMIC_ACQUIRE))
        return;
    a->begun = true;
    hand_note(d, thread, a->id);
    attempt_run(a, &place, a->message.accepted_msec < __atomic_load_n(&d->look_before_msec, __ATOMIC_ACQUIRE));
    hand_note(d, thread, 0);
}

static void done(struct mailbox_job *job)
{
    struct attempt *a = CONTAINER_OF(job, struct attempt, job);
    struct deliver *d = a->deliver;

    if (a->in_doubt)
        __atomic_store_n(&d->look_before_msec, io_wall_msec() + LOOK_SLACK_MSEC, __ATOMIC_RELEASE);
    if (a->begun && !a->unknown)
        finished(d, a);
    else
        give_back(d, a);
    exit_if_done(d);
}

static void refuse(struct deliver *d, struct attempt *a, const char *text)
{
    attempt_fail(a, "4.3.1", text);
    finished(d, a);
}

static void lease(struct deliver *d, struct ipc_channel *queue, struct ipc_message *m)
{
    struct attempt *a = attempt_new(&m->lease, &m->fd);

    if (!a) {
        /* Nothing to keep it in: a queue that dies before it is settled leases it again. */
        ipc_send_outcome(queue, &(struct ipc_outcome){
                                    .lease = m->lease.lease,
                                    .id = m->lease.id,
                                    .number = m->lease.number,
                                    .status = IPC_TEMP,
                                    .code = STR("4.3.1"),
                                    .text = STR("out of memory"),
                                });
        return;
    }
    a->deliver = d;
    a->job.run = run;
    a->job.done = done;
    list_append(&d->table[a->lease % TABLE], &a->node);
    d->running++;
    d->octets += a->octets;
    if (d->octets > CONTENT_MAX)
        refuse(d, a, "too much content waits for delivery");
    else if (!mailbox_pool_add(d->pool, &a->job))
        refuse(d, a, "no thread can be started");
}

static void settled(struct deliver *d, uint64_t lease)
{
    LIST_FOR(node, &d->table[lease % TABLE])
    {
        struct attempt *a = CONTAINER_OF(node, struct attempt, node);
        if (a->lease != lease || !a->finished)
            continue;
        attempt_free(a);
        d->kept--;
        exit_if_done(d);
        return;
    }
}

static void message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct deliver *d = deliver_of(w);

    if (m->type == IPC_LEASE) {
        hand_note(d, HAND_LOOP, m->lease.id);
        lease(d, from, m);
        hand_note(d, HAND_LOOP, 0);
    } else if (m->type == IPC_SETTLED) {
        settled(d, m->settled.lease);
    }
}

/* ---- life ---- */

static bool start_mailboxes(struct deliver *d, struct err *err)
{
    struct worker *w = d->worker;

    /* The folder itself may be reached over symbolic links, the administrator's; nothing below it may. */
    d->root = open(w->param.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (d->root < 0)
        return err_sys(err, errno, "mail root %.*s", STR_ARG(w->param));
    d->store = mailbox_store_new(&(struct mailbox_store_options){
        .disk = &mailbox_disk_kernel,
        .root = d->root,
        .folders = STORE_FOLDERS,
        .keep_msec = STORE_KEEP_MSEC,
    });
    return d->store || err_temp(err, "out of memory");
}

static void on_stop_timer(struct io_timer *t)
{
    struct deliver *d = CONTAINER_OF(t, struct deliver, stop_timer);

    eventfd_write(d->stop, 1);
}

static bool start_commands(struct deliver *d, struct err *err)
{
    d->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->stop < 0)
        return err_sys(err, errno, "eventfd");
    return io_timer_init(&d->stop_timer, d->worker->loop, on_stop_timer, err);
}

static bool start(struct worker *w, struct err *err)
{
    struct deliver *d = calloc(1, sizeof(*d));
    bool commands = w->param.n == 0;

    if (!d)
        return err_temp(err, "out of memory");
    *d = (struct deliver){
        .worker = w,
        .root = -1,
        .stop = -1,
        .look_before_msec = io_wall_msec() + LOOK_SLACK_MSEC,
    };
    for (size_t i = 0; i < TABLE; i++)
        list_init(&d->table[i]);
    deliver_account_find(&d->account);
    w->state = d;
    if (!(commands ? start_commands(d, err) : start_mailboxes(d, err)))
        return false;
    d->mbox = mbox_store_new(&(struct mbox_options){ .disk = &mailbox_disk_kernel, .wait_msec = MBOX_WAIT_MSEC });
    d->pool = mailbox_pool_new(w->loop, commands ? COMMANDS : THREADS, err);
    return d->pool && (d->mbox || err_temp(err, "out of memory"));
}

static void sandbox(struct worker *w, struct sandbox *box)
{
    if (deliver_of(w)->root < 0) {
        box->commands = true;
        return;
    }
    box->paths[0] = (struct sandbox_path){ w->param.p, SANDBOX_READ | SANDBOX_WRITE };
    box->n_paths = 1;
    /* Threads start when there is work: born inside, every rule holds for them. */
    box->threads = true;
}

static void retire(struct worker *w)
{
    struct deliver *d = deliver_of(w);

    d->retiring = true;
    exit_if_done(d);
}

/*
 * What waits is not begun: its leases end with us, and the messages stay in the queue as they were. Commands that run
 * are let finish, but for the time they take to be ended.
 */
static void stop(struct worker *w, uint32_t msec)
{
    struct deliver *d = deliver_of(w);

    __atomic_store_n(&d->stopping, true, __ATOMIC_RELEASE);
    if (d->root < 0 && d->running)
        io_timer_start(&d->stop_timer, msec > COMMAND_GRACE_MSEC ? msec - COMMAND_GRACE_MSEC : 0);
    exit_if_done(d);
}

static void status(struct worker *w, struct buf *rows)
{
    struct deliver *d = deliver_of(w);
    struct mailbox_store_figures figures = { 0 };
    struct log_record row;

    if (d->store)
        figures = mailbox_store_figures(d->store);
    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(PROCESS_DELIVER));
    log_number(&row, LOG_INSTANCE, w->instance);
    log_number(&row, LOG_LEASES, (int64_t)d->running);
    log_number(&row, LOG_WAITING, (int64_t)d->kept);
    log_number(&row, LOG_DELIVERED, (int64_t)d->delivered);
    log_number(&row, LOG_FAILED, (int64_t)d->failed);
    log_number(&row, LOG_SYNCS,
               (int64_t)(figures.file_syncs + figures.folder_syncs + mbox_store_syncs(d->mbox)));
    if (w->param.n)
        log_text(&row, LOG_PATH, w->param);
    worker_row_add(rows, &row);
}

const struct worker_service deliver_service = {
    .kind = PROCESS_DELIVER,
    .start = start,
    .sandbox = sandbox,
    .message = message,
    .peer_up = peer_up,
    .retire = retire,
    .stop = stop,
    .status = status,
};
