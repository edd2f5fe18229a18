/* core/str.c -- comparing, finding and cutting views of octets. */
#include "core/str.h"

#include <string.h>

struct str str_from_c(const char *c)
{
    return c ? (struct str){ c, strlen(c) } : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;

    return d ? d : (a.n > b.n) - (a.n < b.n);
}

int str_cmp_nocase(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ascii_lower(a.p[i]);
        unsigned char y = (unsigned char)ascii_lower(b.p[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.n == b.n && str_cmp_nocase(a, b) == 0;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_head(s, prefix.n), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_head(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq_nocase(str_skip(s, s.n - suffix.n), suffix);
}

size_t str_find(struct str s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_rfind(struct str s, char c)
{
    const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : s.n;
}

bool str_has(struct str s, char c)
{
    return str_find(s, c) < s.n;
}

bool str_contains(struct str s, struct str needle)
{
    return needle.n == 0 || (s.n >= needle.n && memmem(s.p, s.n, needle.p, needle.n));
}

struct str str_skip(struct str s, size_t n)
{
    return n >= s.n ? (struct str){ s.p ? s.p + s.n : NULL, 0 } : (struct str){ s.p + n, s.n - n };
}

struct str str_head(struct str s, size_t n)
{
    return (struct str){ s.p, n < s.n ? n : s.n };
}

struct str str_slice(struct str s, size_t a, size_t b)
{
    return a < b ? str_skip(str_head(s, b), a) : STR_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_skip(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_cut(struct str *rest, char sep)
{
    struct str all = *rest;
    size_t at = str_find(all, sep);

    *rest = at < all.n ? (struct str){ all.p + at + 1, all.n - at - 1 } : STR_NONE;
    return str_head(all, at);
}

bool str_is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 0x7f)
            return false;
    return true;
}

size_t str_utf8_length(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char lo = 0x80, hi = 0xbf;
    size_t len;

    if (!s.n)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (len > s.n)
        return 0;
    /* The second octet's range shuts out overlong forms, surrogates and what is above U+10FFFF. */
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

bool str_is_utf8(struct str s)
{
    while (s.n) {
        size_t len = str_utf8_length(s);
        if (!len)
            return false;
        s = str_skip(s, len);
    }
    return true;
}

uint64_t str_hash(struct str s, uint64_t seed)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ seed;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
    return h ^ (h >> 32);
}
