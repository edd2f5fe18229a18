/* cmd/site_row.c */
#include "cmd/site_row.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/row.h"
#include "io/loop.h"

enum { NAME_LEAST = 15, NAME_MOST = 40, WAITING_LEAST = 8, COUNT_WIDTH = 9, RATE_WIDTH = 7, SHARE_WIDTH = 6 };

struct site_table site_table(void)
{
    return (struct site_table){
        .screen = text_screen(),
        .line = BUF_INIT(TEXT_MAX),
        .now_msec = io_wall_msec(),
        .name_width = NAME_LEAST,
        .waiting_width = WAITING_LEAST,
    };
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void site_measure(struct site_table *t, const json_t *row)
{
    size_t name = text_width(row_text(row, "site"));

    t->name_width = larger(t->name_width, name < NAME_MOST ? name : NAME_MOST);
    t->waiting_width =
        larger(t->waiting_width, text_width(str_from_c(text_count(row_number(row, "waiting")).c)));
}

static void put(struct site_table *t, const char *text, size_t width)
{
    text_cell(&t->line, &t->screen, str_from_c(text), width, true);
}

void site_heading(struct site_table *t)
{
    text_paint(&t->line, &t->screen, TEXT_FAINT);
    text_cell(&t->line, &t->screen, STR("SITE"), t->name_width, false);
    put(t, "WAITING", t->waiting_width + 2);
    put(t, "SENDING", COUNT_WIDTH);
    put(t, "WINDOW", COUNT_WIDTH - 1);
    put(t, "/S", RATE_WIDTH);
    put(t, "OK", SHARE_WIDTH);
    put(t, "4YZ", SHARE_WIDTH);
    put(t, "WAIT", RATE_WIDTH);
    buf_add(&t->line, STR("  WHAT HOLDS IT"));
    text_print(&t->line, &t->screen);
}

static double real_of(const json_t *row, const char *name)
{
    return json_number_value(json_object_get(row, name));
}

/* Nothing where nobody knows: a pause of a site that no mail has gone to yet. */
static void put_count(struct site_table *t, const json_t *row, const char *name, size_t width)
{
    put(t, row_has(row, name) ? text_count(row_number(row, name)).c : "", width);
}

static void put_share(struct site_table *t, const json_t *row, const char *name)
{
    char text[TEXT_SHORT] = "";

    if (row_has(row, name))
        snprintf(text, sizeof(text), "%" PRIu64 "%%", row_number(row, name));
    put(t, text, SHARE_WIDTH);
}

/* "6ms", "1.4s" */
static void put_wait(struct site_table *t, const json_t *row)
{
    double seconds = real_of(row, "t_send");
    char text[TEXT_SHORT] = "";

    if (!row_has(row, "t_send"))
        ;
    else if (seconds < 1)
        snprintf(text, sizeof(text), "%.0fms", seconds * 1000);
    else
        snprintf(text, sizeof(text), "%.1fs", seconds);
    put(t, text, RATE_WIDTH);
}

/* "dead, probe in 3m: connection timed out", "paused by root for 12m" */
static void put_cause(const struct site_table *t, const json_t *row, struct buf *out)
{
    struct str state = row_text(row, "state"), cause = row_text(row, "cause");
    int64_t next = text_time_msec(row_text_c(row, "next"));
    bool paused = str_eq(state, STR("paused")), dead = str_eq(state, STR("dead"));

    if (dead)
        buf_add(out, STR("dead"));
    else if (paused && !str_starts(cause, STR("paused")))
        buf_add(out, STR("paused"));
    if (dead && next > t->now_msec)
        buf_printf(out, ", probe in %s", text_age(next - t->now_msec).c);
    if (cause.n)
        buf_printf(out, "%s%.*s", out->n ? ": " : "", STR_ARG(cause));
    if (paused && next > t->now_msec)
        buf_printf(out, ", goes on in %s", text_age(next - t->now_msec).c);
}

void site_print(struct site_table *t, const json_t *row)
{
    struct buf cause = BUF_INIT(TEXT_MAX);
    struct str state = row_text(row, "state");
    char rate[TEXT_SHORT] = "";

    text_cell(&t->line, &t->screen, row_text(row, "site"), t->name_width, false);
    put_count(t, row, "waiting", t->waiting_width + 2);
    put_count(t, row, "sending", COUNT_WIDTH);
    put_count(t, row, "window", COUNT_WIDTH - 1);
    if (row_has(row, "waiting"))
        snprintf(rate, sizeof(rate), "%.1f", real_of(row, "per_second"));
    put(t, rate, RATE_WIDTH);
    put_share(t, row, "ok");
    put_share(t, row, "put_off");
    put_wait(t, row);
    put_cause(t, row, &cause);
    if (cause.n) {
        buf_add(&t->line, STR("  "));
        text_paint(&t->line, &t->screen, str_eq(state, STR("open")) ? TEXT_PLAIN : TEXT_BAD);
        text_add(&t->line, &t->screen, buf_str(&cause), 0);
    }
    text_print(&t->line, &t->screen);
    buf_done(&cause);
}
