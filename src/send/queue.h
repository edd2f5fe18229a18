/* send/queue.h -- what the queue asks of this process: connections, and transfers over them. */
#ifndef SEND_QUEUE_H
#define SEND_QUEUE_H

#include "send/send.h"

/* A message of a queue process. */
void queue_message(struct send *s, struct ipc_channel *queue, struct ipc_message *m);
/* A new queue is told of every transfer that is not settled, before anything else. */
void queue_comes(struct send *s, struct ipc_channel *queue);
/* Its connections take nothing new; what they have goes on to its end. */
void queue_dies(struct send *s, const struct ipc_channel *queue);

#endif
