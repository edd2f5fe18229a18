/* smtp/client_write.c -- commands, as far as the dialogue and OUT allow (RFC 5321 4.1.1; 2920 3.1). */
#include "smtp/client_inside.h"

#include <stdio.h>

enum { COMMAND_MAX = SMTP_CLIENT_PATH_MAX + 100 };

/* The whole command, or nothing yet for want of room. Without memory the session ends. */
static bool put(struct smtp_client *c, struct buf *out, struct str head, struct str path, struct str tail)
{
    size_t n = head.n + path.n + tail.n;

    if (n > out->max - out->n)
        return false;
    if (buf_room(out, n) && buf_add(out, head) && buf_add(out, path) && buf_add(out, tail))
        return true;
    smtp_client_fail(c, STR("4.3.0"), STR("out of memory"));
    return false;
}

static bool put_hello(struct smtp_client *c, struct buf *out)
{
    struct str verb = STR("EHLO ");

    if (c->flags & SMTP_CLIENT_LMTP)
        verb = STR("LHLO ");
    else if (c->phase == SMTP_CLIENT_HELO)
        verb = STR("HELO ");
    return put(c, out, verb, c->hostname, STR("\r\n"));
}

/*
 * No parameter that was not offered (C150): who needs one that was not is screened out before. No blank
 * behind the colon (C025).
 */
static bool put_mail(struct smtp_client *c, const struct smtp_client_tx *tx, struct buf *out)
{
    char octets[COMMAND_MAX - SMTP_CLIENT_PATH_MAX];
    const char *body = tx->eight_bit ? " BODY=8BITMIME" : "";
    const char *utf8 = tx->says_utf8 ? " SMTPUTF8" : "";
    /* Who vouches for the sender is nobody we know of (C118). */
    const char *auth = c->login.done && c->features.auth.n ? " AUTH=<>" : "";
    char size[32] = "";

    if (c->features.size)
        snprintf(size, sizeof(size), " SIZE=%llu", (unsigned long long)tx->size);
    int n = snprintf(octets, sizeof(octets), ">%s%s%s%s\r\n", size, body, utf8, auth);
    return put(c, out, STR("MAIL FROM:<"), tx->sender, str_of(octets, (size_t)n));
}

static bool put_dot(struct smtp_client *c, struct buf *out)
{
    if (out->max - out->n < SMTP_STUFF_END_MAX)
        return false;
    if (smtp_stuff_end(&c->stuffer, out))
        return true;
    smtp_client_fail(c, STR("4.3.0"), STR("out of memory"));
    return false;
}

static bool put_command(struct smtp_client *c, const struct smtp_client_tx *tx, struct buf *out)
{
    switch (tx->written.command) {
    case SMTP_CLIENT_COMMAND_RSET:
        return put(c, out, STR("RSET"), STR_NONE, STR("\r\n"));
    case SMTP_CLIENT_COMMAND_MAIL:
        return put_mail(c, tx, out);
    case SMTP_CLIENT_COMMAND_RCPT:
        return put(c, out, STR("RCPT TO:<"), tx->recipients[tx->written.recipient].address, STR(">\r\n"));
    case SMTP_CLIENT_COMMAND_DATA:
        return put(c, out, STR("DATA"), STR_NONE, STR("\r\n"));
    case SMTP_CLIENT_COMMAND_DOT:
        return put_dot(c, out);
    case SMTP_CLIENT_COMMAND_NONE:
        break;
    }
    return false;
}

/* The next command of TX may be said now. */
static bool may_write(const struct smtp_client *c, const struct smtp_client_tx *tx)
{
    if (tx->written.command == SMTP_CLIENT_COMMAND_DOT)
        return tx->ended;
    if (tx->written.command == SMTP_CLIENT_COMMAND_NONE || tx->mail_refused)
        return false;
    if (tx->written.command == SMTP_CLIENT_COMMAND_DATA && tx->probe)
        return false;
    return c->features.pipelining || !smtp_client_owed(tx);
}

/*
 * All that may be said of TX; false when what is behind it must wait. LMTP replies to the dot once for each
 * recipient (RFC 2033 4.2); a server that miscounts must not have its reply to our MAIL taken for such a one.
 */
static bool write_transaction(struct smtp_client *c, struct smtp_client_tx *tx, struct buf *out)
{
    while (may_write(c, tx)) {
        if (tx->written.command == SMTP_CLIENT_COMMAND_RSET && !c->open) {
            smtp_client_step(tx, &tx->written);
            tx->read = tx->written;
            continue;
        }
        if (!put_command(c, tx, out))
            return false;
        if (tx->written.command == SMTP_CLIENT_COMMAND_DOT)
            c->open = false; /* RFC 5321 4.1.1.4: whatever is answered, the buffers are cleared */
        smtp_client_step(tx, &tx->written);
    }
    return tx->written.command == SMTP_CLIENT_COMMAND_NONE && c->features.pipelining &&
           !((c->flags & SMTP_CLIENT_LMTP) && tx->accepted > 1);
}

static void write_mailing(struct smtp_client *c, struct buf *out)
{
    struct smtp_client_tx *tx = c->inside;

    while (tx && write_transaction(c, tx, out))
        tx = tx->next;
    if (c->phase == SMTP_CLIENT_MAILING && !c->inside && c->quit) {
        c->phase = SMTP_CLIENT_QUITTING;
        c->written = false;
    }
}

void smtp_client_write(struct smtp_client *c, struct buf *out)
{
    if (c->phase == SMTP_CLIENT_MAILING)
        write_mailing(c, out);
    if ((c->phase == SMTP_CLIENT_EHLO || c->phase == SMTP_CLIENT_HELO) && !c->written)
        c->written = put_hello(c, out);
    if (c->phase == SMTP_CLIENT_STARTTLS && !c->written)
        c->written = put(c, out, STR("STARTTLS"), STR_NONE, STR("\r\n"));
    if (c->phase == SMTP_CLIENT_LOGIN_PEER && !c->written)
        c->written = smtp_client_write_login(c, out);
    if (c->phase == SMTP_CLIENT_QUITTING && !c->written)
        c->written = put(c, out, STR("QUIT"), STR_NONE, STR("\r\n"));
}
