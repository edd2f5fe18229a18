/*
 * control/spool.c -- spool check, ids, read, import: between the lines of a subcommand and the queue process
 * (FACE 2.1).
 *
 * Octets that are no text travel in lines as base64, in pieces: {"part":"content","octets":"..."}. An import
 * is several requests: begin, add for each piece, end; what was sent so far belongs to the connection and
 * goes with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/commands.h"
#include "core/base64.h"
#include "core/num.h"
#include "io/fd.h"

enum {
    CHECK_PATIENCE_MSEC = 60000, /* one own file may be large, and the disk busy */
    IDS_PAGE = 20000,
    PIECE = 36 * 1024, /* octets a line; as text it fits into a request, too */
    LINE_MAX_OCTETS = 2 * PIECE,
    MEMORY_MAX = 256 * 1024, /* content beyond goes into a file lent by queue */
    ENVELOPE_MAX = 3 << 20,
    STATE_MAX = 3 << 20,
    TOKEN_OCTETS = 16,
};

/* What a connection has under way: the rest of a file that is written out, or a message that is taken in. */
struct client_transfer {
    int fd;
    uint64_t left; /* spool read: octets of the file still to be sent */

    bool begun; /* spool import */
    struct buf envelope, state, content;
    uint64_t size; /* of the content, as announced */
    uint64_t file, file_size;
};

static void too_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "the queue process did not answer in time", "try again");
}

static struct ipc_channel *queue_of(struct control_client *c)
{
    return worker_peer(worker_of(c), PROCESS_QUEUE);
}

/* ---- spool check ---- */

static void check_ask(struct control_client *c, bool begin)
{
    struct ipc_channel *queue = queue_of(c);

    c->asking = queue && ipc_send_spool_check_ask(
                             queue, &(struct ipc_spool_check_ask){ .ticket = c->ticket, .begin = begin });
    if (c->asking)
        client_patience(c, CHECK_PATIENCE_MSEC);
    else
        command_no_queue(c);
}

static void check_begin(struct control_client *c, json_t *request)
{
    (void)request;
    check_ask(c, true);
}

static void check_go_on(struct control_client *c)
{
    if (!c->asking)
        check_ask(c, false);
}

static void check_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    const struct ipc_spool_check_answer *a = &m->spool_check_answer;
    struct buf error = BUF_INIT(4096);

    (void)from;
    if (m->type != IPC_SPOOL_CHECK_ANSWER)
        return;
    c->asking = false;
    if (!client_rows(c, a->records)) {
        command_nonsense(c);
    } else if (a->error.n) {
        buf_add(&error, a->error);
        buf_add_char(&error, '\0');
        client_fail(c, COMMAND_LATER, error.failed ? "it cannot be checked" : error.p, "try again later");
    } else if (!a->more) {
        client_end(c, COMMAND_OK);
    } else if (c->out.n < CLIENT_OUT_LOW) {
        check_ask(c, false);
    }
    buf_done(&error);
}

/* ---- spool ids ---- */

static void ids_ask(struct control_client *c)
{
    struct ipc_channel *queue = queue_of(c);
    struct ipc_spool_ids_ask ask = { .ticket = c->ticket, .after = c->after, .limit = IDS_PAGE };

    c->asking = queue && ipc_send_spool_ids_ask(queue, &ask);
    if (c->asking)
        client_patience(c, QUEUE_PATIENCE_MSEC);
    else
        command_no_queue(c);
}

static void ids_begin(struct control_client *c, json_t *request)
{
    (void)request;
    c->after = 0;
    ids_ask(c);
}

static void ids_go_on(struct control_client *c)
{
    if (!c->asking)
        ids_ask(c);
}

static void ids_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    struct str ids = m->spool_ids_answer.ids;
    json_t *list = json_array();
    size_t n = ids.n / 8;

    (void)from;
    if (m->type != IPC_SPOOL_IDS_ANSWER) {
        json_decref(list);
        return;
    }
    c->asking = false;
    for (size_t i = 0; i < n; i++) {
        c->after = le64_get(ids.p + 8 * i);
        json_array_append_new(list, json_string(queue_id_text((struct queue_id){ c->after }).c));
    }
    client_object(c, json_pack("{s:o}", "ids", list));
    if (n < IDS_PAGE)
        client_end(c, COMMAND_OK);
    else if (c->out.n < CLIENT_OUT_LOW)
        ids_ask(c);
}

/* ---- spool read ---- */

static struct client_transfer *transfer_of(struct control_client *c)
{
    if (!c->transfer)
        c->transfer = calloc(1, sizeof(*c->transfer));
    if (!c->transfer) {
        client_fail(c, COMMAND_LATER, "out of memory", "");
        return NULL;
    }
    return c->transfer;
}

void spool_transfer_forget(struct control_client *c)
{
    struct client_transfer *t = c->transfer;
    struct ipc_channel *queue = queue_of(c);

    if (!t)
        return;
    if (t->file && queue)
        ipc_send_file_return(queue, &(struct ipc_file_return){ .file = t->file });
    if (t->fd > 0)
        fd_close(&t->fd);
    buf_done(&t->envelope);
    buf_done(&t->state);
    buf_done(&t->content);
    free(t);
    c->transfer = NULL;
}

static void piece_line(struct control_client *c, const char *part, struct str octets)
{
    struct buf line = BUF_INIT(LINE_MAX_OCTETS);

    buf_printf(&line, "{\"part\":\"%s\",\"octets\":\"", part);
    base64_add(&line, octets);
    buf_add_c(&line, "\"}");
    if (!line.failed)
        client_line(c, buf_str(&line));
    buf_done(&line);
}

static void part_lines(struct control_client *c, const char *part, struct str octets)
{
    for (; octets.n; octets = str_skip(octets, PIECE))
        piece_line(c, part, str_head(octets, PIECE));
}

/* A file that ends too soon is damaged: whoever takes it sees that it is not all there. */
static void read_go_on(struct control_client *c)
{
    struct client_transfer *t = c->transfer;
    char piece[PIECE];

    if (c->asking)
        return;
    while (t && t->left && c->out.n < CLIENT_OUT_LOW) {
        ssize_t n = read(t->fd, piece, t->left < PIECE ? (size_t)t->left : PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            t->left = 0;
            break;
        }
        t->left -= (uint64_t)n;
        piece_line(c, "content", str_of(piece, (size_t)n));
        client_patience(c, QUEUE_PATIENCE_MSEC);
    }
    if (!t || !t->left) {
        spool_transfer_forget(c);
        client_end(c, COMMAND_OK);
    }
}

static void read_begin(struct control_client *c, json_t *request)
{
    struct ipc_channel *queue = queue_of(c);
    struct ipc_spool_read_ask ask = { .ticket = c->ticket };
    struct queue_id id;

    (void)request;
    if (!queue_id_parse(request_text(c, "id"), &id)) {
        client_fail(c, COMMAND_USAGE, "not a queue id", "veredus queue lists them");
        return;
    }
    ask.id = id.n;
    spool_transfer_forget(c);
    c->asking = queue && ipc_send_spool_read_ask(queue, &ask);
    if (c->asking)
        client_patience(c, CHECK_PATIENCE_MSEC);
    else
        command_no_queue(c);
}

static void read_told(struct control_client *c, const struct ipc_spool_read_answer *a)
{
    client_object(c, json_pack("{s:s,s:I,s:b}", "status", a->status == IPC_READ_OK ? "ok" : "damaged",
                               "accepted_msec", (json_int_t)a->accepted_msec, "held", a->held != 0));
    part_lines(c, "envelope", a->envelope);
    part_lines(c, "state", a->state);
    part_lines(c, "hold", a->hold);
    part_lines(c, "content", a->head);
    part_lines(c, "content", a->body);
}

static void read_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    const struct ipc_spool_read_answer *a = &m->spool_read_answer;
    struct client_transfer *t;

    (void)from;
    if (m->type != IPC_SPOOL_READ_ANSWER)
        return;
    c->asking = false;
    if (a->status == IPC_READ_GONE) {
        client_fail(c, COMMAND_FOUND, "no such message in the spool",
                    "it was delivered, returned or removed meanwhile");
        return;
    }
    if (a->status == IPC_READ_FAILED) {
        client_fail(c, COMMAND_LATER, "it cannot be read now", "try again, or while the server is stopped");
        return;
    }
    read_told(c, a);
    if (m->fd >= 0 && (t = transfer_of(c)) != NULL) {
        t->fd = dup(m->fd);
        t->left = t->fd > 0 ? a->file_size : 0;
    }
    if (c->command)
        read_go_on(c);
}

/* ---- spool import ---- */

static void import_begin(struct control_client *c, struct client_transfer *t)
{
    struct ipc_channel *queue = queue_of(c);
    json_int_t size = json_integer_value(json_object_get(c->request, "size"));

    *t = (struct client_transfer){
        .fd = -1,
        .begun = true,
        .size = size > 0 ? (uint64_t)size : 0,
        .envelope = BUF_INIT(ENVELOPE_MAX),
        .state = BUF_INIT(STATE_MAX),
        .content = BUF_INIT(MEMORY_MAX),
    };
    if (t->size <= MEMORY_MAX) {
        client_end(c, COMMAND_OK);
        return;
    }
    if (queue && ipc_send_file_ask(queue, &(struct ipc_file_ask){ .ticket = c->ticket }))
        client_patience(c, QUEUE_PATIENCE_MSEC);
    else
        command_no_queue(c);
}

static void import_lent(struct control_client *c, const struct ipc_message *m)
{
    struct client_transfer *t = c->transfer;

    if (m->file_answer.status != IPC_STORED || m->fd < 0) {
        client_fail(c, COMMAND_LATER, "no room for it in the spool now", "try again later");
        return;
    }
    t->file = m->file_answer.file;
    t->fd = dup(m->fd);
    if (t->fd > 0)
        client_end(c, COMMAND_OK);
    else
        client_fail(c, COMMAND_LATER, "out of descriptors", "try again later");
}

static bool write_all(int fd, struct str octets)
{
    while (octets.n) {
        ssize_t n = write(fd, octets.p, octets.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}

static bool import_add(struct control_client *c, struct client_transfer *t)
{
    struct str part = request_text(c, "part"), text = request_text(c, "octets");
    struct buf octets = BUF_INIT(LINE_MAX_OCTETS);
    bool ok = base64_read(&octets, text);

    if (!ok)
        client_fail(c, COMMAND_USAGE, "its octets are not base64", "");
    else if (str_eq(part, STR("content")) && t->file)
        ok = write_all(t->fd, buf_str(&octets));
    else if (str_eq(part, STR("content")))
        ok = buf_add(&t->content, buf_str(&octets));
    else if (str_eq(part, STR("envelope")))
        ok = buf_add(&t->envelope, buf_str(&octets));
    else
        ok = str_eq(part, STR("state")) && buf_add(&t->state, buf_str(&octets));
    if (ok && t->file && str_eq(part, STR("content")))
        t->file_size += octets.n;
    buf_done(&octets);
    if (!ok && c->command)
        client_fail(c, COMMAND_LATER, "there is no room for it", "try again later");
    return ok;
}

static bool take_token(const struct control_client *c, struct buf *token)
{
    return base64_read(token, request_text(c, "token")) && token->n == TOKEN_OCTETS;
}

static void import_end(struct control_client *c, struct client_transfer *t)
{
    struct ipc_channel *queue = queue_of(c);
    struct buf token = BUF_INIT(64);
    struct ipc_spool_import_ask ask = {
        .ticket = c->ticket,
        .accepted_msec = json_integer_value(json_object_get(c->request, "accepted_msec")),
        .held = json_is_true(json_object_get(c->request, "held")),
        .file = t->file,
        .file_size = t->file_size,
        .envelope = buf_str(&t->envelope),
        .state = buf_str(&t->state),
        .hold = request_text(c, "hold"),
        .body = buf_str(&t->content),
    };

    if (!take_token(c, &token) || (t->file ? t->file_size : t->content.n) != t->size) {
        client_fail(c, COMMAND_USAGE, "an import that cannot be", "are program and server of one version?");
    } else {
        ask.token = buf_str(&token);
        if (queue && ipc_send_spool_import_ask(queue, &ask)) {
            t->file = 0; /* it is queue's again */
            client_patience(c, QUEUE_PATIENCE_MSEC);
        } else {
            client_fail(c, COMMAND_LATER,
                        "the queue process is away, or the message is too long to be taken in", "try again");
        }
    }
    buf_done(&token);
}

static void import_step(struct control_client *c, json_t *request)
{
    struct str step = request_text(c, "step");

    (void)request;
    if (str_eq(step, STR("begin"))) {
        spool_transfer_forget(c);
        if (transfer_of(c))
            import_begin(c, c->transfer);
    } else if (!c->transfer || !c->transfer->begun) {
        client_fail(c, COMMAND_USAGE, "an import that was not begun",
                    "are program and server of one version?");
    } else if (str_eq(step, STR("add"))) {
        if (import_add(c, c->transfer))
            client_end(c, COMMAND_OK);
    } else {
        import_end(c, c->transfer);
    }
}

static void import_record(struct control_client *c, uint64_t id)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_ADMIN);
    log_id(&r, (struct queue_id){ id });
    log_text_c(&r, LOG_ACCOUNT, c->who.account);
    log_text_c(&r, LOG_ACTION, "import");
    log_send(&r);
}

static void import_told(struct control_client *c, const struct ipc_spool_import_answer *a)
{
    spool_transfer_forget(c);
    if (a->status == IPC_STORED) {
        if (!a->already)
            import_record(c, a->id);
        client_object(c, json_pack("{s:s,s:b}", "id", queue_id_text((struct queue_id){ a->id }).c, "already",
                                   a->already != 0));
        client_end(c, COMMAND_OK);
    } else if (a->error.n) {
        client_text(c, "refused", a->error);
        client_end(c, COMMAND_INPUT);
    } else {
        client_fail(c, COMMAND_LATER,
                    a->status == IPC_NO_SPACE ? "no room for it in the spool now"
                                              : "the spool does not take it now",
                    "veredus status says how it is; try again later");
    }
}

static void import_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type == IPC_FILE_ANSWER)
        import_lent(c, m);
    else if (m->type == IPC_SPOOL_IMPORT_ANSWER)
        import_told(c, &m->spool_import_answer);
}

const struct command command_spool[] = {
    { .name = "spool check",
      .begin = check_begin,
      .answer = check_answer,
      .peer_down = command_queue_down,
      .go_on = check_go_on,
      .too_late = too_late },
    { .name = "spool ids",
      .begin = ids_begin,
      .answer = ids_answer,
      .peer_down = command_queue_down,
      .go_on = ids_go_on,
      .too_late = too_late },
    { .name = "spool read",
      .begin = read_begin,
      .answer = read_answer,
      .peer_down = command_queue_down,
      .go_on = read_go_on,
      .too_late = too_late },
    { .name = "spool import",
      .begin = import_step,
      .answer = import_answer,
      .peer_down = command_queue_down,
      .too_late = too_late },
    { .name = NULL },
};
