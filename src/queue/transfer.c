/* queue/transfer.c -- leases: one message and some of its recipients, for one transaction of a connection (DESIGN 3, 6). */
#include "queue/transfer.h"

#include <stdlib.h>

#include "core/num.h"
#include "queue/on_reply.h"
#include "queue/voucher.h"

enum { ADDRESSES_MAX = 3 << 20, VOUCHER_MAX = 256 << 10 };

_Static_assert((int)SCHEDULE_TRANSFERS_MAX <= 1 << SCHEDULE_SLOT_BITS, "a place fits into its id");

struct transfer *transfer_by_lease(struct queue *q, uint64_t lease, uint32_t instance)
{
    uint32_t slot = lease & ((1U << SCHEDULE_SLOT_BITS) - 1);
    struct transfer *t = slot < SCHEDULE_TRANSFERS_MAX ? q->schedule.transfers[slot] : NULL;

    return t && t->lease == lease && t->connection->instance == instance ? t : NULL;
}

static struct transfer *transfer_new(struct connection *c, struct entry *e)
{
    struct queue *q = c->site->queue;
    struct schedule *s = &q->schedule;
    struct transfer *t;
    uint32_t tried = 0;

    while (s->transfers[s->next_transfer] && tried++ < SCHEDULE_TRANSFERS_MAX)
        s->next_transfer = (s->next_transfer + 1) % SCHEDULE_TRANSFERS_MAX;
    t = s->transfers[s->next_transfer] ? NULL : calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    int64_t now = io_clock_usec();
    *t = (struct transfer){
        .connection = c,
        .message = e->message,
        .hop = e->hop,
        .slot = s->next_transfer,
        .lease = ++s->serial << SCHEDULE_SLOT_BITS | s->next_transfer,
        .begun_usec = now,
        .queue_usec = now - e->lined_usec,
    };
    list_init(&t->node);
    list_init(&t->recipients);
    s->transfers[t->slot] = t;
    s->next_transfer = (t->slot + 1) % SCHEDULE_TRANSFERS_MAX;
    t->hop->entries++;
    return t;
}

void transfer_free(struct transfer *t)
{
    struct connection *c = t->connection;

    BUG_ON(!list_empty(&t->recipients));
    c->site->queue->schedule.transfers[t->slot] = NULL;
    hop_release(t->hop);
    if (!list_empty(&t->node)) {
        list_remove(&t->node);
        if (--c->n_transfers == 0) {
            c->site->limits->n_busy--;
            limits_room(c->site->limits);
        }
    }
    free(t);
}

/* ---- leases ---- */

static bool put_recipient(struct buf *out, struct buf *address, const struct envelope_recipient *er)
{
    struct str text = recipient_address(er, address);
    char head[6];

    le32_put(head, er->number);
    le16_put(head + 4, (uint16_t)text.n);
    return buf_add(out, str_of(head, sizeof(head))) && buf_add(out, text);
}

static bool has_eight_bit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

static uint8_t flags_of(const struct envelope *e, bool utf8_address)
{
    uint8_t flags = 0;

    if (e->body == ENVELOPE_BODY_8BIT)
        flags |= IPC_TRANSFER_EIGHT_BIT;
    if (utf8_address)
        flags |= IPC_TRANSFER_UTF8;
    if (e->smtputf8 && e->header_eight_bit)
        flags |= IPC_TRANSFER_UTF8 | IPC_TRANSFER_UTF8_HEADER;
    if (e->leading_dots)
        flags |= IPC_TRANSFER_DOTS;
    return flags;
}

/* Nobody can say whether the former server had this one in hand when it ended (DESIGN 3, Twice). */
static bool may_be_second(const struct queue *q, const struct recipient *r)
{
    if (!q->unclean || !r->message->recovered)
        return false;
    return q->lost_attempts && r->next_msec <= q->started_wall_msec;
}

static bool send_transfer(struct transfer *t, struct ipc_channel *send)
{
    struct message *m = t->message;
    const struct content *c = m->content;
    const struct envelope *e = &c->envelope;
    struct buf recipients = BUF_INIT(ADDRESSES_MAX), address = BUF_INIT(4096), voucher = BUF_INIT(VOUCHER_MAX);
    struct str sender = e->sender;
    bool ok = true, utf8 = false;

    LIST_FOR(node, &t->recipients) {
        const struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        const struct envelope_recipient *er = &e->recipients[r->index];
        if (er->has_sender)
            sender = er->sender;
        utf8 = utf8 || has_eight_bit(er->local);
        ok = ok && put_recipient(&recipients, &address, er) && voucher_add(&voucher, r);
    }
    ok = ok && voucher_end(&voucher, m->queue, (struct voucher_of){ send, t->lease, m->id.n });
    ok = ok && ipc_send_transfer(send,
                                 &(struct ipc_transfer){
                                     .lease = t->lease,
                                     .connection = t->connection->id,
                                     .id = m->id.n,
                                     .flags = flags_of(e, utf8 || has_eight_bit(sender)),
                                     .sender = sender,
                                     .count = (uint32_t)t->n,
                                     .recipients = buf_str(&recipients),
                                     .voucher = buf_str(&voucher),
                                     .file_size = c->file_octets,
                                     .head = c->head,
                                     .body = c->body,
                                 },
                                 c->file);
    buf_done(&recipients);
    buf_done(&address);
    buf_done(&voucher);
    return ok;
}

/* Recipients with different reverse-paths (a list's) go in transactions of their own. */
static bool same_sender(const struct content *c, const struct recipient *a, const struct recipient *b)
{
    const struct envelope_recipient *x = &c->envelope.recipients[a->index], *y = &c->envelope.recipients[b->index];

    return x->has_sender == y->has_sender && (!x->has_sender || str_eq(x->sender, y->sender));
}

static void take_recipients(struct transfer *t, struct entry *e, size_t max)
{
    struct recipient *first = NULL;

    entry_unpark(e);
    while (t->n < max && e->n) {
        struct recipient *r = CONTAINER_OF(e->recipients.next, struct recipient, node);
        if (first && !same_sender(e->message->content, first, r))
            break;
        first = first ? first : r;
        (void)entry_take(e);
        list_append(&t->recipients, &r->node);
        t->n++;
    }
}

static void give_back(struct transfer *t, struct entry *e)
{
    for (struct list *node; (node = t->recipients.prev) != &t->recipients;) {
        list_remove(node);
        entry_put(e, CONTAINER_OF(node, struct recipient, node), true);
    }
}

static void mark_leased(struct transfer *t)
{
    struct queue *q = t->connection->site->queue;

    LIST_FOR(node, &t->recipients) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        r->state = RECIPIENT_LEASED;
        r->lease = t->lease;
        r->carrier = t->connection->instance;
        recipient_pin(r);
        if (may_be_second(q, r))
            record_duplicate(r->message, r, "the server ended without notice; an attempt may have been under way");
    }
}

size_t connection_lease(struct connection *c, struct entry *e, size_t max)
{
    struct queue *q = c->site->queue;
    struct ipc_channel *send = queue_peer(q, PROCESS_SEND, c->instance);
    struct transfer *t = send && ipc_may_ask(send) ? transfer_new(c, e) : NULL;

    if (!t)
        return 0;
    take_recipients(t, e, max);
    if (!send_transfer(t, send)) {
        give_back(t, e);
        transfer_free(t);
        return 0;
    }
    mark_leased(t);
    list_append(&c->transfers, &t->node);
    c->site->limits->n_busy += c->n_transfers == 0;
    c->n_transfers++;
    c->used++;
    list_remove(&c->spare);
    wheel_unset(&q->wheel, &c->idle);
    return t->n;
}

/* ---- what comes of one as a whole ---- */

void transfer_outcome(struct site *site, struct recipient *r, struct outcome *o)
{
    const struct config_on_reply *rule = reply_take(site, o);
    struct message *m = r->message;
    struct buf words = BUF_INIT(CONFIG_PLACE_TEXT_MAX + 16);

    if (rule && buf_printf(&words, "%s %s", on_reply_action(rule),
                           config_rule(m->queue->worker->config, rule->place).c))
        o->on_reply = buf_str(&words);
    recipient_outcome(r, o);
    buf_done(&words);
    if (rule && rule->action == CONFIG_REPLY_HOLD && o->result == IPC_TEMP)
        reply_hold(site, m, rule, o);
}

void transfer_back(struct transfer *t)
{
    for (struct list *node; (node = t->recipients.prev) != &t->recipients;) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        list_remove(node);
        r->lease = 0;
        schedule_back(r, t->hop);
    }
}

/* Of LMTP some may have had a reply of their own before; 421 may stand for those behind it (RFC 2033 4.2). */
void transfer_returns(struct transfer *t)
{
    struct message *m = t->message;

    transfer_back(t);
    transfer_free(t);
    message_settle(m);
}

void transfer_failed(struct transfer *t, const struct outcome *why)
{
    struct message *m = t->message;
    struct site *site = t->connection->site;

    for (struct list *node; (node = list_take(&t->recipients));) {
        struct outcome o = *why;
        transfer_outcome(site, CONTAINER_OF(node, struct recipient, node), &o);
    }
    transfer_free(t);
    message_settle(m);
}

void transfer_lost(struct transfer *t)
{
    struct message *m = t->message;
    struct str site = str_from_c(t->connection->site->limits->name);

    for (struct list *node; (node = list_take(&t->recipients));) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        recipient_interrupted(r, STR("the send process ended before it was done"), site);
        record_duplicate(m, r, "the send process ended with it in hand");
    }
    transfer_free(t);
    message_settle(m);
}
