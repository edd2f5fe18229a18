/* cmd/demo/records.h -- the server's log as it grows, and whatever else ends a wait. */
#ifndef CMD_DEMO_RECORDS_H
#define CMD_DEMO_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/demo/place.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"

enum demo_wake {
    DEMO_WAKE_RECORD,
    DEMO_WAKE_TIME,  /* the time is up */
    DEMO_WAKE_CHILD, /* a process of ours has ended */
    DEMO_WAKE_STOP,  /* Ctrl-C, or another signal that asks us to end */
};

struct demo_records {
    int log;
    int changes; /* inotify */
    int signals; /* signalfd */
    struct buf in;
    size_t eaten;
};

/* Takes SIGINT, SIGTERM, SIGHUP and SIGCHLD for itself. Records that stand in the log already are not given. */
MUST_USE bool demo_records_open(struct demo_records *r, const struct demo_place *place, struct err *err);
void demo_records_close(struct demo_records *r);

/*
 * Waits until UNTIL_USEC (io_clock_usec; INT64_MAX: without end) for the next record, which is then the caller's, or for
 * another reason to wake. With UNTIL_USEC in the past what stands in the log is still given.
 */
enum demo_wake demo_records_next(struct demo_records *r, int64_t until_usec, json_t **record);
/* The next record is here already: we are behind. */
bool demo_records_are_behind(const struct demo_records *r);
/* Waits as demo_records_next(), but reads no record. */
enum demo_wake demo_records_sleep(struct demo_records *r, int64_t until_usec);
/* What stands in the log unread is passed over. */
void demo_records_skip(struct demo_records *r);

/* Waits until PID has ended. False: UNTIL_USEC is past. */
MUST_USE bool demo_records_await_end(struct demo_records *r, pid_t pid, int64_t until_usec, int *status);

#endif
