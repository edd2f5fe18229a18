/* queue/keep.h -- the spool as a whole: looked at, written out, taken in again (FACE 2.1). */
#ifndef QUEUE_KEEP_H
#define QUEUE_KEEP_H

#include "queue/queue.h"

/* ---- check.c ---- */
void check_ask(struct queue *q, struct ipc_channel *from, const struct ipc_spool_check_ask *ask);
/* The thread that checks has something to tell. */
void check_poll(struct queue *q);
/* The spool is to be closed: no thread looks at it any more. */
void check_stop(struct queue *q);

/* ---- export.c ---- */
void export_ids(struct queue *q, struct ipc_channel *from, const struct ipc_spool_ids_ask *ask);
void export_read(struct queue *q, struct ipc_channel *from, const struct ipc_spool_read_ask *ask);

/* ---- import.c ---- */
void import_message(struct queue *q, struct ipc_channel *from, const struct ipc_spool_import_ask *ask);

#endif
