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
#include <unistd.h>

#include "core/num.h"
#include "message/report.h"
#include "queue/queue.h"
#include "queue/report.h"
#include "smtp/address.h"

enum {
    DRAFTS_MAX = 64,              /* reverse-paths of one message: the rest is told when these are */
    LISTED_MAX = 300,             /* recipients a report tells of one by one */
    HEADER_MAX = 256 << 10,       /* of the header section that is returned */
    ENVELOPE_MAX = 1 << 20,
    HOUR_MSEC = 3600 * 1000,
};

struct reporting {
    struct list node; /* of the queue's, while a draft asks */
    struct message *message;
    struct list drafts;
};

/* ---- who is told ---- */

bool report_unreported(const struct recipient *r)
{
    return r->progress == PROGRESS_FAILED;
}

static bool warning_is_due(const struct recipient *r)
{
    const struct config_times *w = &attempt_sending(r)->delay_warning;

    return r->message->warnable && r->progress == PROGRESS_WAITING && r->warned < w->n &&
           message_waited(r->message) >= (int64_t)w->items[r->warned];
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
        const struct recipient *r = &m->recipients[i];
        const struct config_times *w = &attempt_sending(r)->delay_warning;
        if (r->progress != PROGRESS_WAITING || r->warned >= w->n)
            continue;
        int64_t at = m->since_msec + (int64_t)w->items[r->warned] - m->age_msec + message_embargo_whole(m);
        if (due < 0 || at < due)
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

/* ---- drafts ---- */

static void draft_free(struct draft *d)
{
    list_remove(&d->node);
    for (size_t i = 0; i < d->n_to; i++) {
        free(d->locals[i]);
        free(d->domains[i]);
    }
    free(d->locals);
    free(d->domains);
    free(d->numbers);
    free(d->to);
    free(d);
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

static bool draft_recipient(struct draft *d, struct str local, struct str domain)
{
    char **locals = realloc(d->locals, (d->n_to + 1) * sizeof(*locals));
    if (locals)
        d->locals = locals;
    char **domains = realloc(d->domains, (d->n_to + 1) * sizeof(*domains));
    if (domains)
        d->domains = domains;
    if (!locals || !domains)
        return false;
    d->locals[d->n_to] = text_copy(local);
    d->domains[d->n_to] = text_copy(domain);
    d->n_to++;
    return d->locals[d->n_to - 1] && d->domains[d->n_to - 1];
}

static bool draft_number(struct draft *d, uint32_t number)
{
    uint32_t *numbers = realloc(d->numbers, (d->n_numbers + 1) * sizeof(*numbers));

    if (!numbers)
        return false;
    d->numbers = numbers;
    d->numbers[d->n_numbers++] = number;
    return true;
}

static struct draft *draft_new(struct reporting *rep, enum message_report_kind kind, struct str to)
{
    struct draft *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    *d = (struct draft){ .kind = kind, .to = text_copy(to) };
    list_init(&d->node);
    list_append(&rep->drafts, &d->node);
    if (d->to)
        return d;
    draft_free(d);
    return NULL;
}

static struct draft *draft_of(struct reporting *rep, enum message_report_kind kind, struct str to, size_t *n)
{
    *n = 0;
    LIST_FOR(node, &rep->drafts) {
        struct draft *d = CONTAINER_OF(node, struct draft, node);
        if (d->kind == kind && str_eq(str_from_c(d->to), to))
            return d;
        ++*n;
    }
    return NULL;
}

static bool has_room(struct reporting *rep, enum message_report_kind kind, struct str to)
{
    size_t n;

    return draft_of(rep, kind, to, &n) || n < DRAFTS_MAX;
}

static struct draft *draft_for(struct reporting *rep, enum message_report_kind kind, struct str to)
{
    size_t n;
    struct draft *d = draft_of(rep, kind, to, &n);

    return d ? d : draft_new(rep, kind, to);
}

/* The address as written, in the parts that routing wants: local part without quotes, and domain. */
static bool split(struct arena *a, struct str address, struct str *local, struct str *domain)
{
    struct smtp_path path;

    if (smtp_mailbox_parse(a, address, &path) != SMTP_PATH_OK)
        return false;
    *local = path.local;
    *domain = path.domain;
    return true;
}

bool report_address(struct queue *q, struct draft *d)
{
    struct arena *a = arena_new(1 << 16);
    struct str local, domain;
    bool ok = a && split(a, str_from_c(d->to), &local, &domain);

    if (ok) {
        d->asks = config_find_domain(q->worker->config, domain) != NULL;
        ok = draft_recipient(d, local, domain);
    }
    arena_free(a);
    return ok;
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
    if (to.n && has_room(rep, kind, to)) {
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

static bool take_counted(struct str *in, struct str *out)
{
    if (in->n < 2 || le16_get(in->p) > in->n - 2)
        return false;
    *out = str_slice(*in, 2, 2 + (size_t)le16_get(in->p));
    *in = str_skip(*in, 2 + out->n);
    return true;
}

/* Addresses alone: what an alias would run or write is not told of failures. */
static void take_expansion(struct draft *d, const struct ipc_expand_answer *a)
{
    struct str rest = a->results, local, domain, rule, sender;
    size_t first = d->n_to;

    for (uint32_t i = 0; i < a->count && rest.n >= 4; i++) {
        unsigned kind = (unsigned char)rest.p[3];
        rest = str_skip(rest, 4);
        if (!take_counted(&rest, &local) || !take_counted(&rest, &domain) || !take_counted(&rest, &rule) ||
            !take_counted(&rest, &sender))
            break;
        if (kind == ENVELOPE_ADDRESS && !draft_recipient(d, local, domain))
            break;
    }
    if (d->n_to == first)
        return;
    /* In place of the address itself. */
    for (size_t i = 0; i < first; i++) {
        free(d->locals[i]);
        free(d->domains[i]);
    }
    memmove(d->locals, d->locals + first, (d->n_to - first) * sizeof(*d->locals));
    memmove(d->domains, d->domains + first, (d->n_to - first) * sizeof(*d->domains));
    d->n_to -= first;
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
                take_expansion(d, a);
            message_settle(rep->message);
            reports_ask(q);
            return;
        }
    }
}

/* ---- writing ---- */

static struct recipient *numbered(struct message *m, uint32_t number)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].number == number)
            return &m->recipients[i];
    return NULL;
}

/* Its header section, from memory or from the file of a large body; empty when it cannot be had. */
static struct str header_of(const struct content *c, struct arena *a)
{
    size_t n = c->envelope.header_octets;
    char *octets;

    if (n > HEADER_MAX)
        n = HEADER_MAX;
    if (c->file < 0)
        n = n < c->body.n ? n : c->body.n;
    octets = arena_alloc(a, c->head.n + n + 1);
    if (!octets)
        return STR_NONE;
    if (c->head.n)
        memcpy(octets, c->head.p, c->head.n);
    if (c->file < 0 && n)
        memcpy(octets + c->head.n, c->body.p, n);
    else if (c->file >= 0 && pread(c->file, octets + c->head.n, n, 0) != (ssize_t)n)
        n = 0;
    return str_of(octets, c->head.n + n);
}

static struct str body_of(const struct content *c)
{
    size_t header = c->envelope.header_octets;

    return c->file < 0 && header <= c->body.n ? str_skip(c->body, header) : STR_NONE;
}

static bool returns_all(const struct queue *q, const struct content *c)
{
    const struct config_bounce_content *b = &q->worker->config->bounce_content;

    return b->full && c->file < 0 && c->head.n + c->body.n <= b->octets_max &&
           c->envelope.header_octets <= HEADER_MAX;
}

static void fill_recipient(struct message_report_recipient *out, const struct recipient *r, struct arena *a)
{
    const struct envelope_recipient *er = &r->message->content->envelope.recipients[r->index];
    struct buf address = BUF_INIT(4096);
    int64_t left = (int64_t)attempt_sending(r)->expire.msec - message_waited(r->message);

    *out = (struct message_report_recipient){
        .address = arena_str(a, er->kind == ENVELOPE_ADDRESS ? recipient_address(er, &address) : er->original),
        .original = er->original,
        .status = str_from_c(r->status),
        .code = r->code,
        .reply = str_from_c(r->text),
        .from_peer = r->from_peer,
        .remote_mta = str_from_c(r->host),
        .remote_address = str_from_c(r->peer),
        .attempts = r->attempts,
        .first_msec = r->first_msec ? r->first_msec : r->message->accepted_msec,
        .last_msec = r->last_msec,
        .retry_until_msec = r->progress == PROGRESS_WAITING ? io_wall_msec() + (left > 0 ? left : 0) : 0,
        .expired = r->reason == LOG_REASON_EXPIRED,
    };
    if (str_eq(out->original, out->address))
        out->original = STR_NONE;
    buf_done(&address);
}

static size_t fill_recipients(struct message *m, const struct draft *d, struct message_report_recipient *out,
                              struct arena *a)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_numbers && n < LISTED_MAX; i++) {
        struct recipient *r = numbered(m, d->numbers[i]);
        if (r)
            fill_recipient(&out[n++], r, a);
    }
    return n;
}

struct str report_own_address(const struct queue *q, struct arena *a)
{
    const struct config *c = q->worker->config;

    return arena_printf(a, "postmaster@%.*s", STR_ARG(c->origin.text));
}

static bool write_text(struct message *m, const struct draft *d, struct queue_id id, struct arena *a, struct buf *out,
                       bool *eight_bit)
{
    const struct queue *q = m->queue;
    const struct content *c = m->content;
    struct queue_id_text id_text = queue_id_text(id), about = queue_id_text(m->id);
    struct message_report_recipient *recipients = ARENA_NEW_ARRAY(a, LISTED_MAX, struct message_report_recipient);
    struct message_report report = {
        .kind = d->kind,
        .hostname = q->worker->config->session.hostname.text,
        .from = report_own_address(q, a),
        .to = str_from_c(d->to),
        .id = str_from_c(id_text.c),
        .about = str_from_c(about.c),
        .utc_msec = io_wall_msec(),
        .arrival_msec = m->accepted_msec,
        .release_request = c->envelope.release_request,
        .octets = c->envelope.size,
        .sender = c->envelope.sender,
        .subject = c->envelope.subject,
        .message_id = c->envelope.message_id,
        .references = c->envelope.references,
        .recipients = recipients,
        .header = header_of(c, a),
        .body = body_of(c),
        .full = d->kind == MESSAGE_REPORT_FAILED && returns_all(q, c),
    };

    if (!recipients)
        return false;
    report.n_recipients = fill_recipients(m, d, recipients, a);
    return message_report_write(out, &report, eight_bit);
}

static bool write_envelope(const struct draft *d, bool to_postmaster, const struct buf *text, bool eight_bit,
                           struct arena *a, struct buf *out)
{
    struct envelope_recipient *recipients = ARENA_NEW_ARRAY(a, d->n_to, struct envelope_recipient);
    struct envelope e = {
        .body = eight_bit ? ENVELOPE_BODY_8BIT : ENVELOPE_BODY_7BIT,
        .size = text->n,
        .header_octets = 0,
        .report = to_postmaster ? ENVELOPE_POSTMASTER_REPORT : ENVELOPE_REPORT,
        .recipients = recipients,
        .n_recipients = d->n_to,
    };

    if (!recipients)
        return false;
    /* Lines of a report may begin with dots: those of what it returns. */
    e.leading_dots = 1;
    for (size_t i = 0; i < d->n_to; i++)
        recipients[i] = (struct envelope_recipient){
            .number = (uint32_t)i + 1,
            .local = str_from_c(d->locals[i]),
            .domain = str_from_c(d->domains[i]),
            .original = str_from_c(d->to),
        };
    return envelope_encode(out, &e);
}

/* The report as a message on its way to the disk. */
static struct message *report_message(struct queue *q, struct queue_id id, struct str envelope, struct str body)
{
    struct message *r = message_new(q, id, io_wall_msec());
    struct err err = { 0 };

    if (!r)
        return NULL;
    r->content = content_copy(q, envelope, STR_NONE, body);
    if (r->content && content_decode(r->content, &err) &&
        message_recipients(r, &r->content->envelope, STR_NONE, &err) && message_insert(q, r))
        return r;
    message_free(r);
    return NULL;
}

static bool put_in_batch(struct message *r, struct spool_batch *batch)
{
    struct spool_message sm = {
        .id = r->id,
        .accepted_utc_msec = r->accepted_msec,
        .envelope = r->content->envelope_octets,
        .body = r->content->body,
    };

    memcpy(sm.token.octet, &r->id.n, sizeof(r->id.n));
    return spool_batch_message(batch, &sm);
}

/* Two kinds of text: about a message, and the digest. */
bool report_write(struct message *m, struct draft *d, struct spool_batch *batch, const struct buf *text,
                        bool eight_bit, struct queue_id id, struct arena *a)
{
    struct buf envelope = BUF_INIT(ENVELOPE_MAX);
    bool to_postmaster = d->kind == MESSAGE_REPORT_DOUBLE || d->kind == MESSAGE_REPORT_DIGEST;

    if (write_envelope(d, to_postmaster, text, eight_bit, a, &envelope))
        d->report = report_message(m->queue, id, buf_str(&envelope), buf_str(text));
    buf_done(&envelope);
    return d->report && put_in_batch(d->report, batch);
}

static bool add_draft(struct message *m, struct draft *d, struct spool_batch *batch)
{
    struct buf text = BUF_INIT(REPORT_OCTETS_MAX);
    struct arena *a = arena_new(REPORT_OCTETS_MAX);
    struct queue_id id;
    bool eight_bit = false;
    bool ok = a && spool_take_ids(m->queue->spool, 1, &id) && write_text(m, d, id, a, &text, &eight_bit) &&
              report_write(m, d, batch, &text, eight_bit, id, a);

    arena_free(a);
    buf_done(&text);
    return ok;
}

static void mark(struct message *m, const struct draft *d, bool told)
{
    for (size_t i = 0; i < d->n_numbers; i++) {
        struct recipient *r = numbered(m, d->numbers[i]);
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
        if (!add_draft(m, d, batch))
            return false;
        mark(m, d, true);
        d->told = true;
    }
    return true;
}

void report_undo(struct message *report)
{
    message_remove(report->queue, report);
    message_free(report);
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
