/* smtp/peer_reply.h -- read the replies of a server, octet by octet (RFC 5321 4.2; 2034; 3463). Pure. */
#ifndef SMTP_PEER_REPLY_H
#define SMTP_PEER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/str.h"

enum {
    SMTP_PEER_LINE_MAX =
        4096, /* octets of a line without LF; a longer one is nonsense (RFC 5321 4.5.3.1.5: 512) */
    SMTP_PEER_LINE_KEPT = 1024, /* of them looked at: challenges of SASL are longer than 512 */
    SMTP_PEER_LINES_MAX = 256, /* of a reply; more is an endless reply, which is nonsense */
    SMTP_PEER_TEXT_MAX = 400,  /* octets kept of the text of a reply */
    SMTP_PEER_STATUS_MAX = 9,  /* "5.999.999" */
};

enum smtp_peer_step {
    SMTP_PEER_MORE,     /* all of IN is used, the reply goes on */
    SMTP_PEER_LINE,     /* a line of a reply that has more */
    SMTP_PEER_END,      /* its last line: the reply is whole */
    SMTP_PEER_NONSENSE, /* no reply of SMTP; FAULT says why. What follows cannot be trusted */
};

/*
 * The reply in hand. Zeroed it waits for the first. Views point into it: it must not move, and they are good
 * until the next call.
 *
 * The code of the last line decides; where lines have codes of different first digits, nobody knows which was
 * meant, and it is nonsense (RFC 5321 4.2.1: they MUST be the same). STATUS is what stands first behind a
 * code and has the form of RFC 3463 2, of the first line that has one, whatever its class. TEXT is what
 * remains of all lines, joined by a blank; what is no well-formed UTF-8, and controls, are one '?' each.
 */
struct smtp_peer_reply {
    unsigned code;
    struct str status;
    struct str text;
    struct str line;  /* of LINE and END: this line behind its code, as sent */
    struct str fault; /* of NONSENSE: static */
    unsigned lines;
    bool cut; /* LINE was longer than what is kept */

    bool whole;    /* the next call begins a new one */
    size_t octets; /* of the line in hand; KEPT of them are held */
    size_t kept;
    char octets_kept[SMTP_PEER_LINE_KEPT];
    char status_kept[SMTP_PEER_STATUS_MAX];
    char text_kept[SMTP_PEER_TEXT_MAX];
};

/*
 * Use octets of IN up to the end of one line. Lines end in LF; a CR before it is dropped, whether there or
 * not. Promise (tested, fuzzed): how IN is split over calls changes nothing but SMTP_PEER_MORE.
 */
enum smtp_peer_step smtp_peer_reply_next(struct smtp_peer_reply *r, struct str in, size_t *used);

#endif
