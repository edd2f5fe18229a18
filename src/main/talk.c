/* main/talk.c -- workers are paired with each other; what they say to main, and what status says of them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "main/server.h"

/* ---- pairs ---- */

/* A session asks the lookup that has its own configuration; all others talk across configurations. */
static bool wants_pair(const struct main_child *a, const struct main_child *b)
{
    if (a == b || !b->channel || b->state == CHILD_STARTING || !(process_peers(a->kind) & (1U << b->kind)))
        return false;
    unsigned two = 1U << a->kind | 1U << b->kind;
    if ((two & SET_INTAKE) && (two & SET_LOOKUP))
        return a->generation == b->generation;
    return true;
}

static void send_peer(struct main_child *to, const struct main_child *peer, int fd)
{
    ipc_send_peer(to->channel,
                  &(struct ipc_peer){
                      .kind = (uint8_t)peer->kind,
                      .instance = peer->instance,
                      .generation = peer->generation,
                      .pid = (uint32_t)peer->pid,
                  },
                  fd);
}

static void pair(struct main_child *a, struct main_child *b)
{
    struct err err = { 0 };
    int fds[2];

    if (!fd_pair(fds, &err)) {
        log_process(a->kind, a->pid, err.text, 0);
        return;
    }
    if (!ipc_gives_fds(b->kind, a->kind))
        fd_refuse_passed(fds[0]);
    if (!ipc_gives_fds(a->kind, b->kind))
        fd_refuse_passed(fds[1]);
    send_peer(a, b, fds[0]);
    send_peer(b, a, fds[1]);
    fd_close(&fds[0]);
    fd_close(&fds[1]);
}

static void pair_with_all(struct main_child *c)
{
    LIST_FOR(node, &c->server->children) {
        struct main_child *other = CONTAINER_OF(node, struct main_child, node);
        if (wants_pair(c, other))
            pair(c, other);
    }
}

/* ---- what they say ---- */

static void send_control_sockets(struct main_server *s, struct main_child *control)
{
    for (unsigned i = 0; i < 2; i++)
        if (s->control_fds[i] >= 0)
            ipc_send_control_socket(control->channel, &(struct ipc_control_socket){ .everyone = (uint8_t)i },
                                    s->control_fds[i]);
}

/* Records from before there was a control. */
static void send_early_log(struct main_server *s, struct main_child *control)
{
    struct str rest = buf_str(&s->early_log);

    while (rest.n >= 4) {
        size_t n = le32_get(rest.p);
        ipc_send_log(control->channel, &(struct ipc_log){ .record = str_slice(rest, 4, 4 + n) });
        rest = str_skip(rest, 4 + n);
    }
    buf_clear(&s->early_log);
}

/* Is there an attempt of which no process that lives can tell? An outcome is on disk within a second. */
static bool attempts_lost(const struct main_server *s)
{
    return s->unclean || (s->carrier_ended_msec && s->carrier_ended_msec + 1000 >= s->queue_ended_msec);
}

static void on_ready(struct main_child *c, const struct ipc_ready *ready)
{
    struct main_server *s = c->server;

    if (c->state != CHILD_STARTING)
        return;
    c->state = CHILD_READY;
    snprintf(c->lacks, sizeof(c->lacks), "%.*s", STR_ARG(ready->lacks));
    pair_with_all(c);
    switch (c->kind) {
    case PROCESS_CONTROL:
        send_early_log(s, c);
        send_control_sockets(s, c);
        break;
    case PROCESS_QUEUE:
        s->unclean = s->unclean || (!s->queue_ended_msec && ready->unclean);
        ipc_send_all_peers(c->channel, &(struct ipc_all_peers){ .lost = attempts_lost(s) });
        s->queued = ready->queued;
        s->recovered = ready->recovered;
        s->dropped = ready->dropped;
        s->hold_below = ready->hold_below;
        break;
    case PROCESS_DELIVER:
        delivery_ready(c);
        break;
    case PROCESS_RECEIVE:
        if (s->phase == PHASE_RUNNING && c->generation == s->generation)
            sockets_send(s, c);
        break;
    case PROCESS_SUBMIT:
        if (s->phase == PHASE_RUNNING && c->generation == s->generation) {
            sockets_send(s, c);
            submit_socket_send(s, c);
        }
        drop_look(s);
        break;
    default:
        break;
    }
    if (s->phase == PHASE_STARTING)
        start_go_on(s);
    else if (s->phase == PHASE_RUNNING)
        reload_go_on(s);
}

static void on_failed(struct main_child *c, const struct ipc_failed *failed)
{
    struct main_server *s = c->server;
    char text[ERR_TEXT_MAX];

    snprintf(text, sizeof(text), "%.*s", STR_ARG(failed->text));
    log_process(c->kind, c->pid, text, c->post ? c->post->restarts + 1 : 0);
    c->said_why = true;
    /* Without its spool a server would only refuse: at the start somebody is there to read why (exit 75: try later). */
    if (s->phase == PHASE_STARTING && (failed->fatal || c->kind == PROCESS_QUEUE)) {
        fprintf(stderr, "veredus: %s: %s\n", process_name(c->kind), text);
        stop_begin(s, text, failed->fatal ? 78 : 75);
    }
}

static void on_command(struct main_child *c, struct ipc_command_ask *ask)
{
    struct main_server *s = c->server;
    struct ipc_command_answer answer = { .ticket = ask->ticket, .ok = 1 };
    struct buf rows = BUF_INIT(IPC_FRAME_MAX / 2);

    switch (ask->verb) {
    case IPC_COMMAND_RELOAD:
        reload_begin(s, c->channel, ask->ticket, ask->account);
        break;
    case IPC_COMMAND_STOP:
        ipc_send_command_answer(c->channel, &answer);
        ipc_channel_flush(c->channel);
        stop_begin(s, "veredus stop", 0);
        break;
    case IPC_COMMAND_STATUS:
        children_status(s, &rows);
        answer.records = buf_str(&rows);
        ipc_send_command_answer(c->channel, &answer);
        break;
    default:
        answer.ok = 0;
        answer.text = STR("main knows no such command");
        ipc_send_command_answer(c->channel, &answer);
    }
    buf_done(&rows);
}

void child_message(struct ipc_handler *h, struct ipc_channel *channel, struct ipc_message *m)
{
    struct main_server *s = CONTAINER_OF(h, struct main_server, handler);
    struct main_child *c = child_by_channel(s, channel);

    if (!c)
        return;
    switch (m->type) {
    case IPC_READY:
        on_ready(c, &m->ready);
        break;
    case IPC_FAILED:
        on_failed(c, &m->failed);
        break;
    case IPC_COMMAND_ASK:
        on_command(c, &m->command_ask);
        break;
    case IPC_TABLE_WANT:
        files_want(s, c, m->table_want.path);
        break;
    case IPC_DROPPED:
        drop_answered(s, c, &m->dropped);
        break;
    case IPC_MEMORY_ASK:
        memory_ask(s, c, &m->memory_ask);
        break;
    case IPC_MISTRUSTED:
        child_mistrusted(s, &m->mistrusted);
        break;
    case IPC_DELIVER_ASK:
        delivery_ask(s, c, &m->deliver_ask);
        break;
    default:
        break;
    }
}

/* ---- how they are ---- */

void children_status(struct main_server *s, struct buf *rows)
{
    const struct main_generation *newest = generation_find(s, s->generation);
    struct str names[64];
    size_t n_names = sockets_listening(s, names, ARRAY_LEN(names));
    struct buf complaint = BUF_INIT(MAIN_SOCKETS_MAX * sizeof(s->sockets[0].name) * 2);
    struct log_record r;

    log_begin(&r, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&r, LOG_PROCESS, process_name(PROCESS_MAIN));
    log_number(&r, LOG_PID, getpid());
    log_time(&r, LOG_SINCE, s->started_wall_msec);
    log_text_c(&r, LOG_VERSION, VEREDUS_VERSION);
    log_text_c(&r, LOG_CONFIG, s->options->config_path);
    if (newest)
        log_time(&r, LOG_RUNNING, newest->since_msec);
    log_list(&r, LOG_LISTENERS, names, n_names);
    sockets_complain(s, &complaint);
    if (complaint.n)
        log_text(&r, LOG_ERROR, buf_str(&complaint));
    buf_done(&complaint);
    worker_row_add(rows, &r);
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        static const char *const states[] = { "starting", "ready", "ending" };
        log_begin(&r, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
        log_text_c(&r, LOG_PROCESS, process_name(c->kind));
        log_number(&r, LOG_PID, c->pid);
        log_number(&r, LOG_INSTANCE, c->instance);
        log_text_c(&r, LOG_STATE, states[c->state]);
        log_time(&r, LOG_SINCE, c->since_msec);
        log_number(&r, LOG_RESTARTS, c->post ? c->post->restarts : 0);
        if (c->has_identity)
            log_text_c(&r, LOG_ACCOUNT, c->identity.name);
        if (c->lacks[0])
            log_text_c(&r, LOG_LACKS, c->lacks);
        worker_row_add(rows, &r);
    }
}
