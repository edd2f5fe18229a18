/* receive/session.c -- octets of one client in, replies out; the dialogue machine says what happens between. */
#include "receive/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"

enum {
    SESSION_ARENA_MAX = 64 * 1024,
    IN_MAX = RECEIVE_READ_MAX + 4096,
    LINGER_MSEC = 2000,
    LINGER_OCTETS = 256 * 1024,
    PROGRESS_OCTETS = 256, /* of content, to move the deadline: a client that drips does not */
};

/* ---- time ---- */

void session_deadline(struct session *s, int64_t msec)
{
    int64_t deadline = io_now_msec(s->receive->worker->loop) + msec;
    bool sooner = deadline < s->deadline_msec;

    s->deadline_msec = deadline;
    /* The timer is not moved for each command: it is never late, and when it fires it looks at the deadline. */
    if (sooner || !io_timer_pending(&s->timer))
        io_timer_start(&s->timer, msec);
}

static int64_t command_timeout(const struct session *s)
{
    return (int64_t)s->listener->config->session.timeout_command.msec;
}

/* The next command, but no longer than the whole message may take. */
static void deadline_command(struct session *s)
{
    int64_t wait = command_timeout(s);

    if (s->tx) {
        int64_t whole = (int64_t)s->listener->config->session.timeout_transaction.msec;
        int64_t left = s->tx->began_msec + whole - io_now_msec(s->receive->worker->loop);
        if (left < wait)
            wait = left > 0 ? left : 0;
    }
    session_deadline(s, wait);
}

static bool transaction_overdue(const struct session *s)
{
    int64_t whole = (int64_t)s->listener->config->session.timeout_transaction.msec;

    return s->tx && io_now_msec(s->receive->worker->loop) - s->tx->began_msec >= whole;
}

/* ---- the end ---- */

static void on_reap(struct io_task *t)
{
    struct session *s = CONTAINER_OF(t, struct session, reaper);
    struct receive *r = s->receive;

    io_task_done(&s->reaper);
    io_watch_done(&s->watch);
    io_timer_done(&s->timer);
    fd_close(&s->fd);
    buf_done(&s->in);
    buf_done(&s->out);
    buf_done(&s->verify.plan);
    smtp_server_done(s->smtp);
    arena_free(s->arena);
    r->sessions[s->slot] = NULL;
    r->n_sessions--;
    s->listener->sessions--;
    free(s);
    receive_session_gone(r);
}

void session_end(struct session *s, const char *reason)
{
    struct ipc_channel *lookup;

    if (s->finished)
        return;
    s->finished = true;
    if (!s->end_reason)
        s->end_reason = reason;
    question_done(s);
    transaction_drop(s);
    io_watch_arm(&s->watch, 0);
    io_timer_stop(&s->timer);
    record_disconnect(s);
    lookup = worker_peer_of(s->receive->worker, PROCESS_LOOKUP, s->receive->worker->generation);
    if (s->lookup_instance && lookup && lookup->instance == s->lookup_instance)
        ipc_send_disconnect(lookup, &(struct ipc_disconnect){
                                        .client = str_of((char *)s->client_octets, s->client_n),
                                        .listener = s->listener->index,
                                        .errors = smtp_server_errors(s->smtp),
                                        .octets = s->undeclared_octets,
                                    });
    io_task_post(&s->reaper);
}

/* ---- those who watch ---- */

static void watched(struct session *s, bool by_client, struct str lines)
{
    struct session_id_text id = session_id_text(s->id);
    struct ip_text room;
    const struct live_who who = { .session = str_from_c(id.c), .address = session_client_text(s, &room) };

    live_lines(&s->receive->live, &s->dialogue, &who, by_client, lines);
}

/* Replies that are not told of yet, in the shared buffer. */
static void watched_replies(struct session *s)
{
    struct receive *r = s->receive;

    if (!r->live.n)
        return;
    watched(s, false, str_skip(buf_str(&r->out), r->out_told));
    r->out_told = r->out.n;
}

static void watched_content(struct session *s)
{
    struct session_id_text id = session_id_text(s->id);
    struct ip_text room;
    const struct live_who who = { .session = str_from_c(id.c), .address = session_client_text(s, &room) };

    live_content(&s->receive->live, &s->dialogue, &who);
}

/* The machine used OCTETS; it was in content BEFORE. */
static void watched_octets(struct session *s, struct str octets, bool before)
{
    if (!before) {
        watched(s, true, octets);
        return;
    }
    s->dialogue.content += octets.n;
    if (!smtp_server_in_content(s->smtp))
        watched_content(s);
}

/* ---- sending ---- */

/* As much of OCTETS as the client takes now; returns how many it took. */
static size_t send_some(struct session *s, struct str octets)
{
    size_t sent = 0;

    while (sent < octets.n) {
        ssize_t n = send(s->fd, octets.p + sent, octets.n - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            s->blocked = true;
            break;
        }
        if (n < 0) {
            session_end(s, "lost");
            break;
        }
        sent += (size_t)n;
    }
    s->octets_out += sent;
    return sent;
}

/* Replies wait for the answer to a question about a pipelined command, so that they leave as one (RFC 2920 3.2). */
static bool holds_replies(const struct session *s)
{
    return s->blocked || s->delayed || (s->question != QUESTION_NONE && s->question != QUESTION_COMMIT);
}

/*
 * A close with input unread makes the kernel reset the connection, and the client may never see our last reply. So
 * our side ends, and what it still sends is thrown away for a moment, up to a bound.
 */
static void say_no_more(struct session *s)
{
    char octet;

    if (recv(s->fd, &octet, 1, MSG_PEEK) <= 0 || shutdown(s->fd, SHUT_WR) < 0) {
        session_end(s, s->end_reason ? s->end_reason : "quit");
        return;
    }
    s->lingering = true;
    io_watch_arm(&s->watch, IO_READ);
    session_deadline(s, LINGER_MSEC);
}

static void linger(struct session *s)
{
    ssize_t n = recv(s->fd, s->receive->read_room, RECEIVE_READ_MAX, 0);

    if (n > 0)
        s->lingered += (size_t)n;
    if (n == 0 || s->lingered > LINGER_OCTETS || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        session_end(s, s->end_reason);
}

/* What is in the shared buffer goes to this client, behind what it has not got yet. */
void session_send(struct session *s)
{
    struct buf *out = &s->receive->out;

    watched_replies(s);
    if (!s->finished && (s->out.n || holds_replies(s)) && !buf_add(&s->out, buf_str(out)))
        session_end(s, "lost");
    if (!s->finished && !holds_replies(s)) {
        struct buf *from = s->out.n ? &s->out : out;
        buf_eat(from, send_some(s, buf_str(from)));
        if (from == out && out->n && !buf_add(&s->out, buf_str(out)))
            session_end(s, "lost");
    }
    buf_clear(out);
    s->receive->out_told = 0;
    if (s->finished)
        return;
    if (s->blocked)
        io_watch_arm(&s->watch, IO_WRITE);
    else if (s->closing && !s->out.n)
        say_no_more(s);
}

/* ---- driving the dialogue ---- */

static const char *close_reason(enum smtp_reply_name reply)
{
    switch (reply) {
    case SMTP_REPLY_QUIT:
        return "quit";
    case SMTP_REPLY_TIMEOUT:
    case SMTP_REPLY_TRANSACTION_TIMEOUT:
        return "timeout";
    case SMTP_REPLY_SHUTDOWN:
        return "shutdown";
    default:
        return "refused";
    }
}

static enum log_reason refused_reason(const struct smtp_event *ev)
{
    switch (ev->reply) {
    case SMTP_REPLY_BARE_CR:
    case SMTP_REPLY_BARE_LF:
    case SMTP_REPLY_NUL_OCTET:
        return LOG_REASON_BARE_NEWLINE;
    case SMTP_REPLY_CONTENT_TOO_BIG:
    case SMTP_REPLY_SIZE_TOO_BIG:
    case SMTP_REPLY_CONTENT_LINE_TOO_LONG:
        return LOG_REASON_SIZE;
    case SMTP_REPLY_MAIL_TWICE:
    case SMTP_REPLY_HELLO_FIRST:
    case SMTP_REPLY_RCPT_SEQUENCE:
    case SMTP_REPLY_DATA_SEQUENCE:
    case SMTP_REPLY_DATA_NO_RECIPIENTS:
        return LOG_REASON_SEQUENCE;
    case SMTP_REPLY_TOO_MANY_RECIPIENTS:
    case SMTP_REPLY_TOO_MANY_MESSAGES:
    case SMTP_REPLY_TOO_MANY_ERRORS:
    case SMTP_REPLY_LINE_FLOOD:
        return LOG_REASON_LIMIT;
    default:
        return LOG_REASON_SYNTAX;
    }
}

static const char *stage_of(const struct smtp_event *ev)
{
    if (ev->at_end_of_data)
        return "data";
    switch (ev->verb) {
    case SMTP_VERB_MAIL:
        return "mail";
    case SMTP_VERB_RCPT:
        return "rcpt";
    case SMTP_VERB_DATA:
        return "data";
    case SMTP_VERB_EHLO:
    case SMTP_VERB_HELO:
        return "ehlo";
    case SMTP_VERB_VRFY:
        return "vrfy";
    default:
        return "command";
    }
}

static void on_refused(struct session *s, const struct smtp_event *ev)
{
    struct buf to = BUF_INIT(2048);

    if (ev->verb == SMTP_VERB_RCPT && ev->path)
        smtp_path_write(&to, ev->path);
    s->rejected++;
    s->receive->rejected++;
    record_refused(s, stage_of(ev), ev->reply, refused_reason(ev), STR("default"), buf_str(&to), &ev->slots);
    buf_done(&to);
    if (ev->at_end_of_data)
        transaction_drop(s);
}

/* Act on one event. False: stop feeding, something is waited for. */
static bool on_event(struct session *s, const struct smtp_event *ev)
{
    struct buf *out = &s->receive->out;

    switch (ev->kind) {
    case SMTP_EVENT_MORE:
        return false;
    case SMTP_EVENT_FLUSH:
        session_send(s);
        return !s->finished && !s->blocked;
    case SMTP_EVENT_DELAY:
        s->delayed = true;
        session_deadline(s, (int64_t)s->listener->config->session.error_delay.msec);
        io_timer_start(&s->timer, (int64_t)s->listener->config->session.error_delay.msec);
        return false;
    case SMTP_EVENT_ASK_MAIL:
        transaction_begin(s);
        return s->question == QUESTION_NONE;
    case SMTP_EVENT_ASK_RCPT:
        s->path = ev->path;
        session_ask(s, QUESTION_RCPT);
        return false;
    case SMTP_EVENT_ASK_VRFY:
        s->path = ev->path;
        session_ask(s, QUESTION_VRFY);
        return false;
    case SMTP_EVENT_ASK_DATA:
        if (!content_begin(s))
            return false;
        smtp_server_answer(s->smtp, SMTP_REPLY_DATA_GO, NULL, out);
        return true;
    case SMTP_EVENT_CONTENT:
        s->progress_octets += (int64_t)ev->span.n;
        if (s->tx && s->tx->header)
            message_header_scan_feed(s->tx->header, ev->span);
        return content_add(s, ev->span);
    case SMTP_EVENT_ASK_COMMIT:
        transaction_end_of_data(s, ev->facts);
        return s->question == QUESTION_NONE;
    case SMTP_EVENT_REFUSED:
        on_refused(s, ev);
        return true;
    case SMTP_EVENT_RESET:
        transaction_drop(s);
        return true;
    case SMTP_EVENT_CLOSE:
        s->closing = true;
        s->end_reason = close_reason(ev->reply);
        return false;
    }
    return false;
}

/* Watched, it is fed line by line, so that each reply is told of behind its command; how is all the same to it. */
static void feed(struct session *s, struct str in, size_t *used, struct smtp_event *ev)
{
    bool content;

    if (!s->receive->live.n) {
        smtp_server_next(s->smtp, in, used, &s->receive->out, ev);
        return;
    }
    content = smtp_server_in_content(s->smtp);
    watched_replies(s);
    smtp_server_next(s->smtp, content ? in : str_head(in, str_find(in, '\n') + 1), used, &s->receive->out, ev);
    watched_octets(s, str_head(in, *used), content);
    watched_replies(s);
}

static void drive(struct session *s, struct str in)
{
    struct smtp_event ev;
    size_t done = 0, used;
    bool go_on = true;

    while (go_on && !s->finished) {
        feed(s, str_skip(in, done), &used, &ev);
        done += used;
        /* The end of the line it was given is not the end of what came. */
        go_on = on_event(s, &ev) || (ev.kind == SMTP_EVENT_MORE && s->receive->live.n && used && done < in.n);
    }
    s->progressed = done > 0;
    if (!s->finished && done < in.n && !buf_add(&s->in, str_skip(in, done)))
        session_end(s, "memory");
    session_send(s);
}

/* Something else must happen before the client is listened to again. */
static bool waits(const struct session *s)
{
    return s->question != QUESTION_NONE || s->delayed || s->blocked || s->closing;
}

void session_go_on(struct session *s)
{
    if (s->finished || waits(s)) {
        session_send(s);
        return;
    }
    /* Octets move while they are looked at when an answer comes at once: the buffer is taken out first. */
    struct buf in = s->in;
    s->in = BUF_INIT(IN_MAX);
    drive(s, buf_str(&in));
    buf_done(&in);
    if (s->finished)
        return;
    if (!waits(s))
        deadline_command(s);
    if (!waits(s))
        io_watch_arm(&s->watch, IO_READ);
}

/* ---- events of the connection ---- */

/* An unfinished command keeps the deadline of the last reply, a drip of content its own. */
static void move_deadline(struct session *s)
{
    if (smtp_server_in_content(s->smtp) ? s->progress_octets >= PROGRESS_OCTETS : s->progressed) {
        s->progress_octets = 0;
        deadline_command(s);
    }
}

static void on_readable(struct session *s)
{
    struct receive *r = s->receive;

    if (s->lingering) {
        linger(s);
        return;
    }
    if (waits(s)) {
        /* It talks on before it has its reply: what it says stays in the kernel till then. */
        io_watch_arm(&s->watch, s->blocked ? IO_WRITE : 0);
        return;
    }
    ssize_t n = recv(s->fd, r->read_room, RECEIVE_READ_MAX, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        session_end(s, "lost");
        return;
    }
    s->octets_in += (uint64_t)n;
    r->octets_in += (uint64_t)n;
    if (s->in.n) {
        struct buf in = s->in;
        s->in = BUF_INIT(IN_MAX);
        if (buf_add(&in, str_of(r->read_room, (size_t)n)))
            drive(s, buf_str(&in));
        else
            session_end(s, "memory");
        buf_done(&in);
    } else {
        drive(s, str_of(r->read_room, (size_t)n));
    }
    if (!s->finished && !waits(s))
        move_deadline(s);
}

static void on_ready(struct io_watch *w, unsigned what)
{
    struct session *s = CONTAINER_OF(w, struct session, watch);

    if ((what & IO_WRITE) && s->blocked && !s->finished) {
        s->blocked = false;
        io_watch_arm(&s->watch, 0);
        buf_clear(&s->receive->out);
        session_send(s);
        session_go_on(s);
        return;
    }
    if ((what & IO_READ) && !s->finished)
        on_readable(s);
}

void session_goodbye(struct session *s, enum smtp_reply_name row, const struct smtp_slots *slots)
{
    struct receive *r = s->receive;

    buf_clear(&r->out);
    r->out_told = 0;
    question_done(s);
    s->delayed = false;
    transaction_drop(s);
    smtp_server_goodbye(s->smtp, row, slots, &r->out);
    s->closing = true;
    s->end_reason = close_reason(row);
    session_send(s);
    /* A client that does not even take this is not waited for. */
    if (!s->finished && !s->lingering)
        session_deadline(s, LINGER_MSEC);
}

/* Who was asked said nothing in time: the command, or the content of the message, gets 451. */
static void refuse_unanswered(struct session *s, enum question q)
{
    bool asked_one = q == QUESTION_RCPT || q == QUESTION_VRFY;
    enum smtp_reply_name row = asked_one ? SMTP_REPLY_LOOKUP_FAILED : SMTP_REPLY_SYSTEM_FAILED;
    const char *stage = q == QUESTION_RCPT     ? "rcpt"
                        : q == QUESTION_VRFY   ? "vrfy"
                        : q == QUESTION_EXPAND ? "data"
                                               : "mail";
    struct buf to = BUF_INIT(2048);

    if (q == QUESTION_RCPT)
        smtp_path_write(&to, s->path);
    s->rejected++;
    s->receive->rejected++;
    record_refused(s, stage, row, q == QUESTION_IDS ? LOG_REASON_STORAGE : LOG_REASON_LOOKUP, STR("default"),
                   buf_str(&to), NULL);
    buf_done(&to);
    if (!asked_one)
        transaction_drop(s);
    smtp_server_answer(s->smtp, row, NULL, &s->receive->out);
}

static void question_overdue(struct session *s)
{
    enum question q = s->question;
    bool sent = s->question_sent;

    if (q == QUESTION_TOKEN || (q == QUESTION_COMMIT && sent)) {
        /* Neither 250 nor 451 would be true before the queue has spoken; the client's own patience is 10 minutes. */
        session_deadline(s, command_timeout(s));
        return;
    }
    if (q == QUESTION_CONNECT) {
        record_refused(s, "connect", SMTP_REPLY_TOO_MANY_SESSIONS, LOG_REASON_LOOKUP, STR("default"), STR_NONE, NULL);
        session_goodbye(s, SMTP_REPLY_TOO_MANY_SESSIONS, NULL);
        return;
    }
    question_done(s);
    if (q == QUESTION_PLAN || q == QUESTION_VERIFY)
        verify_overdue(s);
    else if (q == QUESTION_FILE)
        content_file(s, -1, 0, IPC_STORAGE_FAILED);
    else if (q == QUESTION_COMMIT)
        transaction_stored(s, IPC_STORAGE_FAILED, 0, 0);
    else
        refuse_unanswered(s, q);
    session_go_on(s);
}

static void on_timer(struct io_timer *t)
{
    struct session *s = CONTAINER_OF(t, struct session, timer);
    int64_t left = s->deadline_msec - io_now_msec(s->receive->worker->loop);

    if (s->finished)
        return;
    if (left > 0) {
        io_timer_start(&s->timer, left);
        return;
    }
    if (s->closing) {
        session_end(s, s->end_reason ? s->end_reason : "lost");
    } else if (s->delayed) {
        s->delayed = false;
        session_send(s);
        session_go_on(s);
    } else if (s->question != QUESTION_NONE) {
        question_overdue(s);
    } else if (transaction_overdue(s)) {
        struct smtp_slots slots = { .number = s->listener->config->session.timeout_transaction.msec / 1000 };
        session_goodbye(s, SMTP_REPLY_TRANSACTION_TIMEOUT, &slots);
    } else {
        session_goodbye(s, SMTP_REPLY_TIMEOUT, NULL);
    }
}

void session_shutdown(struct session *s)
{
    if (s->finished || s->closing || s->question == QUESTION_COMMIT || s->question == QUESTION_TOKEN)
        return;
    session_goodbye(s, SMTP_REPLY_SHUTDOWN, NULL);
}

/* ---- the beginning ---- */

static bool slot_take(struct receive *r, struct session *s)
{
    uint32_t slot = 0;

    while (slot < r->n_slots && r->sessions[slot])
        slot++;
    if (slot == r->n_slots) {
        uint32_t room = r->n_slots ? r->n_slots * 2 : 256;
        struct session **grown = realloc(r->sessions, room * sizeof(*grown));
        if (!grown)
            return false;
        memset(grown + r->n_slots, 0, (room - r->n_slots) * sizeof(*grown));
        r->sessions = grown;
        r->n_slots = room;
    }
    s->slot = slot;
    r->sessions[slot] = s;
    return true;
}

static void client_to_octets(struct session *s)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (s->client.family == IP_NONE)
        return;
    s->client_n = 16;
    if (s->client.family == IP_V6) {
        memcpy(s->client_octets, s->client.octets, 16);
    } else {
        memcpy(s->client_octets, mapped, 12);
        memcpy(s->client_octets + 12, s->client.octets, 4);
    }
}

struct str session_client_text(struct session *s, struct ip_text *room)
{
    if (!s->client_n)
        return STR("unix");
    *room = ip_text(&s->client);
    return str_from_c(room->c);
}

static void greet(struct session *s)
{
    const struct config_listener *l = s->listener->config;
    struct receive *r = s->receive;
    struct ip_text room;
    struct smtp_slots slots = { .client = session_client_text(s, &room) };
    struct config_place place = CONFIG_PLACE_DEFAULT;

    if (r->stopping) {
        session_goodbye(s, SMTP_REPLY_SHUTDOWN, NULL);
    } else if (r->n_sessions > r->max_sessions ||
               (!l->session.max_sessions.automatic && s->listener->sessions > l->session.max_sessions.n)) {
        record_refused(s, "connect", SMTP_REPLY_TOO_MANY_SESSIONS, LOG_REASON_LIMIT,
                       str_from_c(config_rule(r->worker->config, l->session.max_sessions.place).c), STR_NONE, &slots);
        session_goodbye(s, SMTP_REPLY_TOO_MANY_SESSIONS, &slots);
    } else if (s->client_n && !l->allow_from.everyone && !config_networks_have(&l->allow_from, &s->client, &place)) {
        bool never = l->allow_from.n == 0;
        enum smtp_reply_name row = never ? SMTP_REPLY_GREETING_NEVER : SMTP_REPLY_GREETING_REFUSED;
        record_refused(s, "connect", row, LOG_REASON_POLICY,
                       str_from_c(config_rule(r->worker->config, l->allow_from.place).c), STR_NONE, &slots);
        smtp_server_refuse(s->smtp, row, &slots, &r->out);
        session_send(s);
        session_go_on(s);
    } else {
        session_ask(s, QUESTION_CONNECT);
    }
}

void session_begin(struct receive *r, struct receive_listener *l, int fd, const struct session_client *client)
{
    struct session *s = calloc(1, sizeof(*s));
    struct err err = { 0 };

    if (!s) {
        fd_close(&fd);
        return;
    }
    *s = (struct session){
        .receive = r,
        .listener = l,
        .fd = fd,
        .file_fd = -1,
        .client = client->address,
        .client_port = client->port,
        .uid_plus = client->uid_plus,
        .has_token = client->token != NULL,
        .began_usec = io_clock_usec(),
        .in = BUF_INIT(IN_MAX),
        .out = BUF_INIT(RECEIVE_OUT_MAX),
        .content = BUF_INIT(RECEIVE_MEMORY_CONTENT + RECEIVE_READ_MAX),
        .id = { r->session_next++ & ((1ULL << SESSION_ID_BITS) - 1) },
    };
    if (client->token)
        memcpy(s->token, client->token, sizeof(s->token));
    client_to_octets(s);
    s->arena = arena_new(SESSION_ARENA_MAX);
    s->smtp = s->arena ? smtp_server_new(s->arena, &l->smtp) : NULL;
    if (!s->smtp || !slot_take(r, s) || !io_watch_init(&s->watch, r->worker->loop, fd, on_ready, &err) ||
        !io_timer_init(&s->timer, r->worker->loop, on_timer, &err)) {
        if (s->slot < r->n_slots && r->sessions[s->slot] == s)
            r->sessions[s->slot] = NULL;
        io_watch_done(&s->watch);
        smtp_server_done(s->smtp);
        arena_free(s->arena);
        fd_close(&s->fd);
        free(s);
        return;
    }
    io_task_init(&s->reaper, r->worker->loop, on_reap);
    r->n_sessions++;
    r->clients++;
    l->sessions++;
    record_connect(s);
    io_watch_arm(&s->watch, IO_READ);
    session_deadline(s, command_timeout(s));
    greet(s);
}
