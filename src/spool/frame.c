/* spool/frame.c -- one frame put together: head, table and metas in one piece, contents where they are. */
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "spool/internal.h"

static const unsigned char zeros[SPOOL_BLOCK];

/* A place to write into, and what has been summed up on the way. */
struct build {
    struct spool *spool;
    struct frame *frame;
    uint64_t life;
    uint64_t offset; /* of the frame */
    uint64_t meta;   /* where the next stands in the frame */
    uint64_t content;
    uint32_t row;
};

void frame_clear(struct frame *frame)
{
    list_init(&frame->batches);
    frame->records = frame->messages = 0;
    frame->metas = frame->contents = 0;
    frame->voids = 0;
    frame->segment = NULL;
    frame->rotate = frame->copies = false;
    frame->iov_count = 0;
}

void frame_done(struct frame *frame)
{
    free(frame->head);
    free(frame->iov);
}

uint64_t frame_octets(uint32_t records, uint64_t metas, uint64_t contents)
{
    uint64_t n = SPOOL_FRAME_HEAD + (uint64_t)records * SPOOL_ROW + metas + contents;

    return (n + SPOOL_BLOCK - 1) / SPOOL_BLOCK * SPOOL_BLOCK;
}

static void piece(struct frame *frame, const void *p, size_t n)
{
    if (n)
        frame->iov[frame->iov_count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)p, .iov_len = n };
}

static bool make_room(struct frame *frame, uint64_t front, uint32_t copies)
{
    /* A segment's header, the front, two pieces a message, the padding. */
    int pieces = 3 + 2 * (int)(frame->messages + copies);

    if (frame->head_room < front) {
        unsigned char *head = realloc(frame->head, front);
        if (!head)
            return false;
        frame->head = head;
        frame->head_room = front;
    }
    if (frame->iov_room < pieces) {
        struct iovec *iov = realloc(frame->iov, (size_t)pieces * sizeof(*iov));
        if (!iov)
            return false;
        frame->iov = iov;
        frame->iov_room = pieces;
    }
    return true;
}

/* Its fixed part; gives its length. */
static size_t put_meta_head(struct build *b, const struct record *r, unsigned char *to)
{
    if (spool_kind_is_message(r->kind)) {
        uint64_t content = b->offset + b->content;
        struct spool_message_meta meta = {
            .token = r->token,
            .accepted_utc_msec = r->accepted_utc_msec,
            .file = r->file,
            .file_octets = r->file_octets,
            .file_sum = r->file_sum,
            .head_octets = (uint32_t)r->head.n,
            .envelope_octets = (uint32_t)r->text.n,
            .content_sum = spool_sum2(&b->spool->secret, b->life, content, r->head, r->body),
        };
        spool_message_meta_put(&meta, to);
        return SPOOL_MESSAGE_META;
    }
    if (r->kind == SPOOL_KIND_OUTCOME) {
        le32_put(to, r->version);
        le32_put(to + 4, 0);
        return SPOOL_OUTCOME_META;
    }
    return 0;
}

static void put_record(struct build *b, const struct record *r)
{
    unsigned char *meta = b->frame->head + b->meta;
    size_t n = put_meta_head(b, r, meta);

    if (r->text.n)
        memcpy(meta + n, r->text.p, r->text.n);
    n += r->text.n;
    struct spool_row row = {
        .kind = r->kind,
        .meta_octets = (uint32_t)n,
        .id = r->id,
        .meta_sum = spool_sum(&b->spool->secret, b->life, b->offset + b->meta, meta, n),
        .content_octets = r->head.n + r->body.n,
    };
    spool_row_put(&row, b->frame->head + SPOOL_FRAME_HEAD + (size_t)b->row * SPOOL_ROW);
    piece(b->frame, r->head.p, r->head.n);
    piece(b->frame, r->body.p, r->body.n);
    b->row++;
    b->meta += n;
    b->content += r->head.n + r->body.n;
}

static void put_batch(struct build *b, const struct spool_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        put_record(b, &batch->records[i]);
}

bool frame_build(struct spool *spool, struct frame *frame, const struct spool_frame_head *head,
                 uint64_t offset)
{
    struct build b = {
        .spool = spool,
        .frame = frame,
        .life = head->life,
        .offset = offset,
        .meta = SPOOL_FRAME_HEAD + (uint64_t)head->records * SPOOL_ROW,
        .content = head->front,
    };

    const struct spool_batch *copies = frame->copies ? spool->cleaning.batch : NULL;

    if (!make_room(frame, head->front, copies ? copies->count : 0))
        return false;
    if (frame->rotate)
        piece(frame, frame->segment_head, sizeof(frame->segment_head));
    piece(frame, frame->head, head->front);
    for (size_t i = 0; i < frame->voids; i++)
        put_record(&b, &(struct record){ .kind = SPOOL_KIND_VOID, .id = { spool->voids[i].id } });
    if (copies)
        put_batch(&b, copies);
    LIST_FOR(node, &frame->batches)
    {
        put_batch(&b, CONTAINER_OF(node, struct spool_batch, node));
    }
    BUG_ON(b.row != head->records || b.meta != head->front);
    piece(frame, zeros, (size_t)((uint64_t)head->blocks * SPOOL_BLOCK - b.content));
    spool_frame_head_put(&spool->secret, offset, head, frame->head);
    return true;
}
