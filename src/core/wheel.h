/* core/wheel.h -- many times to wait for, in constant time each: a hierarchical timer wheel. Pure. */
#ifndef CORE_WHEEL_H
#define CORE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/list.h"

/*
 * Times are milliseconds of any clock that does not go back. What is due comes at its time or up to WHEEL_TICK_MSEC
 * later, never before. Far times (beyond about 19 days) wait in the last slot and are looked at again.
 */
enum { WHEEL_TICK_MSEC = 100, WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 4 };

/* Embedded in its owner. Init with wheel_node_init(). */
struct wheel_node {
    struct list node;
    int64_t due_msec;
    void (*due)(struct wheel_node *node); /* the node is in no wheel then, and may be set again or freed */
};

struct wheel {
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    int64_t tick; /* all before it is over */
    uint64_t n;
};

void wheel_init(struct wheel *w, int64_t now_msec);
void wheel_node_init(struct wheel_node *node, void (*due)(struct wheel_node *node));
/* Due at DUE_MSEC, in place of what was set before; a time that is over is due at the next tick. */
void wheel_set(struct wheel *w, struct wheel_node *node, int64_t due_msec);
void wheel_unset(struct wheel *w, struct wheel_node *node);
static inline bool wheel_is_set(const struct wheel_node *node)
{
    return !list_empty(&node->node);
}
/* Calls due() of all that is due by NOW. */
void wheel_turn(struct wheel *w, int64_t now_msec);
/* When wheel_turn() has something to do next (it may only be moving what is far), -1: never. */
int64_t wheel_next_msec(const struct wheel *w);

#endif
