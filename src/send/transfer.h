/* send/transfer.h -- one message to some recipients on its way to a host: content, and what became of it. */
#ifndef SEND_TRANSFER_H
#define SEND_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/list.h"
#include "ipc/message.h"
#include "smtp/client.h"

/* Lives from its TRANSFER until its outcome is SETTLED; that of a VERIFY_ASK until its answer. */
struct transfer {
    struct list node;  /* in its service's table */
    struct list place; /* waiting at its connection, or inside its dialogue; none when it is finished */
    struct arena *arena;
    struct smtp_client_tx tx;
    uint64_t lease;
    uint64_t id;
    uint32_t *numbers; /* of the recipients */
    struct str voucher; /* for another queue than the one that gave the lease */
    uint32_t queue_instance; /* that waits for the answer: it asked, or was told that this is in progress */
    char *spare;             /* room for results without texts */

    /* Until it is finished. */
    char *content; /* HEAD and BODY */
    size_t octets; /* of it */
    int file;      /* -1: content is in memory */
    uint64_t file_size;
    bool dots;      /* lines of the file may begin with dots */
    uint64_t given; /* of the content */
    int64_t began_usec;

    /* From then on. */
    bool finished;
    struct str results; /* as TRANSFERRED has them */
    struct str host;
    struct str tls; /* version; empty: it went in clear */
    struct str peer;
    int64_t connect_usec;
    int64_t send_usec;
};

static inline struct transfer *transfer_of(struct smtp_client_tx *tx)
{
    return CONTAINER_OF(tx, struct transfer, tx);
}

/* The first by PLACE, NULL when there is none. */
static inline struct transfer *transfer_first(const struct list *list)
{
    return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct transfer, place);
}

/*
 * A copy of ASK that outlives the message it came in; takes *file over (-1 then). NULL when memory is out or
 * ASK's recipients are not what its count says.
 */
struct transfer *transfer_new(const struct ipc_transfer *ask, int *file);
/* One that asks whether ADDRESS is taken, from the null reverse-path; NULL when memory is out. */
struct transfer *transfer_new_probe(struct str address);
void transfer_free(struct transfer *t);

/* All recipients get this result, whatever they have. STATUS and TEXT outlive the transfer. */
void transfer_set_all(struct transfer *t, enum smtp_client_result_kind kind, struct str status,
                      struct str text);
/* Every recipient has its result: encode them (without texts when memory is out), drop the content. */
void transfer_finish(struct transfer *t);
/* None of the results says anything about a recipient: the message is as it was before. */
bool transfer_is_untouched(const struct transfer *t);

enum transfer_give {
    TRANSFER_GIVE_MORE,   /* OUT has enough: send it, and ask again */
    TRANSFER_GIVE_FILE,   /* the rest is for sendfile(2) from t->file at transfer_file_offset() */
    TRANSFER_GIVE_END,    /* that was all */
    TRANSFER_GIVE_FAILED, /* the file cannot be read */
};

/* Add content to OUT, dots stuffed, up to about BLOCK octets. FILE: what has no dots may go by sendfile(2). */
enum transfer_give transfer_give(struct transfer *t, struct smtp_client *smtp, struct buf *out, size_t block,
                                 bool file);
uint64_t transfer_file_offset(const struct transfer *t);
/* Does the file end in CRLF? False also when it cannot be read. */
bool transfer_file_ends_with_crlf(const struct transfer *t);

#endif
