/* main/stop.c -- the end in order: sessions, deliveries, the queue, the log. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "main/server.h"

enum {
    STOP_PATIENCE_MSEC = 20000,
    SESSIONS_PATIENCE_MSEC = 10000,
    LATE_PATIENCE_MSEC = 5000, /* of those whose turn comes after one that had to be killed */
};

static void tell(struct main_server *s, unsigned kinds, uint32_t msec)
{
    bool any = false;

    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (!(kinds & (1U << c->kind)) || c->told_to_stop)
            continue;
        /* One that retires may take its time; now it may not. */
        c->told_to_stop = true;
        c->state = CHILD_ENDING;
        if (c->channel)
            ipc_send_stop(c->channel, &(struct ipc_stop){ .msec = msec });
        any = true;
    }
    if (any && s->stop_late)
        io_timer_start(&s->end, LATE_PATIENCE_MSEC);
}

void stop_begin(struct main_server *s, const char *cause, int exit_code)
{
    if (s->phase == PHASE_STOPPING)
        return;
    notify_systemd("STOPPING=1");
    s->phase = PHASE_STOPPING;
    snprintf(s->stop_cause, sizeof(s->stop_cause), "%s", cause);
    s->exit_code = exit_code;
    io_timer_stop(&s->mend);
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++)
        if (s->posts[i].used)
            io_timer_stop(&s->posts[i].restart);
    io_timer_start(&s->end, STOP_PATIENCE_MSEC);
    tell(s, SET_INTAKE, SESSIONS_PATIENCE_MSEC);
    stop_go_on(s);
}

static void log_stop(struct main_server *s)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_STOP);
    log_text_c(&r, LOG_CAUSE, s->stop_cause);
    log_seconds(&r, LOG_SECONDS, (io_now_msec(s->loop) - s->started_msec) * 1000);
    log_send(&r);
}

/* Each kind ends when nobody is left who would ask it: outcomes reach the queue, records reach control. */
void stop_go_on(struct main_server *s)
{
    if (children_count(s, SET_INTAKE))
        return;
    if (children_count(s, SET_OUTWARD)) {
        tell(s, SET_OUTWARD, SESSIONS_PATIENCE_MSEC);
        return;
    }
    if (children_count(s, SET_QUEUE)) {
        tell(s, SET_QUEUE, SESSIONS_PATIENCE_MSEC);
        return;
    }
    if (children_count(s, SET_LOOKUP | SET_RESOLVE | SET_AUTH | SET_PAM | SET_KEY)) {
        tell(s, SET_LOOKUP | SET_RESOLVE | SET_AUTH | SET_PAM | SET_KEY, SESSIONS_PATIENCE_MSEC);
        return;
    }
    if (children_count(s, SET_CONTROL)) {
        if (child_ready(s, PROCESS_CONTROL))
            log_stop(s);
        tell(s, SET_CONTROL, SESSIONS_PATIENCE_MSEC);
        return;
    }
    io_loop_stop(s->loop);
}

/* Each is named, and killed; the queue and who writes the log, whose turn comes after, still end in order. */
void stop_overdue(struct main_server *s)
{
    s->stop_late = true;
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (!c->told_to_stop || c->pid <= 0)
            continue;
        if (!c->overdue)
            log_process(c->kind, c->pid, "did not end when it was told to, and is killed",
                        c->post ? c->post->restarts : 0);
        c->overdue = true;
        kill(c->pid, SIGKILL);
    }
    io_timer_start(&s->end, LATE_PATIENCE_MSEC);
}
