/* cmd/cmd_status.c -- veredus status: one screen; is it well, what is not, since when. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "io/loop.h"

enum { NAMES_MAX = 4096 };
enum { LABEL_WIDTH = 15, NAME_WIDTH = 10, PID_WIDTH = 9, UP_WIDTH = 8, RESTARTS_WIDTH = 10 };

/* Fields of a process row that have a place of their own; the others are figures. */
static const char *const placed[] = {
    "event", "process", "pid", "instance", "state", "since", "restarts", "account", "lacks", "version",
    "config", "running", "listeners", "error", "spool",
};

/* ---- gathering ---- */

static bool same_process(const json_t *a, const json_t *b)
{
    return str_eq(row_text(a, "process"), row_text(b, "process")) &&
           (!row_has(b, "instance") || row_number(a, "instance") == row_number(b, "instance"));
}

/* What main knows of a process and what that says itself become one row. */
static void take_process(json_t *processes, json_t *row)
{
    json_t *known;
    size_t i, at = 0;

    json_array_foreach(processes, i, known) {
        if (same_process(known, row)) {
            json_object_update(known, row);
            return;
        }
        /* In the order in which they were started; main has no instance. */
        if (row_number(known, "instance") <= row_number(row, "instance"))
            at = i + 1;
    }
    json_array_insert(processes, at, row);
}

/* {"processes":[...],"spool":{...}} and, by their event, lists of what else came. */
static void take_row(json_t *all, json_t *row)
{
    const char *event = row_text_c(row, "event");

    if (!strcmp(event, "process_status")) {
        json_object_del(row, "event");
        take_process(json_object_get(all, "processes"), row);
    } else if (!strcmp(event, "spool_status")) {
        json_object_del(row, "event");
        json_object_set(all, "spool", row);
    } else if (event[0]) {
        json_t *list = json_object_get(all, event);
        if (!list) {
            json_object_set_new(all, event, json_array());
            list = json_object_get(all, event);
        }
        json_object_del(row, "event");
        json_array_append(list, row);
    }
}

/* ---- judging ---- */

/* Processes that deliver come and go with the mail; all others are there for as long as the server is. */
static bool is_late(const json_t *process)
{
    return str_eq(row_text(process, "state"), STR("starting")) &&
           !str_eq(row_text(process, "process"), STR("deliver"));
}

/* A file of users or aliases of which not all is known to the server. */
static void judge_table(const json_t *table, json_t *complaints)
{
    struct str state = row_text(table, "state");

    if (state.n && !str_eq(state, STR("answering")) && !str_eq(state, STR("awaited")))
        json_array_append_new(complaints, json_sprintf("%s is %s: see veredus config check",
                                                       row_text_c(table, "table"), row_text_c(table, "state")));
}

/* The names that a certificate is for, else its file: "mail.example.org,mx.example.org". */
static void put_certificate(struct buf *out, const json_t *certificate)
{
    const json_t *name;
    size_t i;

    json_array_foreach(json_object_get(certificate, "names"), i, name)
        buf_printf(out, "%s%s", i ? "," : "", json_string_value(name));
    if (!json_array_size(json_object_get(certificate, "names")))
        buf_add_c(out, row_text_c(certificate, "file"));
}

static void judge_certificate(const json_t *certificate, json_t *complaints)
{
    static const struct {
        const char *state;
        const char *words;
    } rows[] = {
        { "missing", "cannot be had: no TLS with it" },
        { "kept", "has changed and is of no use now: the one before stays" },
        { "expired", "has ended" },
        { "expiring", "ends soon" },
    };
    struct buf name = BUF_INIT(NAMES_MAX);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(row_text_c(certificate, "state"), rows[i].state) != 0)
            continue;
        put_certificate(&name, certificate);
        json_array_append_new(complaints,
                              json_sprintf("the certificate of %.*s %s: see veredus config check",
                                           (int)name.n, name.p ? name.p : "", rows[i].words));
    }
    buf_done(&name);
}

/* Of the silence of main, which knows all numbers, control tells without one. */
static void judge_process(const json_t *row, json_t *complaints)
{
    const char *name = row_text_c(row, "process"), *error = row_text_c(row, "error");

    if (row_has(row, "error") && row_number(row, "pid"))
        json_array_append_new(complaints, json_sprintf("%s (pid %d) %s", name, (int)row_number(row, "pid"), error));
    else if (row_has(row, "error"))
        json_array_append_new(complaints, json_sprintf("%s %s", name, error));
    else if (is_late(row))
        json_array_append_new(complaints, json_sprintf("%s is not ready", name));
}

/* While it is between two lives it has no row; all others can be missed for a moment. */
static void judge_queue(const json_t *all, json_t *complaints)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(all, "processes"), i, row)
        if (str_eq(row_text(row, "process"), STR("queue")))
            return;
    json_array_append_new(complaints, json_string("the queue process is away and is being started again: the log "
                                                  "says why (event=process process=queue)"));
}

/* Adds a sentence for all that is not well. */
static void judge(const json_t *all, json_t *complaints)
{
    const json_t *spool = json_object_get(all, "spool"), *row;
    struct str state = row_text(spool, "state");
    size_t i;

    json_array_foreach(json_object_get(all, "processes"), i, row)
        judge_process(row, complaints);
    judge_queue(all, complaints);
    json_array_foreach(json_object_get(all, "table"), i, row)
        judge_table(row, complaints);
    json_array_foreach(json_object_get(all, "certificate"), i, row)
        judge_certificate(row, complaints);
    if (state.n && !str_eq(state, STR("ok")))
        json_array_append_new(complaints,
                              json_sprintf("the spool is %s%s%s", row_text_c(spool, "state"),
                                           row_has(spool, "cause") ? ": " : "", row_text_c(spool, "cause")));
}

/* ---- showing ---- */

static const json_t *process_named(const json_t *all, const char *name)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(all, "processes"), i, row)
        if (!strcmp(row_text_c(row, "process"), name))
            return row;
    return NULL;
}

static void put_figure(struct buf *out, const struct text_screen *screen, const char *name, const json_t *value)
{
    buf_printf(out, "%s ", name);
    if (json_is_string(value))
        text_add(out, screen, str_of(json_string_value(value), json_string_length(value)), 0);
    else if (json_is_integer(value) && json_integer_value(value) >= 0)
        buf_add_c(out, text_count((uint64_t)json_integer_value(value)).c);
    else if (json_is_number(value))
        buf_printf(out, "%.3g", json_number_value(value));
    else if (json_is_boolean(value))
        buf_add_c(out, json_is_true(value) ? "yes" : "no");
}

static bool has_place(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(placed); i++)
        if (!strcmp(name, placed[i]))
            return true;
    return false;
}

/* "sessions 12, accepted 1,204" */
static void put_figures(struct buf *out, const struct text_screen *screen, json_t *row)
{
    const char *name, *mark = "";
    json_t *value;

    json_object_foreach(row, name, value) {
        if (has_place(name))
            continue;
        buf_add_c(out, mark);
        put_figure(out, screen, name, value);
        mark = ", ";
    }
}

static void label(struct buf *out, const struct text_screen *screen, const char *name)
{
    text_cell(out, screen, str_from_c(name), LABEL_WIDTH, false);
}

static void show_head(const json_t *all, const json_t *complaints, const struct text_screen *screen, struct buf *out)
{
    const json_t *main_row = process_named(all, "main"), *complaint;
    const char *since = row_text_c(main_row, "since");
    bool well = !json_array_size(complaints);
    size_t i;

    text_paint(out, screen, TEXT_LOUD);
    buf_printf(out, "veredus %s ", row_text_c(main_row, "version"));
    text_paint(out, screen, TEXT_PLAIN);
    text_paint(out, screen, well ? TEXT_GOOD : TEXT_BAD);
    buf_add_c(out, well ? "is well" : "is not well");
    text_paint(out, screen, TEXT_PLAIN);
    if (since[0])
        buf_printf(out, ", up since %s (%s)", text_time(since).c, text_age(io_wall_msec() - text_time_msec(since)).c);
    text_print(out, screen);
    json_array_foreach(complaints, i, complaint) {
        label(out, screen, "  not well");
        text_add(out, screen, str_from_c(json_string_value(complaint)), 0);
        text_print(out, screen);
    }
}

static void show_settings(const json_t *all, const struct text_screen *screen, struct buf *out)
{
    const json_t *main_row = process_named(all, "main");

    label(out, screen, "configuration");
    text_add(out, screen, row_text(main_row, "config"), 0);
    if (row_has(main_row, "running"))
        buf_printf(out, " of %s", text_time(row_text_c(main_row, "running")).c);
    text_print(out, screen);
    if (json_array_size(json_object_get(main_row, "listeners"))) {
        const json_t *name;
        size_t i;
        label(out, screen, "listeners");
        json_array_foreach(json_object_get(main_row, "listeners"), i, name) {
            buf_add_c(out, i ? ", " : "");
            text_add(out, screen, str_from_c(json_string_value(name)), 0);
        }
        text_print(out, screen);
    }
}

static void show_certificates(const json_t *all, const struct text_screen *screen, struct buf *out)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(all, "certificate"), i, row) {
        struct buf name = BUF_INIT(NAMES_MAX);
        label(out, screen, i ? "" : "certificates");
        put_certificate(&name, row);
        text_add(out, screen, buf_str(&name), 0);
        if (row_has(row, "until"))
            buf_printf(out, " until %s", text_time(row_text_c(row, "until")).c);
        text_print(out, screen);
        buf_done(&name);
    }
}

static void show_spool(json_t *all, const struct text_screen *screen, struct buf *out)
{
    json_t *spool = json_object_get(all, "spool");

    if (!spool)
        return;
    label(out, screen, "spool");
    text_add(out, screen, row_text(spool, "state"), 0);
    json_t *rest = json_copy(spool);
    json_object_del(rest, "state");
    if (json_object_size(rest)) {
        buf_add_c(out, ": ");
        put_figures(out, screen, rest);
    }
    json_decref(rest);
    text_print(out, screen);
    if (row_number(spool, "held")) {
        label(out, screen, "held");
        buf_printf(out, "%s %s: see veredus queue", text_count(row_number(spool, "held")).c,
                   row_number(spool, "held") == 1 ? "message" : "messages");
        text_print(out, screen);
    }
}

static void show_process(json_t *row, const struct text_screen *screen, struct buf *out)
{
    char text[TEXT_SHORT];

    text_cell(out, screen, row_text(row, "process"), NAME_WIDTH, false);
    snprintf(text, sizeof(text), "%" PRIu64, row_number(row, "pid"));
    text_cell(out, screen, str_from_c(row_has(row, "pid") ? text : ""), PID_WIDTH, false);
    if (row_has(row, "since"))
        snprintf(text, sizeof(text), "%s", text_age(io_wall_msec() - text_time_msec(row_text_c(row, "since"))).c);
    else
        text[0] = '\0';
    text_cell(out, screen, str_from_c(text), UP_WIDTH, false);
    snprintf(text, sizeof(text), "%" PRIu64, row_number(row, "restarts"));
    text_cell(out, screen, str_from_c(row_has(row, "restarts") ? text : ""), RESTARTS_WIDTH, false);
    if (row_text(row, "state").n && !str_eq(row_text(row, "state"), STR("ready")))
        buf_printf(out, "%s  ", row_text_c(row, "state"));
    put_figures(out, screen, row);
    text_print(out, screen);
}

/* "not in force: landlock for receive, queue": once for each rule, whoever it concerns. */
static void show_lacks(const json_t *all, const struct text_screen *screen, struct buf *out)
{
    json_t *rules = json_object();
    const char *rule;
    json_t *row, *names;
    size_t i;

    json_array_foreach(json_object_get(all, "processes"), i, row) {
        const char *lacks = row_text_c(row, "lacks"), *name = row_text_c(row, "process");
        const char *so_far = json_string_value(json_object_get(rules, lacks));
        if (!lacks[0] || (so_far && str_contains(str_from_c(so_far), str_from_c(name))))
            continue;
        json_object_set_new(rules, lacks, json_sprintf("%s%s%s", so_far ? so_far : "", so_far ? ", " : "", name));
    }
    json_object_foreach(rules, rule, names) {
        label(out, screen, "not in force");
        text_add(out, screen, str_from_c(rule), 0);
        buf_printf(out, " (%s)", json_string_value(names));
        text_print(out, screen);
    }
    json_decref(rules);
}

static void show(json_t *all, const json_t *complaints)
{
    struct text_screen screen = text_screen();
    struct buf out = BUF_INIT(TEXT_MAX);
    json_t *row;
    size_t i;

    show_head(all, complaints, &screen, &out);
    show_settings(all, &screen, &out);
    show_certificates(all, &screen, &out);
    show_spool(all, &screen, &out);
    show_lacks(all, &screen, &out);
    printf("\n");
    text_paint(&out, &screen, TEXT_FAINT);
    text_cell(&out, &screen, STR("PROCESS"), NAME_WIDTH, false);
    text_cell(&out, &screen, STR("PID"), PID_WIDTH, false);
    text_cell(&out, &screen, STR("UP"), UP_WIDTH, false);
    text_cell(&out, &screen, STR("RESTARTS"), RESTARTS_WIDTH, false);
    text_print(&out, &screen);
    json_array_foreach(json_object_get(all, "processes"), i, row)
        show_process(row, &screen, &out);
    buf_done(&out);
}

int cmd_status(const struct cmd_call *call)
{
    json_t *all = json_pack("{s:[]}", "processes"), *complaints = json_array(), *row;
    struct server s = { .fd = -1 };
    int status;

    if (call->argc > 1) {
        status = cmd_usage(call, call->argv[1]);
        goto out;
    }
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s}", "command", "status"));
    while ((row = server_next(&s, NULL))) {
        take_row(all, row);
        json_decref(row);
    }
    status = s.exit;
    if (status != CMD_OK && status != CMD_FOUND)
        goto out;
    judge(all, complaints);
    if (json_array_size(complaints))
        status = CMD_FOUND;
    if (call->json) {
        json_object_set_new(all, "well", json_boolean(status == CMD_OK));
        json_object_set(all, "complaints", complaints);
        json_dumpf(all, stdout, JSON_COMPACT);
        printf("\n");
    } else if (!call->quiet) {
        show(all, complaints);
    }
out:
    server_close(&s);
    json_decref(all);
    json_decref(complaints);
    return status;
}
