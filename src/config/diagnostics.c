/* config/diagnostics.c -- keeping, sorting and showing what is wrong. */
#include "config/diagnostics.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXCERPT_BEFORE = 60, /* octets of the line that are shown before the mark */
    EXCERPT_MAX = 140,
};

static bool same(const struct config_diagnostic *a, struct config_place place, struct str text)
{
    return a->place.file == place.file && a->place.line == place.line && a->place.column == place.column &&
           str_eq(a->text, text);
}

static bool is_known(const struct config_diagnostics *d, struct config_place place, struct str text)
{
    for (size_t i = 0; i < d->n; i++)
        if (same(&d->items[i], place, text))
            return true;
    return false;
}

/* A copy of S; false without memory. The empty text needs none. */
static bool keep(struct config_diagnostics *d, struct str s, struct str *kept)
{
    *kept = s.n ? arena_str(d->arena, s) : STR_NONE;
    if (s.n && !kept->p)
        d->exhausted = true;
    return !s.n || kept->p;
}

/* SAID, whose texts are copied. */
static void add(struct config_diagnostics *d, const struct config_diagnostic *said)
{
    struct config_diagnostic item = *said;

    if (is_known(d, said->place, said->text))
        return;
    if (said->severity == CONFIG_ERROR)
        d->errors++;
    else
        d->warnings++;
    if (d->n == CONFIG_DIAGNOSTICS_MAX)
        return;
    if (!d->items)
        d->items = ARENA_NEW_ARRAY(d->arena, CONFIG_DIAGNOSTICS_MAX, struct config_diagnostic);
    if (!d->items) {
        d->exhausted = true;
        return;
    }
    if (keep(d, said->text, &item.text) && keep(d, said->hint, &item.hint) && keep(d, said->cure, &item.cure))
        d->items[d->n++] = item;
}

void config_diagnostics_add(struct config_diagnostics *d, enum config_severity severity,
                            struct config_place place, struct str text, struct str hint, struct str cure)
{
    add(d, &(struct config_diagnostic){ severity, place, text, hint, cure, false });
}

void config_diagnostics_add_hidden(struct config_diagnostics *d, enum config_severity severity,
                                   struct config_place place, struct str text, struct str hint, struct str cure)
{
    add(d, &(struct config_diagnostic){ severity, place, text, hint, cure, true });
}

/* Line NUMBER of TEXT without its end. */
static struct str line_of(struct str text, uint32_t number)
{
    struct str line = STR_NONE;

    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);
    for (struct str rest = text; number && rest.p; number--)
        line = str_cut(&rest, '\n');
    return str_ends(line, STR("\r")) ? str_head(line, line.n - 1) : line;
}

/* Octets of the first N characters of S; all of it when it has fewer. */
static size_t octets_of(struct str s, uint32_t n)
{
    size_t i = 0;

    while (i < s.n) {
        bool begins = ((unsigned char)s.p[i] & 0xc0) != 0x80;
        if (begins && !n)
            break;
        n -= begins;
        i++;
    }
    return i;
}

/* The next octet in S from AT on that begins a character. */
static size_t at_character(struct str s, size_t at)
{
    while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
        at++;
    return at < s.n ? at : s.n;
}

/* What cannot be shown as it is, in a file that is not UTF-8 or has control characters. */
static void add_shown(struct buf *out, struct str s)
{
    bool utf8 = str_is_utf8(s);

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool control = (c < ' ' && c != '\t') || c == 0x7f;
        buf_add_char(out, control || (!utf8 && c > 0x7f) ? '?' : (char)c);
    }
}

/* Blanks as wide as S, so that the mark stands below what it means: a tab stays a tab. */
static void add_blanks(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\t')
            buf_add_char(out, '\t');
        else if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            buf_add_char(out, ' ');
}

static void add_advice(const struct config_diagnostic *item, struct buf *out)
{
    if (item->hint.n) {
        buf_add_char(out, ' ');
        buf_add(out, item->hint);
    }
    if (item->cure.n) {
        buf_add_char(out, ' ');
        buf_add(out, item->cure);
    }
    buf_add_char(out, '\n');
}

/* The line and below it the mark; of a very long line what is around the mark. */
static void add_excerpt(const struct config_diagnostic *item, struct str line, struct buf *out)
{
    size_t mark = octets_of(line, item->place.column - 1);
    size_t mark_end = mark + octets_of(str_skip(line, mark), item->place.length);
    size_t from = mark > EXCERPT_MAX ? at_character(line, mark - EXCERPT_BEFORE) : 0;
    size_t to = at_character(line, line.n - from > EXCERPT_MAX ? from + EXCERPT_MAX : line.n);
    struct str before = str_slice(line, from, mark),
               marked = str_slice(line, mark, mark_end < to ? mark_end : to);
    bool any = false;

    buf_printf(out, "%5u | %s", item->place.line, from ? "…" : "");
    add_shown(out, str_slice(line, from, to));
    buf_printf(out, "%s\n      | %s", to < line.n ? "…" : "", from ? " " : "");
    add_blanks(out, before);
    for (size_t i = 0; i < marked.n; i++)
        if (((unsigned char)marked.p[i] & 0xc0) != 0x80)
            any = buf_add_char(out, '^');
    if (!any)
        buf_add_char(out, '^');
    add_advice(item, out);
}

struct str config_diagnostic_file(const struct config_diagnostics *d, const struct config_diagnostic *item)
{
    return item->place.file < d->files.n ? d->files.items[item->place.file].path : STR_NONE;
}

static void add_item(const struct config_diagnostics *d, const struct config_diagnostic *item,
                     struct buf *out)
{
    struct str file = config_diagnostic_file(d, item);

    if (file.n)
        buf_printf(out, "%.*s:", STR_ARG(file));
    if (file.n && item->place.line)
        buf_printf(out, "%u:%u:", item->place.line, item->place.column);
    buf_printf(out, "%s%s: %.*s\n", file.n ? " " : "", item->severity == CONFIG_ERROR ? "error" : "warning",
               STR_ARG(item->text));
    if (file.n && item->place.line && item->hidden) {
        buf_printf(out, "%5u | (not shown: a secret may be in it)\n      |", item->place.line);
        add_advice(item, out);
    } else if (file.n && item->place.line) {
        add_excerpt(item, line_of(d->files.items[item->place.file].text, item->place.line), out);
    } else if (item->hint.n || item->cure.n) {
        buf_add_c(out, "      |");
        add_advice(item, out);
    }
}

/* Errors before warnings, each by place. */
static int by_place(const void *a, const void *b)
{
    const struct config_diagnostic *x = *(const struct config_diagnostic *const *)a;
    const struct config_diagnostic *y = *(const struct config_diagnostic *const *)b;

    if (x->severity != y->severity)
        return x->severity < y->severity ? -1 : 1;
    if (x->place.file != y->place.file)
        return x->place.file < y->place.file ? -1 : 1;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column)
        return x->place.column < y->place.column ? -1 : 1;
    return x < y ? -1 : x > y;
}

bool config_diagnostics_render(const struct config_diagnostics *d, struct buf *out)
{
    const struct config_diagnostic *sorted[CONFIG_DIAGNOSTICS_MAX];

    for (size_t i = 0; i < d->n; i++)
        sorted[i] = &d->items[i];
    if (d->n)
        qsort(sorted, d->n, sizeof(sorted[0]), by_place);
    for (size_t i = 0; i < d->n; i++)
        add_item(d, sorted[i], out);
    if (d->errors >= CONFIG_DIAGNOSTICS_MAX)
        buf_add_c(out, "error: too many errors; what follows was not looked at\n");
    if (d->exhausted)
        buf_add_c(out, "error: this configuration is too large for the memory it may take\n");
    return !out->failed;
}

bool config_diagnostics_count(const struct config_diagnostics *d, struct buf *out)
{
    if (!d->errors && !d->warnings)
        return buf_add_c(out, "no errors");
    if (d->errors)
        buf_printf(out, "%zu error%s", d->errors, d->errors == 1 ? "" : "s");
    if (d->warnings)
        buf_printf(out, "%s%zu warning%s", d->errors ? ", " : "", d->warnings, d->warnings == 1 ? "" : "s");
    return !out->failed;
}

bool config_diagnostic_error(const struct config_diagnostic *item, struct buf *out)
{
    buf_add(out, item->text);
    if (item->hint.n)
        buf_printf(out, " (%.*s)", STR_ARG(item->hint));
    return !out->failed;
}
