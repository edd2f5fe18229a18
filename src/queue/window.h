/*
 * queue/window.h -- how many connections at once a host bears, found out by what it does (DESIGN 6).
 *
 * The window grows as long as it is used in full and nothing speaks against it. Latency that rises, and 4yz
 * that become more, do not say whose fault they are; so they are answered by a trial: for a while only half
 * of the connections get work. Where half of them bring nearly as much, half is the window from then on (and
 * half of that is tried next); where they bring half, the window is not the cause, what was found remarkable
 * is the norm from now on, and all go on. What is learnt so is a bound for a while; it holds longer each time
 * that it is met again.
 *
 * Neither clock nor descriptor nor memory of its own: times are parameters, milliseconds that do not go back.
 */
#ifndef QUEUE_WINDOW_H
#define QUEUE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"

enum {
    WINDOW_PARTS = 6, /* of the span in which 4yz are counted */
    WINDOW_PART_MSEC = 10000,
    WINDOW_CAUSE_MAX = 64,
};

/* How one transaction ended. */
struct window_sample {
    int64_t now_msec;
    int64_t latency_usec; /* from MAIL to its last reply */
    uint32_t in_use;      /* connections with work, this one included */
    bool put_off;         /* 4yz, or the connection was lost */
    bool failed;          /* 5yz */
};

/* What was seen in a number of transactions. */
struct window_view {
    uint32_t n, put_off;
    uint64_t in_use; /* sum */
    double latency;  /* sum of logarithms, to base 2: one that is slow by far does not outweigh the others */
};

/* The same on average. */
struct window_pace {
    double in_use, latency, good; /* GOOD: share that was not put off */
};

/* Transactions of one part of the span. */
struct window_part {
    int64_t part; /* which one, since the beginning of the clock */
    uint32_t n, put_off, failed;
    uint64_t latency_usec; /* sum */
};

/* Init with window_init(). SIZE may be read, all else is its own. */
struct window {
    double size; /* at least 1 */
    uint32_t start, max;
    struct window_view round; /* of transactions that began after SINCE_MSEC */
    int64_t since_msec;       /* -1: those of more connections are still under way */
    double norm;              /* latency that is usual here, a logarithm */
    bool has_norm;
    double norm_share; /* of 4yz */
    struct window_part parts[WINDOW_PARTS];
    uint32_t on_trial; /* connections that get work meanwhile; 0: no trial */
    struct window_pace before;
    double share;                 /* of 4yz in the last minute, when they were too many */
    char doubt[WINDOW_CAUSE_MAX]; /* why there is a trial */
    double borne;                 /* connections that had work at once */
    int64_t open_msec;            /* none is to be opened before */
    double bound;                 /* not above it */
    int64_t bound_msec;           /* until then */
    int64_t patience_msec;        /* for how long it was set */
    uint32_t said;                /* in the last news */
    char cause[WINDOW_CAUSE_MAX]; /* of the last change */
};

struct window_news {
    uint32_t was, now;
    const char *cause; /* until the window's next change */
};

void window_init(struct window *w, uint32_t start, uint32_t max);
/* Connections that may stand, at least one. */
uint32_t window_connections(const struct window *w);
/* May another one be opened, beside those that stand or are being opened? */
bool window_may_open(const struct window *w, int64_t now_msec, uint32_t standing);
/* Of these, those that may have work: fewer in a trial, at least one. */
uint32_t window_working(const struct window *w);
void window_ended(struct window *w, const struct window_sample *s);
/* A connection could not be opened, while STANDING others stand. BY_REPLY: the host said so (421), else why
 * it was not. */
void window_refused(struct window *w, int64_t now_msec, uint32_t standing, bool by_reply, const char *why);
/* Somebody who knows says that it is too much: half of it, at once. */
void window_slow(struct window *w, int64_t now_msec, const char *why);
/* The host is back after it was unreachable: what was known of it before may be wrong. */
void window_restart(struct window *w, int64_t now_msec);
/* The transactions of the last minute, in one. */
struct window_part window_lately(const struct window *w, int64_t now_msec);
/* Has it changed? Each change is said once, with its cause. */
MUST_USE bool window_news(struct window *w, struct window_news *news);

#endif
