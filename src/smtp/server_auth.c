/* smtp/server_auth.c -- AUTH: octets of SASL between base64 lines (RFC 4954 4). What they say is the owner's to know. */
#include "smtp/dialogue.h"

#include <string.h>

#include "core/base64.h"

void smtp_server_offer_auth(struct smtp_server *s, struct str mechanisms)
{
    s->mechanisms = mechanisms;
}

void smtp_server_waive_auth(struct smtp_server *s)
{
    s->auth_waived = true;
}

bool smtp_server_is_authenticated(const struct smtp_server *s)
{
    return s->authenticated;
}

static void wipe_response(struct smtp_server *s)
{
    if (s->response.p)
        explicit_bzero(s->response.p, s->response.cap);
    buf_done(&s->response);
}

void smtp_dialogue_auth_over(struct smtp_server *s)
{
    wipe_response(s);
    if (s->phase == SMTP_PHASE_AUTH)
        s->phase = SMTP_PHASE_COMMANDS;
}

/* Whether an exchange may begin now. */
static enum smtp_reply_name auth_sequence(const struct smtp_server *s)
{
    if (!s->tls.on)
        return SMTP_REPLY_AUTH_NEEDS_TLS; /* whoever is meant, and whatever the password: the same (C115) */
    if (!s->greeted)
        return SMTP_REPLY_HELLO_FIRST;
    if (s->authenticated)
        return SMTP_REPLY_AUTH_TWICE;
    return s->transaction ? SMTP_REPLY_AUTH_IN_MAIL : SMTP_REPLY_NONE;
}

/* WORD among those offered, as it stands there; empty: it is not. */
static struct str find_mechanism(const struct smtp_server *s, struct str word)
{
    struct str rest = s->mechanisms;

    while (rest.n) {
        struct str one = str_cut(&rest, ' ');
        if (one.n && str_eq_nocase(one, word))
            return one;
    }
    return STR_NONE;
}

/* All at once, so that no half of it is left behind by a buffer that grew. */
static enum smtp_reply_name read_base64(struct smtp_server *s, struct str text)
{
    wipe_response(s);
    if (!buf_room(&s->response, text.n / 4 * 3 + 1))
        return SMTP_REPLY_AUTH_UNAVAILABLE;
    return base64_read(&s->response, text) ? SMTP_REPLY_NONE : SMTP_REPLY_AUTH_BASE64;
}

/* "=" is an initial response without octets; without a word there is none. */
static enum smtp_reply_name read_initial(struct smtp_server *s, struct str text)
{
    s->has_initial = text.n;
    return read_base64(s, str_eq(text, STR("=")) ? STR_NONE : text);
}

static enum smtp_reply_name read_auth(struct smtp_server *s, struct str argument)
{
    enum smtp_reply_name fault = auth_sequence(s);
    struct str word = str_cut(&argument, ' ');

    if (fault != SMTP_REPLY_NONE)
        return fault;
    s->mechanism = find_mechanism(s, word);
    return s->mechanism.n ? read_initial(s, str_trim(argument)) : SMTP_REPLY_AUTH_MECHANISM;
}

void smtp_dialogue_auth(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    enum smtp_reply_name fault = read_auth(s, cmd->argument);

    if (fault == SMTP_REPLY_NONE) {
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_AUTH);
        return;
    }
    smtp_dialogue_auth_over(s);
    smtp_dialogue_refuse(s, cmd, fault, NULL, out);
}

/* NONE: the response is for the owner. */
static enum smtp_reply_name read_response(struct smtp_server *s, enum smtp_scan scan, struct str line)
{
    switch (scan) {
    case SMTP_SCAN_MORE:
    case SMTP_SCAN_COMMAND:
        break;
    case SMTP_SCAN_TOO_LONG:
        return SMTP_REPLY_AUTH_LINE_TOO_LONG;
    case SMTP_SCAN_BAD:
        return SMTP_REPLY_AUTH_BASE64;
    case SMTP_SCAN_FLOOD:
        return SMTP_REPLY_LINE_FLOOD;
    }
    return str_eq(line, STR("*")) ? SMTP_REPLY_AUTH_CANCELLED : read_base64(s, line);
}

/* The owner hears that it is over, unless CLOSE tells it more. */
static void end_exchange(struct smtp_server *s, enum smtp_reply_name name, struct buf *out)
{
    smtp_dialogue_auth_over(s);
    smtp_dialogue_say(s, name, NULL, out);
    if (s->phase == SMTP_PHASE_CLOSING)
        return;
    s->auth_ending = name;
    s->due |= SMTP_DUE_AUTH_ENDED;
}

bool smtp_dialogue_response(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                            struct smtp_event *ev)
{
    struct str line = STR_NONE;
    size_t n;
    enum smtp_scan scan = smtp_scan_response(&s->scanner, str_skip(in, *used), &line, &n);

    *used += n;
    if (scan == SMTP_SCAN_MORE) {
        ev->kind = SMTP_EVENT_MORE;
        return true;
    }
    s->due |= SMTP_DUE_FLUSH;
    enum smtp_reply_name fault = read_response(s, scan, line);
    if (fault == SMTP_REPLY_NONE)
        smtp_dialogue_ask(s, SMTP_EVENT_ASK_AUTH_STEP);
    else
        end_exchange(s, fault, out);
    return false;
}

/* The question is answered, and its octets are wiped. */
static void settle_auth(struct smtp_server *s)
{
    BUG_ON(s->asked != SMTP_EVENT_ASK_AUTH && s->asked != SMTP_EVENT_ASK_AUTH_STEP);
    s->asked = SMTP_EVENT_MORE;
    smtp_dialogue_auth_over(s);
}

void smtp_server_challenge(struct smtp_server *s, struct str octets, struct buf *out)
{
    settle_auth(s);
    s->phase = SMTP_PHASE_AUTH;
    /* One line whatever its length, and the blank even before nothing (RFC 4954 4). */
    buf_add(out, STR("334 "));
    base64_add(out, octets);
    buf_add(out, STR("\r\n"));
}

void smtp_server_authenticated(struct smtp_server *s, struct buf *out)
{
    settle_auth(s);
    s->authenticated = true;
    smtp_dialogue_say(s, SMTP_REPLY_AUTH_OK, NULL, out);
}
