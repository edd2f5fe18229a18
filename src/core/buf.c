/* core/buf.c -- growth by doubling, to the ceiling and no further. */
#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { BUF_FIRST = 256 };

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ .max = b->max };
}

void buf_wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

bool buf_hold(struct buf *b, size_t n)
{
    buf_wipe(b);
    *b = BUF_INIT(n + 1);
    return buf_room(b, n + 1);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

void buf_shrink(struct buf *b, size_t keep)
{
    if (b->cap > keep)
        buf_done(b);
    else
        buf_clear(b);
}

char *buf_room(struct buf *b, size_t n)
{
    size_t need;

    if (!size_add(b->n, n, &need) || need > b->max) {
        b->failed = true;
        return NULL;
    }
    if (need > b->cap || !b->p) {
        size_t cap = size_max(b->cap, BUF_FIRST);
        while (cap < need)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_grew(struct buf *b, size_t n)
{
    BUG_ON(n > b->cap - b->n);
    b->n += n;
}

void buf_eat(struct buf *b, size_t n)
{
    BUG_ON(n > b->n);
    b->n -= n;
    if (b->n && n)
        memmove(b->p, b->p + n, b->n);
}

bool buf_add(struct buf *b, struct str s)
{
    char *p = b->failed ? NULL : buf_room(b, s.n);

    if (!p)
        return false;
    if (s.n)
        memcpy(p, s.p, s.n);
    b->n += s.n;
    return true;
}

bool buf_add_char(struct buf *b, char c)
{
    return buf_add(b, str_of(&c, 1));
}

bool buf_add_c(struct buf *b, const char *c)
{
    return buf_add(b, str_from_c(c));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);

    char *p = b->failed || n < 0 ? NULL : buf_room(b, (size_t)n + 1);
    if (!p) {
        b->failed = true;
        return false;
    }
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
    return true;
}
