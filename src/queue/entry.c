/* queue/entry.c -- one message at one next hop. */
#include <stdlib.h>

#include "queue/queue.h"

struct entry *entry_new(struct message *m, struct hop *hop)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    *e = (struct entry){ .message = m, .hop = hop, .lined_usec = io_clock_usec() };
    list_init(&e->node);
    list_init(&e->of_message);
    list_init(&e->recipients);
    list_append(&m->entries, &e->of_message);
    hop->entries++;
    return e;
}

void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    BUG_ON(entry->n || entry->turn);
    list_remove(&entry->node);
    list_remove(&entry->of_message);
    hop_release(entry->hop);
    free(entry);
}

struct entry *entry_of(struct message *m, const struct hop *hop)
{
    LIST_FOR(node, &m->entries) {
        struct entry *e = CONTAINER_OF(node, struct entry, of_message);
        if (e->hop == hop)
            return e;
    }
    return NULL;
}

void entry_put(struct entry *entry, struct recipient *r, bool first)
{
    r->state = RECIPIENT_LINED;
    r->entry = entry;
    list_remove(&r->node);
    if (first)
        list_prepend(&entry->recipients, &r->node);
    else
        list_append(&entry->recipients, &r->node);
    entry->n++;
    if (entry->turn)
        entry->site->waiting++;
    if (entry->parked)
        r->message->active--;
}

struct recipient *entry_take(struct entry *entry)
{
    struct list *node = list_take(&entry->recipients);
    struct recipient *r = node ? CONTAINER_OF(node, struct recipient, node) : NULL;

    if (!r)
        return NULL;
    r->entry = NULL;
    entry->n--;
    if (entry->turn)
        entry->site->waiting--;
    if (entry->parked)
        r->message->active++;
    return r;
}

void entry_park(struct entry *entry)
{
    struct message *m = entry->message;

    if (entry->parked)
        return;
    entry->parked = true;
    m->active -= (uint32_t)entry->n;
    message_tire(m);
    if (!m->active && (m->dirty || report_wanted(m)))
        message_settle(m);
}

void entry_unpark(struct entry *entry)
{
    if (!entry->parked)
        return;
    entry->parked = false;
    entry->message->active += (uint32_t)entry->n;
}

void entries_leave(struct message *m)
{
    while (!list_empty(&m->entries)) {
        struct entry *e = CONTAINER_OF(m->entries.next, struct entry, of_message);
        site_unline(e);
        for (struct recipient *r; (r = entry_take(e));) {
            r->state = RECIPIENT_IDLE;
            m->active--;
        }
        entry_free(e);
    }
}

void entry_outcome(struct entry *entry, const struct outcome *o)
{
    struct message *m = entry->message;

    site_unline(entry);
    for (struct recipient *r; (r = entry_take(entry));)
        recipient_outcome(r, o);
    entry_free(entry);
    message_settle(m);
}
