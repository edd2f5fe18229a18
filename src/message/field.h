/* message/field.h -- tagged fields, which envelopes and states of recipients are made of (docs/SPOOL.md, 5).
 * Pure. */
#ifndef MESSAGE_FIELD_H
#define MESSAGE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

/*
 * A field is { u16 tag, u32 length, octets }, integers little endian. A tag with MESSAGE_FIELD_MUST_KNOW that
 * a reader does not know means that it must not deliver; others it skips. A number is 8 octets.
 */
enum { MESSAGE_FIELD_MUST_KNOW = 0x8000 };

struct message_field {
    unsigned tag;
    struct str octets;
};

void message_field_put(struct buf *out, unsigned tag, struct str octets);
/* What is empty or zero is left out: absence says the same. */
void message_field_put_text(struct buf *out, unsigned tag, struct str text);
void message_field_put_u64(struct buf *out, unsigned tag, uint64_t v);
/* A field that holds fields: what is put between the two; AT is what begin returned. */
size_t message_field_begin(struct buf *out, unsigned tag);
void message_field_end(struct buf *out, size_t at);

/* What a field takes whose octets are N. */
size_t message_field_octets(size_t n);

/* Takes the first field off *rest; its octets borrow from there. Permanent error: it is cut short. */
MUST_USE bool message_field_next(struct str *rest, struct message_field *f, struct err *err);
/* How many fields of IN have this TAG. Permanent error also: more than MAX. */
MUST_USE bool message_field_count(struct str in, unsigned tag, size_t max, size_t *n, struct err *err);
/* Permanent error: not a number, or above MAX. *v is untouched then. */
MUST_USE bool message_field_u64(const struct message_field *f, uint64_t max, uint64_t *v, struct err *err);
MUST_USE bool message_field_u32(const struct message_field *f, uint32_t *v, struct err *err);
/* For a tag that the reader does not know: true when it may be passed over. */
MUST_USE bool message_field_pass(const struct message_field *f, struct err *err);

#endif
