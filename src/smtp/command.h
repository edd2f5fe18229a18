/* smtp/command.h -- cut the client's octets into SMTP commands (RFC 5321 2.3.8, 4.1.1, 4.5.3.1.4). Pure. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bug.h"
#include "core/str.h"

enum smtp_verb {
    SMTP_VERB_UNKNOWN,
#define X(name, argument, built, syntax) SMTP_VERB_##name,
#include "smtp/verbs.def"
#undef X
    SMTP_VERB_COUNT
};

enum smtp_verb_argument { SMTP_VERB_ARGUMENT_NONE, SMTP_VERB_ARGUMENT_WANTED, SMTP_VERB_ARGUMENT_FREE };

/* A row of verbs.def; that of SMTP_VERB_UNKNOWN has the name "?". */
struct smtp_verb_row {
    struct str name;
    enum smtp_verb_argument argument;
    bool built;
    struct str syntax;
};

const struct smtp_verb_row *smtp_verb_row(enum smtp_verb verb);
/* In any letter case (RFC 5321 2.4). */
enum smtp_verb smtp_verb_find(struct str word);

enum {
    SMTP_LINE_MAX = 512, /* with CRLF, RFC 5321 4.5.3.1.4 */
    /* Extensions add to MAIL: SIZE 26 (RFC 1870 3), BODY 17, SMTPUTF8 10 (RFC 6531 3.1), AUTH 500 (RFC 4954 3),
     * FUTURERELEASE 34 (RFC 4865 3). */
    SMTP_MAIL_LINE_MAX = SMTP_LINE_MAX + 26 + 17 + 10 + 500 + 34,
    /* AUTH, whose initial response may be what no other line is (OAuth), and answers to challenges (RFC 4954 4). */
    SMTP_AUTH_LINE_MAX = 12288 + 2,
    /* What is read of one line before the client is given up. */
    SMTP_LINE_FLOOD = 64 * 1024,
};

/* Where a line is, over calls. Init: { 0 }. */
struct smtp_scanner {
    size_t seen;    /* octets at the front of what is given that hold no CRLF */
    size_t dropped; /* octets of an over-long line already let go */
    bool cr;        /* the last of those was CR */
    bool auth;      /* and it began with AUTH */
};

/* A command; every view borrows from the octets given. */
struct smtp_command {
    enum smtp_verb verb;
    struct str word;     /* the verb as it was typed */
    struct str argument; /* what follows its blanks, without blanks at the end */
};

enum smtp_scan {
    SMTP_SCAN_MORE,     /* no whole line yet */
    SMTP_SCAN_COMMAND,  /* *cmd is one */
    SMTP_SCAN_TOO_LONG, /* a line over its limit is over: 500, and the session goes on; cmd->verb may be AUTH */
    SMTP_SCAN_BAD,      /* a line with a bare CR, a bare LF or a NUL in it: 500 */
    SMTP_SCAN_FLOOD,    /* more than SMTP_LINE_FLOOD octets without CRLF: 421 and close */
};

/*
 * Cut at most one command off the front of IN. The first *used octets are finished with; what follows them
 * must be at the front of IN in the next call. *cmd borrows from IN and dies when those octets move.
 * Only CRLF ends a line. Reads nothing outside IN.
 * Promise (tested, fuzzed): how IN is split over calls changes nothing but SMTP_SCAN_MORE.
 */
MUST_USE enum smtp_scan smtp_scan_command(struct smtp_scanner *sc, struct str in, struct smtp_command *cmd,
                                          size_t *used);
/* The same for a line that answers a challenge: SMTP_SCAN_COMMAND says that *line is one, without its CRLF. */
MUST_USE enum smtp_scan smtp_scan_response(struct smtp_scanner *sc, struct str in, struct str *line, size_t *used);

#endif
