/* dns/answer.c -- sections, records, names with compression. */
#include "dns/answer.h"

#include <string.h>

#include "core/check.h"

enum { HEAD = 12, RECORD_FIXED = 10, NAME_MAX = 255, LABEL_MAX = 63, SOA_FIXED = 20 };
enum { TYPE_SOA = 6 };
enum { RCODE_MASK = 0x0f, RCODE_OK = 0, RCODE_NO_NAME = 3 };
enum { POINTER = 0xc0 };

static unsigned be16(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (unsigned)u[0] << 8 | u[1];
}

static uint32_t be32(const char *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* A name under reading: as text, while it can be a host's. */
struct name {
    size_t n;
    bool odd; /* octets that no host name has */
    char text[NAME_MAX];
};

static bool is_host_octet(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool add_label(struct name *name, struct str label)
{
    if (name->n + label.n + 1 > NAME_MAX)
        return false;
    if (name->n)
        name->text[name->n++] = '.';
    for (size_t i = 0; i < label.n; i++) {
        name->odd = name->odd || !is_host_octet(label.p[i]);
        name->text[name->n++] = ascii_lower(label.p[i]);
    }
    return true;
}

/*
 * The name at AT; *end is behind it. A pointer must lead back before the piece it stands in, so that no chain of them
 * goes round (RFC 1035 4.1.4: "a prior occurrence").
 */
static bool read_name(struct str packet, size_t at, struct name *name, size_t *end)
{
    size_t piece = at;
    bool followed = false;

    name->n = 0;
    name->odd = false;
    while (at < packet.n) {
        size_t length = (unsigned char)packet.p[at];
        if ((length & POINTER) == POINTER) {
            if (packet.n - at < 2)
                return false;
            if (!followed)
                *end = at + 2;
            at = be16(packet.p + at) & 0x3fff;
            if (at >= piece)
                return false;
            piece = at;
            followed = true;
            continue;
        }
        if (length > LABEL_MAX || length >= packet.n - at)
            return false;
        if (length == 0) {
            if (!followed)
                *end = at + 1;
            return true;
        }
        if (!add_label(name, str_of(packet.p + at + 1, length)))
            return false;
        at += 1 + length;
    }
    return false;
}

/* One record; DATA is where its octets begin in the packet. */
struct record {
    unsigned type;
    uint32_t ttl;
    size_t data;
    size_t length;
};

static bool read_record(struct str packet, size_t *at, struct record *r)
{
    struct name owner;
    size_t head;

    if (!read_name(packet, *at, &owner, &head) || packet.n - head < RECORD_FIXED)
        return false;
    *r = (struct record){
        .type = be16(packet.p + head),
        .ttl = be32(packet.p + head + 4),
        .data = head + RECORD_FIXED,
        .length = be16(packet.p + head + 8),
    };
    /* RFC 2181 8: the highest bit set means zero. */
    if (r->ttl > INT32_MAX)
        r->ttl = 0;
    if (r->length > packet.n - r->data)
        return false;
    *at = r->data + r->length;
    return true;
}

static bool read_address(struct str packet, const struct record *r, enum ip_family family, struct ip *out)
{
    size_t n = ip_bits(family) / 8;

    if (r->length != n)
        return false;
    *out = (struct ip){ .family = family };
    memcpy(out->octets, packet.p + r->data, n);
    return true;
}

static bool read_mx(struct str packet, const struct record *r, struct arena *a, struct dns_record *out)
{
    struct name name;
    size_t end;

    if (r->length < 3 || !read_name(packet, r->data + 2, &name, &end) || end != r->data + r->length)
        return false;
    out->preference = (uint16_t)be16(packet.p + r->data);
    if (name.odd)
        return true;
    out->name = name.n ? arena_str(a, str_of(name.text, name.n)) : STR(".");
    return out->name.p != NULL;
}

static bool read_data(struct str packet, const struct record *r, struct arena *a, struct dns_record *out)
{
    switch (r->type) {
    case DNS_A:
        return read_address(packet, r, IP_V4, &out->address);
    case DNS_AAAA:
        return read_address(packet, r, IP_V6, &out->address);
    case DNS_MX:
        return read_mx(packet, r, a, out);
    default:
        return true;
    }
}

static bool skip_questions(struct str packet, size_t *at)
{
    for (unsigned left = be16(packet.p + 4); left; left--) {
        struct name name;
        if (!read_name(packet, *at, &name, at) || packet.n - *at < 4)
            return false;
        *at += 4;
    }
    return true;
}

static bool read_answers(struct str packet, size_t *at, enum dns_type type, struct arena *a,
                         struct dns_answer *answer)
{
    unsigned left = be16(packet.p + 6);
    size_t room = size_min(left, DNS_RECORDS_MAX);
    struct dns_record *records = ARENA_NEW_ARRAY(a, room, struct dns_record);
    struct record r;

    if (!records)
        return false;
    answer->records = records;
    for (answer->ttl = left ? UINT32_MAX : 0; left; left--) {
        if (!read_record(packet, at, &r))
            return false;
        if (r.ttl < answer->ttl)
            answer->ttl = r.ttl;
        if (r.type == (unsigned)type && answer->n < room &&
            !read_data(packet, &r, a, &records[answer->n++]))
            return false;
    }
    return true;
}

/* How long "there is nothing" holds: the lesser of the SOA's TTL and its last number (RFC 2308 5). */
static bool read_negative_ttl(struct str packet, size_t at, uint32_t *ttl)
{
    struct record r;

    for (unsigned left = be16(packet.p + 8); left; left--) {
        if (!read_record(packet, &at, &r))
            return false;
        if (r.type != TYPE_SOA || r.length < SOA_FIXED)
            continue;
        *ttl = be32(packet.p + r.data + r.length - 4);
        if (r.ttl < *ttl)
            *ttl = r.ttl;
        return true;
    }
    return true;
}

bool dns_answer_read(struct str packet, enum dns_type type, struct arena *a, struct dns_answer *answer)
{
    struct dns_answer got = { 0 };
    size_t at = HEAD;
    int rcode;

    if (packet.n < HEAD)
        return false;
    rcode = packet.p[3] & RCODE_MASK;
    if (rcode != RCODE_OK && rcode != RCODE_NO_NAME) {
        got.status = DNS_FAILED;
        got.error = arena_printf(a, "the server answered with error %d", rcode);
        *answer = got;
        return got.error.p != NULL;
    }
    if (!skip_questions(packet, &at) || !read_answers(packet, &at, type, a, &got))
        return false;
    got.status = got.n ? DNS_FOUND : rcode == RCODE_NO_NAME ? DNS_NO_NAME : DNS_NO_DATA;
    if (!got.n && !read_negative_ttl(packet, at, &got.ttl))
        return false;
    *answer = got;
    return true;
}
