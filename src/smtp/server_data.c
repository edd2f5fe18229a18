/* smtp/server_data.c -- DATA, content, and the answer to the final dot (RFC 5321 3.3, 4.1.1.4). */
#include "smtp/dialogue.h"

void smtp_dialogue_data(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    enum smtp_reply_name fault = SMTP_REPLY_NONE;

    if (!s->greeted)
        fault = SMTP_REPLY_HELLO_FIRST;
    else if (!s->transaction || !s->rcpt_tried)
        fault = SMTP_REPLY_DATA_SEQUENCE;
    else if (!s->transaction->recipients)
        fault = SMTP_REPLY_DATA_NO_RECIPIENTS; /* RFC 2920 3.2: 354 only with a recipient */
    if (fault != SMTP_REPLY_NONE)
        smtp_dialogue_refuse(s, cmd, fault, NULL, out);
    else
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_DATA);
}

void smtp_dialogue_begin_content(struct smtp_server *s)
{
    const struct smtp_content_limits limits = { .size_max = s->config->max_message_size,
                                                .line_max = s->config->max_line_length,
                                                .newlines = s->config->bare_newlines };

    smtp_content_init(&s->content, &limits);
    s->phase = SMTP_PHASE_CONTENT;
}

static enum smtp_reply_name fault_reply(enum smtp_content_fault fault)
{
    switch (fault) {
    case SMTP_CONTENT_GOOD:
        break;
    case SMTP_CONTENT_BARE_CR:
        return SMTP_REPLY_BARE_CR;
    case SMTP_CONTENT_BARE_LF:
        return SMTP_REPLY_BARE_LF;
    case SMTP_CONTENT_NUL:
        return SMTP_REPLY_NUL_OCTET;
    case SMTP_CONTENT_LINE_TOO_LONG:
        return SMTP_REPLY_CONTENT_LINE_TOO_LONG;
    case SMTP_CONTENT_TOO_BIG:
        return SMTP_REPLY_CONTENT_TOO_BIG;
    }
    return SMTP_REPLY_NONE;
}

/* The end has come; the verdict on what the pass found is ours, all other verdicts are the owner's. */
static void end_content(struct smtp_server *s, struct buf *out)
{
    const struct smtp_content_facts *facts = &s->content.facts;
    enum smtp_reply_name fault = fault_reply(facts->fault);

    if (fault == SMTP_REPLY_NONE) {
        s->phase = SMTP_PHASE_COMMANDS;
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_COMMIT);
        return;
    }
    struct smtp_slots slots = { .number = facts->fault == SMTP_CONTENT_TOO_BIG ? s->config->max_message_size
                                                                               : facts->fault_line };
    smtp_dialogue_refuse(s, NULL, fault, &slots, out);
    s->refused.verb = SMTP_VERB_DATA;
    s->refused.at_end_of_data = true;
    s->refused.facts = facts;
    s->phase = SMTP_PHASE_COMMANDS;
    smtp_dialogue_reset(s);
}

bool smtp_dialogue_content(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                           struct smtp_event *ev)
{
    size_t n;
    enum smtp_content_step step = smtp_content_next(&s->content, str_skip(in, *used), &ev->span, &n);

    *used += n;
    if (step == SMTP_CONTENT_END) {
        end_content(s, out);
        return false;
    }
    ev->kind = step == SMTP_CONTENT_SPAN ? SMTP_EVENT_CONTENT : SMTP_EVENT_MORE;
    return true;
}
