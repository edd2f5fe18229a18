/* core/id.h -- queue ids and session ids, as numbers and as people see them. Pure. */
#ifndef CORE_ID_H
#define CORE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

enum { QUEUE_ID_CHARS = 12, QUEUE_ID_BITS = 60, SESSION_ID_CHARS = 10, SESSION_ID_BITS = 50 };

/* A message for ever: never used twice, 0 is none. */
struct queue_id {
    uint64_t n;
};

/* An SMTP session: a random start for each process, then a count; 0 is none. */
struct session_id {
    uint64_t n;
};

#define QUEUE_ID_NONE ((struct queue_id){ 0 })

/* Room for the text and a NUL; Crockford's base 32, upper case, fixed width. */
struct queue_id_text {
    char c[QUEUE_ID_CHARS + 1];
};
struct session_id_text {
    char c[SESSION_ID_CHARS + 1];
};

struct queue_id_text queue_id_text(struct queue_id id);
struct session_id_text session_id_text(struct session_id id);
/* Any case; I and L are 1, O is 0. False for another length, character, or 0. */
MUST_USE bool queue_id_parse(struct str s, struct queue_id *id);
MUST_USE bool session_id_parse(struct str s, struct session_id *id);

/*
 * For tables by id. A queue gives out ids one after the other, from the time of its start on (spool/start.c): near ones are
 * near here, too, so that what is new costs no cold memory beside a million that are old; those of different starts are not.
 */
static inline uint64_t queue_id_hash(struct queue_id id)
{
    return id.n ^ ((id.n >> 16) * 0x9e3779b97f4a7c15ULL >> 32);
}

static inline bool queue_id_eq(struct queue_id a, struct queue_id b)
{
    return a.n == b.n;
}

#endif
