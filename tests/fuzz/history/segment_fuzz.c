/*
 * Any octets where the history looks for a segment, a block, an index or a record of another version. Sums would stop
 * all but our own, so the first octet says what the rest is taken for, and they are put right before it is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/bug.h"
#include "core/num.h"
#include "history/history.h"
#include "history/names.h"
#include "log/render.h"
#include "tests/unit/history/memory_disk.h"

static void on_found(void *ctx, struct str record)
{
    struct buf *line = ctx;

    buf_clear(line);
    if (log_render(record, LOG_JSON, false, line))
        BUG_ON(line->p[0] != '{');
}

/* How it is cut into steps must not change what is found. */
static void search(struct memory_disk *m, enum history_kind kind)
{
    static const struct history_limits limits = { INT64_MAX / 4, 1 << 20 };
    struct buf line = BUF_INIT(LOG_LINE_MAX * 2);
    struct history_query q;
    struct history h;

    BUG_ON(!history_open(&h, &m->disk, &limits, 0, NULL));
    BUG_ON(!history_query_begin(&q, &h, kind, STR("3591TJHR6EY3")));
    while (history_query_step(&q, 1000, 0, on_found, &line))
        ;
    history_query_end(&q);
    BUG_ON(m->open);
    history_close(&h);
    buf_done(&line);
}

static void fuzz_segment(struct memory_disk *m, const uint8_t *p, size_t n)
{
    struct history_name name = history_name_of(1, false);

    memory_file_put(m, name.c, p, n);
    search(m, HISTORY_ID);
}

/* What is behind a good head and in a block with a good sum. */
static void fuzz_block(struct memory_disk *m, const uint8_t *p, size_t n)
{
    struct history_name name = history_name_of(1, false);
    struct buf file = BUF_INIT(1 << 20);
    char head[HISTORY_BLOCK_HEAD] = { 0 };

    n = n > HISTORY_BLOCK_MAX ? HISTORY_BLOCK_MAX : n;
    BUG_ON(!history_head_write(&file, 1, 0));
    size_t at = file.n;
    buf_add(&file, str_of(head, sizeof(head)));
    buf_add(&file, str_of((const char *)p, n));
    history_block_seal(file.p + at, file.n - at, 1, at);
    memory_file_put(m, name.c, file.p, file.n);
    for (enum history_kind kind = HISTORY_ID; kind <= HISTORY_ADDRESS; kind++)
        search(m, kind);
    buf_done(&file);
}

static void fuzz_index(struct memory_disk *m, uint8_t *p, size_t n)
{
    struct history_name name = history_name_of(1, true), segment = history_name_of(1, false);
    struct buf file = BUF_INIT(HISTORY_HEAD_MAX);

    if (n >= 32) {
        memcpy(p, "VHINDEX1", 8);
        le32_put(p + 8, le32_get(p + 8) % 8);
        le64_put(p + 16, 1);
        le64_put(p + 24, XXH3_64bits(p, 24));
    }
    memory_file_put(m, name.c, p, n);
    BUG_ON(!history_head_write(&file, 1, 0));
    memory_file_put(m, segment.c, file.p, file.n);
    search(m, HISTORY_ID);
    buf_done(&file);
}

static void fuzz_names(const uint8_t *p, size_t n)
{
    struct history_names names = { 0 };
    struct log_record here;
    struct buf line = BUF_INIT(LOG_LINE_MAX * 2);

    if (n < 2 * HISTORY_NAMES_MAX)
        return;
    memcpy(names.events, p, HISTORY_NAMES_MAX);
    memcpy(names.fields, p + HISTORY_NAMES_MAX, HISTORY_NAMES_MAX);
    if (history_record_here(str_of((const char *)p + 2 * HISTORY_NAMES_MAX, n - 2 * HISTORY_NAMES_MAX), &names, &here))
        on_found(&line, log_octets(&here));
    buf_done(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct memory_disk m;
    uint8_t *copy;

    if (!n)
        return 0;
    copy = malloc(n);
    BUG_ON(!copy);
    memcpy(copy, data + 1, n - 1);
    memory_disk_init(&m);
    switch (data[0] % 4) {
    case 0:
        fuzz_segment(&m, copy, n - 1);
        break;
    case 1:
        fuzz_block(&m, copy, n - 1);
        break;
    case 2:
        fuzz_index(&m, copy, n - 1);
        break;
    default:
        fuzz_names(copy, n - 1);
    }
    memory_disk_done(&m);
    free(copy);
    return 0;
}
