/* queue/voucher.c */
#include "queue/voucher.h"

#include "core/num.h"
#include "core/siphash.h"

enum {
    ROW = 16,
    SEAL = 16,                       /* of two hashes, each with a key of its own */
    HEAD = 4 + 4 + 4 + 8 + 8 + SEAL, /* what is sealed: kind, instance and pid, lease, id, digest of the rows */
};

_Static_assert((int)ROW + (int)SEAL == (int)IPC_VOUCHER_OCTETS, "who keeps one has room for it");
/* Rows are never mistaken for a head: the lengths tell them apart. */
_Static_assert((int)HEAD % (int)ROW != 0, "a head is no rows");

void voucher_begin(struct queue *q)
{
    spool_key(q->spool, STR("leases, first half"), q->voucher_keys[0]);
    spool_key(q->spool, STR("leases, second half"), q->voucher_keys[1]);
}

/* Every part changes the key of the next: where one ends cannot be moved. */
static uint64_t whom(const struct queue *q, const struct envelope_recipient *er)
{
    const struct str parts[] = { er->local, er->domain, er->route };
    uint64_t key[2] = { q->voucher_keys[0][0], q->voucher_keys[0][1] };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        key[0] = siphash(parts[i], key);
    return key[0];
}

bool voucher_add(struct buf *out, const struct recipient *r)
{
    char row[ROW];

    le32_put(row, r->number);
    le32_put(row + 4, r->attempts);
    le64_put(row + 8, whom(r->message->queue, &r->message->content->envelope.recipients[r->index]));
    return buf_add(out, str_of(row, sizeof(row)));
}

static void hash(const struct queue *q, struct str s, char out[SEAL])
{
    le64_put(out, siphash(s, q->voucher_keys[0]));
    le64_put(out + 8, siphash(s, q->voucher_keys[1]));
}

static void seal(const struct queue *q, struct str rows, struct voucher_of of, char out[SEAL])
{
    char head[HEAD];

    le32_put(head, of.process->peer);
    le32_put(head + 4, of.process->instance);
    le32_put(head + 8, of.process->pid);
    le64_put(head + 12, of.lease);
    le64_put(head + 20, of.id);
    hash(q, rows, head + 28);
    hash(q, str_of(head, sizeof(head)), out);
}

bool voucher_end(struct buf *out, const struct queue *q, struct voucher_of of)
{
    char octets[SEAL];

    seal(q, buf_str(out), of, octets);
    return !out->failed && buf_add(out, str_of(octets, sizeof(octets)));
}

bool voucher_is_true(const struct queue *q, struct str voucher, struct voucher_of of, struct str *rows)
{
    char octets[SEAL];
    unsigned differs = 0;

    if (voucher.n <= SEAL || (voucher.n - SEAL) % ROW)
        return false;
    struct str said = str_head(voucher, voucher.n - SEAL);
    struct str sealed = str_skip(voucher, voucher.n - SEAL);
    seal(q, said, of, octets);
    for (size_t i = 0; i < SEAL; i++)
        differs |= (unsigned)(octets[i] ^ sealed.p[i]);
    if (differs)
        return false;
    *rows = said;
    return true;
}

bool voucher_row_take(struct str *rows, struct voucher_row *row)
{
    if (rows->n < ROW)
        return false;
    *row = (struct voucher_row){
        .number = le32_get(rows->p),
        .attempts = le32_get(rows->p + 4),
        .whom = le64_get(rows->p + 8),
    };
    *rows = str_skip(*rows, ROW);
    return true;
}

bool voucher_holds(const struct voucher_row *row, struct recipient *r)
{
    struct message *m = r->message;

    /* More of them, when the last outcome before it never came to the disk. */
    if (r->progress != PROGRESS_WAITING || row->attempts < r->attempts)
        return false;
    const struct envelope *e = message_envelope(m);
    return !e || r->index >= e->n_recipients || whom(m->queue, &e->recipients[r->index]) == row->whom;
}
