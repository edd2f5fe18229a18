/* smtp/server_verbs.c -- EHLO, HELO, VRFY and HELP (RFC 5321 4.1.1.1, 4.1.1.6, 4.1.1.8; 6531 3.7.4.2). */
#include "smtp/dialogue.h"

#include "core/utc.h"

enum { HELLO_WORDS_MAX = 4096 };

/* What this session offers beside what all do: each begins a line of its own. */
static void add_keywords(const struct smtp_server *s, struct buf *words)
{
    uint64_t hold = smtp_dialogue_hold_max(s);

    if (smtp_dialogue_offers(s, SMTP_VERB_STARTTLS))
        buf_add_c(words, "\nSTARTTLS");
    if (smtp_dialogue_offers(s, SMTP_VERB_AUTH)) {
        buf_add_c(words, "\nAUTH ");
        buf_add(words, s->mechanisms);
    }
    if (hold)
        buf_printf(words, "\nFUTURERELEASE %llu %s", (unsigned long long)hold,
                   utc_text_seconds(s->now_msec + (int64_t)hold * 1000).c);
    if (s->config->origin.n) {
        buf_add_c(words, "\nXORIGIN ");
        buf_add(words, s->config->origin);
    }
}

static void say_ehlo(struct smtp_server *s, struct buf *out)
{
    enum smtp_reply_name name = SMTP_REPLY_EHLO_OK;
    struct smtp_reply reply = smtp_reply_row(name);
    struct smtp_slots slots = { .number = s->config->max_message_size };
    struct buf words = BUF_INIT(HELLO_WORDS_MAX);

    buf_add(&words, reply.words);
    add_keywords(s, &words);
    reply.words = buf_str(&words);
    if (words.failed)
        smtp_dialogue_say(s, SMTP_REPLY_NO_MEMORY_CLOSE, NULL, out);
    else
        smtp_dialogue_reply(s, reply, &name, &slots, out);
    buf_done(&words);
}

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
    if (s->extended)
        say_ehlo(s, out);
    else
        smtp_dialogue_say(s, SMTP_REPLY_HELO_OK, NULL, out);
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
                                                         smtp_dialogue_origin(s), &s->path, &used);

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

/* All verbs that are of use now, in one line. */
static void add_verbs(const struct smtp_server *s, struct buf *text)
{
    for (int v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++) {
        if (!smtp_dialogue_offers(s, (enum smtp_verb)v))
            continue;
        buf_add(text, text->n ? STR(" ") : STR_NONE);
        buf_add(text, smtp_verb_row((enum smtp_verb)v)->name);
    }
}

static void add_syntax(const struct smtp_server *s, enum smtp_verb verb, struct buf *text)
{
    buf_add(text, smtp_verb_row(verb)->syntax);
    if (verb == SMTP_VERB_MAIL && smtp_dialogue_offers(s, SMTP_VERB_AUTH))
        buf_add_c(text, " [AUTH=mailbox]");
    if (verb == SMTP_VERB_MAIL && smtp_dialogue_hold_max(s))
        buf_add_c(text, " [HOLDFOR=seconds|HOLDUNTIL=yyyy-mm-ddThh:mm:ssZ]");
    if (verb == SMTP_VERB_AUTH)
        buf_printf(text, "; mechanisms: %.*s", STR_ARG(s->mechanisms));
}

void smtp_dialogue_help(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    enum smtp_verb verb = smtp_verb_find(cmd->argument);
    bool known = smtp_dialogue_offers(s, verb);
    struct buf text = BUF_INIT(SMTP_LINE_MAX);

    if (known)
        add_syntax(s, verb, &text);
    else
        add_verbs(s, &text);
    smtp_dialogue_say(s, known ? SMTP_REPLY_HELP_VERB : SMTP_REPLY_HELP,
                      &(struct smtp_slots){ .text = buf_str(&text) }, out);
    buf_done(&text);
}
