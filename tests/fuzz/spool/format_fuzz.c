/*
 * Any octets where the spool looks for a format, a start, a header, a frame, a checkpoint. The sums would
 * stop all but our own, so the first octet says what the rest is taken for and the sum is put right before it
 * is decoded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bug.h"
#include "core/num.h"
#include "spool/format.h"

static const struct spool_secret secret;

static void fuzz_frame(unsigned char *p, size_t n)
{
    struct spool_frame_head head;
    struct str in = str_of((const char *)p, n);
    size_t need = 0;

    if (n < SPOOL_FRAME_HEAD)
        return;
    memcpy(p, "VSfr", 4);
    le32_put(p + 4, le32_get(p + 4) % 64);
    uint32_t records = le32_get(p + 4);
    struct spool_frame_head put = { .records = records,
                                    .life = le64_get(p + 8),
                                    .number = le64_get(p + 16),
                                    .durable = le64_get(p + 24),
                                    .blocks = le32_get(p + 32),
                                    .front = le32_get(p + 36) };
    if (n >= SPOOL_FRAME_HEAD + (size_t)records * SPOOL_ROW)
        spool_frame_head_put(&secret, 4096, &put, p);
    enum spool_frame_scan scan = spool_frame_head_get(&secret, le64_get(p + 8), 4096, in, &head, &need);
    BUG_ON(scan == SPOOL_FRAME_MORE && need <= n);
    if (scan != SPOOL_FRAME_OK)
        return;
    for (uint32_t i = 0; i <= records; i++) {
        uint64_t meta, content;
        struct spool_row row;
        if (!spool_row_place(p, &head, i, &meta, &content) || !spool_row_get(p, i, &row))
            continue;
        BUG_ON(meta + row.meta_octets > head.front);
        BUG_ON(content + row.content_octets > (uint64_t)head.blocks * SPOOL_BLOCK);
    }
}

static void fuzz_metas(const unsigned char *p, size_t n)
{
    struct spool_message_meta meta;
    struct str text, in = str_of((const char *)p, n);
    uint32_t version;

    if (spool_message_meta_get(in, n, &meta, &text))
        BUG_ON(text.n != meta.envelope_octets || meta.head_octets > n);
    if (spool_outcome_meta_get(in, &version, &text))
        BUG_ON(text.n + SPOOL_OUTCOME_META != n);
}

static void fuzz_heads(unsigned char *p, size_t n)
{
    struct spool_segment_head segment;
    struct spool_checkpoint_head checkpoint;
    struct spool_start start;
    uint64_t octets;

    if (n >= SPOOL_SEGMENT_HEAD) {
        memcpy(p, "VSsg", 4);
        le64_put(p + 64, spool_sum(&secret, le64_get(p + 8), 0, p, 64));
        if (spool_segment_head_get(&secret, str_of((char *)p, n), &segment))
            BUG_ON(segment.former_life >= segment.life || segment.blocks > SPOOL_BLOCKS_MAX);
    }
    if (n >= SPOOL_CHECKPOINT_HEAD) {
        memcpy(p, "VScp", 4);
        le64_put(p + 96, spool_sum(&secret, le64_get(p + 8), 0, p, 96));
        if (spool_checkpoint_head_get(&secret, str_of((char *)p, n), &checkpoint) &&
            spool_checkpoint_body(&checkpoint, &octets))
            BUG_ON(octets < checkpoint.entries * SPOOL_ENTRY_ROW);
    }
    if (n >= SPOOL_START_OCTETS) {
        memcpy(p, "VSst", 4);
        le64_put(p + 32, spool_sum(&secret, 0, 0, p, 32));
        BUG_ON(!spool_start_get(&secret, 0, str_of((char *)p, n), &start));
    }
}

static void fuzz_names(const unsigned char *p, size_t n)
{
    uint64_t number;
    struct spool_name back = { { 0 } };
    struct str name = str_of((const char *)p, n);

    switch (spool_name_parse(name, &number)) {
    case SPOOL_NAME_SEGMENT:
        back = spool_segment_name((uint32_t)number);
        break;
    case SPOOL_NAME_OWN:
        back = spool_own_name(number);
        break;
    default:
        return;
    }
    BUG_ON(!str_eq(name, str_from_c(back.c)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_format format;
    struct err err = { 0 };

    if (!size)
        return 0;
    size_t n = size - 1;
    unsigned char *p = malloc(n ? n : 1);
    if (!p)
        return 0;
    memcpy(p, data + 1, n);
    switch (data[0] % 5) {
    case 0:
        fuzz_frame(p, n);
        break;
    case 1:
        fuzz_metas(p, n);
        break;
    case 2:
        fuzz_heads(p, n);
        break;
    case 3:
        fuzz_names(p, n);
        break;
    default:
        (void)!spool_format_get(str_of((char *)p, n), &format, &err);
    }
    free(p);
    return 0;
}
