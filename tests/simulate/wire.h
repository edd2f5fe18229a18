/* tests/simulate/wire.h -- ipc/channel.h without sockets: frames wait until the simulation lets them arrive. */
#ifndef TESTS_SIMULATE_WIRE_H
#define TESTS_SIMULATE_WIRE_H

#include "ipc/channel.h"
#include "ipc/worker.h"

/* The queue's end of a channel to a process that the simulation plays. */
struct ipc_channel *wire_new(struct worker *w, enum process_kind peer, uint32_t instance);
/* Gone, with all that was under way in it. */
void wire_cut(struct worker *w, struct ipc_channel *c);
/* The next frame that the queue sent there; false: none. Its octets stay until wire_took(). */
bool wire_next(struct ipc_channel *c, struct ipc_message *m);
void wire_took(struct ipc_channel *c);
/* A message of the peer arrives at the queue. */
void wire_say(struct worker *w, struct ipc_channel *c, enum ipc_type type, const void *body);

#endif
