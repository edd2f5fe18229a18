/* spool/reader.c -- frames and records of the log by their position. */
#include "spool/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "core/check.h"

enum {
    FRONT_GUESS = SPOOL_BLOCK, /* head, table and metas of a few messages */
    AHEAD_OCTETS = 64 << 10,
};

void reader_init(struct reader *r, struct spool_disk *disk, const struct spool_secret *secret)
{
    *r = (struct reader){ .disk = disk, .secret = secret, .fd = -1 };
}

void reader_done(struct reader *r)
{
    if (r->fd >= 0)
        r->disk->ops->close(r->disk, r->fd);
    free(r->octets);
}

static bool open_anew(struct reader *r, uint32_t segment, uint64_t life)
{
    if (r->fd >= 0)
        r->disk->ops->close(r->disk, r->fd);
    r->segment = segment;
    r->opened_for = life;
    r->n = 0;
    r->e = r->disk->ops->open(r->disk, spool_segment_name(segment).c, SPOOL_OPEN_READ, &r->fd);
    if (r->e)
        r->fd = -1;
    return !r->e;
}

bool reader_open(struct reader *r, uint32_t segment)
{
    return (r->fd >= 0 && r->segment == segment) || open_anew(r, segment, 0);
}

bool reader_open_life(struct reader *r, uint32_t segment, uint64_t life)
{
    return (r->fd >= 0 && r->segment == segment && r->opened_for == life) || open_anew(r, segment, life);
}

bool reader_want(struct reader *r, uint64_t want)
{
    uint64_t at = (uint64_t)r->block * SPOOL_BLOCK;

    r->e = 0;
    if (r->room < want) {
        unsigned char *octets = realloc(r->octets, want);
        if (!octets) {
            r->e = ENOMEM;
            return false;
        }
        r->octets = octets;
        r->room = want;
    }
    while (r->n < want) {
        size_t got = 0;
        r->e = r->disk->ops->pread(r->disk, r->fd, r->octets + r->n, want - r->n, at + r->n, &got);
        if (r->e || !got)
            return false; /* the file ends here: damage */
        r->n += got;
    }
    return true;
}

bool reader_frame(struct reader *r, struct spool_position p, uint64_t life)
{
    size_t need = 0;

    r->e = 0;
    if (r->fd >= 0 && r->n && r->segment == p.segment && r->block == p.block && r->life == life)
        return true; /* opened for that life as well */
    if (!reader_open_life(r, p.segment, life))
        return false;
    r->n = 0;
    r->block = p.block;
    r->life = life;
    if (!reader_want(r, FRONT_GUESS) && r->e)
        return false;
    for (int turn = 0; turn < 2; turn++) {
        enum spool_frame_scan scan =
            spool_frame_head_get(r->secret, life, (uint64_t)p.block * SPOOL_BLOCK,
                                 str_of((const char *)r->octets, r->n), &r->head, &need);
        if (scan == SPOOL_FRAME_OK)
            return true;
        if (scan == SPOOL_FRAME_BAD || !reader_want(r, need))
            break;
    }
    r->n = 0;
    return false;
}

/* More of the front than is asked for: who wants one row mostly wants the next. NEED is within it. */
static bool want_ahead(struct reader *r, uint64_t need)
{
    if (r->n < need && !reader_want(r, size_min(size_max(need, r->n + AHEAD_OCTETS), r->head.front)) &&
        (r->e || r->n < need))
        return false;
    r->e = 0;
    return true;
}

bool reader_row(struct reader *r, uint32_t row, struct reader_found *found, bool *named)
{
    uint64_t meta, content, base = (uint64_t)r->block * SPOOL_BLOCK;

    r->e = 0;
    *named = false;
    if (!spool_row_get(r->octets, row, &found->row) ||
        !spool_row_place(r->octets, &r->head, row, &meta, &content))
        return false;
    *named = true;
    if (!want_ahead(r, meta + found->row.meta_octets))
        return false;
    found->meta = str_of((const char *)r->octets + meta, found->row.meta_octets);
    found->content = base + content;
    return spool_sum(r->secret, r->life, base + meta, found->meta.p, found->meta.n) == found->row.meta_sum;
}

bool reader_record(struct reader *r, struct spool_position p, uint64_t life, struct reader_found *found)
{
    bool named;

    return reader_frame(r, p, life) && reader_row(r, p.row, found, &named);
}

bool reader_sum(struct reader *r, uint64_t content, uint64_t octets, uint64_t sum)
{
    unsigned char *p = malloc(octets ? octets : 1);

    r->e = p ? spool_disk_read(r->disk, r->fd, p, octets, content) : ENOMEM;
    bool good = !r->e && spool_sum(r->secret, r->life, content, p, octets) == sum;
    free(p);
    if (r->e == ENODATA)
        r->e = 0; /* the file ends before: it is not all there */
    return good;
}
