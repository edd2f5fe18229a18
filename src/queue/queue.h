/* queue/queue.h -- the process that owns the spool: takes messages, leases them out, settles outcomes (DESIGN 3, 6). */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "core/arena.h"
#include "core/id.h"
#include "core/list.h"
#include "core/map.h"
#include "core/wheel.h"
#include "ipc/worker.h"
#include "log/log.h"
#include "message/envelope.h"
#include "message/progress.h"
#include "queue/candidates.h"
#include "queue/rest.h"
#include "queue/schedule.h"
#include "spool/spool.h"

enum {
    QUEUE_MEMORY_MAX = 128 << 20, /* of contents; above it a message waits on disk for its turn */
    QUEUE_COMMITS_MAX = 512 << 20, /* of messages not yet synced; above it new ones get 451 */
    QUEUE_LENT_MAX = 4096,
    QUEUE_PATH_MAX = 1024, /* of the spool */
    QUEUE_ROUTING_MAX = 2048, /* questions to lookup at once */
    QUEUE_DEATHS_HELD = 2, /* a message in hand at so many deaths is held */
    QUEUE_READING_MAX = 256, /* contents on their way back from the disk */
    QUEUE_AWAKE_MAX = 16384, /* messages; above it those in line go to rest, and none is woken before it is its turn */
    QUEUE_PAGINGS = 4, /* lists read at a time, each of which is looked up but once */
    QUEUE_MOMENT_MSEC = 5000, /* until what this process could not do for want of memory or ids is tried again */
    QUEUE_POSTMASTER_HOUR = 20, /* reports that could not be returned, told one by one in an hour; then a digest */
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
    struct list waking; /* of the rests', while a message at rest is read */
    bool overtaken;     /* it was read at once meanwhile */
    struct arena *arena; /* of the decoded envelope */
    struct envelope envelope;
};

enum message_state {
    MESSAGE_TAKING, /* not durable yet */
    MESSAGE_READY,  /* wants to be looked at, in line for that */
    MESSAGE_READING, /* content on its way back for that */
    MESSAGE_LIVE,   /* its recipients wait, or are under way */
    MESSAGE_HELD,
    MESSAGE_ENDING, /* what is being written is its end */
};

/* How far one recipient is, in the attempt under way. */
enum recipient_state {
    RECIPIENT_IDLE,    /* no attempt: it is done, or waits for its time */
    RECIPIENT_ROUTING, /* with lookup */
    RECIPIENT_LINED,   /* in an entry, for its plan or its turn */
    RECIPIENT_CARRIER, /* waits for a deliver process, or for credit there */
    RECIPIENT_LEASED,  /* a deliver or send process has it */
};

struct recipient {
    struct list node; /* of its entry, its transfer, its carrier's waiting ones, or those to be routed */
    struct message *message;
    struct entry *entry; /* LINED: where */
    uint32_t index;  /* in the envelope */
    uint32_t number; /* of the envelope's recipient */
    uint32_t to;        /* rest_hash() of its address */
    uint32_t to_domain; /* names of its domain, and of its next hop once it has been routed */
    uint32_t hop;
    enum recipient_state state;
    /* what progress.h keeps on disk */
    enum progress_state progress;
    uint32_t attempts;
    uint32_t deaths;
    uint32_t code;
    uint32_t warned;
    int64_t warn_msec; /* report_warning() at its last attempt, after so many warnings; 0: not known */
    uint32_t warn_of;
    bool from_peer;
    int64_t first_msec;
    int64_t last_msec;
    int64_t next_msec;
    char *status; /* owned; NULL: none. As the host said it, with CODE and TEXT */
    char *text;
    char *on_reply; /* what the configuration made of that: "defer veredus.conf:12"; NULL: nothing */
    char *host;
    char *peer;
    int64_t due_msec; /* io_now_msec, of next_msec */
    enum log_reason reason; /* of the last failure in this run */
    char *site;             /* of the last attempt in this run */
    /* of this attempt */
    uint64_t lease;   /* until it is called settled; 0: none */
    uint32_t carrier; /* instance of the process that has it */
    uint32_t ticket;  /* of the question to lookup */
    bool kept;        /* LEASED by a former queue */
    bool held;        /* its route says so: it waits until the others are done, and then its message is held */
    bool pinned;      /* it needs its message's content */
    bool writing;     /* its outcome is in what is being written */
    int64_t began_usec;
    uint32_t generation; /* of the route */
    uint32_t route;
    uint32_t domain_index;
    char *user, *detail, *domain, *rule;
};

struct message {
    struct list node;      /* of ready */
    struct list unpinned;  /* of those whose content may be dropped */
    struct list tired;     /* of those that may go to rest at the end of the turn */
    struct wheel_node due; /* its first recipient that waits, or a delay warning */
    struct queue *queue;
    struct queue_id id;
    enum message_state state;
    int64_t accepted_msec;
    int64_t age_msec;  /* at SINCE; from there on the age runs with the clock that does not leap */
    int64_t since_msec;
    uint32_t version; /* of the newest outcome */
    uint32_t n_recipients;
    uint32_t active;   /* recipients whose attempt is under way; not those in line at a host that is dead */
    uint32_t pins;     /* of its content */
    uint32_t from;     /* rest_hash() of its reverse-path */
    uint32_t who;      /* name of who sends: whose turn it is */
    struct recipient *recipients;
    struct list entries;
    struct content *content;
    struct content *alone; /* its envelope, read back for records while there is no content */
    char *hold_reason;
    char *written_reason; /* the one in what is being written: the spool borrows it until then */
    enum log_reason held; /* why it is held, or will be when nothing is under way */
    struct spool_commit commit;
    struct buf state_octets; /* of the outcome being written */
    bool writing;
    bool dirty;     /* outcomes that are not in what is being written */
    bool lined;     /* woken because it is its turn: not back to the end of the line */
    bool recovered; /* from disk: may have been attempted before without a trace, until its first outcome */
    bool tried;     /* an attempt in this run has failed: from then on its age may end it */
    bool released;  /* routes that say hold are passed over */
    int64_t release_msec; /* UTC before which it must not leave (RFC 4865); 0: none */
    bool early;     /* by the administrator: that does not count */
    bool bouncing;  /* by the administrator: its recipients fail as soon as its content is there */
    bool removing;  /* by the administrator: ends when nothing is under way */
    bool releasing; /* the hold on disk is to be taken back */
    struct selecting *acting; /* who waits for what is being written */
    const struct rest *slot; /* it is only looked at: it is at rest there */
    bool digest;    /* waits for the postmaster's digest */
    int64_t report_msec; /* not before: a report could not be made */
    bool warnable;  /* its sender is one of ours, and is told of delays */
    bool report;    /* one of ours: given up after expire-bounces */
    uint32_t uid_plus;
    struct reporting *reporting; /* a report in the making, or written and not yet durable */
    struct editing *editing;     /* an edit that is not durable yet */
};

/* A deliver process, or one that is being asked for. */
struct carrier {
    struct list node;
    struct queue *queue;
    uint32_t generation;
    uint32_t route;
    uint32_t domain_index;
    enum ipc_delivery kind;
    char *user;        /* of a block whose users are system accounts; empty else */
    uint32_t instance; /* 0: asked for */
    uint64_t ticket;
    struct list waiting;  /* recipients */
    struct rest_line rest; /* messages behind them, when there are too many */
    struct list suspects; /* those in hand when a process died: one at a time, so that a second death has one cause */
    struct recipient *suspect; /* the one that is leased */
};

/* An own file lent to a receive process. */
struct lent {
    uint64_t file;
    uint32_t instance;
};

/* Where a page of the answer to a question ended, and what stands behind it; without IDS nothing. */
struct queue_paging {
    uint32_t instance; /* of the control that asked */
    uint64_t ticket;
    uint64_t last;
    struct candidates ids;
};

struct queue {
    struct worker *worker;
    struct spool *spool;
    struct spool_disk *disk;
    uint64_t voucher_keys[2][2];
    struct io_waker waker;
    struct io_timer timer; /* the wheel's next turn */
    int64_t timer_msec;
    struct io_task pump;   /* begin attempts */
    struct wheel wheel;
    struct message **index; /* by id, open addressing */
    size_t index_room;
    size_t n_messages;
    struct list ready;
    struct list unread; /* ready, too, but their content has to be read: as far as memory allows */
    size_t n_reading;
    struct list unpinned; /* messages with content that nothing needs now, the oldest first */
    struct list tired;    /* messages that may go to rest */
    struct rests rests;
    struct list carriers;
    struct list explainings; /* that wait for lookup */
    uint32_t explained;      /* so many were begun */
    struct list takings;      /* commits on their way to the disk, the oldest first */
    struct io_timer patience; /* of the oldest */
    size_t content_memory;
    size_t commit_memory;
    uint64_t next_lease; /* of deliver */
    uint64_t next_ticket;
    struct recipient *routing[QUEUE_ROUTING_MAX]; /* by ticket */
    uint32_t routing_serial[QUEUE_ROUTING_MAX];
    size_t n_routing;
    struct list unrouted; /* recipients that wait for a question */
    struct schedule schedule;
    uint32_t told[WORKER_PEERS_MAX]; /* deliver and send processes that have told what they kept, by instance */
    size_t n_told;
    struct lent lent[QUEUE_LENT_MAX];
    size_t n_lent;
    unsigned expected[WORKER_PEERS_MAX]; /* sessions in data, by place among the peers */
    struct list reportings; /* that wait for lookup */
    int64_t postmaster_told[QUEUE_POSTMASTER_HOUR]; /* io_now_msec, the newest of them; 0: not yet */
    struct wheel_node digest_due;
    enum spool_health health;
    uint64_t failures;
    int64_t cleaning_said_msec; /* 0: not yet */
    bool memory_asked, memory_short;
    int64_t memory_looked_msec;
    uint64_t memory_used, memory_bound; /* octets: of all processes, and max-memory */
    size_t memory_content;              /* content_memory when that was asked */
    uint64_t hold_below; /* run --hold: what is found with a lower id is held; 0: nothing */
    struct queue_paging pagings[QUEUE_PAGINGS]; /* select.c */
    uint32_t paged;                             /* that were given up for others */
    struct checking *checking; /* check.c: a check of the spool that goes on; NULL: none */
    bool stopping;
    bool unclean;       /* the former queue ended without a word */
    bool knows_peers;   /* all processes that were there before it are named */
    bool lost_attempts; /* some of them have ended, and told nobody what they had in hand */
    int64_t started_wall_msec;
    uint64_t delivered, deferred_sum, failed_sum, taken, reports; /* for status */
};

/* How an attempt at a recipient ended. Texts are borrowed. */
struct outcome {
    enum ipc_result result;
    enum smtp_stage stage;
    enum log_reason reason; /* NONE: found from status and stage */
    unsigned code;          /* the peer's; 0: none spoke */
    struct str status;
    struct str text;
    bool from_peer;
    bool discarded;
    struct str host;
    struct str peer;
    struct str tls; /* its version; empty: in clear */
    struct str site;
    struct str on_reply; /* as in struct recipient */
    int64_t queue_usec;     /* due to lease */
    int64_t connect_usec;
    int64_t send_usec;
};

extern const struct worker_service queue_service;

static inline struct queue *queue_of(struct worker *w)
{
    return w->state;
}

static inline int64_t queue_now(const struct queue *q)
{
    return io_now_msec(q->worker->loop);
}

/* Awake and at rest. */
static inline size_t queue_messages(const struct queue *q)
{
    return q->n_messages + q->rests.n;
}

/* ---- index.c: those awake ---- */
struct message *message_find(struct queue *q, struct queue_id id);
MUST_USE bool message_insert(struct queue *q, struct message *m);
void message_remove(struct queue *q, struct message *m);

/* ---- message.c ---- */
/* Awake; the clock that goes on counts its age. */
struct message *message_new(struct queue *q, struct queue_id id, int64_t accepted_msec);
void message_free(struct message *m);
/* Its recipients as the envelope and the newest outcome have them. */
MUST_USE bool message_recipients(struct message *m, const struct envelope *e, struct str state, struct err *err);
/* Its sender or its recipients have other addresses: those of E. */
void message_renamed(struct message *m, const struct envelope *e);
/* Why M is held, as a hold record has it (docs/SPOOL.md 5); to be freed. NULL: no memory. */
char *message_hold_text(const struct message *m);
/* The same read back; empty: M is not held. False: no memory. */
MUST_USE bool message_take_hold(struct message *m, struct str text);
struct content *content_new(struct queue *q);
/* Envelope, head and body in one piece of its own; NULL without memory. */
struct content *content_copy(struct queue *q, struct str envelope, struct str head, struct str body);
void content_free(struct queue *q, struct content *c);
MUST_USE bool content_decode(struct content *c, struct err *err);
/* What was read is its own now; what was read beside stays with c->read. */
void content_take_read(struct content *c);
void message_drop_content(struct message *m);
/*
 * Its envelope, for what is said of it: where its content is not in memory it is read back at once, which blocks (a
 * process that kept a lease over the end of a former queue had something to tell). NULL: it cannot be read.
 */
const struct envelope *message_envelope(struct message *m);
void message_drop_envelope(struct message *m);
/* Its content is in memory, and not just on its way there. */
bool message_has_content(const struct message *m);
/* Its content is needed, or no more: what nobody needs may be dropped when memory runs short. */
void message_pin(struct message *m);
void message_unpin(struct message *m);
void recipient_pin(struct recipient *r);
void recipient_unpin(struct recipient *r);
/* Milliseconds since it was accepted. */
int64_t message_age(const struct message *m);
/* The same since it might leave: what its sender's own wish took is no delay. Below 0: it may not leave yet. */
int64_t message_waited(const struct message *m);
/* Milliseconds until it may leave; 0: it may. */
int64_t message_embargo(const struct message *m);
/* How much of its age its release time takes. */
int64_t message_embargo_whole(const struct message *m);
/* It may have nothing to do: at the end of the turn it goes to rest, if that is so. */
void message_tire(struct message *m);
size_t message_count(const struct message *m, enum progress_state progress);
char *text_copy(struct str s); /* NUL-terminated; NULL without memory */
/* The address in its least-quoted form, in OUT, which is emptied first. */
struct str recipient_address(const struct envelope_recipient *er, struct buf *out);

/* ---- take.c: what receive asks ---- */
void take_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m);
/* The oldest commit has waited long enough. */
void take_overdue(struct queue *q);
void take_peer_gone(struct queue *q, struct ipc_channel *peer);
/* That file is no longer lent to that process. False: it was not. */
bool take_lent_back(struct queue *q, uint64_t file, uint32_t instance);

/* ---- memory.c ---- */
void memory_answer(struct queue *q, const struct ipc_memory_answer *a);
/* New mail is not taken now. */
bool memory_is_short(struct queue *q);
/* What was known of it no longer counts. */
void memory_look_soon(struct queue *q);

/* ---- attempt.c: from due to where it goes ---- */
/* Look at it soon: recipients that are due are attempted, what failed for good is reported. */
void message_ready(struct message *m);
void attempts_pump(struct queue *q);
/* Set its timer by what its recipients wait for; it may go to rest. */
void message_wait(struct message *m);
/* When that recipient, which is idle, is due (queue_now()). */
int64_t recipient_due(const struct recipient *r);
/* When somebody it waits for is due (queue_now()), -1: never. *TELLS (may be NULL): its sender is, about the delay. */
int64_t message_due(const struct message *m, bool *tells);
/* It was read back: what is due is attempted. */
void message_started(struct message *m);
/* It is awake, and its content is wanted. */
void message_read_back(struct message *m);
void attempt_route(struct queue *q, const struct ipc_route_answer *a);
/* Ask lookup about those that wait, as far as it can be asked. */
void attempts_route(struct queue *q);
/* Route it anew: what was known of its route holds no more. */
void attempt_reroute(struct recipient *r);
/* It waits for nothing: what a former queue leased is known by now. An answer of lookup finds nobody. */
void attempt_unroute(struct recipient *r);
void attempts_lookup_gone(struct queue *q);
/* Has lookup said where it goes by this configuration? What is read back from the disk does not know. */
bool attempt_is_routed(const struct recipient *r);
/* What the configuration says of sending to it: of one that is not routed, to everybody. */
const struct config_sending *attempt_sending(const struct recipient *r);

/* ---- settle.c: from outcome to disk ---- */
/* The attempt at R ended; message_settle() follows when all that came with it are told. */
void recipient_outcome(struct recipient *r, const struct outcome *o);
/*
 * The process that had it ended: nobody is to blame, so no attempt is charged, and it is tried again in a moment (a
 * message that kills processes is found by its deaths). message_settle() follows.
 */
void recipient_interrupted(struct recipient *r, struct str text, struct str site);
/* Write what is not written; when nothing is under way also reports, holds, and the end. */
void message_settle(struct message *m);
/* One outcome alone. */
void attempt_outcome(struct recipient *r, const struct outcome *o);
void attempt_fails(struct recipient *r, enum ipc_result result, enum log_reason reason, const char *status,
                   struct str text);
/* Milliseconds until its age ends it. */
int64_t message_left(const struct message *m);
/* As soon as nothing is under way. */
void message_hold(struct message *m, enum log_reason reason, struct str text);

/* ---- report.c ---- */
/* Nothing is under way, and recipients failed for good, or wait for so long that their sender is to be told. */
bool report_wanted(const struct message *m);
/* Begin reports about M, or find that there is nobody to tell. What cannot be done now is tried again. */
void report_begin(struct message *m);
/* False: one waits for lookup, and settles M then. */
bool report_is_ready(const struct message *m);
void report_expanded(struct queue *q, const struct ipc_expand_answer *a);
void reports_lookup_gone(struct queue *q);
/* Ask lookup for those that could not ask yet. */
void reports_ask(struct queue *q);
/* Its reports go into the batch that settles M; after it is durable they are messages of their own. */
MUST_USE bool report_add(struct message *m, struct spool_batch *batch);
void report_stands(struct message *m);
/* What is being written will not be: ids and memory are given up, recipients are as before. */
void report_drop(struct message *m);
void report_digest_due(struct wheel_node *node);
/* When there may be something to tell of what waits; io_now_msec, -1: by time alone never. */
int64_t report_due(const struct message *m);
/*
 * The age at which the sender of R is told of its delay next: by its route, or as that was at its last attempt; -1: never,
 * 0: not known.
 */
int64_t report_warning(const struct recipient *r);

/* ---- carrier.c: mailboxes and commands ---- */
/* Lease it to the deliver process of its route, as soon as there is one. */
void carrier_add(struct recipient *r);
void carrier_answer(struct queue *q, const struct ipc_deliver_answer *a);
void carrier_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m);
void carrier_peer_gone(struct queue *q, struct ipc_channel *peer);
/* The line in which M may rest: all that it waits for is one deliver process, and there are too many. NULL: none. */
struct rest_line *carrier_line(struct message *m);
/* As many as a process can soon take are read back. */
void carriers_wake(struct queue *q);
void carrier_credit(struct queue *q, struct ipc_channel *peer);
/* That recipient's lease is over: the next suspect may go. */
void carrier_lease_over(struct recipient *r);
void carriers_reconfigured(struct queue *q);

/* ---- service.c: waits ---- */
/* NODE is due then; in place of what was set for it before. */
void queue_wait(struct queue *q, struct wheel_node *node, int64_t due_msec);
/* How the spool does may have changed. */
void queue_look_at_spool(struct queue *q);

/* ---- opening.c: the spool, and what is in it ---- */
/* It is open, and what waits in it is at rest. WAKE: what its threads call when there is something to poll for. */
MUST_USE bool queue_open(struct queue *q, void (*wake)(void *ctx), struct err *err);
/* NUL-terminated; false: too long. */
MUST_USE bool queue_spool_path(const struct config *config, char out[QUEUE_PATH_MAX]);

/* ---- peers.c: the other processes ---- */
struct ipc_channel *queue_peer(struct queue *q, enum process_kind kind, uint32_t instance);
/* It has told all that it kept for this queue. */
void queue_heard(struct queue *q, struct ipc_channel *from);
/* It is no more. */
void queue_forget(struct queue *q, uint32_t instance);
bool queue_has_told(const struct queue *q, uint32_t instance);
/* It claims what it was never lent: its channel ends, nothing more of it is heard, and main ends it. */
void queue_mistrust(struct queue *q, struct ipc_channel *from, const char *what);
/* It was there before this queue, and has not ended telling what it kept. */
bool queue_may_tell(const struct queue *q, const struct ipc_channel *from);
struct recipient *queue_recipient(struct queue *q, uint64_t id, uint32_t number);
void queue_died(struct queue *q, const struct ipc_died *died);
/* It waits for nothing any more: a former queue's lease of it is known. */
void queue_withdraw(struct recipient *r);
/* The leases of that process end without an outcome. */
void queue_leases_of(struct queue *q, const struct ipc_channel *gone);

/* ---- act.c: what the administrator does to a message ---- */
/* M may be gone then. NOTE: who holds it, and why: "by root: see ticket 4411". False: that is nothing for M now. */
bool act_do(enum ipc_act verb, struct message *m, struct str note);
/* One at rest is due now. False: it is held, or has to wait for its release time. */
bool act_flush_rest(struct queue *q, struct rest *r);
/* The content of one that is to be returned to its sender is there. */
void act_bounce(struct message *m);

/* ---- select.c: what is asked for by SELECT ---- */
void select_list(struct queue *q, struct ipc_channel *from, const struct ipc_queue_list_ask *ask);
void select_act(struct queue *q, struct ipc_channel *from, const struct ipc_queue_act_ask *ask);
/* What was being written of M is durable. */
void select_settled(struct message *m);

/* ---- show.c: what control asks ---- */
void show_message(struct queue *q, struct ipc_channel *from, const struct ipc_queue_show_ask *ask);
void show_row(struct buf *rows, const struct message *m, const struct envelope *e, bool alone);
const char *show_state(const struct message *m);
/*
 * What READ is of: the message if it is awake, else a view of it, which is put into *VIEW for the caller to free. E: its
 * envelope; NULL: it cannot be read. NULL: there is none.
 */
const struct message *show_seen(struct queue *q, const struct spool_read *read, const struct envelope *e,
                                struct message **view);
/* The recipient a line about the message speaks of: the first that waits, else the first that failed. */
const struct recipient *show_speaker(const struct message *m);
void show_status(struct queue *q, struct buf *rows);

/* ---- edit.c ---- */
void edit_ask(struct queue *q, struct ipc_channel *from, const struct ipc_queue_edit_ask *ask);
/* What was edited goes into the batch that settles M; after it is durable the edit is answered. False without memory. */
MUST_USE bool edit_add(struct message *m, struct spool_batch *batch);
void edit_stands(struct message *m);
/* M is no more. */
void edit_forget(struct message *m);

/* ---- shape.c ---- */
void shape_ask(struct queue *q, struct ipc_channel *from, const struct ipc_queue_shape_ask *ask);

/* ---- sites.c ---- */
void sites_list(struct queue *q, struct ipc_channel *from, const struct ipc_site_list_ask *ask);
void sites_act(struct queue *q, struct ipc_channel *from, const struct ipc_site_act_ask *ask);

/* ---- explain.c ---- */
void explain_ask(struct queue *q, struct ipc_channel *from, const struct ipc_queue_explain_ask *ask);
/* The answer is to a question of an explanation, and was taken; false: it is about an attempt. */
bool explain_route(struct queue *q, const struct ipc_route_answer *a);
void explain_lookup_gone(struct queue *q);

/* ---- record.c ---- */
void record_address(struct log_record *r, enum log_field f, const struct envelope_recipient *er);
/* "defer veredus.conf:12"; takes an empty one. */
void record_on_reply(struct log_record *rec, struct str on_reply);
void record_outcome(const struct recipient *r, const struct outcome *o, enum log_reason reason);
enum log_reason record_reason(const struct outcome *o);
void record_done(const struct message *m);
void record_hold(const struct message *m, enum log_reason reason, struct str error);
void record_report(const struct message *report, const struct message *about, const char *kind, const char *action,
                   size_t recipients, struct str to);
void record_duplicate(const struct message *m, const struct recipient *r, const char *cause);
/* ACCOUNT did that to the message, with many others: its story has it, too. */
void record_act(struct queue_id id, enum ipc_act verb, struct str account, struct str command);
/* An outcome could not be handed to the spool. */
void record_unsettled(const struct message *m, const struct err *err);
/* The spool stopped taking, or takes again; said once for each change. */
void record_spool(struct queue *q);

#endif
