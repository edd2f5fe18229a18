/* core/ip.h -- addresses and networks of both families, as octets and as text (RFC 4291 2.2, RFC 5952). Pure. */
#ifndef CORE_IP_H
#define CORE_IP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bug.h"
#include "core/str.h"

enum ip_family {
    IP_NONE,
    IP_V4, /* the first 4 octets */
    IP_V6, /* all 16 */
};

enum { IP_TEXT_MAX = 45 };

/* Network order; octets that the family does not use are zero, so that memcmp compares. */
struct ip {
    enum ip_family family;
    unsigned char octets[16];
};

/* The addresses whose first BITS are those of BASE; host bits of BASE are zero. */
struct ip_network {
    struct ip base;
    unsigned bits;
};

struct ip_text {
    char c[IP_TEXT_MAX + 1];
};

/* "192.0.2.1" or "2001:db8::1" and nothing else: no brackets, no zone, no leading zeros in IPv4. */
MUST_USE bool ip_parse(struct str s, struct ip *out);
/* An IPv4 address mapped into IPv6 (::ffff:192.0.2.1) becomes the IPv4 address it is; others stay. */
struct ip ip_unmap(struct ip a);
/* The form of RFC 5952; empty for IP_NONE. */
struct ip_text ip_text(const struct ip *a);
bool ip_eq(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *a);
/* A with all but its first BITS cleared. */
struct ip ip_mask(struct ip a, unsigned bits);
bool ip_in_network(const struct ip *a, const struct ip_network *n);
/* 32 or 128. */
unsigned ip_bits(enum ip_family family);

#endif
