/* message/report.h -- delivery status notifications: failure, delay, and to the postmaster (RFC 3464, 6522; 5321 6.1). Pure. */
#ifndef MESSAGE_REPORT_H
#define MESSAGE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum message_report_kind {
    MESSAGE_REPORT_FAILED,
    MESSAGE_REPORT_DELAYED,
    MESSAGE_REPORT_DOUBLE, /* a report could not be returned: told to the postmaster */
    MESSAGE_REPORT_DIGEST, /* many such: a list, without content */
};

/* One recipient that the report is about. Addresses without brackets, least quoted. */
struct message_report_recipient {
    struct str address;       /* Final-Recipient: as the envelope has it, case kept; may be UTF-8 (RFC 6533) */
    struct str original;      /* what RCPT said, when it differs: for people, not Original-Recipient (C176) */
    struct str status;        /* "5.1.1": of the last attempt, as the peer said it, whatever became of it */
    unsigned code;            /* the peer's reply code; 0: none */
    struct str reply;         /* the peer's words, or ours when FROM_PEER is false */
    bool from_peer;
    struct str remote_mta;    /* host contacted; empty: none was (C177) */
    struct str remote_address; /* its address, for people; may be empty */
    uint32_t attempts;
    int64_t first_msec;       /* UTC of the first attempt, or of acceptance; and of the last */
    int64_t last_msec;
    int64_t retry_until_msec; /* DELAYED: Will-Retry-Until; 0: none */
    bool expired;             /* given up for its age */
    struct str about;         /* DIGEST: queue id of its message */
};

struct message_report {
    enum message_report_kind kind;
    struct str hostname;      /* Reporting-MTA */
    struct str from;          /* postmaster at the origin */
    struct str to;            /* return address */
    struct str id;            /* queue id of the report: Message-ID, boundary */
    struct str about;         /* queue id of the message reported on */
    int64_t utc_msec;
    int zone_minutes;
    int64_t arrival_msec;     /* of the message; 0: unknown */
    struct str release_request; /* what MAIL asked for (RFC 4865 5.1.2): "for;3600"; empty: nothing */
    uint64_t octets;          /* of the message, for people */
    struct str sender;        /* its reverse-path, as people read it */
    struct str subject;       /* its fields, as they stand: raw, unfolded, may be empty or hold octets above 127 */
    struct str message_id;    /* without brackets; empty: none */
    struct str references;    /* unfolded, may be empty */
    const struct message_report_recipient *recipients;
    size_t n_recipients;
    struct str header;        /* the header section returned (C179), CRLF line ends; empty: none can be had */
    struct str body;          /* what follows it; ignored without FULL */
    bool full;                /* message/rfc822 with header and body; else text/rfc822-headers */
    bool utf8;                /* the return path takes UTF-8: message/global-* where needed */
    uint64_t left_out;        /* DIGEST: more of them than the list has */
};

/*
 * The whole message: header fields, the words of FACE 3.5, and (but for DIGEST) the two parts for machines. CRLF line
 * ends, no line above 998 octets, none of the returned content changed but what 7-bit transport without UTF8 asks for.
 * *eight_bit: it has octets above 127, and wants 8BITMIME. False when OUT is full.
 */
MUST_USE bool message_report_write(struct buf *out, const struct message_report *report, bool *eight_bit);

#endif
