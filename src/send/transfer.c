/* send/transfer.c -- copied from the question, given out in blocks, ended with results. */
#include "send/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/num.h"
#include "io/fd.h"
#include "send/send.h"

enum {
    ARENA_OVERHEAD = 64 * 1024,
    ARENA_OF_RECIPIENT = 4096, /* its row, its reply, and that again encoded */
    RESULTS_MAX = 3 << 20,     /* must go into one frame */
    RESULT_HEAD = 4 + 1 + 1 + 1 + 2 + 2 + 2,
};

/* ---- from the question ---- */

/* Takes { u32 number; u16 length, address } off the front of *rest. */
static bool take_recipient(struct str *rest, uint32_t *number, struct str *address)
{
    if (rest->n < 6)
        return false;
    size_t n = le16_get(rest->p + 4);
    if (rest->n - 6 < n)
        return false;
    *number = le32_get(rest->p);
    *address = str_slice(*rest, 6, 6 + n);
    *rest = str_skip(*rest, 6 + n);
    return true;
}

static bool take_recipients(struct transfer *t, struct str octets, uint32_t count)
{
    struct str rest = arena_str(t->arena, octets);

    t->numbers = ARENA_NEW_ARRAY(t->arena, count, uint32_t);
    t->tx.recipients = ARENA_NEW_ARRAY(t->arena, count, struct smtp_client_recipient);
    t->tx.n_recipients = count;
    t->spare = arena_array(t->arena, count, RESULT_HEAD);
    if (!rest.p || !t->spare || !t->numbers || !t->tx.recipients)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!take_recipient(&rest, &t->numbers[i], &t->tx.recipients[i].address))
            return false;
    return rest.n == 0;
}

static bool take_content(struct transfer *t, struct str head, struct str body)
{
    size_t n;

    if (!size_add(head.n, body.n, &n) || !(t->content = malloc(n + 1)))
        return false;
    if (head.n)
        memcpy(t->content, head.p, head.n);
    if (body.n)
        memcpy(t->content + head.n, body.p, body.n);
    t->octets = n;
    return true;
}

/* The arena's ceiling follows from the COUNT and OCTETS of one frame. */
static struct transfer *transfer_make(uint32_t count, size_t octets)
{
    struct transfer *t = calloc(1, sizeof(*t));
    size_t max;

    if (!t)
        return NULL;
    list_init(&t->node);
    list_init(&t->place);
    t->file = -1;
    if (size_mul(count, ARENA_OF_RECIPIENT, &max) && size_add(max, octets + ARENA_OVERHEAD, &max))
        t->arena = arena_new(max);
    if (!t->arena) {
        free(t);
        return NULL;
    }
    t->tx.arena = t->arena;
    return t;
}

struct transfer *transfer_new(const struct ipc_transfer *ask, int *file)
{
    struct transfer *t;

    if (!ask->count || ask->count > ask->recipients.n / 6)
        return NULL;
    t = transfer_make(ask->count, ask->recipients.n + ask->sender.n + ask->voucher.n);
    if (!t)
        return NULL;
    t->lease = ask->lease;
    t->id = ask->id;
    t->tx.sender = arena_str(t->arena, ask->sender);
    t->voucher = arena_str(t->arena, ask->voucher);
    if (!t->tx.sender.p || !t->voucher.p || !take_recipients(t, ask->recipients, ask->count) ||
        !take_content(t, ask->head, ask->body)) {
        transfer_free(t);
        return NULL;
    }
    t->tx.eight_bit = ask->flags & IPC_TRANSFER_EIGHT_BIT;
    t->tx.utf8 = ask->flags & IPC_TRANSFER_UTF8;
    t->tx.utf8_header = ask->flags & IPC_TRANSFER_UTF8_HEADER;
    t->dots = ask->flags & IPC_TRANSFER_DOTS;
    if (*file >= 0) {
        t->file = *file;
        t->file_size = ask->file_size;
        *file = -1;
    }
    t->tx.size = t->octets + t->file_size;
    return t;
}

struct transfer *transfer_new_probe(struct str address)
{
    struct transfer *t = transfer_make(1, address.n);

    if (!t)
        return NULL;
    t->tx.recipients = ARENA_NEW(t->arena, struct smtp_client_recipient);
    t->tx.n_recipients = 1;
    t->tx.probe = true;
    if (t->tx.recipients)
        t->tx.recipients[0].address = arena_str(t->arena, address);
    if (!t->tx.recipients || !t->tx.recipients[0].address.p) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

static void drop_content(struct transfer *t)
{
    free(t->content);
    t->content = NULL;
    fd_close(&t->file);
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    drop_content(t);
    list_remove(&t->node);
    list_remove(&t->place);
    arena_free(t->arena);
    free(t);
}

/* ---- content ---- */

uint64_t transfer_file_offset(const struct transfer *t)
{
    return t->given > t->octets ? t->given - t->octets : 0;
}

static ssize_t read_file(int file, char *room, size_t n, uint64_t at)
{
    ssize_t r;

    do
        r = pread(file, room, n, (off_t)at);
    while (r < 0 && errno == EINTR);
    return r;
}

bool transfer_file_ends_with_crlf(const struct transfer *t)
{
    char last[2];

    return t->file_size >= 2 && read_file(t->file, last, 2, t->file_size - 2) == 2 && last[0] == '\r' &&
           last[1] == '\n';
}

/* One piece of the file, or of what is in memory. False: it cannot be had, or OUT has no memory for it. */
static bool give_piece(struct transfer *t, struct smtp_client *smtp, struct buf *out, size_t most)
{
    char room[SEND_FILE_BLOCK];
    struct str piece = str_of(t->content + t->given, 0);
    size_t taken = 0;

    if (t->given < t->octets) {
        piece.n = size_min(t->octets - t->given, most);
    } else {
        uint64_t at = transfer_file_offset(t);
        ssize_t n = read_file(t->file, room, size_min(sizeof(room), t->file_size - at), at);
        if (n <= 0)
            return false;
        piece = str_of(room, (size_t)n);
    }
    smtp_client_content(smtp, piece, &taken, out);
    t->given += taken;
    return taken > 0;
}

enum transfer_give transfer_give(struct transfer *t, struct smtp_client *smtp, struct buf *out, size_t block,
                                 bool file)
{
    size_t before = out->n;

    while (t->given < t->octets + t->file_size) {
        size_t added = out->n - before;
        if (t->given >= t->octets && !t->dots && file)
            return TRANSFER_GIVE_FILE;
        if (added >= block)
            return TRANSFER_GIVE_MORE;
        if (!give_piece(t, smtp, out, block - added))
            return TRANSFER_GIVE_FAILED;
    }
    return TRANSFER_GIVE_END;
}

/* ---- results ---- */

void transfer_set_all(struct transfer *t, enum smtp_client_result_kind kind, struct str status,
                      struct str text)
{
    const struct smtp_client_result r = { .kind = kind, .status = status, .text = text };

    for (size_t i = 0; i < t->tx.n_recipients; i++)
        t->tx.recipients[i].result = r;
}

static uint8_t ipc_kind(enum smtp_client_result_kind kind)
{
    switch (kind) {
    case SMTP_RESULT_OK:
        return IPC_OK;
    case SMTP_RESULT_TEMP:
        return IPC_TEMP;
    case SMTP_RESULT_PERM:
        return IPC_PERM;
    case SMTP_RESULT_AGAIN:
    case SMTP_RESULT_NONE:
        break;
    }
    return IPC_AGAIN;
}

static char *put_text(char *p, struct str s)
{
    le16_put(p, (uint16_t)s.n);
    if (s.n)
        memcpy(p + 2, s.p, s.n);
    return p + 2 + s.n;
}

static char *put_result(char *p, uint32_t number, const struct smtp_client_result *r, size_t text_max)
{
    le32_put(p, number);
    p[4] = (char)ipc_kind(r->kind);
    p[5] = (char)r->stage;
    p[6] = (char)r->from_peer;
    le16_put(p + 7, (uint16_t)r->code);
    p = put_text(p + 9, str_head(r->status, text_max));
    return put_text(p, str_head(r->text, text_max));
}

static size_t results_size(const struct transfer *t, size_t text_max)
{
    size_t n = 0;

    for (size_t i = 0; i < t->tx.n_recipients; i++) {
        const struct smtp_client_result *r = &t->tx.recipients[i].result;
        n += RESULT_HEAD + size_min(r->status.n, text_max) + size_min(r->text.n, text_max);
    }
    return n;
}

void transfer_finish(struct transfer *t)
{
    /* Results of thousands of recipients still go into one frame. */
    size_t text_max = size_min(SMTP_CLIENT_TEXT_MAX, RESULTS_MAX / t->tx.n_recipients / 2);
    char *at = arena_alloc(t->arena, results_size(t, text_max));

    t->finished = true;
    list_remove(&t->place);
    drop_content(t);
    if (!at) {
        text_max = 0;
        at = t->spare;
    }
    t->results = str_of(at, results_size(t, text_max));
    for (size_t i = 0; i < t->tx.n_recipients; i++)
        at = put_result(at, t->numbers[i], &t->tx.recipients[i].result, text_max);
}

bool transfer_is_untouched(const struct transfer *t)
{
    for (size_t i = 0; i < t->tx.n_recipients; i++)
        if (ipc_kind(t->tx.recipients[i].result.kind) != IPC_AGAIN)
            return false;
    return true;
}
