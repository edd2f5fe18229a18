/* control/log_target.h -- one place the log is written to; it never makes anybody wait. */
#ifndef CONTROL_LOG_TARGET_H
#define CONTROL_LOG_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/buf.h"
#include "io/loop.h"

/* What may wait for a target that takes nothing; beyond, records are counted instead. */
enum { LOG_TARGET_WAITING_MAX = 1 << 20, LOG_TARGET_RETRY_MSEC = 1000 };

/* What a descriptor is, as far as writing without waiting goes. */
enum log_target_way {
    LOG_TARGET_FILE,     /* a file, or a pipe or terminal that is ours and non-blocking */
    LOG_TARGET_SHARED,   /* a pipe or terminal that blocks, because whoever started us has it too */
    LOG_TARGET_STREAM,   /* a stream socket: standard error under systemd */
    LOG_TARGET_DATAGRAM, /* the journal, syslog: one datagram a record */
};

struct log_target {
    struct io_loop *loop;
    struct io_watch watch; /* waits for room */
    struct io_timer retry; /* waits for better times */
    enum config_log_kind kind;
    enum config_log_form form;
    enum config_log_level level;
    enum log_target_way way;
    int fd;
    bool open;
    struct buf waiting; /* lines; or datagrams, each behind its length (u32) */
    uint64_t dropped;   /* records, since the last time this was said */
};

/*
 * Write to FD, which becomes the target's, as HOW says. An open target changes over: what waits goes to the new place
 * when the form is the same. False with ERR: FD is closed, and so is the target.
 */
MUST_USE bool log_target_open(struct log_target *t, struct io_loop *loop, const struct config_log *how, int fd,
                              struct err *err);
/* Takes RECORD in if its level is wanted; nothing is written yet. */
void log_target_add(struct log_target *t, struct str record);
/* One write of all that waits, as far as it goes without waiting; the rest follows by itself. */
void log_target_flush(struct log_target *t);
/* Writes what can be written, closes. Of one never opened too, when it is all zeros. */
void log_target_done(struct log_target *t);

#endif
