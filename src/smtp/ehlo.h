/* smtp/ehlo.h -- the reply to EHLO and its keywords (RFC 5321 4.1.1.1). Pure. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/str.h"

/* Add the multiline 250: our name, then one keyword a line. SIZE shows SIZE_MAX_OCTETS (RFC 1870 4). */
bool smtp_ehlo_write(struct buf *out, struct str hostname, uint64_t size_max_octets);

#endif
