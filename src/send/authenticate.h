/* send/authenticate.h -- the route's log-in in the course of a dialogue, inside verified TLS and nowhere else. */
#ifndef SEND_AUTHENTICATE_H
#define SEND_AUTHENTICATE_H

#include "send/connection.h"

/* LOGIN, CHALLENGE and LOGGED_IN of the dialogue. What cannot be gives the log-in up. */
void authenticate_begin(struct connection *c, struct str offered);
void authenticate_step(struct connection *c, struct str challenge);
void authenticate_check(struct connection *c);
/* What is left of it is wiped. */
void authenticate_done(struct connection *c);

/* No log-in with TEXT of the peer in a record, if our secret is in it: then other words. */
struct str authenticate_words(const struct connection *c, struct str text);
/* What watchers may see of lines said while a log-in is under way. */
void authenticate_mask(const struct connection *c, bool by_us, struct str lines, struct buf *out);

#endif
