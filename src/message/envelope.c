/* message/envelope.c -- one list of tags for writing and reading. */
#include "message/envelope.h"

#include "message/field.h"

enum tag {
    TAG_SENDER = 1 | ENVELOPE_MUST_KNOW,
    TAG_RECIPIENT = 2 | ENVELOPE_MUST_KNOW,
    TAG_SMTPUTF8 = 3 | ENVELOPE_MUST_KNOW,
    TAG_BODY = 4,
    TAG_SIZE = 5,
    TAG_LINES = 6,
    TAG_LONGEST_LINE = 7,
    TAG_LEADING_DOTS = 8,
    TAG_CLIENT = 9,
    TAG_CLIENT_NAME = 10,
    TAG_LISTENER = 11,
    TAG_PROTOCOL = 12,
    TAG_SESSION = 13,
    TAG_MESSAGE_ID = 14,
    TAG_SUBJECT = 15,
    TAG_REFERENCES = 16,
    TAG_HEADER_OCTETS = 17,
    TAG_HEADER_EIGHT_BIT = 18,
    TAG_UID_PLUS = 19,
    TAG_REPORT = 20 | ENVELOPE_MUST_KNOW,
    TAG_ACCOUNT = 21,
    TAG_HELD = 22 | ENVELOPE_MUST_KNOW,
    TAG_RELEASE = 23 | ENVELOPE_MUST_KNOW,
    TAG_RELEASE_REQUEST = 24,
};

/* Within a recipient. */
enum recipient_tag {
    RCPT_NUMBER = 1 | ENVELOPE_MUST_KNOW,
    RCPT_LOCAL = 2 | ENVELOPE_MUST_KNOW,
    RCPT_DOMAIN = 3 | ENVELOPE_MUST_KNOW,
    RCPT_ORIGINAL = 4,
    RCPT_SENDER = 5 | ENVELOPE_MUST_KNOW,
    RCPT_KIND = 6 | ENVELOPE_MUST_KNOW,
    RCPT_ROUTE = 7 | ENVELOPE_MUST_KNOW,
};

static void put_recipient(struct buf *out, const struct envelope_recipient *r)
{
    size_t at = message_field_begin(out, TAG_RECIPIENT);

    message_field_put_u64(out, RCPT_NUMBER, r->number);
    message_field_put(out, RCPT_LOCAL, r->local);
    message_field_put(out, RCPT_DOMAIN, r->domain);
    message_field_put_text(out, RCPT_ORIGINAL, r->original);
    if (r->has_sender)
        message_field_put(out, RCPT_SENDER, r->sender);
    message_field_put_u64(out, RCPT_KIND, r->kind);
    message_field_put_text(out, RCPT_ROUTE, r->route);
    message_field_end(out, at);
}

static size_t text_octets(struct str text)
{
    return text.n ? message_field_octets(text.n) : 0;
}

static size_t number_octets(uint64_t n)
{
    return n ? message_field_octets(sizeof(n)) : 0;
}

size_t envelope_recipient_octets(const struct envelope_recipient *r)
{
    size_t n = number_octets(r->number) + message_field_octets(r->local.n) + message_field_octets(r->domain.n) +
               text_octets(r->original) + (r->has_sender ? message_field_octets(r->sender.n) : 0) +
               number_octets(r->kind) + text_octets(r->route);

    return message_field_octets(n);
}

static void put_facts(struct buf *out, const struct envelope *e)
{
    message_field_put_u64(out, TAG_BODY, e->body);
    message_field_put_u64(out, TAG_SIZE, e->size);
    message_field_put_u64(out, TAG_LINES, e->lines);
    message_field_put_u64(out, TAG_LONGEST_LINE, e->longest_line);
    message_field_put_u64(out, TAG_LEADING_DOTS, e->leading_dots);
    message_field_put_text(out, TAG_MESSAGE_ID, e->message_id);
    message_field_put_text(out, TAG_SUBJECT, e->subject);
    message_field_put_text(out, TAG_REFERENCES, e->references);
    message_field_put_u64(out, TAG_HEADER_OCTETS, e->header_octets);
    message_field_put_u64(out, TAG_HEADER_EIGHT_BIT, e->header_eight_bit);
}

bool envelope_encode(struct buf *out, const struct envelope *e)
{
    size_t start = out->n;

    message_field_put(out, TAG_SENDER, e->sender);
    if (e->smtputf8)
        message_field_put(out, TAG_SMTPUTF8, STR_NONE);
    put_facts(out, e);
    message_field_put_text(out, TAG_CLIENT, e->client);
    message_field_put_text(out, TAG_CLIENT_NAME, e->client_name);
    message_field_put_text(out, TAG_LISTENER, e->listener);
    message_field_put_text(out, TAG_PROTOCOL, e->protocol);
    message_field_put_text(out, TAG_SESSION, e->session);
    message_field_put_u64(out, TAG_UID_PLUS, e->uid_plus);
    message_field_put_u64(out, TAG_REPORT, e->report);
    message_field_put_text(out, TAG_ACCOUNT, e->account);
    message_field_put_text(out, TAG_HELD, e->held);
    message_field_put_u64(out, TAG_RELEASE, (uint64_t)e->release_msec);
    message_field_put_text(out, TAG_RELEASE_REQUEST, e->release_request);
    for (size_t i = 0; i < e->n_recipients; i++)
        put_recipient(out, &e->recipients[i]);
    return !out->failed && out->n - start <= ENVELOPE_OCTETS_MAX;
}

static bool decode_kind(const struct message_field *f, enum envelope_kind *kind, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, ENVELOPE_FILE, &v, err))
        return false;
    *kind = (enum envelope_kind)v;
    return true;
}

static bool decode_recipient_field(const struct message_field *f, struct envelope_recipient *r,
                                   struct err *err)
{
    switch (f->tag) {
    case RCPT_NUMBER:
        return message_field_u32(f, &r->number, err);
    case RCPT_LOCAL:
        r->local = f->octets;
        return true;
    case RCPT_DOMAIN:
        r->domain = f->octets;
        return true;
    case RCPT_ORIGINAL:
        r->original = f->octets;
        return true;
    case RCPT_SENDER:
        r->sender = f->octets;
        r->has_sender = true;
        return true;
    case RCPT_KIND:
        return decode_kind(f, &r->kind, err);
    case RCPT_ROUTE:
        r->route = f->octets;
        return true;
    default:
        return message_field_pass(f, err);
    }
}

static bool decode_recipient(struct str in, struct envelope_recipient *r, struct err *err)
{
    struct message_field f = { 0 };

    *r = (struct envelope_recipient){ 0 };
    while (in.n)
        if (!message_field_next(&in, &f, err) || !decode_recipient_field(&f, r, err))
            return false;
    return r->number || err_perm(err, "a recipient has no number");
}

static bool decode_body(const struct message_field *f, enum envelope_body *body, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, ENVELOPE_BODY_8BIT, &v, err))
        return false;
    *body = (enum envelope_body)v;
    return true;
}

static bool decode_flag(const struct message_field *f, bool *flag, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, 1, &v, err))
        return false;
    *flag = v;
    return true;
}

static bool decode_report(const struct message_field *f, uint32_t *report, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, ENVELOPE_POSTMASTER_REPORT, &v, err))
        return false;
    *report = (uint32_t)v;
    return true;
}

static bool decode_release(const struct message_field *f, int64_t *msec, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, INT64_MAX / 2, &v, err))
        return false;
    *msec = (int64_t)v;
    return true;
}

static bool decode_field(const struct message_field *f, struct envelope *e, struct err *err)
{
    switch (f->tag) {
    case TAG_SENDER:
        e->sender = f->octets;
        return true;
    case TAG_SMTPUTF8:
        e->smtputf8 = true;
        return true;
    case TAG_BODY:
        return decode_body(f, &e->body, err);
    case TAG_SIZE:
        return message_field_u64(f, UINT64_MAX, &e->size, err);
    case TAG_LINES:
        return message_field_u64(f, UINT64_MAX, &e->lines, err);
    case TAG_LONGEST_LINE:
        return message_field_u64(f, UINT64_MAX, &e->longest_line, err);
    case TAG_LEADING_DOTS:
        return message_field_u64(f, UINT64_MAX, &e->leading_dots, err);
    case TAG_CLIENT:
        e->client = f->octets;
        return f->octets.n == 16 || err_perm(err, "the client's address is malformed");
    case TAG_CLIENT_NAME:
        e->client_name = f->octets;
        return true;
    case TAG_LISTENER:
        e->listener = f->octets;
        return true;
    case TAG_PROTOCOL:
        e->protocol = f->octets;
        return true;
    case TAG_SESSION:
        e->session = f->octets;
        return true;
    case TAG_MESSAGE_ID:
        e->message_id = f->octets;
        return true;
    case TAG_SUBJECT:
        e->subject = f->octets;
        return true;
    case TAG_REFERENCES:
        e->references = f->octets;
        return true;
    case TAG_HEADER_OCTETS:
        return message_field_u64(f, UINT64_MAX, &e->header_octets, err);
    case TAG_HEADER_EIGHT_BIT:
        return decode_flag(f, &e->header_eight_bit, err);
    case TAG_UID_PLUS:
        return message_field_u32(f, &e->uid_plus, err);
    case TAG_REPORT:
        return decode_report(f, &e->report, err);
    case TAG_ACCOUNT:
        e->account = f->octets;
        return true;
    case TAG_HELD:
        e->held = f->octets;
        return true;
    case TAG_RELEASE:
        return decode_release(f, &e->release_msec, err);
    case TAG_RELEASE_REQUEST:
        e->release_request = f->octets;
        return true;
    default:
        return message_field_pass(f, err);
    }
}

static bool decode(struct str in, struct envelope *e, struct envelope_recipient *recipients, struct err *err)
{
    struct message_field f = { 0 };

    while (in.n) {
        if (!message_field_next(&in, &f, err))
            return false;
        if (f.tag == TAG_RECIPIENT) {
            if (!decode_recipient(f.octets, &recipients[e->n_recipients++], err))
                return false;
        } else if (!decode_field(&f, e, err)) {
            return false;
        }
    }
    return true;
}

bool envelope_decode(struct str in, struct arena *a, struct envelope *e, struct err *err)
{
    struct envelope got = { 0 };
    struct envelope_recipient *recipients;
    size_t n = 0;

    /* Recipients stand one behind the other or apart: they are counted first, so that their array is made
     * once. */
    if (!message_field_count(in, TAG_RECIPIENT, ENVELOPE_RECIPIENTS_MAX, &n, err))
        return err_wrap(err, "envelope");
    recipients = ARENA_NEW_ARRAY(a, n, struct envelope_recipient);
    if (!recipients)
        return err_temp(err, "envelope: out of memory");
    got.recipients = recipients;
    if (!decode(in, &got, recipients, err))
        return err_wrap(err, "envelope");
    *e = got;
    return true;
}
