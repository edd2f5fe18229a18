/* queue/explain.h -- what the recipients of a message wait for, in groups. Of explain*.c alone. */
#ifndef QUEUE_EXPLAIN_H
#define QUEUE_EXPLAIN_H

#include "queue/queue.h"

enum {
    EXPLAIN_GROUPS_MAX = 64,    /* told one by one */
    EXPLAIN_SHOWN_MAX = 20,     /* addresses of a group */
    EXPLAIN_FRONT_MAX = 100000, /* counted in a line */
    EXPLAIN_TEXT_MAX = 2048,
};

/* What a recipient waits for, the worst first. */
enum cause {
    CAUSE_REPORT,
    CAUSE_HELD,
    CAUSE_DISK,
    CAUSE_OUTAGE,
    CAUSE_DEAD,
    CAUSE_PAUSED,
    CAUSE_RELEASE, /* the time that its sender asked for (RFC 4865) */
    CAUSE_TIME,
    CAUSE_PROCESS,
    CAUSE_PLAN,
    CAUSE_LOOKUP,
    CAUSE_READING,
    CAUSE_RATE,
    CAUSE_WINDOW,
    CAUSE_TURN,
    CAUSE_SENDING,
};

/* Recipients that wait for the same. Texts are in the arena, or of what was read. */
struct group {
    enum cause cause;
    struct str domain; /* of its addresses */
    const struct hop *hop; /* that of this turn; NULL: none known. It may be gone in the next */
    const struct site *site;
    const struct transfer *transfer; /* that has it in hand; NULL: none, or it is not known */
    struct str to[EXPLAIN_SHOWN_MAX];
    size_t n, n_shown;
    struct str local, sender; /* of the first, for lookup */
    struct str own; /* the route that it has of its own; empty: none */
    /* the first recipient's last attempt; the times of those that are next and were first */
    uint32_t attempts, code, warned;
    bool from_peer;
    int64_t first_msec, last_msec, next_msec;
    struct str status, text, host, peer, on_reply;
    enum log_reason reason;
    /* what the site says of it */
    struct str site_name;
    uint32_t named, generation; /* as in struct site */
    uint64_t window, in_front, waiting;
    bool has_site;
    int64_t asked_msec; /* UTC: when its hosts were looked up; 0: not known */
    struct str words;
    /* from lookup */
    bool asked;
    bool routed;
    uint32_t route;
    struct str target, rule;
    bool remote;
    bool secures; /* it goes over what TLS may protect */
};

struct explaining {
    struct list node; /* of the queue's */
    struct spool_read read; /* its texts are borrowed until the end */
    struct queue *queue;
    struct arena *arena; /* this stands in it, too */
    uint32_t instance;   /* of the control that asked */
    uint64_t ticket;
    uint32_t serial; /* of its questions to lookup */
    size_t limit;
    struct group *groups;
    size_t n_groups, n_told, pending;
    size_t left_out; /* recipients of groups that are not told */
    bool awake; /* when it was asked for: at rest by now, more of it is on disk than was read */
    int64_t age_msec;
    bool warnable, report;
    const struct rest *slot; /* where it rests, while it is looked at; NULL: it is awake */
    struct buf rows, hops;
    uint32_t n_hops;
};

/* ---- explain_group.c ---- */
/* Put all recipients of M that wait into groups, the worst cause first. */
void explain_groups(struct explaining *x, const struct message *m, const struct envelope *e);

/* ---- explain_words.c ---- */
const char *explain_cause_name(enum cause cause);  /* for programs */
const char *explain_cause_value(enum cause cause); /* what people read behind "waits for" */
/* What G waits for, as its site or its message says more of it; nothing when there is no more. */
void explain_words(struct buf *out, const struct queue *q, const struct group *g, const struct message *m);
const char *explain_tls_level(enum config_tls_level level);
void explain_put_time(struct buf *out, int64_t msec); /* "4m", "1h20m" */

#endif
