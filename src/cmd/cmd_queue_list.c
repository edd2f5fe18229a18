/* cmd/cmd_queue_list.c -- veredus queue: what waits, one message a row (FACE 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/select.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "io/loop.h"

enum {
    LOOK_AHEAD = 200, /* rows that decide how wide columns are */
    ID_WIDTH = 12,
    AGE_WIDTH = 6,
    OCTETS_WIDTH = 6,
    ADDRESS_LEAST = 9, /* RECIPIENT */
    ADDRESS_MOST = 40,
    GAP = 2,
    STATES = 4,
};

static const char *const states[STATES] = { "ready", "sending", "deferred", "held" };

struct listing {
    struct text_screen screen;
    struct buf line;
    int64_t now_msec;
    json_t *ahead; /* the first rows, not printed yet */
    bool begun;
    size_t sender_width, recipient_width;
    uint64_t messages, recipients, octets;
    uint64_t in_state[STATES];
};

/* ---- the parts of a row ---- */

static void gap(struct buf *out)
{
    buf_add(out, STR("  "));
}

/* "dora@example.com +4,211" */
static void put_recipient(const json_t *row, struct buf *out)
{
    uint64_t n = row_number(row, "recipients");

    buf_add(out, row_text(row, "to"));
    if (n > 1)
        buf_printf(out, " +%s", text_count(n - 1).c);
}

static struct str sender_of(const json_t *row)
{
    struct str from = row_text(row, "from");

    if (!row_has(row, "from"))
        return STR("?"); /* its envelope cannot be read */
    return from.n ? from : STR("<>");
}

static void put_state(const struct listing *l, const json_t *row, struct buf *out)
{
    struct str state = row_text(row, "state");
    uint64_t sending = row_number(row, "sending"), done = row_number(row, "delivered") + row_number(row, "failed");
    int64_t next = text_time_msec(row_text_c(row, "next"));

    buf_add(out, state);
    if (str_eq(state, STR("sending")) && row_number(row, "recipients") > 1 && sending)
        buf_printf(out, " %s", text_count(sending).c);
    if (done)
        buf_printf(out, ", done %s", text_count(done).c);
    if (str_eq(state, STR("deferred")) && next >= 0)
        buf_printf(out, ", next %s%s", next > l->now_msec ? "in " : "now",
                   next > l->now_msec ? text_age(next - l->now_msec).c : "");
    if (row_has(row, "release"))
        buf_add(out, STR(", as its sender asked"));
    if (str_eq(state, STR("held")) && row_has(row, "by"))
        buf_printf(out, " by %s", row_text_c(row, "by"));
}

/* Of an address literal: WORDS name it already, "203.0.113.99: connection timed out". */
static bool says_host(struct str host, struct str words)
{
    struct str inside = host.n > 2 && host.p[0] == '[' ? str_slice(host, 1, host.n - 1) : STR_NONE;

    return inside.n && str_starts(words, inside) && str_starts(str_skip(words, inside.n), STR(": "));
}

/*
 * What stands below: "mx1.example.net: 451 4.7.1 greylisted, try again later (6 attempts)"; of a held one why it
 * is held.
 */
static void put_reason(const json_t *row, struct buf *out)
{
    uint64_t attempts = row_number(row, "attempt");
    struct str reply = row_text(row, "reply"), note = row_text(row, "note"), host = row_text(row, "host");
    struct str words = reply.n ? reply : row_text(row, "error");

    if (note.n || !words.n) {
        if (note.n && str_eq(row_text(row, "reason"), STR("route")))
            buf_add(out, STR("by the route of "));
        buf_add(out, note.n || row_has(row, "by") ? note : text_hold_reason(row_text(row, "reason")));
        return;
    }
    if (host.n && !says_host(host, words))
        buf_printf(out, "%.*s: ", STR_ARG(host));
    if (reply.n && row_has(row, "code"))
        buf_printf(out, "%" PRIu64 " ", row_number(row, "code"));
    if (reply.n && row_has(row, "status"))
        buf_printf(out, "%s ", row_text_c(row, "status"));
    buf_add(out, words);
    if (!attempts)
        return;
    buf_printf(out, " (%" PRIu64 " attempt%s", attempts, attempts == 1 ? "" : "s");
    if (row_has(row, "on_reply"))
        buf_printf(out, "; on-reply %s, %s", row_text_c(row, "on_reply"), row_text_c(row, "on_reply_rule"));
    buf_add_char(out, ')');
}

static enum text_colour colour_of(struct str state)
{
    if (str_eq(state, STR("held")))
        return TEXT_LOUD;
    return str_eq(state, STR("deferred")) ? TEXT_BAD : TEXT_PLAIN;
}

/* ---- rows ---- */

static void heading(struct listing *l)
{
    struct buf *out = &l->line;

    text_paint(out, &l->screen, TEXT_FAINT);
    text_cell(out, &l->screen, STR("ID"), ID_WIDTH + GAP, false);
    text_cell(out, &l->screen, STR("AGE"), AGE_WIDTH, false);
    text_cell(out, &l->screen, STR("SIZE"), OCTETS_WIDTH, true);
    gap(out);
    text_cell(out, &l->screen, STR("SENDER"), l->sender_width + GAP, false);
    text_cell(out, &l->screen, STR("RECIPIENT"), l->recipient_width + GAP, false);
    buf_add(out, STR("STATE"));
    text_print(out, &l->screen);
}

static void print_row(struct listing *l, const json_t *row)
{
    struct buf *out = &l->line, words = BUF_INIT(TEXT_MAX);
    int64_t accepted = text_time_msec(row_text_c(row, "accepted"));
    struct text_short age = text_age(accepted < 0 ? 0 : l->now_msec - accepted);
    struct str known = accepted < 0 ? STR("?") : str_from_c(age.c);

    text_cell(out, &l->screen, row_text(row, "id"), ID_WIDTH, false);
    gap(out);
    text_cell(out, &l->screen, known, AGE_WIDTH, false);
    text_cell(out, &l->screen, str_from_c(text_size(row_number(row, "size")).c), OCTETS_WIDTH, true);
    gap(out);
    text_cell(out, &l->screen, sender_of(row), l->sender_width, false);
    gap(out);
    put_recipient(row, &words);
    text_cell(out, &l->screen, buf_str(&words), l->recipient_width, false);
    gap(out);
    buf_clear(&words);
    put_state(l, row, &words);
    text_paint(out, &l->screen, colour_of(row_text(row, "state")));
    text_add(out, &l->screen, buf_str(&words), 0);
    text_print(out, &l->screen);

    buf_clear(&words);
    put_reason(row, &words);
    if (words.n) {
        text_cell(out, &l->screen, STR(""), ID_WIDTH + GAP + AGE_WIDTH + OCTETS_WIDTH + GAP, false);
        text_add(out, &l->screen, buf_str(&words), 0);
        text_print(out, &l->screen);
    }
    buf_done(&words);
}

static size_t between(size_t n, size_t least, size_t most)
{
    return n < least ? least : n > most ? most : n;
}

/* The rows so far decide how wide the columns are. */
static void begin(struct listing *l)
{
    struct buf words = BUF_INIT(TEXT_MAX);
    const json_t *row;
    size_t i;

    l->begun = true;
    json_array_foreach(l->ahead, i, row) {
        buf_clear(&words);
        put_recipient(row, &words);
        l->sender_width = between(text_width(sender_of(row)), l->sender_width, ADDRESS_MOST);
        l->recipient_width = between(text_width(buf_str(&words)), l->recipient_width, ADDRESS_MOST);
    }
    buf_done(&words);
    heading(l);
    json_array_foreach(l->ahead, i, row)
        print_row(l, row);
    json_array_clear(l->ahead);
}

static void count(struct listing *l, const json_t *row)
{
    struct str state = row_text(row, "state");

    l->messages++;
    l->recipients += row_has(row, "recipients") ? row_number(row, "recipients") : 1;
    l->octets += row_number(row, "size");
    for (size_t i = 0; i < STATES; i++)
        if (str_eq(state, str_from_c(states[i])))
            l->in_state[i]++;
}

static void take_row(struct listing *l, json_t *row)
{
    count(l, row);
    if (l->begun)
        print_row(l, row);
    else
        json_array_append(l->ahead, row);
    if (!l->begun && json_array_size(l->ahead) == LOOK_AHEAD)
        begin(l);
}

/* "5 messages, 4,216 recipients, 88 KiB: 1 ready, 2 sending, 1 deferred, 1 held" */
static void closing(struct listing *l, bool chosen)
{
    struct buf *out = &l->line;
    const char *mark = ": ";

    if (!l->messages) {
        printf(chosen ? "0 messages are like that\n" : "0 messages: the queue is empty\n");
        return;
    }
    buf_printf(out, "%s message%s, ", text_count(l->messages).c, l->messages == 1 ? "" : "s");
    buf_printf(out, "%s recipient%s, ", text_count(l->recipients).c, l->recipients == 1 ? "" : "s");
    buf_printf(out, "%s KiB", text_count((l->octets + 1023) / 1024).c);
    for (size_t i = 0; i < STATES; i++) {
        if (!l->in_state[i])
            continue;
        buf_printf(out, "%s%s %s", mark, text_count(l->in_state[i]).c, states[i]);
        mark = ", ";
    }
    text_print(out, &l->screen);
}

/* Rows as they come; the id of the last one goes into REQUEST, so that who asks again is told what stands behind it. */
static void take_rows(struct listing *l, const struct cmd_call *call, struct server *s, json_t *request)
{
    struct str line;
    json_t *row;

    while ((row = server_next(s, &line))) {
        if (row_has(row, "id")) {
            json_object_set(request, "after", json_object_get(row, "id"));
            s->goes_on = true;
        }
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        else
            take_row(l, row);
        json_decref(row);
    }
}

/*
 * Who reads slowly (a pager at its first page) is hung up on after half a minute, and has no place at the server then.
 * The list goes on with a new connection, as long as each brings some of it.
 */
static int list(struct listing *l, const struct cmd_call *call, json_t *request)
{
    struct server s;
    int status;

    do {
        if (server_open(&s, call, false) == CMD_OK)
            server_ask(&s, json_incref(request));
        take_rows(l, call, &s, request);
        status = s.exit;
        server_close(&s);
    } while (s.broke_off);
    return status;
}

int cmd_queue_list(const struct cmd_call *call)
{
    struct listing l = {
        .screen = text_screen(),
        .line = BUF_INIT(TEXT_MAX),
        .now_msec = io_wall_msec(),
        .ahead = json_array(),
        .sender_width = ADDRESS_LEAST,
        .recipient_width = ADDRESS_LEAST,
    };
    struct select select;

    int status = select_read(&select, call, "queue list", 0);
    if (status != CMD_OK)
        goto out;
    status = list(&l, call, select.request);
    if (!call->json && json_array_size(l.ahead))
        begin(&l);
    if (!call->json && !call->quiet && status == CMD_OK)
        closing(&l, select.chosen);
out:
    json_decref(select.request);
    json_decref(l.ahead);
    buf_done(&l.line);
    return status;
}
