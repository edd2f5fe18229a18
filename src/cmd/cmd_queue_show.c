/* cmd/cmd_queue_show.c -- veredus queue show ID: one message, each of its recipients (FACE 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/attempts.h"
#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "io/loop.h"

enum { LABEL_WIDTH = 14, ADDRESS_WIDTH = 24 };

static void label(struct buf *out, const struct text_screen *screen, const char *text)
{
    text_cell(out, screen, str_from_c(text), LABEL_WIDTH, false);
}

static void piece(struct buf *out, const struct text_screen *screen, const char *mark, struct str value)
{
    if (!value.n)
        return;
    buf_add_c(out, mark);
    text_add(out, screen, value, 0);
}

static void print_accepted(const json_t *row, const struct text_screen *screen, struct buf *out)
{
    label(out, screen, "accepted");
    buf_add_c(out, text_time(row_text_c(row, "accepted")).c);
    piece(out, screen, " from ", row_text(row, "ehlo"));
    if (row_has(row, "client"))
        buf_printf(out, " [%s]", row_text_c(row, "client"));
    piece(out, screen, ", ", row_text(row, "protocol"));
    piece(out, screen, ", ", row_text(row, "account"));
    text_print(out, screen);
}

/* "358Y3FDH1F2K  news@example.org, 4,122 octets, 8bit, <20261122.4411@example.org>" */
static void print_message(const json_t *row, const struct text_screen *screen, struct buf *out)
{
    struct str from = row_text(row, "from");

    text_cell(out, screen, row_text(row, "id"), LABEL_WIDTH, false);
    if (row_has(row, "from")) {
        text_add(out, screen, from.n ? from : STR("<>"), 0);
        buf_printf(out, ", %s octets", text_count(row_number(row, "size")).c);
    } else {
        text_add(out, screen, row_text(row, "error"), 0);
    }
    piece(out, screen, ", ", row_text(row, "body"));
    piece(out, screen, ", <", row_text(row, "msgid"));
    if (row_text(row, "msgid").n)
        buf_add_char(out, '>');
    text_print(out, screen);

    if (row_has(row, "accepted"))
        print_accepted(row, screen, out);
    if (row_has(row, "release")) {
        label(out, screen, "leaves");
        buf_printf(out, "not before %s, as its sender asked", text_time(row_text_c(row, "release")).c);
        text_print(out, screen);
    }
    if (row_text(row, "state").n && str_eq(row_text(row, "state"), STR("held"))) {
        label(out, screen, "held");
        struct str by = row_text(row, "by"), why = by.n ? by : text_hold_reason(row_text(row, "reason"));
        piece(out, screen, by.n ? "by " : "", why);
        piece(out, screen, why.n ? ": " : "", row_text(row, "note"));
        text_print(out, screen);
    }
}

/* "recipient     bob@example.net   deferred, next 11:25:10, 6 attempts" and below it the last words heard. */
static void print_recipient(const json_t *row, const struct text_screen *screen, struct buf *out)
{
    struct str to = row_text(row, "to"), original = row_text(row, "original"), state = row_text(row, "state");
    uint64_t attempts = row_number(row, "attempt");

    label(out, screen, "recipient");
    text_cell(out, screen, to, text_width(to) > ADDRESS_WIDTH ? text_width(to) : ADDRESS_WIDTH, false);
    buf_add(out, STR("  "));
    text_add(out, screen, state, 0);
    if (row_has(row, "next") && str_eq(state, STR("deferred")))
        buf_printf(out, ", next %s", text_time(row_text_c(row, "next")).c);
    if (attempts)
        buf_printf(out, ", %" PRIu64 " attempt%s", attempts, attempts == 1 ? "" : "s");
    if (original.n && !str_eq(original, to))
        piece(out, screen, ", for ", original);
    piece(out, screen, ", by ", row_text(row, "route"));
    text_print(out, screen);

    struct str reply = row_text(row, "reply"), words = reply.n ? reply : row_text(row, "error");
    if (!words.n && !row_has(row, "status"))
        return;
    label(out, screen, "");
    piece(out, screen, "", row_text(row, "host"));
    buf_add_c(out, row_has(row, "host") ? "  " : "");
    if (reply.n && row_has(row, "code"))
        buf_printf(out, "%" PRIu64 " ", row_number(row, "code"));
    piece(out, screen, "", row_text(row, "status"));
    piece(out, screen, row_has(row, "status") ? " " : "", words);
    text_print(out, screen);
    if (!row_has(row, "on_reply"))
        return;
    label(out, screen, "");
    piece(out, screen, "on-reply ", row_text(row, "on_reply"));
    piece(out, screen, ": ", row_text(row, "on_reply_rule"));
    text_print(out, screen);
}

static void print_content(struct str content, const struct text_screen *screen)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    printf("\n");
    while (content.p) {
        struct str line = str_cut(&content, '\n');
        if (str_ends(line, STR("\r")))
            line = str_head(line, line.n - 1);
        text_add(&out, screen, line, 0);
        text_print(&out, screen);
    }
    buf_done(&out);
}

static void print_row(const json_t *row, const struct text_screen *screen)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    if (str_eq(row_text(row, "event"), STR("message")))
        print_message(row, screen, &out);
    else
        print_recipient(row, screen, &out);
    buf_done(&out);
}

/* One object: the message, its recipients and attempts in lists, its content when that was asked for. */
static void print_json(json_t *message, json_t *recipients, json_t *attempts, struct str content)
{
    json_object_del(message, "event");
    json_object_set(message, "recipient_states", recipients);
    json_object_set(message, "attempts", attempts);
    if (content.n)
        json_object_set_new(message, "content", json_stringn(content.p, content.n));
    json_dumpf(message, stdout, JSON_COMPACT);
    printf("\n");
}

static int usage_of(const struct cmd_call *call, const char **id, bool *content, bool *all)
{
    *id = NULL;
    *content = *all = false;
    for (int i = 1; i < call->argc; i++) {
        if (!strcmp(call->argv[i], "--content"))
            *content = true;
        else if (!strcmp(call->argv[i], "--all"))
            *all = true;
        else if (call->argv[i][0] == '-' || *id)
            return cmd_usage(call, call->argv[i]);
        else
            *id = call->argv[i];
    }
    return *id ? CMD_OK : cmd_usage(call, NULL);
}

int cmd_queue_show(const struct cmd_call *call)
{
    struct text_screen screen = text_screen();
    struct buf text = BUF_INIT(TEXT_MAX);
    json_t *row, *message = NULL, *recipients = json_array(), *attempts = NULL;
    const char *id;
    bool content, all;
    struct server s = { .fd = -1 };

    int status = usage_of(call, &id, &content, &all);
    if (status != CMD_OK)
        goto out;
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:s,s:b}", "command", "queue show", "id", id, "content", content));
    while ((row = server_next(&s, NULL))) {
        if (row_has(row, "content")) {
            buf_add(&text, row_text(row, "content"));
            json_decref(row);
            continue;
        }
        if (!call->json)
            print_row(row, &screen);
        if (!message) {
            message = row;
            continue;
        }
        json_object_del(row, "event");
        json_array_append_new(recipients, row);
    }
    status = s.exit;
    if (!message)
        goto out;
    attempts = attempts_of(&s, row_text_c(message, "id"));
    if (call->json) {
        print_json(message, recipients, attempts, buf_str(&text));
        goto out;
    }
    attempts_print(attempts, &screen, LABEL_WIDTH, all);
    if (text.n)
        print_content(buf_str(&text), &screen);
    else if (content)
        status = cmd_fail(CMD_FOUND, "veredus spool export --id ID DIR writes what is left of it",
                          "its content cannot be read");
    else
        printf("why, and what next: veredus explain %s\n", row_text_c(message, "id"));
out:
    server_close(&s);
    json_decref(message);
    json_decref(recipients);
    json_decref(attempts);
    buf_done(&text);
    return status;
}
