/* message/progress.h -- how far each recipient of a message has come, as octets of the spool (DESIGN 2, recipient). Pure. */
#ifndef MESSAGE_PROGRESS_H
#define MESSAGE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

/*
 * The body of an outcome record: the whole state of all recipients, fields as in message/envelope.h. Recipients that
 * still wait for their first attempt are left out.
 */
enum progress_state {
    PROGRESS_WAITING,   /* for its next attempt */
    PROGRESS_DELIVERED,
    PROGRESS_FAILED,    /* for good; kept until somebody decides, or until its report is written */
    PROGRESS_EXPANDED,  /* replaced by what it became */
    PROGRESS_RETURNED,  /* failed, and its sender was told, or nobody is to be */
};

enum { PROGRESS_TEXT_MAX = 400 };

struct progress {
    uint32_t number; /* of the recipient in the envelope */
    enum progress_state state;
    uint32_t attempts;
    uint32_t deaths;    /* of processes that had it in hand */
    int64_t last_msec;  /* UTC of the last attempt's end; 0: none */
    struct str status;  /* enhanced code of the last attempt */
    struct str text;    /* its reply or error */
    int64_t first_msec; /* UTC of the first attempt's end; 0: none */
    int64_t next_msec;  /* UTC when it is due again; 0: now */
    uint32_t code;      /* the peer's reply code in the last attempt; 0: none spoke */
    uint32_t warned;    /* delay warnings sent */
    bool from_peer;     /* TEXT is the peer's words */
    struct str host;    /* contacted in the last attempt; empty: none */
    struct str peer;    /* its address */
    struct str site;    /* that it waited for */
    struct str reason;  /* of the failure, as the log names it */
    struct str on_reply; /* what the configuration made of that reply: "defer veredus.conf:12"; empty: nothing */
    bool released;      /* by the administrator: routes that say hold are passed over */
    bool early;         /* by the administrator: its release time (RFC 4865) does not count */
    int64_t warn_msec;  /* the age at which its sender is told of the delay next, as its route has it; 0: unknown, -1: never */
};

MUST_USE bool progress_encode(struct buf *out, const struct progress *items, size_t n);
/* *items in A, texts borrowed from IN. */
MUST_USE bool progress_decode(struct str in, struct arena *a, struct progress **items, size_t *n, struct err *err);

#endif
