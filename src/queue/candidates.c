/* queue/candidates.c -- the lowest of many ids, without putting all of them in order. */
#include "queue/candidates.h"

#include <stdlib.h>

int candidates_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The lowest stay, in order. */
static void cut(struct candidates *c)
{
    qsort(c->ids, c->n, sizeof(*c->ids), candidates_compare);
    if (c->n <= c->kept)
        return;
    c->below = c->ids[c->kept];
    c->n = c->kept;
    c->more = true;
}

bool candidates_init(struct candidates *c, size_t kept)
{
    *c = (struct candidates){
        .ids = malloc(2 * kept * sizeof(*c->ids)),
        .kept = kept,
        .below = UINT64_MAX,
    };
    return c->ids != NULL;
}

void candidates_done(struct candidates *c)
{
    free(c->ids);
    *c = (struct candidates){ 0 };
}

/* From the first cut on there is more than is kept, whatever else is not wanted. */
bool candidates_want(const struct candidates *c, uint64_t id)
{
    return id < c->below;
}

void candidates_add(struct candidates *c, uint64_t id)
{
    if (!candidates_want(c, id))
        return;
    c->ids[c->n++] = id;
    if (c->n == 2 * c->kept)
        cut(c);
}

void candidates_close(struct candidates *c)
{
    cut(c);
    c->at = 0;
    /* Most questions mean few. */
    uint64_t *fits = c->n ? realloc(c->ids, c->n * sizeof(*c->ids)) : NULL;
    if (fits)
        c->ids = fits;
}

bool candidates_next(struct candidates *c, uint64_t *id)
{
    if (c->at == c->n)
        return false;
    *id = c->ids[c->at++];
    return true;
}

bool candidates_over(const struct candidates *c)
{
    return c->at == c->n && !c->more;
}
