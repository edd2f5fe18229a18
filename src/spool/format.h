/* spool/format.h -- the form on disk, octet by octet (docs/SPOOL.md 2 to 6). Touches no disk. */
#ifndef SPOOL_FORMAT_H
#define SPOOL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/err.h"
#include "core/str.h"
#include "spool/spool.h"

enum {
    SPOOL_BLOCK = 4096,
    SPOOL_VERSION = 1,
    SPOOL_SECRET_OCTETS = 192,
    SPOOL_FORMAT_OCTETS = 264,
    SPOOL_START_OCTETS = 40,
    SPOOL_SEGMENT_HEAD = 72,
    SPOOL_FRAME_HEAD = 64,
    SPOOL_ROW = 32,
    SPOOL_MESSAGE_META = 64,  /* before the envelope */
    SPOOL_OUTCOME_META = 8,   /* before the state */
    SPOOL_RECORDS_MAX = 4096, /* of one frame */
    SPOOL_CHECKPOINT_HEAD = 104,
    SPOOL_SEGMENT_ROW = 32,
    SPOOL_ENTRY_ROW = 32,
    SPOOL_RARE_ROW = 32,
    SPOOL_TOKEN_ROW = 32,
    SPOOL_SEGMENT_NUMBER_MAX = (1 << 28) - 1,
    SPOOL_BLOCKS_MAX = 1 << 20,
};

struct spool_secret {
    unsigned char octet[SPOOL_SECRET_OCTETS];
};

/* The sum of octets that stand at OFFSET of a file in its LIFE (INV-3). */
uint64_t spool_sum(const struct spool_secret *secret, uint64_t life, uint64_t offset, const void *p,
                   size_t n);
uint64_t spool_sum2(const struct spool_secret *secret, uint64_t life, uint64_t offset, struct str a,
                    struct str b);

/* The same in pieces. */
struct spool_summer;
struct spool_summer *spool_summer_new(const struct spool_secret *secret, uint64_t life, uint64_t offset);
void spool_summer_add(struct spool_summer *summer, const void *p, size_t n);
uint64_t spool_summer_end(struct spool_summer *summer); /* frees it */

/* ---- format ---- */

struct spool_format {
    int64_t made_utc_msec;
    unsigned char name[16];
    struct spool_secret secret;
};

void spool_format_put(const struct spool_format *format, unsigned char to[SPOOL_FORMAT_OCTETS]);
/* Permanent ERR for a version or feature of later, temporary for octets that are not a format. */
MUST_USE bool spool_format_get(struct str in, struct spool_format *format, struct err *err);

/* ---- start ---- */

struct spool_start {
    uint64_t sequence;
    uint64_t run;
    uint64_t id_ceiling;
    bool orderly; /* that run has ended, and all of it is on disk */
};

void spool_start_put(const struct spool_secret *secret, uint64_t offset, const struct spool_start *start,
                     unsigned char to[SPOOL_START_OCTETS]);
MUST_USE bool spool_start_get(const struct spool_secret *secret, uint64_t offset, struct str in,
                              struct spool_start *start);

/* ---- segments ---- */

struct spool_segment_head {
    uint32_t number;
    uint32_t blocks;
    uint64_t life;
    uint64_t first_frame;
    uint64_t former_life; /* 0: the log begins here */
    uint32_t former_number;
    uint64_t former_counts; /* the last of its frames that does */
    int64_t utc_msec;
};

void spool_segment_head_put(const struct spool_secret *secret, const struct spool_segment_head *head,
                            unsigned char to[SPOOL_SEGMENT_HEAD]);
MUST_USE bool spool_segment_head_get(const struct spool_secret *secret, struct str in,
                                     struct spool_segment_head *head);

/* ---- frames ---- */

enum spool_kind {
    SPOOL_KIND_MESSAGE = 1,
    SPOOL_KIND_OUTCOME,
    SPOOL_KIND_HOLD,
    SPOOL_KIND_RELEASE,
    SPOOL_KIND_EDIT,
    SPOOL_KIND_GONE,
    SPOOL_KIND_VOID,
    SPOOL_KIND_COPY, /* a message once more, with its newest envelope; the former one is not needed any longer */
    SPOOL_KINDS,
};

/* Its meta is that of a message, and it has content. */
static inline bool spool_kind_is_message(enum spool_kind kind)
{
    return kind == SPOOL_KIND_MESSAGE || kind == SPOOL_KIND_COPY;
}

struct spool_frame_head {
    uint32_t records;
    uint64_t life;
    uint64_t number;
    uint64_t durable;
    uint32_t blocks;
    uint32_t front; /* octets of head, table and metas */
    int64_t utc_msec;
};

struct spool_row {
    enum spool_kind kind;
    uint32_t meta_octets;
    struct queue_id id;
    uint64_t meta_sum;
    uint64_t content_octets;
};

/* What stands before the envelope of a message. */
struct spool_message_meta {
    struct spool_token token;
    int64_t accepted_utc_msec;
    uint64_t file;
    uint64_t file_octets;
    uint64_t file_sum;
    uint32_t head_octets;
    uint32_t envelope_octets;
    uint64_t content_sum;
};

/* TO has room for head and table; the table stands there already. */
void spool_frame_head_put(const struct spool_secret *secret, uint64_t offset,
                          const struct spool_frame_head *head, unsigned char *to);
/*
 * Of the octets at OFFSET in LIFE. SPOOL_FRAME_MORE: the table does not end within IN, *need octets are
 * wanted; only said of a head that is plausible in itself.
 */
enum spool_frame_scan { SPOOL_FRAME_OK, SPOOL_FRAME_MORE, SPOOL_FRAME_BAD };
enum spool_frame_scan spool_frame_head_get(const struct spool_secret *secret, uint64_t life, uint64_t offset,
                                           struct str in, struct spool_frame_head *head, size_t *need);

void spool_row_put(const struct spool_row *row, unsigned char to[SPOOL_ROW]);
/* Row AT of the table of a frame whose head is good; false for a kind that is unknown. */
MUST_USE bool spool_row_get(const unsigned char *frame, uint32_t at, struct spool_row *row);
/* Where the meta and the content of row AT stand, from the start of the frame. False when outside of it. */
MUST_USE bool spool_row_place(const unsigned char *frame, const struct spool_frame_head *head, uint32_t at,
                              uint64_t *meta, uint64_t *content);

void spool_message_meta_put(const struct spool_message_meta *meta, unsigned char to[SPOOL_MESSAGE_META]);
/* Of a meta whose sum is good; ENVELOPE borrows from IN. CONTENT_OCTETS is the row's. */
MUST_USE bool spool_message_meta_get(struct str in, uint64_t content_octets, struct spool_message_meta *meta,
                                     struct str *envelope);
MUST_USE bool spool_outcome_meta_get(struct str in, uint32_t *version, struct str *state);

/* ---- positions ---- */

struct spool_position {
    uint32_t segment;
    uint32_t block;
    uint32_t row;
    uint32_t size; /* spool_size_of() what stands there */
};

/* About how long a record is, in 4 bits: what lives in a segment is known without reading it. */
static inline uint32_t spool_size_of(uint64_t octets)
{
    uint32_t size = 0;

    while (size < 15 && octets > 512ULL << size)
        size++;
    return size;
}

/* The middle of what has that size. */
static inline uint64_t spool_size_octets(uint32_t size)
{
    return 384ULL << size;
}

/* By their numbers positions stand in the order of their segment. */
static inline uint64_t spool_position_pack(struct spool_position p)
{
    return (uint64_t)p.segment << 36 | (uint64_t)p.block << 16 | p.row << 4 | p.size;
}

static inline struct spool_position spool_position_of(uint64_t packed)
{
    return (struct spool_position){
        .segment = (uint32_t)(packed >> 36),
        .block = (uint32_t)(packed >> 16) & 0xfffff,
        .row = (uint32_t)packed >> 4 & 0xfff,
        .size = (uint32_t)packed & 15,
    };
}

/* Packed, of row AT in the frame that begins at BLOCK. */
static inline uint64_t spool_row_position(const struct spool_row *row, uint32_t segment, uint32_t block,
                                          uint32_t at)
{
    uint64_t octets = SPOOL_ROW + row->meta_octets + row->content_octets;

    return spool_position_pack((struct spool_position){ segment, block, at, spool_size_of(octets) });
}

/* ---- checkpoints ---- */

struct spool_checkpoint_head {
    uint64_t number;
    uint64_t replay_life;
    uint32_t replay_segment;
    uint32_t replay_block;
    uint64_t replay_frame;
    uint64_t last_life;
    uint64_t next_file;
    uint32_t segments;
    uint32_t tokens;
    uint64_t entries;
    uint32_t rare; /* entries that have more */
    uint64_t last_id;
    uint64_t body_sum;
    int64_t utc_msec;
};

enum { SPOOL_SEGMENT_DAMAGED = 1, SPOOL_SEGMENT_DEAD = 2 };

struct spool_segment_row {
    uint32_t number;
    uint32_t flags;
    uint64_t life;
    uint64_t counts;
    uint32_t blocks;
};

enum { SPOOL_ENTRY_HELD = 1, SPOOL_ENTRY_DAMAGED = 2 }; /* four bits there are */

struct spool_entry_row {
    uint64_t id;
    uint64_t message; /* packed positions; 0: none */
    uint64_t outcome;
    uint64_t hold;
    uint64_t edit;
    uint64_t file;
    uint32_t version;
    uint32_t flags;
};

enum { SPOOL_TOKEN_FLAG_VOID = 1 };

struct spool_token_row {
    struct spool_token token;
    uint64_t id;
    uint64_t flags;
};

void spool_checkpoint_head_put(const struct spool_secret *secret, const struct spool_checkpoint_head *head,
                               unsigned char to[SPOOL_CHECKPOINT_HEAD]);
MUST_USE bool spool_checkpoint_head_get(const struct spool_secret *secret, struct str in,
                                        struct spool_checkpoint_head *head);
/* Octets of the body that HEAD speaks of; false when that is no sane number. */
MUST_USE bool spool_checkpoint_body(const struct spool_checkpoint_head *head, uint64_t *octets);
void spool_segment_row_put(const struct spool_segment_row *row, unsigned char to[SPOOL_SEGMENT_ROW]);
void spool_segment_row_get(const unsigned char in[SPOOL_SEGMENT_ROW], struct spool_segment_row *row);
void spool_entry_row_put(const struct spool_entry_row *row, unsigned char to[SPOOL_ENTRY_ROW]);
void spool_entry_row_get(const unsigned char in[SPOOL_ENTRY_ROW], struct spool_entry_row *row);
/* Its hold, edit and file, which are in no entry row; getting them leaves the rest of *row. */
void spool_rare_row_put(const struct spool_entry_row *row, unsigned char to[SPOOL_RARE_ROW]);
void spool_rare_row_get(const unsigned char in[SPOOL_RARE_ROW], struct spool_entry_row *row);
void spool_token_row_put(const struct spool_token_row *row, unsigned char to[SPOOL_TOKEN_ROW]);
void spool_token_row_get(const unsigned char in[SPOOL_TOKEN_ROW], struct spool_token_row *row);

/* ---- names ---- */

enum spool_name_kind {
    SPOOL_NAME_OTHER,
    SPOOL_NAME_SEGMENT,
    SPOOL_NAME_OWN,
    SPOOL_NAME_FIXED, /* format, start, lock, checkpoint-a, checkpoint-b, format.new */
};

struct spool_name {
    char c[40];
};

struct spool_name spool_segment_name(uint32_t number);
struct spool_name spool_own_name(uint64_t number);
enum spool_name_kind spool_name_parse(struct str name, uint64_t *number);

#endif
