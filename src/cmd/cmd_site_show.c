/* cmd/cmd_site_show.c -- veredus site show NAME: one destination, with all the sets of hosts it has. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/site_row.h"
#include "cmd/subcommands.h"

/* "  mx1.example.net,mx2.example.net   veredus.conf:12, 3 connections, 120 waiting; dead: connection refused"
 */
static void print_hosts(struct site_table *t, const json_t *row)
{
    struct buf *out = &t->line;
    int64_t next = text_time_msec(row_text_c(row, "next"));

    buf_add(out, STR("  "));
    text_add(out, &t->screen, row_text(row, "hosts"), 0);
    if (row_has(row, "route"))
        buf_printf(out, "  by %s,", row_text_c(row, "route"));
    buf_printf(out, "  %s connection%s", text_count(row_number(row, "connections")).c,
               row_number(row, "connections") == 1 ? "" : "s");
    buf_printf(out, ", %s waiting", text_count(row_number(row, "waiting")).c);
    if (str_eq(row_text(row, "state"), STR("dead"))) {
        buf_add(out, STR("; dead"));
        if (next > t->now_msec)
            buf_printf(out, ", probe in %s", text_age(next - t->now_msec).c);
        if (row_has(row, "error"))
            buf_printf(out, ": %s", row_text_c(row, "error"));
    }
    text_print(out, &t->screen);
}

static void print_rows(const json_t *rows)
{
    struct site_table table = site_table();
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row) site_measure(&table, row);
    site_heading(&table);
    json_array_foreach(rows, i, row)
    {
        if (row_has(row, "hosts"))
            print_hosts(&table, row);
        else
            site_print(&table, row);
    }
    buf_done(&table.line);
}

int cmd_site_show(const struct cmd_call *call)
{
    json_t *rows = json_array(), *row;
    struct server s = { .fd = -1 };
    struct str line;
    int status = call->argc == 2 ? CMD_OK : cmd_usage(call, call->argc > 2 ? call->argv[2] : NULL);

    if (status != CMD_OK)
        goto out;
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:s}", "command", "site show", "name", call->argv[1]));
    while ((row = server_next(&s, &line))) {
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        json_array_append_new(rows, row);
    }
    status = s.exit;
    if (status == CMD_OK && !call->json)
        print_rows(rows);
    server_close(&s);
out:
    json_decref(rows);
    return status;
}
