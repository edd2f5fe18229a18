/* queue/record.c -- what the log says of messages that go out, and of the spool (FACE 3.2). */
#include <inttypes.h>
#include <stdio.h>

#include "queue/queue.h"

enum { CLEANING_MSEC = 600 * 1000 }; /* between records of it */

void record_address(struct log_record *r, enum log_field f, const struct envelope_recipient *er)
{
    struct buf text = BUF_INIT(4096);

    log_text(r, f, recipient_address(er, &text));
    buf_done(&text);
}

static enum log_reason reason_of_stage(const struct outcome *o)
{
    if (!o->from_peer && str_contains(o->text, STR("timed out")))
        return LOG_REASON_TIMEOUT;
    if (!o->from_peer && o->stage == SMTP_STAGE_CONNECT)
        return LOG_REASON_CONNECT;
    if (!o->from_peer && o->stage != SMTP_STAGE_NONE)
        return LOG_REASON_LOST;
    return LOG_REASON_REFUSED;
}

/* By the enhanced code: subject and detail say the same in both classes (RFC 3463 3). */
enum log_reason record_reason(const struct outcome *o)
{
    static const struct {
        struct str detail;
        enum log_reason reason;
    } known[] = {
        { STR_INIT(".1.1"), LOG_REASON_NO_USER },     { STR_INIT(".1.10"), LOG_REASON_NULL_MX },
        { STR_INIT(".2.2"), LOG_REASON_MAILBOX_FULL }, { STR_INIT(".3.4"), LOG_REASON_TOO_BIG },
        { STR_INIT(".4.6"), LOG_REASON_LOOP },         { STR_INIT(".4.7"), LOG_REASON_EXPIRED },
        { STR_INIT(".6.3"), LOG_REASON_CONVERSION },   { STR_INIT(".6.7"), LOG_REASON_NO_EXTENSION },
        { STR_INIT(".6.9"), LOG_REASON_NO_EXTENSION }, { STR_INIT(".7.28"), LOG_REASON_RATE },
    };

    if (o->result == IPC_OK)
        return LOG_REASON_NONE;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_ends(o->status, known[i].detail))
            return known[i].reason;
    if (o->from_peer && o->result == IPC_TEMP && str_contains(o->text, STR("reylist")))
        return LOG_REASON_GREYLIST;
    if (str_contains(o->status, STR(".7.")))
        return LOG_REASON_POLICY;
    return reason_of_stage(o);
}

void record_on_reply(struct log_record *rec, struct str on_reply)
{
    struct str rule = on_reply, action = str_cut(&rule, ' ');

    if (!on_reply.n)
        return;
    log_text(rec, LOG_ON_REPLY, action);
    log_text(rec, LOG_ON_REPLY_RULE, rule);
}

static void add_way(struct log_record *rec, const struct recipient *r, const struct outcome *o)
{
    if (r->rule)
        log_text_c(rec, LOG_ROUTE, r->rule);
    if (o->site.n)
        log_text(rec, LOG_SITE, o->site);
    if (o->host.n)
        log_text(rec, LOG_HOST, o->host);
    if (o->peer.n)
        log_text(rec, LOG_PEER, o->peer);
    if (o->tls.n)
        log_text(rec, LOG_TLS, o->tls);
    if (o->stage != SMTP_STAGE_NONE)
        log_text(rec, LOG_STAGE, smtp_stage_name(o->stage));
    if (o->code)
        log_number(rec, LOG_CODE, o->code);
    log_text(rec, LOG_STATUS, o->status);
    record_on_reply(rec, o->on_reply);
}

static void add_times(struct log_record *rec, const struct recipient *r, const struct outcome *o)
{
    if (o->result == IPC_TEMP)
        log_time(rec, LOG_NEXT, r->next_msec);
    log_seconds(rec, LOG_DELAY, message_age(r->message) * 1000);
    if (o->queue_usec)
        log_seconds(rec, LOG_T_QUEUE, o->queue_usec);
    if (o->connect_usec)
        log_seconds(rec, LOG_T_CONNECT, o->connect_usec);
    if (o->send_usec)
        log_seconds(rec, LOG_T_SEND, o->send_usec);
}

static void add_addresses(struct log_record *rec, const struct recipient *r)
{
    const struct envelope *e = message_envelope(r->message);

    if (!e) {
        log_number(rec, LOG_NUMBER, r->number);
        log_text_c(rec, LOG_NOTE, "the recipient of that number; its envelope cannot be read");
        return;
    }
    const struct envelope_recipient *er = &e->recipients[r->index];
    log_text(rec, LOG_FROM, er->has_sender ? er->sender : e->sender);
    if (er->kind == ENVELOPE_ADDRESS)
        record_address(rec, LOG_TO, er);
    else
        log_text(rec, LOG_TO, er->local);
    log_text(rec, LOG_ORIGINAL, er->original);
}

/* What the peer said is a reply as it would stand in a session; all else is told by us. */
static void add_words(struct log_record *rec, const struct outcome *o)
{
    struct buf words = BUF_INIT(2048);

    if (!o->from_peer && o->result != IPC_OK) {
        log_text(rec, LOG_ERROR, o->text);
        return;
    }
    buf_printf(&words, "%.*s %.*s", STR_ARG(o->status), STR_ARG(o->text));
    log_text(rec, LOG_REPLY, str_trim(buf_str(&words)));
    buf_done(&words);
}

static void record_discard(const struct recipient *r)
{
    struct log_record rec;

    if (!log_wants(LOG_EVENT_DISCARD))
        return;
    log_start(&rec, LOG_EVENT_DISCARD);
    log_id(&rec, r->message->id);
    if (r->rule)
        log_text_c(&rec, LOG_ROUTE, r->rule);
    add_addresses(&rec, r);
    log_send(&rec);
}

void record_outcome(const struct recipient *r, const struct outcome *o, enum log_reason reason)
{
    static const enum log_event events[] = { LOG_EVENT_DELIVER, LOG_EVENT_DEFER, LOG_EVENT_FAIL };
    const struct envelope *e;
    struct log_record rec;

    if (o->discarded) {
        record_discard(r);
        return;
    }
    if (!log_wants(events[o->result]))
        return;
    e = message_envelope(r->message);
    log_start(&rec, events[o->result]);
    log_id(&rec, r->message->id);
    if (o->result != IPC_OK)
        log_reason(&rec, reason);
    log_number(&rec, LOG_ATTEMPT, r->attempts);
    add_way(&rec, r, o);
    add_times(&rec, r, o);
    if (e)
        log_number(&rec, LOG_SIZE, (int64_t)e->size);
    add_addresses(&rec, r);
    add_words(&rec, o);
    log_send(&rec);
}

void record_report(const struct message *report, const struct message *about, const char *kind, const char *action,
                   size_t recipients, struct str to)
{
    struct log_record rec;

    if (!log_wants(LOG_EVENT_REPORT))
        return;
    log_start(&rec, LOG_EVENT_REPORT);
    log_id(&rec, report->id);
    log_text_c(&rec, LOG_KIND, kind);
    if (about) {
        struct queue_id_text id = queue_id_text(about->id);
        log_text_c(&rec, LOG_ABOUT, id.c);
    }
    log_text_c(&rec, LOG_ACTION, action);
    log_number(&rec, LOG_RECIPIENTS, (int64_t)recipients);
    log_text(&rec, LOG_TO, to);
    log_send(&rec);
}

void record_duplicate(const struct message *m, const struct recipient *r, const char *cause)
{
    struct log_record rec;

    log_start(&rec, LOG_EVENT_DUPLICATE);
    log_id(&rec, m->id);
    log_text_c(&rec, LOG_CAUSE, cause);
    add_addresses(&rec, r);
    log_send(&rec);
}

void record_done(const struct message *m)
{
    size_t delivered = message_count(m, PROGRESS_DELIVERED) + message_count(m, PROGRESS_EXPANDED);
    struct log_record rec;

    if (!log_wants(LOG_EVENT_DONE))
        return;
    log_start(&rec, LOG_EVENT_DONE);
    log_id(&rec, m->id);
    log_number(&rec, LOG_RECIPIENTS, m->n_recipients);
    log_number(&rec, LOG_DELIVERED, (int64_t)delivered);
    log_number(&rec, LOG_FAILED, (int64_t)(m->n_recipients - delivered));
    log_seconds(&rec, LOG_SECONDS, message_age(m) * 1000);
    log_send(&rec);
}

void record_hold(const struct message *m, enum log_reason reason, struct str error)
{
    struct log_record rec;

    log_start(&rec, LOG_EVENT_HOLD);
    log_id(&rec, m->id);
    log_reason(&rec, reason);
    log_number(&rec, LOG_RECIPIENTS, m->n_recipients);
    log_text(&rec, reason == LOG_REASON_ROUTE ? LOG_RULE : LOG_ERROR, error);
    log_send(&rec);
}

void record_act(struct queue_id id, enum ipc_act verb, struct str account, struct str command)
{
    static const char *const actions[] = {
        [IPC_ACT_FLUSH] = "flush",   [IPC_ACT_HOLD] = "hold",     [IPC_ACT_RELEASE] = "release",
        [IPC_ACT_REMOVE] = "remove", [IPC_ACT_BOUNCE] = "bounce",
    };
    struct log_record rec;

    if (!log_wants(LOG_EVENT_ADMIN))
        return;
    log_start(&rec, LOG_EVENT_ADMIN);
    log_text(&rec, LOG_ACCOUNT, account);
    log_text_c(&rec, LOG_ACTION, actions[verb]);
    log_id(&rec, id);
    log_text(&rec, LOG_COMMAND, command);
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

/* Seldom: it comes and goes with each segment. */
static void record_cleaning(struct queue *q, const struct spool_figures *f)
{
    struct log_record rec;

    if (!f->cleaning || (q->cleaning_said_msec && queue_now(q) - q->cleaning_said_msec < CLEANING_MSEC))
        return;
    q->cleaning_said_msec = queue_now(q);
    log_start_level(&rec, LOG_EVENT_SPOOL, LOG_LEVEL_INFO);
    log_text_c(&rec, LOG_STATE, "cleaning");
    log_number(&rec, LOG_SEGMENTS, f->segments);
    log_number(&rec, LOG_USED, (int64_t)f->log_octets);
    log_send(&rec);
}

void record_spool(struct queue *q)
{
    struct spool_figures f;

    spool_figures(q->spool, &f);
    record_cleaning(q, &f);
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
