/*
 * queue/memory.c -- room for new mail: above max-memory it is not taken (DESIGN 6, back-pressure).
 *
 * While mail comes in main is asked now and then what all processes take. An idle server asks nothing.
 */
#include <inttypes.h>
#include <stdio.h>

#include "queue/queue.h"

enum { LOOK_MSEC = 250, TEXT_MAX = 100 };

static void say(const struct queue *q)
{
    char cause[TEXT_MAX];
    struct log_record r;

    log_start_level(&r, LOG_EVENT_SPOOL, q->memory_short ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO);
    log_text_c(&r, LOG_STATE, q->memory_short ? "refusing" : "ok");
    (void)snprintf(cause, sizeof(cause), "memory: %" PRIu64 " of %" PRIu64 " octets (max-memory)", q->memory_used,
                   q->memory_bound);
    log_text_c(&r, LOG_CAUSE, cause);
    log_text_c(&r, LOG_ERROR, q->memory_short ? "new mail gets 452 4.3.1" : "new mail is taken again");
    log_send(&r);
}

void memory_answer(struct queue *q, const struct ipc_memory_answer *a)
{
    bool was_short = q->memory_short;

    q->memory_asked = false;
    q->memory_looked_msec = queue_now(q);
    q->memory_used = a->used;
    q->memory_bound = a->bound;
    /* What is short stays so until there is some room, or each message would change it. */
    q->memory_short = a->used > (was_short ? a->bound / 20 * 19 : a->bound);
    if (q->memory_short != was_short)
        say(q);
}

bool memory_is_short(struct queue *q)
{
    if (!q->memory_asked && queue_now(q) - q->memory_looked_msec >= LOOK_MSEC)
        q->memory_asked = ipc_send_memory_ask(q->worker->main, &(struct ipc_memory_ask){ .ticket = 0 });
    return q->memory_short;
}

void memory_look_soon(struct queue *q)
{
    q->memory_looked_msec = queue_now(q) - LOOK_MSEC;
}
