/* queue/transfer.h -- leases of send processes, and what comes of them. Of connection.c, transfer.c and results.c alone. */
#ifndef QUEUE_TRANSFER_H
#define QUEUE_TRANSFER_H

#include "queue/queue.h"

/* Ids of connections and leases: the low bits say the place in the schedule's tables. */
enum { SCHEDULE_SLOT_BITS = 16 };

/* ---- connection.c ---- */
/* It has less to do: more is leased to it, or it waits for more, or has had enough. */
void connection_next(struct connection *c);

/* ---- transfer.c ---- */
struct transfer *transfer_by_lease(struct queue *q, uint64_t lease, uint32_t instance);
void transfer_free(struct transfer *t); /* it has no recipients any more */
/* The outcome of R, or what `on-reply` makes of it. */
void transfer_outcome(struct site *site, struct recipient *r, struct outcome *o);
/* Those without a result, for whatever reason, are in line again. */
void transfer_back(struct transfer *t);
/* The same, and that was all of it. Each of these three frees T. */
void transfer_returns(struct transfer *t);
void transfer_failed(struct transfer *t, const struct outcome *why);
void transfer_lost(struct transfer *t); /* its process ended */

/* ---- results.c ---- */
void results_transferred(struct queue *q, struct ipc_channel *from, const struct ipc_transferred *told);
void results_kept(struct queue *q, struct ipc_channel *from, const struct ipc_transfer_kept *k);

#endif
