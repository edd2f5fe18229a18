/* history/index.h -- where in a segment the events of a key are. */
#ifndef HISTORY_INDEX_H
#define HISTORY_INDEX_H

#include "core/buf.h"
#include "history/disk.h"

/*
 *     index     "VHINDEX1", u32 bits, u32 entries, u64 number of the segment, u64 sum of these 24 octets; 2^bits + 1
 *               times { u32 first entry of the bucket, u32 sum of its entries }; entries
 *     entry     u32 hash of the key, u32 place of the block in the segment; a bucket's in the order of the segment
 *
 * The bucket of a hash is its first bits. Each bucket has its own sum, so that a question reads 50 octets and knows
 * whether they are what was written.
 */
enum {
    HISTORY_INDEX_RECENT = 1024, /* of keys seen last: a key is entered once a block, nearly always */
    HISTORY_INDEX_MAX = 1 << 20, /* entries of one segment */
};

struct history_entry {
    uint32_t hash;
    uint32_t at;
};

/* Of the segment that is being written. */
struct history_index {
    struct history_entry *entries;
    uint32_t n, room;
    bool lacks; /* there was no memory, or no place, for all: it must not be written or asked */
    struct history_entry recent[HISTORY_INDEX_RECENT];
};

/* Places of blocks, rising. */
struct history_places {
    uint32_t *at;
    size_t n, room;
};

void history_index_add(struct history_index *ix, uint32_t hash, uint32_t at);
/* What is at or behind AT did not become part of the segment. */
void history_index_cut(struct history_index *ix, uint32_t at);
/* Empty, for the next segment; its memory is kept. */
void history_index_clear(struct history_index *ix);
void history_index_done(struct history_index *ix);
/* The file of it. False: OUT is full, or it lacks something. */
MUST_USE bool history_index_write(const struct history_index *ix, uint64_t number, struct buf *out);

/* Add the places of HASH to PLACES. False: it is not known whether these are all, and PLACES is as it was. */
MUST_USE bool history_index_find(const struct history_index *ix, uint32_t hash, struct history_places *places);
/* The same of the file at FD, of segment NUMBER. */
MUST_USE bool history_index_read(struct history_disk *disk, int fd, uint64_t number, uint32_t hash,
                                 struct history_places *places);
void history_places_done(struct history_places *places);

#endif
