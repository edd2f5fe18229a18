/* core/base64.h -- octets as text, and back (RFC 4648 4). Pure. */
#ifndef CORE_BASE64_H
#define CORE_BASE64_H

#include "core/buf.h"

/* Appends all of OCTETS with its padding; false when OUT is full. */
bool base64_add(struct buf *out, struct str octets);
/* Appends what TEXT says. False, and OUT may have a part of it: it is no base64, or OUT is full. */
MUST_USE bool base64_read(struct buf *out, struct str text);

#endif
