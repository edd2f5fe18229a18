/* message/field.c */
#include "message/field.h"

#include "core/num.h"

enum { FIELD_HEAD = 6 };

void message_field_put(struct buf *out, unsigned tag, struct str octets)
{
    char head[FIELD_HEAD];

    le16_put(head, (uint16_t)tag);
    le32_put(head + 2, (uint32_t)octets.n);
    buf_add(out, str_of(head, sizeof(head)));
    buf_add(out, octets);
}

void message_field_put_text(struct buf *out, unsigned tag, struct str text)
{
    if (text.n)
        message_field_put(out, tag, text);
}

void message_field_put_u64(struct buf *out, unsigned tag, uint64_t v)
{
    char b[8];

    if (!v)
        return;
    le64_put(b, v);
    message_field_put(out, tag, str_of(b, sizeof(b)));
}

size_t message_field_begin(struct buf *out, unsigned tag)
{
    size_t at = out->n;

    message_field_put(out, tag, STR_NONE);
    return at;
}

void message_field_end(struct buf *out, size_t at)
{
    if (!out->failed)
        le32_put(out->p + at + 2, (uint32_t)(out->n - at - FIELD_HEAD));
}

size_t message_field_octets(size_t n)
{
    return FIELD_HEAD + n;
}

bool message_field_next(struct str *rest, struct message_field *f, struct err *err)
{
    if (rest->n < FIELD_HEAD || le32_get(rest->p + 2) > rest->n - FIELD_HEAD)
        return err_perm(err, "a field is cut short");
    f->tag = le16_get(rest->p);
    f->octets = str_slice(*rest, FIELD_HEAD, FIELD_HEAD + (size_t)le32_get(rest->p + 2));
    *rest = str_skip(*rest, FIELD_HEAD + f->octets.n);
    return true;
}

bool message_field_count(struct str in, unsigned tag, size_t max, size_t *n, struct err *err)
{
    struct message_field f = { 0 };
    size_t count = 0;

    while (in.n) {
        if (!message_field_next(&in, &f, err))
            return false;
        if (f.tag == tag && ++count > max)
            return err_perm(err, "too many recipients");
    }
    *n = count;
    return true;
}

bool message_field_u64(const struct message_field *f, uint64_t max, uint64_t *v, struct err *err)
{
    if (f->octets.n != 8 || le64_get(f->octets.p) > max)
        return err_perm(err, "the number of field %u is malformed",
                        f->tag & ~(unsigned)MESSAGE_FIELD_MUST_KNOW);
    *v = le64_get(f->octets.p);
    return true;
}

bool message_field_u32(const struct message_field *f, uint32_t *v, struct err *err)
{
    uint64_t wide = 0;

    if (!message_field_u64(f, UINT32_MAX, &wide, err))
        return false;
    *v = (uint32_t)wide;
    return true;
}

bool message_field_pass(const struct message_field *f, struct err *err)
{
    if (f->tag & MESSAGE_FIELD_MUST_KNOW)
        return err_perm(err, "field %u is not known to this version, and asks not to be delivered then",
                        f->tag & ~(unsigned)MESSAGE_FIELD_MUST_KNOW);
    return true;
}
