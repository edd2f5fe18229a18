/* cmd/cmd_explain.c -- veredus explain ADDRESS: every decision from RCPT to the next hop; explain ID (FACE 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/explain_id.h"
#include "cmd/explain_message.h"
#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/settings.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "core/id.h"
#include "io/fd.h"

enum { NAME_WIDTH = 11, VALUE_LEAST = 12, VALUE_MOST = 30, GAP = 2, MESSAGE_MAX = 256 << 20 };

struct explanation {
    const char *address, *client, *sender, *account, *message; /* as called; NULL: not said */
    json_t *verdict;
    json_t *decisions;
    json_t *hosts;
    uint64_t size;
    bool message_good;
    bool all; /* of a message: every group of recipients */
};

/* ---- arguments ---- */

static int usage(const struct cmd_call *call, struct explanation *e)
{
    const struct {
        const char *option;
        const char **at;
    } options[] = { { "--client", &e->client },
                    { "--sender", &e->sender },
                    { "--account", &e->account },
                    { "--message", &e->message } };

    for (int i = 1; i < call->argc; i++) {
        const char *word = call->argv[i];
        const char **at = word[0] != '-' && !e->address ? &e->address : NULL;
        if (strcmp(word, "--all") == 0) {
            e->all = true;
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(options) && i + 1 < call->argc && !at; k++)
            if (strcmp(word, options[k].option) == 0) {
                at = options[k].at;
                i++;
            }
        if (!at)
            return cmd_usage(call, word);
        *at = call->argv[i];
    }
    if (!e->address)
        return cmd_usage(call, NULL);
    return CMD_OK;
}

/* No address has twelve characters and no @; every queue id has. */
static bool is_queue_id(const char *word)
{
    struct queue_id id;

    return queue_id_parse(str_from_c(word), &id);
}

/* Options of the one are none of the other. */
static int check(const struct cmd_call *call, const struct explanation *e)
{
    if (is_queue_id(e->address)) {
        const char *const others[] = { e->client ? "--client" : NULL, e->sender ? "--sender" : NULL,
                                       e->account ? "--account" : NULL, e->message ? "--message" : NULL };
        for (size_t i = 0; i < ARRAY_LEN(others); i++)
            if (others[i])
                return cmd_usage(call, others[i]);
        return CMD_OK;
    }
    if (!strchr(e->address, '@'))
        return cmd_fail(CMD_USAGE, "veredus explain anna@example.org, or the id of a message that waits",
                        "explain: '%s' is neither an address nor a queue id", e->address);
    return e->all ? cmd_usage(call, "--all") : CMD_OK;
}

/* ---- the message ---- */

/* Its own verdict does not need the server: the file is read here, with the rights of whoever asks. */
static int look_at_message(const struct cmd_call *call, struct explanation *e)
{
    struct arena *a = arena_new((size_t)MESSAGE_MAX * 2);
    struct settings settings;
    struct str octets;
    struct err err = { 0 };
    int status = settings_read(&settings, call);

    if (status == CMD_OK && !settings.config)
        status = cmd_fail(CMD_CONFIG, "veredus config check", "%s has errors", settings.path);
    else if (status == CMD_OK && !a)
        status = cmd_fail(CMD_LATER, NULL, "out of memory");
    else if (status == CMD_OK && !file_read_all(e->message, MESSAGE_MAX, a, &octets, &err))
        status = cmd_fail(CMD_INPUT, NULL, "%s", err.text);
    else if (status == CMD_OK)
        e->message_good =
            explain_message(settings.config, octets, str_from_c(e->address), e->decisions, &e->size);
    settings_done(&settings);
    arena_free(a);
    return status;
}

/* ---- asking ---- */

static void take_row(struct explanation *e, json_t *row)
{
    struct str event = row_text(row, "event");
    json_t *list = NULL;

    if (str_eq(event, STR("decision")))
        list = e->decisions;
    else if (str_eq(event, STR("host")))
        list = e->hosts;
    if (str_eq(event, STR("verdict"))) {
        json_decref(e->verdict);
        e->verdict = json_incref(row);
    }
    json_object_del(row, "event");
    if (list)
        json_array_append(list, row);
}

static json_t *request_of(const struct explanation *e)
{
    json_t *request =
        json_pack("{s:s,s:s,s:I}", "command", "explain", "address", e->address, "size", (json_int_t)e->size);

    if (request && e->client)
        json_object_set_new(request, "client", json_string(e->client));
    if (request && e->sender)
        json_object_set_new(request, "sender", json_string(e->sender));
    if (request && e->account)
        json_object_set_new(request, "account", json_string(e->account));
    return request;
}

static int ask(const struct cmd_call *call, struct explanation *e)
{
    json_t *of_message = json_deep_copy(e->decisions), *row;
    struct server s;

    /* The decisions come in the order in which a session makes them: those about the message last. */
    json_array_clear(e->decisions);
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, request_of(e));
    while ((row = server_next(&s, NULL))) {
        take_row(e, row);
        json_decref(row);
    }
    json_array_extend(e->decisions, of_message);
    json_decref(of_message);
    int status = s.exit;
    server_close(&s);
    if (status == CMD_OK && !e->verdict)
        return cmd_fail(CMD_LATER, "are program and server of one version?", "the answer is not understood");
    return status;
}

/* ---- printing ---- */

/* "RCPT TO:<ben@example.org> on mx-25 would get 250 2.1.5", and of a refusal its words. */
static void print_verdict(const struct explanation *e, const struct text_screen *screen)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    struct str status = row_text(e->verdict, "status"), reply = row_text(e->verdict, "reply");
    uint64_t code = row_number(e->verdict, "code");
    bool taken = code < 300;

    buf_add_c(&out, "RCPT TO:<");
    text_add(&out, screen, str_from_c(e->address), 0);
    buf_add_char(&out, '>');
    if (row_has(e->verdict, "listener")) {
        buf_add_c(&out, " on ");
        text_add(&out, screen, row_text(e->verdict, "listener"), 0);
    }
    buf_add_c(&out, " would get ");
    text_paint(&out, screen, taken ? TEXT_GOOD : TEXT_BAD);
    buf_printf(&out, "%" PRIu64 " ", code);
    /* The words begin with the status, where there is one. */
    text_add(&out, screen, taken || !reply.n ? status : reply, 0);
    text_paint(&out, screen, TEXT_PLAIN);
    if (e->message && !e->message_good)
        buf_add_c(&out, taken ? ", but the message would be refused" : "");
    text_print(&out, screen);
    buf_done(&out);
    printf("\n");
}

static size_t value_width(const struct explanation *e)
{
    size_t width = VALUE_LEAST, i;
    const json_t *row;

    json_array_foreach(e->decisions, i, row) {
        size_t n = text_width(row_text(row, "value"));
        width = n > width && n <= VALUE_MOST ? n : width;
    }
    json_array_foreach(e->hosts, i, row) {
        size_t n = text_width(row_text(row, "site"));
        width = n > width && n <= VALUE_MOST ? n : width;
    }
    return width;
}

static void print_line(const struct text_screen *screen, size_t width, struct str name, struct str value,
                       struct str text)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    buf_add_c(&out, "  ");
    text_cell(&out, screen, name, NAME_WIDTH, false);
    text_cell(&out, screen, value, text_width(value) > width ? text_width(value) : width, false);
    buf_add_c(&out, "  ");
    text_add(&out, screen, text, 0);
    text_print(&out, screen);
    buf_done(&out);
}

static void print_decision(const struct text_screen *screen, size_t width, const json_t *row)
{
    struct buf words = BUF_INIT(TEXT_MAX);

    buf_add(&words, row_text(row, "text"));
    if (row_has(row, "rule") && !str_eq(row_text(row, "rule"), STR("default")))
        buf_printf(&words, " (%s)", row_text_c(row, "rule"));
    print_line(screen, width, row_text(row, "name"), row_text(row, "value"), buf_str(&words));
    buf_done(&words);
}

/* "mx1.example.net 10: 203.0.113.10, 2001:db8::10, DNSSEC secure"; or why there is none. */
static void put_host(struct buf *words, const json_t *row)
{
    const json_t *peers = json_object_get(row, "peer"), *peer;
    size_t i;

    if (row_has(row, "error")) {
        buf_printf(words, "%s%s%s", row_text_c(row, "status"), row_has(row, "status") ? " " : "",
                   row_text_c(row, "error"));
        return;
    }
    if (json_is_true(json_object_get(row, "fallback")))
        buf_add_c(words, "if no other can be reached: ");
    /* A literal and a socket are where they say they are. */
    bool found =
        !str_starts(row_text(row, "host"), STR("[")) && !str_starts(row_text(row, "host"), STR("unix:"));
    if (found)
        buf_add(words, row_text(row, "host"));
    if (row_number(row, "preference"))
        buf_printf(words, " %" PRIu64, row_number(row, "preference"));
    json_array_foreach(peers, i, peer) {
        const char *mark = i ? ", " : found ? ": " : "";
        buf_printf(words, "%s%s", mark, json_string_value(peer) ? json_string_value(peer) : "");
    }
    if (found)
        buf_printf(words, ", DNSSEC %s",
                   json_is_true(json_object_get(row, "secure")) ? "secure" : "insecure");
}

static void print_hosts(const struct explanation *e, const struct text_screen *screen, size_t width)
{
    struct str site = STR_NONE;
    const json_t *row;
    size_t i;

    json_array_foreach(e->hosts, i, row) {
        struct buf words = BUF_INIT(TEXT_MAX);
        bool first = !i || !str_eq(site, row_text(row, "site"));
        site = row_text(row, "site");
        put_host(&words, row);
        print_line(screen, width, first ? STR("hosts") : STR(""), first ? site : STR(""), buf_str(&words));
        buf_done(&words);
    }
}

static void print_all(const struct explanation *e)
{
    struct text_screen screen = text_screen();
    size_t width = value_width(e), i;
    const json_t *row;

    print_verdict(e, &screen);
    json_array_foreach(e->decisions, i, row)
        print_decision(&screen, width, row);
    print_hosts(e, &screen, width);
    if (!e->message)
        print_line(&screen, width, STR("not asked"), STR("message"),
                   STR("its size and form: give one with --message FILE"));
}

static void print_json(const struct explanation *e)
{
    json_t *all = json_pack("{s:s,s:O,s:O,s:O}", "address", e->address, "verdict", e->verdict, "decisions",
                            e->decisions, "hosts", e->hosts);

    if (all && e->message)
        json_object_set_new(all, "message", json_string(e->message_good ? "taken" : "refused"));
    json_dumpf(all, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(all);
}

int cmd_explain(const struct cmd_call *call)
{
    struct explanation e = { .decisions = json_array(), .hosts = json_array() };
    int status = usage(call, &e);

    if (status == CMD_OK)
        status = check(call, &e);
    if (status == CMD_OK && is_queue_id(e.address)) {
        status = explain_id(call, e.address, e.all);
        goto out;
    }
    if (status == CMD_OK && e.message)
        status = look_at_message(call, &e);
    if (status == CMD_OK)
        status = ask(call, &e);
    if (status == CMD_OK && call->json)
        print_json(&e);
    else if (status == CMD_OK)
        print_all(&e);
out:
    json_decref(e.verdict);
    json_decref(e.decisions);
    json_decref(e.hosts);
    return status;
}
