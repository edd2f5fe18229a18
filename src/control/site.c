/* control/site.c -- site list, show, pause, resume: page by page (FACE 2.1). */
#include "control/commands.h"

enum { SITE_PAGE = 200 };

static void unknown(struct control_client *c)
{
    client_fail(c, COMMAND_FOUND, "no such site", "veredus site lists those that mail has gone to lately");
}

/* ---- list and show ---- */

static void list_ask(struct control_client *c)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    struct ipc_site_list_ask ask = {
        .ticket = c->ticket,
        .after = c->after,
        .limit = SITE_PAGE,
        .name = request_text(c, "name"),
        .hosts = request_text(c, "name").n > 0,
    };

    c->asking = queue && ipc_send_site_list_ask(queue, &ask);
    if (c->asking)
        client_patience(c, QUEUE_PATIENCE_MSEC);
    else
        command_no_queue(c);
}

static void list_begin(struct control_client *c, json_t *request)
{
    (void)request;
    c->after = c->count = 0;
    list_ask(c);
}

static void show_begin(struct control_client *c, json_t *request)
{
    if (request_text(c, "name").n)
        list_begin(c, request);
    else
        client_fail(c, COMMAND_USAGE, "which site?", "veredus site lists them");
}

static void list_go_on(struct control_client *c)
{
    if (!c->asking)
        list_ask(c);
}

static void list_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    const struct ipc_site_list_answer *a = &m->site_list_answer;

    (void)from;
    if (m->type != IPC_SITE_LIST_ANSWER)
        return;
    c->asking = false;
    c->count += a->records.n > 0;
    if (!client_rows(c, a->records) || (a->last && a->last <= c->after)) {
        command_nonsense(c);
        return;
    }
    c->after = a->last;
    if (!a->last && !c->count && request_text(c, "name").n)
        unknown(c);
    else if (!a->last)
        client_end(c, COMMAND_OK);
    else if (c->out.n < CLIENT_OUT_LOW)
        list_ask(c);
}

/* ---- pause and resume ---- */

static bool is_resume(const struct control_client *c)
{
    return str_eq(str_from_c(c->command->name), STR("site resume"));
}

static void act_begin(struct control_client *c, json_t *request)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    json_int_t msec = json_integer_value(json_object_get(request, "msec"));
    struct ipc_site_act_ask ask = {
        .ticket = c->ticket,
        .resume = is_resume(c),
        .msec = msec > 0 ? (uint64_t)msec : 0,
        .name = request_text(c, "name"),
        .account = str_from_c(c->who.account),
    };

    if (!ask.name.n)
        client_fail(c, COMMAND_USAGE, "which site?", "veredus site lists them");
    else if (!queue || !ipc_send_site_act_ask(queue, &ask))
        command_no_queue(c);
    else
        client_patience(c, QUEUE_PATIENCE_MSEC);
}

static void act_record(const struct control_client *c, uint32_t done)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_ADMIN);
    log_text_c(&r, LOG_ACCOUNT, c->who.account);
    log_text_c(&r, LOG_ACTION, is_resume(c) ? "resume" : "pause");
    log_text(&r, LOG_SITE, request_text(c, "name"));
    log_number(&r, LOG_COUNT, done);
    log_send(&r);
}

static void act_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    const struct ipc_site_act_answer *a = &m->site_act_answer;

    (void)from;
    if (m->type != IPC_SITE_ACT_ANSWER)
        return;
    if (a->status == IPC_SITE_UNKNOWN) {
        unknown(c);
        return;
    }
    if (a->status != IPC_SITE_DONE) {
        client_fail(c, COMMAND_LATER, "the queue is short of memory, or too many sites are paused",
                    "veredus site");
        return;
    }
    act_record(c, a->done);
    client_object(c, json_pack("{s:I,s:I,s:s%}", "count", (json_int_t)a->count, "done", (json_int_t)a->done, "names",
                               a->names.n ? a->names.p : "", a->names.n));
    client_end(c, COMMAND_OK);
}

const struct command command_site[] = {
    { .name = "site list",
      .begin = list_begin,
      .answer = list_answer,
      .peer_down = command_queue_down,
      .go_on = list_go_on,
      .too_late = command_queue_late },
    { .name = "site show",
      .begin = show_begin,
      .answer = list_answer,
      .peer_down = command_queue_down,
      .go_on = list_go_on,
      .too_late = command_queue_late },
    { .name = "site pause",
      .begin = act_begin,
      .answer = act_answer,
      .peer_down = command_queue_down,
      .too_late = command_queue_late },
    { .name = "site resume",
      .begin = act_begin,
      .answer = act_answer,
      .peer_down = command_queue_down,
      .too_late = command_queue_late },
    { .name = NULL },
};
