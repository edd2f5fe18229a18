/*
 * queue/rest.h -- messages at rest: all of them is on disk; here is what finds them, lists them, and wakes them in time.
 *
 * A message is awake (struct message) while something is under way; else it is a slot of 64 octets, linked by numbers
 * (DESIGN 5: at most 128 octets an entry). A slot waits for its time (in a bucket of those due together), in a line (of a
 * sender at a site, of a hop without a plan, of a deliver process), or for nothing (held).
 */
#ifndef QUEUE_REST_H
#define QUEUE_REST_H

#include "core/err.h"
#include "core/id.h"
#include "core/list.h"
#include "core/map.h"
#include "core/names.h"
#include "core/wheel.h"

struct queue;
struct envelope;
struct message;
struct spool_read;

enum rest_flag {
    REST_KNOWN = 1 << 0,     /* the facts below were read; else (soon after a start) the id alone counts */
    REST_HELD = 1 << 1,
    REST_WAKING = 1 << 2,    /* it is being read back */
    REST_SEVERAL = 1 << 3,   /* recipients that wait: HOP, DOMAIN and TO are of the first of them */
    REST_RECOVERED = 1 << 4, /* of struct message: the same bits */
    REST_TRIED = 1 << 5,
    REST_RELEASED = 1 << 6,
    REST_DAMAGED = 1 << 7,   /* set aside: it cannot be read whole */
    REST_LINED = 1 << 8,     /* waits for its site, its plan or its process, not for its time */
    REST_REPORT = 1 << 9,    /* one of our own */
    REST_IN_USE = 1 << 10,
    REST_HEAD = 1 << 11,     /* of a line; no message */
    REST_NOW = 1 << 12,      /* woken out of turn: what its recipients wait for does not count */
    REST_TELLS = 1 << 13,    /* its time is that of telling its sender of the delay */
    REST_EMBARGO = 1 << 14,  /* its time is that of its release, or on the way there (RFC 4865) */
};

struct rest {
    uint64_t id;
    uint32_t next, prev; /* slots of the same line, in a ring with its head; itself: in none */
    uint32_t line;       /* the ring's head; 0: in none */
    uint32_t chain;      /* of the table by id; 0: the end */
    uint32_t due;        /* its time, in ticks of REST_TICK_MSEC since the queue began; of one in line: when its sender is
                            told; 0: never */
    int32_t born;        /* when it was accepted, in seconds since the queue began, by the clock that does not leap */
    uint32_t hop;        /* name of its next hop, as in schedule.h; 0: none yet */
    uint32_t domain;     /* name of the recipient's domain */
    uint32_t who;        /* name of who sends: whose turn it is */
    uint32_t from, to;   /* rest_hash() of reverse-path and recipient */
    uint32_t uid_plus;   /* the caller's of sendmail + 1; 0: none */
    uint16_t recipients; /* that wait; at most UINT16_MAX */
    uint16_t flags;      /* enum rest_flag */
    uint8_t reason;      /* enum log_reason of the last failure, or why it is held */
    uint8_t attempts;    /* at most UINT8_MAX */
};

enum { REST_TICK_MSEC = 100, REST_CHUNK = 4096 };

/*
 * A ring of slots, oldest first. LEFT (may be NULL) is called when one left it; it may free the line when that was the
 * last one. A line may not move while it has any. Zero: empty, and without a head of its own.
 */
struct rest_line {
    uint32_t head; /* slot of the ring's head; 0: none yet */
    uint32_t n;
    uint32_t waking; /* of them, those that are being read back */
    void (*left)(struct queue *q, struct rest_line *line);
};

/* All slots, by id and by number. Numbers begin at 1. */
struct rests {
    struct rest **chunks;
    size_t n_chunks;
    uint32_t used;  /* highest number ever given */
    uint32_t empty; /* those free, by chain */
    uint32_t *heads;
    size_t n_heads; /* a power of two */
    size_t n; /* messages at rest */
    size_t n_held;
    struct names names;       /* of hops, domains, senders */
    struct map buckets;       /* by time */
    struct rest_line waking;  /* due: woken as fast as they can be read */
    struct rest_line unknown; /* to be looked at after a start, in the order of the disk */
    struct rest_line later;   /* could not be read: tried again in a moment */
    size_t n_knowing;         /* being read to be known */
    bool starved;             /* a site could not wake what it has room for */
    struct list wants;
    struct list reading; /* contents of those that are WAKING */
    struct wheel_node moment; /* for those of LATER */
    struct wheel_node look;   /* at those in line whose sender is to be told */
    uint32_t looked;          /* up to this slot */
    int64_t began_msec;       /* queue_now() of tick 0 */
};

MUST_USE bool rests_init(struct queue *q, struct err *err);
/* ---- rest_slot.c: slots and lines ---- */
/* A free slot, which nobody finds yet; 0 without memory. */
uint32_t rest_slot_new(struct rests *rests);
/* One that was not found yet. */
void rest_slot_free(struct rests *rests, uint32_t number);
/* It has its id: it is found. */
void rest_slot_in(struct queue *q, uint32_t number);
/* It is in no line, is not found any more, and free. */
void rest_slot_out(struct queue *q, struct rest *r);
uint32_t rest_number(const struct queue *q, const struct rest *r);
/* The line has its head, so that adding cannot fail; false without memory. */
MUST_USE bool rest_line_begin(struct rests *rests, struct rest_line *line);
void rest_line_in(struct queue *q, struct rest_line *line, struct rest *r);
/* The slot of that number, or of that id; NULL: none. */
struct rest *rest_at(const struct rests *rests, uint32_t number);
struct rest *rest_find(const struct queue *q, struct queue_id id);

/* Every message at rest; BODY may not make or free slots. */
#define REST_FOR(r, rests)                                              \
    for (uint32_t rest_i_ = 1; rest_i_ <= (rests)->used; rest_i_++)     \
        for (const struct rest *r = rest_at((rests), rest_i_);          \
             r && (r->flags & (REST_IN_USE | REST_HEAD)) == REST_IN_USE; r = NULL)

/* Of an address as rest.from and rest.to have it: case does not count. */
uint32_t rest_hash(struct str local, struct str domain);
/* Milliseconds since it was accepted; queue_now() when it is due. */
int64_t rest_age(const struct queue *q, const struct rest *r);
int64_t rest_due(const struct queue *q, const struct rest *r);

/* A message of the spool that nothing is known of yet. False without memory. */
MUST_USE bool rest_unknown(struct queue *q, struct queue_id id, bool held);
/*
 * Nothing of M is under way and all of it is on disk: it goes to rest until its time, or in LINE if that is given.
 * False: it cannot, and stays awake. On true M is no more.
 */
MUST_USE bool message_rest(struct message *m, struct rest_line *line);
/* At the end of a turn: those that are tired go to rest, if they have nothing to do. */
void messages_rest(struct queue *q);
/* It is due now. */
void rest_hasten(struct queue *q, struct rest *r);
/* It could not be read, and is due: in a moment again. */
void rest_later(struct queue *q, struct rest *r);
/* It is read back now, as far as memory allows. False: not now. */
bool rest_wake(struct queue *q, struct rest *r);
/* The oldest of LINE, as many as make WANTED with those that are under way; their number. */
uint32_t rest_line_wake(struct queue *q, struct rest_line *line, uint32_t wanted);
/* Those of FROM are due now. */
void rest_line_hasten(struct queue *q, struct rest_line *from);
/* The first of LINE; NULL: none. */
struct rest *rest_line_first(const struct queue *q, const struct rest_line *line);
/* Behind the others of LINE, out of the one it is in. False without memory: it is where it was. */
MUST_USE bool rest_line_add(struct queue *q, struct rest_line *line, struct rest *r);
/* The line is empty, and is no more. */
void rest_line_done(struct queue *q, struct rest_line *line);
/* Out of its line, if it is in one. */
void rest_alone(struct queue *q, struct rest *r);
/* Until then; false without memory. */
MUST_USE bool rest_wait(struct queue *q, struct rest *r, int64_t due_msec);
/* It is being read back, or no more. */
void rest_waking(struct queue *q, struct rest *r, bool waking);
/* It has the facts of M, read for that, and its time; false without memory. */
MUST_USE bool rest_know(struct queue *q, struct rest *r, const struct message *m);
/* It cannot be read: held, for as long as this queue runs. */
void rest_aside(struct queue *q, struct rest *r);
/* Its message is awake. */
void rest_free(struct queue *q, struct rest *r);
/* Begin reading what is due, what is not known, and what is wanted, as far as memory allows. */
void rests_pump(struct queue *q);
/* The message of that id, awake; read back at once, which blocks: for a queue that has just begun. NULL: none. */
struct message *message_have(struct queue *q, struct queue_id id);
/*
 * One that cannot be read, awake: held, without recipients, good for being removed and for nothing else. NULL: it can be
 * read, there is none, or no memory.
 */
struct message *message_have_damaged(struct queue *q, struct queue_id id);
/* How it stands: "held", "ready", "deferred" (FACE 2.3). */
const char *rest_state(const struct queue *q, const struct rest *r);

/*
 * Somebody who needs a message whole: HAVE is called once, later, with M awake (with envelope and content where it
 * could be read), or NULL when there is no such message or it cannot be had now. M goes to rest again by itself. The
 * want is its owner's, and in no list when HAVE is called.
 */
struct want {
    struct list node;
    struct queue_id id;
    void (*have)(struct want *want, struct message *m);
};
void message_want(struct queue *q, struct queue_id id, struct want *want);
/* A message at rest, from what was read of it (envelope, state), to be looked at; the caller frees it. NULL with ERR. */
struct message *message_view(struct queue *q, const struct rest *r, const struct spool_read *read,
                             const struct envelope *e, struct err *err);
/* M is awake, with its content: those who want it have it. */
void message_wanted(struct message *m);
/* Its content cannot be had now: those who want it do not wait. */
void message_unread(struct message *m);

#endif
