/* control/log_writer.h -- the records of all processes on their way to the targets of the configuration. */
#ifndef CONTROL_LOG_WRITER_H
#define CONTROL_LOG_WRITER_H

#include "control/log_target.h"
#include "control/repeat.h"

enum { LOG_WRITER_TARGETS_MAX = 32 };

struct log_writer {
    struct io_loop *loop;
    struct log_target targets[LOG_WRITER_TARGETS_MAX];
    struct repeat repeat;
    struct io_task flush; /* one write for all records of a turn */
    struct io_timer tick; /* says what was counted */
    uint64_t records;     /* taken in so far */
};

MUST_USE bool log_writer_init(struct log_writer *w, struct io_loop *loop, struct err *err);
/* Target INDEX writes to FD from now on; takes FD. */
MUST_USE bool log_writer_target(struct log_writer *w, size_t index, const struct config_log *how, int fd,
                                struct err *err);
/* Targets from N on are no longer in the configuration. */
void log_writer_keep(struct log_writer *w, size_t n);
/* False: it was counted, not written (repeat.h). */
bool log_writer_record(struct log_writer *w, struct str record);
/* Says what is still counted, writes what can be written. */
void log_writer_settle(struct log_writer *w);
/* The same, and closes all. */
void log_writer_done(struct log_writer *w);
/* Records lost so far that no target has been told of. */
uint64_t log_writer_dropped(const struct log_writer *w);

#endif
