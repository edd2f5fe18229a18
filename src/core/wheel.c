/*
 * core/wheel.c -- levels of 64 slots: a tick each in the first, 64 ticks in the next, and so on.
 *
 * A node stands in the lowest level whose turn reaches its time. When the hand comes to a slot of a higher level its
 * nodes are set anew, and so move down. The hand jumps over what is empty.
 */
#include "core/wheel.h"

/* The first tick at which DUE is over. */
static int64_t tick_of(int64_t due_msec)
{
    return (due_msec + WHEEL_TICK_MSEC - 1) / WHEEL_TICK_MSEC;
}

static unsigned shift_of(unsigned level)
{
    return level * WHEEL_BITS;
}

static struct list *slot_for(struct wheel *w, int64_t tick)
{
    int64_t most = w->tick + ((int64_t)1 << shift_of(WHEEL_LEVELS)) - ((int64_t)1 << shift_of(WHEEL_LEVELS - 1));
    unsigned level = 0;

    if (tick < w->tick)
        tick = w->tick;
    if (tick > most)
        tick = most;
    /* Within the turn of a level counted from the start of the hand's slot there. */
    while (level + 1 < WHEEL_LEVELS && (tick >> shift_of(level)) - (w->tick >> shift_of(level)) >= WHEEL_SLOTS)
        level++;
    return &w->slots[level][(tick >> shift_of(level)) & (WHEEL_SLOTS - 1)];
}

void wheel_init(struct wheel *w, int64_t now_msec)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned i = 0; i < WHEEL_SLOTS; i++)
            list_init(&w->slots[level][i]);
    w->tick = now_msec / WHEEL_TICK_MSEC;
    w->n = 0;
}

void wheel_node_init(struct wheel_node *node, void (*due)(struct wheel_node *node))
{
    *node = (struct wheel_node){ .due = due };
    list_init(&node->node);
}

void wheel_unset(struct wheel *w, struct wheel_node *node)
{
    if (!wheel_is_set(node))
        return;
    list_remove(&node->node);
    w->n--;
}

void wheel_set(struct wheel *w, struct wheel_node *node, int64_t due_msec)
{
    wheel_unset(w, node);
    node->due_msec = due_msec;
    list_append(slot_for(w, tick_of(due_msec)), &node->node);
    w->n++;
}

/* The tick at which the first slot that is not empty has its turn; -1: all are empty. */
static int64_t next_tick(const struct wheel *w)
{
    int64_t best = -1;

    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        int64_t at = w->tick >> shift_of(level);
        for (int64_t i = 0; i < WHEEL_SLOTS; i++) {
            if (list_empty(&w->slots[level][(at + i) & (WHEEL_SLOTS - 1)]))
                continue;
            /* The hand may stand inside the first slot of a level. */
            int64_t tick = i ? (at + i) << shift_of(level) : w->tick;
            if (best < 0 || tick < best)
                best = tick;
            break;
        }
    }
    return best;
}

static void take_all(struct list *from, struct list *to)
{
    list_init(to);
    for (struct list *node; (node = list_take(from));)
        list_append(to, node);
}

/* The slots that begin at the hand's tick, the highest level first: what is near moves down, what is due is called. */
static void turn_slots(struct wheel *w)
{
    struct list taken;

    for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
        take_all(&w->slots[level][(w->tick >> shift_of(level)) & (WHEEL_SLOTS - 1)], &taken);
        for (struct list *l; (l = list_take(&taken));) {
            struct wheel_node *node = CONTAINER_OF(l, struct wheel_node, node);
            list_append(slot_for(w, tick_of(node->due_msec)), &node->node);
        }
    }
    take_all(&w->slots[0][w->tick & (WHEEL_SLOTS - 1)], &taken);
    /* Nodes that are set by what is called come at the next tick at the earliest. */
    w->tick++;
    for (struct list *l; (l = list_take(&taken));) {
        struct wheel_node *node = CONTAINER_OF(l, struct wheel_node, node);
        w->n--;
        node->due(node);
    }
}

void wheel_turn(struct wheel *w, int64_t now_msec)
{
    int64_t now = now_msec / WHEEL_TICK_MSEC;

    while (w->tick <= now) {
        int64_t next = next_tick(w);
        if (next < 0 || next > now) {
            w->tick = now + 1;
            return;
        }
        w->tick = next;
        turn_slots(w);
    }
}

int64_t wheel_next_msec(const struct wheel *w)
{
    int64_t tick = next_tick(w);

    return tick < 0 ? -1 : tick * WHEEL_TICK_MSEC;
}
