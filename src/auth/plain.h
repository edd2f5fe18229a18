/* auth/plain.h -- messages of PLAIN, LOGIN and SCRAM, before the library looks at them (RFC 4616 2, 5802 7). Pure. */
#ifndef AUTH_PLAIN_H
#define AUTH_PLAIN_H

#include <stdbool.h>

#include "core/str.h"

enum { AUTH_PLAIN_PART_MAX = 255 };

/* [authzid] NUL authcid NUL password: UTF-8, exactly two NULs, at most 255 octets each, the last two not empty (C119). */
bool auth_plain_is_sane(struct str message);
/* A name or password of LOGIN, an authzid of EXTERNAL. */
bool auth_part_is_sane(struct str part);
/* UTF-8 without NUL. */
bool auth_scram_is_sane(struct str message);

#endif
