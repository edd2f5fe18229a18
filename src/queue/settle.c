/* queue/settle.c -- outcomes in memory, then on disk, then told: nothing is forgotten before it is durable (INV-11). */
#include <stdlib.h>

#include "queue/queue.h"
#include "route/retry.h"

/* ---- the outcome of one recipient ---- */

static char *text_kept(char *former, struct str text)
{
    free(former);
    return text_copy(str_head(text, PROGRESS_TEXT_MAX));
}

static int64_t age_limit(const struct recipient *r)
{
    const struct config *config = r->message->queue->worker->config;

    return (int64_t)(r->message->report ? config->expire_bounces.msec : attempt_sending(r)->expire.msec);
}

int64_t message_left(const struct message *m)
{
    const struct recipient *r = show_speaker(m);

    return r ? age_limit(r) - message_waited(m) : INT64_MAX / 2;
}

static bool has_expired(const struct recipient *r)
{
    const struct message *m = r->message;

    /*
     * From disk, a first failure in this run ends nothing: a clock that leapt while we were away would bounce all
     * that waits (DESIGN 5, Time).
     */
    if (m->recovered && !m->tried)
        return false;
    return message_waited(m) >= age_limit(r);
}

/* When it is tried again: by the schedule, and the last time at its deadline. */
static void set_next(struct recipient *r)
{
    struct message *m = r->message;
    const struct config_sending *s = attempt_sending(r);
    int64_t wait = route_retry_wait(s->retry.items, s->retry.n, r->attempts, m->id.n * 31 + r->attempts);
    int64_t left = age_limit(r) - message_waited(m);

    if (left > 0 && wait > left)
        wait = left;
    r->due_msec = queue_now(m->queue) + wait;
    r->next_msec = io_wall_msec() + wait;
}

static struct str expired_text(const struct recipient *r, const struct outcome *o, struct buf *out)
{
    static const struct {
        int64_t msec;
        const char *name;
    } units[] = { { 86400000, "days" }, { 3600000, "hours" }, { 60000, "minutes" }, { 1000, "seconds" } };
    int64_t age = message_waited(r->message);
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(units) && age < 2 * units[i].msec)
        i++;
    buf_printf(out, "not delivered for %d %s; last: ", (int)(age / units[i].msec), units[i].name);
    if (o->from_peer && o->code)
        buf_printf(out, "%u %.*s ", o->code, STR_ARG(o->status));
    buf_add(out, o->text);
    return buf_str(out);
}

static void count_outcome(struct queue *q, enum ipc_result result)
{
    if (result == IPC_OK)
        q->delivered++;
    else if (result == IPC_TEMP)
        q->deferred_sum++;
    else
        q->failed_sum++;
}

static void keep_outcome(struct recipient *r, const struct outcome *o)
{
    r->attempts++;
    r->last_msec = io_wall_msec();
    if (!r->first_msec)
        r->first_msec = r->last_msec;
    r->code = o->code;
    r->from_peer = o->from_peer;
    /* Its message ends with it: nobody reads the words any more. */
    if (o->result == IPC_OK && r->message->n_recipients == 1)
        return;
    r->status = text_kept(r->status, o->status);
    r->text = text_kept(r->text, o->text);
    r->on_reply = text_kept(r->on_reply, o->on_reply);
    r->host = text_kept(r->host, o->host);
    r->peer = text_kept(r->peer, o->peer);
    r->site = text_kept(r->site, o->site);
}

void recipient_outcome(struct recipient *r, const struct outcome *told)
{
    struct message *m = r->message;
    struct outcome o = *told;
    struct buf words = BUF_INIT(4 * PROGRESS_TEXT_MAX);

    if (o.reason == LOG_REASON_NONE)
        o.reason = record_reason(&o);
    list_remove(&r->node);
    recipient_unpin(r);
    keep_outcome(r, &o);
    if (o.result == IPC_TEMP && has_expired(r)) {
        o = (struct outcome){
            .result = IPC_PERM,
            .reason = LOG_REASON_EXPIRED,
            .stage = told->stage,
            .status = STR("5.4.7"),
            .text = expired_text(r, told, &words),
            .host = told->host,
            .peer = told->peer,
            .tls = told->tls,
            .site = told->site,
        };
    }
    r->reason = o.reason;
    r->progress = o.result == IPC_OK ? PROGRESS_DELIVERED : o.result == IPC_PERM ? PROGRESS_FAILED : PROGRESS_WAITING;
    if (o.result == IPC_TEMP) {
        set_next(r);
        r->warn_msec = report_warning(r);
        r->warn_of = r->warned;
        m->tried = true;
    }
    record_outcome(r, &o, o.reason);
    count_outcome(m->queue, o.result);
    buf_done(&words);
    if (r->state != RECIPIENT_IDLE) {
        r->state = RECIPIENT_IDLE;
        m->active--;
    }
    m->dirty = true;
}

void recipient_interrupted(struct recipient *r, struct str text, struct str site)
{
    struct message *m = r->message;
    struct outcome o = {
        .result = IPC_TEMP,
        .reason = LOG_REASON_LOST,
        .status = STR("4.3.0"),
        .text = text,
        .site = site,
    };

    list_remove(&r->node);
    recipient_unpin(r);
    r->lease = 0;
    r->kept = false;
    r->reason = o.reason;
    r->due_msec = queue_now(m->queue) + QUEUE_MOMENT_MSEC;
    r->next_msec = io_wall_msec() + QUEUE_MOMENT_MSEC;
    record_outcome(r, &o, o.reason);
    if (r->state != RECIPIENT_IDLE)
        m->active--;
    r->state = RECIPIENT_IDLE;
}

void attempt_outcome(struct recipient *r, const struct outcome *o)
{
    struct message *m = r->message;

    recipient_outcome(r, o);
    message_settle(m);
}

void attempt_fails(struct recipient *r, enum ipc_result result, enum log_reason reason, const char *status,
                   struct str text)
{
    attempt_outcome(r, &(struct outcome){
                           .result = result,
                           .reason = reason,
                           .status = str_from_c(status),
                           .text = text,
                       });
}

void message_hold(struct message *m, enum log_reason reason, struct str text)
{
    m->held = reason;
    free(m->hold_reason);
    m->hold_reason = text_copy(text);
    m->dirty = true;
}

/* ---- to disk ---- */

static bool put_progress(struct message *m)
{
    buf_clear(&m->state_octets);
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        struct progress p = {
            .number = r->number,
            .state = r->progress,
            .attempts = r->attempts,
            .deaths = r->deaths,
            .first_msec = r->first_msec,
            .last_msec = r->last_msec,
            .next_msec = r->next_msec,
            .code = r->code,
            .warned = r->warned,
            .from_peer = r->from_peer,
            .status = str_from_c(r->status),
            .text = str_from_c(r->text),
            .on_reply = str_from_c(r->on_reply),
            .host = str_from_c(r->host),
            .peer = str_from_c(r->peer),
            .site = str_from_c(r->site),
            .reason = r->reason ? str_from_c(log_reason_text(r->reason)) : STR_NONE,
            .released = m->released,
            .early = m->early,
            .warn_msec = m->warnable && r->progress == PROGRESS_WAITING ? report_warning(r) : 0,
        };
        if ((r->attempts || r->deaths || r->warned || m->released || m->early || r->progress != PROGRESS_WAITING) &&
            !progress_encode(&m->state_octets, &p, 1))
            return false;
    }
    return true;
}

static struct ipc_channel *holder_of(struct queue *q, uint32_t instance)
{
    struct ipc_channel *c = queue_peer(q, PROCESS_DELIVER, instance);

    return c ? c : queue_peer(q, PROCESS_SEND, instance);
}

/* Deliver and send processes may forget what they kept. */
static void tell_settled(struct message *m)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if (!r->writing)
            continue;
        struct ipc_channel *to = r->lease && r->lease != last ? holder_of(m->queue, r->carrier) : NULL;
        if (to)
            ipc_send_settled(to, &(struct ipc_settled){ .lease = r->lease });
        last = r->lease;
        r->lease = 0;
        r->writing = false;
    }
}

static void mark_writing(struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        m->recipients[i].writing = m->recipients[i].lease && m->recipients[i].state == RECIPIENT_IDLE;
}

static void on_settled(struct spool_commit *commit, const struct spool_result *result)
{
    struct message *m = CONTAINER_OF(commit, struct message, commit);
    struct queue *q = m->queue;

    buf_done(&m->state_octets);
    /* Owed: it is written in the end, or the spool closes and the successor hears it from those who keep it. */
    if (result->status != SPOOL_OK)
        return;
    m->writing = false;
    tell_settled(m);
    report_stands(m);
    edit_stands(m);
    /* What was asked for after this was begun is in the next one. */
    if (m->state == MESSAGE_ENDING || !m->dirty)
        select_settled(m);
    queue_look_at_spool(q);
    if (m->state == MESSAGE_ENDING) {
        record_done(m);
        message_remove(q, m);
        message_free(m);
    } else {
        if (m->state == MESSAGE_HELD && m->written_reason)
            record_hold(m, m->held, str_from_c(m->hold_reason));
        free(m->written_reason);
        m->written_reason = NULL;
        if (m->dirty || report_wanted(m))
            message_settle(m);
        else
            message_wait(m);
    }
    io_task_post(&q->pump);
}

/* Nothing is left to do for anybody. */
static bool is_over(const struct message *m)
{
    return m->removing || message_count(m, PROGRESS_WAITING) + message_count(m, PROGRESS_FAILED) == 0;
}

static bool fill_batch(struct message *m, struct spool_batch *batch, bool rest)
{
    if (!report_add(m, batch) || !edit_add(m, batch))
        return false;
    if (rest && is_over(m)) {
        m->state = MESSAGE_ENDING;
        return spool_batch_gone(batch, m->id);
    }
    if (m->releasing && !spool_batch_release(batch, m->id, STR("released")))
        return false;
    if (!put_progress(m) || !spool_batch_outcome(batch, m->id, m->version + 1, buf_str(&m->state_octets)))
        return false;
    /* What is held already stays so. */
    if (!rest || m->held == LOG_REASON_NONE || m->state == MESSAGE_HELD)
        return true;
    m->state = MESSAGE_HELD;
    free(m->written_reason);
    m->written_reason = message_hold_text(m);
    return m->written_reason && spool_batch_hold(batch, m->id, str_from_c(m->written_reason));
}

/* Nothing is lost: the spool knows the former state, and whoever had the lease keeps the outcome until told. */
static void write_failed(struct message *m, enum message_state former, const struct err *err)
{
    struct queue *q = m->queue;

    m->state = former;
    buf_done(&m->state_octets);
    report_drop(m);
    record_unsettled(m, err);
    m->dirty = true;
    queue_wait(q, &m->due, queue_now(q) + QUEUE_MOMENT_MSEC);
}

static bool write_state(struct message *m, bool rest)
{
    struct spool_submit how = { .urgency = SPOOL_RIDES, .owed = true };
    struct spool_batch *batch = spool_batch_new();
    enum message_state former = m->state;
    struct err err = { 0 };

    m->commit.done = on_settled;
    if (!batch || !fill_batch(m, batch, rest)) {
        err_temp(&err, "out of memory");
        goto fail;
    }
    if (!spool_submit(m->queue->spool, batch, how, &m->commit, &err))
        goto fail;
    m->version++;
    m->writing = true;
    m->dirty = false;
    m->releasing = false;
    mark_writing(m);
    /* Held, or at its end: nobody looks at it any more. */
    if (m->state != former)
        list_remove(&m->node);
    return true;
fail:
    spool_batch_free(batch);
    write_failed(m, former, &err);
    return false;
}

/* The message is held, or ends: what no process has in hand yet goes nowhere. */
static void leave_lines(struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].state != RECIPIENT_IDLE && m->recipients[i].state != RECIPIENT_LEASED)
            queue_withdraw(&m->recipients[i]);
}

/* All that still waits is to be held, because a route says so. */
static void hold_by_route(struct message *m)
{
    const struct recipient *held = NULL;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (r->progress == PROGRESS_WAITING && !r->held)
            return;
        if (r->progress == PROGRESS_WAITING)
            held = r;
    }
    if (held && m->held == LOG_REASON_NONE && !m->removing)
        message_hold(m, LOG_REASON_ROUTE, str_from_c(held->rule));
}

void message_settle(struct message *m)
{
    if (m->state == MESSAGE_TAKING || m->state == MESSAGE_ENDING || m->state == MESSAGE_READING)
        return;
    hold_by_route(m);
    if (m->held != LOG_REASON_NONE || m->removing)
        leave_lines(m);
    if (m->writing) {
        m->dirty = true;
        return;
    }
    if (!m->reporting && report_wanted(m))
        report_begin(m);
    if (m->reporting && !report_is_ready(m))
        return;
    /* What could not be written has its time to be tried again. */
    if ((m->dirty || m->reporting || (!m->active && is_over(m))) && !write_state(m, !m->active))
        return;
    message_wait(m);
}
