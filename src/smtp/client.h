/* smtp/client.h -- the client's side of the dialogue, a state machine (RFC 5321 3, 4; 2920; 2033; 3207; 4954). Pure. */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"
#include "smtp/peer_reply.h"

/*
 * One connection. The owner feeds octets of the peer, sends what is added to OUT, and is told one event at a
 * time. No clock, no descriptor.
 *
 *     smtp_client_next(c, in, &used, out, &ev)   until MORE; then send OUT, wait for octets or work
 *     smtp_client_add(c, tx)                     a transaction to make; up to SMTP_CLIENT_DEPTH are inside
 *     ev CONTENT: smtp_client_content(...)       for all pieces, then smtp_client_content_end(...)
 *     ev DONE                                    all recipients of ev.tx have results; it is yours again
 *     smtp_client_quit(c, out)                   after the last transaction
 *     smtp_client_lost(c, text, out)             the connection broke, or a time-out passed
 *
 * STARTTLS and AUTH come before the first transaction, if the flags say so:
 *
 *     ev HANDSHAKE: smtp_client_secured(c)       when it is done; EHLO is said again, and what was offered
 *                                                before counts for nothing (C097)
 *     ev LOGIN: smtp_client_auth(...)            with one of ev.octets, the mechanisms offered
 *     ev CHALLENGE: smtp_client_auth_respond(c, octets)
 *     ev LOGGED_IN                               READY follows
 *
 * With PIPELINING a group (MAIL, RCPT..., DATA) is one write, and the group of the next transaction that was
 * added in time goes behind the final dot of this one (RFC 2920 3.1). A transaction that was left before its
 * end is followed by RSET, in the same write.
 *
 * OUT may be one buffer for all connections, as long as it is sent or kept before another writes to it.
 * Commands are written whole and as far as there is room: a large group goes out over several calls, so call
 * again when OUT was sent, even if nothing came. Replies are read whether there is room or not, so that both
 * sides can never wait for the other to read.
 *
 * Replies are matched by counting. What the peer says while nothing is asked of it, or says in a way that is
 * no SMTP, ends the session: CLOSE with a FAILURE whose code is 0. A session that ends early (lost, 421,
 * nonsense) settles all that is inside: a recipient refused before keeps its result; the others of the
 * transaction in hand get TEMP, those of transactions behind it AGAIN. If the session ends in place of a
 * reply to MAIL, and a transaction was made in it before, that one gets AGAIN too: the peer had enough of
 * this connection, not of this message (RFC 5321 3.8, C154). Whatever is made again and again: each
 * transaction that was not cut short settles at least one recipient.
 */
struct smtp_client;

enum {
    SMTP_CLIENT_DEPTH = 4,                     /* transactions inside: one in hand, others behind it */
    SMTP_CLIENT_TEXT_MAX = SMTP_PEER_TEXT_MAX, /* octets kept of a reply's text, lines joined by a blank */
    SMTP_CLIENT_PATH_MAX = 1000,               /* octets of a sender or address; longer is refused 5.1.3 */
    SMTP_CLIENT_OUT_MIN = 2048,                /* the least ceiling OUT may have: any one command fits */
    SMTP_CLIENT_AUTH_MAX = 9000,               /* octets of a SASL response: 12000 in base64 (RFC 4954 4) */
};

/* Where in the dialogue: of results, of failures, of what is waited for (the time-out that applies). */
enum smtp_stage {
    SMTP_STAGE_NONE,
    SMTP_STAGE_CONNECT, /* the owner's: never said by the machine */
    SMTP_STAGE_GREETING,
    SMTP_STAGE_EHLO, /* HELO and LHLO too */
    SMTP_STAGE_TLS,  /* STARTTLS, and the handshake behind it */
    SMTP_STAGE_AUTH,
    SMTP_STAGE_MAIL, /* the RSET before it too */
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
    SMTP_CLIENT_LMTP = 1 << 0,     /* LHLO; a reply for each recipient after the dot (C134) */
    SMTP_CLIENT_TLS_MAY = 1 << 1,  /* STARTTLS where it is offered; refused, the session goes on in clear */
    SMTP_CLIENT_TLS_MUST = 1 << 2, /* STARTTLS, or REFUSED */
    SMTP_CLIENT_TLS_ON = 1 << 3,   /* TLS stands since before the greeting (RFC 8314 3.3) */
    SMTP_CLIENT_AUTH = 1 << 4,     /* a log-in, or REFUSED; in clear there is none: TLS_MUST, if not TLS_ON */
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
    bool starttls;
    struct str auth;   /* mechanisms, as offered, parted by single blanks; empty: no AUTH */
    uint64_t size_max; /* 0: none said */
};

enum smtp_client_result_kind {
    SMTP_RESULT_NONE, /* not decided */
    SMTP_RESULT_OK,   /* delivered: 2yz to the dot */
    SMTP_RESULT_TEMP,
    SMTP_RESULT_PERM,
    SMTP_RESULT_AGAIN, /* this attempt says nothing about it: one recipient too many (C152), or not begun */
};

struct smtp_client_result {
    enum smtp_client_result_kind kind;
    enum smtp_stage stage;
    unsigned code;     /* of the peer; 0: no reply of a peer decided */
    struct str status; /* enhanced: the peer's, else by a fixed mapping of its code (RFC 3463), or ours; its
                          class is that of KIND (AGAIN: 4), whatever the peer wrote there */
    struct str text;   /* the peer's without codes, or ours ("connection reset"); may be empty */
    bool from_peer;    /* TEXT is the peer's words */
};

struct smtp_client_recipient {
    struct str address;               /* to stand between < and >: quoted as it must be (smtp_path_write) */
    struct smtp_client_result result; /* texts in the transaction's arena */
    bool asked;                       /* the machine's: RCPT is for this peer */
    bool accepted;                    /* the machine's: 2yz to RCPT */
};

/* The machine's: a command of a transaction. */
enum smtp_client_command {
    SMTP_CLIENT_COMMAND_RSET, /* only where the transaction before was left */
    SMTP_CLIENT_COMMAND_MAIL,
    SMTP_CLIENT_COMMAND_RCPT,
    SMTP_CLIENT_COMMAND_DATA,
    SMTP_CLIENT_COMMAND_DOT,
    SMTP_CLIENT_COMMAND_NONE, /* behind the dot */
};

struct smtp_client_place {
    enum smtp_client_command command;
    size_t recipient; /* of RCPT; of LMTP's replies to the dot */
};

/* Lives at least until DONE; its texts are borrowed. */
struct smtp_client_tx {
    struct arena *arena; /* the owner's; results are kept there (without memory: results without text) */
    struct str sender;   /* to stand between < and >; empty: null */
    struct smtp_client_recipient *recipients;
    size_t n_recipients; /* at least 1 */
    uint64_t size;       /* of the content as it will be sent, without stuffing: SIZE= (RFC 1870) */
    bool eight_bit;      /* content has octets above 127: wants BODY=8BITMIME (C095) */
    bool utf8;           /* not ASCII: wants SMTPUTF8 (C183); sender and addresses are looked at anyway */
    bool utf8_header;    /* of it: the header (X.6.9 rather than X.6.7) */
    bool probe;          /* MAIL and RCPT alone: OK is 2yz to RCPT, of stage RCPT; there is no content */
    bool begun;          /* set by the machine: the first octet of content was given out */
    bool in_doubt;       /* set by the machine: the dot was given out, and somebody has no reply to it */

    struct smtp_client_tx *next;      /* the rest is the machine's */
    struct smtp_client_place written; /* the next command to write */
    struct smtp_client_place read;    /* the command whose reply is next */
    size_t accepted;                  /* 2yz to RCPT */
    bool says_utf8;                   /* MAIL has SMTPUTF8 */
    bool mail_refused;
    bool ended; /* the dot may be written */
};

enum smtp_client_event_kind {
    SMTP_CLIENT_MORE,    /* wait: for octets of the peer, for room in OUT, or for transactions when idle */
    SMTP_CLIENT_TLS_REFUSED, /* to STARTTLS, for FAILURE's reason; with TLS_MAY, so it goes on in clear */
    SMTP_CLIENT_HANDSHAKE, /* begin it now; all of IN is used: what came before is none of TLS's (C098) */
    SMTP_CLIENT_LOGIN,     /* AUTH, with one of OCTETS */
    SMTP_CLIENT_CHALLENGE, /* OCTETS of SASL, without base64: respond */
    SMTP_CLIENT_LOGGED_IN, /* 235; whoever is not content with it gives up now */
    SMTP_CLIENT_READY,   /* EHLO is done: features are known; transactions go */
    SMTP_CLIENT_CONTENT, /* give content of TX now */
    SMTP_CLIENT_DONE,    /* TX is over: each recipient has a result */
    SMTP_CLIENT_REFUSED, /* up to READY it said no, or nonsense: FAILURE; close, try the next host */
    SMTP_CLIENT_CLOSE,   /* QUIT is answered, or the session is over, with FAILURE or without (kind NONE) */
};

/*
 * Before REFUSED and CLOSE all transactions inside come back by DONE. After REFUSED the owner may go on until
 * CLOSE: QUIT is in OUT where the peer waits for it (RFC 5321 3.1). CLOSE is said again at each further call.
 */
struct smtp_client_event {
    enum smtp_client_event_kind kind;
    struct smtp_client_tx *tx;
    struct smtp_client_result failure; /* TLS_REFUSED, REFUSED, CLOSE; texts die with the next call */
    struct str octets;                 /* LOGIN, CHALLENGE; likewise */
};

/* HOSTNAME: EHLO argument, borrowed. SESSION lives at least as long. NULL when memory is out. */
struct smtp_client *smtp_client_new(struct arena *session, struct str hostname, unsigned flags);
/* Ends it; its memory is SESSION's, transactions inside are the owner's, without results. Takes NULL. */
void smtp_client_done(struct smtp_client *c);

/* Go on. IN is all that was received and not used; *used of its octets are finished with after each call. */
void smtp_client_next(struct smtp_client *c, struct str in, size_t *used, struct buf *out,
                      struct smtp_client_event *ev);

/* The handshake that HANDSHAKE asked for is done. */
void smtp_client_secured(struct smtp_client *c);
/*
 * After LOGIN: AUTH. INITIAL, unless NULL, is the initial response; where it is too long for a command it goes behind
 * an empty challenge (RFC 4954 4). At most SMTP_CLIENT_AUTH_MAX octets. They are wiped here once they are in OUT.
 */
void smtp_client_auth(struct smtp_client *c, struct str mechanism, const struct str *initial);
/* After CHALLENGE. */
void smtp_client_auth_respond(struct smtp_client *c, struct str octets);
/* After LOGIN, CHALLENGE, LOGGED_IN: no log-in here. "*" where one is under way; then REFUSED, of stage AUTH. */
void smtp_client_auth_give_up(struct smtp_client *c, struct str status, struct str text);

/* Room for one more smtp_client_add(): fewer than DEPTH inside (until DONE is told), the session goes on. */
bool smtp_client_wants(const struct smtp_client *c);
/*
 * Make this transaction when those before it are made. What this peer cannot take has its results at once, or
 * at READY, and smtp_client_next() says DONE: PERM with code 0, stage MAIL or RCPT, and
 *
 *     5.3.4           larger than the peer's maximum (RFC 1870 6.2, C081)
 *     5.6.3           8-bit content, and no 8BITMIME (RFC 6152 3, C095)
 *     5.6.7, 5.6.9    no SMTPUTF8 (RFC 6531 3.2, C183)
 *     5.1.7, 5.1.3    sender, address: longer than SMTP_CLIENT_PATH_MAX, CR, LF or NUL in it, empty address
 *
 * An address is refused alone. When the session has ended meanwhile all get AGAIN.
 */
void smtp_client_add(struct smtp_client *c, struct smtp_client_tx *tx);

/*
 * Add PIECE of the content, dots stuffed (RFC 5321 4.5.2), to OUT. *taken octets of it were; fewer when OUT
 * is full: go on when OUT was sent. PIECE has only CRLF line ends. When the session ended after CONTENT was
 * said (a 421, or without memory), all is taken and dropped, and smtp_client_next() tells; that may be called
 * between pieces.
 */
void smtp_client_content(struct smtp_client *c, struct str piece, size_t *taken, struct buf *out);
/* The owner sent octets by itself (sendfile): only where no line begins with a dot. Says how they ended. */
void smtp_client_content_sent(struct smtp_client *c, bool ended_with_crlf);
/*
 * CRLF (if the content did not end in one) and the dot; behind it the next group, if one waits and the peer
 * pipelines. What OUT has no room for is written by smtp_client_next().
 */
void smtp_client_content_end(struct smtp_client *c, struct buf *out);
/* The owner cannot give the rest (its file cannot be read): CLOSE, without a dot; TEMP for those accepted. */
void smtp_client_content_failed(struct smtp_client *c, struct str text);

/* QUIT when what is inside is done; no more transactions are taken. */
void smtp_client_quit(struct smtp_client *c, struct buf *out);
/*
 * The connection is gone (TEXT: "connection reset", "timed out"); OUT is emptied, for it goes nowhere.
 * Transactions inside get TEMP 4.4.2 for what was in hand (C154: as 451; in_doubt when the dot was out),
 * AGAIN for what was not begun; then smtp_client_next() with empty IN gives DONE for each and CLOSE. Give
 * what was received to smtp_client_next() first.
 */
void smtp_client_lost(struct smtp_client *c, struct str text, struct buf *out);

/* What the machine waits for: which time-out applies; NONE when idle, and at the end. */
enum smtp_stage smtp_client_stage(const struct smtp_client *c);
/* No transaction inside: it may be given one, kept, or told to quit. */
bool smtp_client_idle(const struct smtp_client *c);
const struct smtp_client_features *smtp_client_features(const struct smtp_client *c);
/* Whole replies read so far: a peer that drips lines, or octets, makes no progress. */
size_t smtp_client_replies(const struct smtp_client *c);

#endif
