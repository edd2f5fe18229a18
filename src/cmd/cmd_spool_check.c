/* cmd/cmd_spool_check.c -- veredus spool check: is all there that was acknowledged (FACE 2.3)? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/row.h"
#include "cmd/spool_source.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "io/loop.h"
#include "log/render.h"
#include "spool/check_row.h"

enum { LABEL_WIDTH = 13, BAR_WIDTH = 30, FOUND_MAX = 100000, TOLD_USEC = 200000, PATIENCE_USEC = 1000000 };

struct checking {
    const struct cmd_call *call;
    struct spool_source source;
    struct text_screen screen;
    struct buf line;
    bool bar; /* on a terminal */
    int64_t began_usec, told_usec;
    json_t *found;   /* rows, until the end */
    json_t *figures; /* the last of them */
};

/* ---- what is shown ---- */

static void label(struct checking *c, const char *text)
{
    text_cell(&c->line, &c->screen, str_from_c(text), LABEL_WIDTH, false);
}

/* [##########                    ] 331 of 661   12.2 GiB */
static void bar(struct checking *c, const json_t *row, bool last)
{
    uint64_t all = row_number(row, "segments") + row_number(row, "messages");
    uint64_t done = row_number(row, "segments_done") + row_number(row, "messages_done");
    int64_t now = io_clock_usec();

    if (!c->bar || now - c->began_usec < PATIENCE_USEC || (!last && now - c->told_usec < TOLD_USEC))
        return;
    int marks = all ? (int)(done * BAR_WIDTH / all) : BAR_WIDTH;
    printf("\r[%.*s%*s] %s of %s messages   %s, %s s", marks, "##############################",
           BAR_WIDTH - marks, "", text_count(row_number(row, "messages_done")).c,
           text_count(row_number(row, "messages")).c, text_size(row_number(row, "octets")).c,
           text_count((uint64_t)(now - c->began_usec) / 1000000).c);
    printf("%s", last ? "\n" : "");
    fflush(stdout);
    c->told_usec = now;
}

static void heading(struct checking *c)
{
    printf("%s, format %d; %s\n", c->source.path, SPOOL_VERSION,
           c->source.live ? "the server is running and goes on" : "no server runs; nothing is changed");
}

/* "segment 0000019c at 0x01f3a200, 61,020 octets, sum 9c1f03d2 not 77ab90e1" */
static void place(struct checking *c, const json_t *row)
{
    struct buf *out = &c->line;

    if (row_text(row, "file").n)
        buf_printf(out, "%s at 0x%08" PRIx64, row_text_c(row, "file"), row_number(row, "offset"));
    if (row_has(row, "octets"))
        buf_printf(out, ", %s octets", text_count(row_number(row, "octets")).c);
    if (row_has(row, "sum"))
        buf_printf(out, ", sum %.8s not %.8s", row_text_c(row, "sum"), row_text_c(row, "wanted"));
    if (row_has(row, "error"))
        buf_printf(out, ", %s", row_text_c(row, "error"));
}

static void whose(struct checking *c, const json_t *row)
{
    struct str from = row_text(row, "from");
    uint64_t recipients = row_number(row, "recipients"), done = row_number(row, "done");

    label(c, "");
    if (row_has(row, "recipients")) {
        text_add(&c->line, &c->screen, from.n ? from : STR("<>"), 0);
        buf_printf(&c->line, " to %s recipient%s", text_count(recipients).c, recipients == 1 ? "" : "s");
        if (done)
            buf_printf(&c->line, ", %s of them done", text_count(done).c);
        buf_add_c(&c->line, "; ");
    } else {
        buf_add_c(&c->line, "its envelope cannot be read; ");
    }
    buf_add_c(&c->line, "nobody is told yet");
    text_print(&c->line, &c->screen);
}

static void cure(struct checking *c, const char *words, const char *id, const char *rest, const char *what)
{
    label(c, "");
    buf_printf(&c->line, "%s %s %s%s   %s", c->screen.utf8 ? "→" : "->", words, id, rest, what);
    text_print(&c->line, &c->screen);
}

static void print_message(struct checking *c, const json_t *row)
{
    const char *id = row_text_c(row, "id");

    label(c, "damaged");
    buf_printf(&c->line, "%s  its %s: ", id, row_text_c(row, "what"));
    place(c, row);
    text_print(&c->line, &c->screen);
    whose(c, row);
    cure(c, "veredus spool export --id", id, " DIR", "what can be read of it");
    if (row_has(row, "recipients"))
        cure(c, "veredus queue remove --bounce", id, "    ", "back to its sender");
    else
        cure(c, "veredus queue remove", id, "             ", "take it away; nobody can be told");
}

static void print_other(struct checking *c, const json_t *row)
{
    bool broken = row_has(row, "invariant"), frame = !strcmp(row_text_c(row, "kind"), "frame");

    label(c, broken ? "broken" : frame ? "lost" : "also");
    if (broken)
        buf_printf(&c->line, "INV-%" PRIu64 ": ", row_number(row, "invariant"));
    buf_printf(&c->line, "%s%s%s ", row_text_c(row, "id"), row_has(row, "id") ? ": " : "",
               row_text_c(row, "what"));
    place(c, row);
    if (frame)
        buf_add_c(&c->line, "; messages in it are named above, if any still needed it");
    text_print(&c->line, &c->screen);
}

static void print_found(struct checking *c)
{
    const json_t *row;
    size_t i;

    json_array_foreach(c->found, i, row) if (!strcmp(row_text_c(row, "kind"), "message"))
        print_message(c, row);
    json_array_foreach(c->found, i, row) if (strcmp(row_text_c(row, "kind"), "message") != 0)
        print_other(c, row);
}

static void print_figures(struct checking *c, const json_t *row)
{
    const json_t *list = json_object_get(row, "invariants"), *name;
    size_t i;

    label(c, "records");
    buf_printf(&c->line, "%s messages, ", text_count(row_number(row, "records")).c);
    buf_printf(&c->line, "%s outcomes, ", text_count(row_number(row, "outcomes")).c);
    buf_printf(&c->line, "%s holds, ", text_count(row_number(row, "holds")).c);
    buf_printf(&c->line, "%s ends", text_count(row_number(row, "ends") + row_number(row, "voids")).c);
    buf_printf(&c->line, " in %s segment%s", text_count(row_number(row, "segments")).c,
               row_number(row, "segments") == 1 ? "" : "s");
    text_print(&c->line, &c->screen);
    label(c, "content");
    buf_printf(&c->line, "%s of ", text_count(row_number(row, "contents_good")).c);
    buf_printf(&c->line, "%s sums match", text_count(row_number(row, "contents")).c);
    text_print(&c->line, &c->screen);
    print_found(c);
    label(c, "invariants");
    json_array_foreach(list, i, name) buf_printf(&c->line, "%s%s", i ? ", " : "", json_string_value(name));
    buf_add_c(&c->line, json_array_size(list) ? " hold; the others cannot be seen on a disk" : "none holds");
    text_print(&c->line, &c->screen);
}

static void closing(const json_t *row)
{
    uint64_t damaged = row_number(row, "damaged"), others = row_number(row, "others");

    if (damaged)
        printf("%s message%s damaged", text_count(damaged).c, damaged == 1 ? " is" : "s are");
    if (damaged && !others)
        printf(", nothing else is\n");
    else if (others)
        printf("%s%s other thing%s not as it was written\n", damaged ? ", and " : "", text_count(others).c,
               others == 1 ? " is" : "s are");
    else
        printf("all is as it was written\n");
}

/* ---- rows ---- */

/* ROW is a finding or how far it is; LINE its octets. */
static void take_row(struct checking *c, json_t *row, struct str line)
{
    bool figures = !strcmp(row_text_c(row, "event"), "check");

    if (c->call->json && (!figures || !strcmp(row_text_c(row, "state"), "over")))
        printf("%.*s\n", STR_ARG(line));
    if (figures) {
        bar(c, row, false);
        json_decref(c->figures);
        c->figures = json_incref(row);
    } else if (json_array_size(c->found) < FOUND_MAX) {
        json_array_append(c->found, row);
    }
}

static int check_server(struct checking *c)
{
    struct server *s = &c->source.server;
    struct str line;
    json_t *row;

    server_ask(s, json_pack("{s:s}", "command", "spool check"));
    while ((row = server_next(s, &line))) {
        take_row(c, row, line);
        json_decref(row);
    }
    return s->exit;
}

static void take_record(struct checking *c, const struct log_record *record)
{
    struct buf line = BUF_INIT(64 * 1024);

    if (log_render(log_octets(record), LOG_JSON, true, &line)) {
        json_t *row = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);
        if (row)
            take_row(c, row, buf_str(&line));
        json_decref(row);
    }
    buf_done(&line);
}

static void on_found(void *ctx, const struct spool_finding *finding)
{
    struct log_record record;

    spool_finding_row(&record, finding);
    take_record(ctx, &record);
}

static int check_folder(struct checking *c)
{
    struct spool_check *check = spool_check_new(c->source.spool, on_found, c);
    struct log_record record;
    struct err err = { 0 };
    bool more = check != NULL;

    while (more) {
        more = spool_check_step(check, &err);
        spool_figures_row(&record, spool_check_figures(check), !more);
        take_record(c, &record);
    }
    spool_check_free(check);
    return check && err.kind == ERR_NONE ? CMD_OK : cmd_fail(CMD_LATER, NULL, "out of memory");
}

int cmd_spool_check(const struct cmd_call *call)
{
    struct checking c = {
        .call = call,
        .screen = text_screen(),
        .line = BUF_INIT(TEXT_MAX),
        .found = json_array(),
        .began_usec = io_clock_usec(),
    };

    if (call->argc > 1)
        return cmd_usage(call, call->argv[1]);
    int status = spool_source_open(&c.source, call);
    c.bar = c.screen.width && !call->json && !call->quiet;
    if (status == CMD_OK && !call->json && !call->quiet)
        heading(&c);
    if (status == CMD_OK)
        status = c.source.live ? check_server(&c) : check_folder(&c);
    if (status == CMD_OK && c.figures && !call->json) {
        bar(&c, c.figures, true);
        if (call->quiet)
            print_found(&c);
        else
            print_figures(&c, c.figures);
        if (!call->quiet)
            closing(c.figures);
    }
    if (status == CMD_OK && (row_number(c.figures, "damaged") || row_number(c.figures, "others")))
        status = CMD_FOUND;
    spool_source_close(&c.source);
    json_decref(c.found);
    json_decref(c.figures);
    buf_done(&c.line);
    return status;
}
