/* smtp/server_reply.c -- how the machine speaks: slots it knows itself, errors counted, 421 the last word. */
#include "smtp/dialogue.h"

#include "core/check.h"

enum { AUTH_TRIES = 3 }; /* the least a client gets before errors count against it (RFC 4954 9, C114) */

static bool reply_utf8(const struct smtp_server *s)
{
    return s->reply_utf8 || (s->transaction && s->transaction->params.smtputf8 && s->verb != SMTP_VERB_VRFY);
}

/* What {address} is when nobody says otherwise: the path in hand. */
static const struct smtp_path *path_in_hand(const struct smtp_server *s)
{
    if (s->question)
        return &s->path;
    return s->transaction ? &s->transaction->sender : NULL;
}

/* SLOTS of NULL: the words are somebody else's, and no slot is looked for. */
static void write_reply(struct smtp_server *s, struct smtp_reply reply, const struct smtp_slots *slots,
                        struct buf *out)
{
    struct buf address = BUF_INIT(2 * SMTP_LINE_MAX);
    struct smtp_slots all = slots ? *slots : (struct smtp_slots){ 0 };
    const struct smtp_path *path = path_in_hand(s);

    if (!all.hostname.p)
        all.hostname = s->config->hostname;
    if (!all.address.p && path && slots && str_contains(reply.words, STR("{address}")) &&
        smtp_path_write(&address, path))
        all.address = buf_str(&address);
    /* RFC 2034 4: replies to EHLO and HELO have no status, whatever they say. */
    if (s->verb == SMTP_VERB_EHLO || s->verb == SMTP_VERB_HELO)
        reply.status = STR_NONE;
    smtp_reply_write(out, &reply, slots ? &all : NULL, reply_utf8(s));
    buf_done(&address);
}

/* A row always has its slots. */
static const struct smtp_slots *row_slots(const struct smtp_slots *slots)
{
    static const struct smtp_slots none;

    return slots ? slots : &none;
}

void smtp_dialogue_write(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                         struct buf *out)
{
    write_reply(s, smtp_reply_row(name), row_slots(slots), out);
}

/* The error above max_errors becomes a 421, unless it is the verdict on a message, which stands. */
static bool is_last_straw(struct smtp_server *s, unsigned code)
{
    return code >= 500 && s->errors >= s->config->max_errors && s->asked != SMTP_EVENT_ASK_COMMIT &&
           s->phase != SMTP_PHASE_CONTENT;
}

/* Not where AUTH is not even offered: there it is a guess in the dark. */
static bool is_forgiven(const struct smtp_server *s, unsigned code)
{
    return code >= 500 && s->verb == SMTP_VERB_AUTH && s->mechanisms.n && s->auth_errors < AUTH_TRIES;
}

unsigned smtp_dialogue_reply(struct smtp_server *s, struct smtp_reply reply, enum smtp_reply_name *name,
                             const struct smtp_slots *slots, struct buf *out)
{
    struct smtp_slots bound = { .number = s->config->max_errors };
    bool forgiven = is_forgiven(s, reply.code);

    if (s->errors >= size_max(s->config->max_errors / 4, 1))
        s->due |= SMTP_DUE_DELAY;
    if (!forgiven && is_last_straw(s, reply.code)) {
        *name = SMTP_REPLY_TOO_MANY_ERRORS;
        reply = smtp_reply_row(*name);
        slots = &bound;
    }
    write_reply(s, reply, slots, out);
    s->auth_errors += reply.code >= 500 && s->verb == SMTP_VERB_AUTH;
    s->errors += reply.code >= 500 && !forgiven;
    return reply.code;
}

void smtp_dialogue_say(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                       struct buf *out)
{
    if (smtp_dialogue_reply(s, smtp_reply_row(name), &name, row_slots(slots), out) == 421)
        smtp_dialogue_close(s, name);
}

void smtp_dialogue_refuse(struct smtp_server *s, const struct smtp_command *cmd, enum smtp_reply_name name,
                          const struct smtp_slots *slots, struct buf *out)
{
    smtp_dialogue_say(s, name, slots, out);
    if (s->phase == SMTP_PHASE_CLOSING)
        return; /* CLOSE tells */
    bool secret = cmd && cmd->verb == SMTP_VERB_AUTH;
    s->refused = (struct smtp_event){ .kind = SMTP_EVENT_REFUSED,
                                      .verb = cmd ? cmd->verb : SMTP_VERB_UNKNOWN,
                                      .argument = cmd && !secret ? cmd->argument : STR_NONE,
                                      .path = s->path.local.p ? &s->path : NULL,
                                      .slots = *row_slots(slots),
                                      .reply = name };
    s->due |= SMTP_DUE_REFUSED;
}
