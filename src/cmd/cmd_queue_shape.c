/* cmd/cmd_queue_shape.c -- veredus queue shape: how many messages wait for what, and since when (FACE 2.1). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/select.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "core/num.h"

enum { CLASSES_MAX = 32, ROWS_SHOWN = 30, ROWS_MAX = 10000, ARGS_MAX = 256, NAME_MOST = 40, NAME_LEAST = 6 };

/* Classes of age FIRST to LAST, as one column. */
struct column {
    size_t first, last;
    size_t width;
    struct text_short label;
};

struct shape {
    struct text_screen screen;
    const char *by;
    json_t *rows; /* the first is of all */
    uint64_t bounds[CLASSES_MAX]; /* seconds; the last class has none */
    size_t n_classes;
    struct column columns[CLASSES_MAX];
    size_t n_columns;
    size_t name_width, total_width;
};

/* ---- what a row says ---- */

static uint64_t number_at(const json_t *row, const char *list, size_t at)
{
    const char *text = json_string_value(json_array_get(json_object_get(row, list), at));
    uint64_t n = 0;

    return text && num_parse_u64(str_from_c(text), UINT64_MAX, &n) ? n : 0;
}

static uint64_t in_column(const json_t *row, const struct column *c)
{
    uint64_t n = 0;

    for (size_t i = c->first; i <= c->last; i++)
        n += number_at(row, "age", i);
    return n;
}

/* What the row stands for; the null reverse-path has no domain, what only waits to be reported no next hop. */
static void put_name(const struct shape *s, const json_t *row, struct buf *out)
{
    struct str name = row_text(row, "name"), kind = row_text(row, "kind");

    if (str_eq(kind, STR("all")))
        buf_add(out, STR("all"));
    else if (str_eq(kind, STR("others")))
        buf_printf(out, "%s others", text_count(row_number(row, "count")).c);
    else if (name.n)
        buf_add(out, name);
    else
        buf_add_c(out, strcmp(s->by, "sender") ? "(none yet)" : "<>");
}

/* ---- columns ---- */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct text_short age_label(uint64_t seconds)
{
    return text_age((int64_t)seconds * 1000);
}

static void label_column(const struct shape *s, struct column *c)
{
    if (c->last + 1 < s->n_classes)
        c->label = age_label(s->bounds[c->last]);
    else if (c->first)
        snprintf(c->label.c, sizeof(c->label.c), "%.20s+", age_label(s->bounds[c->first - 1]).c);
    else
        snprintf(c->label.c, sizeof(c->label.c), "any age");
}

static void measure_column(const struct shape *s, struct column *c)
{
    const json_t *row;
    size_t i;

    label_column(s, c);
    c->width = strlen(c->label.c);
    json_array_foreach(s->rows, i, row)
        c->width = larger(c->width, strlen(text_count(in_column(row, c)).c));
}

static size_t table_width(const struct shape *s)
{
    size_t width = s->name_width + 2 + s->total_width;

    for (size_t i = 0; i < s->n_columns; i++)
        width += 2 + s->columns[i].width;
    return width;
}

/* STEP classes to a column, so that twice as much fits each time. */
static void lay_out(struct shape *s, size_t step)
{
    s->n_columns = 0;
    for (size_t first = 0; first < s->n_classes; first += step) {
        struct column *c = &s->columns[s->n_columns++];
        *c = (struct column){ .first = first, .last = first + step - 1 };
        if (c->last >= s->n_classes)
            c->last = s->n_classes - 1;
        measure_column(s, c);
    }
}

static void measure(struct shape *s)
{
    struct buf name = BUF_INIT(TEXT_MAX);
    const json_t *row, *all = json_array_get(s->rows, 0);
    size_t i;

    s->n_classes = json_array_size(json_object_get(all, "age"));
    if (s->n_classes > CLASSES_MAX)
        s->n_classes = CLASSES_MAX;
    for (i = 0; i + 1 < s->n_classes; i++)
        s->bounds[i] = number_at(all, "bound", i);
    s->name_width = NAME_LEAST;
    s->total_width = larger(strlen("TOTAL"), strlen(text_count(row_number(all, "messages")).c));
    json_array_foreach(s->rows, i, row) {
        buf_clear(&name);
        put_name(s, row, &name);
        s->name_width = larger(s->name_width, text_width(buf_str(&name)));
    }
    if (s->name_width > NAME_MOST)
        s->name_width = NAME_MOST;
    buf_done(&name);
    lay_out(s, 1);
    for (size_t step = 2; s->screen.width && table_width(s) > s->screen.width && s->n_columns > 1; step *= 2)
        lay_out(s, step);
}

/* ---- printing ---- */

static void heading(const struct shape *s, struct buf *out)
{
    text_paint(out, &s->screen, TEXT_FAINT);
    text_cell(out, &s->screen, STR(""), s->name_width + 2, false);
    text_cell(out, &s->screen, STR("TOTAL"), s->total_width, true);
    for (size_t i = 0; i < s->n_columns; i++) {
        buf_add(out, STR("  "));
        text_cell(out, &s->screen, str_from_c(s->columns[i].label.c), s->columns[i].width, true);
    }
    text_print(out, &s->screen);
}

/* None is a dot: what there is stands out. */
static void put_count(const struct shape *s, uint64_t n, size_t width, struct buf *out)
{
    text_cell(out, &s->screen, n ? str_from_c(text_count(n).c) : STR("."), width, true);
}

static void print_row(const struct shape *s, const json_t *row, struct buf *out)
{
    struct buf name = BUF_INIT(TEXT_MAX);

    put_name(s, row, &name);
    text_cell(out, &s->screen, buf_str(&name), s->name_width + 2, false);
    put_count(s, row_number(row, "messages"), s->total_width, out);
    for (size_t i = 0; i < s->n_columns; i++) {
        buf_add(out, STR("  "));
        put_count(s, in_column(row, &s->columns[i]), s->columns[i].width, out);
    }
    text_print(out, &s->screen);
    buf_done(&name);
}

static void print_all(struct shape *s)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    const json_t *row, *all = json_array_get(s->rows, 0);
    uint64_t unknown = row_number(all, "waiting");
    size_t i;

    if (row_number(all, "messages")) {
        measure(s);
        heading(s, &out);
        json_array_foreach(s->rows, i, row)
            print_row(s, row, &out);
    } else if (!unknown) {
        printf("0 messages are like that\n");
    }
    if (unknown)
        printf("%s more have not been looked at since the start\n", text_count(unknown).c);
    buf_done(&out);
}

/* "age":{"5m":1,…,"older":0}: by the names of the classes, so that nobody counts columns. */
static json_t *ages_of(const struct shape *s, const json_t *row)
{
    const json_t *all = json_array_get(s->rows, 0);
    size_t n = json_array_size(json_object_get(all, "bound"));
    json_t *ages = json_object();

    for (size_t i = 0; i <= n; i++)
        json_object_set_new(ages, i < n ? age_label(number_at(all, "bound", i)).c : "older",
                            json_integer((json_int_t)number_at(row, "age", i)));
    return ages;
}

/* One object a line, the sum first. */
static void print_json(const struct shape *s)
{
    json_t *row;
    size_t i;

    json_array_foreach(s->rows, i, row) {
        json_t *ages = ages_of(s, row), *copy = json_copy(row);
        json_object_del(copy, "event");
        json_object_del(copy, "bound");
        json_object_set_new(copy, "age", ages);
        json_dumpf(copy, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(copy);
    }
}

/* ---- arguments ---- */

struct choice {
    const char *by;
    uint64_t rows;
    int argc;
    char *argv[ARGS_MAX]; /* what is SELECT's */
};

static int take_choice(const struct cmd_call *call, struct choice *c)
{
    *c = (struct choice){ .by = "domain", .rows = call->json ? ROWS_MAX : ROWS_SHOWN };
    for (int i = 0; i < call->argc; i++) {
        const char *word = call->argv[i], *value = i + 1 < call->argc ? call->argv[i + 1] : NULL;
        if (c->argc == ARGS_MAX)
            return cmd_usage(call, word);
        if (!strcmp(word, "--sender")) {
            c->by = "sender";
        } else if (!strcmp(word, "--sites")) {
            c->by = "site";
        } else if (!strcmp(word, "--rows") && value) {
            if (!num_parse_u64(str_from_c(value), ROWS_MAX, &c->rows) || !c->rows)
                return cmd_fail(CMD_USAGE, "--rows 100", "--rows %s: not a number of rows", value);
            i++;
        } else {
            c->argv[c->argc++] = call->argv[i];
        }
    }
    return CMD_OK;
}

static int read_arguments(const struct cmd_call *call, struct select *select, const char **by)
{
    struct choice choice;
    int status = take_choice(call, &choice);

    *select = (struct select){ 0 };
    if (status != CMD_OK)
        return status;
    struct cmd_call rest = *call;
    rest.argc = choice.argc;
    rest.argv = choice.argv;
    *by = choice.by;
    status = select_read(select, &rest, "queue shape", 0);
    if (status == CMD_OK && json_object_get(select->request, "ids"))
        return cmd_fail(CMD_USAGE, "veredus queue show ID", "%s: a count is not of single messages", call->words);
    json_object_set_new(select->request, "by", json_string(choice.by));
    json_object_set_new(select->request, "limit", json_integer((json_int_t)choice.rows));
    return status;
}

int cmd_queue_shape(const struct cmd_call *call)
{
    struct shape s = { .screen = text_screen(), .rows = json_array() };
    struct server server = { .fd = -1 };
    struct select select;
    json_t *row;

    int status = read_arguments(call, &select, &s.by);
    if (status != CMD_OK)
        goto out;
    if (server_open(&server, call, false) == CMD_OK)
        server_ask(&server, json_incref(select.request));
    while ((row = server_next(&server, NULL)))
        json_array_append_new(s.rows, row);
    status = server.exit;
    if (call->json)
        print_json(&s);
    else if (status == CMD_OK)
        print_all(&s);
    server_close(&server);
out:
    json_decref(select.request);
    json_decref(s.rows);
    return status;
}
