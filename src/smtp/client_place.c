/* smtp/client_place.c -- the commands of a transaction in their order, and how far it got. */
#include "smtp/client_inside.h"

static size_t next_asked(const struct smtp_client_tx *tx, size_t from)
{
    while (from < tx->n_recipients && !tx->recipients[from].asked)
        from++;
    return from;
}

void smtp_client_step(const struct smtp_client_tx *tx, struct smtp_client_place *place)
{
    switch (place->command) {
    case SMTP_CLIENT_COMMAND_RSET:
        place->command = SMTP_CLIENT_COMMAND_MAIL;
        break;
    case SMTP_CLIENT_COMMAND_MAIL:
        *place = (struct smtp_client_place){ SMTP_CLIENT_COMMAND_RCPT, next_asked(tx, 0) };
        break;
    case SMTP_CLIENT_COMMAND_RCPT:
        place->recipient = next_asked(tx, place->recipient + 1);
        break;
    case SMTP_CLIENT_COMMAND_DATA:
        place->command = SMTP_CLIENT_COMMAND_DOT;
        break;
    case SMTP_CLIENT_COMMAND_DOT:
    case SMTP_CLIENT_COMMAND_NONE:
        place->command = SMTP_CLIENT_COMMAND_NONE;
        break;
    }
    if (place->command == SMTP_CLIENT_COMMAND_RCPT && place->recipient == tx->n_recipients)
        *place = (struct smtp_client_place){ SMTP_CLIENT_COMMAND_DATA, 0 };
}

bool smtp_client_owed(const struct smtp_client_tx *tx)
{
    if (tx->read.command != tx->written.command)
        return tx->read.command < tx->written.command;
    return tx->read.command == SMTP_CLIENT_COMMAND_RCPT && tx->read.recipient < tx->written.recipient;
}

bool smtp_client_ran_out(const struct smtp_client_tx *tx)
{
    if (smtp_client_owed(tx))
        return false;
    return tx->mail_refused || (tx->read.command == SMTP_CLIENT_COMMAND_DATA && (tx->probe || !tx->accepted));
}

enum smtp_stage smtp_client_place_stage(const struct smtp_client_tx *tx)
{
    switch (tx->read.command) {
    case SMTP_CLIENT_COMMAND_RSET:
    case SMTP_CLIENT_COMMAND_MAIL:
        return SMTP_STAGE_MAIL;
    case SMTP_CLIENT_COMMAND_RCPT:
        return SMTP_STAGE_RCPT;
    case SMTP_CLIENT_COMMAND_DATA:
        return SMTP_STAGE_DATA;
    case SMTP_CLIENT_COMMAND_DOT:
        return smtp_client_owed(tx) ? SMTP_STAGE_FINAL : SMTP_STAGE_CONTENT;
    case SMTP_CLIENT_COMMAND_NONE:
        break;
    }
    return SMTP_STAGE_NONE;
}
