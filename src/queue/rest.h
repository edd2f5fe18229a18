/*
 * queue/rest.h -- messages at rest: all of them is on disk; here is what finds them, lists them, and wakes them in time.
 *
 * A message is awake (struct message) while something is under way; else it is a slot of 56 octets, linked by numbers
 * (DESIGN 5: at most 128 octets an entry). A slot waits for its time (in a bucket of those due together), in a line (of a
 * sender at a site, of a hop without a plan, of a deliver process), or for nothing (held).
 */
#ifndef QUEUE_REST_H
#define QUEUE_REST_H

#include "core/id.h"
#include "core/list.h"
#include "core/map.h"
#include "core/names.h"
#include "core/wheel.h"

struct queue;
struct message;

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
};

struct rest {
    uint64_t id;
    uint32_t next, prev;   /* slots of the same line or bucket, in a ring with its head; itself: in none */
    uint32_t chain;        /* of the table by id; 0: the end */
    uint32_t due;          /* its time, in ticks of REST_TICK_MSEC since the queue began */
    int32_t born;          /* when it was accepted, in seconds since the queue began; by the clock that does not leap */
    uint32_t hop;          /* name of its next hop, as in schedule.h; 0: none yet */
    uint32_t domain;       /* name of the recipient's domain */
    uint32_t who;          /* name of who sends: whose turn it is */
    uint32_t from, to;     /* rest_hash() of reverse-path and recipient */
    uint16_t recipients;   /* that wait; at most UINT16_MAX */
    uint16_t flags;        /* enum rest_flag */
    uint8_t reason;        /* enum log_reason of the last failure */
    uint8_t attempts;      /* at most UINT8_MAX */
    uint16_t uid;          /* the caller's of sendmail + 1, at most UINT16_MAX, which says: look; 0: none */
};

enum { REST_TICK_MSEC = 100, REST_CHUNK = 4096 };

/* A ring of slots, oldest first. Zero: empty, and without a slot of its own. */
struct rest_line {
    uint32_t head; /* slot of the ring's head; 0: none yet */
    uint32_t n;
};

/* All slots, by id and by number. Numbers begin at 1. */
struct rests {
    struct rest **chunks;
    size_t n_chunks;
    uint32_t used;  /* highest number ever given */
    uint32_t empty; /* those free, by chain */
    uint32_t *heads;
    size_t n_heads; /* a power of two */
    size_t n;       /* messages at rest */
    size_t n_held, n_lined, n_unknown;
    struct names names;       /* of hops, domains, senders */
    struct map buckets;       /* by time */
    struct rest_line waking;  /* due: woken as fast as they can be read */
    struct rest_line unknown; /* to be looked at after a start, in the order of the disk */
    size_t n_reading;         /* being read to be known */
    int64_t began_msec;       /* queue_now() of tick 0 */
};

MUST_USE bool rests_init(struct queue *q, struct err *err);
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
 * Nothing of M is under way and all of it is on disk: it goes to rest until DUE (queue_now(); -1: for nothing), or in
 * LINE if that is given. False: it cannot, and stays awake. On true M is no more.
 */
MUST_USE bool message_rest(struct message *m, int64_t due_msec, struct rest_line *line);
/* It is due now. */
void rest_hasten(struct queue *q, struct rest *r);
/* So many of the oldest of LINE are due now. */
void rest_line_wake(struct queue *q, struct rest_line *line, uint32_t n);
/* All of LINE goes behind TO. */
void rest_line_move(struct queue *q, struct rest_line *line, struct rest_line *to);
/* The line is empty, and is no more. */
void rest_line_done(struct queue *q, struct rest_line *line);
/* Begin reading what is due, as far as memory allows. */
void rests_pump(struct queue *q);

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

#endif
