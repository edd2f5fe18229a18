/* queue/act.c -- what the administrator does to a message: flush, hold, release, remove (FACE 2.2). */
#include <stdlib.h>

#include "queue/queue.h"

static void make_due(struct message *m)
{
    int64_t now = queue_now(m->queue);

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (r->progress != PROGRESS_WAITING)
            continue;
        r->due_msec = now;
        /* A site at rest sends its probe now. */
        if (r->entry && r->entry->site && r->entry->site->dead_until_msec > now) {
            r->entry->site->dead_until_msec = now;
            site_post(r->entry->site);
        }
    }
}

/* What its sender asked for is not broken by a word to hurry; to let it go is another one. */
static bool flush(struct message *m)
{
    if (m->state != MESSAGE_LIVE || !message_count(m, PROGRESS_WAITING) || message_embargo(m))
        return false;
    make_due(m);
    message_ready(m);
    return true;
}

static bool hold(struct message *m, struct str note)
{
    if (m->held != LOG_REASON_NONE || m->state == MESSAGE_ENDING)
        return false;
    message_hold(m, LOG_REASON_ADMIN, note);
    message_settle(m);
    return true;
}

/* Held no more, whatever for; nobody died with it in hand that counts now. */
static void let_go(struct message *m)
{
    m->releasing = m->state == MESSAGE_HELD;
    m->held = LOG_REASON_NONE;
    free(m->hold_reason);
    m->hold_reason = NULL;
    if (m->state == MESSAGE_HELD)
        m->state = MESSAGE_LIVE;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        m->recipients[i].deaths = 0;
        m->recipients[i].held = false;
    }
    m->dirty = true;
}

/* Its release time counts no longer. */
static bool release_early(struct message *m)
{
    if (m->state == MESSAGE_ENDING || !message_embargo(m))
        return false;
    m->early = true;
    m->dirty = true;
    message_settle(m);
    message_ready(m);
    return true;
}

/*
 * What could not be read has no recipients here: let go, it would be over. It may be removed. What is held and has a
 * release time, too, waits for that then: it is let go a second time.
 */
static bool release(struct message *m)
{
    if (m->held == LOG_REASON_NONE)
        return release_early(m);
    if (!m->n_recipients)
        return false;
    let_go(m);
    m->released = true;
    make_due(m);
    message_settle(m);
    message_ready(m);
    return true;
}

static bool remove_message(struct message *m)
{
    if (m->removing || m->state == MESSAGE_ENDING)
        return false;
    if (m->held != LOG_REASON_NONE)
        let_go(m);
    m->removing = true;
    m->dirty = true;
    message_settle(m);
    return true;
}

/* Its envelope is wanted, for the log and for the report. */
static bool bounce(struct message *m)
{
    if (m->state == MESSAGE_ENDING || m->removing || m->bouncing || !message_count(m, PROGRESS_WAITING))
        return false;
    if (m->held != LOG_REASON_NONE)
        let_go(m);
    m->bouncing = true;
    message_ready(m);
    return true;
}

/* What is with a host just now may still arrive there: its outcome counts. */
void act_bounce(struct message *m)
{
    m->bouncing = false;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (r->progress != PROGRESS_WAITING || r->state == RECIPIENT_LEASED)
            continue;
        queue_withdraw(r);
        recipient_outcome(r, &(struct outcome){
                                 .result = IPC_PERM,
                                 .reason = LOG_REASON_REMOVED,
                                 .status = STR("5.7.1"),
                                 .text = STR("taken out of the queue by the administrator of this server"),
                             });
    }
    message_settle(m);
}

/* A site at rest sends its probe now. */
bool act_flush_rest(struct queue *q, struct rest *r)
{
    struct site *site = r->flags & REST_LINED ? schedule_site_of(q, r) : NULL;

    if (r->flags & (REST_HELD | REST_EMBARGO))
        return false;
    if (site && site->dead_until_msec > queue_now(q)) {
        site->dead_until_msec = queue_now(q);
        site_post(site);
    }
    rest_hasten(q, r);
    return true;
}

bool act_do(enum ipc_act verb, struct message *m, struct str note)
{
    switch (verb) {
    case IPC_ACT_FLUSH:
        return flush(m);
    case IPC_ACT_HOLD:
        return hold(m, note);
    case IPC_ACT_RELEASE:
        return release(m);
    case IPC_ACT_REMOVE:
        return remove_message(m);
    case IPC_ACT_BOUNCE:
        return bounce(m);
    }
    return false;
}
