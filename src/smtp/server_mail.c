/* smtp/server_mail.c -- MAIL and RCPT: the transaction begins and gathers recipients (RFC 5321 3.3). */
#include "smtp/dialogue.h"

enum {
    /* What a transaction may hold: the owner's things, and for each recipient its addresses. */
    TRANSACTION_MEMORY = 256 * 1024,
    RECIPIENT_MEMORY = 4096,
};

/* False when ARGUMENT does not begin with WORD and a path; *path is what follows (RFC 5321 3.3: no blank). */
static bool cut_path(struct str argument, struct str word, enum smtp_path_syntax syntax, struct str *path)
{
    if (!str_starts_nocase(argument, word))
        return false;
    *path = str_skip(argument, word.n);
    while (syntax == SMTP_PATH_LENIENT && path->n && path->p[0] == ' ')
        *path = str_skip(*path, 1);
    return path->n;
}

struct path_replies {
    enum smtp_reply_name syntax, no_domain, too_long, unqualified;
};

static enum smtp_reply_name path_fault(enum smtp_path_result result, const struct path_replies *replies)
{
    switch (result) {
    case SMTP_PATH_OK:
        return SMTP_REPLY_NONE;
    case SMTP_PATH_BAD:
    case SMTP_PATH_BAD_LOCAL:
    case SMTP_PATH_BAD_DOMAIN:
        return replies->syntax;
    case SMTP_PATH_NO_DOMAIN:
        return replies->no_domain;
    case SMTP_PATH_TOO_LONG:
        return replies->too_long;
    case SMTP_PATH_NO_MEMORY:
        break;
    }
    return SMTP_REPLY_MEMORY_SHORT;
}

struct str smtp_dialogue_origin(const struct smtp_server *s)
{
    return s->config->origin.n ? s->config->origin : s->config->completes;
}

uint64_t smtp_dialogue_hold_max(const struct smtp_server *s)
{
    static const uint64_t nine_digits = 999999999; /* RFC 4865 3 */
    uint64_t sec = s->now_msec ? s->config->future_release_sec : 0;

    return sec < nine_digits ? sec : nine_digits;
}

/* A domain of one label would be a name of the sender's own network (RFC 6409 4.2). */
static bool is_unqualified(const struct smtp_server *s, const struct smtp_path *path)
{
    return s->config->completes.n && path->domain.n && !(path->flags & SMTP_PATH_LITERAL) &&
           !str_has(path->domain, '.') && !str_eq(path->domain, s->config->completes);
}

/* Reads the path; *params is what follows it, which must be apart by a blank. */
static enum smtp_reply_name read_path(const struct smtp_server *s, struct arena *arena, struct str in,
                                      enum smtp_path_kind kind, struct smtp_path *path, struct str *params)
{
    static const struct path_replies of_sender = { SMTP_REPLY_SENDER_SYNTAX, SMTP_REPLY_SENDER_NO_DOMAIN,
                                                   SMTP_REPLY_SENDER_TOO_LONG, SMTP_REPLY_SENDER_UNQUALIFIED };
    static const struct path_replies of_recipient = { SMTP_REPLY_RECIPIENT_SYNTAX,
                                                      SMTP_REPLY_RECIPIENT_NO_DOMAIN,
                                                      SMTP_REPLY_RECIPIENT_TOO_LONG,
                                                      SMTP_REPLY_RECIPIENT_UNQUALIFIED };
    const struct path_replies *replies = kind == SMTP_PATH_REVERSE ? &of_sender : &of_recipient;
    size_t used = 0;
    enum smtp_path_result result = smtp_path_parse_local(arena, in, kind, s->config->path_syntax,
                                                         smtp_dialogue_origin(s), path, &used);

    if (result != SMTP_PATH_OK)
        return path_fault(result, replies);
    if (is_unqualified(s, path))
        return replies->unqualified;
    *params = str_skip(in, used);
    return params->n && params->p[0] != ' ' ? replies->syntax : SMTP_REPLY_NONE;
}

static bool transaction_begin(struct smtp_server *s)
{
    struct arena *arena =
        arena_new(TRANSACTION_MEMORY + (size_t)s->config->max_recipients * RECIPIENT_MEMORY);
    struct smtp_transaction *t = arena ? ARENA_NEW(arena, struct smtp_transaction) : NULL;

    if (!t) {
        arena_free(arena);
        return false;
    }
    t->arena = arena;
    s->transaction = t;
    return true;
}

/* What the words of MAIL say; NONE when there is nothing against them. */
static enum smtp_reply_name read_mail(struct smtp_server *s, struct str argument, struct smtp_slots *slots)
{
    struct smtp_transaction *t = s->transaction;
    const struct smtp_mail_terms terms = { .auth = smtp_dialogue_serves(s, SMTP_VERB_AUTH),
                                           .keeps_auth = s->config->takes_auth_param,
                                           .hold_max_sec = smtp_dialogue_hold_max(s),
                                           .now_msec = s->now_msec };
    struct str path, params;

    if (!cut_path(argument, STR("FROM:"), s->config->path_syntax, &path))
        return SMTP_REPLY_MAIL_SYNTAX;
    enum smtp_reply_name fault = read_path(s, t->arena, path, SMTP_PATH_REVERSE, &t->sender, &params);
    if (fault == SMTP_REPLY_NONE)
        fault = smtp_mail_params_parse(t->arena, params, &terms, &t->params, &slots->text);
    slots->number = terms.hold_max_sec; /* which HOLD_TOO_LONG names */
    if (fault != SMTP_REPLY_NONE)
        return fault;
    /* RFC 6531 3.5. */
    if ((t->sender.flags & SMTP_PATH_UTF8) && !t->params.smtputf8)
        return SMTP_REPLY_SENDER_UTF8;
    slots->number = s->config->max_message_size;
    /* RFC 1870 6.1. */
    if (t->params.has_size && t->params.size > s->config->max_message_size)
        return SMTP_REPLY_SIZE_TOO_BIG;
    return SMTP_REPLY_NONE;
}

/* Whether a transaction may begin now (RFC 5321 4.1.4). */
static enum smtp_reply_name mail_sequence(const struct smtp_server *s, struct smtp_slots *slots)
{
    if (!s->greeted)
        return SMTP_REPLY_HELLO_FIRST;
    if (s->transaction)
        return SMTP_REPLY_MAIL_TWICE;
    slots->number = s->config->max_messages;
    return s->messages >= s->config->max_messages ? SMTP_REPLY_TOO_MANY_MESSAGES : SMTP_REPLY_NONE;
}

void smtp_dialogue_mail(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    struct smtp_slots slots = { 0 };
    enum smtp_reply_name fault = mail_sequence(s, &slots);

    if (fault != SMTP_REPLY_NONE) {
        smtp_dialogue_refuse(s, cmd, fault, &slots, out);
        return;
    }
    if (!transaction_begin(s)) {
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_MEMORY_SHORT, NULL, out);
        return;
    }
    fault = read_mail(s, cmd->argument, &slots);
    if (fault == SMTP_REPLY_NONE) {
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_MAIL);
        return;
    }
    smtp_dialogue_drop_transaction(s);
    smtp_dialogue_refuse(s, cmd, fault, &slots, out);
}

static enum smtp_reply_name read_rcpt(struct smtp_server *s, struct str argument, struct smtp_slots *slots)
{
    struct str path, params;

    if (!cut_path(argument, STR("TO:"), s->config->path_syntax, &path))
        return SMTP_REPLY_RCPT_SYNTAX;
    enum smtp_reply_name fault = read_path(s, s->question, path, SMTP_PATH_FORWARD, &s->path, &params);
    if (fault == SMTP_REPLY_NONE)
        fault = smtp_rcpt_params_parse(params, &slots->text);
    if (fault != SMTP_REPLY_NONE)
        return fault;
    if ((s->path.flags & SMTP_PATH_UTF8) && !s->transaction->params.smtputf8)
        return SMTP_REPLY_RECIPIENT_UTF8;
    slots->number = s->config->max_recipients;
    /* RFC 5321 4.5.3.1.10: those accepted already stay. */
    if (s->transaction->recipients >= s->config->max_recipients)
        return SMTP_REPLY_TOO_MANY_RECIPIENTS;
    return SMTP_REPLY_NONE;
}

void smtp_dialogue_rcpt(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    struct smtp_slots slots = { 0 };

    if (!s->transaction) {
        enum smtp_reply_name name = s->greeted ? SMTP_REPLY_RCPT_SEQUENCE : SMTP_REPLY_HELLO_FIRST;
        smtp_dialogue_refuse(s, cmd, name, NULL, out);
        return;
    }
    s->rcpt_tried = true;
    if (!smtp_dialogue_prepare(s, cmd, out))
        return;
    enum smtp_reply_name fault = read_rcpt(s, cmd->argument, &slots);
    if (fault == SMTP_REPLY_NONE)
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_RCPT);
    else
        smtp_dialogue_refuse(s, cmd, fault, &slots, out);
}
