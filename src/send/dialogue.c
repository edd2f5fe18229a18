/* send/dialogue.c -- octets both ways; the machine of smtp/client.h says what happens between. */
#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "core/check.h"
#include "send/authenticate.h"

enum { TURN_OCTETS = 4 << 20 /* of content in one turn: others are waiting */ };

/* A peer that fails at STARTTLS has failed at TLS. */
static void refused_by(struct connection *c, const struct reach_answer *a)
{
    struct reach_answer of_tls = *a;

    of_tls.reason = LOG_REASON_TLS;
    if (a->stage == SMTP_STAGE_TLS)
        secure_failed(c, &of_tls);
    else
        reach_refused(c, a);
}

void dialogue_break_off(struct connection *c, enum log_reason reason, const char *text)
{
    struct buf *out = &c->send->out;
    struct smtp_client_event ev = { 0 };
    bool orderly;
    size_t used;

    if (c->state != CONNECTION_OPEN) {
        refused_by(c, &(struct reach_answer){ .stage = smtp_client_stage(c->smtp), .reason = reason,
                                              .enhanced = STR("4.4.2"), .text = str_from_c(text) });
        return;
    }
    orderly = c->closing || smtp_client_idle(c->smtp);
    c->giving = NULL;
    smtp_client_lost(c->smtp, str_from_c(text), out);
    do {
        smtp_client_next(c->smtp, STR_NONE, &used, out, &ev);
        if (ev.kind == SMTP_CLIENT_DONE)
            connection_made(c, transfer_of(ev.tx));
    } while (ev.kind == SMTP_CLIENT_DONE);
    buf_clear(out);
    c->send->out_told = 0;
    connection_over(c, orderly, NULL);
}

/* ---- those who watch ---- */

static void watched(struct connection *c, bool by_us, struct str lines)
{
    struct address_text peer = connection_peer(c);
    const struct live_who who = { .host = connection_host(c), .address = str_from_c(peer.c) };
    struct buf masked = BUF_INIT(SEND_IN_MAX);

    if (c->login) {
        authenticate_mask(c, by_us, lines, &masked);
        lines = buf_str(&masked);
    }
    live_lines(&c->send->live, &c->dialogue, &who, by_us, lines);
    buf_done(&masked);
}

/* Commands that are not told of yet, in the shared buffer. */
static void watched_commands(struct connection *c)
{
    struct send *s = c->send;

    if (!s->live.n)
        return;
    watched(c, true, str_skip(buf_str(&s->out), s->out_told));
    s->out_told = s->out.n;
}

/* What stands in the buffer behind those is content, of which only the size is told. */
static void watched_content(struct connection *c)
{
    if (!c->send->live.n)
        return;
    c->dialogue.content += c->send->out.n - size_min(c->send->out.n, c->send->out_told);
    c->send->out_told = c->send->out.n;
}

static void watched_content_end(struct connection *c)
{
    struct address_text peer = connection_peer(c);
    const struct live_who who = { .host = connection_host(c), .address = str_from_c(peer.c) };

    if (c->send->live.n)
        live_content(&c->send->live, &c->dialogue, &who);
    c->dialogue.content = 0;
}

/* ---- sending ---- */

/* As much of OCTETS as the peer takes now; returns how many it took. */
static size_t send_some(struct connection *c, struct str octets)
{
    size_t sent = 0;

    while (sent < octets.n) {
        ssize_t n = secure_write(c, octets.p + sent, octets.n - sent);
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

/* What a log-in said is not left lying about. */
static void forget(const struct connection *c, struct buf *b)
{
    if (c->login && b->p)
        explicit_bzero(b->p, b->n);
}

/* What is in the shared buffer goes to this peer, behind what it has not taken yet. */
static void flush(struct connection *c)
{
    struct buf *out = &c->send->out;
    size_t sent = 0;

    watched_commands(c);
    if (out->failed)
        c->broken = "out of memory";
    if (!c->blocked && !c->broken && c->out.n) {
        size_t taken = send_some(c, buf_str(&c->out));
        if (taken == c->out.n)
            forget(c, &c->out);
        buf_eat(&c->out, taken);
    }
    if (!c->blocked && !c->broken)
        sent = send_some(c, buf_str(out));
    if (!c->broken && sent < out->n && !buf_add(&c->out, str_skip(buf_str(out), sent)))
        c->broken = "out of memory";
    if (!c->out.n)
        buf_done(&c->out);
    forget(c, out);
    buf_clear(out);
    c->send->out_told = 0;
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
        c->dialogue.content += (uint64_t)n;
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
        struct transfer *t = transfer_first(&c->waiting);
        list_remove(&t->place);
        list_append(&c->inside, &t->place);
        t->began_usec = io_clock_usec();
        smtp_client_add(c->smtp, &t->tx);
    }
    connection_hand_note(c);
    if (c->closing && !c->quit_said && list_empty(&c->waiting)) {
        c->quit_said = true;
        smtp_client_quit(c->smtp, &c->send->out);
    }
}

/* Content in hand goes out until the peer takes no more, or it is all out and the dot is in the buffer. */
static void content_go_on(struct connection *c)
{
    struct buf *out = &c->send->out;
    struct transfer *t = c->giving;
    size_t budget = TURN_OCTETS;

    while (c->giving && !c->blocked && !c->broken) {
        watched_commands(c);
        enum transfer_give given = transfer_give(t, c->smtp, out, SEND_BLOCK, !c->tls);
        watched_content(c);
        switch (given) {
        case TRANSFER_GIVE_END:
            watched_content_end(c);
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

static enum log_reason reason_of(const struct smtp_client_result *failure)
{
    if (failure->stage == SMTP_STAGE_AUTH)
        return LOG_REASON_AUTH;
    return failure->code ? LOG_REASON_REFUSED : LOG_REASON_PROTOCOL;
}

static void refused(struct connection *c, const struct smtp_client_result *failure)
{
    struct reach_answer a = {
        .stage = failure->stage,
        .reason = reason_of(failure),
        .code = failure->code,
        .enhanced = failure->status,
        .text = authenticate_words(c, failure->text),
    };

    /* It would be as wrong elsewhere, and perhaps lock the account. */
    if (failure->stage == SMTP_STAGE_AUTH && failure->code / 100 == 5)
        c->next = c->plan.n;

    /* The QUIT is said, and not waited for: the next host is (C155). */
    flush(c);
    refused_by(c, &a);
}

static void over(struct connection *c, const struct smtp_client_result *failure, bool was_idle)
{
    flush(c);
    connection_over(c, c->closing || was_idle, failure->code ? failure : NULL);
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
        connection_made(c, transfer_of(ev->tx));
        return true;
    case SMTP_CLIENT_TLS_REFUSED:
        secure_refused(c, &ev->failure);
        return true;
    case SMTP_CLIENT_HANDSHAKE:
        secure_begin(c);
        return false;
    case SMTP_CLIENT_LOGIN:
        authenticate_begin(c, ev->octets);
        return true;
    case SMTP_CLIENT_CHALLENGE:
        authenticate_step(c, ev->octets);
        return true;
    case SMTP_CLIENT_LOGGED_IN:
        authenticate_check(c);
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

bool dialogue_speaks(const struct connection *c)
{
    return c->state == CONNECTION_GREETING || c->state == CONNECTION_OPEN;
}

/* Replies are read whether the peer takes what we say or not: neither waits for the other. */
static void arm(struct connection *c)
{
    io_watch_arm(&c->watch, secure_wants(c));
}

/* SYS: errno of reading. A host may say why inside TLS, such as that it wanted a certificate of ours (RFC 9846 6.2). */
static void lost(struct connection *c, int sys, const char *why)
{
    struct err words = { 0 };

    if (sys == EPROTO && c->tls)
        err_temp(&words, "%s: %s", why, tls_stream_failure(c->tls));
    else
        err_temp(&words, "%s", why);
    dialogue_break_off(c, LOG_REASON_LOST, words.text);
}

/*
 * It cannot be written to. A peer that says why and closes is still heard: what it said before lies in our
 * kernel, and means more than a lost connection does.
 */
static void hear_out(struct connection *c)
{
    struct buf in = c->in;
    char *room = buf_room(&in, SEND_READ_MAX);
    ssize_t n = room ? secure_read(c, room, SEND_READ_MAX) : 0;
    struct smtp_client_event ev = { .kind = SMTP_CLIENT_DONE };
    int sys = n < 0 ? errno : 0;
    size_t used;

    c->in = BUF_INIT(SEND_IN_MAX);
    buf_grew(&in, n > 0 ? (size_t)n : 0);
    while (c->state == CONNECTION_OPEN && in.n && ev.kind == SMTP_CLIENT_DONE) {
        smtp_client_next(c->smtp, buf_str(&in), &used, &c->send->out, &ev);
        buf_eat(&in, used);
        if (ev.kind == SMTP_CLIENT_DONE || ev.kind == SMTP_CLIENT_CLOSE)
            on_event(c, &ev, false);
    }
    buf_clear(&c->send->out);
    c->send->out_told = 0;
    buf_done(&in);
    if (dialogue_speaks(c))
        lost(c, sys, c->broken);
}

void dialogue_drive(struct connection *c, struct str fresh)
{
    bool was_idle = smtp_client_idle(c->smtp), go_on = true;
    struct buf before = c->in;
    struct str rest = fresh;
    struct smtp_client_event ev;
    size_t used;

    c->in = BUF_INIT(SEND_IN_MAX);
    if (before.n) {
        if (!buf_add(&before, fresh))
            c->broken = "out of memory";
        rest = buf_str(&before);
    }
    while (go_on && !c->broken) {
        if (c->state == CONNECTION_OPEN)
            take_in(c);
        watched_commands(c);
        smtp_client_next(c->smtp, rest, &used, &c->send->out, &ev);
        if (c->send->live.n)
            watched(c, false, str_head(rest, used));
        watched_commands(c);
        rest = str_skip(rest, used);
        go_on = on_event(c, &ev, was_idle);
    }
    if (dialogue_speaks(c)) {
        if (rest.n && !buf_add(&c->in, rest))
            c->broken = "out of memory";
        flush(c);
        if (c->broken) {
            hear_out(c);
        } else {
            connection_deadline_follow(c);
            arm(c);
        }
    }
    buf_done(&before);
}

/* ---- events of the connection ---- */

/* False: there is nothing more to read now. */
static bool read_once(struct connection *c)
{
    ssize_t n = secure_read(c, c->send->read_room, SEND_READ_MAX);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        arm(c);
        return false;
    }
    if (n <= 0)
        lost(c, n < 0 ? errno : 0, "the connection was lost");
    else
        dialogue_drive(c, str_of(c->send->read_room, (size_t)n));
    /* What TLS has decrypted already, no descriptor tells of. */
    return dialogue_speaks(c) && c->tls && tls_pending(c->tls);
}

void dialogue_readable(struct connection *c)
{
    while (read_once(c))
        ;
}

static void writable(struct connection *c)
{
    c->blocked = false;
    flush(c);
    if (c->giving)
        content_go_on(c);
    if (c->giving && !c->broken) {
        flush(c);
        connection_deadline_follow(c);
        arm(c);
    } else {
        dialogue_drive(c, STR_NONE);
    }
}

void dialogue_go_on(struct connection *c, unsigned what)
{
    bool hears = what & c->hears, speaks = c->blocked && what & c->speaks;

    if (speaks && c->speaks == IO_WRITE && dialogue_speaks(c))
        writable(c);
    else if (hears && dialogue_speaks(c))
        dialogue_readable(c);
    /* What writing waited to be read has been, perhaps. */
    if (speaks && c->speaks == IO_READ && c->blocked && dialogue_speaks(c))
        writable(c);
}
