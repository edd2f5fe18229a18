/* queue/peers.c -- the other processes: who has told what it kept, and what becomes of the leases of who ended (DESIGN 3). */
#include "core/num.h"
#include "queue/queue.h"

struct ipc_channel *queue_peer(struct queue *q, enum process_kind kind, uint32_t instance)
{
    for (size_t i = 0; i < q->worker->n_peers; i++) {
        struct ipc_channel *c = q->worker->peers[i];
        if (c->peer == kind && c->instance == instance && !c->closed)
            return c;
    }
    return NULL;
}

bool queue_has_told(const struct queue *q, uint32_t instance)
{
    for (size_t i = 0; i < q->n_told; i++)
        if (q->told[i] == instance)
            return true;
    return false;
}

bool queue_may_tell(const struct queue *q, const struct ipc_channel *from)
{
    return from->instance < q->worker->instance && !queue_has_told(q, from->instance);
}

void queue_mistrust(struct queue *q, struct ipc_channel *from, const char *what)
{
    ipc_channel_nonsense(from, what);
    ipc_send_mistrusted(q->worker->main, &(struct ipc_mistrusted){
                                             .kind = (uint8_t)from->peer,
                                             .instance = from->instance,
                                             .why = str_from_c(from->why),
                                         });
}

void queue_heard(struct queue *q, struct ipc_channel *from)
{
    if (!queue_has_told(q, from->instance) && q->n_told < WORKER_PEERS_MAX)
        q->told[q->n_told++] = from->instance;
    if (from->peer == PROCESS_DELIVER)
        carrier_credit(q, from);
    else
        sites_post(q);
}

void queue_forget(struct queue *q, uint32_t instance)
{
    for (size_t i = 0; i < q->n_told; i++)
        if (q->told[i] == instance)
            q->told[i] = q->told[--q->n_told];
}

struct recipient *queue_recipient(struct queue *q, uint64_t id, uint32_t number)
{
    struct message *m = message_have(q, (struct queue_id){ id });

    for (uint32_t i = 0; m && i < m->n_recipients; i++)
        if (m->recipients[i].number == number)
            return &m->recipients[i];
    return NULL;
}

void queue_withdraw(struct recipient *r)
{
    if (r->state == RECIPIENT_LINED) {
        schedule_remove(r);
        return;
    }
    attempt_unroute(r);
    recipient_unpin(r);
    if (r->state != RECIPIENT_IDLE)
        r->message->active--;
    r->state = RECIPIENT_IDLE;
}

/* A Maildir finds what an earlier attempt left there; nothing else does (DESIGN 3, Twice). */
static bool finds_itself(const struct queue *q, const struct recipient *r)
{
    const struct config *config = q->worker->config;

    return r->rule && r->generation == q->worker->generation && r->route < config->n_routes &&
           config->routes[r->route].targets[0].kind == CONFIG_TARGET_MAILDIR;
}

void queue_leases_of(struct queue *q, const struct ipc_channel *gone)
{
    bool here = gone->peer == PROCESS_DELIVER;
    struct str text = here ? STR("the deliver process ended before it was done")
                           : STR("the send process ended before it was done");

    for (size_t i = 0; i < q->index_room; i++) {
        struct message *m = q->index[i];
        bool any = false;
        for (uint32_t k = 0; m && k < m->n_recipients; k++) {
            struct recipient *r = &m->recipients[k];
            if (r->state != RECIPIENT_LEASED || r->carrier != gone->instance)
                continue;
            recipient_interrupted(r, text, here ? STR("local") : STR_NONE);
            if (!finds_itself(q, r))
                record_duplicate(m, r, here ? "the deliver process ended with it in hand"
                                            : "the send process ended with it in hand");
            any = true;
        }
        if (any)
            message_settle(m);
    }
}

void queue_died(struct queue *q, const struct ipc_died *died)
{
    for (size_t i = 0; i + 8 <= died->ids.n; i += 8) {
        struct message *m = message_have(q, (struct queue_id){ le64_get(died->ids.p + i) });
        for (uint32_t k = 0; m && k < m->n_recipients; k++)
            if (m->recipients[k].progress == PROGRESS_WAITING)
                m->recipients[k].deaths++;
        if (!m)
            continue;
        /* Counted on disk: it may be at rest between two deaths. */
        m->dirty = true;
        message_settle(m);
    }
}
