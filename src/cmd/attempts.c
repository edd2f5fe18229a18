/* cmd/attempts.c */
#include "cmd/attempts.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/row.h"
#include "io/loop.h"

enum { SHOWN = 3 };

/* What two records of one attempt have in common when they are told in one line. */
static const char *const words[] = { "time", "host", "peer", "code", "status", "reply", "error" };

static bool is_outcome(const json_t *row)
{
    const char *event = row_text_c(row, "event");

    return !strcmp(event, "defer") || !strcmp(event, "deliver") || !strcmp(event, "fail");
}

json_t *attempts_of(struct server *s, const char *id)
{
    json_t *rows = json_array(), *row;

    s->ended = false;
    s->quiet = true;
    server_ask(s, json_pack("{s:s,s:s}", "command", "trace", "id", id));
    while ((row = server_next(s, NULL))) {
        if (is_outcome(row))
            json_array_append(rows, row);
        json_decref(row);
    }
    return rows;
}

static bool same(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const json_t *x = json_object_get(a, words[i]), *y = json_object_get(b, words[i]);
        if (x != y && !json_equal(x, y))
            return false;
    }
    return true;
}

/* A line for each that differs from the one before. */
static json_t *lines_of(const json_t *attempts)
{
    json_t *lines = json_array(), *row;
    size_t i;

    json_array_foreach(attempts, i, row)
        if (!i || !same(json_array_get(attempts, i - 1), row))
            json_array_append(lines, row);
    return lines;
}

static void add_words(struct buf *out, const struct text_screen *screen, const json_t *row)
{
    struct str host = row_text(row, "host"), peer = row_text(row, "peer"), reply = row_text(row, "reply");

    buf_add(out, STR("  "));
    text_add(out, screen, host.n ? host : peer, 0);
    if (host.n && peer.n && host.p[0] != '[') {
        buf_add(out, STR(" ["));
        text_add(out, screen, peer, 0);
        buf_add_char(out, ']');
    }
    buf_add(out, host.n || peer.n ? STR("  ") : STR_NONE);
    if (reply.n && row_has(row, "code"))
        buf_printf(out, "%" PRIu64 " ", row_number(row, "code"));
    text_add(out, screen, reply.n ? reply : row_text(row, "error"), 0);
}

void attempts_print(const json_t *attempts, const struct text_screen *screen, size_t label, bool all)
{
    json_t *lines = lines_of(attempts);
    struct buf out = BUF_INIT(TEXT_MAX);
    size_t n = json_array_size(lines), left_out = all || n <= 2 * SHOWN ? 0 : n - 2 * SHOWN;

    for (size_t i = 0; i < n; i++) {
        if (left_out && i == SHOWN) {
            i += left_out;
            text_cell(&out, screen, STR_NONE, label, false);
            buf_printf(&out, "%s %zu more (--all)", screen->utf8 ? "\xe2\x80\xa6" : "...", left_out);
            text_print(&out, screen);
        }
        const json_t *row = json_array_get(lines, i);
        text_cell(&out, screen, i ? STR_NONE : STR("attempts"), label, false);
        buf_add_c(&out, text_time_today(row_text_c(row, "time"), io_wall_msec()).c);
        add_words(&out, screen, row);
        text_print(&out, screen);
    }
    buf_done(&out);
    json_decref(lines);
}
