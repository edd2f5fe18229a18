/* control/queue.c -- queue list, shape, show, flush, hold, release, remove: by SELECT, page by page (FACE 2.2). */
#include "control/commands.h"

#include <inttypes.h>

#include "core/num.h"

/* A page of what is done is on disk before the next is begun: the more are in it, the fewer wait for that. */
enum { WORDS_MAX = 4096, LIST_PAGE = 200, ACT_PAGE = 2000, IDS_MAX = CLIENT_REQUEST_MAX, SHAPE_ROWS_MAX = 10000 };

/* ---- SELECT ---- */

static const char *const states[] = { "ready", "sending", "deferred", "held" };
/* What chooses, beside ids and older_msec. */
static const char *const patterns[] = { "from", "to", "account", "site", "state", "reason" };

static bool take_ids(const struct control_client *c, struct buf *ids)
{
    const json_t *list = json_object_get(c->request, "ids"), *item;
    size_t i;

    json_array_foreach(list, i, item) {
        struct queue_id id;
        char octets[8];
        if (!queue_id_parse(str_from_c(json_string_value(item)), &id))
            return false;
        le64_put(octets, id.n);
        buf_add(ids, str_of(octets, sizeof(octets)));
    }
    return !ids->failed;
}

static bool is_state(struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_eq(text, str_from_c(states[i])))
            return true;
    return false;
}

/* The ids that the request names. False: what it selects cannot be understood, and that was said. */
static bool select_ids(struct control_client *c, struct buf *ids)
{
    struct str state = request_text(c, "state");

    if (!take_ids(c, ids))
        client_fail(c, COMMAND_USAGE, "not a queue id", "veredus queue lists them");
    else if (state.n && !is_state(state))
        client_fail(c, COMMAND_USAGE, "no such state", "ready, sending, deferred or held");
    else
        return true;
    return false;
}

static uint64_t select_older(const struct control_client *c)
{
    json_int_t msec = json_integer_value(json_object_get(c->request, "older_msec"));

    return msec > 0 ? (uint64_t)msec : 0;
}

/* What changes messages wants to be told which: nothing said must not mean all of them. */
static bool selects(const struct control_client *c)
{
    if (json_is_true(json_object_get(c->request, "all")) || json_array_size(json_object_get(c->request, "ids")) ||
        select_older(c))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        if (request_text(c, patterns[i]).n)
            return true;
    return false;
}

/* ---- queue list ---- */

static void list_ask(struct control_client *c)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    struct buf ids = BUF_INIT(IDS_MAX);
    struct ipc_queue_list_ask ask = {
        .ticket = c->ticket,
        .after = c->after,
        .limit = LIST_PAGE,
        .from = request_text(c, "from"),
        .to = request_text(c, "to"),
        .sent_by = request_text(c, "account"),
        .site = request_text(c, "site"),
        .state = request_text(c, "state"),
        .reason = request_text(c, "reason"),
        .older_msec = select_older(c),
        .uid_plus = c->who.uid_plus,
    };

    if (select_ids(c, &ids)) {
        ask.ids = buf_str(&ids);
        c->asking = queue && ipc_send_queue_list_ask(queue, &ask);
        if (c->asking)
            client_patience(c, QUEUE_PATIENCE_MSEC);
        else
            command_no_queue(c);
    }
    buf_done(&ids);
}

/* Behind the row with the id AFTER, where one is named: who was told of that already asks again. */
static void list_begin(struct control_client *c, json_t *request)
{
    struct str after = request_text(c, "after");
    struct queue_id id = { 0 };

    (void)request;
    if (after.n && !queue_id_parse(after, &id)) {
        client_fail(c, COMMAND_USAGE, "not a queue id", "veredus queue lists them");
        return;
    }
    c->after = id.n;
    list_ask(c);
}

static void list_go_on(struct control_client *c)
{
    if (!c->asking)
        list_ask(c);
}

static void list_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    uint64_t last = m->queue_list_answer.last;

    (void)from;
    if (m->type != IPC_QUEUE_LIST_ANSWER)
        return;
    c->asking = false;
    /* Ids rise from page to page, or this would never end. */
    if (!client_rows(c, m->queue_list_answer.records) || (last && last <= c->after)) {
        command_nonsense(c);
        return;
    }
    c->after = last;
    if (!last)
        client_end(c, COMMAND_OK);
    else if (c->out.n < CLIENT_OUT_LOW)
        list_ask(c);
}

/* ---- queue shape ---- */

static bool shape_by(const struct control_client *c, uint8_t *by)
{
    static const char *const names[] = {
        [IPC_SHAPE_DOMAIN] = "domain", [IPC_SHAPE_SITE] = "site", [IPC_SHAPE_SENDER] = "sender"
    };
    struct str wanted = request_text(c, "by");

    *by = IPC_SHAPE_DOMAIN;
    for (uint8_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq(wanted, str_from_c(names[i])))
            continue;
        *by = i;
        return true;
    }
    return !wanted.n;
}

static void shape_begin(struct control_client *c, json_t *request)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    struct ipc_queue_shape_ask ask = {
        .ticket = c->ticket,
        .limit = limit > 0 && limit < SHAPE_ROWS_MAX ? (uint32_t)limit : SHAPE_ROWS_MAX,
        .from = request_text(c, "from"),
        .to = request_text(c, "to"),
        .sent_by = request_text(c, "account"),
        .site = request_text(c, "site"),
        .state = request_text(c, "state"),
        .reason = request_text(c, "reason"),
        .older_msec = select_older(c),
    };

    if (!shape_by(c, &ask.by))
        client_fail(c, COMMAND_USAGE, "not what rows can stand for", "domain, site or sender");
    else if (ask.state.n && !is_state(ask.state))
        client_fail(c, COMMAND_USAGE, "no such state", "ready, sending, deferred or held");
    else if (!queue || !ipc_send_queue_shape_ask(queue, &ask))
        command_no_queue(c);
    else
        client_patience(c, QUEUE_PATIENCE_MSEC);
}

static void shape_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type != IPC_QUEUE_SHAPE_ANSWER)
        return;
    if (!m->queue_shape_answer.records.n)
        client_fail(c, COMMAND_LATER, "the queue is short of memory", "try again");
    else if (!client_rows(c, m->queue_shape_answer.records))
        command_nonsense(c);
    else
        client_end(c, COMMAND_OK);
}

/* ---- queue show ---- */

static void show_begin(struct control_client *c, json_t *request)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    struct ipc_queue_show_ask ask = {
        .ticket = c->ticket,
        .content = json_is_true(json_object_get(request, "content")),
        .uid_plus = c->who.uid_plus,
    };
    struct queue_id id;

    if (!queue_id_parse(request_text(c, "id"), &id)) {
        client_fail(c, COMMAND_USAGE, "not a queue id", "veredus queue lists them");
        return;
    }
    ask.id = id.n;
    if (!queue || !ipc_send_queue_show_ask(queue, &ask))
        command_no_queue(c);
    else
        client_patience(c, QUEUE_PATIENCE_MSEC);
}

static void show_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type != IPC_QUEUE_SHOW_ANSWER)
        return;
    if (!m->queue_show_answer.records.n)
        client_fail(c, COMMAND_FOUND, "no such message in the queue",
                    "it was delivered, returned or removed: veredus trace ID tells which");
    else if (!client_rows(c, m->queue_show_answer.records))
        command_nonsense(c);
    else
        client_end(c, COMMAND_OK);
}

/* ---- queue flush, hold, release, remove ---- */

static const struct act {
    const char *command;
    const char *action; /* as the log names it */
    bool bounce;
    enum ipc_act verb;
} acts[] = {
    { "queue flush", "flush", false, IPC_ACT_FLUSH },       { "queue hold", "hold", false, IPC_ACT_HOLD },
    { "queue release", "release", false, IPC_ACT_RELEASE }, { "queue remove", "remove", false, IPC_ACT_REMOVE },
    { "queue remove", "bounce", true, IPC_ACT_BOUNCE },
};

static const struct act *act_of(const struct control_client *c)
{
    bool bounce = json_is_true(json_object_get(c->request, "bounce"));

    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        if (str_eq(str_from_c(acts[i].command), str_from_c(c->command->name)) &&
            (acts[i].bounce == bounce || acts[i].verb < IPC_ACT_REMOVE))
            return &acts[i];
    BUG_ON("a queue command without its verb");
    return NULL;
}

static bool is_dry(const struct control_client *c)
{
    return json_is_true(json_object_get(c->request, "dry"));
}

/* The one that was asked for by its id; false: others may have been, too. */
static bool one_id(const struct control_client *c, struct queue_id *id)
{
    const json_t *ids = json_object_get(c->request, "ids");

    return json_array_size(ids) == 1 && queue_id_parse(str_from_c(json_string_value(json_array_get(ids, 0))), id);
}

static void add_option(struct buf *out, const char *name, struct str value)
{
    bool quoted = str_find(value, ' ') < value.n;

    if (value.n)
        buf_printf(out, quoted ? " --%s \"%.*s\"" : " --%s %.*s", name, STR_ARG(value));
}

/* As somebody would type it: "queue release --from news@example.org". */
static struct str act_words(const struct control_client *c, struct buf *out)
{
    size_t ids = json_array_size(json_object_get(c->request, "ids"));

    buf_add_c(out, c->command->name);
    if (act_of(c)->bounce)
        buf_add_c(out, " --bounce");
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        add_option(out, patterns[i], request_text(c, patterns[i]));
    if (select_older(c))
        buf_printf(out, " --older %" PRIu64 "s", select_older(c) / 1000);
    if (json_is_true(json_object_get(c->request, "all")))
        buf_add_c(out, " --all");
    if (ids)
        buf_printf(out, " (%zu ids)", ids);
    return buf_str(out);
}

/* What was done so far, by whom and why; also when the queue went away in the middle. */
static void act_record(const struct control_client *c)
{
    struct str note = request_text(c, "note");
    struct buf words = BUF_INIT(WORDS_MAX);
    struct log_record r;
    struct queue_id id;

    if (is_dry(c))
        return;
    log_start(&r, LOG_EVENT_ADMIN);
    log_text_c(&r, LOG_ACCOUNT, c->who.account);
    log_text_c(&r, LOG_ACTION, act_of(c)->action);
    bool one = one_id(c, &id);
    if (one)
        log_id(&r, id);
    log_number(&r, LOG_COUNT, (int64_t)c->done);
    if (!one)
        log_text(&r, LOG_COMMAND, act_words(c, &words));
    if (note.n)
        log_text(&r, LOG_NOTE, note);
    log_send(&r);
    buf_done(&words);
}

static void act_failed(struct control_client *c, int exit_code, const char *error)
{
    act_record(c);
    client_fail(c, exit_code, error, is_dry(c) ? "try again" : "some of it may have been done; veredus queue shows");
}

static void act_ask(struct control_client *c)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    struct buf ids = BUF_INIT(IDS_MAX), words = BUF_INIT(WORDS_MAX);
    struct queue_id one;
    struct ipc_queue_act_ask ask = {
        .ticket = c->ticket,
        .verb = (uint8_t)act_of(c)->verb,
        .dry = is_dry(c),
        .after = c->after,
        .limit = ACT_PAGE,
        .from = request_text(c, "from"),
        .to = request_text(c, "to"),
        .sent_by = request_text(c, "account"),
        .site = request_text(c, "site"),
        .state = request_text(c, "state"),
        .reason = request_text(c, "reason"),
        .older_msec = select_older(c),
        .account = str_from_c(c->who.account),
        .note = request_text(c, "note"),
        .command = one_id(c, &one) ? STR_NONE : act_words(c, &words),
    };

    if (select_ids(c, &ids)) {
        ask.ids = buf_str(&ids);
        if (queue && ipc_send_queue_act_ask(queue, &ask))
            client_patience(c, QUEUE_PATIENCE_MSEC);
        else
            act_failed(c, COMMAND_NO_SERVER, "the queue process is away; it is being started again");
    }
    buf_done(&words);
    buf_done(&ids);
}

static void act_begin(struct control_client *c, json_t *request)
{
    (void)request;
    c->after = c->count = c->done = c->early = 0;
    if (selects(c))
        act_ask(c);
    else
        client_fail(c, COMMAND_USAGE, "which messages?", "name their ids, or choose by --from, --site, ... or --all");
}

static void act_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    const struct ipc_queue_act_answer *a = &m->queue_act_answer;

    (void)from;
    if (m->type != IPC_QUEUE_ACT_ANSWER)
        return;
    c->count += a->count;
    c->done += a->done;
    c->early += a->early;
    if (a->text.n)
        client_text(c, "text", a->text);
    if (a->last && a->last <= c->after) {
        act_failed(c, COMMAND_LATER, "the answer of the queue process is no answer");
        return;
    }
    c->after = a->last;
    if (a->last) {
        act_ask(c);
        return;
    }
    act_record(c);
    json_t *told = json_pack("{s:I,s:I}", "count", (json_int_t)c->count, "done", (json_int_t)c->done);
    if (c->early)
        json_object_set_new(told, "early", json_integer((json_int_t)c->early));
    client_object(c, told);
    client_end(c, COMMAND_OK);
}

static void act_down(struct control_client *c, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_QUEUE)
        act_failed(c, COMMAND_NO_SERVER, "the queue process ended; it is being started again");
}

static void act_too_late(struct control_client *c)
{
    act_failed(c, COMMAND_LATER, "the queue process did not answer in 30 seconds");
}

#define ACT(words)                                                                                          \
    {                                                                                                       \
        .name = words, .begin = act_begin, .answer = act_answer, .peer_down = act_down, .too_late = act_too_late \
    }

const struct command command_queue[] = {
    { .name = "queue list", .everyone = true, .begin = list_begin, .answer = list_answer,
      .peer_down = command_queue_down, .go_on = list_go_on, .too_late = command_queue_late },
    { .name = "queue show", .everyone = true, .begin = show_begin, .answer = show_answer,
      .peer_down = command_queue_down, .too_late = command_queue_late },
    { .name = "queue shape", .begin = shape_begin, .answer = shape_answer, .peer_down = command_queue_down,
      .too_late = command_queue_late },
    ACT("queue flush"),
    ACT("queue hold"),
    ACT("queue release"),
    ACT("queue remove"),
    { .name = NULL },
};
