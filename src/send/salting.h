/* send/salting.h -- SaltedPassword of SCRAM-SHA-256 (RFC 5802 3): reckoned a little at a time, in turn, and kept. */
#ifndef SEND_SALTING_H
#define SEND_SALTING_H

#include "core/err.h"
#include "io/loop.h"
#include "send/pbkdf2.h"

/*
 * The host says how often is iterated, and this process has all other dialogues too: each turn of the loop makes one step
 * of one reckoning, and the next turn one of the next. Who asks for what is being reckoned waits for the same one; what
 * was reckoned is kept, so that the next connection to the same host costs nothing.
 */
enum {
    SALTING_STEP = 2048,     /* iterations: some 0.4 ms */
    SALTING_KEPT = 16,       /* results; the one that was not used for the longest time makes room */
    SALTING_WAITING_MAX = 256, /* reckonings: the last of them is over within minutes, while its host still waits */
    SALTING_NAME = 32,
};

/* What a result is known by: a digest over the mechanism, the secret, the salt and the iterations. */
struct salting_name {
    unsigned char octets[SALTING_NAME];
};

struct salting_kept {
    struct salting_name name;
    unsigned char key[PBKDF2_KEY];
    uint64_t used; /* when, counted in uses; 0: the place is free */
};

struct salting {
    struct io_timer timer;
    struct list waiting; /* reckonings; the first has the next step */
    size_t n;
    uint64_t steps; /* made so far */
    uint64_t uses;
    struct salting_kept kept[SALTING_KEPT];
};

struct salting_reckoning;

/* Embedded in who waits for a key. */
struct salting_ask {
    struct list node;
    struct salting_reckoning *reckoning; /* NULL: it waits for nothing */
    /* Called by the loop, once. KEY: PBKDF2_KEY octets, borrowed; NULL: memory is out. A may be gone when it returns. */
    void (*reckoned)(struct salting_ask *a, const unsigned char *key);
};

struct salting_what {
    struct str secret; /* as SASLprep leaves it */
    struct str salt;
    size_t iterations;
};

enum salting_answer {
    SALTING_NOT,   /* ERR: too many wait, or memory is out */
    SALTING_KNOWN, /* KEY is it; nothing is reckoned */
    SALTING_WAITS, /* A is told */
};

MUST_USE bool salting_init(struct salting *s, struct io_loop *loop, struct err *err);
/* Everything is wiped; nobody who waits is told. */
void salting_done(struct salting *s);
/* WHAT is borrowed while this runs. A: its `reckoned` is set, the rest is filled in here. */
enum salting_answer salting_ask(struct salting *s, const struct salting_what *what, struct salting_ask *a,
                                unsigned char key[PBKDF2_KEY], struct err *err);
/* A is not told any more; what nobody else waits for is not reckoned any more. Does nothing to one that does not wait. */
void salting_cancel(struct salting *s, struct salting_ask *a);

#endif
