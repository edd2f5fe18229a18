/* cmd/explain_message.c -- the content pass and the header scan of a session, over a file. */
#include "cmd/explain_message.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/text.h"
#include "message/header.h"
#include "smtp/content.h"

enum { ARENA_MAX = 4 << 20, TEXT_ROOM = 160 };

struct look {
    const struct config *config;
    const struct config_session *session;
    json_t *decisions;
    struct smtp_content content;
    struct message_header_scan *scan;
    bool unix_lines; /* LF alone ends lines, as in files */
    bool good;
};

/* ---- the pass ---- */

static void feed(struct look *l, struct str in)
{
    enum smtp_content_step step;

    do {
        struct str span;
        size_t used;
        step = smtp_content_next(&l->content, in, &span, &used);
        in = str_skip(in, used);
        if (step == SMTP_CONTENT_SPAN && !message_header_scan_feed(l->scan, span))
            l->good = false;
    } while (step == SMTP_CONTENT_SPAN);
}

/* As a client sends it: dots stuffed behind each CRLF, and the dot at the end (RFC 5321 4.5.2). */
static void feed_all(struct look *l, struct str octets)
{
    bool begins = true;

    while (octets.n) {
        size_t lf = str_find(octets, '\n');
        bool ends = lf < octets.n;
        struct str line = str_head(octets, ends && !l->unix_lines ? lf + 1 : lf);
        if (begins && str_starts(line, STR(".")))
            feed(l, STR("."));
        feed(l, line);
        if (ends && l->unix_lines)
            feed(l, STR("\r\n"));
        begins = ends && (l->unix_lines || str_ends(line, STR("\r\n")));
        octets = str_skip(octets, ends ? lf + 1 : lf);
    }
    feed(l, begins ? STR(".\r\n") : STR("\r\n.\r\n"));
}

/* ---- what it says ---- */

static void say(struct look *l, const char *name, const char *value, const char *text,
                struct config_place place)
{
    json_array_append_new(l->decisions, json_pack("{s:s,s:s,s:s,s:s}", "name", name, "value", value, "text",
                                                  text, "rule", config_rule(l->config, place).c));
}

static void say_bound(struct look *l, const char *name, uint64_t value, const char *unit,
                      struct config_number most)
{
    char number[TEXT_ROOM], text[TEXT_ROOM];
    bool good = value <= most.n;

    snprintf(number, sizeof(number), "%s%s", text_count(value).c, unit);
    snprintf(text, sizeof(text), good ? "at most %s are taken" : "refused: more than %s",
             text_count(most.n).c);
    say(l, name, number, text, most.place);
    l->good = l->good && good;
}

static const char *fault_words(enum smtp_content_fault fault)
{
    switch (fault) {
    case SMTP_CONTENT_BARE_CR:
        return "holds a bare CR; SMTP lines end in CRLF";
    case SMTP_CONTENT_BARE_LF:
        return "ends in a bare LF; SMTP lines end in CRLF";
    case SMTP_CONTENT_NUL:
        return "holds a NUL octet";
    default:
        return "is too long";
    }
}

/* The first fault hides what stands behind it. */
static void say_fault(struct look *l)
{
    const struct smtp_content_facts *facts = &l->content.facts;
    const struct config_session *s = l->session;
    char text[TEXT_ROOM];

    l->good = false;
    if (facts->fault == SMTP_CONTENT_TOO_BIG) {
        snprintf(text, sizeof(text), "it has more than %s octets", text_count(s->max_message_size.n).c);
        say(l, "size", "refused", text, s->max_message_size.place);
        return;
    }
    snprintf(text, sizeof(text), "line %" PRIu64 " %s", facts->fault_line, fault_words(facts->fault));
    say(l, "lines", "refused", text,
        facts->fault == SMTP_CONTENT_LINE_TOO_LONG ? s->max_line_length.place : s->bare_newlines.place);
}

static void say_lines(struct look *l)
{
    const struct smtp_content_facts *facts = &l->content.facts;
    char text[TEXT_ROOM];

    if (facts->repaired) {
        snprintf(text, sizeof(text), "%s bare CR or LF would be repaired", text_count(facts->repaired).c);
        say(l, "lines", "repaired", text, l->session->bare_newlines.place);
    } else {
        say(l, "lines", l->unix_lines ? "LF" : "CRLF",
            l->unix_lines ? "as in a file; a client has to send CRLF" : "as SMTP wants",
            l->session->bare_newlines.place);
    }
    say_bound(l, "longest", facts->longest_line, " octets", l->session->max_line_length);
}

static void say_header(struct look *l, struct str address)
{
    const struct message_header *h = message_header_scan_facts(l->scan);

    say_bound(l, "header", h->size, " octets", l->session->max_header_size);
    say_bound(l, "received", h->received, " fields", l->config->max_received);
    if (!message_header_was_delivered_to(h, address))
        return;
    say(l, "loop", "refused", "a Delivered-To field has this address: it was delivered there before",
        CONFIG_PLACE_DEFAULT);
    l->good = false;
}

bool explain_message(const struct config *config, struct str octets, struct str address, json_t *decisions,
                     uint64_t *size)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct look l = {
        .config = config,
        .session = config->n_listeners ? &config->listeners[0].session : &config->session,
        .decisions = decisions,
        .scan = a ? message_header_scan_new(a) : NULL,
        .unix_lines = !str_contains(octets, STR("\r\n")),
        .good = true,
    };
    const struct smtp_content_limits limits = {
        .size_max = l.session->max_message_size.n,
        .line_max = l.session->max_line_length.n,
        .newlines = l.session->bare_newlines.value == CONFIG_BARE_REPAIR ? SMTP_NEWLINES_REPAIR
                                                                         : SMTP_NEWLINES_REJECT,
    };

    *size = 0;
    if (!l.scan) {
        arena_free(a);
        return false;
    }
    smtp_content_init(&l.content, &limits);
    feed_all(&l, octets);
    if (!message_header_scan_end(l.scan))
        l.good = false;
    *size = l.content.facts.fault == SMTP_CONTENT_GOOD ? l.content.facts.size : 0;
    if (l.content.facts.fault != SMTP_CONTENT_GOOD) {
        say_fault(&l);
    } else {
        say_bound(&l, "size", l.content.facts.size, " octets", l.session->max_message_size);
        say_lines(&l);
        say_header(&l, address);
    }
    arena_free(a);
    return l.good;
}
