/* message/header.h -- one look at the header section as content passes by (RFC 5322 2.2, 3.6). Pure. */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"

enum {
    MESSAGE_VALUE_MAX = 998,        /* octets kept of a wanted field, unfolded */
    MESSAGE_DELIVERED_TO_MAX = 100, /* Delivered-To fields kept */
};

/* What the header says. Views live in the scan's arena. A defect is counted, never a failure. */
struct message_header {
    uint64_t size;         /* octets of the header section, its empty line included */
    uint32_t fields;       /* lines that begin a field */
    uint32_t malformed;    /* lines that are neither field, folding nor end; skipped */
    uint32_t received;     /* Received fields, well-formed or not (RFC 5321 6.3, 3.7.2) */
    bool ended;            /* the empty line was seen, or content is over */
    bool eight_bit;        /* an octet above 127 in the header section */
    struct str message_id; /* of the first Message-ID, without angle brackets and blanks; empty without one */
    struct str subject;    /* of the first Subject, unfolded, undecoded; may be cut */
    struct str references; /* of the first References, unfolded; what is too long loses whole ids in front */
    struct str *delivered_to; /* values of Delivered-To, top first; count of them below */
    size_t delivered_to_count;
};

struct message_header_scan;

/* Lives in ARENA. NULL when memory is out. */
struct message_header_scan *message_header_scan_new(struct arena *arena);

/*
 * Look at the next octets of content. After the end of the header section they are not looked at and the call
 * costs nothing. False when memory for a wanted value is out: nothing is lost but that value.
 * Promise (tested, fuzzed): how content is split over calls changes nothing.
 */
bool message_header_scan_feed(struct message_header_scan *scan, struct str in);
/* The end of content: a header section without an empty line ends here too. */
bool message_header_scan_end(struct message_header_scan *scan);

/* What is known so far. */
const struct message_header *message_header_scan_facts(const struct message_header_scan *scan);

/* True when ADDRESS stands in a Delivered-To field: we had it before (RFC 9228 4). Domain without case. */
bool message_header_was_delivered_to(const struct message_header *header, struct str address);

#endif
