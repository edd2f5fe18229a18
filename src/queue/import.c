/* queue/import.c -- `veredus spool import`: what was written out is taken in again, under a new id. */
#include <stdlib.h>
#include <string.h>

#include "message/progress.h"
#include "queue/keep.h"
#include "queue/rest.h"

enum { ARENA_MAX = 64 << 20 };

/* One on its way to the disk. Its octets follow it in memory: the spool borrows them. */
struct importing {
    struct spool_commit commit;
    struct queue *queue;
    uint32_t instance;
    uint64_t ticket;
    struct queue_id id;
    bool held;
    char octets[];
};

static void answer(struct ipc_channel *to, uint64_t ticket, enum ipc_storage status, bool already,
                   struct queue_id id, const char *error)
{
    if (to)
        ipc_send_spool_import_answer(to, &(struct ipc_spool_import_answer){
                                             .ticket = ticket,
                                             .status = (uint8_t)status,
                                             .already = already,
                                             .id = id.n,
                                             .error = str_from_c(error),
                                         });
}

static void on_durable(struct spool_commit *commit, const struct spool_result *result)
{
    struct importing *im = CONTAINER_OF(commit, struct importing, commit);
    struct queue *q = im->queue;
    enum ipc_storage status = result->status == SPOOL_OK         ? IPC_STORED
                              : result->status == SPOOL_NO_SPACE ? IPC_NO_SPACE
                                                                 : IPC_STORAGE_FAILED;

    /* It is read back like one that was found at the start. Without memory for its slot the next start finds
     * it. */
    if (status == IPC_STORED && rest_unknown(q, im->id, im->held))
        rests_pump(q);
    answer(queue_peer(q, PROCESS_CONTROL, im->instance), im->ticket, status, false, im->id, "");
    free(im);
}

/* Numbers name recipients in outcomes: they rise, and a state is of one that there is. */
static bool fits(const struct envelope *e, const struct progress *items, size_t n, struct err *err)
{
    size_t at = 0, left = e->n_recipients;

    for (size_t i = 1; i < e->n_recipients; i++)
        if (e->recipients[i].number <= e->recipients[i - 1].number)
            return err_perm(err, "the numbers of its recipients do not rise");
    for (size_t i = 0; i < n; i++) {
        while (at < e->n_recipients && e->recipients[at].number < items[i].number)
            at++;
        if (at == e->n_recipients || e->recipients[at].number != items[i].number)
            return err_perm(err, "it has a state of recipient %u, which there is not", items[i].number);
        left -= items[i].state != PROGRESS_WAITING && items[i].state != PROGRESS_FAILED;
    }
    return left > 0 || err_perm(err, "none of its recipients waits");
}

static bool understood(const struct ipc_spool_import_ask *ask, struct err *err)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct progress *items = NULL;
    struct envelope e;
    size_t n = 0;
    bool ok = a ? envelope_decode(ask->envelope, a, &e, err) &&
                      progress_decode(ask->state, a, &items, &n, err) && fits(&e, items, n, err)
                : err_temp(err, "out of memory");

    arena_free(a);
    return ok;
}

static struct str put(char **at, struct str octets)
{
    struct str out = str_of(*at, octets.n);

    if (octets.n)
        memcpy(*at, octets.p, octets.n);
    *at += octets.n;
    return out;
}

static bool submit(struct importing *im, const struct ipc_spool_import_ask *ask, struct err *err)
{
    struct spool_batch *batch = spool_batch_new();
    char *at = im->octets;
    struct str state = put(&at, ask->state), hold = put(&at, ask->hold);
    struct spool_message m = {
        .id = im->id,
        .accepted_utc_msec = ask->accepted_msec,
        .envelope = put(&at, ask->envelope),
        .body = put(&at, ask->body),
        .file = ask->file,
        .file_octets = ask->file_size,
    };
    struct spool_submit how = { .urgency = SPOOL_URGENT };

    memcpy(m.token.octet, ask->token.p, SPOOL_TOKEN_OCTETS);
    if (batch && spool_batch_message(batch, &m) &&
        (!state.n || spool_batch_outcome(batch, im->id, 1, state)) &&
        (!ask->held || spool_batch_hold(batch, im->id, hold)) &&
        spool_submit(im->queue->spool, batch, how, &im->commit, err))
        return true;
    spool_batch_free(batch);
    return false;
}

static bool is_known(struct queue *q, struct str octets, struct queue_id *id)
{
    struct spool_token token;

    memcpy(token.octet, octets.p, SPOOL_TOKEN_OCTETS);
    return spool_token_find(q->spool, &token, id) == SPOOL_TOKEN_ACCEPTED;
}

void import_message(struct queue *q, struct ipc_channel *from, const struct ipc_spool_import_ask *ask)
{
    size_t octets = ask->envelope.n + ask->state.n + ask->hold.n + ask->body.n;
    bool lent = !ask->file || take_lent_back(q, ask->file, from->instance), already = false;
    struct importing *im = NULL;
    struct err err = { 0 };
    struct queue_id id = QUEUE_ID_NONE;

    if (!lent || ask->token.n != SPOOL_TOKEN_OCTETS)
        err_perm(&err, "an import that cannot be");
    else
        already = is_known(q, ask->token, &id);
    if (err.kind == ERR_NONE && !already && understood(ask, &err))
        im = malloc(sizeof(*im) + octets);
    if (im && spool_take_ids(q->spool, 1, &id)) {
        *im = (struct importing){ .commit = { .done = on_durable },
                                  .queue = q,
                                  .instance = from->instance,
                                  .ticket = ask->ticket,
                                  .id = id,
                                  .held = ask->held };
        if (submit(im, ask, &err))
            return;
    }
    free(im);
    if (ask->file && lent)
        spool_file_return(q->spool, ask->file);
    answer(from, ask->ticket, already ? IPC_STORED : IPC_STORAGE_FAILED, already, id,
           err.kind == ERR_PERM ? err.text : "");
}
