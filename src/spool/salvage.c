/* spool/salvage.c -- what is left of a message, by its places, and places found by looking at every block. */
#include "spool/salvage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "spool/internal.h"
#include "spool/reader.h"

enum { PIECE_BLOCKS = 256 };

/* ---- one message, by the places of its records ---- */


struct spots {
    uint64_t at[PLACES]; /* packed; 0: none */
    uint64_t life[PLACES];
};

/* Where a message's content is. Good when its record's sum is; else its lengths are just plausible. */
struct content {
    uint64_t at, octets;
    struct spool_message_meta meta;
    struct str envelope; /* borrowed from the reader */
    bool good;
};

/* The row and the meta as they stand there, right or wrong, within the blocks of the segment. */
static bool rough_record(struct reader *r, struct spool_position p, uint64_t id, struct content *c)
{
    struct spool_row row = { 0 };
    uint64_t meta = 0, content = 0;

    if (!reader_open(r, p.segment))
        return false;
    r->n = 0;
    r->block = p.block;
    if (!reader_want(r, SPOOL_FRAME_HEAD))
        return false;
    struct spool_frame_head head = {
        .records = le32_get(r->octets + 4), .blocks = le32_get(r->octets + 32), .front = le32_get(r->octets + 36)
    };
    uint64_t table = SPOOL_FRAME_HEAD + (uint64_t)head.records * SPOOL_ROW;
    bool ok = p.row < head.records && head.records <= SPOOL_RECORDS_MAX && head.blocks < SPOOL_BLOCKS_MAX &&
              head.front >= table && reader_want(r, table) && spool_row_get(r->octets, p.row, &row) &&
              spool_kind_is_message(row.kind) && row.id.n == id &&
              spool_row_place(r->octets, &head, p.row, &meta, &content) && reader_want(r, meta + row.meta_octets) &&
              spool_message_meta_get(str_of((const char *)r->octets + meta, row.meta_octets), row.content_octets,
                                     &c->meta, &c->envelope);
    c->at = (uint64_t)p.block * SPOOL_BLOCK + content;
    c->octets = row.content_octets;
    r->n = 0; /* nothing of it is a frame that was looked at */
    return ok;
}

static bool find_content(struct reader *r, const struct spots *spots, uint64_t id, struct content *c)
{
    struct spool_position p = spool_position_of(spots->at[AT_MESSAGE]);
    struct reader_found found;

    *c = (struct content){ 0 };
    if (!spots->at[AT_MESSAGE])
        return false;
    if (reader_record(r, p, spots->life[AT_MESSAGE], &found) && spool_kind_is_message(found.row.kind) &&
        found.row.id.n == id && spool_message_meta_get(found.meta, found.row.content_octets, &c->meta, &c->envelope)) {
        c->at = found.content;
        c->octets = found.row.content_octets;
        c->good = true;
        return true;
    }
    return rough_record(r, p, id, c);
}

static struct str keep(struct str text, char **owned)
{
    *owned = malloc(text.n + 1);
    if (!*owned)
        return STR_NONE;
    if (text.n)
        memcpy(*owned, text.p, text.n);
    return str_of(*owned, text.n);
}

/* A text whose sum is right. False: there is one, and it is lost. */
static bool take_text(struct reader *r, const struct spots *spots, enum place place, uint64_t id, struct str *out,
                      char **owned, uint32_t *version)
{
    struct reader_found found;
    struct str text;

    if (!spots->at[place])
        return true;
    if (!reader_record(r, spool_position_of(spots->at[place]), spots->life[place], &found) || found.row.id.n != id)
        return false;
    text = found.meta;
    if (place == AT_OUTCOME && !spool_outcome_meta_get(found.meta, version, &text))
        return false;
    *out = keep(text, owned);
    return *owned != NULL;
}

/* As many octets as the disk gives. */
static bool take_content(struct spool *spool, struct reader *r, const struct content *c, uint64_t life,
                         struct spool_read *read)
{
    size_t n = 0, got;

    read->content = malloc(c->octets + 1);
    if (!read->content)
        return false;
    while (n < c->octets &&
           !spool->disk->ops->pread(spool->disk, r->fd, read->content + n, c->octets - n, c->at + n, &got) && got)
        n += got;
    size_t head = c->meta.head_octets < n ? c->meta.head_octets : n;
    read->head = str_of(read->content, head);
    read->body = str_of(read->content + head, n - head);
    return n == c->octets && spool_sum(&spool->secret, life, c->at, read->content, n) == c->meta.content_sum;
}

static bool take_file(struct spool *spool, const struct spool_message_meta *meta, struct spool_read *read)
{
    struct spool_disk *disk = spool->disk;
    uint64_t sum = 0, length = 0;

    if (!meta->file)
        return true;
    if (disk->ops->open(disk, spool_own_name(meta->file).c, SPOOL_OPEN_READ, &read->file)) {
        read->file = -1;
        return false;
    }
    if (!disk->ops->length(disk, read->file, &length))
        read->file_octets = length < meta->file_octets ? length : meta->file_octets;
    return !own_file_sum(spool, read->file, meta->file, meta->file_octets, &sum) && sum == meta->file_sum;
}

/* True when all of it is as it was written. */
static bool take_parts(struct spool *spool, struct reader *r, const struct spots *spots, struct spool_read *read)
{
    uint64_t id = read->id.n;
    uint32_t version = 0;
    struct content c;
    bool found = find_content(r, spots, id, &c), whole = found && c.good;

    if (whole && !spots->at[AT_EDIT])
        read->envelope = keep(c.envelope, &read->octets[0]);
    if (whole)
        read->accepted_utc_msec = c.meta.accepted_utc_msec;
    if (found)
        whole &= take_content(spool, r, &c, spots->life[AT_MESSAGE], read);
    if (found)
        whole &= take_file(spool, &c.meta, read);
    read->own_file = found && c.meta.file;
    read->head_octets = read->head.n;
    read->body_octets = read->own_file ? read->file_octets : read->body.n;
    whole &= take_text(r, spots, AT_EDIT, id, &read->envelope, &read->octets[0], NULL);
    whole &= take_text(r, spots, AT_OUTCOME, id, &read->state, &read->octets[1], &version);
    whole &= take_text(r, spots, AT_HOLD, id, &read->hold_reason, &read->octets[2], NULL);
    read->held = spots->at[AT_HOLD] != 0;
    read->state_version = version;
    return whole;
}

static void pin(struct spool *spool, const struct spots *spots, int by)
{
    for (int i = 0; i < PLACES; i++) {
        struct segment *s =
            spots->at[i] ? segments_find(&spool->segments, spool_position_of(spots->at[i]).segment) : NULL;
        if (s)
            s->readers += (uint32_t)by;
    }
}

void salvage_read(struct spool *spool, struct spool_read *read)
{
    struct spots spots = { 0 };
    struct reader r;

    pthread_mutex_lock(&spool->lock);
    struct spool_entry_row row;
    if (spool_index_get(spool->index, read->id, &row))
        spots = (struct spots){ .at = { row.message, row.edit, row.outcome, row.hold } };
    for (int i = 0; i < PLACES; i++) {
        const struct segment *s =
            spots.at[i] ? segments_find(&spool->segments, spool_position_of(spots.at[i]).segment) : NULL;
        spots.life[i] = s ? s->life : 0;
    }
    pin(spool, &spots, 1);
    pthread_mutex_unlock(&spool->lock);
    reader_init(&r, spool->disk, &spool->secret);
    (void)take_parts(spool, &r, &spots, read);
    reader_done(&r);
    pthread_mutex_lock(&spool->lock);
    pin(spool, &spots, -1);
    pthread_mutex_unlock(&spool->lock);
}

/* ---- the search ---- */

struct item {
    uint64_t id, frame, at, life;
    enum spool_kind kind;
    uint32_t version;
};

struct search {
    struct spool *spool;
    struct reader reader;
    struct numbers segments;
    struct item *items;
    size_t count, room;
    unsigned char *piece;
    bool oom;
};

static void add_item(struct search *s, const struct item *item)
{
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 1024;
        struct item *items = realloc(s->items, room * sizeof(*items));
        if (!items) {
            s->oom = true;
            return;
        }
        s->items = items;
        s->room = room;
    }
    s->items[s->count++] = *item;
}

static void take_frame(struct search *s)
{
    struct reader *r = &s->reader;

    for (uint32_t i = 0; i < r->head.records; i++) {
        struct reader_found found;
        struct str text;
        bool named, good = reader_row(r, i, &found, &named);
        struct item item = { .frame = r->head.number, .life = r->life };
        /* Of a message whose meta is bad the content may still be there; other records say nothing then. */
        if (!named || (!good && !spool_kind_is_message(found.row.kind)))
            continue;
        item.id = found.row.id.n;
        item.kind = found.row.kind;
        item.at = spool_position_pack((struct spool_position){ r->segment, r->block, i });
        if (item.kind == SPOOL_KIND_OUTCOME && !spool_outcome_meta_get(found.meta, &item.version, &text))
            continue;
        add_item(s, &item);
    }
}

/* A frame of any life that this file ever had: a block of an older one says nothing when the header is readable. */
static bool frame_at(struct search *s, uint32_t segment, uint32_t block, const unsigned char *octets, uint64_t life)
{
    uint64_t its = le64_get(octets + 8);

    return !memcmp(octets, "VSfr", 4) && (!life || its == life) &&
           reader_frame(&s->reader, (struct spool_position){ segment, block, 0 }, its);
}

static uint64_t life_of(struct search *s, uint32_t segment)
{
    unsigned char in[SPOOL_SEGMENT_HEAD];
    struct spool_segment_head head;

    return !spool_disk_read(s->spool->disk, s->reader.fd, in, sizeof(in), 0) &&
                   spool_segment_head_get(&s->spool->secret, str_of((const char *)in, sizeof(in)), &head) &&
                   head.number == segment
               ? head.life
               : 0;
}

static void search_segment(struct search *s, uint32_t segment)
{
    struct spool_disk *disk = s->spool->disk;
    uint64_t length = 0, life;

    if (!reader_open(&s->reader, segment) || disk->ops->length(disk, s->reader.fd, &length))
        return;
    life = life_of(s, segment);
    for (uint32_t block = 1, blocks = (uint32_t)(length / SPOOL_BLOCK); block < blocks;) {
        uint32_t n = blocks - block < PIECE_BLOCKS ? blocks - block : PIECE_BLOCKS, i = 0;
        if (spool_disk_read(disk, s->reader.fd, s->piece, (size_t)n * SPOOL_BLOCK, (uint64_t)block * SPOOL_BLOCK))
            n = spool_disk_read(disk, s->reader.fd, s->piece, SPOOL_BLOCK, (uint64_t)block * SPOOL_BLOCK) ? 0 : 1;
        while (i < n) {
            bool frame = frame_at(s, segment, block + i, s->piece + (size_t)i * SPOOL_BLOCK, life);
            if (frame)
                take_frame(s);
            i += frame ? s->reader.head.blocks : 1;
        }
        block += n ? i : 1; /* a block that cannot be read */
    }
}

static int by_id(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

/* The newest of each kind, of COUNT items of one message; false: it has ended, or is none. */
static bool join(const struct item *items, size_t count, struct spots *spots)
{
    uint32_t version = 0;

    *spots = (struct spots){ 0 };
    for (size_t i = 0; i < count; i++) {
        enum place place = AT_MESSAGE;
        switch (items[i].kind) {
        case SPOOL_KIND_GONE:
        case SPOOL_KIND_VOID:
            return false;
        case SPOOL_KIND_OUTCOME:
            if (items[i].version < version)
                continue;
            version = items[i].version;
            place = AT_OUTCOME;
            break;
        case SPOOL_KIND_EDIT:
            place = AT_EDIT;
            break;
        case SPOOL_KIND_HOLD:
        case SPOOL_KIND_RELEASE:
            place = AT_HOLD;
            break;
        case SPOOL_KIND_COPY: /* the edit is in it */
            spots->at[AT_EDIT] = 0;
            break;
        case SPOOL_KIND_MESSAGE:
        case SPOOL_KINDS:
            break;
        }
        spots->at[place] = items[i].kind == SPOOL_KIND_RELEASE ? 0 : items[i].at;
        spots->life[place] = items[i].life;
    }
    return spots->at[AT_MESSAGE] != 0;
}

static void visit_all(struct search *s, void (*visit)(void *ctx, struct spool_read *read), void *ctx)
{
    if (s->count)
        qsort(s->items, s->count, sizeof(*s->items), by_id);
    for (size_t at = 0, end; at < s->count; at = end) {
        struct spots spots;
        for (end = at + 1; end < s->count && s->items[end].id == s->items[at].id;)
            end++;
        if (!join(s->items + at, end - at, &spots))
            continue;
        struct spool_read read = { .file = -1, .id = { s->items[at].id } };
        read.status = take_parts(s->spool, &s->reader, &spots, &read) ? SPOOL_READ_OK : SPOOL_READ_DAMAGED;
        visit(ctx, &read);
        spool_read_done(s->spool, &read);
    }
}

static void on_name(void *ctx, const char *name)
{
    struct search *s = ctx;
    uint64_t number;

    if (spool_name_parse(str_from_c(name), &number) != SPOOL_NAME_SEGMENT)
        return;
    if (numbers_reserve(&s->segments, 1))
        numbers_add(&s->segments, number);
    else
        s->oom = true;
}

static bool read_format(struct spool *spool, struct err *err)
{
    struct spool_disk *disk = spool->disk;
    unsigned char in[SPOOL_FORMAT_OCTETS];
    struct spool_format format;
    int fd, e = disk->ops->open(disk, "format", SPOOL_OPEN_READ, &fd);

    if (!e) {
        e = spool_disk_read(disk, fd, in, sizeof(in), 0);
        disk->ops->close(disk, fd);
    }
    if (e)
        return err_sys(err, e, "the file \"format\", which has the secret of all sums");
    if (!spool_format_get(str_of((const char *)in, sizeof(in)), &format, err))
        return err_wrap(err, "format");
    spool->secret = format.secret;
    return true;
}

bool spool_salvage(struct spool_disk *disk, void (*visit)(void *ctx, struct spool_read *read), void *ctx,
                   struct err *err)
{
    struct spool *spool = calloc(1, sizeof(*spool)); /* no more of it than a disk and a secret */
    struct search s = { .spool = spool, .piece = malloc((size_t)PIECE_BLOCKS * SPOOL_BLOCK) };
    bool ok = false;

    if (!spool || !s.piece) {
        err_sys(err, ENOMEM, "spool");
        goto out;
    }
    spool->disk = disk;
    spool->lock_fd = -1;
    if (!read_format(spool, err) || !folder_lock(spool, err))
        goto out;
    reader_init(&s.reader, disk, &spool->secret);
    int e = disk->ops->list(disk, on_name, &s);
    for (size_t i = 0; !e && i < s.segments.count; i++)
        search_segment(&s, (uint32_t)s.segments.at[i]);
    ok = e || s.oom ? err_sys(err, e ? e : ENOMEM, "spool") : true;
    if (ok)
        visit_all(&s, visit, ctx);
    reader_done(&s.reader);
out:
    if (spool && spool->disk && spool->lock_fd >= 0)
        disk->ops->close(disk, spool->lock_fd);
    free(s.items);
    free(s.segments.at);
    free(s.piece);
    free(spool);
    return ok;
}
