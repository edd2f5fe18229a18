/* control/command.c -- which command is meant, to whom an answer belongs, and what is asked of main or of all. */
#include "control/command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"

enum {
    STATUS_PATIENCE_MSEC = 2000,
    RELOAD_PATIENCE_MSEC = 60000, /* main reads and checks every file */
    ROW_MAX = LOG_RECORD_MAX + 4,
    CURE_MAX = 512,
};

/* ---- version ---- */

static void version_begin(struct control_client *c, json_t *request)
{
    (void)request;
    client_text(c, "version", STR(VEREDUS_VERSION));
    client_end(c, COMMAND_OK);
}

/* ---- status ---- */

static void status_ask(struct control_client *c, struct ipc_channel *peer)
{
    struct ipc_command_ask to_main = {
        .ticket = c->ticket,
        .verb = IPC_COMMAND_STATUS,
        .account = str_from_c(c->who.account),
    };

    /* Who cannot even be asked will be among those who did not answer. */
    if (peer->peer == PROCESS_MAIN)
        ipc_send_command_ask(peer, &to_main);
    else
        ipc_send_status_ask(peer, &(struct ipc_status_ask){ .ticket = c->ticket });
    c->asked[c->n_asked++] = (struct client_asked){ peer->peer, peer->instance, peer->pid };
}

/* What control knows of itself. */
static void status_own(struct control_client *c)
{
    const struct log_writer *writer = &c->control->writer;
    struct buf out = BUF_INIT(ROW_MAX);
    struct log_record r;

    log_begin(&r, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&r, LOG_PROCESS, process_name(PROCESS_CONTROL));
    log_number(&r, LOG_INSTANCE, worker_of(c)->instance);
    log_number(&r, LOG_RECORDS, (int64_t)writer->records);
    log_number(&r, LOG_DROPPED, (int64_t)log_writer_dropped(writer));
    if (!worker_row_add(&out, &r) || !client_rows(c, buf_str(&out)))
        client_fail(c, COMMAND_LATER, "out of memory", "");
    buf_done(&out);
}

static void status_end_if_all(struct control_client *c)
{
    if (!c->n_asked)
        client_end(c, COMMAND_OK);
}

static void status_begin(struct control_client *c, json_t *request)
{
    struct worker *w = worker_of(c);

    (void)request;
    c->asked = calloc(w->n_peers + 1, sizeof(*c->asked));
    if (!c->asked) {
        client_fail(c, COMMAND_LATER, "out of memory", "");
        return;
    }
    status_own(c);
    if (!c->command)
        return;
    status_ask(c, w->main);
    for (size_t i = 0; i < w->n_peers; i++)
        status_ask(c, w->peers[i]);
    client_patience(c, STATUS_PATIENCE_MSEC);
}

static void status_forget(struct control_client *c, const struct ipc_channel *peer)
{
    for (size_t i = 0; i < c->n_asked; i++) {
        if (c->asked[i].kind != peer->peer || c->asked[i].instance != peer->instance)
            continue;
        c->asked[i] = c->asked[--c->n_asked];
        return;
    }
}

static void status_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    /* Any process knows this ticket, and others say other things under one. */
    if (m->type != IPC_COMMAND_ANSWER && m->type != IPC_STATUS_ANSWER)
        return;
    struct str rows = m->type == IPC_COMMAND_ANSWER ? m->command_answer.records : m->status_answer.records;

    status_forget(c, from);
    if (client_rows(c, rows))
        status_end_if_all(c);
    else
        client_fail(c, COMMAND_LATER, "the answer is too long or no answer", "");
}

static void status_down(struct control_client *c, struct ipc_channel *peer)
{
    status_forget(c, peer);
    status_end_if_all(c);
}

static void status_too_late(struct control_client *c)
{
    for (size_t i = 0; i < c->n_asked; i++) {
        struct buf out = BUF_INIT(ROW_MAX);
        struct log_record r;
        log_begin(&r, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_WARNING, 0);
        log_text_c(&r, LOG_PROCESS, process_name(c->asked[i].kind));
        log_number(&r, LOG_INSTANCE, c->asked[i].instance);
        if (c->asked[i].pid)
            log_number(&r, LOG_PID, c->asked[i].pid);
        log_text(&r, LOG_ERROR, STR("did not answer in 2 seconds"));
        if (worker_row_add(&out, &r) && !client_rows(c, buf_str(&out)))
            c->n_asked = 0;
        buf_done(&out);
    }
    client_end(c, COMMAND_FOUND);
}

/* ---- reload and stop ---- */

static void admin_record(struct control_client *c, const char *action)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_ADMIN);
    log_text_c(&r, LOG_ACCOUNT, c->who.account);
    log_text_c(&r, LOG_ACTION, action);
    log_send(&r);
}

static void main_ask(struct control_client *c, enum ipc_command verb, const char *action, int64_t patience_msec)
{
    struct ipc_command_ask ask = {
        .ticket = c->ticket,
        .verb = (uint8_t)verb,
        .account = str_from_c(c->who.account),
    };

    admin_record(c, action);
    if (!ipc_send_command_ask(worker_of(c)->main, &ask))
        client_fail(c, COMMAND_LATER, "main is too busy", "try again");
    else
        client_patience(c, patience_msec);
}

static void reload_begin(struct control_client *c, json_t *request)
{
    (void)request;
    main_ask(c, IPC_COMMAND_RELOAD, "reload", RELOAD_PATIENCE_MSEC);
}

static void stop_begin(struct control_client *c, json_t *request)
{
    (void)request;
    main_ask(c, IPC_COMMAND_STOP, "stop", QUEUE_PATIENCE_MSEC);
}

static void main_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type != IPC_COMMAND_ANSWER)
        return;
    if (!client_rows(c, m->command_answer.records)) {
        client_fail(c, COMMAND_LATER, "the answer is too long or no answer", "");
        return;
    }
    if (m->command_answer.text.n)
        client_text(c, "text", m->command_answer.text);
    client_end(c, m->command_answer.ok ? COMMAND_OK : COMMAND_CONFIG);
}

static void main_too_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "main did not answer in time; what was asked for may still happen",
                "veredus status");
}

/* ---- all ---- */

static const struct command own[] = {
    { .name = "version", .everyone = true, .begin = version_begin },
    { .name = "status", .begin = status_begin, .answer = status_answer, .peer_down = status_down,
      .too_late = status_too_late },
    { .name = "reload", .begin = reload_begin, .answer = main_answer, .too_late = main_too_late },
    { .name = "stop", .begin = stop_begin, .answer = main_answer, .too_late = main_too_late },
    { .name = NULL },
};

static const struct command *command_find(const char *name)
{
    static const struct command *const tables[] = { own,           command_queue, command_edit, command_explain,
                                                    command_site,  command_trace, command_live, command_spool,
                                                    command_tls };

    for (size_t i = 0; name && i < ARRAY_LEN(tables); i++)
        for (const struct command *c = tables[i]; c->name; c++)
            if (!strcmp(c->name, name))
                return c;
    return NULL;
}

static void deny(struct control_client *c)
{
    const struct config_socket *socket = &c->control->worker->config->control;
    char cure[CURE_MAX];

    snprintf(cure, sizeof(cure), "ask as root or as a member of group %.*s, which %.*s is for", STR_ARG(socket->group),
             STR_ARG(socket->path));
    client_fail(c, COMMAND_DENIED, "not allowed", socket->group.n ? cure : "ask as root");
}

void command_begin(struct control_client *c, struct str line)
{
    json_t *request = json_loadb(line.p ? line.p : "", line.n, JSON_REJECT_DUPLICATES, NULL);
    const struct command *command = command_find(json_string_value(json_object_get(request, "command")));

    if (!command) {
        client_fail(c, COMMAND_USAGE, "not a request this server knows", "are program and server of one version?");
    } else if (!command->everyone && !c->who.everything) {
        deny(c);
    } else {
        c->command = command;
        c->ticket = ++c->control->last_ticket;
        c->request = json_incref(request);
        command->begin(c, request);
    }
    json_decref(request);
}

static uint64_t ticket_of(const struct ipc_message *m)
{
    switch (m->type) {
    case IPC_COMMAND_ANSWER:
        return m->command_answer.ticket;
    case IPC_STATUS_ANSWER:
        return m->status_answer.ticket;
    case IPC_QUEUE_LIST_ANSWER:
        return m->queue_list_answer.ticket;
    case IPC_QUEUE_SHOW_ANSWER:
        return m->queue_show_answer.ticket;
    case IPC_QUEUE_ACT_ANSWER:
        return m->queue_act_answer.ticket;
    case IPC_QUEUE_SHAPE_ANSWER:
        return m->queue_shape_answer.ticket;
    case IPC_SITE_LIST_ANSWER:
        return m->site_list_answer.ticket;
    case IPC_SITE_ACT_ANSWER:
        return m->site_act_answer.ticket;
    case IPC_QUEUE_EXPLAIN_ANSWER:
        return m->queue_explain_answer.ticket;
    case IPC_QUEUE_EDIT_ANSWER:
        return m->queue_edit_answer.ticket;
    case IPC_SPOOL_CHECK_ANSWER:
        return m->spool_check_answer.ticket;
    case IPC_SPOOL_IDS_ANSWER:
        return m->spool_ids_answer.ticket;
    case IPC_SPOOL_READ_ANSWER:
        return m->spool_read_answer.ticket;
    case IPC_SPOOL_IMPORT_ANSWER:
        return m->spool_import_answer.ticket;
    case IPC_FILE_ANSWER:
        return m->file_answer.ticket;
    case IPC_EXPLAIN_ANSWER:
        return m->explain_answer.ticket;
    case IPC_PLAN_ANSWER:
        return m->plan_answer.ticket;
    case IPC_TLS_CHECK_ANSWER:
        return m->tls_check_answer.ticket;
    default:
        return 0;
    }
}

void command_answer(struct control *control, struct ipc_channel *from, const struct ipc_message *m)
{
    uint64_t ticket = ticket_of(m);

    LIST_FOR(node, &control->clients)
    {
        struct control_client *c = CONTAINER_OF(node, struct control_client, node);
        if (c->command && c->ticket == ticket && !c->gone && c->command->answer) {
            c->command->answer(c, from, m);
            return;
        }
    }
}

void command_peer_down(struct control *control, struct ipc_channel *peer)
{
    LIST_FOR(node, &control->clients)
    {
        struct control_client *c = CONTAINER_OF(node, struct control_client, node);
        if (c->command && !c->gone && c->command->peer_down)
            c->command->peer_down(c, peer);
    }
}

void command_go_on(struct control_client *c)
{
    if (c->command->go_on)
        c->command->go_on(c);
}

bool command_stays(const struct control_client *c)
{
    return c->command && c->command->stays;
}

void command_no_queue(struct control_client *c)
{
    client_fail(c, COMMAND_NO_SERVER, "the queue process is away; it is being started again", "try again");
}

void command_queue_down(struct control_client *c, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_QUEUE)
        command_no_queue(c);
}

void command_queue_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "the queue process did not answer in 30 seconds", "try again");
}

void command_nonsense(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "the answer is too long or no answer", "");
}

void command_too_late(struct control_client *c)
{
    BUG_ON(!c->command->too_late);
    c->command->too_late(c);
}

void command_forget(struct control_client *c)
{
    live_forget(c);
    c->command = NULL;
    c->asking = false;
    json_decref(c->request);
    c->request = NULL;
    buf_done(&c->hops);
    trace_free(c->trace);
    c->trace = NULL;
    free(c->asked);
    c->asked = NULL;
    c->n_asked = 0;
}
