/* smtp/client.h -- the client's side of the dialogue as a state machine (RFC 5321 3, 4; 2920; LMTP: 2033). Pure. */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

/*
 * One connection. The owner feeds octets of the peer, sends what is added to OUT, and is told one event at a time.
 * No clock, no descriptor.
 *
 *     smtp_client_next(c, in, &used, out, &ev)      until MORE; then wait for octets, or for work
 *     smtp_client_add(c, tx)                        a transaction to make; up to SMTP_CLIENT_DEPTH wait inside
 *     ev CONTENT: smtp_client_content(...) for all pieces, then smtp_client_content_end(...)
 *     ev DONE:    every recipient of ev.tx has its result; the owner's again
 *     smtp_client_quit(c, out)                      after the last transaction
 *     smtp_client_lost(c)                           the connection broke or a time-out passed: results are set
 *
 * With PIPELINING a group (MAIL, RCPT..., DATA) is one write, and the group of the next transaction that was added in
 * time goes behind the final dot of this one (RFC 2920 3.1).
 */
struct smtp_client;

enum {
    SMTP_CLIENT_DEPTH = 4,          /* transactions inside: one in hand, others behind it */
    SMTP_CLIENT_REPLY_MAX = 4096,   /* octets of one reply line that are looked at; longer lines: 500 octets kept */
    SMTP_CLIENT_LINES_MAX = 256,    /* lines of one reply; more is an endless reply */
    SMTP_CLIENT_TEXT_MAX = 400,     /* octets kept of a reply's text, lines joined by a blank */
};

/* Where in the dialogue: of results, of failures, of what is waited for (the time-out that applies). */
enum smtp_stage {
    SMTP_STAGE_NONE,
    SMTP_STAGE_CONNECT,
    SMTP_STAGE_GREETING,
    SMTP_STAGE_EHLO, /* HELO and LHLO too */
    SMTP_STAGE_MAIL,
    SMTP_STAGE_RCPT,
    SMTP_STAGE_DATA,
    SMTP_STAGE_CONTENT, /* a block is being written */
    SMTP_STAGE_FINAL,   /* the reply to the dot */
    SMTP_STAGE_QUIT,
    SMTP_STAGES
};

/* "rcpt": as the log names it; "" for NONE. */
struct str smtp_stage_name(enum smtp_stage stage);

enum smtp_client_flag {
    SMTP_CLIENT_LMTP = 1 << 0, /* LHLO; a reply for each recipient after the dot (C134) */
};

/* What EHLO offered. */
struct smtp_client_features {
    bool extended; /* EHLO worked; false: HELO */
    bool pipelining;
    bool eight_bit; /* 8BITMIME */
    bool smtputf8;
    bool size;
    bool dsn;
    bool enhanced;
    bool chunking;
    uint64_t size_max; /* 0: none said */
};

enum smtp_client_result_kind {
    SMTP_RESULT_NONE,  /* not decided */
    SMTP_RESULT_OK,    /* delivered: 2yz to the dot */
    SMTP_RESULT_TEMP,
    SMTP_RESULT_PERM,
    SMTP_RESULT_AGAIN, /* this attempt says nothing about it: 452/552 too many recipients, or never begun (C152) */
};

struct smtp_client_result {
    enum smtp_client_result_kind kind;
    enum smtp_stage stage;
    unsigned code;     /* of the peer; 0: no reply of a peer decided */
    struct str status; /* enhanced: the peer's, or by a fixed mapping of its code (RFC 3463), or ours */
    struct str text;   /* of the peer without codes, or ours ("connection lost after the final dot") */
    bool from_peer;    /* TEXT is the peer's words */
};

struct smtp_client_recipient {
    struct str address; /* to stand between < and >: quoted as it must be (smtp_path_write) */
    struct smtp_client_result result; /* texts in the transaction's arena */
};

/* Lives at least until DONE; its texts are borrowed. */
struct smtp_client_tx {
    struct arena *arena; /* the owner's; results are kept there */
    struct str sender;   /* to stand between < and >; empty: null */
    struct smtp_client_recipient *recipients;
    size_t n_recipients; /* at least 1 */
    uint64_t size;       /* of the content as it will be sent, without stuffing: SIZE= (RFC 1870) */
    bool eight_bit;      /* content has octets above 127: wants BODY=8BITMIME (C095) */
    bool utf8;           /* address or header is not ASCII: wants SMTPUTF8 (C183) */
    bool utf8_header;    /* of it: the header (X.6.9 rather than X.6.7) */
    bool begun;          /* set by the machine: the first octet of content was given out */
    bool in_doubt;       /* set by the machine: the dot was given out and no reply to it came */
    struct smtp_client_tx *next; /* the machine's */
};

enum smtp_client_event_kind {
    SMTP_CLIENT_MORE,    /* nothing to do but wait: for octets of the peer, or for transactions when idle */
    SMTP_CLIENT_READY,   /* EHLO is done: features are known; transactions go */
    SMTP_CLIENT_CONTENT, /* give content of TX now */
    SMTP_CLIENT_DONE,    /* TX is over: each recipient has a result */
    SMTP_CLIENT_REFUSED, /* greeting or EHLO said no, or the peer speaks nonsense: FAILURE; close, try the next host */
    SMTP_CLIENT_CLOSE,   /* QUIT is answered, or a 421 ended the session: close. FAILURE when there was one */
};

struct smtp_client_event {
    enum smtp_client_event_kind kind;
    struct smtp_client_tx *tx;
    struct smtp_client_result failure; /* REFUSED, CLOSE; texts die with the next call */
};

/* HOSTNAME: EHLO argument, borrowed. SESSION lives at least as long. NULL when memory is out. */
struct smtp_client *smtp_client_new(struct arena *session, struct str hostname, unsigned flags);
/* Frees what the machine holds; transactions inside are the owner's, without results. Takes NULL. */
void smtp_client_done(struct smtp_client *c);

/* Go on. IN is all that was received and not used; *used of its octets are finished with after each call. */
void smtp_client_next(struct smtp_client *c, struct str in, size_t *used, struct buf *out, struct smtp_client_event *ev);

/* Room for one more smtp_client_add(): fewer than DEPTH inside, and the session goes on. */
bool smtp_client_wants(const struct smtp_client *c);
/*
 * Make this transaction when those before it are made. What this peer cannot take (features) has its results at once:
 * the next call of smtp_client_next() says DONE. Also before READY.
 */
void smtp_client_add(struct smtp_client *c, struct smtp_client_tx *tx);

/*
 * Add PIECE of the content, dots stuffed (RFC 5321 4.5.2), to OUT. *taken octets of it were; fewer when OUT is full:
 * go on when OUT was sent. PIECE has only CRLF line ends.
 */
void smtp_client_content(struct smtp_client *c, struct str piece, size_t *taken, struct buf *out);
/* Octets that the owner sends by itself (sendfile): only when the message has no leading dots. For line-end state. */
void smtp_client_content_sent(struct smtp_client *c, bool ended_with_crlf);
/* CRLF (if the content did not end in one) and the dot; behind it the next group, if one waits and the peer pipelines. */
void smtp_client_content_end(struct smtp_client *c, struct buf *out);
/* The owner cannot give the rest (its file cannot be read): the connection must be closed without a dot. */
void smtp_client_content_failed(struct smtp_client *c, struct str text);

/* QUIT when what is inside is done. */
void smtp_client_quit(struct smtp_client *c, struct buf *out);
/*
 * The connection is gone (TEXT: "connection reset", "timed out"). Transactions inside get TEMP for what was in hand
 * (C154: as 451; in_doubt when the dot was out), AGAIN for what was not begun; then smtp_client_next() with empty IN
 * gives DONE for each and CLOSE.
 */
void smtp_client_lost(struct smtp_client *c, struct str text, struct buf *out);

/* What the machine waits for: which time-out applies; NONE when idle. */
enum smtp_stage smtp_client_stage(const struct smtp_client *c);
/* No transaction inside: it may be given one, kept, or told to quit. */
bool smtp_client_idle(const struct smtp_client *c);
const struct smtp_client_features *smtp_client_features(const struct smtp_client *c);

#endif
