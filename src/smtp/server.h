/* smtp/server.h -- the server's side of the dialogue as a state machine (RFC 5321 3, 4; 2920). Pure. */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"
#include "smtp/address.h"
#include "smtp/argument.h"
#include "smtp/command.h"
#include "smtp/content.h"
#include "smtp/reply.h"

/*
 * One session. The owner feeds octets and is told, one event at a time, what to do; replies are added to a
 * buffer of the owner's. No clock, no descriptor, no id is made here.
 *
 *     smtp_server_greet(s, out)                  once; or smtp_server_refuse, smtp_server_goodbye
 *     loop: smtp_server_next(s, in, &used, out, &ev)
 *           do what ev.kind says, then drop the first `used` octets of in
 *
 * OUT may be one buffer for all sessions, as long as it is sent (or kept) before another session writes to
 * it. All of OUT is to be sent at MORE, FLUSH, CLOSE and at an ASK that cannot be answered at once (RFC
 * 2920 3.2 wants replies out as soon as the input is empty), at DELAY after the wait; otherwise it may gather
 * more.
 */
struct smtp_server;

/* Borrowed for the life of the session; a reload makes a new one. Zero is no default: fill all. */
struct smtp_server_config {
    struct str hostname;
    uint64_t max_message_size;
    uint64_t max_line_length; /* of content */
    uint32_t max_recipients;  /* accepted in a transaction, then 452 4.5.3 */
    uint32_t max_messages;    /* in a session, then 421 4.7.0 */
    uint32_t max_errors;      /* 5yz replies in a session; the one above becomes 421 4.7.0 */
    enum smtp_newlines bare_newlines;
    enum smtp_ehlo_check ehlo_check;
    enum smtp_path_syntax path_syntax;
    bool vrfy; /* off: 252 to all */
    /* For clients of this machine: what completes their bare names; EHLO tells it as XORIGIN. Empty: nothing does. */
    struct str origin;
    /*
     * For submission: domain of addresses without one, not shown; others must have a dot in theirs, or get 554 (RFC 6409
     * 4.2, C124). Empty: nothing completes, and nothing is asked.
     */
    struct str completes;
    /* 530 to all but NOOP, EHLO, HELO, STARTTLS, QUIT before it (RFC 3207 4, C099); to AUTH 538 as ever. */
    bool require_tls;
    bool require_auth; /* 530 to MAIL, RCPT, DATA, VRFY before it (RFC 4954 6, C116) */
    uint64_t future_release_sec; /* longest HOLDFOR; 0: FUTURERELEASE is not offered (RFC 4865) */
    bool takes_auth_param;       /* AUTH= of MAIL is kept (a client trusted for it), else as AUTH=<> (C117) */
};

/* What TLS the session has. */
struct smtp_server_tls {
    bool on;
    struct str version; /* "TLSv1.3" */
    struct str cipher;  /* as registered: "TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_…" (for Received, RFC 8314 4.3) */
};

/* From MAIL to what ends it. Lives in ARENA, with all that the owner puts there; dropped as one. */
struct smtp_transaction {
    struct arena *arena;
    struct smtp_path sender;
    struct smtp_mail_params params;
    uint32_t recipients; /* accepted so far */
};

enum smtp_event_kind {
    SMTP_EVENT_MORE,  /* all complete commands are answered: send OUT, read on */
    SMTP_EVENT_FLUSH, /* send OUT, then call again: it is filling up, or holds a reply that must not wait */
    SMTP_EVENT_DELAY, /* wait error-delay, send OUT, then call again (after a quarter of max_errors) */

    /* Questions: smtp_server_answer() before the next call. */
    SMTP_EVENT_ASK_MAIL, /* a sender (transaction->sender, ->params); 2yz opens the transaction: MAIL_OK */
    SMTP_EVENT_ASK_RCPT, /* ev.path; 2yz adds it: RCPT_OK */
    SMTP_EVENT_ASK_VRFY, /* ev.path; never POSTMASTER or NULL */
    SMTP_EVENT_ASK_DATA, /* be ready for content; DATA_GO, or a refusal, after which the transaction stays */
    SMTP_EVENT_ASK_COMMIT, /* content is whole and good (ev.facts); QUEUED or a refusal end the transaction */
    /*
     * AUTH (RFC 4954), offered by smtp_server_offer_auth(). The first has ev.mechanism and, if has_initial, ev.response;
     * those after a challenge ev.response. Base64 is undone; the octets are wiped by the answer.
     * Answer: smtp_server_challenge(), smtp_server_authenticated(), or a row (AUTH_FAILED 535, AUTH_UNAVAILABLE 454,
     * AUTH_LIMITED 454, AUTH_WRONG 501, AUTH_NO_INITIAL 501), which ends the exchange.
     */
    SMTP_EVENT_ASK_AUTH,
    SMTP_EVENT_ASK_AUTH_STEP,
    /* For the owner to forget the exchange, and for the log: the machine answered "*", bad base64, too long a line with
     * ev.reply. No REFUSED follows. */
    SMTP_EVENT_AUTH_ENDED,
    /*
     * 220 is in OUT: send it, drop whatever input is left (*used is all of IN; RFC 3207 6, C098), shake hands; then
     * smtp_server_tls_started(), or close. The transaction is gone.
     */
    SMTP_EVENT_STARTTLS,

    SMTP_EVENT_CONTENT, /* ev.span, decoded */
    SMTP_EVENT_REFUSED, /* for the log: the machine itself answered ev.verb with the 4yz or 5yz ev.reply */
    SMTP_EVENT_RESET,   /* the transaction ends without a message; it is gone at the next call */
    SMTP_EVENT_CLOSE,   /* send OUT, close; ev.reply says why (QUIT, goodbye's row; NONE: answer_with's) */
};

/* What does not belong to KIND is empty. Views borrow from the octets given; good until those move. */
struct smtp_event {
    enum smtp_event_kind kind;
    struct str span;                        /* CONTENT */
    const struct smtp_path *path;           /* ASK_RCPT, ASK_VRFY till the answer; REFUSED if one was read */
    const struct smtp_content_facts *facts; /* ASK_COMMIT; REFUSED of content */
    enum smtp_reply_name reply;             /* REFUSED, AUTH_ENDED, CLOSE */

    /* REFUSED: */
    enum smtp_verb verb;     /* the command; UNKNOWN when it is none, DATA at the end of data */
    bool at_end_of_data;     /* it answers the final dot */
    struct str argument;     /* of the command, as sent; never of AUTH or what answers a challenge */
    struct smtp_slots slots; /* what the words of the reply were filled with */

    /* ASK_AUTH, ASK_AUTH_STEP: */
    struct str mechanism; /* upper case, one that was offered */
    bool has_initial;
    struct str response; /* octets of SASL */
};

enum { SMTP_SERVER_OUT_MIN = 16 * 1024 }; /* the least ceiling OUT may have */

/* SESSION lives at least as long as the machine. NULL when memory is out. */
struct smtp_server *smtp_server_new(struct arena *session, const struct smtp_server_config *config);
/* Ends the transaction and what the machine holds; takes NULL. SESSION is the caller's. */
void smtp_server_done(struct smtp_server *s);

/*
 * STARTTLS is offered from now on, or not any more: then it gets 454. Before: 502, unknown to this listener. Not heard
 * once TLS is on (503, RFC 3207 4.2).
 */
void smtp_server_offer_tls(struct smtp_server *s, bool can);
/*
 * MECHANISMS, upper case, by blanks, borrowed until the next call: what EHLO offers and AUTH takes once TLS is on; before,
 * AUTH gets 538 and is not offered (C115). Empty: AUTH is not offered, and gets 502.
 */
void smtp_server_offer_auth(struct smtp_server *s, struct str mechanisms);
/*
 * The handshake is done (after STARTTLS, or before the greeting on an implicit listener; TLS borrowed for the
 * session): the session is new, it needs EHLO again, and everything learnt in clear is forgotten (RFC 3207 4.2, C097).
 */
void smtp_server_tls_started(struct smtp_server *s, const struct smtp_server_tls *tls);
/* This session needs no AUTH (a client of relay-from in the same block, FACE: require). */
void smtp_server_waive_auth(struct smtp_server *s);
/* The answers to ASK_AUTH and ASK_AUTH_STEP that are no rows. OCTETS of SASL go out as 334 and base64. */
void smtp_server_challenge(struct smtp_server *s, struct str octets, struct buf *out);
/* 235; from here on the session belongs to somebody. */
void smtp_server_authenticated(struct smtp_server *s, struct buf *out);
bool smtp_server_is_authenticated(const struct smtp_server *s);
/*
 * What the last smtp_server_next() used of its input may hold a password (AUTH, an answer to a challenge), and so may
 * what is to come while a challenge is open: the owner wipes those octets and shows them to nobody.
 */
bool smtp_server_in_secret(const struct smtp_server *s);
/* What time it is, UTC: FUTURERELEASE is offered once it was told, and reads HOLDUNTIL by it. Tell before each call. */
void smtp_server_tell_time(struct smtp_server *s, int64_t utc_msec);

/* 220. */
void smtp_server_greet(struct smtp_server *s, struct buf *out);
/*
 * Greets with NAME instead (GREETING_REFUSED, GREETING_NEVER): then 503 to all but QUIT, which the client may
 * take its time for (RFC 5321 3.1). For "try again" goodbye with a 421 is right.
 */
void smtp_server_refuse(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                        struct buf *out);

/*
 * Go on. IN is all that was received and not yet used; *used of its octets are finished with after each call,
 * whatever the event. Not while a question is open.
 */
void smtp_server_next(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                      struct smtp_event *ev);

/* Answer the open question with a row. Unset slots address and hostname are filled by the machine. */
void smtp_server_answer(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                        struct buf *out);
/*
 * Answer with somebody else's reply. Without SLOTS (NULL) its words are said as they stand. One that is not
 * smtp_reply_is_sane(), or cannot answer the question (2yz to ASK_DATA, 354 elsewhere), becomes
 * SYSTEM_FAILED.
 */
void smtp_server_answer_with(struct smtp_server *s, const struct smtp_reply *reply,
                             const struct smtp_slots *slots, struct buf *out);

/*
 * Say NAME, a 421, at any time, also while a question is open (then no answer follows): time-outs, shutdown.
 * The transaction is gone when this returns; the next event is CLOSE, and input is no longer looked at.
 */
void smtp_server_goodbye(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                         struct buf *out);

/* NULL outside of one; in RESET, and after an answer that ends one until the next call, that one. */
const struct smtp_transaction *smtp_server_transaction(const struct smtp_server *s);
/* The argument of the last EHLO or HELO, empty before; changed by the next. */
struct str smtp_server_client_name(const struct smtp_server *s);
/* ESMTPSA, UTF8SMTPS, …: for Received (RFC 3848, 6531 4.3; C066), of the transaction if there is one. */
struct str smtp_server_protocol(const struct smtp_server *s);
/* In content: between 354 and the final dot. What time-out applies is the owner's to know. */
bool smtp_server_in_content(const struct smtp_server *s);
/* In a line that is too long, whose octets are let go: they get the client nowhere. */
bool smtp_server_in_long_line(const struct smtp_server *s);
/* Sums for the log. */
uint32_t smtp_server_errors(const struct smtp_server *s);
uint32_t smtp_server_messages(const struct smtp_server *s);

#endif
