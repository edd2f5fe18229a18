/* cmd/demo/guest.h -- a connection to elsewhere: SMTP from the side that takes mail (RFC 5321 3.3), with manners. */
#ifndef CMD_DEMO_GUEST_H
#define CMD_DEMO_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"
#include "smtp/address.h"

enum { DEMO_GREYLIST_SEEN = 1024 };

/* What all connections share. */
struct demo_hosts {
    int folder;         /* elsewhere */
    uint16_t server;    /* the port for reports */
    unsigned long kept; /* messages, for their names */
    /* Senders with recipients that were told to try again; the oldest are forgotten. */
    uint64_t seen[DEMO_GREYLIST_SEEN];
    unsigned next_seen;
};

struct demo_mail; /* a transaction */

struct demo_guest {
    struct demo_hosts *hosts;
    struct buf in;
    struct buf out;         /* replies, to be sent once DUE_USEC is past */
    int64_t due_usec;       /* 0: at once */
    struct demo_mail *mail; /* NULL: none is open */
    bool content;
    size_t searched; /* octets of content in which its end is not */
    bool leaving;    /* the connection ends with what is in OUT */
};

/* The greeting is in OUT then. End with demo_guest_done(). */
void demo_guest_init(struct demo_guest *g, struct demo_hosts *hosts);
void demo_guest_done(struct demo_guest *g);
/*
 * Answers what stands in IN, up to a reply that has to wait. Call it again when more came, and when that wait is
 * over. False: the connection is to be closed now, without a reply.
 */
MUST_USE bool demo_guest_go_on(struct demo_guest *g);

#endif
