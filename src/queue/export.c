/* queue/export.c -- `veredus spool export`: which messages there are, and one of them as the spool has it. */
#include <stdlib.h>

#include "core/num.h"
#include "queue/keep.h"
#include "spool/check.h"

enum { IDS_MAX = 20000 };

void export_ids(struct queue *q, struct ipc_channel *from, const struct ipc_spool_ids_ask *ask)
{
    size_t room = ask->limit < IDS_MAX ? ask->limit : IDS_MAX;
    uint64_t *ids = room ? malloc(room * sizeof(*ids)) : NULL;
    size_t n = ids ? spool_ids_after(q->spool, (struct queue_id){ ask->after }, ids, room) : 0;

    for (size_t i = 0; i < n; i++)
        le64_put(&ids[i], ids[i]);
    ipc_send_spool_ids_answer(from, &(struct ipc_spool_ids_answer){
                                        .ticket = ask->ticket,
                                        .ids = str_of((const char *)ids, n * sizeof(*ids)),
                                    });
    free(ids);
}

/* A message that is being read for control. */
struct exporting {
    struct spool_read read;
    struct queue *queue;
    uint32_t instance;
    uint64_t ticket;
};

static void answer(struct exporting *x)
{
    static const enum ipc_read status[] = {
        [SPOOL_READ_OK] = IPC_READ_OK,
        [SPOOL_READ_GONE] = IPC_READ_GONE,
        [SPOOL_READ_DAMAGED] = IPC_READ_DAMAGED,
        [SPOOL_READ_FAILED] = IPC_READ_FAILED,
    };
    struct ipc_channel *to = queue_peer(x->queue, PROCESS_CONTROL, x->instance);
    const struct spool_read *read = &x->read;
    struct ipc_spool_read_answer a = {
        .ticket = x->ticket,
        .status = (uint8_t)status[read->status],
        .accepted_msec = read->accepted_utc_msec,
        .held = read->held,
        .file_size = read->file_octets,
        .envelope = read->envelope,
        .state = read->state,
        .hold = read->hold_reason,
        .head = read->head,
        .body = read->body,
    };

    /* One with so many recipients that it fits into no frame is exported while the server is stopped. */
    if (to && !ipc_send_spool_read_answer(to, &a, read->file))
        ipc_send_spool_read_answer(
            to, &(struct ipc_spool_read_answer){ .ticket = x->ticket, .status = IPC_READ_FAILED }, -1);
}

static void on_read(struct spool_read *read)
{
    struct exporting *x = CONTAINER_OF(read, struct exporting, read);

    answer(x);
    spool_read_done(x->queue->spool, read);
    free(x);
}

void export_read(struct queue *q, struct ipc_channel *from, const struct ipc_spool_read_ask *ask)
{
    struct exporting *x = calloc(1, sizeof(*x));

    if (!x) {
        ipc_send_spool_read_answer(
            from, &(struct ipc_spool_read_answer){ .ticket = ask->ticket, .status = IPC_READ_FAILED }, -1);
        return;
    }
    *x = (struct exporting){
        .read.done = on_read, .queue = q, .instance = from->instance, .ticket = ask->ticket
    };
    spool_read(q->spool, (struct queue_id){ ask->id },
               SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT | SPOOL_READ_HOLD |
                   SPOOL_READ_ANYWAY,
               &x->read);
}
