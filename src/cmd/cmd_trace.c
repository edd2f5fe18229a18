/* cmd/cmd_trace.c -- veredus trace ID|ADDRESS|SESSION: what happened (FACE 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/live.h"
#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/story.h"
#include "cmd/subcommands.h"
#include "core/id.h"

enum { REAL_DIGITS = 15 };

/* What is traced: the argument as the history has it. */
struct wanted {
    const char *kind; /* "id", "session", "address" */
    char text[512];
};

struct trace {
    struct server server;
    const struct cmd_call *call;
    struct text_screen screen;
};

/* ---- what is meant ---- */

static bool want_id(struct wanted *w, const char *argument)
{
    struct queue_id id;

    if (!queue_id_parse(str_from_c(argument), &id))
        return false;
    w->kind = "id";
    snprintf(w->text, sizeof(w->text), "%s", queue_id_text(id).c);
    return true;
}

static bool want_session(struct wanted *w, const char *argument)
{
    struct session_id id;

    if (!session_id_parse(str_from_c(argument), &id))
        return false;
    w->kind = "session";
    snprintf(w->text, sizeof(w->text), "%s", session_id_text(id).c);
    return true;
}

static void want_address(struct wanted *w, const char *argument)
{
    size_t n = strlen(argument);

    w->kind = "address";
    if (n > 2 && argument[0] == '<' && argument[n - 1] == '>')
        snprintf(w->text, sizeof(w->text), "%.*s", (int)n - 2, argument + 1);
    else
        snprintf(w->text, sizeof(w->text), "%s", argument);
}

/* ---- asking ---- */

/* The records about it, oldest first; empty and t->server.exit when there are none. */
static json_t *rows_of(struct trace *t, const struct wanted *w)
{
    json_t *rows = json_array(), *row;

    t->server.ended = false;
    server_ask(&t->server, json_pack("{s:s,s:s}", "command", "trace", w->kind, w->text));
    while ((row = server_next(&t->server, NULL))) {
        if (row_has(row, "event"))
            json_array_append_new(rows, row);
        else {
            if (row_has(row, "text"))
                fprintf(stderr, "veredus: %s\n", row_text_c(row, "text"));
            json_decref(row);
        }
    }
    return rows;
}

/* ---- one message ---- */

/* Takes OBJECT. Seconds have six decimals at most: more digits would be the machine's, not the log's. */
static void print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    printf("\n");
    json_decref(object);
}

static json_t *text_json(struct str s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);

    return text ? text : json_string("");
}

static json_t *message_json(const struct story_message *m)
{
    json_t *o = json_object();

    json_object_set_new(o, "id", text_json(m->id));
    if (m->has_from)
        json_object_set_new(o, "from", text_json(m->from));
    if (m->to.n)
        json_object_set_new(o, "to", text_json(m->to));
    json_object_set_new(o, "recipients", json_integer((json_int_t)m->n_to));
    if (m->has_size)
        json_object_set_new(o, "size", json_integer((json_int_t)m->size));
    json_object_set_new(o, "state", json_string(m->state));
    if (m->next.n)
        json_object_set_new(o, "next", text_json(m->next));
    json_object_set_new(o, "seconds", json_real((double)(m->end_msec - m->begin_msec) / 1000));
    return o;
}

static void show_story(const struct trace *t, const json_t *rows)
{
    struct story story;

    story_make(&story, rows);
    story_print(&story, &t->screen);
    if (story.failed)
        fprintf(stderr, "veredus: out of memory: lines are missing\n");
    story_done(&story);
}

static void show_message(const struct trace *t, const char *id, json_t *rows)
{
    struct story_message m = { .id = str_from_c(id) };
    struct buf out = BUF_INIT(TEXT_MAX);

    story_message_of(&m, rows);
    if (t->call->json) {
        json_t *o = message_json(&m);
        json_object_set(o, "events", rows);
        print_json(o);
        return;
    }
    buf_printf(&out, "%s  ", id);
    story_message_add(&out, &t->screen, &m);
    text_print(&out, &t->screen);
    show_story(t, rows);
    buf_done(&out);
}

/* ---- one session ---- */

static const json_t *row_with(const json_t *rows, const char *event)
{
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
        if (!strcmp(row_text_c(row, "event"), event))
            return row;
    return NULL;
}

static void show_session(const struct trace *t, const char *session, json_t *rows)
{
    const json_t *any = json_array_get(rows, 0), *end = row_with(rows, "disconnect");
    struct buf out = BUF_INIT(TEXT_MAX);

    if (t->call->json) {
        print_json(json_pack("{s:s,s:O}", "session", session, "events", rows));
        return;
    }
    buf_printf(&out, "%s  %s", session, row_has(any, "uid") ? "a user of this machine" : row_text_c(any, "client"));
    if (row_has(any, "listener"))
        buf_printf(&out, " on %s", row_text_c(any, "listener"));
    if (end) {
        uint64_t n = row_number(end, "messages");
        buf_printf(&out, ", %" PRIu64 " message%s, %" PRIu64 " rejected", n, n == 1 ? "" : "s",
                   row_number(end, "rejected"));
        buf_printf(&out, ", %s after %s", row_text_c(end, "reason"),
                   story_duration(row_msec(end, "seconds")).c);
    }
    text_print(&out, &t->screen);
    show_story(t, rows);
    buf_done(&out);
}

/* ---- an address ---- */

/* The records of each message in a list of its own, by id, in the order of their first; what has no id stays alone. */
static json_t *by_message(json_t *rows)
{
    json_t *groups = json_array(), *seen = json_object(), *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        const char *id = row_text_c(row, "id");
        json_t *group = id[0] ? json_object_get(seen, id) : NULL;
        if (!group) {
            group = json_array();
            json_array_append_new(groups, group);
            if (id[0])
                json_object_set(seen, id, group);
        }
        json_array_append(group, row);
    }
    json_decref(seen);
    return groups;
}

static void show_short(const struct trace *t, const json_t *group)
{
    const json_t *first = json_array_get(group, 0);
    struct story_message m = { .id = row_text(first, "id") };
    struct buf out = BUF_INIT(TEXT_MAX);

    if (t->call->json && m.id.n) {
        story_message_of(&m, group);
        json_t *o = message_json(&m);
        json_object_set(o, "time", json_object_get(first, "time"));
        print_json(o);
        return;
    }
    if (t->call->json) {
        print_json(json_incref((json_t *)(uintptr_t)first));
        return;
    }
    buf_printf(&out, "%s  ", text_time(row_text_c(first, "time")).c);
    if (m.id.n) {
        story_message_of(&m, group);
        buf_printf(&out, "%s  ", row_text_c(first, "id"));
        story_message_add(&out, &t->screen, &m);
    } else {
        buf_printf(&out, "%-12s  ", row_text_c(first, "event"));
        text_add(&out, &t->screen, row_text(first, "from").n ? row_text(first, "from") : STR("<>"), 0);
        buf_add_c(&out, t->screen.utf8 ? " \xe2\x86\x92 " : " -> ");
        text_add(&out, &t->screen, row_text(first, "to").n ? row_text(first, "to") : STR("?"), 0);
        buf_printf(&out, ", session %s, %" PRIu64 " ", row_text_c(first, "session"), row_number(first, "code"));
        text_add(&out, &t->screen, row_text(first, "reply"), 0);
    }
    text_print(&out, &t->screen);
    buf_done(&out);
}

static int show_address(struct trace *t, json_t *rows)
{
    json_t *groups = by_message(rows), *group;
    const char *id = row_text_c(json_array_get(json_array_get(groups, 0), 0), "id");
    int status = t->server.exit;
    struct wanted w;
    size_t i;

    if (json_array_size(groups) == 1 && want_id(&w, id)) {
        json_t *whole = rows_of(t, &w);
        if (json_array_size(whole))
            show_message(t, w.text, whole);
        status = t->server.exit;
        json_decref(whole);
    } else {
        json_array_foreach(groups, i, group)
            show_short(t, group);
    }
    json_decref(groups);
    return status;
}

/* ---- the command ---- */

static int trace_kind(struct trace *t, const struct wanted *w)
{
    json_t *rows = rows_of(t, w);
    int status = t->server.exit;

    if (json_array_size(rows) && !strcmp(w->kind, "id"))
        show_message(t, w->text, rows);
    else if (json_array_size(rows) && !strcmp(w->kind, "session"))
        show_session(t, w->text, rows);
    else if (json_array_size(rows))
        status = show_address(t, rows);
    json_decref(rows);
    return status;
}

static int trace_whatever(struct trace *t, const char *argument)
{
    struct wanted w;
    int status;

    if (want_id(&w, argument))
        return trace_kind(t, &w);
    if (!want_session(&w, argument)) {
        want_address(&w, argument);
        return trace_kind(t, &w);
    }
    /* "postmaster" is written as a session id is. */
    t->server.quiet = true;
    status = trace_kind(t, &w);
    t->server.quiet = false;
    if (status != CMD_FOUND)
        return status;
    want_address(&w, argument);
    return trace_kind(t, &w);
}

static int usage_of(const struct cmd_call *call, const char **what, bool *live)
{
    *what = NULL;
    *live = false;
    for (int i = 1; i < call->argc; i++) {
        if (!strcmp(call->argv[i], "--live"))
            *live = true;
        else if (call->argv[i][0] == '-' || *what || !call->argv[i][0])
            return cmd_usage(call, call->argv[i]);
        else
            *what = call->argv[i];
    }
    return *what ? CMD_OK : cmd_usage(call, NULL);
}

int cmd_trace(const struct cmd_call *call)
{
    struct trace t = { .call = call, .screen = text_screen(), .server = { .fd = -1 } };
    const char *what;
    bool live;
    int status = usage_of(call, &what, &live);

    struct wanted w;

    if (status != CMD_OK)
        return status;
    /* No dialogue names it before its end: one would wait for ever. */
    if (live && want_id(&w, what))
        return cmd_fail(CMD_USAGE, "--live takes a session, an IP address, or the address of a sender or recipient",
                        "'%s' is the id of a message", what);
    status = server_open(&t.server, call, false);
    if (status == CMD_OK)
        status = live ? live_show(&t.server, call, what) : trace_whatever(&t, what);
    server_close(&t.server);
    return status;
}
