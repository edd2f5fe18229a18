/* control/trace.c -- trace: what the history has of a message, a session, an address; read in slices between turns. */
#include "control/commands.h"

#include <stdlib.h>

#include "log/render.h"

enum {
    TRACE_SLICE = 256 * 1024, /* octets read in a turn: a millisecond, or less */
    TRACE_PATIENCE_MSEC = 60000,
};

struct control_trace {
    struct control_client *client;
    struct io_timer next;
    struct history_query query;
    uint64_t found;
};

static void on_found(void *ctx, struct str record)
{
    struct control_trace *t = ctx;

    t->found++;
    if (log_render(record, LOG_JSON, false, &t->client->out))
        buf_add_char(&t->client->out, '\n');
}

static void trace_end(struct control_client *c)
{
    struct control_trace *t = c->trace;

    if (t->query.damaged)
        client_text(c, "text", STR("a part of the history is damaged and could not be read"));
    if (t->found)
        client_end(c, COMMAND_OK);
    else
        client_fail(c, COMMAND_FOUND, "the history knows nothing of it",
                    "veredus config show history: how far back it reaches");
}

/* Not while the client has enough to read: trace_go_on() comes when it has less. */
static void on_next(struct io_timer *timer)
{
    struct control_trace *t = CONTAINER_OF(timer, struct control_trace, next);
    struct control_client *c = t->client;

    if (c->out.n >= CLIENT_OUT_LOW)
        return;
    client_patience(c, TRACE_PATIENCE_MSEC);
    bool more = c->control->history.open &&
                history_query_step(&t->query, TRACE_SLICE, io_wall_msec(), on_found, t);
    if (c->out.failed) {
        client_fail(c, COMMAND_LATER, "out of memory", "");
    } else if (more) {
        client_arm(c);
        io_timer_start(&t->next, 0);
    } else {
        trace_end(c);
    }
}

static void trace_go_on(struct control_client *c)
{
    io_timer_start(&c->trace->next, 0);
}

/* The one thing that the request names. False: none, or more than one. */
static bool wanted(const struct control_client *c, enum history_kind *kind, struct str *text)
{
    static const char *const names[] = { [HISTORY_ID] = "id", [HISTORY_SESSION] = "session",
                                         [HISTORY_ADDRESS] = "address" };
    unsigned n = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str value = request_text(c, names[i]);
        if (!value.n)
            continue;
        *kind = (enum history_kind)i;
        *text = value;
        n++;
    }
    return n == 1;
}

static bool trace_new(struct control_client *c, enum history_kind kind, struct str text)
{
    struct control_trace *t = calloc(1, sizeof(*t));
    struct err err = { 0 };

    if (!t)
        return false;
    t->client = c;
    if (!io_timer_init(&t->next, worker_of(c)->loop, on_next, &err)) {
        free(t);
        return false;
    }
    c->trace = t;
    return history_query_begin(&t->query, &c->control->history.history, kind, text);
}

static void trace_begin(struct control_client *c, json_t *request)
{
    enum history_kind kind;
    struct str text;

    (void)request;
    control_history_flush(&c->control->history);
    if (!c->control->history.open)
        client_fail(c, COMMAND_FOUND, "there is no history: it is off, or its folder cannot be written",
                    "veredus config show history; the log tells why");
    else if (!wanted(c, &kind, &text))
        client_fail(c, COMMAND_USAGE, "trace what?", "a queue id, an address or a session id");
    else if (!trace_new(c, kind, text))
        client_fail(c, COMMAND_LATER, "out of memory", "");
    else
        on_next(&c->trace->next);
}

static void trace_too_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "the history could not be read in time", "try again");
}

void trace_free(struct control_trace *t)
{
    if (!t)
        return;
    io_timer_done(&t->next);
    history_query_end(&t->query);
    free(t);
}

const struct command command_trace[] = {
    { .name = "trace", .begin = trace_begin, .go_on = trace_go_on, .too_late = trace_too_late },
    { .name = NULL },
};
