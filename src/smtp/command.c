/* smtp/command.c -- lines end in CRLF and in nothing else; what is too long is let go, not kept. */
#include "smtp/command.h"

#include <string.h>

#define NONE   SMTP_VERB_ARGUMENT_NONE
#define WANTED SMTP_VERB_ARGUMENT_WANTED
#define FREE   SMTP_VERB_ARGUMENT_FREE
#define ON     true
#define OFF    false

static const struct smtp_verb_row verb_rows[SMTP_VERB_COUNT] = {
    [SMTP_VERB_UNKNOWN] = { STR_INIT("?"), FREE, OFF, STR_INIT("") },
#define X(name, argument, built, syntax)                                                                     \
    [SMTP_VERB_##name] = { STR_INIT(#name), argument, built, STR_INIT(syntax) },
#include "smtp/verbs.def"
#undef X
};

#undef NONE
#undef WANTED
#undef FREE
#undef ON
#undef OFF

const struct smtp_verb_row *smtp_verb_row(enum smtp_verb verb)
{
    BUG_ON(verb >= SMTP_VERB_COUNT);
    return &verb_rows[verb];
}

enum smtp_verb smtp_verb_find(struct str word)
{
    for (int v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++)
        if (str_eq_nocase(word, verb_rows[v].name))
            return (enum smtp_verb)v;
    return SMTP_VERB_UNKNOWN;
}

/* Index of the first CRLF at or behind FROM, or in.n. */
static size_t find_crlf(struct str in, size_t from)
{
    for (size_t i = from; i < in.n; i++) {
        i += str_find(str_skip(in, i), '\n');
        if (i < in.n && i > 0 && in.p[i - 1] == '\r')
            return i - 1;
    }
    return in.n;
}

static enum smtp_scan start_anew(struct smtp_scanner *sc, enum smtp_scan result)
{
    *sc = (struct smtp_scanner){ 0 };
    return result;
}

/* The line is too long already: let go what is here of it, and look for its end. */
static enum smtp_scan drop_line(struct smtp_scanner *sc, struct str in, size_t *used)
{
    size_t room = SMTP_LINE_FLOOD - sc->dropped;
    struct str part = str_head(in, room);
    bool split_crlf = sc->cr && part.n && part.p[0] == '\n';
    size_t end = split_crlf ? 0 : find_crlf(part, 0);

    if (split_crlf || end < part.n) {
        *used = split_crlf ? 1 : end + 2;
        return start_anew(sc, SMTP_SCAN_TOO_LONG);
    }
    *used = part.n;
    sc->dropped += part.n;
    if (part.n)
        sc->cr = part.p[part.n - 1] == '\r';
    sc->seen = 0;
    return sc->dropped == SMTP_LINE_FLOOD ? SMTP_SCAN_FLOOD : SMTP_SCAN_MORE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* White space at the end of a command is tolerated (RFC 5321 4.1.1). */
static struct str trim_end(struct str s)
{
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

static void cut_command(struct str line, struct smtp_command *cmd)
{
    struct str rest = trim_end(line);

    cmd->word = str_cut(&rest, ' ');
    while (rest.n && is_blank(rest.p[0]))
        rest = str_skip(rest, 1);
    cmd->argument = rest;
    cmd->verb = smtp_verb_find(cmd->word);
}

static size_t line_max(enum smtp_verb verb)
{
    if (verb == SMTP_VERB_AUTH)
        return SMTP_AUTH_LINE_MAX;
    return verb == SMTP_VERB_MAIL ? SMTP_MAIL_LINE_MAX : SMTP_LINE_MAX;
}

/* A line of at most MAX octets with its CRLF. */
static enum smtp_scan scan_line(struct smtp_scanner *sc, struct str in, size_t max, struct str *line, size_t *used)
{
    *used = 0;
    if (sc->dropped)
        return drop_line(sc, in, used);

    size_t end = find_crlf(in, sc->seen);
    bool whole = end < in.n;
    /* Without its end: even if LF came next, it would be too long. */
    if (whole ? end + 2 > max : in.n >= max)
        return drop_line(sc, in, used);
    if (!whole) {
        sc->seen = in.n;
        return SMTP_SCAN_MORE;
    }
    *line = str_head(in, end);
    *used = end + 2;
    return start_anew(sc, SMTP_SCAN_COMMAND);
}

static bool has_bad_octet(struct str line)
{
    return str_has(line, '\r') || str_has(line, '\n') || str_has(line, '\0');
}

enum smtp_scan smtp_scan_command(struct smtp_scanner *sc, struct str in, struct smtp_command *cmd,
                                 size_t *used)
{
    bool auth = sc->dropped ? sc->auth : str_starts_nocase(in, STR("AUTH "));
    struct str line;
    enum smtp_scan scan = scan_line(sc, in, line_max(auth ? SMTP_VERB_AUTH : SMTP_VERB_MAIL), &line, used);

    sc->auth = auth && sc->dropped;
    *cmd = (struct smtp_command){ .verb = auth ? SMTP_VERB_AUTH : SMTP_VERB_UNKNOWN };
    if (scan != SMTP_SCAN_COMMAND)
        return scan;
    cut_command(line, cmd);
    if (*used > line_max(cmd->verb))
        return SMTP_SCAN_TOO_LONG;
    return has_bad_octet(line) ? SMTP_SCAN_BAD : SMTP_SCAN_COMMAND;
}

enum smtp_scan smtp_scan_response(struct smtp_scanner *sc, struct str in, struct str *line, size_t *used)
{
    enum smtp_scan scan = scan_line(sc, in, SMTP_AUTH_LINE_MAX, line, used);

    return scan == SMTP_SCAN_COMMAND && has_bad_octet(*line) ? SMTP_SCAN_BAD : scan;
}
