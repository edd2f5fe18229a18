/* cmd/story_message.c -- what became of a message, in one line. */
#include <inttypes.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/story.h"

static void see_recipients(struct story_message *m, const json_t *row)
{
    const json_t *list = json_object_get(row, "rcpt"), *first = json_array_get(list, 0);

    if (!json_is_string(first))
        return;
    m->to = str_of(json_string_value(first), json_string_length(first));
    m->n_to = json_array_size(list);
}

static void see_accept(struct story_message *m, const json_t *row)
{
    see_recipients(m, row);
    m->begin_msec = story_time(row) - row_msec(row, row_has(row, "t_session") ? "t_session" : "t_receive");
    m->state = "waiting";
}

/* DEFERRED has the recipients that are to be tried again, each with its last record. */
static void see_outcome(struct story_message *m, json_t *row, json_t *deferred)
{
    const char *state = story_is(row, "deliver") ? "delivered" : story_is(row, "fail") ? "failed" : "deferred";

    if (story_is(row, "defer"))
        json_object_set(deferred, row_text_c(row, "to"), row);
    else
        json_object_del(deferred, row_text_c(row, "to"));
    if (!m->to.n) {
        m->to = row_text(row, row_has(row, "original") ? "original" : "to");
        m->n_to = 1;
    }
    m->delivered += story_is(row, "deliver");
    m->failed += story_is(row, "fail");
    m->next = row_text(row, "next");
    m->state = state;
}

static bool says(struct str note, const char *old, const char *to)
{
    struct buf words = BUF_INIT(TEXT_MAX);

    buf_printf(&words, "%s to %s", old, to);
    bool found = str_contains(note, buf_str(&words));
    buf_done(&words);
    return found;
}

/* "bob@example.net to bob@example.org": the former address waits no more. One that becomes itself got a route. */
static void see_edit(const json_t *row, json_t *deferred)
{
    struct str note = row_text(row, "note");
    const char *to;
    json_t *record;
    void *next;

    json_object_foreach_safe(deferred, next, to, record)
        if (says(note, to, "") && !says(note, to, to))
            json_object_del(deferred, to);
}

static void see_done(struct story_message *m, const json_t *row)
{
    m->done = true;
    m->delivered = row_number(row, "delivered");
    m->failed = row_number(row, "failed");
    m->state = m->failed ? "failed" : strcmp(m->state, "discarded") ? "delivered" : m->state;
}

static void see_row(struct story_message *m, json_t *row, json_t *deferred)
{
    /* The report about it is another message. */
    if (row_has(row, "id") && m->id.n && !str_eq(row_text(row, "id"), m->id))
        return;
    m->end_msec = story_time(row);
    if (!m->begin_msec)
        m->begin_msec = m->end_msec;
    if (row_has(row, "from") && !m->has_from) {
        m->from = row_text(row, "from");
        m->has_from = true;
    }
    if (row_has(row, "size") && !m->has_size) {
        m->size = row_number(row, "size");
        m->has_size = true;
    }
    if (story_is(row, "accept"))
        see_accept(m, row);
    else if (story_is(row, "deliver") || story_is(row, "defer") || story_is(row, "fail"))
        see_outcome(m, row, deferred);
    else if (story_is(row, "done"))
        see_done(m, row);
    else if (story_is(row, "admin") && str_eq(row_text(row, "action"), STR("edit")))
        see_edit(row, deferred);
    else if (story_is(row, "admin") && str_eq(row_text(row, "action"), STR("release")) && !strcmp(m->state, "held"))
        m->state = "waiting";
    else if (story_is(row, "hold"))
        m->state = "held";
    else if (story_is(row, "discard"))
        m->state = "discarded";
    else if (story_is(row, "report") && !m->to.n) {
        m->to = row_text(row, "to");
        m->n_to = 1;
        m->has_from = true;
    }
}

/* What ended for one recipient has not ended for the others: the next of them to be tried says when. */
static void see_deferred(struct story_message *m, json_t *deferred)
{
    const char *to;
    json_t *row;

    if (m->done || !json_object_size(deferred) || !strcmp(m->state, "held"))
        return;
    m->state = "deferred";
    m->next = STR_NONE;
    json_object_foreach(deferred, to, row) {
        struct str next = row_text(row, "next");
        if (!m->next.n || (next.n && str_cmp(next, m->next) < 0))
            m->next = next;
    }
}

void story_message_of(struct story_message *m, const json_t *rows)
{
    json_t *deferred = json_object(), *row;
    struct str id = m->id;
    size_t i;

    *m = (struct story_message){ .id = id, .state = "waiting" };
    json_array_foreach(rows, i, row)
        see_row(m, row, deferred);
    see_deferred(m, deferred);
    json_decref(deferred);
}

static void add_state(struct buf *out, const struct story_message *m)
{
    struct text_short took = story_duration(m->end_msec - m->begin_msec);

    if (m->done && m->delivered && m->failed)
        buf_printf(out, "%" PRIu64 " delivered, %" PRIu64 " failed in %s", m->delivered, m->failed, took.c);
    else if (!strcmp(m->state, "delivered"))
        buf_printf(out, "delivered in %s", took.c);
    else if (!strcmp(m->state, "failed"))
        buf_printf(out, "failed after %s", took.c);
    else if (!strcmp(m->state, "deferred") && m->next.n)
        buf_printf(out, "deferred, next %s", text_time(m->next.p).c);
    else
        buf_add_c(out, m->state);
}

void story_message_add(struct buf *out, const struct text_screen *screen, const struct story_message *m)
{
    struct str to = m->to.n ? m->to : STR("?");

    text_add(out, screen, !m->has_from ? STR("?") : m->from.n ? m->from : STR("<>"), 0);
    buf_add_c(out, screen->utf8 ? " \xe2\x86\x92 " : " -> ");
    text_add(out, screen, to, 0);
    if (m->n_to > 1)
        buf_printf(out, " +%s", text_count(m->n_to - 1).c);
    if (m->has_size)
        buf_printf(out, ", %s octets", text_count(m->size).c);
    buf_add_c(out, ", ");
    add_state(out, m);
}
