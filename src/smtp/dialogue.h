/* smtp/dialogue.h -- the inside of the server's machine; for smtp/server*.c alone. Pure. */
#ifndef SMTP_DIALOGUE_H
#define SMTP_DIALOGUE_H

#include "smtp/server.h"

enum smtp_phase {
    SMTP_PHASE_COMMANDS,
    SMTP_PHASE_CONTENT,   /* between 354 and the final dot */
    SMTP_PHASE_AUTH,      /* between 334 and the answer to it */
    SMTP_PHASE_HANDSHAKE, /* between the 220 to STARTTLS and smtp_server_tls_started() */
    SMTP_PHASE_REFUSED,   /* greeted with 554 or 521 */
    SMTP_PHASE_CLOSING,   /* nothing is read or said any more */
};

/* Events that are owed, given out in this order before anything else is read. */
enum smtp_due {
    SMTP_DUE_REFUSED = 1 << 0,
    SMTP_DUE_RESET = 1 << 1,
    SMTP_DUE_AUTH_ENDED = 1 << 2,
    SMTP_DUE_STARTTLS = 1 << 3,
    SMTP_DUE_DELAY = 1 << 4,
    SMTP_DUE_FLUSH = 1 << 5,
};

/* What is said to STARTTLS. */
enum smtp_tls_offer { SMTP_TLS_UNKNOWN, SMTP_TLS_OFFERED, SMTP_TLS_NOT_NOW };

struct smtp_server {
    const struct smtp_server_config *config;
    enum smtp_phase phase;
    enum smtp_event_kind asked; /* the open question; SMTP_EVENT_MORE: none */
    enum smtp_reply_name closing;
    unsigned due;              /* enum smtp_due */
    struct smtp_event refused; /* what REFUSED will say */

    struct buf client_name;
    bool greeted;        /* by an accepted EHLO or HELO */
    bool extended;       /* and it was EHLO */
    bool reply_utf8;     /* this VRFY said SMTPUTF8 */
    bool rcpt_tried;     /* in this transaction */
    enum smtp_verb verb; /* of the command in hand */

    struct smtp_transaction *transaction; /* from MAIL on; not open before the owner's 2yz */
    struct smtp_transaction *ended;       /* readable until the next call */
    struct arena *question;               /* memory of PATH */
    struct smtp_path path;                /* of RCPT or VRFY */

    enum smtp_tls_offer tls_offer;
    struct smtp_server_tls tls;
    struct str mechanisms; /* offered, by blanks */
    bool auth_waived;
    bool authenticated;
    bool secret;          /* what the last call used may be a password */
    unsigned auth_errors; /* 5yz to AUTH; the first are forgiven */
    struct str mechanism; /* of the exchange in hand, a word of mechanisms */
    bool has_initial;
    struct buf response;              /* octets of SASL of the open question; wiped with it */
    enum smtp_reply_name auth_ending; /* what AUTH_ENDED will say */
    int64_t now_msec;                 /* UTC; 0: not told */

    struct smtp_scanner scanner;
    struct smtp_content content;
    uint32_t errors;
    uint32_t messages;
};

/* Add the row NAME to OUT, and nothing else. SLOTS may be NULL; address and hostname are filled in. */
void smtp_dialogue_write(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                         struct buf *out);
/*
 * Add a reply to the command in hand, or the 421 of too many errors in its place: returns the code said, and
 * in *name its row. SLOTS of NULL: the words are somebody else's.
 */
unsigned smtp_dialogue_reply(struct smtp_server *s, struct smtp_reply reply, enum smtp_reply_name *name,
                             const struct smtp_slots *slots, struct buf *out);
/* Add the row NAME to OUT as the reply to the command in hand; closes behind a 421. */
void smtp_dialogue_say(struct smtp_server *s, enum smtp_reply_name name, const struct smtp_slots *slots,
                       struct buf *out);
/* The same for a 4yz or 5yz that the owner shall hear of. */
void smtp_dialogue_refuse(struct smtp_server *s, const struct smtp_command *cmd, enum smtp_reply_name name,
                          const struct smtp_slots *slots, struct buf *out);
/* Hand the question KIND to the owner. */
void smtp_dialogue_ask(struct smtp_server *s, enum smtp_event_kind kind);
/* A fresh arena for the next question; false (and 452 said) without memory. */
bool smtp_dialogue_prepare(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
/* The transaction, if there is one, ends with a RESET. */
void smtp_dialogue_reset(struct smtp_server *s);
/* NAME was the last word: RESET if need be, then CLOSE. */
void smtp_dialogue_close(struct smtp_server *s, enum smtp_reply_name name);
/* It was never shown to the owner: it ends at once. */
void smtp_dialogue_drop_transaction(struct smtp_server *s);

/* server_command.c: what a line is answered with, or which of the commands below it is. */
void smtp_dialogue_command(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
/* EHLO and HELP tell of it. */
bool smtp_dialogue_offers(const struct smtp_server *s, enum smtp_verb verb);
/* The verb is one of this listener's, in some state of the session: it does not get 502. */
bool smtp_dialogue_serves(const struct smtp_server *s, enum smtp_verb verb);
/* FUTURERELEASE is offered: the longest wait in seconds; 0: it is not. */
uint64_t smtp_dialogue_hold_max(const struct smtp_server *s);
/* The domain that completes bare names; empty: none does. */
struct str smtp_dialogue_origin(const struct smtp_server *s);

/*
 * The commands: server_mail.c, server_data.c, server_verbs.c, server_tls.c, server_auth.c; what is above: server.c,
 * server_reply.c.
 */
void smtp_dialogue_mail(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_rcpt(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_data(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_hello(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_vrfy(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_help(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);

void smtp_dialogue_starttls(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_auth(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);

/* The next answer to a challenge, off IN. True when *ev is filled. */
bool smtp_dialogue_response(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                            struct smtp_event *ev);
/* The exchange is over, whatever came of it: the response is wiped. */
void smtp_dialogue_auth_over(struct smtp_server *s);

/* Content: the owner said 354; then piece by piece until it is over. True when *ev is filled. */
void smtp_dialogue_begin_content(struct smtp_server *s);
bool smtp_dialogue_content(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                           struct smtp_event *ev);

#endif
