/* core/num.h -- numbers in text, both ways. Pure. */
#ifndef CORE_NUM_H
#define CORE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

/* Decimal digits and nothing else, at most MAX; false, and *out untouched, otherwise. */
MUST_USE bool num_parse_u64(struct str s, uint64_t max, uint64_t *out);
/* Base 8 digits (file modes). */
MUST_USE bool num_parse_octal(struct str s, uint64_t max, uint64_t *out);

/* Little-endian octets, as all our own files and ipc frames have them; any alignment. */
static inline void le32_put(void *at, uint32_t v)
{
    unsigned char *p = at;
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
}

static inline uint32_t le32_get(const void *at)
{
    const unsigned char *p = at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void le64_put(void *at, uint64_t v)
{
    le32_put(at, (uint32_t)v);
    le32_put((unsigned char *)at + 4, (uint32_t)(v >> 32));
}

static inline uint64_t le64_get(const void *at)
{
    return (uint64_t)le32_get(at) | (uint64_t)le32_get((const unsigned char *)at + 4) << 32;
}

static inline void le16_put(void *at, uint16_t v)
{
    unsigned char *p = at;
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static inline uint16_t le16_get(const void *at)
{
    const unsigned char *p = at;
    return (uint16_t)(p[0] | p[1] << 8);
}

#endif
