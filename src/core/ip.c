/* core/ip.c -- reading and writing addresses; strict, because other programs read the same text. */
#include "core/ip.h"

#include <stdio.h>
#include <string.h>

/* Four decimal numbers without leading zeros: "010" is 8 to some and 10 to others. */
static bool parse_v4(struct str s, unsigned char *out)
{
    size_t octet = 0;
    unsigned value = 0, digits = 0;

    for (size_t i = 0; i <= s.n; i++) {
        if (i == s.n || s.p[i] == '.') {
            if (!digits || octet == 4)
                return false;
            out[octet++] = (unsigned char)value;
            value = digits = 0;
            continue;
        }
        if (!ascii_is_digit(s.p[i]) || (digits && !value))
            return false;
        value = value * 10 + (unsigned)(s.p[i] - '0');
        digits++;
        if (value > 255)
            return false;
    }
    return octet == 4;
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_group(struct str s, unsigned char *out)
{
    unsigned value = 0;

    if (!s.n || s.n > 4)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = hex_digit(s.p[i]);
        if (d < 0)
            return false;
        value = value << 4 | (unsigned)d;
    }
    out[0] = (unsigned char)(value >> 8);
    out[1] = (unsigned char)value;
    return true;
}

/* Groups parted by single colons, the last perhaps in IPv4 form; *n octets, at most ROOM. Empty is none. */
static bool parse_groups(struct str s, unsigned char *out, size_t room, size_t *n)
{
    *n = 0;
    if (!s.n)
        return true;
    for (struct str rest = s; rest.p;) {
        struct str piece = str_cut(&rest, ':');
        size_t size = !rest.p && str_has(piece, '.') ? 4 : 2;
        if (size > room - *n)
            return false;
        if (size == 4 ? !parse_v4(piece, out + *n) : !parse_group(piece, out + *n))
            return false;
        *n += size;
    }
    return true;
}

static bool parse_v6(struct str s, unsigned char *out)
{
    unsigned char tail[16] = { 0 };
    size_t head_n, tail_n, gap = 0;

    while (gap + 1 < s.n && !(s.p[gap] == ':' && s.p[gap + 1] == ':'))
        gap++;
    if (gap + 1 >= s.n)
        return parse_groups(s, out, 16, &head_n) && head_n == 16;

    struct str head = str_head(s, gap), after = str_skip(s, gap + 2);
    if (str_has(head, '.'))
        return false;
    if (!parse_groups(head, out, 14, &head_n) || !parse_groups(after, tail, 14 - head_n, &tail_n))
        return false;
    memset(out + head_n, 0, 16 - head_n);
    memcpy(out + 16 - tail_n, tail, tail_n);
    return true;
}

bool ip_parse(struct str s, struct ip *out)
{
    struct ip a = { 0 };

    if (s.n > IP_TEXT_MAX)
        return false;
    a.family = str_has(s, ':') ? IP_V6 : IP_V4;
    if (a.family == IP_V6 ? !parse_v6(s, a.octets) : !parse_v4(s, a.octets))
        return false;
    *out = a;
    return true;
}

static bool is_mapped(const struct ip *a)
{
    static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

    return a->family == IP_V6 && memcmp(a->octets, prefix, sizeof(prefix)) == 0;
}

struct ip ip_unmap(struct ip a)
{
    struct ip v4 = { .family = IP_V4 };

    if (!is_mapped(&a))
        return a;
    memcpy(v4.octets, a.octets + 12, 4);
    return v4;
}

static unsigned group_at(const struct ip *a, size_t i)
{
    return (unsigned)a->octets[i * 2] << 8 | a->octets[i * 2 + 1];
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2). */
static size_t longest_zeros(const struct ip *a, size_t *length)
{
    size_t best = 8, best_n = 1;

    for (size_t i = 0; i < 8; i++) {
        size_t n = 0;
        while (i + n < 8 && group_at(a, i + n) == 0)
            n++;
        if (n > best_n) {
            best = i;
            best_n = n;
        }
        i += n;
    }
    *length = best < 8 ? best_n : 0;
    return best;
}

static void text_v6(const struct ip *a, struct ip_text *t)
{
    size_t zeros_n, at = 0, zeros = longest_zeros(a, &zeros_n);

    for (size_t i = 0; i < 8; i++) {
        if (i == zeros) {
            at += (size_t)snprintf(t->c + at, sizeof(t->c) - at, "::");
            i += zeros_n - 1;
            continue;
        }
        const char *colon = i && i != zeros + zeros_n ? ":" : "";
        at += (size_t)snprintf(t->c + at, sizeof(t->c) - at, "%s%x", colon, group_at(a, i));
    }
}

struct ip_text ip_text(const struct ip *a)
{
    const unsigned char *o = a->octets;
    struct ip_text t = { { 0 } };

    if (a->family == IP_V4)
        snprintf(t.c, sizeof(t.c), "%u.%u.%u.%u", o[0], o[1], o[2], o[3]);
    else if (is_mapped(a))
        snprintf(t.c, sizeof(t.c), "::ffff:%u.%u.%u.%u", o[12], o[13], o[14], o[15]);
    else if (a->family == IP_V6)
        text_v6(a, &t);
    return t;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

bool ip_is_loopback(const struct ip *a)
{
    static const unsigned char v6_loopback[16] = { [15] = 1 };

    if (a->family == IP_V4)
        return a->octets[0] == 127;
    return a->family == IP_V6 && memcmp(a->octets, v6_loopback, sizeof(v6_loopback)) == 0;
}

unsigned ip_bits(enum ip_family family)
{
    return family == IP_V4 ? 32 : family == IP_V6 ? 128 : 0;
}

struct ip ip_mask(struct ip a, unsigned bits)
{
    for (unsigned i = 0; i < sizeof(a.octets); i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        if (keep < 8)
            a.octets[i] &= (unsigned char)(0xff00 >> keep);
    }
    return a;
}

bool ip_in_network(const struct ip *a, const struct ip_network *n)
{
    struct ip masked = ip_mask(*a, n->bits);

    return ip_eq(&masked, &n->base);
}
