/*
 * queue/memory.c -- room for new mail: above max-memory it is not taken (DESIGN 6, back-pressure).
 *
 * While mail comes in main is asked now and then what all processes take. An idle server asks nothing.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

#include "queue/queue.h"

enum { LOOK_MSEC = 250, TEXT_MAX = 100 };

/* What sessions have in hand while they are told comes on top of what is there. */
static uint64_t room_of(const struct queue *q)
{
    return q->memory_bound / 32 * 31;
}

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
    q->memory_short = a->used > (was_short ? a->bound / 20 * 19 : room_of(q));
    if (q->memory_short != was_short)
        say(q);
    /* What contents have left behind is not used, and counts: without it there may be room at the next look. */
    if (q->memory_short)
        malloc_trim(0);
}

static void look(struct queue *q)
{
    if (q->memory_asked)
        return;
    q->memory_asked = ipc_send_memory_ask(q->worker->main, &(struct ipc_memory_ask){ .ticket = 0 });
    if (q->memory_asked)
        q->memory_content = q->content_memory;
}

bool memory_is_short(struct queue *q)
{
    size_t grown = q->content_memory > q->memory_content ? q->content_memory - q->memory_content : 0;
    /* A flood may take in a moment what is left: what came since counts until main has looked again. */
    bool is_tight = q->memory_bound && q->memory_used + grown > room_of(q);

    if ((is_tight && !q->memory_short) || queue_now(q) - q->memory_looked_msec >= LOOK_MSEC)
        look(q);
    return q->memory_short || is_tight;
}

void memory_look_soon(struct queue *q)
{
    q->memory_looked_msec = queue_now(q) - LOOK_MSEC;
}
