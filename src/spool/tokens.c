/* spool/tokens.c -- the newest commits by their token. */
#include "spool/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "core/bug.h"
#include "core/check.h"

bool spool_tokens_reserve(struct spool_tokens *tokens, size_t extra)
{
    size_t want = size_min(tokens->count + extra, SPOOL_TOKENS_MAX);

    if (want <= tokens->room)
        return true;
    /* Below its largest size the ring has not yet gone round, so its rows may simply move. */
    size_t room = tokens->room ? tokens->room : 64;
    while (room < want)
        room *= 2;
    struct spool_token_row *row = realloc(tokens->row, room * sizeof(*row));
    if (!row)
        return false;
    tokens->row = row;
    tokens->room = room;
    return true;
}

void spool_tokens_done(struct spool_tokens *tokens)
{
    free(tokens->row);
    *tokens = (struct spool_tokens){ 0 };
}

void spool_tokens_add(struct spool_tokens *tokens, const struct spool_token *token, struct queue_id id)
{
    BUG_ON(tokens->next >= tokens->room);
    tokens->row[tokens->next] = (struct spool_token_row){ .token = *token, .id = id.n };
    tokens->next = (tokens->next + 1) % SPOOL_TOKENS_MAX;
    if (tokens->count < SPOOL_TOKENS_MAX)
        tokens->count++;
}

void spool_tokens_void(struct spool_tokens *tokens, struct queue_id id)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->row[i].id == id.n)
            tokens->row[i].flags |= SPOOL_TOKEN_FLAG_VOID;
}

const struct spool_token_row *spool_tokens_find(const struct spool_tokens *tokens,
                                                const struct spool_token *token)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (!memcmp(tokens->row[i].token.octet, token->octet, SPOOL_TOKEN_OCTETS))
            return &tokens->row[i];
    return NULL;
}

const struct spool_token_row *spool_tokens_at(const struct spool_tokens *tokens, size_t i)
{
    size_t oldest = tokens->count < SPOOL_TOKENS_MAX ? 0 : tokens->next;

    return &tokens->row[(oldest + i) % SPOOL_TOKENS_MAX];
}
