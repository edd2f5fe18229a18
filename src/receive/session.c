/* receive/session.c -- octets of one client in, replies out; the dialogue machine says what happens between. */
#include "receive/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "io/local.h"

enum {
    SESSION_ARENA_MAX = 64 * 1024,
    IN_MAX = RECEIVE_READ_MAX + SMTP_AUTH_LINE_MAX,
    PROGRESS_OCTETS = 256, /* of content, to move the deadline: a client that drips does not */
};

/* ---- driving the dialogue ---- */

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
        if (!transaction_has_room(s, ev->path))
            return true;
        s->path = ev->path;
        session_ask(s, QUESTION_RCPT);
        return false;
    case SMTP_EVENT_ASK_VRFY:
        s->path = ev->path;
        session_ask(s, QUESTION_VRFY);
        return false;
    case SMTP_EVENT_ASK_AUTH:
        login_begin(s, ev);
        return s->question == QUESTION_NONE;
    case SMTP_EVENT_ASK_AUTH_STEP:
        login_step(s, ev);
        return s->question == QUESTION_NONE;
    case SMTP_EVENT_AUTH_ENDED:
        login_drop(s);
        return true;
    case SMTP_EVENT_STARTTLS:
        s->shakes = true;
        return false;
    case SMTP_EVENT_ASK_DATA:
        if (!submission_begin(s)) {
            smtp_server_answer(s->smtp, SMTP_REPLY_MEMORY_SHORT, NULL, out);
            return true;
        }
        if (!content_begin(s))
            return false;
        smtp_server_answer(s->smtp, SMTP_REPLY_DATA_GO, NULL, out);
        return true;
    case SMTP_EVENT_CONTENT:
        s->progress_octets += (int64_t)ev->span.n;
        return submission_content(s, ev->span);
    case SMTP_EVENT_ASK_COMMIT:
        transaction_end_of_data(s, ev->facts);
        return s->question == QUESTION_NONE;
    case SMTP_EVENT_REFUSED:
        session_refused(s, ev);
        return true;
    case SMTP_EVENT_RESET:
        transaction_drop(s);
        return true;
    case SMTP_EVENT_CLOSE:
        s->closing = true;
        s->end_reason = session_close_reason(ev->reply);
        return false;
    }
    return false;
}

/* Watched, it is fed line by line, so that each reply is told of behind its command; how is all the same to it. */
static void feed(struct session *s, struct str in, size_t *used, struct smtp_event *ev)
{
    bool content;

    if (s->listener->smtp.future_release_sec)
        smtp_server_tell_time(s->smtp, io_wall_msec());
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

/* What may hold a password is in nobody's memory longer than it must. */
static void wipe(struct str octets)
{
    if (octets.n)
        explicit_bzero((char *)(uintptr_t)octets.p, octets.n);
}

static void drive(struct session *s, struct str in)
{
    struct smtp_event ev;
    size_t done = 0, used;
    bool go_on = true, secret;

    while (go_on && !s->finished && !login_leaves(s)) {
        feed(s, str_skip(in, done), &used, &ev);
        secret = smtp_server_in_secret(s->smtp);
        done += used;
        /* The end of the line it was given is not the end of what came. */
        go_on = on_event(s, &ev) || (ev.kind == SMTP_EVENT_MORE && s->receive->live.n && used && done < in.n);
        if (secret)
            wipe(str_slice(in, done - used, done));
    }
    s->progressed = done > 0 && !smtp_server_in_long_line(s->smtp);
    /* What came in clear behind STARTTLS was never said (RFC 3207 6, C098). */
    if (!s->finished && !s->shakes && done < in.n && !buf_add(&s->in, str_skip(in, done)))
        session_end(s, "memory");
    /* The beginning of an AUTH, perhaps: it stands elsewhere now. */
    if (s->tls)
        wipe(str_skip(in, done));
    session_send(s);
}

/* Something else must happen before the client is listened to again. */
static bool waits(const struct session *s)
{
    return s->question != QUESTION_NONE || s->delayed || s->blocked || s->closing || s->shakes || s->handshake;
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
        stream_listen(s);
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

/* What was there and GOT as one; nothing of it is left where it stood. */
static bool join(struct session *s, struct str got, struct buf *in)
{
    struct str before = buf_str(&s->in);

    *in = BUF_INIT(IN_MAX);
    bool ok = buf_room(in, before.n + got.n) && buf_add(in, before) && buf_add(in, got);
    wipe(before);
    buf_done(&s->in);
    if (s->tls)
        wipe(got);
    return ok;
}

static void on_readable(struct session *s)
{
    if (s->lingering) {
        stream_linger(s);
        return;
    }
    if (waits(s)) {
        /* It talks on before it has its reply: what it says stays in the kernel till then. */
        stream_rest(s);
        return;
    }
    uint64_t said = s->octets_out;
    struct str got = stream_read(s);
    if (!got.n)
        return;
    if (s->in.n) {
        struct buf in;
        if (join(s, got, &in))
            drive(s, buf_str(&in));
        else
            session_end(s, "memory");
        buf_done(&in);
    } else {
        drive(s, got);
    }
    if (s->finished || waits(s))
        return;
    move_deadline(s);
    if (s->octets_out == said)
        stream_acknowledge(s);
    if (s->tls)
        stream_listen(s);
}

void sessions_read_on(struct io_timer *t)
{
    struct receive *r = CONTAINER_OF(t, struct receive, unread_next);
    struct list now, *node;

    list_init(&now);
    while ((node = list_take(&r->unread)))
        list_append(&now, node);
    while ((node = list_take(&now))) {
        struct session *s = CONTAINER_OF(node, struct session, unread);
        if (!s->finished && !waits(s))
            on_readable(s);
    }
}

static void on_ready(struct io_watch *w, unsigned what)
{
    struct session *s = CONTAINER_OF(w, struct session, watch);

    if (s->finished)
        return;
    if (s->handshake) {
        handshake_go_on(s);
        return;
    }
    /* TLS may have to read before it can write. */
    if (s->blocked && ((what & IO_WRITE) || s->tls)) {
        s->blocked = false;
        io_watch_arm(&s->watch, 0);
        buf_clear(&s->receive->out);
        session_send(s);
        session_go_on(s);
        return;
    }
    if ((what & IO_READ) || s->tls)
        on_readable(s);
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

bool session_may_speak(const struct session *s)
{
    return !s->listener->config->tls_at_once || s->secure.on;
}

struct str session_certificate(const struct session *s)
{
    return str_of((const char *)s->certificate, s->has_certificate ? sizeof(s->certificate) : 0);
}

static bool is_named(const struct session *s)
{
    const struct config_session *session = &s->listener->config->session;
    struct str whole = str_head(session_certificate(s), 32), key = str_skip(session_certificate(s), 32);

    for (size_t i = 0; s->has_certificate && i < session->n_relay_certificates; i++)
        if (str_eq(session->relay_certificates[i].text, whole) || str_eq(session->relay_certificates[i].text, key))
            return true;
    return false;
}

static bool same_place(struct config_place a, struct config_place b)
{
    return a.file == b.file && a.line == b.line && a.column == b.column;
}

bool session_relays_here(const struct session *s)
{
    const struct config_session *mine = &s->listener->config->session;
    const struct config_session *top = &s->receive->worker->config->session;

    /* One that the block has from outside names whom the top trusts to send anywhere, not whom this door lets in. */
    if (!s->listener->offer || same_place(mine->relay_from.place, top->relay_from.place))
        return false;
    return s->relays || is_named(s);
}

static void refuse(struct session *s, enum smtp_reply_name row, const struct smtp_slots *slots)
{
    if (!session_may_speak(s)) {
        session_end(s, session_close_reason(row));
        return;
    }
    smtp_server_refuse(s->smtp, row, slots, &s->receive->out);
    session_send(s);
    session_go_on(s);
}

void session_welcome(struct session *s)
{
    if (!session_may_speak(s)) {
        handshake_begin(s);
        return;
    }
    if (session_relays_here(s))
        smtp_server_waive_auth(s->smtp);
    smtp_server_greet(s->smtp, &s->receive->out);
    session_go_on(s);
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
        refuse(s, row, &slots);
    } else {
        session_ask(s, QUESTION_CONNECT);
    }
}

/* A header section that is completed comes as one, whatever is in memory by then. */
static size_t content_max(const struct receive_listener *l)
{
    const struct config_session *session = &l->config->session;
    size_t header = session->complete_headers.on ? 2 * session->max_header_size.n : 0;

    return RECEIVE_MEMORY_CONTENT + RECEIVE_READ_MAX + header;
}

void session_begin(struct receive *r, struct receive_listener *l, int fd, const struct session_client *client)
{
    struct session *s = calloc(1, sizeof(*s));
    struct err err = { 0 };

    if (!s) {
        session_close(r, client->address.family == IP_NONE, &fd);
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
        .content = BUF_INIT(content_max(l)),
        .id = { r->session_next++ & ((1ULL << SESSION_ID_BITS) - 1) },
    };
    if (client->token)
        memcpy(s->token, client->token, sizeof(s->token));
    list_init(&s->unread);
    list_init(&s->account_node);
    client_to_octets(s);
    if (!s->client_n)
        local_begin(fd);
    s->arena = arena_new(SESSION_ARENA_MAX);
    s->smtp = s->arena ? smtp_server_new(s->arena, &l->smtp) : NULL;
    if (!s->smtp || !slot_take(r, s) || !io_watch_init(&s->watch, r->worker->loop, fd, on_ready, &err) ||
        !io_timer_init(&s->timer, r->worker->loop, session_time_is_up, &err)) {
        if (s->slot < r->n_slots && r->sessions[s->slot] == s)
            r->sessions[s->slot] = NULL;
        io_watch_done(&s->watch);
        smtp_server_done(s->smtp);
        arena_free(s->arena);
        session_close(r, s->client_n == 0, &s->fd);
        free(s);
        return;
    }
    io_task_init(&s->reaper, r->worker->loop, session_reap);
    r->n_sessions++;
    r->clients++;
    l->sessions++;
    offer_to(s);
    record_connect(s);
    io_watch_arm(&s->watch, IO_READ);
    deadline_command(s);
    greet(s);
}
