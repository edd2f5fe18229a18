/* send/service.c -- the life of the process; what it is asked goes to queue.c and verify.c. */
#include <stdlib.h>

#include "core/check.h"
#include "log/record.h"
#include "send/check.h"
#include "send/connection.h"
#include "send/login.h"
#include "send/queue.h"
#include "send/send.h"
#include "send/verify.h"

enum { HAND_ASKED = WORKER_HAND_SLOTS - 1 /* place in the hand page for what is being taken in */ };

void send_exit_if_done(struct send *s)
{
    if (s->running || s->n_connections || s->n_verifies || s->n_checks)
        return;
    /* A server that stops waits for what was begun; one that goes on also wants to know it settled. */
    if (!s->stopping && (!s->retiring || s->kept))
        return;
    login_context_free(s->logins);
    s->logins = NULL;
    worker_exit(s->worker);
}

/* ---- messages ---- */

static void hand_note(const struct send *s, uint64_t id)
{
    if (s->worker->hand)
        __atomic_store_n(&s->worker->hand->ids[HAND_ASKED], id, __ATOMIC_RELEASE);
}

/* One beyond their number sees nothing of this process; control has no more (control/live.c). */
static void watch(struct send *s, const struct ipc_watch *m)
{
    if (m->ends)
        live_remove(&s->live, m->ticket);
    else
        (void)live_add(&s->live, m->ticket, m->session, m->client, m->address);
}

/* Files come before START: the first thing we hear of makes us. NULL without memory. */
static struct send *send_have(struct worker *w)
{
    struct send *s = send_of(w);

    if (s || !(s = calloc(1, sizeof(*s))))
        return s;
    *s = (struct send){ .worker = w, .read_room = malloc(SEND_READ_MAX), .out = BUF_INIT(SEND_OUT_MAX) };
    s->lot = (uint64_t)io_clock_usec();
    list_init(&s->connections);
    list_init(&s->verifies);
    for (size_t i = 0; i < SEND_TABLE; i++)
        list_init(&s->transfers[i]);
    signer_init(&s->signer, w);
    trust_init(&s->trust);
    w->state = s;
    return s;
}

static void message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct send *s = send_have(w);

    if (!s)
        return;
    switch (m->type) {
    case IPC_OPENED:
        trust_opened(&s->trust, &m->opened, &m->fd);
        break;
    case IPC_CERTIFICATE:
        trust_certificate(&s->trust, &m->certificate);
        break;
    case IPC_KEYS_TOLD:
        trust_keys_told(&s->trust);
        break;
    case IPC_SIGN_ANSWER:
        signer_answer(&s->signer, &m->sign_answer);
        break;
    case IPC_VERIFY_ASK:
        verify_ask(s, from, &m->verify_ask);
        break;
    case IPC_TLS_CHECK_ASK:
        check_ask(s, from, &m->tls_check_ask);
        break;
    case IPC_WATCH:
        watch(s, &m->watch);
        break;
    default:
        hand_note(s, m->type == IPC_TRANSFER ? m->transfer.id : 0);
        queue_message(s, from, m);
        hand_note(s, 0);
    }
}

static void peer_up(struct worker *w, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_QUEUE)
        queue_comes(send_of(w), peer);
    if (peer->peer == PROCESS_KEY)
        signer_ask(&send_of(w)->signer);
}

static void credit(struct worker *w, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_KEY)
        signer_ask(&send_of(w)->signer);
}

static void peer_down(struct worker *w, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_QUEUE)
        queue_dies(send_of(w), peer);
    if (peer->peer == PROCESS_CONTROL)
        live_clear(&send_of(w)->live);
    if (peer->peer == PROCESS_KEY)
        signer_peer_gone(&send_of(w)->signer, peer);
}

/* ---- life ---- */

static void on_patience(struct io_timer *t)
{
    struct send *s = CONTAINER_OF(t, struct send, patience);

    LIST_FOR(node, &s->connections)
    {
        connection_cut(CONTAINER_OF(node, struct connection, node));
    }
}

static bool start(struct worker *w, struct err *err)
{
    struct send *s = send_have(w);

    if (!s || !s->read_room)
        return err_temp(err, "out of memory");
    s->logins = login_context_new(w->loop, err);
    if (!s->logins)
        return false;
    if (!tls_begin(&s->signer.base, err) || !trust_begin(&s->trust, w->config, err))
        return false;
    return io_timer_init(&s->patience, w->loop, on_patience, err);
}

static void sandbox(struct worker *w, struct sandbox *box)
{
    (void)w;
    box->network = true;
    box->unix_sockets = true;
}

static void retire(struct worker *w)
{
    struct send *s = send_of(w);

    s->retiring = true;
    LIST_FOR(node, &s->connections)
    {
        connection_close(CONTAINER_OF(node, struct connection, node));
    }
    send_exit_if_done(s);
}

/* What has not begun to be sent stays in the queue as it was. */
static void stop(struct worker *w, uint32_t msec)
{
    struct send *s = send_of(w);

    s->retiring = true;
    s->stopping = true;
    verify_stop(s);
    LIST_FOR(node, &s->connections)
    {
        connection_hurry(CONTAINER_OF(node, struct connection, node));
    }
    io_timer_start(&s->patience, msec);
    send_exit_if_done(s);
}

static void status(struct worker *w, struct buf *rows)
{
    struct send *s = send_of(w);
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(PROCESS_SEND));
    log_number(&row, LOG_INSTANCE, w->instance);
    log_number(&row, LOG_SESSIONS, (int64_t)s->n_connections);
    log_number(&row, LOG_LEASES, (int64_t)s->running);
    log_number(&row, LOG_WAITING, (int64_t)s->kept);
    log_number(&row, LOG_DELIVERED, (int64_t)s->delivered);
    log_number(&row, LOG_FAILED, (int64_t)s->failed);
    log_number(&row, LOG_OCTETS_OUT, (int64_t)s->octets_out);
    worker_row_add(rows, &row);
}

const struct worker_service send_service = {
    .kind = PROCESS_SEND,
    .start = start,
    .sandbox = sandbox,
    .message = message,
    .peer_up = peer_up,
    .peer_down = peer_down,
    .credit = credit,
    .retire = retire,
    .stop = stop,
    .status = status,
};
