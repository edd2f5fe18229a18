/* mailbox/quote.h -- a message as it stands in an mbox (RFC 4155 appendix A; the "mboxrd" way of quoting). */
#ifndef MAILBOX_QUOTE_H
#define MAILBOX_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

/* Init: MAILBOX_QUOTE_INIT. */
struct mailbox_quote {
    int state;
    size_t held; /* octets of a word that a line may begin with: what follows decides about them */
    char hold[16];
    bool in_header;
    bool line_open; /* something of this line was written */
};

enum { MAILBOX_QUOTE_END_MAX = sizeof(((struct mailbox_quote *)0)->hold) + 2 };

#define MAILBOX_QUOTE_INIT ((struct mailbox_quote){ .in_header = true })

/*
 * IN (lines end in LF) into OUT, which has room for 2 * in.n + sizeof(hold) octets; returns how many were written.
 * A line of any number of ">" and then "From " gets one ">" more, which a reader takes away again; so no line of a
 * message is taken for the beginning of the next one. A Content-Length field of the header is left out for the same
 * reason: readers that believe it would swallow what follows. Every other octet is kept.
 * Promise (tested): how content is split over calls changes nothing.
 */
size_t mailbox_quote_convert(struct mailbox_quote *q, struct str in, char *out);
/* The end of content: its last line ends, and an empty line stands behind it. At most MAILBOX_QUOTE_END_MAX octets. */
size_t mailbox_quote_end(struct mailbox_quote *q, char *out);

/*
 * The line that begins a message: "From SENDER DATE", UTC, with its LF. SENDER without brackets; the null one is
 * MAILER-DAEMON. Blanks and controls would end it for readers: they become "_" here, Return-Path has it as it is.
 * At most ROOM octets; 0 when that is too little.
 */
size_t mailbox_from_line(struct str sender, int64_t accepted_msec, char *out, size_t room);

#endif
