/* message/envelope.c -- tagged fields, one list for writing and reading. */
#include "message/envelope.h"

#include "core/num.h"

enum { FIELD_HEAD = 6 };

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
};

/* Within a recipient. */
enum recipient_tag {
    RCPT_NUMBER = 1 | ENVELOPE_MUST_KNOW,
    RCPT_LOCAL = 2 | ENVELOPE_MUST_KNOW,
    RCPT_DOMAIN = 3 | ENVELOPE_MUST_KNOW,
    RCPT_ORIGINAL = 4,
    RCPT_SENDER = 5 | ENVELOPE_MUST_KNOW,
};

static void put_head(struct buf *out, unsigned tag, size_t n)
{
    char head[FIELD_HEAD];

    le16_put(head, (uint16_t)tag);
    le32_put(head + 2, (uint32_t)n);
    buf_add(out, str_of(head, sizeof(head)));
}

static void put_str(struct buf *out, unsigned tag, struct str s)
{
    put_head(out, tag, s.n);
    buf_add(out, s);
}

/* What is empty or zero is left out: absence says the same. */
static void put_text(struct buf *out, unsigned tag, struct str s)
{
    if (s.n)
        put_str(out, tag, s);
}

static void put_u64(struct buf *out, unsigned tag, uint64_t v)
{
    char b[8];

    if (!v)
        return;
    le64_put(b, v);
    put_str(out, tag, str_of(b, sizeof(b)));
}

static void put_recipient(struct buf *out, const struct envelope_recipient *r)
{
    size_t head = out->n;

    put_head(out, TAG_RECIPIENT, 0);
    put_u64(out, RCPT_NUMBER, r->number);
    put_str(out, RCPT_LOCAL, r->local);
    put_str(out, RCPT_DOMAIN, r->domain);
    put_text(out, RCPT_ORIGINAL, r->original);
    if (r->has_sender)
        put_str(out, RCPT_SENDER, r->sender);
    if (!out->failed)
        le32_put(out->p + head + 2, (uint32_t)(out->n - head - FIELD_HEAD));
}

bool envelope_encode(struct buf *out, const struct envelope *e)
{
    size_t start = out->n;

    put_str(out, TAG_SENDER, e->sender);
    if (e->smtputf8)
        put_str(out, TAG_SMTPUTF8, STR_NONE);
    put_u64(out, TAG_BODY, e->body);
    put_u64(out, TAG_SIZE, e->size);
    put_u64(out, TAG_LINES, e->lines);
    put_u64(out, TAG_LONGEST_LINE, e->longest_line);
    put_u64(out, TAG_LEADING_DOTS, e->leading_dots);
    put_text(out, TAG_CLIENT, e->client);
    put_text(out, TAG_CLIENT_NAME, e->client_name);
    put_text(out, TAG_LISTENER, e->listener);
    put_text(out, TAG_PROTOCOL, e->protocol);
    put_text(out, TAG_SESSION, e->session);
    put_text(out, TAG_MESSAGE_ID, e->message_id);
    for (size_t i = 0; i < e->n_recipients; i++)
        put_recipient(out, &e->recipients[i]);
    return !out->failed && out->n - start <= ENVELOPE_OCTETS_MAX;
}

struct field {
    unsigned tag;
    struct str octets;
};

static bool next_field(struct str *rest, struct field *f, struct err *err)
{
    if (rest->n < FIELD_HEAD || le32_get(rest->p + 2) > rest->n - FIELD_HEAD)
        return err_perm(err, "envelope: a field is cut short");
    f->tag = le16_get(rest->p);
    f->octets = str_slice(*rest, FIELD_HEAD, FIELD_HEAD + le32_get(rest->p + 2));
    *rest = str_skip(*rest, FIELD_HEAD + f->octets.n);
    return true;
}

static bool get_u64(struct str s, uint64_t max, uint64_t *out, struct err *err)
{
    if (s.n != 8 || le64_get(s.p) > max)
        return err_perm(err, "envelope: a number is malformed");
    *out = le64_get(s.p);
    return true;
}

static bool unknown(unsigned tag, struct err *err)
{
    if (tag & ENVELOPE_MUST_KNOW)
        return err_perm(err, "envelope: field %u is not known to this version, and asks not to be delivered then",
                        tag & ~(unsigned)ENVELOPE_MUST_KNOW);
    return true;
}

static bool decode_recipient(struct str in, struct envelope_recipient *r, struct err *err)
{
    struct field f = { 0 };
    uint64_t v = 0;

    *r = (struct envelope_recipient){ 0 };
    while (in.n) {
        if (!next_field(&in, &f, err))
            return false;
        switch (f.tag) {
        case RCPT_NUMBER:
            if (!get_u64(f.octets, UINT32_MAX, &v, err))
                return false;
            r->number = (uint32_t)v;
            break;
        case RCPT_LOCAL:
            r->local = f.octets;
            break;
        case RCPT_DOMAIN:
            r->domain = f.octets;
            break;
        case RCPT_ORIGINAL:
            r->original = f.octets;
            break;
        case RCPT_SENDER:
            r->sender = f.octets;
            r->has_sender = true;
            break;
        default:
            if (!unknown(f.tag, err))
                return false;
        }
    }
    return r->number || err_perm(err, "envelope: a recipient has no number");
}

static bool decode_field(struct field f, struct envelope *e, struct err *err)
{
    uint64_t v = 0;

    switch (f.tag) {
    case TAG_SENDER:
        e->sender = f.octets;
        return true;
    case TAG_SMTPUTF8:
        e->smtputf8 = true;
        return true;
    case TAG_BODY:
        if (!get_u64(f.octets, ENVELOPE_BODY_8BIT, &v, err))
            return false;
        e->body = (enum envelope_body)v;
        return true;
    case TAG_SIZE:
        return get_u64(f.octets, UINT64_MAX, &e->size, err);
    case TAG_LINES:
        return get_u64(f.octets, UINT64_MAX, &e->lines, err);
    case TAG_LONGEST_LINE:
        return get_u64(f.octets, UINT64_MAX, &e->longest_line, err);
    case TAG_LEADING_DOTS:
        return get_u64(f.octets, UINT64_MAX, &e->leading_dots, err);
    case TAG_CLIENT:
        e->client = f.octets;
        return f.octets.n == 16 || err_perm(err, "envelope: the client's address is malformed");
    case TAG_CLIENT_NAME:
        e->client_name = f.octets;
        return true;
    case TAG_LISTENER:
        e->listener = f.octets;
        return true;
    case TAG_PROTOCOL:
        e->protocol = f.octets;
        return true;
    case TAG_SESSION:
        e->session = f.octets;
        return true;
    case TAG_MESSAGE_ID:
        e->message_id = f.octets;
        return true;
    default:
        return unknown(f.tag, err);
    }
}

/* Recipients stand one behind the other or apart: they are counted first, so that their array is made once. */
static bool count_recipients(struct str in, size_t *n, struct err *err)
{
    struct field f = { 0 };

    *n = 0;
    while (in.n) {
        if (!next_field(&in, &f, err))
            return false;
        if (f.tag == TAG_RECIPIENT && ++*n > ENVELOPE_RECIPIENTS_MAX)
            return err_perm(err, "envelope: too many recipients");
    }
    return true;
}

bool envelope_decode(struct str in, struct arena *a, struct envelope *e, struct err *err)
{
    struct envelope got = { 0 };
    struct envelope_recipient *recipients;
    struct field f = { 0 };
    size_t n = 0;

    if (!count_recipients(in, &n, err))
        return false;
    recipients = ARENA_NEW_ARRAY(a, n, struct envelope_recipient);
    if (!recipients)
        return err_temp(err, "envelope: out of memory");
    got.recipients = recipients;
    while (in.n) {
        if (!next_field(&in, &f, err))
            return false;
        if (f.tag == TAG_RECIPIENT) {
            if (!decode_recipient(f.octets, &recipients[got.n_recipients++], err))
                return false;
        } else if (!decode_field(f, &got, err)) {
            return false;
        }
    }
    *e = got;
    return true;
}
