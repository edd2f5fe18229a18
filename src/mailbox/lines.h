/* mailbox/lines.h -- from the line ends of mail to those of files here. */
#ifndef MAILBOX_LINES_H
#define MAILBOX_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/str.h"

/* Init: { 0 }. */
struct mailbox_lines {
    bool held; /* a CR stood last: what follows decides about it */
};

/*
 * IN with LF for each CRLF and every other octet as it is, into OUT, which has room for in.n + 1 octets. Returns how
 * many were written. Promise (tested): how content is split over calls changes nothing.
 */
size_t mailbox_lines_convert(struct mailbox_lines *l, struct str in, char *out);
/* The end of content: a CR held back is written. At most one octet. */
size_t mailbox_lines_end(struct mailbox_lines *l, char *out);

#endif
