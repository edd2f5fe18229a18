/* message/envelope.h -- the envelope of a message as octets of the spool (docs/SPOOL.md, "Envelope"). Pure. */
#ifndef MESSAGE_ENVELOPE_H
#define MESSAGE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

/*
 * A row of fields { u16 tag, u32 length, octets }, integers little endian. A tag with ENVELOPE_MUST_KNOW that a reader
 * does not know means that it must not deliver; others it skips. Recipients are fields that hold fields.
 * Addresses are in their least-quoted form without brackets; an empty SENDER is the null reverse-path.
 */
enum { ENVELOPE_MUST_KNOW = 0x8000, ENVELOPE_RECIPIENTS_MAX = 100000, ENVELOPE_OCTETS_MAX = 3 << 20 };

/* A message of our own. A report about a report that cannot be delivered goes nowhere but into the log. */
enum envelope_report { ENVELOPE_NO_REPORT, ENVELOPE_REPORT, ENVELOPE_POSTMASTER_REPORT };

enum envelope_body { ENVELOPE_BODY_7BIT, ENVELOPE_BODY_8BIT };

/* What a recipient is: an address, or what an alias led to on this machine. */
enum envelope_kind {
    ENVELOPE_ADDRESS,
    ENVELOPE_COMMAND, /* LOCAL is what stands behind "|" in the alias */
    ENVELOPE_FILE,    /* LOCAL is the path */
};

struct envelope_recipient {
    uint32_t number;     /* from 1, within the message; never changes */
    struct str local;    /* the address mail goes to, after aliases: local part without quoting, case kept */
    struct str domain;   /* lower-case A-labels */
    struct str original; /* as RCPT gave it */
    struct str sender;   /* its own reverse-path (a list's owner); has_sender false: the envelope's */
    bool has_sender;
    enum envelope_kind kind; /* a COMMAND or FILE has the DOMAIN whose alias it is */
    struct str route;    /* its own next hop, as a configuration writes targets; empty: as routes say */
};

struct envelope {
    struct str sender;
    bool smtputf8;
    enum envelope_body body;
    uint64_t size;          /* octets of content as received, our fields not counted */
    uint64_t lines;
    uint64_t longest_line;
    uint64_t leading_dots;
    struct str client;      /* 16 octets, IPv4 mapped; empty: a unix socket */
    struct str client_name; /* the EHLO argument */
    struct str listener;
    struct str protocol;
    struct str session;     /* as people see it */
    struct str message_id;
    struct str subject;     /* as it stands, unfolded; may be cut */
    struct str references;  /* the same */
    uint64_t header_octets; /* of the content as received: its header section, the empty line included */
    bool header_eight_bit;  /* octets above 127 there */
    uint32_t uid_plus;      /* of sendmail(1): who called it, uid + 1; 0: came otherwise */
    uint32_t report;        /* enum envelope_report: we wrote it */
    struct str account;     /* who logged in to send it; empty: nobody */
    struct str held;        /* kept from the beginning, and why (a limit); empty: it is not */
    int64_t release_msec;   /* not to leave before that time, UTC (RFC 4865); 0: at once */
    struct str release_request; /* as MAIL said it, for reports: "for;3600", "until;2026-11-22T09:41:07Z" */
    const struct envelope_recipient *recipients;
    size_t n_recipients;
};

/* What it takes of an envelope's octets. */
size_t envelope_recipient_octets(const struct envelope_recipient *r);
/* False when OUT is full. */
MUST_USE bool envelope_encode(struct buf *out, const struct envelope *e);
/*
 * *e borrows its texts from IN and has its recipients in A. Permanent error: not an envelope, or one that asks for
 * something that this version does not know.
 */
MUST_USE bool envelope_decode(struct str in, struct arena *a, struct envelope *e, struct err *err);

#endif
