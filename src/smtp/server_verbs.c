/* smtp/server_verbs.c -- EHLO, HELO, VRFY and HELP (RFC 5321 4.1.1.1, 4.1.1.6, 4.1.1.8; 6531 3.7.4.2). */
#include "smtp/dialogue.h"

void smtp_dialogue_hello(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    /* A refused EHLO changes nothing (RFC 5321 4.1.4). */
    if (!smtp_ehlo_argument_ok(cmd->argument, s->config->ehlo_check)) {
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_EHLO_BAD, NULL, out);
        return;
    }
    buf_clear(&s->client_name);
    if (!buf_add(&s->client_name, cmd->argument)) {
        smtp_dialogue_say(s, SMTP_REPLY_NO_MEMORY_CLOSE, NULL, out);
        return;
    }
    s->greeted = true;
    s->extended = cmd->verb == SMTP_VERB_EHLO;
    const struct smtp_slots slots = { .number = s->config->max_message_size, .text = s->config->origin };
    enum smtp_reply_name row = s->config->origin.n ? SMTP_REPLY_EHLO_LOCAL : SMTP_REPLY_EHLO_OK;
    smtp_dialogue_say(s, s->extended ? row : SMTP_REPLY_HELO_OK, &slots, out);
    smtp_dialogue_reset(s);
}

/* Cuts a last word SMTPUTF8 off *argument. */
static bool cut_smtputf8(struct str *argument)
{
    static const struct str word = STR_INIT(" SMTPUTF8");

    if (!str_ends_nocase(*argument, word))
        return false;
    *argument = str_trim(str_head(*argument, argument->n - word.n));
    return true;
}

/* VRFY takes any string; one that is an address of ours or others' can be asked about, no other. */
static bool read_vrfy(struct smtp_server *s, struct str argument)
{
    size_t used = 0;
    enum smtp_path_result result =
        smtp_path_parse_local(s->question, argument, SMTP_PATH_FORWARD, SMTP_PATH_LENIENT,
                                                         s->config->origin, &s->path, &used);

    return result == SMTP_PATH_OK && used == argument.n && !(s->path.flags & SMTP_PATH_POSTMASTER);
}

void smtp_dialogue_vrfy(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    struct str argument = cmd->argument;

    s->reply_utf8 = cut_smtputf8(&argument);
    if (!s->config->vrfy) {
        smtp_dialogue_say(s, SMTP_REPLY_VRFY_UNSURE, NULL, out);
        return;
    }
    if (!smtp_dialogue_prepare(s, cmd, out))
        return;
    if (!read_vrfy(s, argument))
        smtp_dialogue_say(s, SMTP_REPLY_VRFY_UNSURE, NULL, out);
    else if ((s->path.flags & SMTP_PATH_UTF8) && !s->reply_utf8)
        smtp_dialogue_say(s, SMTP_REPLY_VRFY_UTF8, NULL, out);
    else
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_VRFY);
}

/* All verbs that are served, in one line. */
static void add_verbs(struct buf *list)
{
    for (int v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++) {
        const struct smtp_verb_row *row = smtp_verb_row((enum smtp_verb)v);
        if (!row->built)
            continue;
        buf_add(list, list->n ? STR(" ") : STR_NONE);
        buf_add(list, row->name);
    }
}

void smtp_dialogue_help(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    const struct smtp_verb_row *row = smtp_verb_row(smtp_verb_find(cmd->argument));
    struct buf list = BUF_INIT(SMTP_LINE_MAX);
    struct smtp_slots slots = { .text = row->syntax };

    if (!row->built) {
        add_verbs(&list);
        slots.text = buf_str(&list);
    }
    smtp_dialogue_say(s, row->built ? SMTP_REPLY_HELP_VERB : SMTP_REPLY_HELP, &slots, out);
    buf_done(&list);
}
