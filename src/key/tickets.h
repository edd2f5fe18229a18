/* key/tickets.h -- keys of session tickets, of one listener (RFC 5077 5.5, RFC 8446 4.6.1). */
#ifndef KEY_TICKETS_H
#define KEY_TICKETS_H

#include <stdint.h>

#include "core/err.h"
#include "core/str.h"

/* A new key twice a day, one more for tickets of the last half day. */
enum { KEY_TICKET = 80, KEY_TICKETS_KEPT = 2, KEY_TICKETS_MSEC = 12 * 3600 * 1000 };

struct key_tickets {
    uint32_t listener; /* its place in the configuration */
    unsigned char keys[KEY_TICKETS_KEPT * KEY_TICKET];
    size_t n;
};

/* A new one for what is sealed from now on; the oldest is wiped. False: no random numbers, and nothing
 * changed. */
MUST_USE bool key_tickets_turn(struct key_tickets *t, struct err *err);
struct str key_tickets_octets(const struct key_tickets *t);

#endif
