/* log/log.h -- the log sink of a process. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "log/record.h"

/* Where records of this process go. Never waits. Set once by the program, before the first record. */
struct log_sink {
    void (*write)(struct log_sink *sink, struct str record);
    enum log_level level; /* what is less important is not even built: ask log_wants() */
};

/* NULL: records are dropped (unit tests). */
void log_sink_set(struct log_sink *sink);
bool log_wants(enum log_event event);

/* Begin a record with its event's level and the time now; send it. */
void log_start(struct log_record *r, enum log_event event);
void log_start_level(struct log_record *r, enum log_event event, enum log_level level);
void log_send(const struct log_record *r);
/* Whatever level is wanted: somebody waits for just this. */
void log_send_always(const struct log_record *r);

#endif
