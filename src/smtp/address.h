/* smtp/address.h -- paths, mailboxes and domains (RFC 5321 4.1.2, 4.1.3; 6531 3.3). Pure. */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum {
    SMTP_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
    SMTP_LABEL_MAX = 63,   /* RFC 1035 2.3.4 */
    /*
     * With brackets, RFC 5321 4.5.3.1.3. It bounds the local part too: every one of 64 octets is taken, and
     * longer ones (VERP, SRS) as far as the path allows.
     */
    SMTP_PATH_MAX = 256,
};

enum smtp_path_flag {
    SMTP_PATH_NULL = 1 << 0,       /* <>, the null reverse-path; local and domain are empty */
    SMTP_PATH_POSTMASTER = 1 << 1, /* <Postmaster> without a domain; domain is empty */
    SMTP_PATH_LITERAL = 1 << 2,    /* the domain is an address literal */
    SMTP_PATH_ROUTED = 1 << 3,     /* a source route was there and is forgotten */
    SMTP_PATH_UTF8 = 1 << 4,       /* non-ASCII in the local part or in the domain as given: wants SMTPUTF8 */
};

/*
 * An address. LOCAL has the octets meant: quoting undone, case kept; it may be empty ("" @ domain).
 * DOMAIN is canonical: lower-case A-labels, or "[192.0.2.1]" or "[IPv6:2001:db8::1]" as inet_ntop writes it.
 */
struct smtp_path {
    struct str local;
    struct str domain;
    unsigned flags; /* enum smtp_path_flag */
};

enum smtp_path_kind {
    SMTP_PATH_REVERSE, /* of MAIL: also <> */
    SMTP_PATH_FORWARD, /* of RCPT: also <Postmaster> */
};

/* The directive path-syntax. */
enum smtp_path_syntax {
    SMTP_PATH_STRICT,
    SMTP_PATH_LENIENT, /* also without brackets; the caller takes blanks before it */
};

enum smtp_path_result {
    SMTP_PATH_OK,
    SMTP_PATH_BAD,        /* not a path */
    SMTP_PATH_BAD_LOCAL,  /* nor is its local part one */
    SMTP_PATH_BAD_DOMAIN, /* nor its domain, or its address literal */
    SMTP_PATH_NO_DOMAIN,  /* a local part alone */
    SMTP_PATH_TOO_LONG,   /* above SMTP_PATH_MAX, or its domain above SMTP_DOMAIN_MAX */
    SMTP_PATH_NO_MEMORY,
};

/*
 * Read the path at the front of IN, up to its '>' or (without brackets) to a blank or the end. *used is what
 * was read. *path lives in ARENA. On failure *path and *used are untouched.
 */
MUST_USE enum smtp_path_result smtp_path_parse(struct arena *arena, struct str in, enum smtp_path_kind kind,
                                               enum smtp_path_syntax syntax, struct smtp_path *path,
                                               size_t *used);

/* The same for clients of this machine, whose bare names get ORIGIN, a canonical domain (empty: none do). */
MUST_USE enum smtp_path_result smtp_path_parse_local(struct arena *arena, struct str in, enum smtp_path_kind kind,
                                                     enum smtp_path_syntax syntax, struct str origin,
                                                     struct smtp_path *path, size_t *used);

/* All of IN as local-part@domain, no brackets: addresses of VRFY, of configuration and tables. */
MUST_USE enum smtp_path_result smtp_mailbox_parse(struct arena *arena, struct str in, struct smtp_path *path);

/*
 * All of IN as a domain name or an address literal, made canonical into *out (in ARENA); U-labels become
 * A-labels. *flags gets SMTP_PATH_LITERAL and SMTP_PATH_UTF8.
 */
MUST_USE enum smtp_path_result smtp_domain_parse(struct arena *arena, struct str in, struct str *out,
                                                 unsigned *flags);

/* Letters, digits, hyphens and dots in the places RFC 1035 2.3.1 allows; at most SMTP_DOMAIN_MAX. */
bool smtp_domain_is_ldh(struct str domain);
/* "[192.0.2.1]" or "[IPv6:...]". */
bool smtp_literal_is_address(struct str literal);

/*
 * Add the path in its least-quoted form without brackets (RFC 5321 4.1.2): user@domain, Postmaster, or
 * nothing for the null reverse-path. False when BUF is full.
 */
bool smtp_path_write(struct buf *out, const struct smtp_path *path);
/* Only the local part, quoted where it must be. */
bool smtp_local_write(struct buf *out, struct str local);

#endif
