/* history/form.h -- the octets of a segment of the event history: head, names, blocks of records. Pure. */
#ifndef HISTORY_FORM_H
#define HISTORY_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "log/record.h"

/*
 *     segment   head, blocks
 *     head      "VHISTORY", u32 form, u32 octets of the head, u64 sum of what follows, u64 number of the segment,
 *               i64 UTC msec, then the names of all events and of all fields, each list behind its number (u16),
 *               each name behind its length (u8)
 *     block     u32 mark, u32 octets of records, u64 sum of them, records
 *     record    u16 length, octets (log/record.h)
 *
 * A block is what one write put there, cut at HISTORY_BLOCK_MAX; it counts whole or not at all. Its sum is seeded
 * with segment and place: what was moved is not valid. Events and fields have other numbers in another version of
 * the program; by the names in its head a segment means the same for ever.
 */
enum {
    HISTORY_FORM = 1,
    HISTORY_HEAD_FIXED = 40,
    HISTORY_HEAD_MAX = 16 * 1024,
    HISTORY_BLOCK_HEAD = 16,
    HISTORY_BLOCK_MAX = 64 * 1024,
    HISTORY_RECORD_HEAD = 2,
    HISTORY_NAMES_MAX = 256,
};

/* What a number in a segment is here: LOG_EVENTS or LOG_FIELDS for what this version does not know. */
struct history_names {
    bool same; /* the segment was written by a program with our names: nothing is to be translated */
    uint8_t events[HISTORY_NAMES_MAX];
    uint8_t fields[HISTORY_NAMES_MAX];
};

/* False: OUT is full. */
MUST_USE bool history_head_write(struct buf *out, uint64_t number, int64_t utc_msec);
/* Octets of the head that begins with OCTETS, at least HISTORY_HEAD_FIXED of it; 0: it is none. */
size_t history_head_size(struct str octets);
/* OCTETS is a whole head, of segment NUMBER. False: damaged, or of another form. */
MUST_USE bool history_head_read(struct str octets, uint64_t number, struct history_names *names);

/* Fill in the head of the block that OCTETS is, for place AT of segment NUMBER. */
void history_block_seal(char *octets, size_t n, uint64_t number, uint64_t at);

enum history_block {
    HISTORY_BLOCK_GOOD,
    HISTORY_BLOCK_BAD, /* its octets are not what was written; the next block is behind it */
    HISTORY_BLOCK_END, /* no block begins here, or it is torn */
};
/* OCTETS begin at place AT of segment NUMBER. *size is the whole block's, head included, unless this is the end. */
enum history_block history_block_read(struct str octets, uint64_t number, uint64_t at, struct str *records,
                                      size_t *size);
/* The next record of a block's octets; false at the end. */
bool history_record_next(struct str *records, struct str *record);
/* RECORD of a segment with NAMES, as a record of ours. False: of an event that is not known here, or no record. */
MUST_USE bool history_record_here(struct str record, const struct history_names *names, struct log_record *out);

#endif
