/* receive/refused.c -- what the dialogue itself refused or closed for, in the words of the log (FACE 3.1). */
#include "receive/session.h"

const char *session_close_reason(enum smtp_reply_name reply)
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
    case SMTP_REPLY_TLS_ON:
    case SMTP_REPLY_AUTH_TWICE:
    case SMTP_REPLY_AUTH_IN_MAIL:
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
    case SMTP_REPLY_TLS_FIRST:
    case SMTP_REPLY_AUTH_NEEDS_TLS:
        return LOG_REASON_TLS;
    case SMTP_REPLY_AUTH_REQUIRED:
        return LOG_REASON_AUTH;
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
    case SMTP_VERB_STARTTLS:
        return "starttls";
    case SMTP_VERB_AUTH:
        return "auth";
    default:
        return "command";
    }
}

/* The place that says so; what the protocol says stands nowhere. */
static struct config_place place_of(const struct session *s, enum smtp_reply_name reply)
{
    switch (reply) {
    case SMTP_REPLY_TLS_FIRST:
    case SMTP_REPLY_AUTH_REQUIRED:
        return s->listener->config->require.place;
    default:
        return CONFIG_PLACE_DEFAULT;
    }
}

void session_refused(struct session *s, const struct smtp_event *ev)
{
    struct buf to = BUF_INIT(2048);

    if (ev->verb == SMTP_VERB_RCPT && ev->path)
        smtp_path_write(&to, ev->path);
    s->rejected++;
    s->receive->rejected++;
    struct config_place_text rule = config_rule(s->receive->worker->config, place_of(s, ev->reply));
    record_refused(s, stage_of(ev), ev->reply, refused_reason(ev), str_from_c(rule.c), buf_str(&to), &ev->slots);
    buf_done(&to);
    if (ev->at_end_of_data)
        transaction_drop(s);
}

