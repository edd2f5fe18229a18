/* spool/tokens.h -- the newest commits by their token, for sessions that outlive a queue process. */
#ifndef SPOOL_TOKENS_H
#define SPOOL_TOKENS_H

#include "spool/format.h"

enum { SPOOL_TOKENS_MAX = 16384 };

/* A ring: the newest SPOOL_TOKENS_MAX. */
struct spool_tokens {
    struct spool_token_row *row;
    size_t room;
    size_t count;
    size_t next;
};

/* Room for EXTRA more, as far as the ring may grow; after it spool_tokens_add() has place. */
MUST_USE bool spool_tokens_reserve(struct spool_tokens *tokens, size_t extra);
void spool_tokens_done(struct spool_tokens *tokens);
void spool_tokens_add(struct spool_tokens *tokens, const struct spool_token *token, struct queue_id id);
void spool_tokens_void(struct spool_tokens *tokens, struct queue_id id);
const struct spool_token_row *spool_tokens_find(const struct spool_tokens *tokens,
                                                const struct spool_token *token);
/* The I-th, oldest first. */
const struct spool_token_row *spool_tokens_at(const struct spool_tokens *tokens, size_t i);

#endif
