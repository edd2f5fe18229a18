/* cmd/explain_tries.c -- what `explain ID` says of the attempts so far: the last one whole, of the others when they were. */
#include <inttypes.h>
#include <string.h>

#include "cmd/explain_view.h"
#include "cmd/row.h"

enum { TIMES_SHOWN = 8 };

/* What was said is not what is done: which line of the configuration decided. */
static void print_on_reply(struct view *v, const json_t *group)
{
    struct str action = row_text(group, "on_reply");
    struct buf *out = &v->words;

    if (!action.n)
        return;
    buf_clear(out);
    buf_add(out, row_text(group, "on_reply_rule"));
    if (str_eq(action, STR("defer")))
        buf_printf(out, ": a %" PRIu64 " like this is tried again", row_number(group, "code"));
    explain_line(v, "on-reply", action, buf_str(out));
}

/* The record of attempt NUMBER at the first recipient of GROUP; NULL: the history has none. */
static const json_t *record_of(const struct view *v, const json_t *group, uint64_t number)
{
    const char *first = json_string_value(json_array_get(json_object_get(group, "to"), 0));
    const json_t *row;
    size_t i;

    json_array_foreach(v->attempts, i, row)
        if (first && row_number(row, "attempt") == number && str_eq(row_text(row, "to"), str_from_c(first)))
            return row;
    return NULL;
}

/* Where in the dialogue it was: " to RCPT" for a reply, " at RCPT" for silence. */
static void put_stage(struct buf *out, const json_t *record, bool spoke)
{
    static const struct {
        const char *stage, *words;
    } stages[] = {
        { "ehlo", "EHLO" }, { "starttls", "STARTTLS" }, { "auth", "AUTH" }, { "mail", "MAIL" },
        { "rcpt", "RCPT" }, { "data", "DATA" },         { "final", "the message" },
    };
    struct str stage = record ? row_text(record, "stage") : STR_NONE;

    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        if (str_eq(stage, str_from_c(stages[i].stage)))
            buf_printf(out, " %s %s", spoke ? "to" : "at", stages[i].words);
}

/* Who was tried last: "mx1.example.net [203.0.113.10] to RCPT:"; nothing where nobody was reached. */
static void put_host(struct view *v, const json_t *group, bool spoke)
{
    struct buf *out = &v->words;

    buf_clear(out);
    buf_add(out, row_text(group, "host"));
    if (row_has(group, "peer") && !str_starts(row_text(group, "host"), STR("[")))
        buf_printf(out, "%s[%s]", out->n ? " " : "", row_text_c(group, "peer"));
    if (!out->n)
        return;
    put_stage(out, record_of(v, group, row_number(group, "attempts")), spoke);
    buf_add_char(out, ':');
}

/* The times of N attempts, the first and the last ones of many; false: the history does not know all of them. */
static bool put_times(struct view *v, const json_t *group, uint64_t n)
{
    struct buf *out = &v->words;
    struct text_short room;

    buf_clear(out);
    for (uint64_t i = 1; i <= n; i++) {
        const json_t *row = record_of(v, group, i);
        if (!row)
            return false;
        if (!v->all && n > TIMES_SHOWN && i == TIMES_SHOWN / 2 + 1) {
            buf_add_c(out, v->screen.utf8 ? " \xe2\x80\xa6" : " ...");
            i = n - TIMES_SHOWN / 2;
            continue;
        }
        struct str when = explain_short_time(v, row_text_c(row, "time"), &room);
        buf_printf(out, "%s%.*s", i > 1 ? " " : "", STR_ARG(when));
    }
    return true;
}

static void print_before(struct view *v, const json_t *group, uint64_t n)
{
    struct text_short count = text_count(n), room;
    struct buf attempts = BUF_INIT(TEXT_SHORT * 2);

    buf_printf(&attempts, "%s attempt%s", count.c, n == 1 ? "" : "s");
    if (!put_times(v, group, n)) {
        struct str first = explain_short_time(v, row_text_c(group, "first"), &room);
        buf_clear(&v->words);
        buf_printf(&v->words, n == 1 ? "at %.*s" : "since %.*s", STR_ARG(first));
    }
    explain_line(v, "before", buf_str(&attempts), buf_str(&v->words));
    buf_done(&attempts);
}

/* Code, enhanced code and text as they were said, or what went wrong. */
static void put_reply(struct view *v, const json_t *group, bool spoke)
{
    struct buf *out = &v->words;

    buf_clear(out);
    if (spoke && row_has(group, "code"))
        buf_printf(out, "%" PRIu64 " ", row_number(group, "code"));
    if (row_has(group, "status"))
        buf_printf(out, "%s ", row_text_c(group, "status"));
    buf_add(out, row_text(group, spoke ? "reply" : "error"));
}

void explain_tries(struct view *v, const json_t *group)
{
    uint64_t attempts = row_number(group, "attempts");
    bool spoke = row_has(group, "reply");
    struct buf *out = &v->words;
    struct text_short room;

    if (!attempts) {
        explain_line(v, "last try", STR("none"), STR("it has not been tried yet"));
        return;
    }
    struct str last = explain_short_time(v, row_text_c(group, "last"), &room);
    put_host(v, group, spoke);
    bool alone = !out->n;
    if (!alone)
        explain_line(v, "last try", last, buf_str(out));
    put_reply(v, group, spoke);
    struct str said = str_trim(buf_str(out)).n ? buf_str(out) : STR(" ");
    explain_line(v, alone ? "last try" : "", alone ? last : STR(""), said);
    print_on_reply(v, group);
    if (attempts > 1)
        print_before(v, group, attempts - 1);
}
