/* core/arena.c -- blocks that grow in size, or one malloc each under AddressSanitizer. */
#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_EACH_ITS_OWN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_EACH_ITS_OWN 1
#endif
#endif

enum { ARENA_ALIGN = 16, ARENA_FIRST_BLOCK = 1024, ARENA_LARGEST_BLOCK = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    size_t pad;
};

struct arena {
    struct arena_block *blocks;
    size_t used;
    size_t max;
    size_t next_size;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = malloc(sizeof(*a));

    if (a)
        *a = (struct arena){ .max = max, .next_size = ARENA_FIRST_BLOCK };
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

static struct arena_block *block_add(struct arena *a, size_t size)
{
    size_t total;
    struct arena_block *b = NULL;

    if (size_add(sizeof(*b), size, &total))
        b = malloc(total);
    if (!b)
        return NULL;
    *b = (struct arena_block){ .next = a->blocks, .size = size };
    a->blocks = b;
    return b;
}

#ifdef ARENA_EACH_ITS_OWN
static struct arena_block *block_for(struct arena *a, size_t n)
{
    return block_add(a, n);
}

static size_t round_up(size_t n)
{
    return n ? n : 1;
}
#else
static struct arena_block *block_for(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;

    if (b && b->size - b->used >= n)
        return b;
    b = block_add(a, size_max(n, a->next_size));
    if (a->next_size < ARENA_LARGEST_BLOCK)
        a->next_size *= 2;
    return b;
}

static size_t round_up(size_t n)
{
    return n ? (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN : ARENA_ALIGN;
}
#endif

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > a->max - a->used || n > SIZE_MAX / 2)
        return NULL;

    size_t want = round_up(n);
    struct arena_block *b = block_for(a, want);
    if (!b)
        return NULL;

    char *p = (char *)(b + 1) + b->used;
    b->used += want;
    a->used += n;
    memset(p, 0, want);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    return size_mul(count, size, &n) ? arena_alloc(a, n) : NULL;
}

struct str arena_str(struct arena *a, struct str s)
{
    size_t n;
    char *p = size_add(s.n, 1, &n) ? arena_alloc(a, n) : NULL;

    if (!p)
        return STR_NONE;
    if (s.n)
        memcpy(p, s.p, s.n);
    return str_of(p, s.n);
}

char *arena_cstr(struct arena *a, struct str s)
{
    if (str_has(s, '\0'))
        return NULL;
    return (char *)(uintptr_t)arena_str(a, s).p;
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return STR_NONE;

    char *p = arena_alloc(a, (size_t)n + 1);
    if (!p)
        return STR_NONE;
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    return str_of(p, (size_t)n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    struct str s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}
