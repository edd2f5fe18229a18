/* control/log_writer.c -- in at any time, out once a turn. */
#include "control/log_writer.h"

static void write_now(struct log_writer *w, struct str record)
{
    for (size_t i = 0; i < LOG_WRITER_TARGETS_MAX; i++)
        log_target_add(&w->targets[i], record);
    io_task_post(&w->flush);
}

static void say_counted(struct log_writer *w, int64_t now_msec)
{
    struct log_record sum;

    while (repeat_take(&w->repeat, now_msec, &sum))
        write_now(w, log_octets(&sum));
    if (w->repeat.counting && !io_timer_pending(&w->tick))
        io_timer_start(&w->tick, REPEAT_WINDOW_MSEC);
}

static void on_tick(struct io_timer *t)
{
    struct log_writer *w = CONTAINER_OF(t, struct log_writer, tick);

    say_counted(w, io_now_msec(w->loop));
}

static void flush(struct log_writer *w)
{
    for (size_t i = 0; i < LOG_WRITER_TARGETS_MAX; i++)
        log_target_flush(&w->targets[i]);
}

static void on_flush(struct io_task *t)
{
    flush(CONTAINER_OF(t, struct log_writer, flush));
}

bool log_writer_init(struct log_writer *w, struct io_loop *loop, struct err *err)
{
    *w = (struct log_writer){ .loop = loop };
    io_task_init(&w->flush, loop, on_flush);
    return io_timer_init(&w->tick, loop, on_tick, err);
}

bool log_writer_target(struct log_writer *w, size_t index, const struct config_log *how, int fd, struct err *err)
{
    BUG_ON(index >= LOG_WRITER_TARGETS_MAX);
    return log_target_open(&w->targets[index], w->loop, how, fd, err);
}

void log_writer_keep(struct log_writer *w, size_t n)
{
    for (size_t i = n; i < LOG_WRITER_TARGETS_MAX; i++)
        log_target_done(&w->targets[i]);
}

bool log_writer_record(struct log_writer *w, struct str record)
{
    int64_t now_msec = io_now_msec(w->loop);
    bool passes = repeat_pass(&w->repeat, record, now_msec);

    w->records++;
    if (passes)
        write_now(w, record);
    if (w->repeat.counting)
        say_counted(w, now_msec);
    return passes;
}

void log_writer_settle(struct log_writer *w)
{
    /* Every second is over when all is. */
    say_counted(w, INT64_MAX);
    flush(w);
}

void log_writer_done(struct log_writer *w)
{
    log_writer_settle(w);
    log_writer_keep(w, 0);
    repeat_done(&w->repeat);
    io_task_done(&w->flush);
    io_timer_done(&w->tick);
}

uint64_t log_writer_dropped(const struct log_writer *w)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < LOG_WRITER_TARGETS_MAX; i++)
        sum += w->targets[i].dropped;
    return sum;
}
