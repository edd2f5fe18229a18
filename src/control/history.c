/* control/history.c -- records are written some at a time; a disk that does not take them costs records, and nobody waits. */
#include "control/history.h"

#include <errno.h>
#include <stdio.h>

#include "log/log.h"

static void say(const char *state, const char *error, uint64_t dropped)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_HISTORY);
    log_text_c(&r, LOG_STATE, state);
    if (dropped)
        log_number(&r, LOG_DROPPED, (int64_t)dropped);
    if (error)
        log_text_c(&r, LOG_ERROR, error);
    log_send(&r);
}

static struct history_limits limits_of(const struct config *config)
{
    return (struct history_limits){ (int64_t)config->history.msec, config->history.octets };
}

static void history_begin(struct control_history *ch, const struct config *config)
{
    struct history_limits limits = limits_of(config);
    struct err err = { 0 };

    ch->open = history_open(&ch->history, ch->disk, &limits, io_wall_msec(), &err);
    if (ch->open)
        io_timer_start(&ch->timer, HISTORY_TIDY_MSEC);
    else
        say("stopped", err.text, 0);
}

static void history_end(struct control_history *ch)
{
    if (ch->open)
        history_close(&ch->history);
    ch->open = false;
    io_timer_stop(&ch->timer);
}

/* ---- turns ---- */

void control_history_flush(struct control_history *ch)
{
    struct err err = { 0 };

    if (!ch->open)
        return;
    io_timer_stop(&ch->write);
    if (history_flush(&ch->history, io_wall_msec(), &err))
        return;
    say("stopped", err.text, 0);
    io_timer_start(&ch->timer, HISTORY_RETRY_MSEC);
}

static void on_write(struct io_timer *t)
{
    control_history_flush(CONTAINER_OF(t, struct control_history, write));
}

static void on_timer(struct io_timer *t)
{
    struct control_history *ch = CONTAINER_OF(t, struct control_history, timer);
    bool stopped = ch->history.stopped;

    if (!ch->open)
        return;
    if (!stopped) {
        history_tidy(&ch->history, io_wall_msec());
    } else if (history_again(&ch->history, io_wall_msec())) {
        say("ok", NULL, ch->history.figures.dropped);
        stopped = false;
    }
    io_timer_start(&ch->timer, stopped ? HISTORY_RETRY_MSEC : HISTORY_TIDY_MSEC);
}

void control_history_record(struct control_history *ch, struct str record)
{
    struct log_view v;

    /* The story of connections is for those who look at them now (FACE 3.1): it would push out that of mail. */
    if (!ch->open || !log_view_open(record, &v) || v.level > LOG_LEVEL_INFO)
        return;
    history_add(&ch->history, record);
    if (history_is_due(&ch->history))
        control_history_flush(ch);
    else if (!io_timer_pending(&ch->write))
        io_timer_start(&ch->write, HISTORY_WRITE_MSEC);
}

/* ---- life ---- */

void control_history_start(struct control_history *ch, struct io_loop *loop, const struct config *config)
{
    struct err err = { 0 };

    *ch = (struct control_history){ .loop = loop };
    if (!io_timer_init(&ch->write, loop, on_write, &err) || !io_timer_init(&ch->timer, loop, on_timer, &err))
        goto fail;
    if (snprintf(ch->path, sizeof(ch->path), "%.*s/history", STR_ARG(config->state.text)) >= (int)sizeof(ch->path)) {
        err_perm(&err, "state: too long a path");
        goto fail;
    }
    ch->disk = history_disk_open(ch->path, &err);
    /* Where main could not make it, it said why. */
    if (!ch->disk && err.sys != ENOENT)
        goto fail;
    control_history_config(ch, config);
    return;
fail:
    if (!config->history.off)
        say("stopped", err.text, 0);
}

void control_history_sandbox(const struct control_history *ch, struct sandbox *box)
{
    if (ch->disk)
        box->paths[box->n_paths++] = (struct sandbox_path){ ch->path, SANDBOX_WRITE };
}

void control_history_config(struct control_history *ch, const struct config *config)
{
    struct history_limits limits = limits_of(config);

    if (!ch->disk)
        return;
    if (config->history.off)
        history_end(ch);
    else if (ch->open)
        history_limit(&ch->history, &limits, io_wall_msec());
    else
        history_begin(ch, config);
}

void control_history_done(struct control_history *ch)
{
    if (!ch->loop)
        return;
    history_end(ch);
    history_disk_close(ch->disk);
    ch->disk = NULL;
    io_timer_done(&ch->write);
    io_timer_done(&ch->timer);
}
