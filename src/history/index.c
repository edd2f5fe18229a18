/* history/index.c -- entries as they come; sorted into buckets in one go when the segment is full. */
#include "history/index.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/num.h"

enum {
    HEAD = 32,
    SUMMED = 24,
    BUCKET = 8,
    ENTRY = 8,
    BUCKET_ENTRIES = 8, /* the mean */
    BITS_MAX = 20,
    FIRST_ROOM = 4096,
};

static const struct str magic = STR_INIT("VHINDEX1");

static unsigned bits_for(uint32_t entries)
{
    unsigned bits = 0;

    while (bits < BITS_MAX && (uint32_t)BUCKET_ENTRIES << bits < entries)
        bits++;
    return bits;
}

static uint32_t bucket_of(uint32_t hash, unsigned bits)
{
    return bits ? hash >> (32 - bits) : 0;
}

static uint32_t sum_of(const char *entries, uint32_t n, uint64_t number, uint32_t bucket)
{
    return (uint32_t)XXH3_64bits_withSeed(entries, (size_t)n * ENTRY, number * 0x9e3779b97f4a7c15ULL + bucket);
}

/* ---- as records come ---- */

static bool grow(struct history_index *ix)
{
    uint32_t room = ix->room ? ix->room * 2 : FIRST_ROOM;
    struct history_entry *grown = room <= HISTORY_INDEX_MAX ? realloc(ix->entries, room * sizeof(*grown)) : NULL;

    if (!grown)
        return false;
    ix->entries = grown;
    ix->room = room;
    return true;
}

void history_index_add(struct history_index *ix, uint32_t hash, uint32_t at)
{
    struct history_entry *recent = &ix->recent[hash % HISTORY_INDEX_RECENT];

    /* No block is at place 0: what is all zeros was never entered. */
    if (ix->lacks || (recent->hash == hash && recent->at == at))
        return;
    if (ix->n == ix->room && !grow(ix)) {
        ix->lacks = true;
        return;
    }
    *recent = (struct history_entry){ hash, at };
    ix->entries[ix->n++] = *recent;
}

void history_index_cut(struct history_index *ix, uint32_t at)
{
    while (ix->n && ix->entries[ix->n - 1].at >= at)
        ix->n--;
    memset(ix->recent, 0, sizeof(ix->recent));
}

void history_index_clear(struct history_index *ix)
{
    history_index_cut(ix, 0);
    ix->lacks = false;
}

void history_index_done(struct history_index *ix)
{
    free(ix->entries);
    *ix = (struct history_index){ 0 };
}

/* ---- the file ---- */

/* A counting sort by bucket, straight into the octets: *next* ends up where the next bucket begins. */
static void put_entries(const struct history_index *ix, unsigned bits, uint32_t *next, char *entries)
{
    for (uint32_t i = 0; i < ix->n; i++) {
        char *to = entries + (size_t)next[bucket_of(ix->entries[i].hash, bits)]++ * ENTRY;
        le32_put(to, ix->entries[i].hash);
        le32_put(to + 4, ix->entries[i].at);
    }
}

bool history_index_write(const struct history_index *ix, uint64_t number, struct buf *out)
{
    unsigned bits = bits_for(ix->n);
    uint32_t buckets = 1U << bits, begin = 0;
    size_t size = HEAD + ((size_t)buckets + 1) * BUCKET + (size_t)ix->n * ENTRY;
    uint32_t *next = ix->lacks ? NULL : calloc(buckets, sizeof(*next));
    char *at = next ? buf_room(out, size) : NULL;

    if (!at) {
        free(next);
        return false;
    }
    char *directory = at + HEAD, *entries = directory + ((size_t)buckets + 1) * BUCKET;
    memcpy(at, magic.p, magic.n);
    le32_put(at + 8, bits);
    le32_put(at + 12, ix->n);
    le64_put(at + 16, number);
    le64_put(at + SUMMED, XXH3_64bits(at, SUMMED));
    for (uint32_t i = 0; i < ix->n; i++)
        next[bucket_of(ix->entries[i].hash, bits)]++;
    for (uint32_t b = 0; b < buckets; b++) {
        uint32_t n = next[b];
        next[b] = begin;
        begin += n;
    }
    put_entries(ix, bits, next, entries);
    begin = 0;
    for (uint32_t b = 0; b < buckets; begin = next[b++]) {
        char *to = directory + (size_t)b * BUCKET;
        le32_put(to, begin);
        le32_put(to + 4, sum_of(entries + (size_t)begin * ENTRY, next[b] - begin, number, b));
    }
    le32_put(directory + (size_t)buckets * BUCKET, ix->n);
    le32_put(directory + (size_t)buckets * BUCKET + 4, 0);
    buf_grew(out, size);
    free(next);
    return true;
}

/* ---- finding ---- */

static bool places_add(struct history_places *p, uint32_t at)
{
    if (p->n && p->at[p->n - 1] == at)
        return true;
    if (p->n == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        uint32_t *grown = realloc(p->at, room * sizeof(*grown));
        if (!grown)
            return false;
        p->at = grown;
        p->room = room;
    }
    p->at[p->n++] = at;
    return true;
}

void history_places_done(struct history_places *places)
{
    free(places->at);
    *places = (struct history_places){ 0 };
}

bool history_index_find(const struct history_index *ix, uint32_t hash, struct history_places *places)
{
    size_t was = places->n;
    bool ok = !ix->lacks;

    for (uint32_t i = 0; ok && i < ix->n; i++)
        if (ix->entries[i].hash == hash)
            ok = places_add(places, ix->entries[i].at);
    if (!ok)
        places->n = was;
    return ok;
}

static bool add_matching(const char *entries, uint32_t n, uint32_t hash, struct history_places *places)
{
    size_t was = places->n;
    uint32_t last = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (le32_get(entries + (size_t)i * ENTRY) != hash)
            continue;
        uint32_t at = le32_get(entries + (size_t)i * ENTRY + 4);
        if (at < last || !places_add(places, at)) {
            places->n = was;
            return false;
        }
        last = at;
    }
    return true;
}

bool history_index_read(struct history_disk *disk, int fd, uint64_t number, uint32_t hash,
                        struct history_places *places)
{
    char head[HEAD], bucket[2 * BUCKET], *entries;
    size_t done;

    if (history_disk_read(disk, fd, head, sizeof(head), 0, &done) || done != sizeof(head) ||
        !str_starts(str_of(head, sizeof(head)), magic) || le64_get(head + SUMMED) != XXH3_64bits(head, SUMMED))
        return false;
    uint32_t bits = le32_get(head + 8), all = le32_get(head + 12);
    if (bits > BITS_MAX || all > HISTORY_INDEX_MAX || le64_get(head + 16) != number)
        return false;
    uint32_t b = bucket_of(hash, bits);
    uint64_t first = HEAD + ((1ULL << bits) + 1) * BUCKET;
    if (history_disk_read(disk, fd, bucket, sizeof(bucket), HEAD + (uint64_t)b * BUCKET, &done) ||
        done != sizeof(bucket))
        return false;
    uint32_t begin = le32_get(bucket), end = le32_get(bucket + BUCKET);
    if (begin > end || end > all)
        return false;
    size_t n = (size_t)(end - begin) * ENTRY;
    entries = malloc(n ? n : 1);
    bool ok = entries && !history_disk_read(disk, fd, entries, n, first + (uint64_t)begin * ENTRY, &done) &&
              done == n && le32_get(bucket + 4) == sum_of(entries, end - begin, number, b) &&
              add_matching(entries, end - begin, hash, places);
    free(entries);
    return ok;
}
