/* receive/service.c -- ids, peers, and the life of the process. */
#include "receive/receive.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "receive/session.h"

enum {
    DESCRIPTORS_RESERVED = 64, /* of the limit: channels, listeners, own files come beside sessions */
    SCRATCH_MAX = IPC_FRAME_MAX,
};

/* ---- ids ---- */

bool receive_take_id(struct receive *r, struct queue_id *id)
{
    struct ipc_channel *queue = worker_peer(r->worker, PROCESS_QUEUE);

    if (!r->ids_left && !r->ids_asked && queue)
        r->ids_asked = ipc_send_ids_ask(queue, &(struct ipc_ids_ask){ .count = RECEIVE_IDS_BLOCK });
    if (!r->ids_left)
        return false;
    id->n = r->id_next++;
    r->ids_left--;
    return true;
}

/* ---- the process ---- */

static void on_file_again(struct io_timer *t)
{
    questions_file_again(CONTAINER_OF(t, struct receive, file_again));
}

static uint32_t sessions_possible(const struct config *config)
{
    struct rlimit limit = { .rlim_cur = 1024 };
    uint64_t wanted = config->session.max_sessions.automatic ? UINT32_MAX : config->session.max_sessions.n;
    uint64_t possible;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    possible = limit.rlim_cur > 2 * DESCRIPTORS_RESERVED ? limit.rlim_cur - DESCRIPTORS_RESERVED : DESCRIPTORS_RESERVED;
    return (uint32_t)(wanted < possible ? wanted : possible);
}

static bool make(struct worker *w, struct err *err)
{
    struct receive *r = calloc(1, sizeof(*r));

    if (!r)
        return err_temp(err, "out of memory");
    *r = (struct receive){
        .worker = w,
        .out = BUF_INIT(RECEIVE_OUT_MAX),
        .scratch = BUF_INIT(SCRATCH_MAX),
        .read_room = malloc(RECEIVE_READ_MAX),
        .closer = LOCAL_CLOSER_INIT,
        .max_sessions = sessions_possible(w->config),
        .id_next = 1,
    };
    list_init(&r->drops);
    list_init(&r->unread);
    list_init(&r->accounts);
    if (!r->read_room || !offers_make(r, err)) {
        free(r->read_room);
        free(r);
        return err_temp(err, "out of memory");
    }
    w->state = r;
    return true;
}

static bool start(struct worker *w, struct err *err)
{
    if (!w->state && !make(w, err))
        return false;
    struct receive *r = receive_of(w);
    if (getrandom(&r->session_next, sizeof(r->session_next), 0) != (ssize_t)sizeof(r->session_next))
        return err_sys(err, errno, "getrandom");
    return io_timer_init(&r->accept_again, w->loop, receive_listeners_again, err) &&
           io_timer_init(&r->file_again, w->loop, on_file_again, err) &&
           io_timer_init(&r->unread_next, w->loop, sessions_read_on, err) && offers_begin(r, err);
}

/* One beyond their number sees nothing of this process; control has no more (control/live.c). */
static void watch(struct receive *r, const struct ipc_watch *m)
{
    if (m->ends)
        live_remove(&r->live, m->ticket);
    else
        (void)live_add(&r->live, m->ticket, m->session, m->client, m->address);
}

static void message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct err err = { 0 };

    /* Files that the configuration names come before the start. */
    if (!w->state && !make(w, &err))
        return;
    struct receive *r = receive_of(w);
    if (from == w->main && m->type == IPC_LISTENER)
        receive_listener_add(r, m);
    else if (from == w->main && m->type == IPC_SUBMIT_SOCKET)
        local_socket(r, m);
    else if (from == w->main && m->type == IPC_DROP)
        drop_take(r, m);
    else if (m->type == IPC_WATCH)
        watch(r, &m->watch);
    else if (m->type == IPC_LOGIN_ENDED)
        login_ended(r, from, &m->login_ended);
    else if (m->type == IPC_LOGINS_WANTED)
        logins_wanted(r, from);
    else if (from == w->main && m->type == IPC_NO_LOGINS)
        logins_over(r);
    else if (!offers_message(r, from, m))
        question_message(r, m);
}

static void peer_up(struct worker *w, struct ipc_channel *peer)
{
    questions_peer_up(receive_of(w), peer);
    if (peer->peer == PROCESS_QUEUE)
        drops_ask(receive_of(w));
}

static void peer_down(struct worker *w, struct ipc_channel *peer)
{
    questions_lost(receive_of(w), peer);
    if (peer->peer == PROCESS_CONTROL)
        live_clear(&receive_of(w)->live);
    if (peer->peer == PROCESS_QUEUE)
        drops_lost(receive_of(w));
    questions_send(receive_of(w), peer->peer);
}

static void credit(struct worker *w, struct ipc_channel *peer)
{
    /* Also those that could not yet tell a new lookup of themselves. */
    peer_up(w, peer);
}

void receive_session_gone(struct receive *r)
{
    if (!r->retiring || r->n_sessions)
        return;
    local_closer_done(&r->closer);
    worker_exit(r->worker);
}

static void retire(struct worker *w)
{
    struct receive *r = receive_of(w);

    r->retiring = true;
    receive_listeners_close(r);
    drops_leave(r);
    receive_session_gone(r);
}

static void stop(struct worker *w, uint32_t msec)
{
    struct receive *r = receive_of(w);

    (void)msec;
    r->stopping = true;
    retire(w);
    for (uint32_t i = 0; i < r->n_slots; i++)
        if (r->sessions[i])
            session_shutdown(r->sessions[i]);
}

/* For local_closer_start(). */
static void submit_sandbox(struct worker *w, struct sandbox *box)
{
    (void)w;
    box->threads = true;
}

static void status(struct worker *w, struct buf *rows)
{
    struct receive *r = receive_of(w);
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(w->service->kind));
    log_number(&row, LOG_INSTANCE, w->instance);
    log_number(&row, LOG_SESSIONS, r->n_sessions);
    log_number(&row, LOG_MESSAGES, (int64_t)r->accepted);
    log_number(&row, LOG_REJECTED, (int64_t)r->rejected);
    log_number(&row, LOG_OCTETS_IN, (int64_t)r->octets_in);
    worker_row_add(rows, &row);
}

const struct worker_service receive_service = {
    .kind = PROCESS_RECEIVE,
    .start = start,
    .message = message,
    .peer_up = peer_up,
    .peer_down = peer_down,
    .credit = credit,
    .retire = retire,
    .stop = stop,
    .status = status,
};

const struct worker_service submit_service = {
    .kind = PROCESS_SUBMIT,
    .start = start,
    .sandbox = submit_sandbox,
    .message = message,
    .peer_up = peer_up,
    .peer_down = peer_down,
    .credit = credit,
    .retire = retire,
    .stop = stop,
    .status = status,
};
