/* control/service.c -- the worker's calls, the log sink of control itself, and the listening sockets. */
#include "control/service.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/commands.h"
#include "control/control.h"
#include "io/local.h"

enum { CONTROL_ARENA_MAX = 4 << 20, ACCEPT_REST_MSEC = 100 };

/* ---- the log ---- */

static void take_record(struct control *control, struct str record)
{
    if (live_record(control, record))
        return;
    if (log_writer_record(&control->writer, record))
        control_history_record(&control->history, record);
}

static void own_record(struct log_sink *sink, struct str record)
{
    take_record(CONTAINER_OF(sink, struct control, sink), record);
}

static void target_failed(size_t index, const struct err *err)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_LOG, LOG_LEVEL_ERROR);
    log_number(&r, LOG_NUMBER, (int64_t)index);
    log_text_c(&r, LOG_ERROR, err->text);
    log_send(&r);
}

static void take_target(struct control *control, struct ipc_message *m)
{
    const struct config *config = control->worker->config;
    size_t index = m->log_target.index;
    struct err err = { 0 };

    if (m->fd < 0 || !config || index >= config->n_logs)
        return;
    if (index >= LOG_WRITER_TARGETS_MAX) {
        err_perm(&err, "more than %d log directives", LOG_WRITER_TARGETS_MAX);
        target_failed(index, &err);
        return;
    }
    if (!log_writer_target(&control->writer, index, &config->logs[index], m->fd, &err))
        target_failed(index, &err);
    m->fd = -1;
}

/* ---- clients ---- */

static void socket_arm(struct control_socket *s)
{
    if (s->fd >= 0)
        io_watch_arm(&s->watch, s->clients < CONTROL_CLIENTS_MAX ? IO_READ : 0);
}

/* Whom we could not part with without waiting is not let in; he waits in the kernel, and nobody else does. */
static bool may_come(struct control_socket *s)
{
    if (local_closer_start(&s->control->closer) && !local_closer_busy(&s->control->closer))
        return true;
    io_watch_arm(&s->watch, 0);
    io_timer_start(&s->control->accept_again, ACCEPT_REST_MSEC);
    return false;
}

static void on_accept_again(struct io_timer *t)
{
    struct control *control = CONTAINER_OF(t, struct control, accept_again);

    for (size_t i = 0; i < CONTROL_SOCKETS; i++)
        socket_arm(&control->sockets[i]);
}

/* Who comes when all places are taken waits in the kernel. */
static void on_client(struct io_watch *watch, unsigned what)
{
    struct control_socket *s = CONTAINER_OF(watch, struct control_socket, watch);
    bool everyone = s == &s->control->sockets[1];
    (void)what;
    if (!may_come(s))
        return;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && client_new(s->control, fd, everyone))
        s->clients++;
    socket_arm(s);
}

void control_client_gone(struct control *control, bool everyone)
{
    struct control_socket *s = &control->sockets[everyone];

    s->clients--;
    socket_arm(s);
}

static void take_socket(struct control *control, struct ipc_message *m)
{
    struct control_socket *s = &control->sockets[m->control_socket.everyone != 0];

    if (m->fd < 0)
        return;
    if (s->fd >= 0) {
        io_watch_done(&s->watch);
        local_close_listener(&control->closer, &s->fd);
    }
    if (!io_watch_init(&s->watch, control->worker->loop, m->fd, on_client, NULL))
        return;
    s->fd = m->fd;
    m->fd = -1;
    socket_arm(s);
}

/* ---- life ---- */

/* Sockets and targets may come before the start: what holds them is made at the first call. */
static struct control *control_of(struct worker *w)
{
    struct control *control = w->state;
    struct err err = { 0 };

    if (control)
        return control;
    control = calloc(1, sizeof(*control));
    if (!control || !log_writer_init(&control->writer, w->loop, &err)) {
        free(control);
        return NULL;
    }
    if (!io_timer_init(&control->accept_again, w->loop, on_accept_again, &err)) {
        log_writer_done(&control->writer);
        free(control);
        return NULL;
    }
    control->closer = (struct local_closer)LOCAL_CLOSER_INIT;
    control->worker = w;
    control->sink = (struct log_sink){ .write = own_record, .level = LOG_LEVEL_DEBUG };
    list_init(&control->clients);
    for (size_t i = 0; i < CONTROL_SOCKETS; i++)
        control->sockets[i] = (struct control_socket){ .control = control, .fd = -1 };
    w->state = control;
    return control;
}

static bool control_start(struct worker *w, struct err *err)
{
    struct control *control = control_of(w);

    if (!control)
        return err_temp(err, "out of memory");
    control->arena = arena_new(CONTROL_ARENA_MAX);
    if (!control->arena)
        return err_temp(err, "out of memory");
    permission_init(&control->permission, w->main->fd, w->config->control.group, control->arena);
    /* syslog wants local time, and inside the sandbox no file can be read any more. */
    tzset();
    /* Against clients that choose their keys; its randomness is a file, too. */
    json_object_seed(0);
    log_sink_set(&control->sink);
    control_history_start(&control->history, w->loop, w->config);
    return true;
}

static void control_sandbox(struct worker *w, struct sandbox *box)
{
    /* For local_closer_start(). */
    box->threads = true;
    control_history_sandbox(&((struct control *)w->state)->history, box);
}

static void control_message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct control *control = control_of(w);

    if (!control)
        return;
    switch (m->type) {
    case IPC_LOG:
        take_record(control, m->log.record);
        break;
    case IPC_LOG_TARGET:
        take_target(control, m);
        break;
    case IPC_CONTROL_SOCKET:
        take_socket(control, m);
        break;
    default:
        command_answer(control, from, m);
    }
}

static void control_peer_up(struct worker *w, struct ipc_channel *peer)
{
    live_peer_up(w->state, peer);
}

static void control_peer_down(struct worker *w, struct ipc_channel *peer)
{
    command_peer_down(w->state, peer);
}

static void control_reconfigured(struct worker *w)
{
    struct control *control = w->state;

    log_writer_keep(&control->writer, w->config->n_logs);
    control_history_config(&control->history, w->config);
}

/*
 * The last answers and records go out as far as that needs no waiting. The log goes on to the end of the turn, since
 * others may say something in it.
 */
static void control_end(struct worker *w)
{
    struct control *control = w->state;

    for (size_t i = 0; i < CONTROL_SOCKETS; i++) {
        if (control->sockets[i].fd >= 0)
            io_watch_done(&control->sockets[i].watch);
        local_close_listener(&control->closer, &control->sockets[i].fd);
    }
    while (!list_empty(&control->clients))
        client_free(CONTAINER_OF(control->clients.next, struct control_client, node));
    io_timer_done(&control->accept_again);
    local_closer_done(&control->closer);
    log_writer_settle(&control->writer);
    control_history_done(&control->history);
    worker_exit(w);
}

static void control_stop(struct worker *w, uint32_t msec)
{
    (void)msec;
    control_end(w);
}

const struct worker_service control_service = {
    .kind = PROCESS_CONTROL,
    .start = control_start,
    .sandbox = control_sandbox,
    .message = control_message,
    .peer_up = control_peer_up,
    .peer_down = control_peer_down,
    .reconfigured = control_reconfigured,
    .retire = control_end,
    .stop = control_stop,
};
