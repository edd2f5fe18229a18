/* send/verify.h -- does the next hop take this address? Asked of it, for receive (FACE: users ask). */
#ifndef SEND_VERIFY_H
#define SEND_VERIFY_H

#include "send/send.h"

/*
 * Over a connection of its own: MAIL FROM:<>, RCPT, and nothing sent. VERIFY_ANSWER: OK at 2yz, PERM at 5yz with
 * the host's words; TEMP for all else, also when many are under way already or it takes too long.
 */
void verify_ask(struct send *s, struct ipc_channel *asker, const struct ipc_verify_ask *ask);
/* The server ends: those under way are answered TEMP. */
void verify_stop(struct send *s);

#endif
