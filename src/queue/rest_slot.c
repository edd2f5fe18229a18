/* queue/rest_slot.c -- the slots of messages at rest: by number, by id, and linked into lines. */
#include "queue/rest.h"

#include <stdlib.h>

#include "queue/queue.h"

enum { HEADS_FIRST = 1024 };

_Static_assert(sizeof(struct rest) == 64, "what a million of them take is counted on");

/* ---- slots ---- */

struct rest *rest_at(const struct rests *rests, uint32_t number)
{
    return number ? &rests->chunks[(number - 1) / REST_CHUNK][(number - 1) % REST_CHUNK] : NULL;
}

static bool chunk_new(struct rests *rests)
{
    struct rest **chunks = realloc(rests->chunks, (rests->n_chunks + 1) * sizeof(struct rest *));

    if (!chunks)
        return false;
    rests->chunks = chunks;
    chunks[rests->n_chunks] = calloc(REST_CHUNK, sizeof(struct rest));
    if (!chunks[rests->n_chunks])
        return false;
    rests->n_chunks++;
    return true;
}

void rest_slot_free(struct rests *rests, uint32_t number)
{
    *rest_at(rests, number) = (struct rest){ .chain = rests->empty };
    rests->empty = number;
}

uint32_t rest_number(const struct queue *q, const struct rest *r)
{
    return q->rests.chunks ? rest_at(&q->rests, r->prev)->next : 0;
}

/* ---- by id ---- */

static size_t head_index(const struct rests *rests, uint64_t id)
{
    return queue_id_hash((struct queue_id){ id }) & (rests->n_heads - 1);
}

static uint32_t *head_of(struct rests *rests, uint64_t id)
{
    return &rests->heads[head_index(rests, id)];
}

static void chain_in(struct rests *rests, uint32_t number)
{
    struct rest *r = rest_at(rests, number);
    uint32_t *head = head_of(rests, r->id);

    r->chain = *head;
    *head = number;
}

static bool grow_heads(struct rests *rests)
{
    size_t n = rests->n_heads ? rests->n_heads * 2 : HEADS_FIRST;
    uint32_t *heads = calloc(n, sizeof(*heads));

    if (!heads)
        return false;
    free(rests->heads);
    rests->heads = heads;
    rests->n_heads = n;
    REST_FOR(r, rests) {
        chain_in(rests, rest_i_);
    }
    return true;
}

static void chain_out(struct rests *rests, uint32_t number)
{
    uint32_t *link = head_of(rests, rest_at(rests, number)->id);

    while (*link != number)
        link = &rest_at(rests, *link)->chain;
    *link = rest_at(rests, number)->chain;
}

struct rest *rest_find(const struct queue *q, struct queue_id id)
{
    const struct rests *rests = &q->rests;
    uint32_t first = rests->n_heads ? rests->heads[head_index(rests, id.n)] : 0;

    for (uint32_t i = first; i; i = rest_at(rests, i)->chain)
        if (rest_at(rests, i)->id == id.n)
            return rest_at(rests, i);
    return NULL;
}

uint32_t rest_slot_new(struct rests *rests)
{
    uint32_t number = rests->empty;

    if (rests->n >= rests->n_heads && !grow_heads(rests))
        return 0;
    if (number) {
        rests->empty = rest_at(rests, number)->chain;
    } else {
        if (rests->used == rests->n_chunks * REST_CHUNK && !chunk_new(rests))
            return 0;
        number = ++rests->used;
    }
    *rest_at(rests, number) = (struct rest){ .next = number, .prev = number, .flags = REST_IN_USE };
    return number;
}

/* ---- lines ---- */

/* The head's id is the place of its line. */
static struct rest_line *line_of(const struct rest *head)
{
    return (struct rest_line *)(uintptr_t)head->id;
}

bool rest_line_begin(struct rests *rests, struct rest_line *line)
{
    if (line->head)
        return true;
    line->head = rest_slot_new(rests);
    if (!line->head)
        return false;
    struct rest *head = rest_at(rests, line->head);
    head->flags |= REST_HEAD;
    head->id = (uintptr_t)line;
    return true;
}

void rest_line_done(struct queue *q, struct rest_line *line)
{
    BUG_ON(line->n);
    if (line->head)
        rest_slot_free(&q->rests, line->head);
    line->head = 0;
}

void rest_alone(struct queue *q, struct rest *r)
{
    struct rests *rests = &q->rests;
    uint32_t number = rest_number(q, r);

    if (!r->line)
        return;
    struct rest_line *line = line_of(rest_at(rests, r->line));
    rest_at(rests, r->prev)->next = r->next;
    rest_at(rests, r->next)->prev = r->prev;
    r->next = r->prev = number;
    r->line = 0;
    r->flags &= (uint16_t)~REST_LINED;
    line->n--;
    if (r->flags & REST_WAKING)
        line->waking--;
    if (line->left)
        line->left(q, line);
}

/* The line has its head. */
void rest_line_in(struct queue *q, struct rest_line *line, struct rest *r)
{
    struct rests *rests = &q->rests;
    uint32_t number = rest_number(q, r);

    line->n++; /* it may be alone in this very line, which does not end then */
    rest_alone(q, r);
    struct rest *head = rest_at(rests, line->head);
    r->line = line->head;
    r->next = line->head;
    r->prev = head->prev;
    rest_at(rests, head->prev)->next = number;
    head->prev = number;
    if (r->flags & REST_WAKING)
        line->waking++;
}

bool rest_line_add(struct queue *q, struct rest_line *line, struct rest *r)
{
    if (!rest_line_begin(&q->rests, line))
        return false;
    rest_line_in(q, line, r);
    return true;
}

struct rest *rest_line_first(const struct queue *q, const struct rest_line *line)
{
    return line->n ? rest_at(&q->rests, rest_at(&q->rests, line->head)->next) : NULL;
}

uint32_t rest_line_wake(struct queue *q, struct rest_line *line, uint32_t wanted)
{
    uint32_t begun = 0, next;

    if (!line->n)
        return 0;
    for (uint32_t i = rest_at(&q->rests, line->head)->next; i != line->head && line->waking < wanted; i = next) {
        struct rest *r = rest_at(&q->rests, i);
        next = r->next;
        if (r->flags & REST_WAKING)
            continue;
        if (!rest_wake(q, r)) {
            q->rests.starved = true;
            break;
        }
        begun++;
    }
    return begun;
}

void rest_line_hasten(struct queue *q, struct rest_line *from)
{
    /* The last one that leaves may end the line. */
    for (uint32_t n = from->n; n > 0; n--) {
        struct rest *r = rest_line_first(q, from);
        if (r->flags & REST_WAKING) {
            rest_alone(q, r);
            r->flags |= REST_NOW;
        } else {
            rest_hasten(q, r);
        }
    }
}

void rest_slot_in(struct queue *q, uint32_t number)
{
    struct rests *rests = &q->rests;

    chain_in(rests, number);
    rests->n++;
    rests->n_held += (rest_at(rests, number)->flags & REST_HELD) != 0;
}

void rest_slot_out(struct queue *q, struct rest *r)
{
    struct rests *rests = &q->rests;
    uint32_t number = rest_number(q, r);

    rest_alone(q, r);
    chain_out(rests, number);
    rests->n--;
    rests->n_held -= (r->flags & REST_HELD) != 0;
    rest_slot_free(rests, number);
}

void rest_waking(struct queue *q, struct rest *r, bool waking)
{
    struct rest_line *line = r->line ? line_of(rest_at(&q->rests, r->line)) : NULL;

    if (waking == !!(r->flags & REST_WAKING))
        return;
    r->flags ^= REST_WAKING;
    if (line)
        line->waking += waking ? 1U : -1U;
}
