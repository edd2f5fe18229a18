/* message/subject.h -- the Subject of a report, out of that of the message it is about (RFC 5322 3.6.5,
 * 2047). Pure. */
#ifndef MESSAGE_SUBJECT_H
#define MESSAGE_SUBJECT_H

#include "core/buf.h"
#include "core/str.h"

enum { MESSAGE_SUBJECT_KEPT = 200 }; /* octets of the former subject; what is longer ends in "..." */

/*
 * Add "Subject: PREFIX SUBJECT" with its line end, folded, all of it ASCII. SUBJECT is raw as it stood in a
 * header, unfolded: encoded words stay whole, UTF-8 becomes encoded words, other octets above 127 and
 * controls become '?'.
 */
void message_subject_write(struct buf *out, struct str prefix, struct str subject);

#endif
