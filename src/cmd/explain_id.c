/* cmd/explain_id.c -- groups of recipients that wait for the same, the worst first, and what would help. */
#include "cmd/explain_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/attempts.h"
#include "cmd/explain_view.h"
#include "cmd/row.h"
#include "cmd/server.h"
#include "io/loop.h"

enum { NAME_WIDTH = 11, VALUE_LEAST = 12, VALUE_MOST = 30 };
enum { ADDRESSES = 3, GROUPS = 4, GROUPS_ALL = 1000, CODE_FAILED = 500 };

/* ---- lines ---- */

void explain_line(struct view *v, const char *name, struct str value, struct str text)
{
    struct buf *out = &v->line;

    buf_add(out, STR("  "));
    text_cell(out, &v->screen, str_from_c(name), NAME_WIDTH, false);
    if (!text.n) {
        text_add(out, &v->screen, value, 0);
    } else {
        text_cell(out, &v->screen, value, text_width(value) > v->width ? text_width(value) : v->width, false);
        buf_add(out, STR("  "));
        text_add(out, &v->screen, text, 0);
    }
    text_print(out, &v->screen);
}

struct str explain_short_time(const struct view *v, const char *written, struct text_short *room)
{
    *room = text_time_today(written, v->now_msec);
    return str_from_c(room->c);
}

/* Without its seconds: "11:31", "2026-11-27 07:31". */
static struct str minute_of(const struct view *v, const char *written, struct text_short *room)
{
    struct str t = explain_short_time(v, written, room);

    return t.n > 3 ? str_head(t, t.n - 3) : t;
}

/* ---- who, and why in one sentence ---- */

static void put_addresses(const json_t *group, struct buf *out)
{
    const json_t *to = json_object_get(group, "to"), *one;
    uint64_t n = row_number(group, "recipients");
    size_t i, shown = 0;

    json_array_foreach(to, i, one) {
        if (shown == ADDRESSES || !json_string_value(one))
            break;
        buf_printf(out, "%s%s", shown++ ? ", " : "", json_string_value(one));
    }
    if (n > shown)
        buf_printf(out, " +%s", text_count(n - shown).c);
}

/* Who is spoken of: the site, else the domain. */
static const char *whom(const json_t *group)
{
    return row_has(group, "site") ? row_text_c(group, "site") : row_text_c(group, "name");
}

static void put_time_words(const json_t *group, struct buf *out)
{
    bool refused = row_has(group, "reply") && row_number(group, "code") >= CODE_FAILED;

    if (refused)
        buf_printf(out, "%s refuses it for good, and on-reply of %s says to try again", whom(group),
                   row_text_c(group, "on_reply_rule"));
    else if (row_has(group, "reply"))
        buf_printf(out, "%s asks to come back later", whom(group));
    else if (row_has(group, "error"))
        buf_printf(out, "%s: %s", whom(group), row_text_c(group, "error"));
    else
        buf_add(out, STR("it is put off"));
}

static void put_sentence(const json_t *group, struct buf *out)
{
    static const struct {
        const char *cause, *before, *behind; /* around the site's name; NULL: without it */
    } sentences[] = {
        { "report", "refused for good", NULL },
        { "disk", "the disk of this server refuses writes", NULL },
        { "dns", "the DNS does not answer", NULL },
        { "site", "", " does not answer" },
        { "paused", "", " is paused" },
        { "rate", "", " gets no more than its rate" },
        { "process", "it waits for a delivery process", NULL },
        { "plan", "the hosts of ", " are being looked up" },
        { "route", "its route is being looked up", NULL },
        { "reading", "it is about to be tried", NULL },
        { "window", "others go to ", " before it" },
        { "turn", "it is in line for ", "" },
        { "sending", "it is being sent just now", NULL },
    };
    struct str cause = row_text(group, "cause");

    if (str_eq(cause, STR("held"))) {
        buf_add_c(out, str_starts(row_text(group, "text"), STR("by ")) ? "held " : "held: ");
        buf_add(out, row_text(group, "text"));
    }
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        if (!str_eq(cause, str_from_c(sentences[i].cause)))
            continue;
        buf_add_c(out, sentences[i].before);
        if (sentences[i].behind)
            buf_printf(out, "%s%s", whom(group), sentences[i].behind);
        return;
    }
    if (str_eq(cause, STR("time")))
        put_time_words(group, out);
}

static void print_heading(struct view *v, const json_t *group)
{
    struct buf *out = &v->words;
    bool one = row_number(group, "recipients") == 1;

    buf_clear(out);
    put_addresses(group, out);
    buf_add_c(out, one ? " has not been delivered: " : " have not been delivered: ");
    put_sentence(group, out);
    buf_add_char(out, '.');
    text_add(&v->line, &v->screen, buf_str(out), 0);
    text_print(&v->line, &v->screen);
    printf("\n");
}

/* ---- where it goes ---- */

/* Of the same domain, and by the same route where that is one of the message's own. */
static bool is_host_of(const json_t *host, const json_t *group)
{
    bool own = str_eq(row_text(group, "rule"), STR("queue edit"));

    return str_eq(row_text(host, "site"), row_text(group, "name")) &&
           str_eq(row_text(host, "route"), own ? row_text(group, "route") : STR(""));
}

/* A literal is known by its address and port. */
static struct str host_name(const json_t *host)
{
    struct str name = row_text(host, "host");
    const char *peer = json_string_value(json_array_get(json_object_get(host, "peer"), 0));

    return str_starts(name, STR("[")) && peer ? str_from_c(peer) : name;
}

static void print_site(struct view *v, const json_t *group)
{
    struct buf *out = &v->words;
    const json_t *host;
    const char *secure = NULL;
    size_t i;

    buf_clear(out);
    json_array_foreach(v->hosts, i, host) {
        if (!is_host_of(host, group))
            continue;
        buf_add_c(out, out->n ? ", " : "");
        if (row_has(host, "error")) {
            buf_add(out, row_text(host, "error"));
            continue;
        }
        buf_add(out, host_name(host));
        if (row_number(host, "preference"))
            buf_printf(out, " %" PRIu64, row_number(host, "preference"));
        if (!str_starts(row_text(host, "host"), STR("[")))
            secure = json_is_true(json_object_get(host, "secure")) ? "secure" : "insecure";
    }
    int64_t asked = text_time_msec(row_text_c(group, "asked"));
    if (secure && asked >= 0)
        buf_printf(out, "; asked %s ago, DNSSEC %s", text_age(v->now_msec - asked).c, secure);
    else if (secure)
        buf_printf(out, "; DNSSEC %s", secure);
    explain_line(v, "site", str_from_c(whom(group)), buf_str(out));
}

static void print_tls(struct view *v, const json_t *group)
{
    static const struct {
        const char *level, *words;
    } levels[] = {
        { "auto", "where the host offers it, else in clear" },
        { "may", "where the host offers it, else in clear" },
        { "none", "in clear, whatever the host offers" },
        { "encrypt", "TLS or not at all, whoever's certificate it is" },
        { "verify", "TLS with a certificate for the host, or not at all" },
        { "secure", "TLS with a certificate for the domain, or not at all" },
        { "fingerprint", "TLS with the certificate of that fingerprint, or not at all" },
    };
    struct str level = row_text(group, "tls_level");

    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (str_eq(level, str_from_c(levels[i].level)))
            explain_line(v, "tls", level, str_from_c(levels[i].words));
}

static void print_where(struct view *v, const json_t *group)
{
    bool remote = str_eq(row_text(group, "kind"), STR("remote"));

    if (row_has(group, "route"))
        explain_line(v, "route", row_text(group, "route"), row_text(group, "rule"));
    else if (row_has(group, "rule"))
        explain_line(v, "route", STR("none"), row_text(group, "rule"));
    if (remote || row_has(group, "site"))
        print_site(v, group);
    print_tls(v, group);
}

/* ---- what was, and what comes ---- */

static void print_waits(struct view *v, const json_t *group)
{
    const json_t *retry = json_object_get(group, "retry"), *one;
    struct buf *out = &v->words;
    size_t i;

    buf_clear(out);
    if (retry)
        buf_add(out, STR("retry"));
    json_array_foreach(retry, i, one)
        buf_printf(out, " %s", json_string_value(one) ? json_string_value(one) : "");
    if (retry)
        buf_printf(out, " (%s)", row_text_c(group, "by"));
    if (row_has(group, "text"))
        buf_printf(out, "%s%s", retry ? "; " : "", row_text_c(group, "text"));
    explain_line(v, "waits for", row_text(group, "value"), buf_str(out));
}

static void print_next(struct view *v, const json_t *group)
{
    int64_t next = text_time_msec(row_text_c(group, "next"));
    struct buf *out = &v->words;
    struct text_short room;
    const json_t *host;
    size_t i, n = 0;

    if (next < 0)
        return;
    buf_clear(out);
    buf_printf(out, "in %s", text_age(next - v->now_msec).c);
    json_array_foreach(v->hosts, i, host) {
        if (!is_host_of(host, group) || row_has(host, "error"))
            continue;
        buf_add_c(out, n++ ? ", then " : ": ");
        buf_add(out, host_name(host));
    }
    explain_line(v, "next", explain_short_time(v, row_text_c(group, "next"), &room), buf_str(out));
}

static void print_ends(struct view *v, const json_t *group)
{
    struct buf *out = &v->words;
    struct text_short room, other;

    if (!row_has(group, "expires"))
        return;
    struct str expires = minute_of(v, row_text_c(group, "expires"), &other);
    buf_clear(out);
    if (row_has(group, "warn")) {
        buf_printf(out, "the sender is told of the delay; it is returned %.*s", STR_ARG(expires));
        explain_line(v, "and then", minute_of(v, row_text_c(group, "warn"), &room), buf_str(out));
    } else {
        explain_line(v, "and then", expires, STR("it is returned to its sender"));
    }
}

static void measure(struct view *v)
{
    static const char *const values[] = { "route", "site", "value" };
    const json_t *group;
    size_t i;

    v->width = VALUE_LEAST;
    json_array_foreach(v->groups, i, group)
        for (size_t k = 0; k < ARRAY_LEN(values); k++) {
            size_t n = text_width(row_text(group, values[k]));
            v->width = n > v->width && n <= VALUE_MOST ? n : v->width;
        }
}

static void print_group(struct view *v, const json_t *group)
{
    print_heading(v, group);
    print_where(v, group);
    explain_tries(v, group);
    print_waits(v, group);
    print_next(v, group);
    print_ends(v, group);
    printf("\n");
}

/* ---- all of it ---- */

static bool any_with(const struct view *v, const char *cause)
{
    const json_t *group;
    size_t i;

    json_array_foreach(v->groups, i, group)
        if (str_eq(row_text(group, "cause"), str_from_c(cause)))
            return true;
    return false;
}

static bool can_be_hurried(const struct view *v)
{
    static const char *const causes[] = { "time", "site" };

    /* A pause, a rate and a window hold for what is hurried, too. */

    for (size_t i = 0; i < ARRAY_LEN(causes); i++)
        if (any_with(v, causes[i]))
            return true;
    return false;
}

/* A site once, however many wait for it. */
static void print_paused(const struct view *v)
{
    struct str last = STR_NONE;
    const json_t *group;
    size_t i;

    json_array_foreach(v->groups, i, group) {
        struct str site = row_text(group, "site");
        if (!str_eq(row_text(group, "cause"), STR("paused")) || !site.n || str_eq(site, last))
            continue;
        printf("go on: veredus site resume %.*s\n", STR_ARG(site));
        last = site;
    }
}

static void print_nothing_waits(struct view *v)
{
    struct buf *out = &v->line;

    buf_printf(out, "%s is %s: ", v->id, row_text_c(v->message, "state"));
    if (row_has(v->message, "error"))
        text_add(out, &v->screen, row_text(v->message, "error"), 0);
    else
        buf_add(out, STR("none of its recipients waits; its end is being written"));
    text_print(out, &v->screen);
    if (row_has(v->message, "error"))
        printf("\nwhat is wrong:  veredus spool check\nwhat is left:   veredus spool export --id %s DIR\n"
               "take it away:   veredus queue remove %s\n",
               v->id, v->id);
}

/* Who lets a damaged one go has it back at once. */
static void print_held(const struct view *v)
{
    if (str_eq(row_text(v->message, "reason"), STR("failed")))
        printf("what is wrong:        veredus spool check\nwhat is left:         veredus spool export --id %s DIR\n"
               "back to its sender:   veredus queue remove --bounce %s\n",
               v->id, v->id);
    else
        printf("let go: veredus queue release %s\n", v->id);
}

static void print_all(struct view *v)
{
    const json_t *group;
    size_t i;

    measure(v);
    json_array_foreach(v->groups, i, group)
        print_group(v, group);
    if (!json_array_size(v->groups))
        print_nothing_waits(v);
    if (v->left_out)
        printf("%s more recipients wait for something else (--all)\n\n", text_count(v->left_out).c);
    if (any_with(v, "held") && str_eq(row_text(v->message, "state"), STR("held")))
        print_held(v);
    print_paused(v);
    if (can_be_hurried(v))
        printf("try now: veredus queue flush %s\n", v->id);
}

static void print_tried(struct view *v, struct server *s)
{
    v->attempts = attempts_of(s, v->id);
    print_all(v);
    json_decref(v->attempts);
}

/* The hosts of each group with it. */
static void print_json(struct view *v)
{
    json_t *group, *host;
    size_t i, k;

    json_array_foreach(v->groups, i, group) {
        json_t *hosts = json_array();
        json_array_foreach(v->hosts, k, host) {
            if (!is_host_of(host, group))
                continue;
            json_t *copy = json_copy(host);
            json_object_del(copy, "site");
            json_array_append_new(hosts, copy);
        }
        json_object_set_new(group, "hosts", hosts);
    }
    json_object_set(v->message, "groups", v->groups);
    if (v->left_out)
        json_object_set_new(v->message, "left_out", json_integer((json_int_t)v->left_out));
    json_dumpf(v->message, stdout, JSON_COMPACT);
    printf("\n");
}

static void take_row(struct view *v, json_t *row)
{
    struct str event = row_text(row, "event");
    bool is_group = str_eq(event, STR("group")), is_host = str_eq(event, STR("host"));

    if (is_group && !row_number(row, "number")) {
        v->left_out = row_number(row, "recipients");
        json_decref(row);
        return;
    }
    json_object_del(row, "event");
    if (is_group || is_host) {
        json_array_append_new(is_group ? v->groups : v->hosts, row);
        return;
    }
    json_decref(v->message);
    v->message = row;
    if (row_has(row, "id"))
        v->id = row_text_c(row, "id");
}

int explain_id(const struct cmd_call *call, const char *id, bool all)
{
    struct view v = {
        .screen = text_screen(),
        .id = id,
        .now_msec = io_wall_msec(),
        .groups = json_array(),
        .hosts = json_array(),
        .all = all,
        .line = BUF_INIT(TEXT_MAX),
        .words = BUF_INIT(TEXT_MAX),
    };
    struct server s;
    json_t *row;

    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:s,s:i}", "command", "explain message", "id", id, "limit",
                                 all || call->json ? (int)GROUPS_ALL : (int)GROUPS));
    while ((row = server_next(&s, NULL)))
        take_row(&v, row);
    int status = s.exit;
    if (status == CMD_OK && !v.message)
        status = cmd_fail(CMD_LATER, "are program and server of one version?", "the answer is not understood");
    else if (status == CMD_OK && call->json)
        print_json(&v);
    else if (status == CMD_OK)
        print_tried(&v, &s);
    server_close(&s);
    json_decref(v.message);
    json_decref(v.groups);
    json_decref(v.hosts);
    buf_done(&v.line);
    buf_done(&v.words);
    return status;
}
