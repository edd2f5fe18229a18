/* config/reading.c -- the words of complaints, and paths seen from the file they stand in. */
#include "config/reading.h"

#include <stdarg.h>
#include <string.h>

enum { SHOWN_MAX = 60 };

bool config_exhausted(struct config_reading *r)
{
    r->diag->exhausted = true;
    r->stopped = true;
    return false;
}

__attribute__((format(printf, 2, 0))) static struct str vsay(struct config_reading *r, const char *fmt,
                                                             va_list ap)
{
    struct str said = arena_vprintf(r->arena, fmt, ap);

    if (!said.p)
        config_exhausted(r);
    return said;
}

struct str config_say(struct config_reading *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    struct str said = vsay(r, fmt, ap);
    va_end(ap);
    return said;
}

bool config_complain(struct config_reading *r, struct config_mark mark, const char *fmt, ...)
{
    va_list ap;

    /* Nobody reads more than that, and somebody may have made the file to have it. */
    if (r->diag->errors >= CONFIG_DIAGNOSTICS_MAX) {
        r->stopped = true;
        return false;
    }
    va_start(ap, fmt);
    struct str text = vsay(r, fmt, ap);
    va_end(ap);
    if (text.p && mark.hidden)
        config_diagnostics_add_hidden(r->diag, CONFIG_ERROR, mark.place, text, mark.hint, mark.cure);
    else if (text.p)
        config_diagnostics_add(r->diag, CONFIG_ERROR, mark.place, text, mark.hint, mark.cure);
    return false;
}

struct str config_shown(struct config_reading *r, struct str text)
{
    bool cut = text.n > SHOWN_MAX;
    size_t n = cut ? SHOWN_MAX : text.n;

    /* Not in the middle of a character. */
    while (cut && n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    char *p = arena_alloc(r->arena, n + sizeof("…"));
    if (!p) {
        config_exhausted(r);
        return STR_NONE;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i];
    for (size_t i = 0; cut && i < sizeof("…") - 1; i++)
        p[n++] = "…"[i];
    return str_of(p, n);
}

struct str config_hint(struct config_reading *r, struct str meant)
{
    struct str shown = config_shown(r, meant);

    return config_say(r, "did you mean '%.*s'?", STR_ARG(shown));
}

struct str config_first_at(struct config_reading *r, struct config_place first)
{
    struct config_place_text place = config_place_text(&r->diag->files, first);

    return config_say(r, "the first is at %s", place.c);
}

static uint32_t characters(struct str s)
{
    uint32_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

struct config_place config_word_part(const struct config_word *w, size_t from, size_t n)
{
    struct config_place place = w->place;

    if (w->plain && place.line && from < w->text.n) {
        place.column += characters(str_head(w->text, from));
        place.length = characters(str_slice(w->text, from, from + n));
    }
    return place;
}

struct str config_path_from(struct config_reading *r, struct config_place place, struct str path)
{
    const struct config_files *files = &r->diag->files;
    struct str file = place.line && place.file < files->n ? files->items[place.file].path : STR_NONE;

    /* What stands in a -o is seen from where the root file is. */
    if (str_eq(file, STR("-o")) && files->n)
        file = files->items[0].path;
    while (str_starts(path, STR("./")))
        path = str_skip(path, 2);
    size_t slash = str_rfind(file, '/');
    if (str_starts(path, STR("/")) || slash == file.n)
        return path;

    struct str folder = str_head(file, slash + 1);
    char *p = arena_alloc(r->arena, folder.n + path.n);
    if (!p) {
        config_exhausted(r);
        return path;
    }
    memcpy(p, folder.p, folder.n);
    memcpy(p + folder.n, path.p, path.n);
    return str_of(p, folder.n + path.n);
}
