/* queue/take.c -- messages from receive: ids, files, commits, and what became of a commit of a former queue. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "io/fd.h"
#include "queue/queue.h"

/* A message on its way to the disk, and who waits for it. */
struct taking {
    struct spool_commit commit;
    struct queue *queue;
    struct message *message;
    uint32_t instance;
    uint64_t ticket;
    size_t octets;
    bool own_file;
    struct list node; /* of takings */
    int64_t handed_usec;
    bool abandoned; /* its client was told 451: it must not stand */
};

static struct ipc_channel *queue_intake(struct queue *q, uint32_t instance)
{
    struct ipc_channel *c = queue_peer(q, PROCESS_RECEIVE, instance);

    return c ? c : queue_peer(q, PROCESS_SUBMIT, instance);
}

/* ---- files ---- */

bool take_lent_back(struct queue *q, uint64_t file, uint32_t instance)
{
    for (size_t i = 0; i < q->n_lent; i++) {
        if (q->lent[i].file != file || q->lent[i].instance != instance)
            continue;
        q->lent[i] = q->lent[--q->n_lent];
        return true;
    }
    return false;
}

static void on_file_ask(struct queue *q, struct ipc_channel *from, const struct ipc_file_ask *ask)
{
    struct ipc_file_answer answer = { .ticket = ask->ticket, .status = IPC_STORAGE_FAILED };
    struct spool_file file = { .fd = -1 };
    struct spool_figures figures;

    if (q->n_lent < QUEUE_LENT_MAX && spool_file_take(q->spool, &file)) {
        q->lent[q->n_lent++] = (struct lent){ file.number, from->instance };
        answer.status = IPC_STORED;
        answer.file = file.number;
    } else {
        spool_figures(q->spool, &figures);
        if (figures.health == SPOOL_HEALTH_FULL)
            answer.status = IPC_NO_SPACE;
    }
    ipc_send_file_answer(from, &answer, file.fd);
    fd_close(&file.fd);
}

void take_peer_gone(struct queue *q, struct ipc_channel *peer)
{
    for (size_t i = 0; i < q->n_lent;) {
        if (q->lent[i].instance == peer->instance) {
            spool_file_return(q->spool, q->lent[i].file);
            q->lent[i] = q->lent[--q->n_lent];
        } else {
            i++;
        }
    }
}

/* ---- commits ---- */

/* What is left of the time of a commit, now; 0 when it is over: its client has its 451, or is about to (ADR 0006). */
static int64_t patience_left(const struct taking *t)
{
    int64_t left = IPC_COMMIT_MSEC - (io_clock_usec() - t->handed_usec) / 1000;

    return left > 0 ? left : 0;
}

static void answer_commit(struct queue *q, uint32_t instance, uint64_t ticket, enum ipc_storage status,
                          unsigned batch, int64_t sync_usec)
{
    struct ipc_channel *to = queue_intake(q, instance);

    if (to)
        ipc_send_commit_answer(to, &(struct ipc_commit_answer){
                                       .ticket = ticket,
                                       .status = (uint8_t)status,
                                       .batch = batch,
                                       .sync_usec = (uint64_t)sync_usec,
                                   });
}

static void on_void(struct spool_commit *commit, const struct spool_result *result)
{
    struct message *m = CONTAINER_OF(commit, struct message, commit);

    (void)result;
    message_remove(m->queue, m);
    message_free(m);
}

/* It became durable after its client had its 451: no copy of it may be delivered (RFC 5321 4.2.5). */
static void take_back(struct queue *q, struct message *m)
{
    struct spool_batch *batch = spool_batch_new();
    struct spool_submit how = { .urgency = SPOOL_URGENT, .owed = true };
    struct err err = { 0 };

    m->commit.done = on_void;
    if (batch && spool_batch_void(batch, m->id) && spool_submit(q->spool, batch, how, &m->commit, &err))
        return;
    spool_batch_free(batch);
    /* It stays in the index as something being taken: nobody attempts it while this queue lives. */
}

/* A limit of its sender is exceeded: the hold is in the frame of the message (a crash leaves both or neither). */
static bool must_hold(const struct message *m)
{
    return m->hold_reason != NULL;
}

static void begin(struct message *m)
{
    if (!must_hold(m)) {
        message_ready(m);
        return;
    }
    m->state = MESSAGE_HELD;
    free(m->written_reason);
    m->written_reason = NULL;
    record_hold(m, m->held, str_from_c(m->hold_reason));
    message_tire(m);
}

/* Should it become durable yet, it is taken back. */
static void abandon(struct taking *t)
{
    t->abandoned = true;
    answer_commit(t->queue, t->instance, t->ticket, IPC_STORAGE_FAILED, 0, 0);
}

static void on_durable(struct spool_commit *commit, const struct spool_result *result)
{
    struct taking *t = CONTAINER_OF(commit, struct taking, commit);
    struct queue *q = t->queue;
    enum ipc_storage status = result->status == SPOOL_OK         ? IPC_STORED
                              : result->status == SPOOL_NO_SPACE ? IPC_NO_SPACE
                                                                 : IPC_STORAGE_FAILED;

    if (!t->abandoned && !patience_left(t))
        abandon(t);
    /* INV-1: this callback comes after the sync of the whole frame. */
    if (!t->abandoned)
        answer_commit(q, t->instance, t->ticket, status, result->messages, result->sync_usec);
    q->commit_memory -= t->octets;
    list_remove(&t->node);
    if (status == IPC_STORED && t->abandoned) {
        take_back(q, t->message);
    } else if (status == IPC_STORED) {
        q->taken++;
        /* The body is in its file: it is opened when the message is read back for its attempt. */
        if (t->own_file)
            message_drop_content(t->message);
        begin(t->message);
    } else {
        message_remove(q, t->message);
        message_free(t->message);
    }
    queue_look_at_spool(q);
    free(t);
}

/* There are recipients, and an outcome names one of them. */
static bool numbers_rise(const struct message *m)
{
    for (uint32_t i = 1; i < m->n_recipients; i++)
        if (m->recipients[i].number <= m->recipients[i - 1].number)
            return false;
    return m->n_recipients > 0;
}

/*
 * What stands in an envelope that others than those who take mail write: reports are ours, next hops an administrator's,
 * and who called sendmail(1) is known to submit alone.
 */
static bool may_say(const struct envelope *e, enum process_kind who)
{
    if (e->report != ENVELOPE_NO_REPORT || (e->uid_plus && who != PROCESS_SUBMIT))
        return false;
    for (size_t i = 0; i < e->n_recipients; i++)
        if (e->recipients[i].route.n)
            return false;
    return true;
}

/* A receive process may have been taken over: what it says is looked at before it reaches the disk. */
static struct message *message_of(struct queue *q, enum process_kind who, const struct ipc_commit_ask *ask,
                                  struct err *err)
{
    struct message *m;

    if (ask->token.n != SPOOL_TOKEN_OCTETS || !ask->id || message_find(q, (struct queue_id){ ask->id }) ||
        rest_find(q, (struct queue_id){ ask->id })) {
        err_perm(err, "a commit that cannot be");
        return NULL;
    }
    m = message_new(q, (struct queue_id){ ask->id }, io_wall_msec());
    if (!m)
        goto fail;
    m->content = content_copy(q, ask->envelope, ask->head, ask->body);
    if (!m->content || !content_decode(m->content, err) ||
        !message_recipients(m, &m->content->envelope, STR_NONE, err))
        goto fail;
    if (!numbers_rise(m) || !may_say(&m->content->envelope, who)) {
        err_perm(err, "an envelope that cannot be");
        goto fail;
    }
    struct str held = m->content->envelope.held;
    m->held = held.n ? LOG_REASON_LIMIT : LOG_REASON_NONE;
    if (held.n && (!(m->hold_reason = text_copy(held)) || !(m->written_reason = message_hold_text(m))))
        goto fail;
    if (message_insert(q, m))
        return m;
fail:
    message_free(m);
    return NULL;
}

static bool submit(struct queue *q, struct taking *t, const struct ipc_commit_ask *ask, struct err *err)
{
    struct content *c = t->message->content;
    struct spool_batch *batch = spool_batch_new();
    struct spool_message sm = {
        .id = t->message->id,
        .accepted_utc_msec = t->message->accepted_msec,
        .envelope = c->envelope_octets,
        .head = c->head,
        .body = c->body,
        .file = ask->file,
        .file_octets = ask->file_size,
    };
    struct spool_submit how = { .urgency = SPOOL_URGENT };

    memcpy(sm.token.octet, ask->token.p, SPOOL_TOKEN_OCTETS);
    if (batch && spool_batch_message(batch, &sm) &&
        (!must_hold(t->message) || spool_batch_hold(batch, sm.id, str_from_c(t->message->written_reason))) &&
        spool_submit(q->spool, batch, how, &t->commit, err))
        return true;
    spool_batch_free(batch);
    return false;
}

/* Sessions of all receive processes that are in data now: the frame may wait a little for them. */
static void expect(struct queue *q, const struct ipc_channel *from, uint32_t expected)
{
    unsigned sum = 0;

    for (size_t i = 0; i < q->worker->n_peers; i++) {
        if (q->worker->peers[i] == from)
            q->expected[i] = expected ? expected - 1 : 0;
        if ((1U << q->worker->peers[i]->peer & SET_INTAKE))
            sum += q->expected[i];
    }
    spool_expect(q->spool, sum);
}

/* Who says that it comes from the future gains no time by it. */
static int64_t handed_usec(const struct ipc_commit_ask *ask)
{
    int64_t now = io_clock_usec();

    return ask->handed_usec < (uint64_t)now ? (int64_t)ask->handed_usec : now;
}

static void on_commit_ask(struct queue *q, struct ipc_channel *from, const struct ipc_commit_ask *ask)
{
    struct err err = { 0 };
    struct taking *t = NULL;
    struct message *m = NULL;
    bool lent = !ask->file || take_lent_back(q, ask->file, from->instance), is_short = memory_is_short(q);

    expect(q, from, ask->expected);
    if (lent && !q->stopping && !is_short && q->commit_memory < QUEUE_COMMITS_MAX)
        m = message_of(q, from->peer, ask, &err);
    if (m)
        t = calloc(1, sizeof(*t));
    if (!t)
        goto fail;
    *t = (struct taking){
        .commit = { .done = on_durable },
        .queue = q,
        .message = m,
        .instance = from->instance,
        .ticket = ask->ticket,
        .octets = m->content->n,
        .own_file = ask->file != 0,
        .handed_usec = handed_usec(ask),
    };
    list_init(&t->node);
    if (patience_left(t) && submit(q, t, ask, &err)) {
        q->commit_memory += t->octets;
        list_append(&q->takings, &t->node);
        if (!io_timer_pending(&q->patience))
            io_timer_start(&q->patience, patience_left(t));
        return;
    }
fail:
    if (m) {
        message_remove(q, m);
        message_free(m);
    }
    if (ask->file && lent)
        spool_file_return(q->spool, ask->file);
    free(t);
    answer_commit(q, from->instance, ask->ticket, is_short ? IPC_NO_MEMORY : IPC_STORAGE_FAILED, 0, 0);
}

void take_overdue(struct queue *q)
{
    while (!list_empty(&q->takings)) {
        struct taking *t = CONTAINER_OF(q->takings.next, struct taking, node);
        int64_t left = patience_left(t);
        if (left) {
            io_timer_start(&q->patience, left);
            return;
        }
        list_remove(&t->node);
        abandon(t);
    }
}

void take_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m)
{
    struct queue_id id = QUEUE_ID_NONE;

    switch (m->type) {
    case IPC_IDS_ASK: {
        bool is_short = memory_is_short(q);
        bool given = !is_short && m->ids_ask.count > 0 && m->ids_ask.count <= SPOOL_IDS_MAX &&
                     spool_take_ids(q->spool, m->ids_ask.count, &id);
        ipc_send_ids_answer(from, &(struct ipc_ids_answer){
                                      .ticket = m->ids_ask.ticket,
                                      .first = given ? id.n : 0,
                                      .count = given ? m->ids_ask.count : 0,
                                      .status = given      ? IPC_STORED
                                                : is_short ? IPC_NO_MEMORY
                                                           : IPC_STORAGE_FAILED,
                                  });
        break;
    }
    case IPC_FILE_ASK:
        on_file_ask(q, from, &m->file_ask);
        break;
    case IPC_FILE_RETURN:
        if (take_lent_back(q, m->file_return.file, from->instance))
            spool_file_return(q->spool, m->file_return.file);
        break;
    case IPC_COMMIT_ASK:
        on_commit_ask(q, from, &m->commit_ask);
        break;
    case IPC_TOKEN_ASK: {
        struct spool_token token = { 0 };
        bool stands = false;
        if (m->token_ask.token.n == SPOOL_TOKEN_OCTETS) {
            memcpy(token.octet, m->token_ask.token.p, SPOOL_TOKEN_OCTETS);
            stands = spool_token_find(q->spool, &token, &id) == SPOOL_TOKEN_ACCEPTED;
        }
        ipc_send_token_answer(from, &(struct ipc_token_answer){
                                        .ticket = m->token_ask.ticket,
                                        .stands = stands,
                                        .id = id.n,
                                    });
        break;
    }
    default:
        break;
    }
}
