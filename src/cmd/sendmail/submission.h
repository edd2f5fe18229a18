/* cmd/sendmail/submission.h -- the message: read from standard input, its header completed (RFC 5322 3.6). */
#ifndef CMD_SENDMAIL_SUBMISSION_H
#define CMD_SENDMAIL_SUBMISSION_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

enum {
    SUBMISSION_MAX = 1 << 30,
    SUBMISSION_FIELDS_MAX = 4096,
    SUBMISSION_RECIPIENTS_MAX = 10000,
};

struct submission_field {
    struct str name;
    struct str value; /* behind the colon, with its folding, without the last CRLF */
    struct str whole; /* with its last CRLF */
};

struct submission {
    struct arena *arena;
    struct buf octets; /* as read, lines ending in CRLF */
    struct submission_field *fields;
    size_t n_fields;
    struct str body; /* behind the empty line */
    bool resent;     /* it has Resent- fields: those are the ones that count (RFC 5322 3.6.6) */
};

/*
 * Reads FD up to its end, or to a line with a dot alone unless DOTS. LF, CRLF and CR alone all end a line. What does
 * not look like a field ends the header. submission_done() in any case.
 */
MUST_USE bool submission_read(struct submission *l, int fd, bool dots, struct err *err);
void submission_done(struct submission *l);

/* A recipient's or sender's address as written: local part and domain, empty when it has none. */
struct submission_address {
    struct str local;
    struct str domain;
};

struct submission_addresses {
    struct submission_address *items;
    size_t n;
};

/* Add the addresses of TEXT, a list as in a To field. False: it is none (permanent), or memory is out. */
MUST_USE bool submission_addresses_add(struct submission_addresses *list, struct arena *a, struct str text,
                                       struct err *err);
/* Those of To, Cc and Bcc, or of their Resent- forms. */
MUST_USE bool submission_recipients(const struct submission *l, struct submission_addresses *list, struct err *err);

/* What the finished message is made with. */
struct submission_completion {
    bool add;           /* missing From, Date and Message-ID, and the domain of bare names */
    bool remove_bcc;
    struct str origin;
    struct str hostname; /* of Message-ID */
    struct str sender;   /* address for From */
    struct str name;     /* for From; may be empty */
    int64_t utc_msec;
    int zone_minutes;
    uint64_t unique[2]; /* random: for Message-ID */
};

/* Append the message as it is handed over. False: OUT is full. */
MUST_USE bool submission_write(const struct submission *l, const struct submission_completion *c, struct buf *out);
/* Append CONTENT with its dots stuffed and the final dot (RFC 5321 4.5.2). */
MUST_USE bool submission_stuff(struct str content, struct buf *out);

#endif
