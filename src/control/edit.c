/* control/edit.c -- queue edit: addresses checked as at submission, then asked of the queue, and logged (FACE 2.1). */
#include "control/commands.h"
#include "core/num.h"
#include "smtp/address.h"

enum { ARENA_MAX = 1 << 20, RECIPIENTS_MAX = 256 * 1024, NOTE_MAX = 4096 };

static bool take_address(struct control_client *c, struct arena *a, const char *text, struct smtp_path *path)
{
    struct buf words = BUF_INIT(NOTE_MAX);

    *path = (struct smtp_path){ 0 };
    if (text && smtp_mailbox_parse(a, str_from_c(text), path) == SMTP_PATH_OK && path->domain.n) {
        buf_done(&words);
        return true;
    }
    buf_printf(&words, "'%s' is not an address", text ? text : "");
    buf_add_char(&words, '\0');
    client_fail(c, COMMAND_USAGE, words.p && !words.failed ? words.p : "not an address",
                "--recipient OLD=NEW, both user@domain");
    buf_done(&words);
    return false;
}

static void put_text(struct buf *out, struct str text)
{
    char head[2];

    le16_put(head, (uint16_t)text.n);
    buf_add(out, str_of(head, sizeof(head)));
    buf_add(out, text);
}

/* False: what is no address was named. */
static bool take_recipients(struct control_client *c, struct arena *a, struct buf *out, uint32_t *count)
{
    const json_t *list = json_object_get(c->request, "recipients"), *item;
    size_t i;

    json_array_foreach(list, i, item) {
        struct smtp_path from, to;
        if (!take_address(c, a, json_string_value(json_object_get(item, "old")), &from) ||
            !take_address(c, a, json_string_value(json_object_get(item, "new")), &to))
            return false;
        put_text(out, from.local);
        put_text(out, from.domain);
        put_text(out, to.local);
        put_text(out, to.domain);
        ++*count;
    }
    return true;
}

/* The null reverse-path, too. */
static bool take_sender(struct control_client *c, struct arena *a, struct buf *out)
{
    struct str text = request_text(c, "sender");
    struct smtp_path path = { .flags = SMTP_PATH_NULL };

    if (text.n && !str_eq(text, STR("<>")) && (smtp_mailbox_parse(a, text, &path) != SMTP_PATH_OK || !path.domain.n)) {
        client_fail(c, COMMAND_USAGE, "the sender is not an address", "--sender carol@example.net, or --sender '<>'");
        return false;
    }
    return smtp_path_write(out, &path);
}

static void edit_send(struct control_client *c, struct ipc_queue_edit_ask *ask)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);

    if (!ask->has_sender && !ask->has_route && !ask->count)
        client_fail(c, COMMAND_USAGE, "nothing to change", "--sender, --recipient or --route");
    else if (!queue || !ipc_send_queue_edit_ask(queue, ask))
        command_no_queue(c);
    else
        client_patience(c, QUEUE_PATIENCE_MSEC);
}

static void edit_begin(struct control_client *c, json_t *request)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct buf sender = BUF_INIT(SMTP_PATH_MAX * 2), recipients = BUF_INIT(RECIPIENTS_MAX);
    struct ipc_queue_edit_ask ask = {
        .ticket = c->ticket,
        .has_sender = json_object_get(request, "sender") != NULL,
        .has_route = json_object_get(request, "route") != NULL,
        .route = request_text(c, "route"),
    };
    struct queue_id id;

    if (!a) {
        client_fail(c, COMMAND_LATER, "out of memory", "");
    } else if (!queue_id_parse(request_text(c, "id"), &id)) {
        client_fail(c, COMMAND_USAGE, "not a queue id", "veredus queue lists them");
    } else if (take_recipients(c, a, &recipients, &ask.count) && take_sender(c, a, &sender)) {
        ask.id = id.n;
        ask.sender = buf_str(&sender);
        ask.recipients = buf_str(&recipients);
        edit_send(c, &ask);
    }
    buf_done(&sender);
    buf_done(&recipients);
    arena_free(a);
}

/* What was changed, in words: "sender carol@example.net, bob@example.net to bob@example.org, route mx:example.org". */
static void put_note(const struct control_client *c, struct buf *out)
{
    const json_t *list = json_object_get(c->request, "recipients"), *item;
    size_t i;

    if (json_object_get(c->request, "sender"))
        buf_printf(out, "sender %s", request_text(c, "sender").n ? request_text(c, "sender").p : "<>");
    json_array_foreach(list, i, item)
        buf_printf(out, "%s%s to %s", out->n ? ", " : "", json_string_value(json_object_get(item, "old")),
                   json_string_value(json_object_get(item, "new")));
    if (json_object_get(c->request, "route"))
        buf_printf(out, "%sroute %s", out->n ? ", " : "",
                   request_text(c, "route").n ? request_text(c, "route").p : "default");
}

static void edit_record(const struct control_client *c, uint32_t count)
{
    struct buf note = BUF_INIT(NOTE_MAX);
    struct log_record r;
    struct queue_id id;

    put_note(c, &note);
    log_start(&r, LOG_EVENT_ADMIN);
    log_text_c(&r, LOG_ACCOUNT, c->who.account);
    log_text_c(&r, LOG_ACTION, "edit");
    if (queue_id_parse(request_text(c, "id"), &id))
        log_id(&r, id);
    log_number(&r, LOG_COUNT, count);
    log_text(&r, LOG_NOTE, buf_str(&note));
    log_send(&r);
    buf_done(&note);
}

static void edit_failed(struct control_client *c, const struct ipc_queue_edit_answer *a)
{
    static const int exits[] = {
        [IPC_EDIT_DONE] = COMMAND_OK,
        [IPC_EDIT_WRONG] = COMMAND_USAGE,
        [IPC_EDIT_LATER] = COMMAND_LATER,
        [IPC_EDIT_UNKNOWN] = COMMAND_FOUND,
    };
    struct buf text = BUF_INIT(NOTE_MAX), cure = BUF_INIT(NOTE_MAX);

    buf_printf(&text, "%.*s%c", STR_ARG(a->text), '\0');
    buf_printf(&cure, "%.*s%c", STR_ARG(a->cure), '\0');
    client_fail(c, a->status < ARRAY_LEN(exits) ? exits[a->status] : COMMAND_LATER, text.p ? text.p : "not changed",
                cure.p ? cure.p : "");
    buf_done(&text);
    buf_done(&cure);
}

static void edit_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    const struct ipc_queue_edit_answer *a = &m->queue_edit_answer;

    (void)from;
    if (m->type != IPC_QUEUE_EDIT_ANSWER)
        return;
    if (a->status != IPC_EDIT_DONE) {
        edit_failed(c, a);
        return;
    }
    edit_record(c, a->count);
    client_object(c, json_pack("{s:I,s:b}", "recipients", (json_int_t)a->count, "held", (int)a->held));
    client_end(c, COMMAND_OK);
}

static void edit_down(struct control_client *c, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_QUEUE)
        client_fail(c, COMMAND_NO_SERVER, "the queue process ended; it is being started again",
                    "veredus queue show ID tells whether it was changed");
}

static void edit_too_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "it is not on disk after 30 seconds; it may still be",
                "veredus queue show ID tells whether it was changed");
}

const struct command command_edit[] = {
    { .name = "queue edit",
      .begin = edit_begin,
      .answer = edit_answer,
      .peer_down = edit_down,
      .too_late = edit_too_late },
    { .name = NULL },
};
