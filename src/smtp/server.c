/* smtp/server.c -- the machine itself: what is owed, what is asked, and which line comes next. */
#include "smtp/dialogue.h"

enum {
    QUESTION_MEMORY = 16 * 1024, /* of one path, quoted and routed as may be, on one command line */
    REPLY_ROOM = 4096,           /* no command is begun with less of it in OUT */
    CLIENT_NAME_MAX = 512,
};

struct smtp_server *smtp_server_new(struct arena *session, const struct smtp_server_config *config)
{
    struct smtp_server *s = ARENA_NEW(session, struct smtp_server);

    if (s) {
        *s = (struct smtp_server){
            .config = config,
            .phase = SMTP_PHASE_COMMANDS,
            .client_name = BUF_INIT(CLIENT_NAME_MAX),
            .response = BUF_INIT(SMTP_AUTH_LINE_MAX),
        };
    }
    return s;
}

static void free_transaction(struct smtp_transaction *t)
{
    if (t)
        arena_free(t->arena);
}

static void free_ended(struct smtp_server *s)
{
    free_transaction(s->ended);
    s->ended = NULL;
}

static void free_question(struct smtp_server *s)
{
    arena_free(s->question);
    s->question = NULL;
    s->path = (struct smtp_path){ 0 };
}

void smtp_dialogue_drop_transaction(struct smtp_server *s)
{
    free_transaction(s->transaction);
    s->transaction = NULL;
    s->rcpt_tried = false;
}

void smtp_server_done(struct smtp_server *s)
{
    if (!s)
        return;
    free_question(s);
    free_ended(s);
    smtp_dialogue_drop_transaction(s);
    smtp_dialogue_auth_over(s);
    buf_done(&s->client_name);
}

/* It stays readable until the next call. */
static void end_transaction(struct smtp_server *s)
{
    free_ended(s);
    s->ended = s->transaction;
    s->transaction = NULL;
    s->rcpt_tried = false;
}

void smtp_dialogue_reset(struct smtp_server *s)
{
    if (!s->transaction)
        return;
    end_transaction(s);
    s->due |= SMTP_DUE_RESET;
}

void smtp_dialogue_close(struct smtp_server *s, enum smtp_reply_name name)
{
    s->phase = SMTP_PHASE_CLOSING;
    s->closing = name;
    smtp_dialogue_reset(s);
}

void smtp_dialogue_ask(struct smtp_server *s, enum smtp_event_kind kind)
{
    s->asked = kind;
}

bool smtp_dialogue_prepare(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    free_question(s);
    s->question = arena_new(QUESTION_MEMORY);
    if (!s->question)
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_MEMORY_SHORT, NULL, out);
    return s->question;
}

void smtp_server_greet(struct smtp_server *s, struct buf *out)
{
    smtp_dialogue_write(s, SMTP_REPLY_GREETING, NULL, out);
}

void smtp_server_refuse(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                        struct buf *out)
{
    smtp_dialogue_write(s, name, slots, out);
    s->phase = SMTP_PHASE_REFUSED;
}

void smtp_server_goodbye(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                         struct buf *out)
{
    if (s->phase == SMTP_PHASE_CLOSING)
        return;
    s->verb = SMTP_VERB_UNKNOWN;
    s->asked = SMTP_EVENT_MORE;
    smtp_dialogue_auth_over(s);
    smtp_dialogue_write(s, name, slots, out);
    smtp_dialogue_close(s, name);
    free_ended(s);
    s->due = 0;
}

/* A line that is no command (RFC 5321 4.5.3.1.4, 2.3.8). */
static void run_bad_line(struct smtp_server *s, enum smtp_reply_name name, struct buf *out)
{
    s->due |= SMTP_DUE_FLUSH;
    smtp_dialogue_refuse(s, NULL, name, NULL, out);
}

/* One command off IN; true when *ev says MORE. */
static bool next_command(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                         struct smtp_event *ev)
{
    struct smtp_command cmd;
    size_t n;
    enum smtp_scan scan = smtp_scan_command(&s->scanner, str_skip(in, *used), &cmd, &n);

    *used += n;
    s->secret |= cmd.verb == SMTP_VERB_AUTH;
    s->verb = scan == SMTP_SCAN_COMMAND ? cmd.verb : SMTP_VERB_UNKNOWN;
    s->reply_utf8 = false;
    switch (scan) {
    case SMTP_SCAN_MORE:
        ev->kind = SMTP_EVENT_MORE;
        return true;
    case SMTP_SCAN_COMMAND:
        smtp_dialogue_command(s, &cmd, out);
        return false;
    case SMTP_SCAN_TOO_LONG:
        run_bad_line(s, cmd.verb == SMTP_VERB_AUTH ? SMTP_REPLY_AUTH_LINE_TOO_LONG : SMTP_REPLY_LINE_TOO_LONG, out);
        return false;
    case SMTP_SCAN_BAD:
        run_bad_line(s, SMTP_REPLY_LINE_BAD, out);
        return false;
    case SMTP_SCAN_FLOOD:
        run_bad_line(s, SMTP_REPLY_LINE_FLOOD, out);
        return false;
    }
    return false;
}

/* What comes next depends on who has the word; true when *ev is filled. */
static bool next_input(struct smtp_server *s, struct str in, size_t *used, struct buf *out, struct smtp_event *ev)
{
    switch (s->phase) {
    case SMTP_PHASE_CONTENT:
        return smtp_dialogue_content(s, in, used, out, ev);
    case SMTP_PHASE_AUTH:
        return smtp_dialogue_response(s, in, used, out, ev);
    case SMTP_PHASE_HANDSHAKE:
        *used = in.n; /* said in clear: never heard inside TLS (RFC 3207 6) */
        ev->kind = SMTP_EVENT_MORE;
        return true;
    case SMTP_PHASE_COMMANDS:
    case SMTP_PHASE_REFUSED:
    case SMTP_PHASE_CLOSING:
        break;
    }
    return next_command(s, in, used, out, ev);
}

static bool take_due(struct smtp_server *s, unsigned bit)
{
    bool was = s->due & bit;

    s->due &= ~bit;
    return was;
}

static bool is_auth_question(enum smtp_event_kind asked)
{
    return asked == SMTP_EVENT_ASK_AUTH || asked == SMTP_EVENT_ASK_AUTH_STEP;
}

/* The open question, with all that belongs to it. */
static void ask_owner(const struct smtp_server *s, struct smtp_event *ev)
{
    ev->kind = s->asked;
    ev->path = s->question ? &s->path : NULL;
    ev->facts = s->asked == SMTP_EVENT_ASK_COMMIT ? &s->content.facts : NULL;
    if (is_auth_question(s->asked)) {
        ev->mechanism = s->mechanism;
        ev->has_initial = s->has_initial;
        ev->response = buf_str(&s->response);
    }
}

/* What is owed before anything is read. MORE_INPUT: a reply that must not wait would. */
static bool owed(struct smtp_server *s, bool more_input, struct smtp_event *ev)
{
    if (take_due(s, SMTP_DUE_REFUSED)) {
        *ev = s->refused;
        return true;
    }
    if (take_due(s, SMTP_DUE_RESET)) {
        ev->kind = SMTP_EVENT_RESET;
        return true;
    }
    if (take_due(s, SMTP_DUE_AUTH_ENDED)) {
        ev->kind = SMTP_EVENT_AUTH_ENDED;
        ev->verb = SMTP_VERB_AUTH;
        ev->reply = s->auth_ending;
        return true;
    }
    if (s->asked != SMTP_EVENT_MORE) {
        ask_owner(s, ev);
        return true;
    }
    if (take_due(s, SMTP_DUE_STARTTLS)) {
        /* Not behind a DELAY: what came meanwhile could be the handshake. */
        s->due &= ~(unsigned)(SMTP_DUE_DELAY | SMTP_DUE_FLUSH);
        ev->kind = SMTP_EVENT_STARTTLS;
        return true;
    }
    if (take_due(s, SMTP_DUE_DELAY)) {
        s->due &= ~(unsigned)SMTP_DUE_FLUSH;
        ev->kind = SMTP_EVENT_DELAY;
        return true;
    }
    if (s->phase == SMTP_PHASE_CLOSING) {
        ev->kind = SMTP_EVENT_CLOSE;
        ev->reply = s->closing;
        return true;
    }
    if (take_due(s, SMTP_DUE_FLUSH) && more_input) {
        ev->kind = SMTP_EVENT_FLUSH;
        return true;
    }
    return false;
}

void smtp_server_next(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                      struct smtp_event *ev)
{
    BUG_ON(s->asked != SMTP_EVENT_MORE);
    *used = 0;
    s->secret = s->phase == SMTP_PHASE_AUTH;
    if (!(s->due & SMTP_DUE_RESET))
        free_ended(s);
    for (;;) {
        *ev = (struct smtp_event){ 0 };
        /* Replies were lost: the client would count wrong from here on. */
        if (out->failed && s->phase != SMTP_PHASE_CLOSING)
            smtp_dialogue_close(s, SMTP_REPLY_NO_MEMORY_CLOSE);
        if (owed(s, *used < in.n, ev)) {
            if (ev->kind == SMTP_EVENT_STARTTLS)
                *used = in.n;
            return;
        }
        if (out->n && out->max - out->n < REPLY_ROOM) {
            ev->kind = SMTP_EVENT_FLUSH;
            return;
        }
        free_question(s);
        if (next_input(s, in, used, out, ev))
            return;
    }
}

/* What a question can be answered with; anything else comes from a lesser process gone wrong. */
static bool answer_fits(enum smtp_event_kind asked, unsigned code)
{
    /* Who is let in is said by smtp_server_authenticated() alone. */
    if (is_auth_question(asked))
        return code >= 400;
    if (code == 354)
        return asked == SMTP_EVENT_ASK_DATA;
    if (code < 300)
        return asked != SMTP_EVENT_ASK_DATA;
    return code >= 400;
}

static void settle(struct smtp_server *s, enum smtp_event_kind asked, unsigned code)
{
    bool yes = code < 400;

    if (asked == SMTP_EVENT_ASK_COMMIT) {
        s->messages += yes;
        end_transaction(s);
    } else if (asked == SMTP_EVENT_ASK_MAIL && !yes) {
        end_transaction(s);
    } else if (asked == SMTP_EVENT_ASK_RCPT && yes) {
        s->transaction->recipients++;
    } else if (asked == SMTP_EVENT_ASK_DATA && yes) {
        smtp_dialogue_begin_content(s);
    } else if (is_auth_question(asked)) {
        smtp_dialogue_auth_over(s);
    }
}

static void answer(struct smtp_server *s, struct smtp_reply reply, enum smtp_reply_name name,
                   const struct smtp_slots *slots, struct buf *out)
{
    enum smtp_event_kind asked = s->asked;

    BUG_ON(asked == SMTP_EVENT_MORE);
    if (!smtp_reply_is_sane(&reply) || !answer_fits(asked, reply.code)) {
        name = is_auth_question(asked) ? SMTP_REPLY_AUTH_UNAVAILABLE : SMTP_REPLY_SYSTEM_FAILED;
        reply = smtp_reply_row(name);
    }
    unsigned code = smtp_dialogue_reply(s, reply, &name, slots, out);
    s->asked = SMTP_EVENT_MORE;
    settle(s, asked, code);
    if (code == 421)
        smtp_dialogue_close(s, name);
    free_question(s);
}

void smtp_server_answer(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                        struct buf *out)
{
    static const struct smtp_slots none;

    answer(s, smtp_reply_row(name), name, slots ? slots : &none, out);
}

void smtp_server_answer_with(struct smtp_server *s, const struct smtp_reply *reply,
                             const struct smtp_slots *slots, struct buf *out)
{
    answer(s, *reply, SMTP_REPLY_NONE, slots, out);
}

const struct smtp_transaction *smtp_server_transaction(const struct smtp_server *s)
{
    return s->transaction ? s->transaction : s->ended;
}

struct str smtp_server_client_name(const struct smtp_server *s)
{
    return buf_str(&s->client_name);
}

struct str smtp_server_protocol(const struct smtp_server *s)
{
    static const struct str names[2][4] = {
        { STR_INIT("ESMTP"), STR_INIT("ESMTPA"), STR_INIT("ESMTPS"), STR_INIT("ESMTPSA") },
        { STR_INIT("UTF8SMTP"), STR_INIT("UTF8SMTPA"), STR_INIT("UTF8SMTPS"), STR_INIT("UTF8SMTPSA") },
    };
    const struct smtp_transaction *t = smtp_server_transaction(s);
    bool utf8 = t && t->params.smtputf8;

    if (!s->extended && !utf8)
        return STR("SMTP"); /* HELO: no other name is registered, whatever lies below it */
    return names[utf8][2 * s->tls.on + s->authenticated];
}

bool smtp_server_in_content(const struct smtp_server *s)
{
    return s->phase == SMTP_PHASE_CONTENT;
}

bool smtp_server_in_long_line(const struct smtp_server *s)
{
    return s->scanner.dropped > 0;
}

uint32_t smtp_server_errors(const struct smtp_server *s)
{
    return s->errors;
}

uint32_t smtp_server_messages(const struct smtp_server *s)
{
    return s->messages;
}

bool smtp_server_in_secret(const struct smtp_server *s)
{
    return s->secret || s->phase == SMTP_PHASE_AUTH;
}

void smtp_server_tell_time(struct smtp_server *s, int64_t utc_msec)
{
    s->now_msec = utc_msec;
}
