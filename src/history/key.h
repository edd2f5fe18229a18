/* history/key.h -- by what an event is found again: message, session, address. Pure. */
#ifndef HISTORY_KEY_H
#define HISTORY_KEY_H

#include "log/record.h"

enum history_kind {
    HISTORY_ID,      /* a queue id, as printed: of the message, or of the one that it reports about */
    HISTORY_SESSION, /* a session id, as printed */
    HISTORY_ADDRESS, /* a sender or recipient, before or after expansion; without case */
};

struct history_key {
    enum history_kind kind;
    uint32_t hash;
    struct str text; /* borrowed */
};

struct history_key history_key_of(enum history_kind kind, struct str text);
/* Is RECORD about it? */
bool history_key_matches(const struct history_key *key, struct str record);
/* The hash of each key that RECORD has; some may come twice. */
void history_keys_of(struct str record, void (*visit)(void *ctx, uint32_t hash), void *ctx);

#endif
