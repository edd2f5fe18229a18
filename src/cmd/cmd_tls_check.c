/* cmd/cmd_tls_check.c -- veredus tls check DOMAIN: what a delivery there would see of TLS, host by host (FACE 2.3). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "core/utc.h"

static bool is_refused(const json_t *row)
{
    return str_eq(row_text(row, "state"), STR("refused"));
}

static bool is_in_clear(const json_t *row)
{
    return str_eq(row_text(row, "state"), STR("clear"));
}

static size_t usable(const json_t *rows)
{
    size_t n = 0, i;
    const json_t *row;

    json_array_foreach(rows, i, row) n += !is_refused(row);
    return n;
}

static const char *how(const json_t *row)
{
    if (is_in_clear(row))
        return "in clear";
    return json_is_true(json_object_get(row, "verified")) ? "in TLS, and its certificate is what it should be"
                                                          : "in TLS, whatever its certificate is";
}

static void print_head(struct buf *line, const struct text_screen *screen, const char *name, const json_t *rows)
{
    const json_t *row;
    size_t i;

    text_add(line, screen, str_from_c(name), 0);
    json_array_foreach(rows, i, row)
    {
        if (is_refused(row))
            continue;
        buf_printf(line, ": a message would go to %s, %s (tls-level %s)", row_text_c(row, "host"), how(row),
                   row_text_c(row, "tls_level"));
        text_print(line, screen);
        return;
    }
    buf_add(line, STR(": a message would have to wait"));
    text_print(line, screen);
}

/* Whether UNTIL, a certificate's last second, is over. */
static bool is_over(const char *until)
{
    int64_t msec;

    return utc_parse(str_from_c(until), &msec) && msec / 1000 < time(NULL);
}

/* "    TLS       TLSv1.3, TLS_AES_256_GCM_SHA384, mx1.example.net until 2027-01-30" */
static void print_tls(struct buf *line, const struct text_screen *screen, const json_t *row)
{
    const json_t *names = json_object_get(row, "names");
    const char *name = json_string_value(json_is_array(names) ? json_array_get(names, 0) : names);

    if (row_has(row, "version")) {
        buf_printf(line, "    TLS       %s, %s", row_text_c(row, "version"), row_text_c(row, "cipher"));
        if (name) {
            buf_add(line, STR(", "));
            text_add(line, screen, str_from_c(name), 0);
            buf_printf(line, is_over(row_text_c(row, "until")) ? ", expired %.10s" : " until %.10s",
                       row_text_c(row, "until"));
        }
        text_print(line, screen);
    }
}

/* "    greeting  554 5.7.1 not you": where it failed, and why; the address stands above. */
static void print_trouble(struct buf *line, const struct text_screen *screen, const json_t *row)
{
    struct str error = row_text(row, "error"), peer = row_text(row, "peer"), stage = row_text(row, "stage");

    if (str_starts(error, peer) && str_starts(str_skip(error, peer.n), STR(": ")))
        error = str_skip(error, peer.n + 2);
    if (!error.n && is_in_clear(row))
        error = str_eq(row_text(row, "tls_level"), STR("none")) ? STR("not asked for") : STR("not offered (STARTTLS)");
    if (!error.n)
        return;
    if (!stage.n || str_eq(stage, STR("tls")))
        stage = STR("TLS");
    buf_printf(line, "    %-10.*s", STR_ARG(stage));
    if (row_number(row, "code"))
        buf_printf(line, "%u ", (unsigned)row_number(row, "code"));
    text_add(line, screen, error, 0);
    text_print(line, screen);
}

static void print_host(struct buf *line, const struct text_screen *screen, const json_t *row)
{
    if (row_number(row, "preference"))
        buf_printf(line, "  MX %-4u", (unsigned)row_number(row, "preference"));
    else
        buf_add(line, STR("  host   "));
    buf_printf(line, " %s  %s", row_text_c(row, "host"), row_text_c(row, "peer"));
    /* That nobody looked up an address proves nothing of its DNS. */
    if (json_is_true(json_object_get(row, "secure")) && row_text_c(row, "host")[0] != '[')
        buf_add(line, STR("  DNSSEC secure"));
    text_print(line, screen);
    print_tls(line, screen, row);
    print_trouble(line, screen, row);
    if (is_refused(row))
        buf_add(line, STR("    verdict   not this host; the next one, or later"));
    else
        buf_add(line, is_in_clear(row) ? STR("    verdict   deliver, in clear") : STR("    verdict   deliver"));
    text_print(line, screen);
}

static void print_rows(const char *name, const json_t *rows)
{
    const struct text_screen screen = text_screen();
    struct buf line = BUF_INIT(TEXT_MAX);
    size_t n = json_array_size(rows), i;
    const json_t *row;

    print_head(&line, &screen, name, rows);
    json_array_foreach(rows, i, row) print_host(&line, &screen, row);
    buf_printf(&line, "%zu of %zu address%s can be used", usable(rows), n, n == 1 ? "" : "es");
    text_print(&line, &screen);
    buf_done(&line);
}

int cmd_tls_check(const struct cmd_call *call)
{
    json_t *rows = json_array(), *row;
    struct server s = { .fd = -1 };
    struct str line;
    int status = call->argc == 2 ? CMD_OK : cmd_usage(call, call->argc > 2 ? call->argv[2] : NULL);

    if (status != CMD_OK)
        goto out;
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:s}", "command", "tls check", "name", call->argv[1]));
    while ((row = server_next(&s, &line))) {
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        json_array_append_new(rows, row);
    }
    status = s.exit;
    if (status == CMD_OK && !call->json && !call->quiet)
        print_rows(call->argv[1], rows);
    if (status == CMD_OK && usable(rows) < json_array_size(rows))
        status = CMD_FOUND;
    server_close(&s);
out:
    json_decref(rows);
    return status;
}
