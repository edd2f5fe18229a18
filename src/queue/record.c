/* queue/record.c -- what the log says of messages that go out, and of the spool (FACE 3.2). */
#include <inttypes.h>
#include <stdio.h>

#include "queue/queue.h"

void record_address(struct log_record *r, enum log_field f, const struct envelope_recipient *er)
{
    struct buf text = BUF_INIT(4096);

    log_text(r, f, recipient_address(er, &text));
    buf_done(&text);
}

static enum log_reason reason_of(struct str status)
{
    if (str_ends(status, STR(".2.2")))
        return LOG_REASON_MAILBOX_FULL;
    if (str_ends(status, STR(".1.1")))
        return LOG_REASON_NO_USER;
    if (str_ends(status, STR(".4.6")))
        return LOG_REASON_LOOP;
    return LOG_REASON_REFUSED;
}

void record_outcome(const struct recipient *r, enum ipc_result result, struct str status, struct str text,
                    int64_t now_usec)
{
    static const enum log_event events[] = { LOG_EVENT_DELIVER, LOG_EVENT_DEFER, LOG_EVENT_FAIL };
    const struct message *m = r->message;
    const struct content *c = m->content;
    const struct envelope_recipient *er = c && c->arena ? &c->envelope.recipients[r->index] : NULL;
    struct log_record rec;

    if (!log_wants(events[result]))
        return;
    log_start(&rec, events[result]);
    log_id(&rec, m->id);
    if (result != IPC_OK)
        log_reason(&rec, reason_of(status));
    log_number(&rec, LOG_ATTEMPT, r->attempts);
    if (r->rule)
        log_text_c(&rec, LOG_ROUTE, r->rule);
    log_text_c(&rec, LOG_SITE, "local");
    log_text(&rec, LOG_STATUS, status);
    if (result == IPC_TEMP)
        log_time(&rec, LOG_NEXT, io_wall_msec() + QUEUE_RETRY_MSEC);
    log_seconds(&rec, LOG_DELAY, (io_wall_msec() - m->accepted_msec) * 1000);
    if (r->began_usec)
        log_seconds(&rec, LOG_T_SEND, now_usec - r->began_usec);
    if (er) {
        log_number(&rec, LOG_SIZE, (int64_t)c->envelope.size);
        log_text(&rec, LOG_FROM, er->has_sender ? er->sender : c->envelope.sender);
        record_address(&rec, LOG_TO, er);
        log_text(&rec, LOG_ORIGINAL, er->original);
    }
    log_text(&rec, result == IPC_OK ? LOG_REPLY : LOG_ERROR, text);
    log_send(&rec);
}

void record_done(const struct message *m)
{
    struct log_record rec;

    if (!log_wants(LOG_EVENT_DONE))
        return;
    log_start(&rec, LOG_EVENT_DONE);
    log_id(&rec, m->id);
    log_number(&rec, LOG_RECIPIENTS, m->n_recipients);
    log_number(&rec, LOG_DELIVERED, m->n_recipients);
    log_number(&rec, LOG_FAILED, 0);
    log_seconds(&rec, LOG_SECONDS, (io_wall_msec() - m->accepted_msec) * 1000);
    log_send(&rec);
}

void record_hold(const struct message *m, enum log_reason reason, struct str error)
{
    struct log_record rec;

    log_start(&rec, LOG_EVENT_HOLD);
    log_id(&rec, m->id);
    log_reason(&rec, reason);
    log_number(&rec, LOG_RECIPIENTS, m->n_recipients);
    log_text(&rec, LOG_ERROR, error);
    log_send(&rec);
}

void record_unsettled(const struct message *m, const struct err *err)
{
    struct log_record rec;

    log_start(&rec, LOG_EVENT_SPOOL);
    log_id(&rec, m->id);
    log_text_c(&rec, LOG_STATE, "refusing");
    log_text_c(&rec, LOG_CAUSE, err->text);
    log_text_c(&rec, LOG_ERROR, "an outcome was not written; the message is tried again");
    log_send(&rec);
}

/* HEALTH, and what led to it. */
static void record_health(enum spool_health health, const struct spool_figures *f)
{
    static const char *const states[] = { "ok", "refusing", "refusing" };
    static const char *const says[] = {
        "new mail is taken again",
        "short of space: new mail gets 452 4.3.1 until there is more",
        "new mail gets 451 4.3.0; a new try every 30s",
    };
    struct log_record rec;
    char segment[16];

    log_start_level(&rec, LOG_EVENT_SPOOL, health == SPOOL_HEALTH_OK ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR);
    log_text_c(&rec, LOG_STATE, states[health]);
    if (health != SPOOL_HEALTH_OK && f->cause[0])
        log_text_c(&rec, LOG_CAUSE, f->cause);
    if (health == SPOOL_HEALTH_REFUSING && f->failed_segment) {
        snprintf(segment, sizeof(segment), "%08" PRIx32, f->failed_segment);
        log_text_c(&rec, LOG_SEGMENT, segment);
        log_number(&rec, LOG_RECORDS, f->failed_records);
    }
    log_text_c(&rec, LOG_ERROR, says[health]);
    log_send(&rec);
}

void record_spool(struct queue *q)
{
    struct spool_figures f;

    spool_figures(q->spool, &f);
    bool failed = f.failures != q->failures;
    if (f.health == q->health && !failed)
        return;
    q->health = f.health;
    q->failures = f.failures;
    /* What another segment made good at once was a failure all the same: its messages got 451. */
    if (failed && f.health != SPOOL_HEALTH_REFUSING)
        record_health(SPOOL_HEALTH_REFUSING, &f);
    record_health(f.health, &f);
}
