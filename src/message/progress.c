/* message/progress.c -- one field a recipient, in it one for each thing known of it. */
#include "message/progress.h"

#include "message/envelope.h"
#include "message/field.h"

enum { TAG_RECIPIENT = 1 | MESSAGE_FIELD_MUST_KNOW };

/* Within a recipient. */
enum tag {
    TAG_NUMBER = 1 | MESSAGE_FIELD_MUST_KNOW,
    TAG_STATE = 2 | MESSAGE_FIELD_MUST_KNOW,
    TAG_ATTEMPTS = 3,
    TAG_DEATHS = 4,
    TAG_LAST = 5,
    TAG_STATUS = 6,
    TAG_TEXT = 7,
    TAG_FIRST = 8,
    TAG_NEXT = 9,
    TAG_CODE = 10,
    TAG_WARNED = 11,
    TAG_FROM_PEER = 12,
    TAG_HOST = 13,
    TAG_PEER = 14,
    TAG_SITE = 15,
    TAG_REASON = 16,
    TAG_RELEASED = 17,
    TAG_EARLY = 18,
    TAG_ON_REPLY = 19,
    TAG_WARN = 20,
};

static void put_text(struct buf *out, unsigned tag, struct str s)
{
    message_field_put_text(out, tag, str_head(s, PROGRESS_TEXT_MAX));
}

static void put_recipient(struct buf *out, const struct progress *p)
{
    size_t at = message_field_begin(out, TAG_RECIPIENT);

    message_field_put_u64(out, TAG_NUMBER, p->number);
    message_field_put_u64(out, TAG_STATE, p->state);
    message_field_put_u64(out, TAG_ATTEMPTS, p->attempts);
    message_field_put_u64(out, TAG_DEATHS, p->deaths);
    message_field_put_u64(out, TAG_LAST, (uint64_t)p->last_msec);
    put_text(out, TAG_STATUS, p->status);
    put_text(out, TAG_TEXT, p->text);
    message_field_put_u64(out, TAG_FIRST, (uint64_t)p->first_msec);
    message_field_put_u64(out, TAG_NEXT, (uint64_t)p->next_msec);
    message_field_put_u64(out, TAG_CODE, p->code);
    message_field_put_u64(out, TAG_WARNED, p->warned);
    message_field_put_u64(out, TAG_FROM_PEER, p->from_peer);
    put_text(out, TAG_HOST, p->host);
    put_text(out, TAG_PEER, p->peer);
    put_text(out, TAG_SITE, p->site);
    put_text(out, TAG_REASON, p->reason);
    message_field_put_u64(out, TAG_RELEASED, p->released);
    message_field_put_u64(out, TAG_EARLY, p->early);
    put_text(out, TAG_ON_REPLY, p->on_reply);
    message_field_put_u64(out, TAG_WARN, (uint64_t)p->warn_msec);
    message_field_end(out, at);
}

bool progress_encode(struct buf *out, const struct progress *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_recipient(out, &items[i]);
    return !out->failed;
}

static bool get_time(const struct message_field *f, int64_t *msec, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, UINT64_MAX, &v, err))
        return false;
    *msec = (int64_t)v;
    return true;
}

static bool get_state(const struct message_field *f, enum progress_state *state, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, PROGRESS_RETURNED, &v, err))
        return false;
    *state = (enum progress_state)v;
    return true;
}

static bool get_flag(const struct message_field *f, bool *flag, struct err *err)
{
    uint64_t v = 0;

    if (!message_field_u64(f, 1, &v, err))
        return false;
    *flag = v;
    return true;
}

static bool get_field(const struct message_field *f, struct progress *p, struct err *err)
{
    switch (f->tag) {
    case TAG_NUMBER:
        return message_field_u32(f, &p->number, err);
    case TAG_STATE:
        return get_state(f, &p->state, err);
    case TAG_ATTEMPTS:
        return message_field_u32(f, &p->attempts, err);
    case TAG_DEATHS:
        return message_field_u32(f, &p->deaths, err);
    case TAG_LAST:
        return get_time(f, &p->last_msec, err);
    case TAG_STATUS:
        p->status = f->octets;
        return true;
    case TAG_TEXT:
        p->text = f->octets;
        return true;
    case TAG_FIRST:
        return get_time(f, &p->first_msec, err);
    case TAG_NEXT:
        return get_time(f, &p->next_msec, err);
    case TAG_CODE:
        return message_field_u32(f, &p->code, err);
    case TAG_WARNED:
        return message_field_u32(f, &p->warned, err);
    case TAG_FROM_PEER:
        return get_flag(f, &p->from_peer, err);
    case TAG_HOST:
        p->host = f->octets;
        return true;
    case TAG_PEER:
        p->peer = f->octets;
        return true;
    case TAG_SITE:
        p->site = f->octets;
        return true;
    case TAG_REASON:
        p->reason = f->octets;
        return true;
    case TAG_RELEASED:
        return get_flag(f, &p->released, err);
    case TAG_EARLY:
        return get_flag(f, &p->early, err);
    case TAG_ON_REPLY:
        p->on_reply = f->octets;
        return true;
    case TAG_WARN:
        return get_time(f, &p->warn_msec, err);
    default:
        return message_field_pass(f, err);
    }
}

static bool get_recipient(struct str in, struct progress *p, struct err *err)
{
    struct message_field f = { 0 };

    *p = (struct progress){ 0 };
    while (in.n)
        if (!message_field_next(&in, &f, err) || !get_field(&f, p, err))
            return false;
    return p->number || err_perm(err, "a recipient has no number");
}

static bool decode(struct str in, struct progress *items, struct err *err)
{
    struct message_field f = { 0 };
    size_t count = 0;

    while (in.n) {
        if (!message_field_next(&in, &f, err))
            return false;
        if (f.tag == TAG_RECIPIENT) {
            if (!get_recipient(f.octets, &items[count++], err))
                return false;
        } else if (!message_field_pass(&f, err)) {
            return false;
        }
    }
    return true;
}

bool progress_decode(struct str in, struct arena *a, struct progress **items, size_t *n, struct err *err)
{
    struct progress *all;
    size_t count = 0;

    if (!message_field_count(in, TAG_RECIPIENT, ENVELOPE_RECIPIENTS_MAX, &count, err))
        return err_wrap(err, "recipient states");
    all = ARENA_NEW_ARRAY(a, count, struct progress);
    if (!all)
        return err_temp(err, "recipient states: out of memory");
    if (!decode(in, all, err))
        return err_wrap(err, "recipient states");
    *items = all;
    *n = count;
    return true;
}
