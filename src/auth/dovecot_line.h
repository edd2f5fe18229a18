/* auth/dovecot_line.h -- lines of Dovecot's authentication protocol, as its server says them (version 1.1 and up). Pure. */
#ifndef AUTH_DOVECOT_LINE_H
#define AUTH_DOVECOT_LINE_H

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum { DOVECOT_LINE_MAX = 16 * 1024, DOVECOT_MAJOR = 1 };

enum dovecot_kind {
    DOVECOT_VERSION, /* NUMBER is the major one */
    DOVECOT_MECH,    /* MECHANISM, upper case as Dovecot says it */
    DOVECOT_DONE,    /* of the greeting */
    DOVECOT_OK,      /* NUMBER is the question's, USER who it is */
    DOVECOT_FAIL,    /* NUMBER; LATER or why */
    DOVECOT_CONT,    /* NUMBER: wants to go on, which PLAIN never does */
    DOVECOT_OTHER,   /* nothing to us */
    DOVECOT_NONSENSE,
};

struct dovecot_line {
    enum dovecot_kind kind;
    uint32_t number;
    struct str mechanism;
    struct str user;  /* empty: it did not say */
    bool later;       /* Dovecot cannot say now */
    bool locked;      /* the password may be right, the account is not to be used */
};

/* LINE without its line end; *out borrows from it. */
void dovecot_line_read(struct str line, struct dovecot_line *out);

/*
 * AUTH for USER and PASSWORD by PLAIN (RFC 4616), within TLS, of a client at the address CLIENT (text; empty: none).
 * False: OUT is full, or has a part of it. OUT holds a password afterwards.
 */
MUST_USE bool dovecot_line_ask(struct buf *out, uint32_t number, struct str user, struct str password,
                               struct str client);

#endif
