/* config/args.c -- taking words, and complaining of them. */
#include "config/args.h"

#include "config/parse.h"

enum { PATH_LENGTH_MAX = 4095, SCHEMES_MAX = 32 };

const struct config_word *config_args_peek(const struct config_args *a)
{
    return a->at < a->n ? &a->items[a->at] : NULL;
}

const struct config_word *config_args_next(struct config_args *a)
{
    return a->at < a->n ? &a->items[a->at++] : NULL;
}

/* How the directive is written, as a cure. */
static struct str such_as(struct config_args *a)
{
    return config_say(a->r, "write it like this: %.*s", STR_ARG(a->s->directive->example));
}

const struct config_word *config_args_need(struct config_args *a)
{
    const struct config_word *w = config_args_next(a);

    if (w)
        return w;
    struct config_mark mark = { .place = config_statement_place(a->s), .cure = such_as(a) };
    if (a->at)
        mark.place = a->items[a->at - 1].place;
    config_complain(a->r, mark, "'%.*s' needs more: %.*s", STR_ARG(a->s->directive->name),
                    STR_ARG(a->s->directive->value));
    return NULL;
}

struct config_mark config_args_mark(struct config_args *a, const struct config_word *w)
{
    return (struct config_mark){ .place = w->place, .cure = such_as(a) };
}

bool config_args_refuse(struct config_args *a, const struct config_word *w, const char *kind)
{
    struct str shown = config_shown(a->r, w->text);

    return config_complain(a->r, config_args_mark(a, w), "'%.*s' is not %s", STR_ARG(shown), kind);
}

bool config_args_not_built(struct config_args *a, const struct config_word *w, size_t n, char stage)
{
    struct str shown = config_shown(a->r, str_head(w->text, n));
    struct config_mark mark = { .place = config_word_part(w, 0, n) };

    if (stage)
        mark.cure = config_say(a->r, "it comes with stage %c", stage);
    return config_complain(a->r, mark, "'%.*s' is not built yet", STR_ARG(shown));
}

size_t config_scheme_find(const struct config_word *w, const struct config_scheme *schemes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool prefix = str_ends(schemes[i].name, STR(":"));
        if (prefix ? str_starts(w->text, schemes[i].name) : str_eq(w->text, schemes[i].name))
            return i;
    }
    return n;
}

/* Length of "scheme:" at the front of S, 0 when there is none. */
static size_t scheme_of(struct str s)
{
    size_t i = 0;

    while (i < s.n && (ascii_is_alnum(s.p[i]) || s.p[i] == '-'))
        i++;
    return i && i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

bool config_scheme_refuse(struct config_args *a, const struct config_word *w,
                          const struct config_scheme *schemes, size_t n, struct str cure)
{
    size_t length = scheme_of(w->text);
    struct str name = length ? str_head(w->text, length) : w->text, shown = config_shown(a->r, name);
    struct config_mark mark = { .place = config_word_part(w, 0, name.n), .cure = cure };
    struct str names[SCHEMES_MAX];

    BUG_ON(n > ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++)
        names[i] = schemes[i].name;
    size_t found = config_slip_nearest(name, names, n);
    if (found < n)
        mark.hint = config_hint(a->r, names[found]);
    if (length)
        return config_complain(a->r, mark, "unknown scheme '%.*s'", STR_ARG(shown));
    return config_complain(a->r, mark, "'%.*s' is not known here", STR_ARG(shown));
}

/* "measures are: connections sessions …", of those that are built. */
static struct str list_of(struct config_args *a, const struct config_words *words)
{
    struct str list = config_say(a->r, "%ss are:", words->title);

    for (size_t i = 0; i < words->n; i++)
        if (words->items[i].built)
            list = config_say(a->r, "%.*s %.*s", STR_ARG(list), STR_ARG(words->items[i].name));
    return list;
}

bool config_args_one_of(struct config_args *a, const struct config_words *words, size_t *index)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    size_t i = config_scheme_find(w, words->items, words->n);
    if (i == words->n)
        return config_scheme_refuse(a, w, words->items, words->n, list_of(a, words));
    if (!words->items[i].built)
        return config_args_not_built(a, w, w->text.n, words->items[i].stage);
    *index = i;
    return true;
}

bool config_args_path(struct config_args *a, const struct config_word *w, struct str path, struct str *out)
{
    if (!path.n)
        return config_complain(a->r, config_args_mark(a, w), "the path is empty");
    *out = config_path_from(a->r, w->place, path);
    if (out->n > PATH_LENGTH_MAX)
        return config_complain(a->r, config_args_mark(a, w), "the path is longer than %d octets",
                               PATH_LENGTH_MAX);
    return true;
}

bool config_args_domain(struct config_args *a, const struct config_word *w, struct str written,
                        struct str *out)
{
    struct err err = { 0 };

    if (config_domain_normal(written, a->r->arena, out, &err))
        return true;
    if (err.kind == ERR_TEMP)
        return config_exhausted(a->r);
    struct str shown = config_shown(a->r, written);
    return config_complain(a->r, config_args_mark(a, w), "'%.*s' is not a domain: %s", STR_ARG(shown),
                           err.text);
}

size_t config_word_scheme(const struct config_word *w)
{
    size_t colon = str_find(w->text, ':');

    return colon < w->text.n ? colon + 1 : colon;
}

bool config_word_is_path(struct str s)
{
    return str_starts(s, STR("/")) || str_starts(s, STR("./")) || str_starts(s, STR("../"));
}

/* A path without its scheme is what most people forget first. */
bool config_args_bare_path(struct config_args *a, const struct config_word *w, const char *scheme)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };

    mark.hint = config_say(a->r, "did you mean '%s%.*s'?", scheme, STR_ARG(shown));
    return config_complain(a->r, mark, "'%.*s' has no scheme", STR_ARG(shown));
}

/* After a scheme "//" names a host on the network (FACE 1.6). */
bool config_args_file(struct config_args *a, const struct config_word *w, struct str *out)
{
    struct str path = str_skip(w->text, 5);
    struct config_mark mark = { .place = w->place };

    if (!str_starts(path, STR("//")))
        return config_args_path(a, w, path, out);
    while (str_starts(path, STR("//")))
        path = str_skip(path, 1);
    struct str shown = config_shown(a->r, path);
    mark.hint = config_say(a->r, "did you mean 'file:%.*s'?", STR_ARG(shown));
    return config_complain(a->r, mark, "'//' names a host, and a file is on this machine");
}
