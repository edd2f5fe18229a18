/* smtp/server_command.c -- which command a line is, and whether it may come now (RFC 5321 4.1.4, 4.2.4). */
#include "smtp/dialogue.h"

bool smtp_dialogue_serves(const struct smtp_server *s, enum smtp_verb verb)
{
    if (verb == SMTP_VERB_STARTTLS)
        return s->tls_offer != SMTP_TLS_UNKNOWN || s->tls.on;
    if (verb == SMTP_VERB_AUTH)
        return s->mechanisms.n;
    return smtp_verb_row(verb)->built;
}

bool smtp_dialogue_offers(const struct smtp_server *s, enum smtp_verb verb)
{
    if (verb == SMTP_VERB_STARTTLS)
        return s->tls_offer == SMTP_TLS_OFFERED && !s->tls.on;
    return smtp_dialogue_serves(s, verb) && (verb != SMTP_VERB_AUTH || s->tls.on);
}

/* Some replies must not wait for what else the client sent (RFC 2920 3.2). */
static bool must_not_wait(enum smtp_verb verb)
{
    return verb != SMTP_VERB_MAIL && verb != SMTP_VERB_RCPT && verb != SMTP_VERB_RSET;
}

static void rset(struct smtp_server *s, struct buf *out)
{
    smtp_dialogue_say(s, SMTP_REPLY_OK, NULL, out);
    smtp_dialogue_reset(s);
}

static void quit(struct smtp_server *s, struct buf *out)
{
    smtp_dialogue_say(s, SMTP_REPLY_QUIT, NULL, out);
    smtp_dialogue_close(s, SMTP_REPLY_QUIT);
}

/* RFC 3207 4 has the list; AUTH is told by 538 what it lacks. */
static bool needs_tls(enum smtp_verb verb)
{
    return verb != SMTP_VERB_NOOP && verb != SMTP_VERB_EHLO && verb != SMTP_VERB_HELO && verb != SMTP_VERB_STARTTLS &&
           verb != SMTP_VERB_QUIT && verb != SMTP_VERB_AUTH;
}

static bool needs_auth(enum smtp_verb verb)
{
    return verb == SMTP_VERB_MAIL || verb == SMTP_VERB_RCPT || verb == SMTP_VERB_DATA || verb == SMTP_VERB_VRFY;
}

/* What the client must have before VERB, and has not. */
static enum smtp_reply_name what_is_missing(const struct smtp_server *s, enum smtp_verb verb)
{
    if (s->config->require_tls && !s->tls.on && needs_tls(verb))
        return SMTP_REPLY_TLS_FIRST;
    if (s->config->require_auth && !s->authenticated && !s->auth_waived && needs_auth(verb))
        return SMTP_REPLY_AUTH_REQUIRED;
    return SMTP_REPLY_NONE;
}

/* False, and it is answered, when the verb's row does not allow the command. */
static bool command_fits(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    const struct smtp_verb_row *row = smtp_verb_row(cmd->verb);
    struct smtp_slots name = { .text = row->name }, syntax = { .text = row->syntax };
    bool hello = cmd->verb == SMTP_VERB_EHLO || cmd->verb == SMTP_VERB_HELO;
    enum smtp_reply_name missing = what_is_missing(s, cmd->verb);

    if (cmd->verb == SMTP_VERB_UNKNOWN)
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_UNKNOWN, NULL, out);
    else if (!smtp_dialogue_serves(s, cmd->verb))
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_NOT_BUILT, &name, out);
    else if (missing != SMTP_REPLY_NONE)
        smtp_dialogue_refuse(s, cmd, missing, NULL, out);
    else if (row->argument == SMTP_VERB_ARGUMENT_NONE && cmd->argument.n)
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_ARGUMENT_EXTRA, &name, out);
    else if (row->argument == SMTP_VERB_ARGUMENT_WANTED && !cmd->argument.n && !hello)
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_ARGUMENT_MISSING, &syntax, out);
    else
        return true;
    return false;
}

void smtp_dialogue_command(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    if (must_not_wait(cmd->verb))
        s->due |= SMTP_DUE_FLUSH;
    if (s->phase == SMTP_PHASE_REFUSED && cmd->verb != SMTP_VERB_QUIT) {
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_REFUSED_SESSION, NULL, out);
        return;
    }
    if (!command_fits(s, cmd, out))
        return;
    switch (cmd->verb) {
    case SMTP_VERB_EHLO:
    case SMTP_VERB_HELO:
        smtp_dialogue_hello(s, cmd, out);
        break;
    case SMTP_VERB_MAIL:
        smtp_dialogue_mail(s, cmd, out);
        break;
    case SMTP_VERB_RCPT:
        smtp_dialogue_rcpt(s, cmd, out);
        break;
    case SMTP_VERB_DATA:
        smtp_dialogue_data(s, cmd, out);
        break;
    case SMTP_VERB_RSET:
        rset(s, out);
        break;
    case SMTP_VERB_NOOP:
        smtp_dialogue_say(s, SMTP_REPLY_OK, NULL, out);
        break;
    case SMTP_VERB_QUIT:
        quit(s, out);
        break;
    case SMTP_VERB_VRFY:
        smtp_dialogue_vrfy(s, cmd, out);
        break;
    case SMTP_VERB_HELP:
        smtp_dialogue_help(s, cmd, out);
        break;
    case SMTP_VERB_STARTTLS:
        smtp_dialogue_starttls(s, cmd, out);
        break;
    case SMTP_VERB_AUTH:
        smtp_dialogue_auth(s, cmd, out);
        break;
    default:
        BUG_ON("a verb is built but not served");
    }
}
