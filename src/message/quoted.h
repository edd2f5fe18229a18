/* message/quoted.h -- quoted-printable, for content that a report must not hold as it is (RFC 2045 6.7).
 * Pure. */
#ifndef MESSAGE_QUOTED_H
#define MESSAGE_QUOTED_H

#include "core/buf.h"
#include "core/str.h"

/*
 * Add IN in quoted-printable: CRLF stays a line end, every other octet can be had back, no line is above 76.
 * OUT holds whole lines but for a last one that has no CRLF in IN.
 */
void message_quoted_add(struct buf *out, struct str in);

#endif
