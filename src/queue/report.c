/*
 * queue/report.c -- what a sender is told, written together with the outcome that it tells of (INV-11; RFC 3464, 5321 6.1).
 *
 * A report about a message goes to each reverse-path that its failed recipients have (a list's owner has one of his own).
 * Where that is an address of ours, lookup says first what it becomes by aliases: the report is a message of its own, and
 * nobody expands it later. A report that itself cannot be returned is told to the postmaster, one by one up to
 * QUEUE_POSTMASTER_HOUR in an hour; those beyond stay in the queue until one digest tells of all.
 */
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "queue/queue.h"
#include "queue/report.h"

enum { HOUR_MSEC = 3600 * 1000 };

/* ---- who is told ---- */

bool report_unreported(const struct recipient *r)
{
    return r->progress == PROGRESS_FAILED;
}

static int64_t next_of(const struct config_times *ages, const struct recipient *r)
{
    return r->warned < ages->n ? (int64_t)ages->items[r->warned] : -1;
}

int64_t report_warning(const struct recipient *r)
{
    if (attempt_is_routed(r))
        return next_of(&attempt_sending(r)->delay_warning, r);
    /* Told since then: which age is the next its route says at the next attempt. */
    return r->warn_msec && r->warn_of != r->warned ? -1 : r->warn_msec;
}

/* The age at which its sender is told next; -1: never. */
static int64_t warning_age(const struct recipient *r)
{
    int64_t age = report_warning(r);

    if (!r->message->warnable || r->progress != PROGRESS_WAITING)
        return -1;
    return age ? age : next_of(&attempt_sending(r)->delay_warning, r);
}

static bool warning_is_due(const struct recipient *r)
{
    int64_t age = warning_age(r);

    return age >= 0 && message_waited(r->message) >= age;
}

bool report_wanted(const struct message *m)
{
    if (m->active || m->digest || m->removing || m->state == MESSAGE_HELD || m->report_msec > queue_now(m->queue))
        return false;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (report_unreported(&m->recipients[i]) || warning_is_due(&m->recipients[i]))
            return true;
    return false;
}

int64_t report_due(const struct message *m)
{
    int64_t due = -1, now = queue_now(m->queue);

    if (m->digest || m->removing)
        return -1;
    if (m->report_msec > now)
        return m->report_msec;

    for (uint32_t i = 0; m->warnable && i < m->n_recipients; i++) {
        int64_t age = warning_age(&m->recipients[i]);
        int64_t at = m->since_msec + age - m->age_msec + message_embargo_whole(m);
        if (age >= 0 && (due < 0 || at < due))
            due = at;
    }
    /* Told when the attempt under way is over. */
    return m->active && due <= now ? -1 : due;
}

static struct str sender_of(const struct envelope *e, const struct recipient *r)
{
    const struct envelope_recipient *er = &e->recipients[r->index];

    return er->has_sender ? er->sender : e->sender;
}

static void reporting_free(struct reporting *rep)
{
    if (!rep)
        return;
    rep->message->reporting = NULL;
    while (!list_empty(&rep->drafts))
        draft_free(CONTAINER_OF(rep->drafts.next, struct draft, node));
    list_remove(&rep->node);
    free(rep);
}

/* ---- the postmaster ---- */

struct str report_postmaster(const struct queue *q, struct buf *out)
{
    const struct config_address *p = &q->worker->config->postmaster;

    buf_clear(out);
    if (!p->domain.n)
        return STR_NONE;
    buf_printf(out, "%.*s@%.*s", STR_ARG(p->local), STR_ARG(p->domain));
    return buf_str(out);
}

/* True when he may be told of one more in this hour. The oldest of the last ones is at the end. */
static bool postmaster_has_time(struct queue *q)
{
    int64_t oldest = q->postmaster_told[QUEUE_POSTMASTER_HOUR - 1];

    return !oldest || queue_now(q) - oldest >= HOUR_MSEC;
}

static void postmaster_is_told(struct queue *q)
{
    memmove(q->postmaster_told + 1, q->postmaster_told, sizeof(q->postmaster_told) - sizeof(q->postmaster_told[0]));
    q->postmaster_told[0] = queue_now(q);
}

/* It ends with the digest: not before all of it is over. */
static void wait_for_digest(struct message *m)
{
    struct queue *q = m->queue;

    if (message_count(m, PROGRESS_WAITING))
        return;
    m->digest = true;
    if (!wheel_is_set(&q->digest_due))
        queue_wait(q, &q->digest_due, q->postmaster_told[QUEUE_POSTMASTER_HOUR - 1] + HOUR_MSEC);
}

/* Of those without a reverse-path nobody is told: the log has said it. */
static void give_up(struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (report_unreported(&m->recipients[i]) && !sender_of(&m->content->envelope, &m->recipients[i]).n)
            m->recipients[i].progress = PROGRESS_RETURNED;
    m->dirty = true;
}

/* ---- begin ---- */

/* What is not told of now is told of when this is: by the digest, or in further reports. */
static bool tell_of(struct reporting *rep, const struct envelope *e, struct recipient *r, bool to_postmaster)
{
    struct queue *q = rep->message->queue;
    struct str to = sender_of(e, r);
    struct buf words = BUF_INIT(1024);
    enum message_report_kind kind = report_unreported(r) ? MESSAGE_REPORT_FAILED : MESSAGE_REPORT_DELAYED;
    struct draft *d = NULL;
    bool ok = true;

    if (!to.n && report_unreported(r) && to_postmaster) {
        to = report_postmaster(q, &words);
        kind = MESSAGE_REPORT_DOUBLE;
    } else if (!to.n && !report_unreported(r)) {
        /* Nobody is there to be warned. */
        r->warned++;
        rep->message->dirty = true;
    }
    if (to.n && draft_has_room(rep, kind, to)) {
        d = draft_for(rep, kind, to);
        ok = d && draft_number(d, r->number);
    }
    buf_done(&words);
    return ok;
}

static bool null_failures(const struct message *m, const struct envelope *e)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (report_unreported(&m->recipients[i]) && !sender_of(e, &m->recipients[i]).n)
            return true;
    return false;
}

static bool begin_drafts(struct reporting *rep, bool to_postmaster)
{
    struct message *m = rep->message;
    const struct envelope *e = &m->content->envelope;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        if ((report_unreported(r) || warning_is_due(r)) && !tell_of(rep, e, r, to_postmaster))
            return false;
    }
    LIST_FOR(node, &rep->drafts) {
        struct draft *d = CONTAINER_OF(node, struct draft, node);
        /* A reverse-path that is no address cannot be told anything; the session would have refused it. */
        if (!report_address(m->queue, d))
            return false;
    }
    return true;
}

void report_begin(struct message *m)
{
    struct queue *q = m->queue;
    struct reporting *rep;

    if (!message_has_content(m)) {
        message_ready(m);
        return;
    }
    bool nulls = null_failures(m, &m->content->envelope);
    bool is_last = m->content->envelope.report == ENVELOPE_POSTMASTER_REPORT;
    if (nulls && (is_last || !q->worker->config->postmaster.domain.n)) {
        give_up(m);
        nulls = false;
        if (!report_wanted(m))
            return;
    }
    bool to_postmaster = nulls && postmaster_has_time(q);
    if (to_postmaster)
        postmaster_is_told(q);
    rep = calloc(1, sizeof(*rep));
    if (rep) {
        *rep = (struct reporting){ .message = m };
        list_init(&rep->node);
        list_init(&rep->drafts);
        m->reporting = rep;
        bool begun = begin_drafts(rep, to_postmaster);
        if (begun && !list_empty(&rep->drafts)) {
            message_pin(m);
            if (!report_is_ready(m))
                list_append(&q->reportings, &rep->node);
            reports_ask(q);
            return;
        }
        reporting_free(rep);
        if (begun && nulls)
            wait_for_digest(m);
        if (begun)
            return;
    }
    m->report_msec = queue_now(q) + QUEUE_MOMENT_MSEC;
}

/* ---- lookup ---- */

bool report_is_ready(const struct message *m)
{
    LIST_FOR(node, &m->reporting->drafts) {
        if (CONTAINER_OF(node, struct draft, node)->asks)
            return false;
    }
    return true;
}

static bool ask(struct queue *q, struct ipc_channel *lookup, struct draft *d)
{
    struct buf recipients = BUF_INIT(8192);
    struct str parts[2] = { str_from_c(d->locals[0]), str_from_c(d->domains[0]) };
    char n[2];

    for (size_t i = 0; i < 2; i++) {
        le16_put(n, (uint16_t)parts[i].n);
        buf_add(&recipients, str_of(n, sizeof(n)));
        buf_add(&recipients, parts[i]);
    }
    bool ok = !recipients.failed && ipc_send_expand_ask(lookup, &(struct ipc_expand_ask){
                                                                    .ticket = ++q->next_ticket,
                                                                    .count = 1,
                                                                    .recipients = buf_str(&recipients),
                                                                });
    buf_done(&recipients);
    d->ticket = ok ? q->next_ticket : 0;
    return ok;
}

void reports_ask(struct queue *q)
{
    struct ipc_channel *lookup = worker_peer_of(q->worker, PROCESS_LOOKUP, q->worker->generation);

    LIST_FOR(at, &q->reportings) {
        LIST_FOR(node, &CONTAINER_OF(at, struct reporting, node)->drafts) {
            struct draft *d = CONTAINER_OF(node, struct draft, node);
            if (d->asks && !d->ticket && (!lookup || !ipc_may_ask(lookup) || !ask(q, lookup, d)))
                return;
        }
    }
}

void reports_lookup_gone(struct queue *q)
{
    LIST_FOR(at, &q->reportings) {
        LIST_FOR(node, &CONTAINER_OF(at, struct reporting, node)->drafts) {
            CONTAINER_OF(node, struct draft, node)->ticket = 0;
        }
    }
    reports_ask(q);
}

void report_expanded(struct queue *q, const struct ipc_expand_answer *a)
{
    LIST_FOR(at, &q->reportings) {
        struct reporting *rep = CONTAINER_OF(at, struct reporting, node);
        LIST_FOR(node, &rep->drafts) {
            struct draft *d = CONTAINER_OF(node, struct draft, node);
            if (!d->asks || !d->ticket || d->ticket != a->ticket)
                continue;
            d->asks = false;
            if (report_is_ready(rep->message))
                list_remove(&rep->node);
            /* What cannot be expanded is tried as it is, and fails by itself. */
            if (!a->refused)
                draft_expanded(d, a);
            message_settle(rep->message);
            reports_ask(q);
            return;
        }
    }
}

/* ---- with the outcome ---- */

static void mark(struct message *m, const struct draft *d, bool told)
{
    for (size_t i = 0; i < d->n_numbers; i++) {
        struct recipient *r = report_recipient(m, d->numbers[i]);
        if (!r)
            continue;
        if (d->kind == MESSAGE_REPORT_DELAYED)
            r->warned += told ? 1 : -1U;
        else
            r->progress = told ? PROGRESS_RETURNED : PROGRESS_FAILED;
    }
}

bool report_add(struct message *m, struct spool_batch *batch)
{
    if (!m->reporting)
        return true;
    LIST_FOR(node, &m->reporting->drafts) {
        struct draft *d = CONTAINER_OF(node, struct draft, node);
        if (!report_draft_add(m, d, batch))
            return false;
        mark(m, d, true);
        d->told = true;
    }
    return true;
}

void report_drop(struct message *m)
{
    if (!m->reporting)
        return;
    LIST_FOR(node, &m->reporting->drafts) {
        struct draft *d = CONTAINER_OF(node, struct draft, node);
        if (d->told)
            mark(m, d, false);
        if (d->report)
            report_undo(d->report);
    }
    reporting_free(m->reporting);
    message_unpin(m);
}

static void stands(struct message *m, const struct draft *d)
{
    static const char *const actions[] = {
        [MESSAGE_REPORT_FAILED] = "failed",
        [MESSAGE_REPORT_DELAYED] = "delayed",
        [MESSAGE_REPORT_DOUBLE] = "failed",
    };

    m->queue->reports++;
    record_report(d->report, m, "dsn", actions[d->kind], d->n_numbers, str_from_c(d->to));
    message_ready(d->report);
}

void report_stands(struct message *m)
{
    if (!m->reporting)
        return;
    LIST_FOR(node, &m->reporting->drafts) {
        stands(m, CONTAINER_OF(node, struct draft, node));
    }
    reporting_free(m->reporting);
    message_unpin(m);
}
