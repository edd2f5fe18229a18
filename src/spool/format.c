/* spool/format.c -- the form on disk, octet by octet (docs/SPOOL.md 2 to 6). */
#include "spool/format.h"

#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL /* state on the stack, whatever version of the library is installed */
#include <xxhash.h>

#include "core/check.h"
#include "core/num.h"

enum {
    MAGIC_START = 0x74735356,      /* VSst */
    MAGIC_SEGMENT = 0x67735356,    /* VSsg */
    MAGIC_FRAME = 0x72665356,      /* VSfr */
    MAGIC_CHECKPOINT = 0x70635356, /* VScp */
};

static const char format_magic[16] = "veredus spool\0\r\n";

/* ---- sums ---- */

struct spool_summer {
    XXH3_state_t xxh; /* wants 64-octet alignment, which its own maker gives */
};

struct spool_summer *spool_summer_new(const struct spool_secret *secret, uint64_t life, uint64_t offset)
{
    unsigned char where[16];
    XXH3_state_t *xxh = XXH3_createState();

    if (!xxh)
        return NULL;
    le64_put(where, life);
    le64_put(where + 8, offset);
    XXH3_64bits_reset_withSecret(xxh, secret->octet, sizeof(secret->octet));
    XXH3_64bits_update(xxh, where, sizeof(where));
    return (struct spool_summer *)xxh;
}

void spool_summer_add(struct spool_summer *summer, const void *p, size_t n)
{
    if (n)
        XXH3_64bits_update(&summer->xxh, p, n);
}

uint64_t spool_summer_end(struct spool_summer *summer)
{
    uint64_t sum = XXH3_64bits_digest(&summer->xxh);

    XXH3_freeState(&summer->xxh);
    return sum;
}

uint64_t spool_sum2(const struct spool_secret *secret, uint64_t life, uint64_t offset, struct str a,
                    struct str b)
{
    XXH3_state_t xxh;
    unsigned char where[16];

    le64_put(where, life);
    le64_put(where + 8, offset);
    XXH3_INITSTATE(&xxh);
    XXH3_64bits_reset_withSecret(&xxh, secret->octet, sizeof(secret->octet));
    XXH3_64bits_update(&xxh, where, sizeof(where));
    if (a.n)
        XXH3_64bits_update(&xxh, a.p, a.n);
    if (b.n)
        XXH3_64bits_update(&xxh, b.p, b.n);
    return XXH3_64bits_digest(&xxh);
}

uint64_t spool_sum(const struct spool_secret *secret, uint64_t life, uint64_t offset, const void *p, size_t n)
{
    return spool_sum2(secret, life, offset, str_of(p, n), STR_NONE);
}

/* ---- format ---- */

void spool_format_put(const struct spool_format *format, unsigned char to[SPOOL_FORMAT_OCTETS])
{
    memset(to, 0, SPOOL_FORMAT_OCTETS);
    memcpy(to, format_magic, sizeof(format_magic));
    le32_put(to + 16, SPOOL_VERSION);
    le64_put(to + 40, (uint64_t)format->made_utc_msec);
    memcpy(to + 48, format->name, sizeof(format->name));
    memcpy(to + 64, format->secret.octet, SPOOL_SECRET_OCTETS);
    le64_put(to + 256, XXH3_64bits(to, 256));
}

bool spool_format_get(struct str in, struct spool_format *format, struct err *err)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n < 20 || memcmp(p, format_magic, sizeof(format_magic)) != 0)
        return err_temp(err, "not the format file of a spool");
    /* Before the sum, which may be another one in a later version. */
    if (le32_get(p + 16) != SPOOL_VERSION)
        return err_perm(
            err, "the spool has format %u, this veredus knows format %d only: run the veredus that wrote it",
            le32_get(p + 16), SPOOL_VERSION);
    if (in.n < SPOOL_FORMAT_OCTETS || le64_get(p + 256) != XXH3_64bits(p, 256))
        return err_temp(err, "its checksum does not match");
    if (le64_get(p + 24) != 0)
        return err_perm(
            err,
            "the spool uses features 0x%llx that this veredus does not know: run the veredus that wrote it",
            (unsigned long long)le64_get(p + 24));
    format->made_utc_msec = (int64_t)le64_get(p + 40);
    memcpy(format->name, p + 48, sizeof(format->name));
    memcpy(format->secret.octet, p + 64, SPOOL_SECRET_OCTETS);
    return true;
}

/* ---- start ---- */

void spool_start_put(const struct spool_secret *secret, uint64_t offset, const struct spool_start *start,
                     unsigned char to[SPOOL_START_OCTETS])
{
    le32_put(to, MAGIC_START);
    le32_put(to + 4, start->orderly);
    le64_put(to + 8, start->sequence);
    le64_put(to + 16, start->run);
    le64_put(to + 24, start->id_ceiling);
    le64_put(to + 32, spool_sum(secret, 0, offset, to, 32));
}

bool spool_start_get(const struct spool_secret *secret, uint64_t offset, struct str in,
                     struct spool_start *start)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n < SPOOL_START_OCTETS || le32_get(p) != MAGIC_START ||
        le64_get(p + 32) != spool_sum(secret, 0, offset, p, 32))
        return false;
    *start = (struct spool_start){ .sequence = le64_get(p + 8),
                                   .run = le64_get(p + 16),
                                   .id_ceiling = le64_get(p + 24),
                                   .orderly = le32_get(p + 4) & 1 };
    return true;
}

/* ---- segments ---- */

void spool_segment_head_put(const struct spool_secret *secret, const struct spool_segment_head *head,
                            unsigned char to[SPOOL_SEGMENT_HEAD])
{
    memset(to, 0, SPOOL_SEGMENT_HEAD);
    le32_put(to, MAGIC_SEGMENT);
    le32_put(to + 4, head->number);
    le64_put(to + 8, head->life);
    le64_put(to + 16, head->first_frame);
    le32_put(to + 24, head->blocks);
    le64_put(to + 32, head->former_life);
    le32_put(to + 40, head->former_number);
    le64_put(to + 48, head->former_counts);
    le64_put(to + 56, (uint64_t)head->utc_msec);
    le64_put(to + 64, spool_sum(secret, head->life, 0, to, 64));
}

bool spool_segment_head_get(const struct spool_secret *secret, struct str in, struct spool_segment_head *head)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n < SPOOL_SEGMENT_HEAD || le32_get(p) != MAGIC_SEGMENT ||
        le64_get(p + 64) != spool_sum(secret, le64_get(p + 8), 0, p, 64))
        return false;
    *head = (struct spool_segment_head){
        .number = le32_get(p + 4),
        .life = le64_get(p + 8),
        .first_frame = le64_get(p + 16),
        .blocks = le32_get(p + 24),
        .former_life = le64_get(p + 32),
        .former_number = le32_get(p + 40),
        .former_counts = le64_get(p + 48),
        .utc_msec = (int64_t)le64_get(p + 56),
    };
    return head->life != 0 && head->blocks > 1 && head->blocks <= SPOOL_BLOCKS_MAX &&
           head->first_frame != 0 && head->former_life < head->life;
}

/* ---- frames ---- */

/* Octets 0 to 55 and the table, without the sum between them. */
static uint64_t frame_sum(const struct spool_secret *secret, uint64_t life, uint64_t offset,
                          const unsigned char *p, uint32_t records)
{
    return spool_sum2(secret, life, offset, str_of((const char *)p, 56),
                      str_of((const char *)p + SPOOL_FRAME_HEAD, (size_t)records * SPOOL_ROW));
}

void spool_frame_head_put(const struct spool_secret *secret, uint64_t offset,
                          const struct spool_frame_head *head, unsigned char *to)
{
    le32_put(to, MAGIC_FRAME);
    le32_put(to + 4, head->records);
    le64_put(to + 8, head->life);
    le64_put(to + 16, head->number);
    le64_put(to + 24, head->durable);
    le32_put(to + 32, head->blocks);
    le32_put(to + 36, head->front);
    le64_put(to + 40, (uint64_t)head->utc_msec);
    le64_put(to + 48, 0);
    le64_put(to + 56, frame_sum(secret, head->life, offset, to, head->records));
}

enum spool_frame_scan spool_frame_head_get(const struct spool_secret *secret, uint64_t life, uint64_t offset,
                                           struct str in, struct spool_frame_head *head, size_t *need)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n < SPOOL_FRAME_HEAD || le32_get(p) != MAGIC_FRAME || le64_get(p + 8) != life)
        return SPOOL_FRAME_BAD;
    struct spool_frame_head h = {
        .records = le32_get(p + 4),
        .life = life,
        .number = le64_get(p + 16),
        .durable = le64_get(p + 24),
        .blocks = le32_get(p + 32),
        .front = le32_get(p + 36),
        .utc_msec = (int64_t)le64_get(p + 40),
    };
    size_t table = SPOOL_FRAME_HEAD + (size_t)h.records * SPOOL_ROW;
    if (h.records > SPOOL_RECORDS_MAX || h.blocks == 0 || h.blocks >= SPOOL_BLOCKS_MAX || h.front < table ||
        h.front > (uint64_t)h.blocks * SPOOL_BLOCK)
        return SPOOL_FRAME_BAD;
    if (in.n < table) {
        *need = table;
        return SPOOL_FRAME_MORE;
    }
    if (le64_get(p + 56) != frame_sum(secret, life, offset, p, h.records))
        return SPOOL_FRAME_BAD;
    *head = h;
    return SPOOL_FRAME_OK;
}

void spool_row_put(const struct spool_row *row, unsigned char to[SPOOL_ROW])
{
    le16_put(to, (uint16_t)row->kind);
    le16_put(to + 2, 0);
    le32_put(to + 4, row->meta_octets);
    le64_put(to + 8, row->id.n);
    le64_put(to + 16, row->meta_sum);
    le64_put(to + 24, row->content_octets);
}

bool spool_row_get(const unsigned char *frame, uint32_t at, struct spool_row *row)
{
    const unsigned char *p = frame + SPOOL_FRAME_HEAD + (size_t)at * SPOOL_ROW;
    uint16_t kind = le16_get(p);

    if (kind < SPOOL_KIND_MESSAGE || kind >= SPOOL_KINDS)
        return false;
    *row = (struct spool_row){
        .kind = (enum spool_kind)kind,
        .meta_octets = le32_get(p + 4),
        .id = { le64_get(p + 8) },
        .meta_sum = le64_get(p + 16),
        .content_octets = le64_get(p + 24),
    };
    return true;
}

bool spool_row_place(const unsigned char *frame, const struct spool_frame_head *head, uint32_t at,
                     uint64_t *meta, uint64_t *content)
{
    uint64_t m = SPOOL_FRAME_HEAD + (uint64_t)head->records * SPOOL_ROW, c = head->front;
    const unsigned char *p = frame + SPOOL_FRAME_HEAD;

    if (at >= head->records)
        return false;
    for (uint32_t i = 0; i < at; i++, p += SPOOL_ROW) {
        m += le32_get(p + 4);
        if (!u64_add(c, le64_get(p + 24), &c))
            return false;
    }
    *meta = m;
    *content = c;
    uint64_t end;
    return m + le32_get(p + 4) <= head->front && u64_add(c, le64_get(p + 24), &end) &&
           end <= (uint64_t)head->blocks * SPOOL_BLOCK;
}

void spool_message_meta_put(const struct spool_message_meta *meta, unsigned char to[SPOOL_MESSAGE_META])
{
    memcpy(to, meta->token.octet, SPOOL_TOKEN_OCTETS);
    le64_put(to + 16, (uint64_t)meta->accepted_utc_msec);
    le64_put(to + 24, meta->file);
    le64_put(to + 32, meta->file_octets);
    le64_put(to + 40, meta->file_sum);
    le32_put(to + 48, meta->head_octets);
    le32_put(to + 52, meta->envelope_octets);
    le64_put(to + 56, meta->content_sum);
}

bool spool_message_meta_get(struct str in, uint64_t content_octets, struct spool_message_meta *meta,
                            struct str *envelope)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n < SPOOL_MESSAGE_META)
        return false;
    struct spool_message_meta m = {
        .accepted_utc_msec = (int64_t)le64_get(p + 16),
        .file = le64_get(p + 24),
        .file_octets = le64_get(p + 32),
        .file_sum = le64_get(p + 40),
        .head_octets = le32_get(p + 48),
        .envelope_octets = le32_get(p + 52),
        .content_sum = le64_get(p + 56),
    };
    memcpy(m.token.octet, p, SPOOL_TOKEN_OCTETS);
    if (m.envelope_octets != in.n - SPOOL_MESSAGE_META || m.head_octets > content_octets)
        return false;
    *meta = m;
    *envelope = str_skip(in, SPOOL_MESSAGE_META);
    return true;
}

bool spool_outcome_meta_get(struct str in, uint32_t *version, struct str *state)
{
    if (in.n < SPOOL_OUTCOME_META)
        return false;
    *version = le32_get(in.p);
    *state = str_skip(in, SPOOL_OUTCOME_META);
    return true;
}

/* ---- checkpoints ---- */

void spool_checkpoint_head_put(const struct spool_secret *secret, const struct spool_checkpoint_head *head,
                               unsigned char to[SPOOL_CHECKPOINT_HEAD])
{
    le32_put(to, MAGIC_CHECKPOINT);
    le32_put(to + 4, head->rare);
    le64_put(to + 8, head->number);
    le64_put(to + 16, head->replay_life);
    le32_put(to + 24, head->replay_segment);
    le32_put(to + 28, head->replay_block);
    le64_put(to + 32, head->replay_frame);
    le64_put(to + 40, head->last_life);
    le64_put(to + 48, head->next_file);
    le32_put(to + 56, head->segments);
    le32_put(to + 60, head->tokens);
    le64_put(to + 64, head->entries);
    le64_put(to + 72, head->last_id);
    le64_put(to + 80, head->body_sum);
    le64_put(to + 88, (uint64_t)head->utc_msec);
    le64_put(to + 96, spool_sum(secret, head->number, 0, to, 96));
}

bool spool_checkpoint_head_get(const struct spool_secret *secret, struct str in,
                               struct spool_checkpoint_head *head)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n < SPOOL_CHECKPOINT_HEAD || le32_get(p) != MAGIC_CHECKPOINT ||
        le64_get(p + 96) != spool_sum(secret, le64_get(p + 8), 0, p, 96))
        return false;
    *head = (struct spool_checkpoint_head){
        .rare = le32_get(p + 4),
        .number = le64_get(p + 8),
        .replay_life = le64_get(p + 16),
        .replay_segment = le32_get(p + 24),
        .replay_block = le32_get(p + 28),
        .replay_frame = le64_get(p + 32),
        .last_life = le64_get(p + 40),
        .next_file = le64_get(p + 48),
        .segments = le32_get(p + 56),
        .tokens = le32_get(p + 60),
        .entries = le64_get(p + 64),
        .last_id = le64_get(p + 72),
        .body_sum = le64_get(p + 80),
        .utc_msec = (int64_t)le64_get(p + 88),
    };
    return head->number != 0;
}

bool spool_checkpoint_body(const struct spool_checkpoint_head *head, uint64_t *octets)
{
    if (head->entries > UINT32_MAX)
        return false;
    *octets = (uint64_t)head->segments * SPOOL_SEGMENT_ROW + head->entries * SPOOL_ENTRY_ROW +
              (uint64_t)head->rare * SPOOL_RARE_ROW + (uint64_t)head->tokens * SPOOL_TOKEN_ROW;
    return true;
}

void spool_segment_row_put(const struct spool_segment_row *row, unsigned char to[SPOOL_SEGMENT_ROW])
{
    le32_put(to, row->number);
    le32_put(to + 4, row->flags);
    le64_put(to + 8, row->life);
    le64_put(to + 16, row->counts);
    le32_put(to + 24, row->blocks);
    le32_put(to + 28, 0);
}

void spool_segment_row_get(const unsigned char in[SPOOL_SEGMENT_ROW], struct spool_segment_row *row)
{
    *row = (struct spool_segment_row){
        .number = le32_get(in),
        .flags = le32_get(in + 4),
        .life = le64_get(in + 8),
        .counts = le64_get(in + 16),
        .blocks = le32_get(in + 24),
    };
}

void spool_entry_row_put(const struct spool_entry_row *row, unsigned char to[SPOOL_ENTRY_ROW])
{
    le64_put(to, row->id | (uint64_t)row->flags << QUEUE_ID_BITS);
    le64_put(to + 8, row->message);
    le64_put(to + 16, row->outcome);
    le32_put(to + 24, row->version);
    le32_put(to + 28, 0);
}

void spool_entry_row_get(const unsigned char in[SPOOL_ENTRY_ROW], struct spool_entry_row *row)
{
    *row = (struct spool_entry_row){
        .id = le64_get(in) & ((1ULL << QUEUE_ID_BITS) - 1),
        .message = le64_get(in + 8),
        .outcome = le64_get(in + 16),
        .version = le32_get(in + 24),
        .flags = (uint32_t)(le64_get(in) >> QUEUE_ID_BITS),
    };
}

void spool_rare_row_put(const struct spool_entry_row *row, unsigned char to[SPOOL_RARE_ROW])
{
    le64_put(to, row->id);
    le64_put(to + 8, row->hold);
    le64_put(to + 16, row->edit);
    le64_put(to + 24, row->file);
}

void spool_rare_row_get(const unsigned char in[SPOOL_RARE_ROW], struct spool_entry_row *row)
{
    row->id = le64_get(in);
    row->hold = le64_get(in + 8);
    row->edit = le64_get(in + 16);
    row->file = le64_get(in + 24);
}

void spool_token_row_put(const struct spool_token_row *row, unsigned char to[SPOOL_TOKEN_ROW])
{
    memcpy(to, row->token.octet, SPOOL_TOKEN_OCTETS);
    le64_put(to + 16, row->id);
    le64_put(to + 24, row->flags);
}

void spool_token_row_get(const unsigned char in[SPOOL_TOKEN_ROW], struct spool_token_row *row)
{
    memcpy(row->token.octet, in, SPOOL_TOKEN_OCTETS);
    row->id = le64_get(in + 16);
    row->flags = le64_get(in + 24);
}

/* ---- names ---- */

struct spool_name spool_segment_name(uint32_t number)
{
    struct spool_name name;

    snprintf(name.c, sizeof(name.c), "log-%08x", (unsigned)number);
    return name;
}

struct spool_name spool_own_name(uint64_t number)
{
    struct spool_name name;

    snprintf(name.c, sizeof(name.c), "own-%016llx", (unsigned long long)number);
    return name;
}

/* Lower-case digits of exactly that many characters, not 0. */
static bool hex(struct str s, size_t digits, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n != digits)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
            return false;
        v = v << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return v != 0;
}

enum spool_name_kind spool_name_parse(struct str name, uint64_t *number)
{
    static const struct str fixed[] = {
        STR_INIT("format"), STR_INIT("format.new"),   STR_INIT("start"),
        STR_INIT("lock"),   STR_INIT("checkpoint-a"), STR_INIT("checkpoint-b")
    };

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (str_eq(name, fixed[i]))
            return SPOOL_NAME_FIXED;
    if (str_starts(name, STR("log-")) && hex(str_skip(name, 4), 8, number) &&
        *number <= SPOOL_SEGMENT_NUMBER_MAX)
        return SPOOL_NAME_SEGMENT;
    if (str_starts(name, STR("own-")) && hex(str_skip(name, 4), 16, number))
        return SPOOL_NAME_OWN;
    return SPOOL_NAME_OTHER;
}
