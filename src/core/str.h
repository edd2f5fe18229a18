/* core/str.h -- a borrowed view of octets, passed by value. Pure. */
#ifndef CORE_STR_H
#define CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * N octets at P, owned by somebody else; no terminator is assumed, NUL is an octet like any other.
 * The empty view may have p == NULL.
 */
struct str {
    const char *p;
    size_t n;
};

#define STR_NONE ((struct str){ NULL, 0 })
/* Of a string literal only. */
#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
/* The same where a constant initialiser is wanted: static tables. */
#define STR_INIT(lit)                                                                                       \
    {                                                                                                       \
        "" lit, sizeof(lit) - 1                                                                             \
    }
/* For printf's "%.*s"; lengths above INT_MAX print nothing. */
#define STR_ARG(s) ((s).n <= 0x7fffffffU ? (int)(s).n : 0), ((s).p ? (s).p : "")

static inline struct str str_of(const char *p, size_t n)
{
    return (struct str){ p, n };
}

/* Of a NUL-terminated text from libc's side of the border; NULL gives the empty view. */
struct str str_from_c(const char *c);

bool str_eq(struct str a, struct str b);
/* Octet order, shorter first where one is a prefix. */
int str_cmp(struct str a, struct str b);
/* ASCII letters without case (RFC 5321 2.4), other octets as they are. */
bool str_eq_nocase(struct str a, struct str b);
int str_cmp_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_ends_nocase(struct str s, struct str suffix);

/* Index of the first / last C, or s.n. */
size_t str_find(struct str s, char c);
size_t str_rfind(struct str s, char c);
bool str_has(struct str s, char c);
bool str_contains(struct str s, struct str needle);

/* What follows the first N octets (all of it gone when N >= s.n); the first N octets at most. */
struct str str_skip(struct str s, size_t n);
struct str str_head(struct str s, size_t n);
/* From octet A up to octet B, both clamped. */
struct str str_slice(struct str s, size_t a, size_t b);
/* Without blanks (SP, HT, CR, LF) at both ends. */
struct str str_trim(struct str s);
/*
 * Cut *rest at the first SEP: returns what stands before it, leaves in *rest what follows.
 * Without SEP returns all and leaves *rest as { NULL, 0 }. While rest->p is set there is a next piece.
 */
struct str str_cut(struct str *rest, char sep);

bool str_is_ascii(struct str s);
/* Octets of the well-formed UTF-8 sequence at the front of S, 0 when there is none (RFC 3629 4). */
size_t str_utf8_length(struct str s);
bool str_is_utf8(struct str s); /* well-formed, no surrogates, nothing above U+10FFFF */

/* FNV-1a with a seed; for our own tables, not against an adversary who knows the seed. */
uint64_t str_hash(struct str s, uint64_t seed);

static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static inline char ascii_upper(char c)
{
    return (c >= 'a' && c <= 'z') ? (char)(c - ('a' - 'A')) : c;
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

#endif
