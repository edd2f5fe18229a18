/* queue/report_digest.c -- what could not be returned, told to the postmaster at once (RFC 5321 6.1). */
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"
#include "queue/report.h"

enum { DIGEST_LISTED_MAX = 200 };

/* Messages that end with the digest that tells of them: one frame. */
struct digest {
    struct spool_commit commit;
    struct queue *queue;
    struct message *report;
    struct message **messages;
    size_t n;
    bool none; /* all were looked at, and not one waits; such that are being written just now do */
};

static void digest_free(struct digest *g)
{
    free(g->messages);
    free(g);
}

static void on_digest(struct spool_commit *commit, const struct spool_result *result)
{
    struct digest *g = CONTAINER_OF(commit, struct digest, commit);
    struct queue *q = g->queue;

    if (result->status != SPOOL_OK)
        return;
    record_report(g->report, NULL, "dsn", "failed", g->n, STR("postmaster"));
    q->reports++;
    for (size_t i = 0; i < g->n; i++) {
        record_done(g->messages[i]);
        message_remove(q, g->messages[i]);
        message_free(g->messages[i]);
    }
    message_ready(g->report);
    digest_free(g);
}

static bool collect(struct digest *g)
{
    struct queue *q = g->queue;

    g->messages = calloc(q->n_messages ? q->n_messages : 1, sizeof(struct message *));
    if (!g->messages)
        return false;
    g->none = true;
    for (size_t i = 0; i < q->index_room; i++) {
        struct message *m = q->index[i];
        if (!m || !m->digest)
            continue;
        g->none = false;
        if (!m->writing && !m->active && m->state == MESSAGE_LIVE)
            g->messages[g->n++] = m;
    }
    return g->n > 0;
}

static void list_failures(const struct digest *g, struct message_report *report,
                          struct message_report_recipient *recipients, struct arena *a)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct message *m = g->messages[i];
        struct queue_id_text id = queue_id_text(m->id);
        for (uint32_t k = 0; k < m->n_recipients; k++) {
            const struct recipient *r = &m->recipients[k];
            if (!report_unreported(r))
                continue;
            if (report->n_recipients == DIGEST_LISTED_MAX) {
                report->left_out++;
                continue;
            }
            recipients[report->n_recipients++] = (struct message_report_recipient){
                .about = arena_str(a, str_from_c(id.c)),
                .status = str_from_c(r->status),
                .code = r->code,
                .reply = str_from_c(r->text),
                .from_peer = r->from_peer,
                .remote_mta = str_from_c(r->host),
                .attempts = r->attempts,
                .first_msec = m->accepted_msec,
                .last_msec = r->last_msec,
            };
        }
    }
}

static bool write_digest(struct digest *g, struct draft *d, struct spool_batch *batch)
{
    struct queue *q = g->queue;
    struct arena *a = arena_new(REPORT_OCTETS_MAX);
    struct buf text = BUF_INIT(REPORT_OCTETS_MAX);
    struct message_report_recipient *recipients =
        a ? ARENA_NEW_ARRAY(a, DIGEST_LISTED_MAX, struct message_report_recipient) : NULL;
    struct queue_id id;
    bool eight_bit = false, ok = recipients && spool_take_ids(q->spool, 1, &id);

    if (ok) {
        struct queue_id_text id_text = queue_id_text(id);
        struct message_report report = {
            .kind = MESSAGE_REPORT_DIGEST,
            .hostname = q->worker->config->session.hostname.text,
            .from = report_own_address(q, a),
            .to = str_from_c(d->to),
            .id = str_from_c(id_text.c),
            .utc_msec = io_wall_msec(),
            .recipients = recipients,
        };
        list_failures(g, &report, recipients, a);
        ok = message_report_write(&text, &report, &eight_bit) &&
             report_write(g->messages[0], d, batch, &text, eight_bit, id, a);
    }
    for (size_t i = 0; ok && i < g->n; i++)
        ok = spool_batch_gone(batch, g->messages[i]->id);
    arena_free(a);
    buf_done(&text);
    return ok;
}

static bool submit_digest(struct digest *g, struct draft *d)
{
    struct spool_submit how = { .urgency = SPOOL_RIDES, .owed = true };
    struct spool_batch *batch = spool_batch_new();
    struct err err = { 0 };

    g->commit.done = on_digest;
    if (batch && write_digest(g, d, batch) && spool_submit(g->queue->spool, batch, how, &g->commit, &err))
        return true;
    spool_batch_free(batch);
    if (d->report)
        report_undo(d->report);
    return false;
}

void report_digest_due(struct wheel_node *node)
{
    struct queue *q = CONTAINER_OF(node, struct queue, digest_due);
    struct digest *g = calloc(1, sizeof(*g));
    struct draft d = { .kind = MESSAGE_REPORT_DIGEST };
    struct buf words = BUF_INIT(1024);
    struct str to = report_postmaster(q, &words);
    bool sent = false;

    list_init(&d.node);
    d.to = text_copy(to);
    if (g)
        g->queue = q;
    if (g && d.to && to.n && collect(g) && report_address(q, &d) && submit_digest(g, &d)) {
        g->report = d.report;
        for (size_t i = 0; i < g->n; i++)
            g->messages[i]->state = MESSAGE_ENDING;
        sent = true;
    }
    /* Out of memory, say: nobody else would ever come back to those that wait. */
    if (!sent && !(g && g->none))
        queue_wait(q, &q->digest_due, queue_now(q) + QUEUE_MOMENT_MSEC);
    if (!sent && g)
        digest_free(g);
    for (size_t i = 0; i < d.n_to; i++) {
        free(d.locals[i]);
        free(d.domains[i]);
    }
    free(d.locals);
    free(d.domains);
    free(d.to);
    buf_done(&words);
}
