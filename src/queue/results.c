/* queue/results.c -- what a send process says of its transfers, be they of this queue or of the one before it (DESIGN 3). */
#include "queue/transfer.h"

#include "core/num.h"
#include "queue/voucher.h"

enum { RESULT_FIXED = 9, CODE_CLOSING = 421 };

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

static struct recipient *numbered(struct transfer *t, uint32_t number)
{
    LIST_FOR(node, &t->recipients) {
        struct recipient *r = CONTAINER_OF(node, struct recipient, node);
        if (r->number == number)
            return r;
    }
    return NULL;
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
        o.tls = told->tls;
        o.site = str_from_c(site->limits->name);
        o.queue_usec = t->queue_usec;
        o.connect_usec = (int64_t)told->connect_usec;
        o.send_usec = (int64_t)told->send_usec;
        tally.n[o.result]++;
        if (o.result == IPC_TEMP)
            tally.reply = o.text;
        transfer_outcome(site, r, &o);
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
        o.tls = told->tls;
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

void results_transferred(struct queue *q, struct ipc_channel *from, const struct ipc_transferred *told)
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
    transfer_back(t);
    transfer_free(t);
    if (again)
        ipc_send_settled(from, &(struct ipc_settled){ .lease = told->lease });
    /* Held or removed meanwhile, or in a line where it is not under way: then there is something to write, too. */
    message_settle(m);
    c->made += !again;
    connection_next(c);
}

/* The results are of the recipients that it was leased, of each one. */
static bool are_of(struct str results, uint32_t count, struct str rows)
{
    struct voucher_row row;
    struct result got;

    while (voucher_row_take(&rows, &row))
        if (!count-- || !take_result(&results, &got) || got.number != row.number)
            return false;
    return !count && !results.n;
}

/* Waits for what the lease of ROW was to do, and nobody has it. */
static struct recipient *waiting(struct queue *q, uint64_t id, const struct voucher_row *row)
{
    struct recipient *r = queue_recipient(q, id, row->number);

    return r && r->state != RECIPIENT_LEASED && voucher_holds(row, r) ? r : NULL;
}

/* Recipients whose outcome is not on disk yet have it now; for the others this is old news. */
static void kept_finished(struct queue *q, struct ipc_channel *from, const struct ipc_transfer_kept *k, struct str rows)
{
    struct message *m = message_have(q, (struct queue_id){ k->id });
    struct str rest = k->results;
    struct voucher_row row;
    struct result got;
    bool any = false;

    while (m && voucher_row_take(&rows, &row) && take_result(&rest, &got)) {
        struct recipient *r = got.result == IPC_AGAIN ? NULL : waiting(q, k->id, &row);
        if (!r)
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
}

static void kept_in_progress(struct queue *q, const struct ipc_channel *from, const struct ipc_transfer_kept *k,
                             struct str rows)
{
    struct voucher_row row;

    while (voucher_row_take(&rows, &row)) {
        struct recipient *r = waiting(q, k->id, &row);
        if (!r)
            continue;
        queue_withdraw(r);
        r->state = RECIPIENT_LEASED;
        r->kept = true;
        r->lease = k->lease;
        r->carrier = from->instance;
        r->message->active++;
    }
}

void results_kept(struct queue *q, struct ipc_channel *from, const struct ipc_transfer_kept *k)
{
    struct voucher_of of = { .process = from, .lease = k->lease, .id = k->id };
    struct str rows;

    if (!queue_may_tell(q, from))
        return;
    /* A process that has been taken over says nothing of what it never had. */
    if (!voucher_is_true(q, k->voucher, of, &rows))
        queue_mistrust(q, from, "it claims a lease that it was not given");
    else if (k->finished && !are_of(k->results, k->count, rows))
        queue_mistrust(q, from, "results of a lease that are not of its recipients");
    else if (k->finished)
        kept_finished(q, from, k, rows);
    else
        kept_in_progress(q, from, k, rows);
}
