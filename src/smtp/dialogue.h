/* smtp/dialogue.h -- the inside of the server's machine; for smtp/server*.c alone. Pure. */
#ifndef SMTP_DIALOGUE_H
#define SMTP_DIALOGUE_H

#include "smtp/server.h"

enum smtp_phase {
    SMTP_PHASE_COMMANDS,
    SMTP_PHASE_CONTENT, /* between 354 and the final dot */
    SMTP_PHASE_REFUSED, /* greeted with 554 or 521 */
    SMTP_PHASE_CLOSING, /* nothing is read or said any more */
};

/* Events that are owed, given out in this order before anything else is read. */
enum smtp_due {
    SMTP_DUE_REFUSED = 1 << 0,
    SMTP_DUE_RESET = 1 << 1,
    SMTP_DUE_DELAY = 1 << 2,
    SMTP_DUE_FLUSH = 1 << 3,
};

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

/* The commands: server_mail.c, server_data.c, server_verbs.c; what is above: server.c, server_reply.c. */
void smtp_dialogue_mail(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_rcpt(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_data(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_hello(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_vrfy(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);
void smtp_dialogue_help(struct smtp_server *s, const struct smtp_command *cmd, struct buf *out);

/* Content: the owner said 354; then piece by piece until it is over. True when *ev is filled. */
void smtp_dialogue_begin_content(struct smtp_server *s);
bool smtp_dialogue_content(struct smtp_server *s, struct str in, size_t *used, struct buf *out,
                           struct smtp_event *ev);

#endif
