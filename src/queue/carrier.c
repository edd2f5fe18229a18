/* queue/carrier.c -- deliver processes as the queue sees them: asked for, told what to deliver, heard (DESIGN 3). */
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "queue/voucher.h"

enum { CARRIER_FRONT = 256, CROWD_MEMORY = QUEUE_MEMORY_MAX / 2 };

static struct ipc_channel *deliver_peer(struct queue *q, uint32_t instance)
{
    return queue_peer(q, PROCESS_DELIVER, instance);
}

/* ---- leases ---- */

static enum ipc_delivery kind_of(const struct recipient *r)
{
    switch (r->message->content->envelope.recipients[r->index].kind) {
    case ENVELOPE_COMMAND:
        return IPC_DELIVERY_COMMAND;
    case ENVELOPE_FILE:
        return IPC_DELIVERY_FILE;
    default:
        return IPC_DELIVERY_TARGET;
    }
}

static bool lease(struct ipc_channel *to, struct recipient *r)
{
    struct message *m = r->message;
    struct queue *q = m->queue;
    const struct content *c = m->content;
    const struct envelope_recipient *er = &c->envelope.recipients[r->index];
    struct buf address = BUF_INIT(4096), voucher = BUF_INIT(IPC_VOUCHER_OCTETS);
    struct ipc_lease l = {
        .lease = q->next_lease++,
        .id = m->id.n,
        .number = r->number,
        .accepted_msec = m->accepted_msec,
        .route = r->route,
        .domain_index = r->domain_index,
        .kind = (uint8_t)kind_of(r),
        .command = er->kind != ENVELOPE_ADDRESS ? er->local : STR_NONE,
        .user = str_from_c(r->user),
        .detail = str_from_c(r->detail),
        .domain = str_from_c(r->domain),
        .address = er->kind == ENVELOPE_ADDRESS ? recipient_address(er, &address) : er->original,
        .original = er->original,
        .sender = er->has_sender ? er->sender : c->envelope.sender,
        .client = c->envelope.client,
        .file_size = c->file_octets,
        .head = c->head,
        .body = c->body,
    };
    struct voucher_of of = { .process = to, .lease = l.lease, .id = l.id };
    bool sent = ipc_may_ask(to) && voucher_add(&voucher, r) && voucher_end(&voucher, q, of);

    l.voucher = buf_str(&voucher);
    sent = sent && ipc_send_lease(to, &l, c->file);
    buf_done(&address);
    buf_done(&voucher);
    if (!sent)
        return false;
    list_remove(&r->node);
    r->state = RECIPIENT_LEASED;
    r->lease = l.lease;
    r->carrier = to->instance;
    return true;
}

static void wake_rests(struct queue *q, struct carrier *c)
{
    uint32_t awake = 0;

    for (struct list *node = c->waiting.next; c->rest.n && node != &c->waiting && awake < CARRIER_FRONT;
         node = node->next)
        awake++;
    if (c->rest.n && awake < CARRIER_FRONT)
        (void)rest_line_wake(q, &c->rest, CARRIER_FRONT - awake);
}

void carriers_wake(struct queue *q)
{
    LIST_FOR(node, &q->carriers) {
        wake_rests(q, CONTAINER_OF(node, struct carrier, node));
    }
}

static void lease_waiting(struct queue *q, struct carrier *c)
{
    struct ipc_channel *to = c->instance ? deliver_peer(q, c->instance) : NULL;

    if (!to || !queue_has_told(q, c->instance))
        return;
    while (!list_empty(&c->waiting))
        if (!lease(to, CONTAINER_OF(c->waiting.next, struct recipient, node)))
            return;
    wake_rests(q, c);
    if (!c->suspect && !list_empty(&c->suspects)) {
        struct recipient *r = CONTAINER_OF(c->suspects.next, struct recipient, node);
        if (lease(to, r))
            c->suspect = r;
    }
}

void carrier_lease_over(struct recipient *r)
{
    struct queue *q = r->message->queue;

    LIST_FOR(node, &q->carriers) {
        struct carrier *c = CONTAINER_OF(node, struct carrier, node);
        if (c->suspect != r)
            continue;
        c->suspect = NULL;
        lease_waiting(q, c);
        return;
    }
}

/* ---- carriers ---- */

static void carrier_free(struct carrier *c)
{
    list_remove(&c->node);
    rest_line_done(c->queue, &c->rest);
    free(c->user);
    free(c);
}

/* System accounts each have a process of their own; one account for all has one for all users. */
static struct str carrier_user(const struct queue *q, const struct recipient *r)
{
    const struct config *config = q->worker->config;

    if (kind_of(r) != IPC_DELIVERY_TARGET)
        return STR("");
    if (r->route < config->n_routes && config_route_account(config, &config->routes[r->route]).text.n)
        return STR("");
    return str_from_c(r->user);
}

static struct carrier *carrier_find(struct queue *q, const struct recipient *r)
{
    struct str user = carrier_user(q, r);

    LIST_FOR(node, &q->carriers) {
        struct carrier *c = CONTAINER_OF(node, struct carrier, node);
        if (c->generation == q->worker->generation && c->route == r->route && c->domain_index == r->domain_index &&
            c->kind == kind_of(r) && str_eq(str_from_c(c->user), user))
            return c;
    }
    return NULL;
}

static bool is_crowded(const struct queue *q)
{
    return q->content_memory > CROWD_MEMORY || q->n_messages > QUEUE_AWAKE_MAX;
}

static struct carrier *carrier_new(struct queue *q, const struct recipient *r)
{
    struct carrier *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct carrier){
        .queue = q,
        .generation = q->worker->generation,
        .route = r->route,
        .domain_index = r->domain_index,
        .kind = kind_of(r),
        .user = text_copy(carrier_user(q, r)),
        .ticket = ++q->next_ticket,
    };
    list_init(&c->waiting);
    list_init(&c->suspects);
    list_init(&c->node);
    bool asked = c->user && ipc_send_deliver_ask(q->worker->main, &(struct ipc_deliver_ask){
                                                                      .ticket = c->ticket,
                                                                      .generation = c->generation,
                                                                      .route = c->route,
                                                                      .domain_index = c->domain_index,
                                                                      .kind = (uint8_t)c->kind,
                                                                      .user = str_from_c(c->user),
                                                                  });
    if (!asked) {
        carrier_free(c);
        return NULL;
    }
    list_append(&q->carriers, &c->node);
    return c;
}

void carrier_add(struct recipient *r)
{
    struct queue *q = r->message->queue;
    struct carrier *c = carrier_find(q, r);

    if (!c)
        c = carrier_new(q, r);
    r->state = RECIPIENT_CARRIER;
    if (!c) {
        attempt_fails(r, IPC_TEMP, LOG_REASON_STORAGE, "4.3.0", STR("no deliver process: short of memory"));
        return;
    }
    list_remove(&r->node);
    list_append(r->deaths ? &c->suspects : &c->waiting, &r->node);
    lease_waiting(q, c);
    if (r->state == RECIPIENT_CARRIER && (c->rest.n || is_crowded(q)))
        message_tire(r->message);
}

struct rest_line *carrier_line(struct message *m)
{
    const struct recipient *r = show_speaker(m);
    struct carrier *c;

    if (m->lined || !r || r->state != RECIPIENT_CARRIER || r->deaths || m->active != 1 || m->pins != 1 ||
        message_count(m, PROGRESS_WAITING) != 1)
        return NULL;
    c = carrier_find(m->queue, r);
    return c && (c->rest.n || is_crowded(m->queue)) ? &c->rest : NULL;
}

/* Ends C; those that waited there go to REST. */
static void carrier_end(struct carrier *c, struct list *rest)
{
    struct list *node;

    list_init(rest);
    while ((node = list_take(&c->waiting)) || (node = list_take(&c->suspects)))
        list_append(rest, node);
    rest_line_hasten(c->queue, &c->rest);
    carrier_free(c);
}

static void carry_again(struct list *rest)
{
    for (struct list *node; (node = list_take(rest));)
        carrier_add(CONTAINER_OF(node, struct recipient, node));
}

/* Main does not start a process for them: not now, or (what an alias may not do) not ever. */
static void fail_all(struct list *rest, uint8_t status, struct str text)
{
    bool for_good = status == IPC_PERM;

    while (!list_empty(rest))
        attempt_fails(CONTAINER_OF(rest->next, struct recipient, node), for_good ? IPC_PERM : IPC_TEMP,
                      for_good ? LOG_REASON_POLICY : LOG_REASON_LOOKUP, for_good ? "5.7.1" : "4.3.0", text);
}

void carrier_answer(struct queue *q, const struct ipc_deliver_answer *a)
{
    LIST_FOR(node, &q->carriers) {
        struct carrier *c = CONTAINER_OF(node, struct carrier, node);
        if (c->instance || c->ticket != a->ticket)
            continue;
        struct list rest;
        if (a->status == IPC_OK && deliver_peer(q, a->instance)) {
            c->instance = a->instance;
            lease_waiting(q, c);
            return;
        }
        carrier_end(c, &rest);
        /* Its channel came before this answer: it has died meanwhile, and main will have heard of it, too. */
        if (a->status == IPC_OK)
            carry_again(&rest);
        else
            fail_all(&rest, a->status, a->text);
        return;
    }
}

void carrier_credit(struct queue *q, struct ipc_channel *peer)
{
    LIST_FOR(node, &q->carriers) {
        struct carrier *c = CONTAINER_OF(node, struct carrier, node);
        if (c->instance == peer->instance)
            lease_waiting(q, c);
    }
}

/* ---- what they say ---- */

static enum ipc_result result_of(uint8_t status)
{
    return status == IPC_OK || status == IPC_PERM ? (enum ipc_result)status : IPC_TEMP;
}

static void carried(struct recipient *r, uint8_t status, struct str code, struct str text, int64_t usec)
{
    r->kept = false;
    recipient_outcome(r, &(struct outcome){
                             .result = result_of(status),
                             .status = code,
                             .text = text,
                             .site = STR("local"),
                             .send_usec = usec,
                         });
    carrier_lease_over(r);
    message_settle(r->message);
}

static void on_outcome(struct queue *q, struct ipc_channel *from, const struct ipc_outcome *o)
{
    struct recipient *r = queue_recipient(q, o->id, o->number);

    if (r && r->state == RECIPIENT_LEASED && r->lease == o->lease && r->carrier == from->instance)
        carried(r, o->status, o->code, o->text, (int64_t)o->usec);
    else
        ipc_send_settled(from, &(struct ipc_settled){ .lease = o->lease });
}

static void settle_old(struct ipc_channel *from, const struct ipc_kept *k)
{
    if (k->finished)
        ipc_send_settled(from, &(struct ipc_settled){ .lease = k->lease });
}

static void on_kept(struct queue *q, struct ipc_channel *from, const struct ipc_kept *k)
{
    struct voucher_of of = { .process = from, .lease = k->lease, .id = k->id };
    struct voucher_row row;
    struct str rows;

    if (!queue_may_tell(q, from)) {
        settle_old(from, k);
        return;
    }
    if (!voucher_is_true(q, k->voucher, of, &rows) || !voucher_row_take(&rows, &row) || rows.n) {
        queue_mistrust(q, from, "it claims a lease that it was not given");
        return;
    }
    struct recipient *r = queue_recipient(q, k->id, row.number);
    bool waits = r && r->state != RECIPIENT_LEASED && voucher_holds(&row, r);

    /* What it failed at is tried again; what is on disk is old news. */
    if (!waits || (k->finished && result_of(k->status) != IPC_OK)) {
        settle_old(from, k);
        return;
    }
    queue_withdraw(r);
    r->lease = k->lease;
    r->carrier = from->instance;
    if (k->finished) {
        carried(r, IPC_OK, k->code, k->text, 0);
        return;
    }
    r->state = RECIPIENT_LEASED;
    r->kept = true;
    r->message->active++;
}

void carrier_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m)
{
    switch (m->type) {
    case IPC_OUTCOME:
        on_outcome(q, from, &m->outcome);
        break;
    case IPC_KEPT:
        on_kept(q, from, &m->kept);
        break;
    default:
        break;
    }
}

/* ---- their end ---- */

void carrier_peer_gone(struct queue *q, struct ipc_channel *peer)
{
    for (struct list *node = q->carriers.next, *next; node != &q->carriers; node = next) {
        struct carrier *c = CONTAINER_OF(node, struct carrier, node);
        next = node->next;
        if (c->instance != peer->instance)
            continue;
        struct list rest;
        carrier_end(c, &rest);
        /* Not begun: they wait for its successor. */
        carry_again(&rest);
    }
    queue_leases_of(q, peer);
}

/* References to directives hold within one configuration: what waits is routed again under the new one. */
void carriers_reconfigured(struct queue *q)
{
    for (struct list *node = q->carriers.next, *next; node != &q->carriers; node = next) {
        struct carrier *c = CONTAINER_OF(node, struct carrier, node);
        struct list rest;
        next = node->next;
        carrier_end(c, &rest);
        for (struct list *r; (r = list_take(&rest));) {
            CONTAINER_OF(r, struct recipient, node)->state = RECIPIENT_ROUTING;
            list_append(&q->unrouted, r);
        }
    }
    attempts_route(q);
}
