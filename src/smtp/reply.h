/* smtp/reply.h -- every reply of the server, and the one writer of them (RFC 5321 4.2; 2034; 3463). Pure. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum smtp_reply_name {
    SMTP_REPLY_NONE,
#define X(name, code, status, words) SMTP_REPLY_##name,
#include "smtp/replies.def"
#undef X
    SMTP_REPLY_COUNT
};

enum { SMTP_REPLY_LINE_MAX = 512 }; /* with CRLF, RFC 5321 4.5.3.1.5 */

/* A reply: a row of replies.def, or one that somebody else decided (a verdict, an operator's text). */
struct smtp_reply {
    unsigned code;     /* 200 to 599 */
    struct str status; /* "5.1.1"; empty: none is written */
    struct str words;  /* LF between lines; {slots}, if it is written with slots */
};

/* What {slots} are filled with; values are written as they are, never looked at for slots. */
struct smtp_slots {
    struct str address;
    struct str id;
    struct str client;
    struct str hostname;
    struct str text;
    uint64_t number;
};

/* The row of NAME; not for SMTP_REPLY_NONE. */
struct smtp_reply smtp_reply_row(enum smtp_reply_name name);

/*
 * Add the reply to OUT in as many lines as it takes: each at most 512 octets with CRLF, the status repeated
 * on each. Control octets become '?', and so does what is not ASCII, unless UTF8 (that MAIL or VRFY said
 * SMTPUTF8, RFC 6531 3.7.4) and it is well-formed. Without SLOTS (NULL) the words are written as they stand,
 * braces too: so are words with octets of a peer. False when OUT is full.
 */
bool smtp_reply_write(struct buf *out, const struct smtp_reply *reply, const struct smtp_slots *slots,
                      bool utf8);

/*
 * True when CODE is 200 to 599 and STATUS is empty or class.subject.detail of that class, in one to three
 * digits without leading zero (RFC 3463 2): what an operator or a lesser process may have us say.
 */
bool smtp_reply_is_sane(const struct smtp_reply *reply);

#endif
