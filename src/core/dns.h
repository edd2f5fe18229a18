/* core/dns.h -- what the DNS says of a name: facts that routing and policy decide by (RFC 1035, RFC 4033 5). Pure. */
#ifndef CORE_DNS_H
#define CORE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ip.h"
#include "core/str.h"

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_MX = 15, DNS_AAAA = 28 };

enum dns_status {
    DNS_FOUND,   /* records */
    DNS_NO_DATA, /* the name exists, but has none of that type */
    DNS_NO_NAME, /* the name does not exist */
    DNS_FAILED,  /* no server answered, or none that could: says nothing of the name */
    DNS_BOGUS,   /* there is an answer, and DNSSEC says it is not the zone's */
};

/* More records of one answer are left out. */
enum { DNS_RECORDS_MAX = 128 };

/* Names are lower case without a final dot, "." for the root, and empty where they are no host name. */
struct dns_record {
    struct ip address;   /* of A and AAAA */
    uint16_t preference; /* of MX */
    struct str name;     /* of MX */
};

struct dns_answer {
    enum dns_status status;
    bool secure;  /* validated by DNSSEC; also that there is nothing */
    uint32_t ttl; /* seconds */
    const struct dns_record *records;
    size_t n;
    struct str error; /* of FAILED and BOGUS: for people */
};

#endif
