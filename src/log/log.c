/* log/log.c -- the one global of a process beside its program's own: where its records go. */
#include "log/log.h"

#include "io/loop.h"

static struct log_sink *the_sink;

void log_sink_set(struct log_sink *sink)
{
    the_sink = sink;
}

bool log_wants(enum log_event event)
{
    return the_sink && log_event_level(event) <= the_sink->level;
}

void log_start(struct log_record *r, enum log_event event)
{
    log_start_level(r, event, log_event_level(event));
}

void log_start_level(struct log_record *r, enum log_event event, enum log_level level)
{
    log_begin(r, event, level, io_wall_msec());
}

void log_send(const struct log_record *r)
{
    struct log_view v;

    if (the_sink && log_view_open(log_octets(r), &v) && v.level <= the_sink->level)
        the_sink->write(the_sink, log_octets(r));
}

void log_send_always(const struct log_record *r)
{
    if (the_sink)
        the_sink->write(the_sink, log_octets(r));
}
