/* core/arena.h -- memory of things that die together. Pure. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "core/str.h"

/*
 * An arena hands out memory that lives until the arena is dropped; dropping it is the only destructor.
 * It holds at most MAX octets of what was asked for; beyond, and when memory is out, allocation gives NULL.
 * Under AddressSanitizer each allocation is a malloc of its own, so that over-reads are seen.
 */
struct arena;

/* NULL when memory is out. */
struct arena *arena_new(size_t max);
/* Takes NULL. */
void arena_free(struct arena *a);

/* N zeroed octets, aligned for any type; NULL at the maximum or without memory. */
void *arena_alloc(struct arena *a, size_t n);
/* COUNT zeroed elements of SIZE octets; NULL also when the product does not fit. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy of S, followed by a NUL that is not counted; p == NULL at the maximum. */
struct str arena_str(struct arena *a, struct str s);
/* As arena_str, for the libc border; NULL also when S holds a NUL. */
char *arena_cstr(struct arena *a, struct str s);
/* Formatted text; p == NULL at the maximum. */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_NEW_ARRAY(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))

#endif
