/* smtp/server_tls.c -- STARTTLS, and the session begun anew inside TLS (RFC 3207 4). */
#include "smtp/dialogue.h"

void smtp_server_offer_tls(struct smtp_server *s, bool can)
{
    s->tls_offer = can ? SMTP_TLS_OFFERED : SMTP_TLS_NOT_NOW;
}

void smtp_dialogue_starttls(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out)
{
    if (s->tls.on) {
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_TLS_ON, NULL, out);
        return;
    }
    if (s->tls_offer != SMTP_TLS_OFFERED) {
        smtp_dialogue_refuse(s, cmd, SMTP_REPLY_TLS_NOT_NOW, NULL, out);
        return;
    }
    smtp_dialogue_say(s, SMTP_REPLY_TLS_GO, NULL, out);
    smtp_dialogue_reset(s);
    s->phase = SMTP_PHASE_HANDSHAKE;
    s->due |= SMTP_DUE_STARTTLS;
}

/* Knowledge from before could have been put there by anybody (RFC 3207 4.2); what is counted stays counted. */
static void forget_client(struct smtp_server *s)
{
    buf_clear(&s->client_name);
    s->greeted = s->extended = false;
    s->scanner = (struct smtp_scanner){ 0 };
}

void smtp_server_tls_started(struct smtp_server *s, const struct smtp_server_tls *tls)
{
    BUG_ON(s->asked != SMTP_EVENT_MORE || s->transaction);
    if (s->phase == SMTP_PHASE_CLOSING)
        return;
    forget_client(s);
    s->tls = *tls;
    s->tls.on = true;
    s->phase = SMTP_PHASE_COMMANDS;
}
