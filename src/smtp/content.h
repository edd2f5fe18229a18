/* smtp/content.h -- the one pass over what follows DATA (RFC 5321 2.3.8, 4.1.1.4, 4.5.2). Pure. */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

/* The directive bare-newlines. */
enum smtp_newlines {
    SMTP_NEWLINES_REJECT, /* a bare CR, a bare LF or a NUL is a fault */
    SMTP_NEWLINES_REPAIR, /* a bare CR or LF becomes CRLF before anything else looks; NUL passes */
};

/* Why content is refused; the first one met counts. */
enum smtp_content_fault {
    SMTP_CONTENT_GOOD,
    SMTP_CONTENT_BARE_CR,
    SMTP_CONTENT_BARE_LF,
    SMTP_CONTENT_NUL,
    SMTP_CONTENT_LINE_TOO_LONG,
    SMTP_CONTENT_TOO_BIG,
};

struct smtp_content_limits {
    uint64_t size_max; /* octets: with CRLF, without stuffed dots and final dot (RFC 1870 5) */
    uint64_t line_max; /* octets of a line, without CRLF */
    enum smtp_newlines newlines;
};

/* What the pass learned. After a fault the rest is swallowed unseen: only FAULT and FAULT_LINE count then. */
struct smtp_content_facts {
    uint64_t size;         /* octets given out */
    uint64_t lines;        /* ended lines */
    uint64_t longest_line; /* octets, without CRLF */
    uint64_t leading_dots; /* lines that begin with a dot: they want stuffing again */
    uint64_t repaired;     /* bare CR and LF made CRLF */
    bool eight_bit;        /* an octet above 127 */
    bool nul;
    enum smtp_content_fault fault;
    uint64_t fault_line; /* from 1 */
};

/* Init with smtp_content_init(). All state of the pass; no memory of its own. */
struct smtp_content {
    struct smtp_content_limits limits;
    struct smtp_content_facts facts;
    uint64_t taken; /* octets that count against size_max */
    uint64_t line_octets;
    int state;         /* what the last octets were; content.c draws it */
    struct str insert; /* octets of ours that go out next */
};

void smtp_content_init(struct smtp_content *c, const struct smtp_content_limits *limits);

enum smtp_content_step {
    SMTP_CONTENT_MORE, /* all of IN is used, and the end has not come */
    SMTP_CONTENT_SPAN, /* *span is the next piece of content */
    SMTP_CONTENT_END,  /* CRLF.CRLF is over; what follows *used are commands. Look at facts.fault */
};

/*
 * Take the front of IN. *span is as long as can be, borrows from IN (or from a constant) and is good until
 * those octets move; nothing is copied. Nothing but CRLF "." CRLF ends, in either mode, and a dot is
 * unstuffed only behind a real CRLF. After a fault no more spans come, but the end is still found. Call until
 * MORE or END: what is put in may be owed when IN is empty.
 * Promise (tested, fuzzed): splitting IN over calls changes nothing but where spans are cut and, before a
 * fault, how many came.
 */
MUST_USE enum smtp_content_step smtp_content_next(struct smtp_content *c, struct str in, struct str *span,
                                                  size_t *used);

#endif
