/* spool/restore.c -- checkpoints read back, a piece at a time: a table of a million messages is never in
 * memory. */
#include "spool/restore.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/internal.h"

enum { PIECE_OCTETS = 256 << 10 }; /* a multiple of each kind of row */

static enum checkpoint_read head_get(struct spool *spool, int fd, struct spool_checkpoint_head *head, int *e)
{
    unsigned char in[SPOOL_CHECKPOINT_HEAD];
    uint64_t length = 0, octets;

    *e = spool->disk->ops->length(spool->disk, fd, &length);
    if (*e || length < SPOOL_BLOCK)
        return length ? CHECKPOINT_BAD : CHECKPOINT_NONE;
    *e = spool_disk_read(spool->disk, fd, in, sizeof(in), 0);
    if (*e || !spool_checkpoint_head_get(&spool->secret, str_of((const char *)in, sizeof(in)), head) ||
        !spool_checkpoint_body(head, &octets) || octets > length - SPOOL_BLOCK)
        return CHECKPOINT_BAD;
    return CHECKPOINT_OK;
}

enum checkpoint_read checkpoint_head(struct spool *spool, unsigned slot, struct spool_checkpoint_head *head,
                                     int *e)
{
    struct spool_disk *disk = spool->disk;
    int fd;

    *e = disk->ops->open(disk, checkpoint_name(slot), SPOOL_OPEN_READ, &fd);
    if (*e == ENOENT) {
        *e = 0;
        return CHECKPOINT_NONE;
    }
    if (*e)
        return CHECKPOINT_BAD;
    enum checkpoint_read got = head_get(spool, fd, head, e);
    disk->ops->close(disk, fd);
    return got;
}

bool checkpoint_body_begin(struct checkpoint_body *body, struct spool *spool, unsigned slot,
                           const struct spool_checkpoint_head *head)
{
    *body = (struct checkpoint_body){ .spool = spool, .fd = -1, .at = SPOOL_BLOCK };
    body->piece = malloc(PIECE_OCTETS);
    if (!body->piece || !spool_checkpoint_body(head, &body->left)) {
        body->e = body->piece ? ENODATA : ENOMEM;
        return false;
    }
    body->e = spool->disk->ops->open(spool->disk, checkpoint_name(slot), SPOOL_OPEN_READ, &body->fd);
    if (body->e)
        body->fd = -1;
    return !body->e;
}

/* The next piece is read; false at the end, and from the first failure on. */
static bool piece_read(struct checkpoint_body *body)
{
    size_t n = body->left < PIECE_OCTETS ? (size_t)body->left : PIECE_OCTETS;

    body->n = body->used = 0;
    if (!n || body->e)
        return false;
    body->e = spool_disk_read(body->spool->disk, body->fd, body->piece, n, body->at);
    if (body->e)
        return false;
    body->n = n;
    body->at += n;
    body->left -= n;
    return true;
}

const unsigned char *checkpoint_body_row(struct checkpoint_body *body, size_t octets)
{
    if (body->used == body->n && !piece_read(body))
        return NULL;
    const unsigned char *row = body->piece + body->used;
    body->used += octets;
    return row;
}

void checkpoint_body_end(struct checkpoint_body *body)
{
    if (body->fd >= 0)
        body->spool->disk->ops->close(body->spool->disk, body->fd);
    free(body->piece);
}

enum checkpoint_read checkpoint_verify(struct spool *spool, unsigned slot,
                                       const struct spool_checkpoint_head *head, int *e)
{
    struct checkpoint_body body;
    struct spool_summer *summer = spool_summer_new(&spool->secret, head->number, SPOOL_BLOCK);
    bool good = false;

    if (checkpoint_body_begin(&body, spool, slot, head) && summer)
        while (piece_read(&body))
            spool_summer_add(summer, body.piece, body.n);
    *e = summer ? body.e : ENOMEM;
    if (summer)
        good = spool_summer_end(summer) == head->body_sum && !*e;
    checkpoint_body_end(&body);
    return good ? CHECKPOINT_OK : CHECKPOINT_BAD;
}
