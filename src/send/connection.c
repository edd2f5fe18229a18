/* send/connection.c -- octets both ways; the dialogue machine of smtp/client.h says what happens between. */
#include "send/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"

enum {
    PLAN_ARENA_MAX = 256 * 1024,
    SESSION_ARENA_MAX = 64 * 1024,
    IN_MAX = 2 * SEND_READ_MAX,
    PROGRESS_OCTETS = 1024, /* of content, to move the deadline: a peer that takes single ones does not */
    TURN_OCTETS = 4 << 20,  /* of content in one turn: others are waiting */
    HAND_SLOTS = SMTP_CLIENT_DEPTH,
    HURRIED_QUIT_MSEC = 1000, /* so long a server that stops waits for the reply to QUIT */
};

static struct io_loop *loop_of(const struct connection *c)
{
    return c->send->worker->loop;
}

/* ---- what is in hand when this process dies was perhaps why (DESIGN 3) ---- */

static void hand_note(const struct connection *c)
{
    struct worker_hand *hand = c->send->worker->hand;
    size_t slot = 0;

    if (!hand)
        return;
    LIST_FOR(node, &c->inside)
    {
        if (slot < HAND_SLOTS)
            __atomic_store_n(&hand->ids[slot++], CONTAINER_OF(node, struct transfer, place)->id, __ATOMIC_RELEASE);
    }
}

static void hand_clear(const struct send *s)
{
    struct worker_hand *hand = s->worker->hand;

    for (size_t slot = 0; hand && slot < HAND_SLOTS; slot++)
        __atomic_store_n(&hand->ids[slot], 0, __ATOMIC_RELEASE);
}

/* ---- time (RFC 5321 4.5.3.2; C153) ---- */

void connection_deadline(struct connection *c, int64_t msec)
{
    int64_t now = io_now_msec(loop_of(c));

    c->deadline_msec = msec ? now + msec : 0;
    /* The timer is not moved for each command: it is never late, and when it fires it looks at the deadline. */
    if (msec && (!io_timer_pending(&c->timer) || c->deadline_msec < c->timer_msec)) {
        c->timer_msec = c->deadline_msec;
        io_timer_start(&c->timer, msec);
    }
}

static int64_t patience(const struct connection *c, enum smtp_stage stage)
{
    const struct config_sending *s = c->sending;

    if (c->blocked)
        return (int64_t)s->timeout_block.msec;
    switch (stage) {
    case SMTP_STAGE_CONNECT:
        return (int64_t)s->timeout_connect.msec;
    case SMTP_STAGE_GREETING:
        return (int64_t)s->timeout_greeting.msec;
    case SMTP_STAGE_EHLO:
        return (int64_t)s->timeout_ehlo.msec;
    case SMTP_STAGE_MAIL:
        return (int64_t)s->timeout_mail.msec;
    case SMTP_STAGE_RCPT:
        return (int64_t)s->timeout_rcpt.msec;
    case SMTP_STAGE_DATA:
        return (int64_t)s->timeout_data.msec;
    case SMTP_STAGE_CONTENT:
        return (int64_t)s->timeout_block.msec;
    case SMTP_STAGE_FINAL:
        return (int64_t)s->timeout_final.msec;
    case SMTP_STAGE_QUIT:
        return c->hurried && s->timeout_quit.msec > HURRIED_QUIT_MSEC ? HURRIED_QUIT_MSEC
                                                                      : (int64_t)s->timeout_quit.msec;
    case SMTP_STAGE_NONE:
    case SMTP_STAGES:
        break;
    }
    return 0;
}

/* When a reply came, or enough was taken, or something else is waited for, time begins anew. */
static void deadline_follow(struct connection *c)
{
    enum smtp_stage stage = smtp_client_stage(c->smtp);
    size_t replies = smtp_client_replies(c->smtp);

    if (stage == c->stage && replies == c->replies && c->progress_octets < PROGRESS_OCTETS)
        return;
    c->progress_octets = 0;
    c->stage = stage;
    c->replies = replies;
    connection_deadline(c, patience(c, stage));
}

/* ---- the end ---- */

static struct transfer *first_of(const struct list *list)
{
    return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct transfer, place);
}

static void made(struct connection *c, struct transfer *t)
{
    struct transfer *next;

    list_remove(&t->place);
    c->owner->made(c, t);
    next = first_of(&c->inside);
    if (next)
        next->began_usec = io_clock_usec();
}

static void give_back(struct connection *c, struct list *list)
{
    struct transfer *t;

    while ((t = first_of(list))) {
        transfer_set_all(t, SMTP_RESULT_AGAIN, STR("4.4.2"), STR("the connection ended before its turn"));
        made(c, t);
    }
}

void connection_gone(struct connection *c)
{
    give_back(c, &c->inside);
    give_back(c, &c->waiting);
    c->state = CONNECTION_ENDED;
    io_watch_arm(&c->watch, 0);
    connection_deadline(c, 0);
    io_task_post(&c->work);
}

static void ended(struct connection *c, bool orderly, const struct smtp_client_result *farewell)
{
    give_back(c, &c->inside);
    give_back(c, &c->waiting);
    c->owner->closed(c, orderly, farewell);
    connection_gone(c);
}

static void connection_free(struct connection *c)
{
    struct send *s = c->send;

    io_task_done(&c->work);
    io_watch_done(&c->watch);
    io_timer_done(&c->timer);
    fd_close(&c->fd);
    smtp_client_done(c->smtp);
    arena_free(c->session);
    arena_free(c->arena);
    buf_done(&c->in);
    buf_done(&c->out);
    list_remove(&c->node);
    s->n_connections--;
    if (c->owner->gone)
        c->owner->gone(c);
    free(c);
    send_exit_if_done(s);
}

/* Nothing more is heard or said: the machine gives what it has inside a result. */
static void break_off(struct connection *c, enum log_reason reason, const char *text)
{
    struct buf *out = &c->send->out;
    struct smtp_client_event ev = { 0 };
    bool orderly;
    size_t used;

    if (c->state != CONNECTION_OPEN) {
        reach_refused(c, &(struct reach_answer){ .stage = smtp_client_stage(c->smtp), .reason = reason,
                                                 .enhanced = STR("4.4.2"), .text = str_from_c(text) });
        return;
    }
    orderly = c->closing || smtp_client_idle(c->smtp);
    c->giving = NULL;
    smtp_client_lost(c->smtp, str_from_c(text), out);
    do {
        smtp_client_next(c->smtp, STR_NONE, &used, out, &ev);
        if (ev.kind == SMTP_CLIENT_DONE)
            made(c, transfer_of(ev.tx));
    } while (ev.kind == SMTP_CLIENT_DONE);
    buf_clear(out);
    ended(c, orderly, NULL);
}

/* ---- sending ---- */

/* As much of OCTETS as the peer takes now; returns how many it took. */
static size_t send_some(struct connection *c, struct str octets)
{
    size_t sent = 0;

    while (sent < octets.n) {
        ssize_t n = send(c->fd, octets.p + sent, octets.n - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            c->blocked = errno == EAGAIN || errno == EWOULDBLOCK;
            if (!c->blocked)
                c->broken = "the connection was lost";
            break;
        }
        sent += (size_t)n;
    }
    c->send->octets_out += sent;
    if (c->giving)
        c->progress_octets += sent;
    return sent;
}

/* What is in the shared buffer goes to this peer, behind what it has not taken yet. */
static void flush(struct connection *c)
{
    struct buf *out = &c->send->out;
    size_t sent = 0;

    if (out->failed)
        c->broken = "out of memory";
    if (!c->blocked && !c->broken && c->out.n)
        buf_eat(&c->out, send_some(c, buf_str(&c->out)));
    if (!c->blocked && !c->broken)
        sent = send_some(c, buf_str(out));
    if (!c->broken && sent < out->n && !buf_add(&c->out, str_skip(buf_str(out), sent)))
        c->broken = "out of memory";
    if (!c->out.n)
        buf_done(&c->out);
    buf_clear(out);
    buf_shrink(out, 4 * SEND_BLOCK);
}

/* The rest of the content straight from its file, for what has no dots to stuff. */
static void give_file(struct connection *c, struct transfer *t, size_t *budget)
{
    uint64_t at = transfer_file_offset(t);
    off_t offset = (off_t)at;
    size_t most = t->file_size - at < *budget ? (size_t)(t->file_size - at) : *budget;
    ssize_t n;

    do
        n = sendfile(c->fd, t->file, &offset, most);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->blocked = true;
    } else if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT)) {
        c->broken = "the connection was lost";
    } else if (n <= 0) {
        smtp_client_content_failed(c->smtp, STR("the content of the message cannot be read"));
        c->giving = NULL;
    } else {
        t->given += (size_t)n;
        *budget -= (size_t)n;
        c->send->octets_out += (uint64_t)n;
        c->progress_octets += (uint64_t)n;
        if (transfer_file_offset(t) == t->file_size)
            smtp_client_content_sent(c->smtp, transfer_file_ends_with_crlf(t));
    }
}

/* What waits goes into the dialogue as far as it has room, and the QUIT behind the last. */
static void take_in(struct connection *c)
{
    while (!list_empty(&c->waiting) && smtp_client_wants(c->smtp)) {
        struct transfer *t = first_of(&c->waiting);
        list_remove(&t->place);
        list_append(&c->inside, &t->place);
        t->began_usec = io_clock_usec();
        smtp_client_add(c->smtp, &t->tx);
    }
    hand_note(c);
    if (c->closing && !c->quit_said && list_empty(&c->waiting)) {
        c->quit_said = true;
        smtp_client_quit(c->smtp, &c->send->out);
    }
}

/* Content in hand goes out until the peer takes no more, or it is all given out: then the dot is in the buffer. */
static void content_go_on(struct connection *c)
{
    struct buf *out = &c->send->out;
    struct transfer *t = c->giving;
    size_t budget = TURN_OCTETS;

    while (c->giving && !c->blocked && !c->broken) {
        switch (transfer_give(t, c->smtp, out, SEND_BLOCK)) {
        case TRANSFER_GIVE_END:
            /* What came meanwhile goes behind the dot, in the same write (RFC 2920 3.1). */
            c->giving = NULL;
            take_in(c);
            smtp_client_content_end(c->smtp, out);
            return;
        case TRANSFER_GIVE_FAILED:
            c->giving = NULL;
            smtp_client_content_failed(c->smtp, STR("the content of the message cannot be read"));
            return;
        case TRANSFER_GIVE_MORE:
            budget -= size_min(budget, out->n);
            flush(c);
            break;
        case TRANSFER_GIVE_FILE:
            flush(c);
            if (!c->blocked && !c->broken)
                give_file(c, t, &budget);
            break;
        }
        /* It is told when it can be written to, which is at once: after all others. */
        if (!budget)
            c->blocked = true;
    }
}

/* ---- driving the dialogue ---- */

static bool anything_begun(const struct connection *c)
{
    const struct transfer *t = first_of(&c->inside);

    return t && t->tx.begun;
}

static void refused(struct connection *c, const struct smtp_client_result *failure)
{
    struct reach_answer a = {
        .stage = failure->stage,
        .reason = failure->code ? LOG_REASON_REFUSED : LOG_REASON_PROTOCOL,
        .code = failure->code,
        .enhanced = failure->status,
        .text = failure->text,
    };

    /* The QUIT is said, and not waited for: the next host is (C155). */
    flush(c);
    reach_refused(c, &a);
}

static void over(struct connection *c, const struct smtp_client_result *failure, bool was_idle)
{
    flush(c);
    ended(c, c->closing || was_idle, failure->code ? failure : NULL);
}

static void opened(struct connection *c)
{
    c->state = CONNECTION_OPEN;
    c->connect_usec = io_clock_usec() - c->began_usec;
    c->owner->opened(c);
}

/* Act on one event. False: nothing more happens now. */
static bool on_event(struct connection *c, const struct smtp_client_event *ev, bool was_idle)
{
    switch (ev->kind) {
    case SMTP_CLIENT_MORE:
        return false;
    case SMTP_CLIENT_READY:
        opened(c);
        return true;
    case SMTP_CLIENT_CONTENT:
        if (c->hurried) {
            c->broken = "the server is stopping";
            return false;
        }
        c->giving = transfer_of(ev->tx);
        content_go_on(c);
        return !c->giving && !c->broken;
    case SMTP_CLIENT_DONE:
        if (c->giving == transfer_of(ev->tx))
            c->giving = NULL;
        made(c, transfer_of(ev->tx));
        return true;
    case SMTP_CLIENT_REFUSED:
    case SMTP_CLIENT_CLOSE:
        if (c->state == CONNECTION_OPEN)
            over(c, &ev->failure, was_idle);
        else
            refused(c, &ev->failure);
        return false;
    }
    return false;
}

static bool speaks(const struct connection *c)
{
    return c->state == CONNECTION_GREETING || c->state == CONNECTION_OPEN;
}

/* Replies are read whether the peer takes what we say or not: neither waits for the other. */
static void arm(struct connection *c)
{
    io_watch_arm(&c->watch, c->blocked ? IO_READ | IO_WRITE : IO_READ);
}

/*
 * It cannot be written to. A peer that says why and closes is still heard: what it said before lies in our kernel, and
 * means more than a lost connection does.
 */
static void hear_out(struct connection *c)
{
    struct buf in = c->in;
    char *room = buf_room(&in, SEND_READ_MAX);
    ssize_t n = room ? recv(c->fd, room, SEND_READ_MAX, 0) : 0;
    struct smtp_client_event ev = { .kind = SMTP_CLIENT_DONE };
    size_t used;

    c->in = BUF_INIT(IN_MAX);
    buf_grew(&in, n > 0 ? (size_t)n : 0);
    while (c->state == CONNECTION_OPEN && in.n && ev.kind == SMTP_CLIENT_DONE) {
        smtp_client_next(c->smtp, buf_str(&in), &used, &c->send->out, &ev);
        buf_eat(&in, used);
        if (ev.kind == SMTP_CLIENT_DONE || ev.kind == SMTP_CLIENT_CLOSE)
            on_event(c, &ev, false);
    }
    buf_clear(&c->send->out);
    buf_done(&in);
    if (speaks(c))
        break_off(c, LOG_REASON_LOST, c->broken);
}

/* Feed what the peer said, FRESH behind what was left before; say what is to be said. */
static void drive(struct connection *c, struct str fresh)
{
    bool was_idle = smtp_client_idle(c->smtp), go_on = true;
    struct buf before = c->in;
    struct str rest = fresh;
    struct smtp_client_event ev;
    size_t used;

    c->in = BUF_INIT(IN_MAX);
    if (before.n) {
        if (!buf_add(&before, fresh))
            c->broken = "out of memory";
        rest = buf_str(&before);
    }
    while (go_on && !c->broken) {
        if (c->state == CONNECTION_OPEN)
            take_in(c);
        smtp_client_next(c->smtp, rest, &used, &c->send->out, &ev);
        rest = str_skip(rest, used);
        go_on = on_event(c, &ev, was_idle);
    }
    if (speaks(c)) {
        if (rest.n && !buf_add(&c->in, rest))
            c->broken = "out of memory";
        flush(c);
        if (c->broken) {
            hear_out(c);
        } else {
            deadline_follow(c);
            arm(c);
        }
    }
    buf_done(&before);
}

/* ---- events of the connection ---- */

static void on_readable(struct connection *c)
{
    ssize_t n = recv(c->fd, c->send->read_room, SEND_READ_MAX, 0);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0)
        break_off(c, LOG_REASON_LOST, "the connection was lost");
    else
        drive(c, str_of(c->send->read_room, (size_t)n));
}

static void on_writable(struct connection *c)
{
    c->blocked = false;
    flush(c);
    if (c->giving)
        content_go_on(c);
    if (c->giving && !c->broken) {
        flush(c);
        deadline_follow(c);
        arm(c);
    } else {
        drive(c, STR_NONE);
    }
}

void connection_ready(struct io_watch *w, unsigned what)
{
    struct connection *c = CONTAINER_OF(w, struct connection, watch);

    hand_note(c);
    if (c->state == CONNECTION_CONNECTING)
        reach_done(c);
    else if (speaks(c) && (what & IO_WRITE) && c->blocked)
        on_writable(c);
    else if (speaks(c) && (what & IO_READ))
        on_readable(c);
    hand_clear(c->send);
}

static const char *late_words(enum smtp_stage stage)
{
    switch (stage) {
    case SMTP_STAGE_CONNECT:
        return "connection timed out";
    case SMTP_STAGE_GREETING:
        return "no greeting in time";
    case SMTP_STAGE_EHLO:
        return "no reply to EHLO in time";
    case SMTP_STAGE_MAIL:
        return "no reply to MAIL in time";
    case SMTP_STAGE_RCPT:
        return "no reply to RCPT in time";
    case SMTP_STAGE_DATA:
        return "no reply to DATA in time";
    case SMTP_STAGE_CONTENT:
        return "the content was not taken in time";
    case SMTP_STAGE_FINAL:
        return "no reply to the final dot in time";
    default:
        return "no reply in time";
    }
}

static void on_timer(struct io_timer *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, timer);
    int64_t left = c->deadline_msec - io_now_msec(loop_of(c));

    if (!c->deadline_msec)
        return;
    if (left > 0) {
        c->timer_msec = c->deadline_msec;
        io_timer_start(&c->timer, left);
        return;
    }
    hand_note(c);
    if (c->state == CONNECTION_CONNECTING)
        reach_refused(c, &(struct reach_answer){ .stage = SMTP_STAGE_CONNECT, .reason = LOG_REASON_TIMEOUT,
                                                 .enhanced = STR("4.4.1"),
                                                 .text = str_from_c(late_words(SMTP_STAGE_CONNECT)) });
    else if (speaks(c))
        break_off(c, LOG_REASON_TIMEOUT, late_words(smtp_client_stage(c->smtp)));
    hand_clear(c->send);
}

/* Is it to end now, for want of anything that must be finished? */
static bool may_go(const struct connection *c)
{
    if (c->cut || (c->hurried && !anything_begun(c)))
        return true;
    return c->state < CONNECTION_OPEN && c->closing && list_empty(&c->waiting);
}

static void on_work(struct io_task *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, work);

    if (c->state == CONNECTION_ENDED) {
        connection_free(c);
        return;
    }
    hand_note(c);
    if (c->hurried)
        give_back(c, &c->waiting);
    if (may_go(c) && c->state == CONNECTION_OPEN)
        break_off(c, LOG_REASON_LOST, "the server is stopping");
    else if (may_go(c))
        reach_give_up(c, "it is not wanted any more");
    else if (c->state == CONNECTION_BEGINNING)
        reach_next(c);
    else if (c->state == CONNECTION_OPEN)
        drive(c, STR_NONE);
    hand_clear(c->send);
}

/* ---- life ---- */

void connection_greet(struct connection *c)
{
    unsigned flags = c->address->protocol == ROUTE_PLAN_LMTP ? SMTP_CLIENT_LMTP : 0;

    c->session = arena_new(SESSION_ARENA_MAX);
    if (c->session)
        c->smtp = smtp_client_new(c->session, c->send->worker->config->session.hostname.text, flags);
    if (!c->smtp) {
        reach_refused(c, &(struct reach_answer){ .stage = SMTP_STAGE_CONNECT, .reason = LOG_REASON_CONNECT,
                                                 .enhanced = STR("4.3.1"), .text = STR("out of memory") });
        return;
    }
    c->state = CONNECTION_GREETING;
    c->stage = SMTP_STAGE_GREETING;
    c->replies = 0;
    connection_deadline(c, patience(c, c->stage));
    io_watch_arm(&c->watch, IO_READ);
}

static bool take_plan(struct connection *c, struct str octets)
{
    struct str copy = arena_str(c->arena, octets);

    return copy.p && route_plan_decode(copy, c->arena, &c->plan);
}

struct connection *connection_open(struct send *s, struct str plan, const struct config_sending *sending,
                                   const struct connection_owner *owner, void *whose, struct err *err)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (!c) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *c = (struct connection){
        .send = s,
        .owner = owner,
        .whose = whose,
        .sending = sending,
        .arena = arena_new(PLAN_ARENA_MAX),
        .only_521 = true,
        .fd = -1,
        .in = BUF_INIT(IN_MAX),
        .out = BUF_INIT(SEND_OUT_MAX),
        .began_usec = io_clock_usec(),
    };
    list_init(&c->node);
    list_init(&c->waiting);
    list_init(&c->inside);
    io_task_init(&c->work, s->worker->loop, on_work);
    if (!c->arena || !take_plan(c, plan)) {
        err_temp(err, c->arena ? "the plan cannot be read" : "out of memory");
        goto fail;
    }
    if (!io_timer_init(&c->timer, s->worker->loop, on_timer, err))
        goto fail;
    list_append(&s->connections, &c->node);
    s->n_connections++;
    io_task_post(&c->work);
    return c;
fail:
    arena_free(c->arena);
    free(c);
    return NULL;
}

bool connection_takes(const struct connection *c)
{
    return !c->closing && c->state != CONNECTION_ENDED;
}

void connection_give(struct connection *c, struct transfer *t)
{
    list_append(&c->waiting, &t->place);
    if (c->state == CONNECTION_OPEN)
        io_task_post(&c->work);
}

void connection_close(struct connection *c)
{
    c->closing = true;
    io_task_post(&c->work);
}

void connection_hurry(struct connection *c)
{
    c->hurried = true;
    connection_close(c);
}

void connection_cut(struct connection *c)
{
    c->cut = true;
    connection_close(c);
}

struct str connection_host(const struct connection *c)
{
    return c->address ? c->address->host : STR_NONE;
}

struct address_text connection_peer(const struct connection *c)
{
    return c->address && !c->address->path.n ? address_text(c->address) : (struct address_text){ "" };
}
