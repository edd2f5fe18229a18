/* message/submission.h -- what a submission server mends in the header of its users' messages (RFC 6409 8). Pure. */
#ifndef MESSAGE_SUBMISSION_H
#define MESSAGE_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

struct message_submission_terms {
    struct str hostname; /* right side of a Message-ID that is added */
    struct str unique;   /* its left side: letters, digits, dots and hyphens that no other message has */
    int64_t utc_msec;
    int zone_minutes;
};

/*
 * Add to OUT the header section HEADER, its empty line included if it has one, as submission leaves it:
 *
 *  - without Bcc and Resent-Bcc fields, however often they come (RFC 5322 3.6.3, the first of its three ways)
 *  - without Message-ID fields that are none (RFC 5322 3.6.4); if no good one is left, with one of ours (C127)
 *  - with a Date if there is none
 *
 * All other octets are as they were. What is added stands behind the last field, in front of the first line that is none:
 * the empty one, or a malformed one that readers would take for the beginning of the body. Text without any field becomes
 * the body: an empty line is put in front of it. Addresses in the header are not completed. False when OUT is full.
 */
bool message_submission_write(struct buf *out, struct str header, const struct message_submission_terms *terms);

/*
 * The same for content that passes by: the header section is held back until it is whole, which takes at most max-header-size
 * octets of memory; what is behind it passes as it is. Whoever looks at content (header scan, spool, sums of octets) looks
 * at what comes out, not at what went in.
 *
 *     message_submission_init(m, max, terms)      TERMS' views live as long
 *     each piece of content:  message_submission_feed(m, in, &header, &rest)   keep HEADER, then REST
 *     its end:                message_submission_end(m, &header)               keep HEADER
 *     message_submission_done(m)
 */
enum message_submission_step {
    MESSAGE_SUBMISSION_GOOD,
    MESSAGE_SUBMISSION_TOO_BIG,   /* the header section is above MAX: refuse the message; nothing more comes out */
    MESSAGE_SUBMISSION_NO_MEMORY, /* the same for want of memory */
};

struct message_submission {
    struct message_submission_terms terms;
    enum message_submission_step step;
    bool over;   /* the header section is given out */
    size_t line; /* where in HELD the line in hand begins */
    struct buf held;
    struct buf changed;
};

void message_submission_init(struct message_submission *m, size_t header_max,
                             const struct message_submission_terms *terms);
void message_submission_done(struct message_submission *m);

/*
 * *header is empty but in the one call that completes the header section; it lives in M until the next call. *rest borrows
 * from IN. Promise (tested, fuzzed): how content is split over calls changes nothing of what comes out.
 */
MUST_USE enum message_submission_step message_submission_feed(struct message_submission *m, struct str in,
                                                              struct str *header, struct str *rest);
/* Content is over: a header section without an empty line ends here too. */
MUST_USE enum message_submission_step message_submission_end(struct message_submission *m, struct str *header);

#endif
