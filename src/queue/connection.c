/* queue/connection.c -- connections of send processes as the queue sees them: asked for, leased to, heard (DESIGN 3, 6). */
#include <stdlib.h>

#include "core/num.h"
#include "queue/queue.h"

enum { SLOT_BITS = 16, RESULT_FIXED = 9, ADDRESSES_MAX = 3 << 20, CODE_CLOSING = 421 };

_Static_assert((int)SCHEDULE_CONNECTIONS_MAX <= 1 << SLOT_BITS && (int)SCHEDULE_TRANSFERS_MAX <= 1 << SLOT_BITS,
               "a place fits into its id");

static struct connection *connection_by_id(struct queue *q, uint64_t id, uint32_t instance)
{
    uint32_t slot = id & ((1U << SLOT_BITS) - 1);
    struct connection *c = slot < SCHEDULE_CONNECTIONS_MAX ? q->schedule.connections[slot] : NULL;

    return c && c->id == id && c->instance == instance ? c : NULL;
}

static struct transfer *transfer_by_lease(struct queue *q, uint64_t lease, uint32_t instance)
{
    uint32_t slot = lease & ((1U << SLOT_BITS) - 1);
    struct transfer *t = slot < SCHEDULE_TRANSFERS_MAX ? q->schedule.transfers[slot] : NULL;

    return t && t->lease == lease && t->connection->instance == instance ? t : NULL;
}

/* ---- transfers ---- */

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
    *t = (struct transfer){
        .connection = c,
        .message = e->message,
        .hop = e->hop,
        .slot = s->next_transfer,
        .lease = ++s->serial << SLOT_BITS | s->next_transfer,
        .queue_usec = io_clock_usec() - e->lined_usec,
    };
    list_init(&t->node);
    list_init(&t->recipients);
    s->transfers[t->slot] = t;
    s->next_transfer = (t->slot + 1) % SCHEDULE_TRANSFERS_MAX;
    t->hop->entries++;
    return t;
}

static void transfer_free(struct transfer *t)
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

/* ---- connections ---- */

static void on_idle(struct wheel_node *node)
{
    connection_close(CONTAINER_OF(node, struct connection, idle));
}

/* Those of this configuration, once all of them have told what they kept: what is in progress is not leased again. */
static struct ipc_channel *send_peer(struct queue *q, uint32_t generation)
{
    struct ipc_channel *all[WORKER_PEERS_MAX];
    size_t n = 0;

    if (!q->knows_peers)
        return NULL;
    for (size_t i = 0; i < q->worker->n_peers; i++) {
        struct ipc_channel *c = q->worker->peers[i];
        if (c->peer != PROCESS_SEND || c->closed)
            continue;
        if (!queue_has_told(q, c->instance))
            return NULL;
        if (c->generation == generation)
            all[n++] = c;
    }
    for (size_t i = 0; i < n; i++) {
        struct ipc_channel *c = all[q->schedule.next_send++ % n];
        if (ipc_may_ask(c))
            return c;
    }
    return NULL;
}

static struct connection *connection_new(struct site *site, uint32_t instance)
{
    struct schedule *s = &site->queue->schedule;
    struct connection *c;
    uint32_t tried = 0;

    while (s->connections[s->next_connection] && tried++ < SCHEDULE_CONNECTIONS_MAX)
        s->next_connection = (s->next_connection + 1) % SCHEDULE_CONNECTIONS_MAX;
    c = s->connections[s->next_connection] ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct connection){
        .site = site,
        .slot = s->next_connection,
        .id = ++s->serial << SLOT_BITS | s->next_connection,
        .instance = instance,
    };
    list_init(&c->node);
    list_init(&c->transfers);
    list_init(&c->spare);
    wheel_node_init(&c->idle, on_idle);
    s->connections[c->slot] = c;
    s->n_connections++;
    list_append(&site->connections, &c->node);
    site->n_connections++;
    site->n_opening++;
    site->limits->n_connections++;
    list_remove(&site->hungry);
    return c;
}

static void connection_free(struct connection *c)
{
    struct site *site = c->site;
    struct queue *q = site->queue;

    BUG_ON(c->n_transfers);
    if (c->state == CONNECTION_OPENING)
        site->n_opening--;
    wheel_unset(&q->wheel, &c->idle);
    list_remove(&c->node);
    list_remove(&c->spare);
    site->n_connections--;
    site->limits->n_connections--;
    limits_room(site->limits);
    q->schedule.connections[c->slot] = NULL;
    q->schedule.n_connections--;
    free(c);
}

struct connection *connection_open(struct site *site)
{
    struct queue *q = site->queue;
    struct ipc_channel *send = send_peer(q, site->generation);
    struct connection *c = send ? connection_new(site, send->instance) : NULL;

    if (!c)
        return NULL;
    if (ipc_send_open_ask(send, &(struct ipc_open_ask){
                                    .connection = c->id,
                                    .route = site->route,
                                    .site = site->named,
                                    .plan = str_of(site->plan, site->plan_n),
                                }))
        return c;
    connection_free(c);
    return NULL;
}

void connection_close(struct connection *c)
{
    struct ipc_channel *send = queue_peer(c->site->queue, PROCESS_SEND, c->instance);

    if (c->state == CONNECTION_CLOSING)
        return;
    /* Until it is open nothing can be closed: it is used, or closed when it is idle. */
    if (c->state == CONNECTION_OPENING)
        return;
    c->state = CONNECTION_CLOSING;
    list_remove(&c->spare);
    wheel_unset(&c->site->queue->wheel, &c->idle);
    if (send)
        ipc_send_close_connection(send, &(struct ipc_close_connection){ .connection = c->id });
}

/* It is kept for a while; others of its limits may need its place. */
static void spare(struct connection *c, int64_t msec)
{
    struct queue *q = c->site->queue;

    queue_wait(q, &c->idle, queue_now(q) + msec);
    list_remove(&c->spare);
    list_append(&c->site->limits->spare, &c->spare);
}

/* It has less to do: more is leased to it, or it waits for more, or has had enough. */
static void connection_free_again(struct connection *c)
{
    const struct config_sending *s = site_sending(c->site);
    bool idle = c->state == CONNECTION_OPEN && !c->n_transfers;
    if (c->state == CONNECTION_OPEN && c->used >= s->reuse.count)
        connection_close(c);
    else if (idle && (c->site->retired || limits_has_surplus(c->site)))
        connection_close(c);
    else if (idle)
        spare(c, (int64_t)s->reuse.idle_msec);
    site_post(c->site);
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
    struct buf recipients = BUF_INIT(ADDRESSES_MAX), address = BUF_INIT(4096);
    struct str sender = e->sender;
    bool ok = true, utf8 = false;

    LIST_FOR(node, &t->recipients) {
        const struct envelope_recipient *er = &e->recipients[CONTAINER_OF(node, struct recipient, node)->index];
        if (er->has_sender)
            sender = er->sender;
        utf8 = utf8 || has_eight_bit(er->local);
        ok = ok && put_recipient(&recipients, &address, er);
    }
    ok = ok && ipc_send_transfer(send,
                                 &(struct ipc_transfer){
                                     .lease = t->lease,
                                     .connection = t->connection->id,
                                     .id = m->id.n,
                                     .flags = flags_of(e, utf8 || has_eight_bit(sender)),
                                     .sender = sender,
                                     .count = (uint32_t)t->n,
                                     .recipients = buf_str(&recipients),
                                     .file_size = c->file_octets,
                                     .head = c->head,
                                     .body = c->body,
                                 },
                                 c->file);
    buf_done(&recipients);
    buf_done(&address);
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
            record_duplicate(t->message, r, "the server ended without notice; an attempt may have been under way");
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

/* ---- what came of them ---- */

struct result {
    uint32_t number;
    uint8_t result, stage, from_peer;
    uint16_t code;
    struct str status, text;
};

static bool take_text(struct str *in, struct str *out)
{
    if (in->n < 2 || le16_get(in->p) > in->n - 2)
        return false;
    *out = str_slice(*in, 2, 2 + (size_t)le16_get(in->p));
    *in = str_skip(*in, 2 + out->n);
    return true;
}

static bool take_result(struct str *in, struct result *r)
{
    if (in->n < RESULT_FIXED)
        return false;
    *r = (struct result){
        .number = le32_get(in->p),
        .result = (uint8_t)in->p[4],
        .stage = (uint8_t)in->p[5],
        .from_peer = (uint8_t)in->p[6],
        .code = le16_get(in->p + 7),
    };
    *in = str_skip(*in, RESULT_FIXED);
    return take_text(in, &r->status) && take_text(in, &r->text);
}

static struct outcome outcome_of(const struct result *r)
{
    return (struct outcome){
        .result = r->result == IPC_OK || r->result == IPC_PERM ? (enum ipc_result)r->result : IPC_TEMP,
        .stage = r->stage < SMTP_STAGES ? (enum smtp_stage)r->stage : SMTP_STAGE_NONE,
        .code = r->code,
        .from_peer = r->from_peer,
        .status = r->status,
        .text = r->text,
    };
}

/* How many recipients of a transfer were delivered, put off, refused. */
struct tally {
    size_t n[IPC_PERM + 1];
    struct str reply; /* the last 4yz */
};

/* What it says of the site: that more were put off than taken, or refused. A connection that was lost counts, too. */
static void site_hears(struct site *site, const struct tally *tally, int64_t usec)
{
    size_t ok = tally->n[IPC_OK], temp = tally->n[IPC_TEMP], perm = tally->n[IPC_PERM];

    if (!ok && !temp && !perm)
        return;
    site_hear(site,
              &(struct window_sample){
                  .now_msec = queue_now(site->queue),
                  .latency_usec = usec,
                  .in_use = (uint32_t)site->limits->n_busy,
                  .put_off = temp > ok + perm,
                  .failed = perm && temp <= ok + perm && perm > ok,
              },
              tally->reply);
}

/* The outcome of R, or what `on-reply` makes of it. */
static void outcome_by_rule(struct site *site, struct recipient *r, struct outcome *o)
{
    struct reply_status status;
    const struct config_on_reply *rule = limits_reply(site, o, &status);
    struct message *m = r->message;

    recipient_outcome(r, o);
    if (rule && rule->action == CONFIG_REPLY_HOLD && o->result == IPC_TEMP)
        limits_hold(site, m, rule, o);
}

static struct recipient *numbered(struct transfer *t, uint32_t number)
{
    LIST_FOR(node, &t->recipients) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        if (r->number == number)
            return r;
    }
    return NULL;
}

/* Those without a result, for whatever reason, are in line again. */
static void back_in_line(struct transfer *t)
{
    for (struct list *node; (node = t->recipients.prev) != &t->recipients;) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        list_remove(node);
        r->lease = 0;
        schedule_back(r, t->hop);
    }
}

/* Of LMTP some may have had a reply of their own before; 421 may stand for those behind it (RFC 2033 4.2). */
static void transfer_returns(struct transfer *t)
{
    struct message *m = t->message;

    back_in_line(t);
    transfer_free(t);
    message_settle(m);
}

static void doubt(const struct recipient *r, bool in_doubt, const struct outcome *o)
{
    if (in_doubt && (!o->from_peer || o->code == CODE_CLOSING))
        record_duplicate(r->message, r, "the connection was lost before the reply to the content");
}

static void take_results(struct transfer *t, const struct ipc_transferred *told)
{
    struct str rest = told->results;
    struct site *site = t->connection->site;
    struct tally tally = { 0 };
    struct result got;

    for (uint32_t i = 0; i < told->count && take_result(&rest, &got); i++) {
        struct recipient *r = numbered(t, got.number);
        if (!r || got.result == IPC_AGAIN)
            continue;
        struct outcome o = outcome_of(&got);
        o.host = told->host;
        o.peer = told->peer;
        o.site = str_from_c(site->name);
        o.queue_usec = t->queue_usec;
        o.connect_usec = (int64_t)told->connect_usec;
        o.send_usec = (int64_t)told->send_usec;
        tally.n[o.result]++;
        if (o.result == IPC_TEMP)
            tally.reply = o.text;
        outcome_by_rule(site, r, &o);
        if (o.result == IPC_TEMP)
            doubt(r, told->in_doubt, &o);
    }
    site_hears(site, &tally, (int64_t)told->send_usec);
}

static bool says_only_again(const struct ipc_transferred *told)
{
    struct str rest = told->results;
    struct result got;

    for (uint32_t i = 0; i < told->count && take_result(&rest, &got); i++)
        if (got.result != IPC_AGAIN)
            return false;
    return true;
}

/* A transfer of a former queue: its recipients know the lease. */
static void take_kept_results(struct queue *q, struct ipc_channel *from, const struct ipc_transferred *told)
{
    struct message *m = message_find(q, (struct queue_id){ told->id });
    struct str rest = told->results;
    struct result got;
    bool any = false;

    for (uint32_t i = 0; m && i < told->count && take_result(&rest, &got); i++) {
        struct recipient *r = queue_recipient(q, told->id, got.number);
        if (!r || r->state != RECIPIENT_LEASED || !r->kept || r->lease != told->lease || r->carrier != from->instance)
            continue;
        struct outcome o = outcome_of(&got);
        o.host = told->host;
        o.peer = told->peer;
        r->kept = false;
        any = true;
        if (got.result != IPC_AGAIN) {
            recipient_outcome(r, &o);
            if (o.result == IPC_TEMP)
                doubt(r, told->in_doubt, &o);
            continue;
        }
        r->state = RECIPIENT_IDLE;
        r->lease = 0;
        r->due_msec = queue_now(q);
        m->active--;
        m->dirty = true;
    }
    if (any)
        message_settle(m);
    else
        ipc_send_settled(from, &(struct ipc_settled){ .lease = told->lease });
}

static void on_transferred(struct queue *q, struct ipc_channel *from, const struct ipc_transferred *told)
{
    struct transfer *t = transfer_by_lease(q, told->lease, from->instance);

    if (!t) {
        take_kept_results(q, from, told);
        return;
    }
    struct connection *c = t->connection;
    struct message *m = t->message;
    bool again = says_only_again(told);
    /* Given back before it is known whether the connection opens: then its failure is their outcome. */
    if (again && c->state == CONNECTION_OPENING) {
        t->refused = true;
        ipc_send_settled(from, &(struct ipc_settled){ .lease = told->lease });
        return;
    }
    take_results(t, told);
    back_in_line(t);
    transfer_free(t);
    if (again)
        ipc_send_settled(from, &(struct ipc_settled){ .lease = told->lease });
    /* Held or removed meanwhile, or in a line where it is not under way: then there is something to write, too. */
    message_settle(m);
    c->made += !again;
    connection_free_again(c);
}

/* ---- open, closed ---- */

static void charge(struct transfer *t, const struct outcome *why)
{
    struct message *m = t->message;
    struct site *site = t->connection->site;

    for (struct list *node; (node = list_take(&t->recipients));) {
        struct outcome o = *why;
        outcome_by_rule(site, CONTAINER_OF(node, struct recipient, node), &o);
    }
    transfer_free(t);
    message_settle(m);
}

static void open_failed(struct connection *c, const struct ipc_open_answer *a)
{
    struct site *site = c->site;
    struct outcome why = {
        .result = a->status == IPC_PERM ? IPC_PERM : IPC_TEMP,
        .stage = a->stage < SMTP_STAGES ? (enum smtp_stage)a->stage : SMTP_STAGE_CONNECT,
        .reason = a->reason < LOG_REASONS && a->reason ? (enum log_reason)a->reason : LOG_REASON_CONNECT,
        .code = a->code,
        .from_peer = a->code != 0,
        .status = a->enhanced.n ? a->enhanced : STR("4.4.1"),
        .text = a->text,
        .host = a->host,
        .peer = a->peer,
        .site = str_from_c(site->name),
    };
    struct list failing;

    list_init(&failing);
    for (struct list *node; (node = list_take(&c->transfers));)
        list_append(&failing, node);
    while (!list_empty(&failing)) {
        struct transfer *t = CONTAINER_OF(failing.next, struct transfer, node);
        charge(t, &why);
    }
    connection_free(c);
    site_failed(site, &why);
}

/* The send process ends, or lacks memory: nobody is charged, and another one is asked in a moment. */
static void open_put_off(struct connection *c)
{
    struct site *site = c->site;

    while (!list_empty(&c->transfers)) {
        struct transfer *t = CONTAINER_OF(c->transfers.next, struct transfer, node);
        transfer_returns(t);
    }
    connection_free(c);
    site_pause(site);
}

static void on_open_answer(struct queue *q, struct ipc_channel *from, const struct ipc_open_answer *a)
{
    struct connection *c = connection_by_id(q, a->connection, from->instance);

    if (!c || c->state != CONNECTION_OPENING)
        return;
    if (a->status == IPC_AGAIN) {
        open_put_off(c);
        return;
    }
    if (a->status != IPC_OK) {
        open_failed(c, a);
        return;
    }
    c->state = CONNECTION_OPEN;
    c->connect_usec = (int64_t)a->connect_usec;
    c->site->n_opening--;
    site_opened(c->site);
    for (struct list *node = c->transfers.next, *next; node != &c->transfers; node = next) {
        struct transfer *t = CONTAINER_OF(node, struct transfer, node);
        next = node->next;
        if (!t->refused)
            continue;
        transfer_returns(t);
    }
    connection_free_again(c);
}

static void on_closed(struct queue *q, struct ipc_channel *from, const struct ipc_connection_closed *closed)
{
    struct connection *c = connection_by_id(q, closed->connection, from->instance);

    if (!c)
        return;
    struct site *site = c->site;
    while (!list_empty(&c->transfers)) {
        struct transfer *t = CONTAINER_OF(c->transfers.next, struct transfer, node);
        transfer_returns(t);
    }
    bool vain = c->used && !c->made;
    connection_free(c);
    if (closed->code)
        (void)limits_reply(site,
                           &(struct outcome){
                               .result = IPC_TEMP, .code = closed->code, .from_peer = true, .text = closed->text },
                           &(struct reply_status){ 0 });
    site_post(site);
    /* A host that opens and takes nothing is as good as dead: it is not called again at once. Frees what is retired. */
    if (vain)
        site_failed(site, &(struct outcome){
                              .result = IPC_TEMP,
                              .reason = LOG_REASON_LOST,
                              .code = closed->code,
                              .from_peer = closed->code != 0,
                              .status = STR("4.4.2"),
                              .text = closed->text.n ? closed->text : STR("the host closed the connection at once"),
                              .site = str_from_c(site->name),
                          });
}

static void on_kept(struct queue *q, struct ipc_channel *from, const struct ipc_transfer_kept *k)
{
    struct str rest = k->results;
    struct message *m;
    bool any = false;

    /* A process that has been taken over says nothing of what it never had. */
    if (!queue_may_tell(q, from))
        return;
    m = message_have(q, (struct queue_id){ k->id });
    if (k->finished) {
        /* Recipients whose outcome is not on disk yet have it now; for the others this is old news. */
        struct result got;
        for (uint32_t i = 0; m && i < k->count && take_result(&rest, &got); i++) {
            struct recipient *r = queue_recipient(q, k->id, got.number);
            if (!r || r->progress != PROGRESS_WAITING || got.result == IPC_AGAIN || r->state == RECIPIENT_LEASED)
                continue;
            struct outcome o = outcome_of(&got);
            o.host = k->host;
            o.peer = k->peer;
            queue_withdraw(r);
            r->lease = k->lease;
            r->carrier = from->instance;
            recipient_outcome(r, &o);
            if (o.result == IPC_TEMP)
                doubt(r, k->in_doubt, &o);
            any = true;
        }
        if (any && m->state != MESSAGE_ENDING)
            message_settle(m);
        else
            ipc_send_settled(from, &(struct ipc_settled){ .lease = k->lease });
        return;
    }
    for (uint32_t i = 0; i < k->count && rest.n >= 4; i++, rest = str_skip(rest, 4)) {
        struct recipient *r = queue_recipient(q, k->id, le32_get(rest.p));
        if (!r || r->progress != PROGRESS_WAITING || r->state == RECIPIENT_LEASED)
            continue;
        queue_withdraw(r);
        r->state = RECIPIENT_LEASED;
        r->kept = true;
        r->lease = k->lease;
        r->carrier = from->instance;
        r->message->active++;
    }
}

void connection_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m)
{
    switch (m->type) {
    case IPC_OPEN_ANSWER:
        on_open_answer(q, from, &m->open_answer);
        break;
    case IPC_CONNECTION_CLOSED:
        on_closed(q, from, &m->connection_closed);
        break;
    case IPC_TRANSFERRED:
        on_transferred(q, from, &m->transferred);
        break;
    case IPC_TRANSFER_KEPT:
        on_kept(q, from, &m->transfer_kept);
        break;
    default:
        break;
    }
}

/* ---- the end of a send process ---- */

static void transfer_lost(struct transfer *t)
{
    struct message *m = t->message;
    struct str site = str_from_c(t->connection->site->name);

    for (struct list *node; (node = list_take(&t->recipients));) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        recipient_interrupted(r, STR("the send process ended before it was done"), site);
        record_duplicate(m, r, "the send process ended with it in hand");
    }
    transfer_free(t);
    message_settle(m);
}

void connection_peer_gone(struct queue *q, struct ipc_channel *peer)
{
    for (size_t i = 0; i < SCHEDULE_CONNECTIONS_MAX; i++) {
        struct connection *c = q->schedule.connections[i];
        if (!c || c->instance != peer->instance)
            continue;
        struct site *site = c->site;
        while (!list_empty(&c->transfers))
            transfer_lost(CONTAINER_OF(c->transfers.next, struct transfer, node));
        connection_free(c);
        site_post(site);
    }
    queue_leases_of(q, peer->instance, "the send process ended before it was done");
}
