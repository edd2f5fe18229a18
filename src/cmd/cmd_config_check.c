/* cmd/cmd_config_check.c -- veredus config check [FILE]: all that is wrong, with place, mark and cure (FACE 1.12). */
#include <stdio.h>

#include "cmd/gateway.h"
#include "cmd/needs.h"
#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/settings.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"

enum { CHECK_MAX = 16 << 20 };

/* ---- for programs ---- */

static json_t *text_of(struct str s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);

    return text ? text : json_string("?");
}

static void print_json(const struct config_diagnostics *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct config_diagnostic *item = &d->items[i];
        json_t *row = json_pack("{s:s,s:o,s:i,s:i,s:o,s:o,s:o}", "level",
                                item->severity == CONFIG_ERROR ? "error" : "warning", "file",
                                text_of(config_diagnostic_file(d, item)), "line", (int)item->place.line, "column",
                                (int)item->place.column, "error", text_of(item->text), "hint", text_of(item->hint),
                                "cure", text_of(item->cure));
        json_dumpf(row, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(row);
    }
}

/* "PATH:LINE: error: TEXT" of a file that is no part of the configuration. */
static void print_json_lines(struct str lines)
{
    while (lines.n) {
        struct str line = str_cut(&lines, '\n');
        bool warning = str_contains(line, STR(": warning: "));
        json_t *row = json_pack("{s:s,s:o}", "level", warning ? "warning" : "error", "error", text_of(line));
        json_dumpf(row, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(row);
    }
}

/* ---- for people ---- */

/* When the running server's configuration was read; empty when there is none, or it does not say. */
static struct text_short running_since(const struct cmd_call *call)
{
    struct text_short since = { "" };
    struct server s;
    json_t *row;

    if (server_open(&s, call, true) == CMD_OK)
        server_ask(&s, json_pack("{s:s}", "command", "status"));
    while ((row = server_next(&s, NULL))) {
        if (str_eq(row_text(row, "process"), STR("main")) && row_has(row, "running"))
            since = text_time(row_text_c(row, "running"));
        json_decref(row);
    }
    server_close(&s);
    return since;
}

static void print_text(const struct cmd_call *call, const struct needs_report *report)
{
    struct config_diagnostics sum = *report->diag;
    struct buf out = BUF_INIT(CHECK_MAX);

    config_diagnostics_render(report->diag, &out);
    buf_add(&out, buf_str(&report->lines));
    sum.errors += report->errors;
    sum.warnings += report->warnings;
    if (!call->quiet || sum.errors) {
        config_diagnostics_count(&sum, &out);
        buf_add_char(&out, '.');
        struct text_short since = sum.errors ? running_since(call) : (struct text_short){ "" };
        if (since.c[0])
            buf_printf(&out, " The running server keeps the configuration of %s.", since.c);
        buf_add_char(&out, '\n');
        fwrite(out.p, 1, out.n, stdout);
    }
    buf_done(&out);
}

int cmd_config_check(const struct cmd_call *call)
{
    struct cmd_call about = *call;
    struct settings s;
    struct needs_report report = { .diag = &s.diag, .lines = BUF_INIT(CHECK_MAX) };

    if (call->argc > 2 || (call->argc > 1 && call->argv[1][0] == '-'))
        return cmd_usage(call, call->argv[call->argc > 2 ? 2 : 1]);
    if (call->argc > 1)
        about.config = call->argv[1];
    int status = settings_read(&s, &about);
    if (status != CMD_OK)
        goto out;
    if (s.config) {
        needs_check(s.config, &report);
        addresses_check(s.config, &report);
        gateway_check(s.config, &report);
    }
    if (call->json) {
        print_json(&s.diag);
        print_json_lines(buf_str(&report.lines));
    } else {
        print_text(&about, &report);
    }
    status = s.config && !s.diag.errors && !report.errors ? CMD_OK : CMD_CONFIG;
out:
    needs_done(&report);
    settings_done(&s);
    return status;
}
