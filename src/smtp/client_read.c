/* smtp/client_read.c -- what each reply means for the transaction in hand (RFC 5321 4.2; 2920 3.1; 2033 4.2).
 */
#include "smtp/client_inside.h"

static void out_of_step(struct smtp_client *c, struct str text)
{
    smtp_client_fail(c, STR("4.5.0"), text);
}

static void finish(struct smtp_client *c, struct smtp_client_tx *tx)
{
    c->made++;
    smtp_client_finish(c, tx);
}

static void settle(struct smtp_client *c, struct smtp_client_tx *tx, enum smtp_stage stage)
{
    const struct smtp_client_result r = smtp_client_verdict(c, stage, smtp_client_kind(c->reply.code));

    smtp_client_settle(tx, &r);
}

static void read_rset(struct smtp_client *c, struct smtp_client_tx *tx)
{
    if (smtp_client_kind(c->reply.code) != SMTP_RESULT_OK) {
        out_of_step(c, STR("RSET was refused"));
        return;
    }
    c->open = false;
    smtp_client_step(tx, &tx->read);
}

static void read_mail(struct smtp_client *c, struct smtp_client_tx *tx)
{
    bool taken = smtp_client_kind(c->reply.code) == SMTP_RESULT_OK;

    /* 503 may say that a transaction is open already, of which we know nothing. */
    c->open |= taken || c->reply.code == 503;
    tx->mail_refused = !taken;
    if (!taken)
        settle(c, tx, SMTP_STAGE_MAIL);
    smtp_client_step(tx, &tx->read);
}

/*
 * RFC 5321 4.5.3.1.10: too many recipients, said with 452 or, by servers of old, with 552. A status that
 * names another reason (4.2.2, 5.3.4) is believed; and a first recipient is never one too many.
 */
static bool is_one_too_many(const struct smtp_client *c, const struct smtp_client_tx *tx)
{
    struct str status = c->reply.status;

    if (!tx->accepted || (c->reply.code != 452 && c->reply.code != 552))
        return false;
    return !status.n || str_eq(str_skip(status, 1), STR(".5.3"));
}

static void read_rcpt(struct smtp_client *c, struct smtp_client_tx *tx)
{
    enum smtp_client_result_kind kind = smtp_client_kind(c->reply.code);
    size_t at = tx->read.recipient;

    if (kind == SMTP_RESULT_OK) {
        c->open = true;
        tx->recipients[at].accepted = true;
        tx->accepted++;
    } else if (is_one_too_many(c, tx)) {
        kind = SMTP_RESULT_AGAIN;
    }
    if (!tx->mail_refused && (tx->probe || kind != SMTP_RESULT_OK)) {
        const struct smtp_client_result r = smtp_client_verdict(c, SMTP_STAGE_RCPT, kind);
        smtp_client_settle_one(tx, at, &r);
    }
    smtp_client_step(tx, &tx->read);
}

/*
 * 354. With nobody to send to, a lone dot ends what the server begins (RFC 2920 3.1, C086). But where the dot
 * would send an empty message to somebody, or LMTP might answer it or not (RFC 2033 4.2), no dot is safe.
 */
static void begin_content(struct smtp_client *c, struct smtp_client_tx *tx)
{
    bool nobody = tx->mail_refused || !tx->accepted;

    if (nobody && (tx->accepted || c->flags & SMTP_CLIENT_LMTP)) {
        out_of_step(c, STR("354 to DATA though nobody may be sent to"));
        return;
    }
    c->stuffer = SMTP_STUFFER;
    tx->ended = nobody;
    if (!nobody)
        c->due |= SMTP_CLIENT_DUE_CONTENT;
    smtp_client_step(tx, &tx->read);
}

static void read_data(struct smtp_client *c, struct smtp_client_tx *tx)
{
    enum smtp_client_result_kind kind = smtp_client_kind(c->reply.code);

    if (c->reply.code == 354) {
        begin_content(c, tx);
    } else if (kind == SMTP_RESULT_NONE || kind == SMTP_RESULT_OK) {
        out_of_step(c, STR("DATA was answered with neither 354 nor a refusal"));
    } else {
        settle(c, tx, SMTP_STAGE_DATA);
        finish(c, tx);
    }
}

/* The next of those that LMTP replies for. */
static size_t next_accepted(const struct smtp_client_tx *tx, size_t from)
{
    while (from < tx->n_recipients && !tx->recipients[from].accepted)
        from++;
    return from;
}

static void read_dot(struct smtp_client *c, struct smtp_client_tx *tx)
{
    if (c->flags & SMTP_CLIENT_LMTP) {
        const struct smtp_client_result r =
            smtp_client_verdict(c, SMTP_STAGE_FINAL, smtp_client_kind(c->reply.code));
        size_t at = next_accepted(tx, tx->read.recipient);
        smtp_client_settle_one(tx, at, &r);
        tx->read.recipient = at + 1;
        if (next_accepted(tx, at + 1) < tx->n_recipients)
            return;
    } else {
        settle(c, tx, SMTP_STAGE_FINAL);
    }
    finish(c, tx);
}

static void read_answer(struct smtp_client *c, struct smtp_client_tx *tx)
{
    switch (tx->read.command) {
    case SMTP_CLIENT_COMMAND_RSET:
        read_rset(c, tx);
        break;
    case SMTP_CLIENT_COMMAND_MAIL:
        read_mail(c, tx);
        break;
    case SMTP_CLIENT_COMMAND_RCPT:
        read_rcpt(c, tx);
        break;
    case SMTP_CLIENT_COMMAND_DATA:
        read_data(c, tx);
        return;
    case SMTP_CLIENT_COMMAND_DOT:
        read_dot(c, tx);
        return;
    case SMTP_CLIENT_COMMAND_NONE:
        break;
    }
    if (c->phase == SMTP_CLIENT_MAILING && smtp_client_ran_out(tx))
        finish(c, tx);
}

/* Nothing was asked. A refusal in the middle of content is a verdict on it all the same; no dot follows. */
static void read_unasked(struct smtp_client *c)
{
    enum smtp_client_result_kind kind = smtp_client_kind(c->reply.code);
    struct smtp_client_result failure = smtp_client_verdict(c, smtp_client_stage(c), kind);
    bool in_content = c->inside && failure.stage == SMTP_STAGE_CONTENT;

    if (in_content && (kind == SMTP_RESULT_TEMP || kind == SMTP_RESULT_PERM))
        smtp_client_end(c, &failure);
    else
        out_of_step(c, STR("a reply to nothing"));
}

void smtp_client_read_reply(struct smtp_client *c)
{
    struct smtp_client_tx *tx = c->inside;
    const struct smtp_client_result last =
        smtp_client_verdict(c, smtp_client_stage(c), smtp_client_kind(c->reply.code));

    if (c->reply.code == 421)
        smtp_client_end(c, &last);
    else if (!tx || !smtp_client_owed(tx))
        read_unasked(c);
    else if (last.kind == SMTP_RESULT_NONE && tx->read.command != SMTP_CLIENT_COMMAND_DATA)
        out_of_step(c, STR("a 3yz reply where there can be none"));
    else
        read_answer(c, tx);
}
