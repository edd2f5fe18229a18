/* smtp/stuff.h -- content on its way out: dots doubled, the end written (RFC 5321 4.5.2, 4.1.1.4). Pure. */
#ifndef SMTP_STUFF_H
#define SMTP_STUFF_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/str.h"

/*
 * Line ends are CRLF already when content comes here; they are not looked at a second time, only the dot
 * behind LF is. Init by SMTP_STUFFER: nothing was written, which is the start of a line.
 */
struct smtp_stuffer {
    char before, last; /* the last two octets */
    bool doubled;      /* the first of two dots is written, the dot itself not */
};

#define SMTP_STUFFER ((struct smtp_stuffer){ .before = '\r', .last = '\n' })

enum { SMTP_STUFF_END_MAX = 5 }; /* octets that smtp_stuff_end() adds at most */

/*
 * Add PIECE to OUT, as much of it as there is room for: *taken octets. False when memory is out: then what
 * was added and *taken still agree. Promise: how content is cut into pieces, and OUT emptied between them,
 * changes nothing.
 */
MUST_USE bool smtp_stuff(struct smtp_stuffer *s, struct str piece, size_t *taken, struct buf *out);
/* Octets of content went past us, with no dot to double; the last two were CRLF, or not. */
void smtp_stuff_passed(struct smtp_stuffer *s, bool ended_with_crlf);
/* CRLF unless the content ended in one, and the dot. False when OUT has no room for it: nothing was added. */
MUST_USE bool smtp_stuff_end(const struct smtp_stuffer *s, struct buf *out);

#endif
