/* queue/report_write.c -- the text of a report from the facts of the queue, and the message that it becomes (RFC 3464). */
#include "queue/report.h"

#include <string.h>
#include <unistd.h>

enum {
    LISTED_MAX = 300, /* recipients a report tells of one by one */
    HEADER_MAX = 256 << 10, /* of the header section that is returned */
    ENVELOPE_MAX = 1 << 20,
};

struct recipient *report_recipient(struct message *m, uint32_t number)
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
        struct recipient *r = report_recipient(m, d->numbers[i]);
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

bool report_draft_add(struct message *m, struct draft *d, struct spool_batch *batch)
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

void report_undo(struct message *report)
{
    message_remove(report->queue, report);
    message_free(report);
}
