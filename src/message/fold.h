/* message/fold.h -- words of others on lines of ours: folded, and never able to end a line or a field. Pure.
 */
#ifndef MESSAGE_FOLD_H
#define MESSAGE_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

/*
 * One line that is being written, and those it runs on to: of a header field (RFC 5322 2.2.3) or of text.
 * What its reader adds to OUT must stand in COLUMN too: message_fold_begin() does both.
 */
struct message_fold {
    struct buf *out;
    const char *indent; /* of further lines */
    size_t column;
    bool fresh; /* the line has nothing but its indent */
    bool ascii; /* octets above 127 become '?'; else only those that are no UTF-8 */
};

enum { MESSAGE_FOLD_WIDTH = 76, MESSAGE_FOLD_WORD_MAX = 400 };

/* START begins the line as it is: a field name with its colon, or the indent of text. */
void message_fold_begin(struct message_fold *f, const char *start);
/* The words of TEXT, each behind a blank or a line end. Blanks of all kinds are one; control octets become
 * '?'. */
void message_fold_add(struct message_fold *f, struct str text);
/* At most 1000 octets of it. */
void message_fold_printf(struct message_fold *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void message_fold_end(struct message_fold *f);

/* TEXT without line ends and control octets, blanks as they are, at most MAX octets. */
void message_plain_add(struct buf *out, struct str text, size_t max, bool ascii);

#endif
