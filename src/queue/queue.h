/* queue/queue.h -- the process that owns the spool: takes messages, leases them out, settles outcomes (DESIGN 3, 6). */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "core/arena.h"
#include "core/id.h"
#include "core/list.h"
#include "ipc/worker.h"
#include "log/log.h"
#include "message/envelope.h"
#include "message/progress.h"
#include "spool/spool.h"

enum {
    QUEUE_RETRY_MSEC = 60000,     /* between attempts of what failed and may go well later */
    QUEUE_ATTEMPTS_MAX = 1024,    /* messages whose recipients are being delivered at once */
    QUEUE_MEMORY_MAX = 128 << 20, /* of contents of attempts; above it a message waits on disk for its first one */
    QUEUE_COMMITS_MAX = 512 << 20, /* of messages not yet synced; above it new ones get 451 */
    QUEUE_COMMIT_MSEC = 50000, /* a disk that takes longer: 451, and the message is voided */
    QUEUE_LENT_MAX = 4096,
    QUEUE_ROUTING_MAX = 2048, /* questions to lookup at once */
    QUEUE_DEATHS_HELD = 2, /* a message in hand at so many deaths is held */
};

/* A message's octets while it is being taken or attempted. */
struct content {
    struct queue *queue;
    char *octets; /* envelope, head, body in one; NULL when they are the spool's */
    size_t n;
    struct str envelope_octets;
    struct str head;
    struct str body;
    int file; /* of a large body, or -1 */
    uint64_t file_octets;
    struct spool_read read; /* when it was read back */
    bool was_read;
    struct arena *arena; /* of the decoded envelope */
    struct envelope envelope;
};

enum message_state {
    MESSAGE_TAKING,   /* not durable yet */
    MESSAGE_READY,    /* due */
    MESSAGE_READING,  /* content on its way back */
    MESSAGE_SENDING,  /* recipients with lookup or deliver */
    MESSAGE_SETTLING, /* outcome on its way to the disk */
    MESSAGE_DEFERRED, /* waits for its next attempt */
    MESSAGE_HELD,
};

/* How far one recipient is, in the attempt under way. */
enum recipient_state {
    RECIPIENT_IDLE,
    RECIPIENT_ROUTING, /* with lookup */
    RECIPIENT_CARRIER, /* waits for a deliver process, or for credit there */
    RECIPIENT_LEASED,
    RECIPIENT_SETTLED, /* this attempt has its outcome */
};

struct recipient {
    struct list node; /* of its carrier's waiting ones */
    struct message *message;
    uint32_t index;  /* in the envelope */
    uint32_t number; /* of the envelope's recipient */
    enum recipient_state state;
    enum progress_state progress;
    uint32_t attempts;
    uint32_t deaths;
    int64_t last_msec;
    char *status; /* owned; NULL: none */
    char *text;
    uint64_t lease;   /* of this attempt, until it is called settled; 0: none */
    uint32_t carrier; /* instance of the deliver process that has it */
    uint32_t ticket;  /* of the question to lookup */
    int64_t began_usec;
    /* the route of this attempt */
    uint32_t route;
    uint32_t domain_index;
    char *user, *detail, *domain, *rule;
};

struct message {
    struct list node; /* of ready or deferred */
    struct queue *queue;
    struct queue_id id;
    enum message_state state;
    int64_t accepted_msec;
    int64_t due_msec; /* io_now_msec */
    int64_t next_wall_msec;
    uint32_t version; /* of the newest outcome */
    uint32_t n_recipients;
    uint32_t busy; /* recipients without an outcome in this attempt */
    struct recipient *recipients;
    struct content *content;
    char *hold_reason;
    struct spool_commit commit;
    struct buf state_octets;  /* of the outcome being written */
    bool ending;              /* what is being written says that nothing is left */
    enum log_reason holding;  /* it says that the message is held, because of that */
};

/* A deliver process, or one that is being asked for. */
struct carrier {
    struct list node;
    uint32_t generation;
    uint32_t route;
    uint32_t domain_index;
    char *user;        /* of a block whose users are system accounts; empty else */
    uint32_t instance; /* 0: asked for */
    uint64_t ticket;
    struct list waiting;  /* recipients */
    struct list suspects; /* those in hand when a process died: one at a time, so that a second death has one cause */
    struct recipient *suspect; /* the one that is leased */
};

/* An own file lent to a receive process. */
struct lent {
    uint64_t file;
    uint32_t instance;
};

struct queue {
    struct worker *worker;
    struct spool *spool;
    struct spool_disk *disk;
    struct io_waker waker;
    struct io_timer timer;    /* the first deferred message */
    struct io_task pump;      /* begin attempts */
    struct message **index;   /* by id, open addressing */
    size_t index_room;
    size_t n_messages;
    struct list ready;
    struct list deferred; /* by due time */
    struct list carriers;
    struct list takings;      /* commits on their way to the disk, the oldest first */
    struct io_timer patience; /* of the oldest */
    size_t attempts;
    size_t content_memory;
    size_t commit_memory;
    uint64_t next_lease;
    uint64_t next_ticket;
    struct recipient *routing[QUEUE_ROUTING_MAX]; /* by ticket */
    uint32_t routing_serial[QUEUE_ROUTING_MAX];
    size_t n_routing;
    struct list unrouted; /* recipients that wait for a question */
    uint32_t told[WORKER_PEERS_MAX]; /* deliver processes that have told what they kept, by instance */
    size_t n_told;
    struct lent lent[QUEUE_LENT_MAX];
    size_t n_lent;
    unsigned expected[WORKER_PEERS_MAX]; /* sessions in data, by place among the peers */
    enum spool_health health;
    uint64_t failures;
    bool stopping;
    uint64_t delivered, deferred_sum, failed_sum, taken; /* for status */
};

extern const struct worker_service queue_service;

static inline struct queue *queue_of(struct worker *w)
{
    return w->state;
}

/* ---- index.c ---- */
struct message *message_find(struct queue *q, struct queue_id id);
MUST_USE bool message_insert(struct queue *q, struct message *m);
void message_remove(struct queue *q, struct message *m);
/* The message with the least id above AFTER; NULL: none. */
struct message *message_next(struct queue *q, struct queue_id after);

/* ---- message.c ---- */
struct message *message_new(struct queue *q, struct queue_id id, int64_t accepted_msec);
void message_free(struct message *m);
/* Its recipients as the envelope and the newest outcome have them. */
MUST_USE bool message_recipients(struct message *m, const struct envelope *e, struct str state, struct err *err);
struct content *content_new(void);
void content_free(struct queue *q, struct content *c);
MUST_USE bool content_decode(struct content *c, struct err *err);
void recipient_result(struct recipient *r, enum progress_state progress, struct str status, struct str text);
char *text_copy(struct str s); /* NUL-terminated; NULL without memory */
/* The address in its least-quoted form, in OUT, which is emptied first. */
struct str recipient_address(const struct envelope_recipient *er, struct buf *out);

/* ---- take.c: what receive asks ---- */
void take_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m);
/* The oldest commit has waited long enough. */
void take_overdue(struct queue *q);
void take_peer_gone(struct queue *q, struct ipc_channel *peer);

/* ---- attempt.c ---- */
void message_ready(struct message *m);
void message_defer(struct message *m);
void attempts_pump(struct queue *q);
void attempt_route(struct queue *q, const struct ipc_route_answer *a);
/* Ask lookup about those that wait, as far as it can be asked. */
void attempts_route(struct queue *q);
/* The recipient's attempt ended. */
void attempt_outcome(struct recipient *r, enum ipc_result result, struct str status, struct str text, bool repeated);
/* It waits for nothing: what a former queue leased is known by now. An answer of lookup finds nobody. */
void attempt_unroute(struct recipient *r);
void attempts_lookup_gone(struct queue *q);
/* ---- carrier.c ---- */
/* Lease it to the deliver process of its route, as soon as there is one. */
void carrier_add(struct recipient *r);
void carrier_answer(struct queue *q, const struct ipc_deliver_answer *a);
void carrier_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m);
void carrier_peer_gone(struct queue *q, struct ipc_channel *peer);
void carrier_credit(struct queue *q, struct ipc_channel *peer);
/* That recipient's lease is over: the next suspect may go. */
void carrier_lease_over(struct recipient *r);
void carrier_died(struct queue *q, const struct ipc_died *died);
void carriers_reconfigured(struct queue *q);

/* ---- show.c: what control asks ---- */
void show_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m);
void show_status(struct queue *q, struct buf *rows);

/* ---- record.c ---- */
void record_address(struct log_record *r, enum log_field f, const struct envelope_recipient *er);
void record_outcome(const struct recipient *r, enum ipc_result result, struct str status, struct str text,
                    int64_t now_usec);
void record_done(const struct message *m);
void record_hold(const struct message *m, enum log_reason reason, struct str error);
/* An outcome could not be handed to the spool. */
void record_unsettled(const struct message *m, const struct err *err);
/* The spool stopped taking, or takes again; said once for each change. */
void record_spool(struct queue *q);

#endif
