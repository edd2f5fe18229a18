/* smtp/argument.h -- EHLO names, parameters of MAIL and RCPT (RFC 5321 4.1.1; 1870, 4865, 4954, 6152, 6531). Pure. */
#ifndef SMTP_ARGUMENT_H
#define SMTP_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"
#include "smtp/reply.h"

/* The directive ehlo-check: which arguments of EHLO and HELO are refused. */
enum smtp_ehlo_check {
    SMTP_EHLO_OFF,    /* only those of more than 255 octets */
    SMTP_EHLO_SYNTAX, /* and what is neither domain nor address literal */
    SMTP_EHLO_FQDN,   /* and domains without a dot */
};

bool smtp_ehlo_argument_ok(struct str argument, enum smtp_ehlo_check check);

enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* Parameters of MAIL. SIZE of more than 64 bits is UINT64_MAX. */
struct smtp_mail_params {
    bool has_size;
    bool smtputf8;
    enum smtp_body body;
    uint64_t size; /* octets the client announces; a guess, never a length */
    bool has_auth;
    struct str auth; /* of AUTH=, xtext undone (RFC 4954 5); empty: <> */
    bool has_hold;   /* HOLDFOR or HOLDUNTIL (RFC 4865) */
    uint64_t hold_for_sec;     /* 0: HOLDUNTIL said */
    int64_t hold_until_msec;   /* UTC; 0: HOLDFOR said */
};

/* Which parameters this client may use beside those that all may. */
struct smtp_mail_terms {
    bool auth;             /* AUTH= is known: the extension is offered (RFC 4954 5) */
    bool keeps_auth;       /* and what it says is believed; else it is checked, and taken as AUTH=<> (C117) */
    uint64_t hold_max_sec; /* longest wait of FUTURERELEASE; 0: not offered */
    int64_t now_msec;      /* UTC, for HOLDUNTIL */
};

/*
 * IN is what follows the path. SMTP_REPLY_NONE when all is well, else the row to refuse with (501 or 555; 452 without
 * memory), and *bad the parameter at fault; *params is untouched then. What is kept of AUTH= lives in ARENA.
 */
MUST_USE enum smtp_reply_name smtp_mail_params_parse(struct arena *arena, struct str in,
                                                     const struct smtp_mail_terms *terms,
                                                     struct smtp_mail_params *params, struct str *bad);
/* RCPT has none yet: each is refused (RFC 5321 4.1.1.11). */
MUST_USE enum smtp_reply_name smtp_rcpt_params_parse(struct str in, struct str *bad);

#endif
