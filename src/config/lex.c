/* config/lex.c -- words, quotes, variables, placeholders, comments. Reads each octet of the text once. */
#include "config/lex.h"

#include <string.h>

#include "core/check.h"

static bool more(const struct config_lexer *lx)
{
    return lx->at < lx->text.n;
}

static char now(const struct config_lexer *lx)
{
    return lx->text.p[lx->at];
}

static struct str ahead(const struct config_lexer *lx)
{
    return str_skip(lx->text, lx->at);
}

static void step(struct config_lexer *lx, size_t n)
{
    for (; n; n--) {
        unsigned char c = (unsigned char)lx->text.p[lx->at++];
        if (c == '\n') {
            lx->line++;
            lx->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            lx->column++;
        }
    }
}

static struct config_place here(const struct config_lexer *lx)
{
    if (lx->built_in)
        return CONFIG_PLACE_DEFAULT;
    return (struct config_place){ .file = lx->file, .line = lx->line, .column = lx->column, .length = 1 };
}

/* Lets PLACE cover all from where it was taken up to here; what a line end cuts is cut when it is shown. */
static void cover(const struct config_lexer *lx, struct config_place *place)
{
    if (place->line)
        place->length = lx->line == place->line ? lx->column - place->column : UINT32_MAX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == ';' || c == '{' || c == '}';
}

static void skip_blanks_and_comments(struct config_lexer *lx)
{
    while (more(lx)) {
        if (is_blank(now(lx)))
            step(lx, 1);
        else if (now(lx) == '#')
            step(lx, str_find(ahead(lx), '\n'));
        else
            break;
    }
}

/* Length of a placeholder at the front of S with its braces, 0 when it is none. */
static size_t placeholder_length(struct str s)
{
    size_t i = 1;

    if (s.n < 3 || s.p[0] != '{' || s.p[1] < 'a' || s.p[1] > 'z')
        return 0;
    while (i < s.n &&
           ((s.p[i] >= 'a' && s.p[i] <= 'z') || ascii_is_digit(s.p[i]) || s.p[i] == '-' || s.p[i] == '_'))
        i++;
    return i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

static bool add_part(struct config_lexer *lx, struct str text, bool placeholder)
{
    if (lx->n_parts == lx->parts_room) {
        size_t room = lx->parts_room ? lx->parts_room * 2 : 8;
        struct config_part *parts = ARENA_NEW_ARRAY(lx->r->arena, room, struct config_part);
        if (!parts)
            return config_exhausted(lx->r);
        if (lx->n_parts)
            memcpy(parts, lx->parts, lx->n_parts * sizeof(*parts));
        lx->parts = parts;
        lx->parts_room = room;
    }
    lx->parts[lx->n_parts++] = (struct config_part){ .placeholder = placeholder, .text = text };
    return true;
}

/* Takes N octets that stand for themselves. */
static bool take_literal(struct config_lexer *lx, size_t n)
{
    bool ok = add_part(lx, str_head(ahead(lx), n), false);

    step(lx, n);
    return ok;
}

static bool take_placeholder(struct config_lexer *lx, size_t length)
{
    bool ok = add_part(lx, str_slice(ahead(lx), 1, length - 1), true);

    step(lx, length);
    return ok;
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(ascii_is_alpha(s.p[i]) || s.p[i] == '_' || (i && ascii_is_digit(s.p[i]))))
            return false;
    return s.n > 0;
}

/* "NAME" or "NAME:-default" cut out of "${...}" at the front of S; its whole length, 0 when it is none. */
static size_t cut_variable(struct str s, struct str *name, struct str *fallback)
{
    struct str near = str_head(s, CONFIG_VARIABLE_WRITTEN_MAX);
    struct str line = str_head(near, str_find(near, '\n'));
    size_t close = str_find(line, '}');
    struct str inside = str_slice(line, 2, close);
    size_t colon = str_find(inside, ':');
    bool has_default = str_starts(str_skip(inside, colon), STR(":-"));

    *name = has_default ? str_head(inside, colon) : inside;
    *fallback = has_default ? str_of(inside.p + colon + 2, inside.n - colon - 2) : STR_NONE;
    return close < line.n && is_name(*name) ? close + 1 : 0;
}

/* What was meant as a variable, so that its "}" is not taken for the end of a block. */
static size_t wrong_variable_length(struct str s)
{
    size_t i = 2;

    while (i < s.n && i < CONFIG_VARIABLE_WRITTEN_MAX && s.p[i] != '}' && s.p[i] != '"' && !ends_word(s.p[i]))
        i++;
    return i < s.n && s.p[i] == '}' ? i + 1 : 2;
}

/* What comes from outside must be as harmless as what stands in a file, and may not grow without bound. */
static bool check_variable(struct config_lexer *lx, struct config_place place, struct str name,
                           struct str value)
{
    struct config_reading *r = lx->r;
    bool fits = value.n <= CONFIG_VARIABLE_MAX && value.n <= CONFIG_TEXT_MAX - r->octets;

    if (fits && str_is_utf8(value) && !str_has(value, '\0')) {
        r->octets += value.n;
        return true;
    }
    struct str shown = config_shown(r, name);
    return config_complain(r, (struct config_mark){ .place = place }, "the value of '%.*s' is %s",
                           STR_ARG(shown), fits ? "not UTF-8" : "too long");
}

/* The value of a variable of the environment. As in a shell, one that is set but empty takes its default. */
static bool find_variable(struct config_lexer *lx, struct config_place place, struct str name,
                          struct str fallback, struct str *value)
{
    struct config_reading *r = lx->r;
    struct str found = STR_NONE;
    bool set = r->reader->env(r->reader->ctx, name, r->arena, &found);

    if (set && (found.n || !fallback.p)) {
        *value = found;
        return check_variable(lx, place, name, found);
    }
    *value = fallback;
    if (fallback.p)
        return true;
    struct str shown = config_shown(r, name);
    struct config_mark mark = { .place = place };
    mark.cure = config_say(r, "set it, or give a default: ${%.*s:-...}", STR_ARG(shown));
    return config_complain(r, mark, "the environment has no '%.*s'", STR_ARG(shown));
}

static void take_variable(struct config_lexer *lx, struct config_word *word)
{
    struct str name, fallback, value = STR_NONE;
    struct config_place place = here(lx);
    size_t length = cut_variable(ahead(lx), &name, &fallback);

    step(lx, length ? length : wrong_variable_length(ahead(lx)));
    cover(lx, &place);
    word->plain = false;
    struct config_mark mark = { .place = place,
                                .cure = STR("write ${NAME}, ${NAME:-default}, or $${ for itself") };
    if (!length)
        word->wrong |= !config_complain(lx->r, mark, "'${' without a name and '}'");
    else
        word->wrong |= !find_variable(lx, place, name, fallback, &value);
    word->wrong |= !add_part(lx, value, false);
}

/* A "$" or "{" that begins more than itself; false when it does not. */
static bool take_special(struct config_lexer *lx, struct config_word *word)
{
    struct str s = ahead(lx);
    size_t length = placeholder_length(s);

    if (length) {
        word->placeholders = true;
        word->wrong |= !take_placeholder(lx, length);
        return true;
    }
    if (str_starts(s, STR("$${"))) {
        word->plain = false;
        step(lx, 1);
        word->wrong |= !take_literal(lx, 2);
        return true;
    }
    if (str_starts(s, STR("${"))) {
        take_variable(lx, word);
        return true;
    }
    return false;
}

/* Octets up to the next one that may mean something; at least one. */
static size_t run_length(struct str s, bool quoted)
{
    size_t i = 1;

    while (i < s.n && s.p[i] != '"' && s.p[i] != '$' && s.p[i] != '{' &&
           (quoted ? s.p[i] != '\\' : !ends_word(s.p[i])))
        i++;
    return i;
}

static void take_quoted(struct config_lexer *lx, struct config_word *word)
{
    struct config_mark open = { .place = here(lx), .cure = STR("write '\"' where the text ends") };

    word->plain = false;
    step(lx, 1);
    while (more(lx) && now(lx) != '"') {
        if (take_special(lx, word))
            continue;
        struct str s = ahead(lx);
        if (str_starts(s, STR("\\\"")) || str_starts(s, STR("\\\\")))
            step(lx, 1);
        word->wrong |= !take_literal(lx, now(lx) == '"' ? 1 : run_length(ahead(lx), true));
    }
    if (more(lx))
        step(lx, 1);
    else
        lx->unclosed = word->wrong = !config_complain(lx->r, open, "this quote is not closed");
}

/* All parts in one row: borrowed when there is one alone, else put together. */
static bool join_parts(struct config_lexer *lx, struct config_word *word)
{
    struct config_reading *r = lx->r;
    size_t n = 0, at = 0;

    if (lx->n_parts == 1 && !word->placeholders) {
        word->text = lx->parts[0].text;
        return true;
    }
    for (size_t i = 0; i < lx->n_parts; i++)
        if (!size_add(n, lx->parts[i].text.n + 2, &n))
            return config_exhausted(r);
    char *p = arena_alloc(r->arena, n);
    if (!p)
        return config_exhausted(r);
    for (size_t i = 0; i < lx->n_parts; i++) {
        const struct config_part *part = &lx->parts[i];
        if (part->placeholder)
            p[at++] = '{';
        if (part->text.n)
            memcpy(p + at, part->text.p, part->text.n);
        at += part->text.n;
        if (part->placeholder)
            p[at++] = '}';
    }
    word->text = str_of(p, at);
    return true;
}

static bool keep_parts(struct config_lexer *lx, struct config_word *word)
{
    if (!join_parts(lx, word))
        return false;
    if (!word->placeholders)
        return true;
    struct config_part *parts = ARENA_NEW_ARRAY(lx->r->arena, lx->n_parts, struct config_part);
    if (!parts)
        return config_exhausted(lx->r);
    memcpy(parts, lx->parts, lx->n_parts * sizeof(*parts));
    word->parts = parts;
    word->n_parts = lx->n_parts;
    return true;
}

static enum config_token take_word(struct config_lexer *lx, struct config_word *word)
{
    bool variable_first = str_starts(ahead(lx), STR("${")), quoted = false;
    size_t pieces = 0;

    *word = (struct config_word){ .place = here(lx), .plain = true };
    lx->n_parts = 0;
    for (; more(lx); pieces++) {
        if (now(lx) == '"') {
            take_quoted(lx, word);
            quoted = true;
        } else if (!take_special(lx, word)) {
            if (ends_word(now(lx)))
                break;
            word->wrong |= !take_literal(lx, run_length(ahead(lx), false));
        }
    }
    word->alone = variable_first && pieces == 1 && !quoted;
    cover(lx, &word->place);
    if (!keep_parts(lx, word) || lx->r->diag->exhausted)
        return CONFIG_TOKEN_END;
    return CONFIG_TOKEN_WORD;
}

enum config_token config_lexer_next(struct config_lexer *lx, struct config_word *word,
                                    struct config_place *place)
{
    enum config_token mark;

    skip_blanks_and_comments(lx);
    *place = here(lx);
    if (!more(lx) || lx->r->stopped)
        return CONFIG_TOKEN_END;
    if (now(lx) == ';')
        mark = CONFIG_TOKEN_SEMICOLON;
    else if (now(lx) == '}')
        mark = CONFIG_TOKEN_CLOSE;
    else if (now(lx) == '{' && !placeholder_length(ahead(lx)))
        mark = CONFIG_TOKEN_OPEN;
    else {
        enum config_token token = take_word(lx, word);
        *place = word->place;
        return token;
    }
    step(lx, 1);
    return mark;
}

static bool is_control(const struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];

    if (c == '\r')
        return i + 1 >= s.n || s.p[i + 1] != '\n';
    return (c < ' ' && c != '\t' && c != '\n') || c == 0x7f;
}

/* Line by line, so that the complaint has a place and the text is looked at only once. */
static bool check_text(struct config_lexer *lx)
{
    for (struct str rest = ahead(lx); rest.n;) {
        struct str line = str_head(rest, str_find(rest, '\n') + 1);
        struct config_mark mark = { .place = here(lx), .cure = STR("save the file as UTF-8") };
        if (!str_is_utf8(line))
            return config_complain(lx->r, mark, "this line is not UTF-8");
        for (size_t i = 0; i < line.n; i++, step(lx, 1)) {
            mark = (struct config_mark){ .place = here(lx) };
            if (is_control(rest, i))
                return config_complain(lx->r, mark, "control character 0x%02x", (unsigned char)line.p[i]);
        }
        rest = str_skip(rest, line.n);
    }
    return true;
}

bool config_lexer_open(struct config_lexer *lx, struct config_reading *r, struct str text, uint32_t file)
{
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);
    *lx = (struct config_lexer){ .r = r, .text = text, .file = file, .line = 1, .column = 1 };
    if (!check_text(lx))
        return false;
    *lx = (struct config_lexer){ .r = r, .text = text, .file = file, .line = 1, .column = 1 };
    return true;
}
