/* config/template.c -- filling in placeholders; what is put in is never looked at again. */
#include "config/template.h"

#include <string.h>

#define PLACEHOLDER_NAME(id, name) STR_INIT(name),
static const struct str names[] = { CONFIG_PLACEHOLDERS(PLACEHOLDER_NAME) };
#undef PLACEHOLDER_NAME

struct str config_placeholder_name(enum config_placeholder which)
{
    BUG_ON((size_t)which >= ARRAY_LEN(names));
    return names[which];
}

enum config_placeholder config_placeholder_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i], name))
            return (enum config_placeholder)i;
    return CONFIG_PLACEHOLDER_NONE;
}

/* A name somebody chose in an address must stay one name in one folder. */
static bool fits_path(struct str value)
{
    return value.n && !str_has(value, '/') && !str_has(value, '\0') && !str_eq(value, STR(".")) &&
           !str_eq(value, STR(".."));
}

/* {home} comes from the system's accounts and is a path itself. */
static bool fits_home(struct str value)
{
    return str_starts(value, STR("/")) && !str_has(value, '\0');
}

static bool add_value(enum config_placeholder which, struct str value, enum config_expand how,
                      struct buf *out, struct err *err)
{
    struct str name = names[which];

    if (!value.p)
        return err_perm(err, "{%.*s} has no value here", STR_ARG(name));
    if (how == CONFIG_EXPAND_PATH) {
        bool fits = which == CONFIG_PLACEHOLDER_HOME ? fits_home(value) : fits_path(value);
        if (!fits)
            return err_perm(err, "{%.*s} cannot be part of a path", STR_ARG(name));
    }
    return buf_add(out, value) || err_temp(err, "the text is too long");
}

bool config_template_expand(const struct config_template *t, const struct config_values *values,
                            enum config_expand how, struct buf *out, struct err *err)
{
    size_t before = out->n;
    bool failed = out->failed;

    for (size_t i = 0; i < t->n; i++) {
        const struct config_piece *piece = &t->pieces[i];
        bool ok;
        if (piece->placeholder == CONFIG_PLACEHOLDER_NONE)
            ok = buf_add(out, piece->literal) || err_temp(err, "the text is too long");
        else
            ok = add_value(piece->placeholder, values->v[piece->placeholder], how, out, err);
        if (!ok) {
            out->n = before;
            out->failed = failed;
            return false;
        }
    }
    return true;
}

struct str config_template_text(const struct config_template *t, struct arena *a)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < t->n; i++)
        n += t->pieces[i].placeholder == CONFIG_PLACEHOLDER_NONE ? t->pieces[i].literal.n
                                                                 : names[t->pieces[i].placeholder].n + 2;
    char *p = arena_alloc(a, n + 1);
    if (!p)
        return STR_NONE;
    for (size_t i = 0; i < t->n; i++) {
        bool literal = t->pieces[i].placeholder == CONFIG_PLACEHOLDER_NONE;
        struct str s = literal ? t->pieces[i].literal : names[t->pieces[i].placeholder];
        if (!literal)
            p[at++] = '{';
        if (s.n)
            memcpy(p + at, s.p, s.n);
        at += s.n;
        if (!literal)
            p[at++] = '}';
    }
    return str_of(p, at);
}

struct str config_template_root(const struct config_template *t)
{
    if (!t->n || t->pieces[0].placeholder != CONFIG_PLACEHOLDER_NONE)
        return STR_NONE;
    struct str literal = t->pieces[0].literal;
    size_t slash = str_rfind(literal, '/');
    return str_head(literal, slash < literal.n ? slash : 0);
}

bool config_template_uses(const struct config_template *t, enum config_placeholder which)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].placeholder == which)
            return true;
    return false;
}
