/* log/live.c -- whose lines are told, and what of them. */
#include "log/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "log/log.h"

/* What a client may begin a line with and be seen; the dot is the end of content. */
static const struct str verbs[] = {
#define X(NAME, argument, built, syntax) STR_INIT(#NAME),
#include "smtp/verbs.def"
#undef X
    STR_INIT("LHLO"),
    STR_INIT("."),
};

static const struct str auth = STR_INIT("AUTH "), challenge = STR_INIT("334");

/* ---- who watches ---- */

static void count(struct live *l)
{
    l->n = 0;
    for (size_t i = 0; i < LIVE_WATCHES_MAX; i++)
        l->n += l->watches[i].ticket != 0;
    l->changes++;
}

bool live_add(struct live *l, uint64_t ticket, struct str session, struct str client, struct str address)
{
    for (size_t i = 0; i < LIVE_WATCHES_MAX; i++) {
        struct live_watch *w = &l->watches[i];
        if (w->ticket)
            continue;
        *w = (struct live_watch){ .ticket = ticket };
        snprintf(w->session, sizeof(w->session), "%.*s", STR_ARG(session));
        snprintf(w->client, sizeof(w->client), "%.*s", STR_ARG(client));
        snprintf(w->address, sizeof(w->address), "%.*s", STR_ARG(address));
        count(l);
        return true;
    }
    return false;
}

void live_remove(struct live *l, uint64_t ticket)
{
    for (size_t i = 0; i < LIVE_WATCHES_MAX; i++)
        if (l->watches[i].ticket == ticket)
            l->watches[i] = (struct live_watch){ 0 };
    count(l);
}

void live_clear(struct live *l)
{
    memset(l->watches, 0, sizeof(l->watches));
    count(l);
}

/* ---- what is told ---- */

static bool contains_nocase(struct str line, struct str what)
{
    for (size_t i = 0; what.n && i + what.n <= line.n; i++)
        if (str_eq_nocase(str_slice(line, i, i + what.n), what))
            return true;
    return false;
}

/* From the first line with its address on the dialogue is about it. */
static bool is_about(const struct live_watch *w, unsigned bit, struct live_dialogue *d, const struct live_who *who,
                     struct str line)
{
    if (!w->ticket)
        return false;
    if (w->session[0])
        return str_eq(who->session, str_from_c(w->session));
    if (w->client[0])
        return str_eq(who->address, str_from_c(w->client));
    if (contains_nocase(line, str_from_c(w->address)))
        d->heard |= bit;
    return d->heard & bit;
}

static void tell(const struct live_watch *w, const struct live_who *who, bool by_client, struct str text)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_DIALOGUE);
    if (who->session.n)
        log_text(&r, LOG_SESSION, who->session);
    if (who->session.n)
        log_text(&r, LOG_CLIENT, who->address);
    log_number(&r, LOG_NUMBER, (int64_t)w->ticket);
    if (who->host.n)
        log_text(&r, LOG_HOST, who->host);
    if (!who->session.n)
        log_text(&r, LOG_PEER, who->address);
    log_text_c(&r, LOG_BY, by_client ? "client" : "server");
    log_text(&r, LOG_TEXT, text);
    log_send_always(&r);
}

static void say(struct live *l, struct live_dialogue *d, const struct live_who *who, bool by_client, struct str line,
                struct str shown)
{
    if (d->changes != l->changes)
        d->heard = 0;
    d->changes = l->changes;
    for (unsigned i = 0; i < LIVE_WATCHES_MAX; i++)
        if (is_about(&l->watches[i], 1U << i, d, who, line))
            tell(&l->watches[i], who, by_client, shown);
}

static bool is_command(struct str line)
{
    struct str word = str_head(line, str_find(line, ' '));

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_eq_nocase(word, verbs[i]))
            return true;
    return false;
}

/*
 * A line that is no command may be content: of a client that goes on with it though DATA was refused. No password is
 * ever shown: of AUTH the mechanism, of an answer to 334 nothing (RFC 4954 4).
 */
static void say_line(struct live *l, struct live_dialogue *d, const struct live_who *who, bool by_client,
                     struct str line)
{
    struct buf shown = BUF_INIT(LOG_VALUE_MAX);

    if (by_client && d->hides) {
        say(l, d, who, by_client, line, STR("(hidden)"));
    } else if (by_client && str_starts_nocase(line, auth)) {
        struct str mechanism = str_skip(line, auth.n);
        buf_add(&shown, str_head(line, auth.n));
        buf_add(&shown, str_head(mechanism, str_find(mechanism, ' ')));
        if (str_has(mechanism, ' '))
            buf_add_c(&shown, " \xe2\x80\xa6");
        say(l, d, who, by_client, line, buf_str(&shown));
    } else if (by_client && !is_command(line)) {
        buf_printf(&shown, "\xe2\x80\xa6 %zu octets that are no command", line.n);
        say(l, d, who, by_client, line, buf_str(&shown));
    } else {
        say(l, d, who, by_client, line, line);
    }
    d->hides = !by_client && str_starts(line, challenge);
    buf_done(&shown);
}

void live_lines(struct live *l, struct live_dialogue *d, const struct live_who *who, bool by_client, struct str lines)
{
    while (lines.n) {
        size_t n = str_find(lines, '\n');
        struct str line = str_head(lines, n);
        say_line(l, d, who, by_client, str_ends(line, STR("\r")) ? str_head(line, line.n - 1) : line);
        lines = str_skip(lines, n + 1);
    }
}

void live_content(struct live *l, struct live_dialogue *d, const struct live_who *who)
{
    char text[64];

    snprintf(text, sizeof(text), "\xe2\x80\xa6 %" PRIu64 " octets of content", d->content);
    d->content = 0;
    say(l, d, who, true, STR_NONE, str_from_c(text));
}
