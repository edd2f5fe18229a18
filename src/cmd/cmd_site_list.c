/* cmd/cmd_site_list.c -- veredus site: destinations, their windows, what slows them (FACE 2.1, 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/site_row.h"
#include "cmd/subcommands.h"
#include "core/num.h"

enum { ROWS_SHOWN = 30, ROWS_MAX = 1000000 };

static int usage_of(const struct cmd_call *call, uint64_t *rows)
{
    *rows = ROWS_SHOWN;
    for (int i = 1; i < call->argc; i += 2) {
        const char *value = i + 1 < call->argc ? call->argv[i + 1] : NULL;
        if (strcmp(call->argv[i], "--rows") || !value)
            return cmd_usage(call, call->argv[i]);
        if (!num_parse_u64(str_from_c(value), ROWS_MAX, rows) || !*rows)
            return cmd_fail(CMD_USAGE, "--rows 100", "--rows %s: not a number of rows", value);
    }
    return CMD_OK;
}

static uint64_t weight(const json_t *row)
{
    return row_number(row, "waiting") + row_number(row, "sending");
}

/* Those with the most mail first, then by name. */
static int by_weight(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    uint64_t wx = weight(x), wy = weight(y);

    return wx > wy ? -1 : wx < wy ? 1 : str_cmp(row_text(x, "site"), row_text(y, "site"));
}

static void print_all(json_t *rows, uint64_t shown)
{
    size_t n = json_array_size(rows);
    json_t **sorted = calloc(n + 1, sizeof(json_t *));
    struct site_table table = site_table();

    for (size_t i = 0; sorted && i < n; i++)
        sorted[i] = json_array_get(rows, i);
    if (sorted)
        qsort(sorted, n, sizeof(json_t *), by_weight);
    n = sorted ? n : 0;
    for (size_t i = 0; i < n && i < shown; i++)
        site_measure(&table, sorted[i]);
    site_heading(&table);
    for (size_t i = 0; i < n && i < shown; i++)
        site_print(&table, sorted[i]);
    if (n > shown)
        printf("%s %s more\n", table.screen.utf8 ? "…" : "...", text_count(n - shown).c);
    buf_done(&table.line);
    free(sorted);
}

int cmd_site_list(const struct cmd_call *call)
{
    json_t *rows = json_array(), *row;
    struct server s = { .fd = -1 };
    struct str line;
    uint64_t shown;

    int status = usage_of(call, &shown);
    if (status != CMD_OK)
        goto out;
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s}", "command", "site list"));
    while ((row = server_next(&s, &line))) {
        if (call->json) {
            printf("%.*s\n", STR_ARG(line));
            json_decref(row);
        } else {
            json_array_append_new(rows, row);
        }
    }
    status = s.exit;
    if (status == CMD_OK && !call->json && json_array_size(rows))
        print_all(rows, shown);
    else if (status == CMD_OK && !call->json && !call->quiet)
        printf("no mail has gone to other hosts lately\n");
    server_close(&s);
out:
    json_decref(rows);
    return status;
}
