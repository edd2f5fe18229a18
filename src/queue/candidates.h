/*
 * queue/candidates.h -- the ids that a question may mean, in order, so many of them at a time: its next page goes on
 * where this one ended, so that a million of messages is not looked through and put in order for each page.
 */
#ifndef QUEUE_CANDIDATES_H
#define QUEUE_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/check.h"

enum { CANDIDATES_KEPT = 8192 };

struct candidates {
    uint64_t *ids; /* room for twice as many as are kept */
    size_t n, at, kept;
    uint64_t below; /* ids from here on are none of the lowest */
    bool more;      /* such were left out */
};

/* Of those that are added the KEPT lowest are kept. False without memory. */
MUST_USE bool candidates_init(struct candidates *c, size_t kept);
void candidates_done(struct candidates *c);
/* May it be one of them? */
bool candidates_want(const struct candidates *c, uint64_t id);
/* Each id once, in any order. */
void candidates_add(struct candidates *c, uint64_t id);
/* No more will be added: they can be taken, the lowest first. */
void candidates_close(struct candidates *c);
/* Is there one? */
bool candidates_next(struct candidates *c, uint64_t *id);
/* None of them is left, and none was left out. */
bool candidates_over(const struct candidates *c);
/* The order of ids, for qsort(). */
int candidates_compare(const void *a, const void *b);

#endif
