/* config/value_route.c -- which mail a route is for: patterns of addresses, names of listeners (FACE 1.6). */
#include <string.h>

#include "config/args.h"
#include "config/names.h"

/* How patterns are written. */
static const struct config_scheme forms[] = {
    { STR_INIT("user@domain"), true, "an address; with user+detail it is stronger than without" },
    { STR_INIT("domain"), true, "that domain" },
    { STR_INIT(".domain"), true, "everything below it" },
    { STR_INIT("*"), true, "all the rest" },
    { STR_INIT("<>"), true, "the null reverse-path; in 'senders' only" },
    { STR_INIT("table:"), false, NULL, 'N' },
    { STR_INIT("regex:"), false, NULL, 'N' },
};

const struct config_words config_pattern_words = { "pattern", forms, ARRAY_LEN(forms) };

/* What a pattern may be one day. */
static const struct config_scheme later[] = {
    { STR_INIT("table:"), false, NULL, 'N' },
    { STR_INIT("regex:"), false, NULL, 'N' },
    { STR_INIT("file:"), false, NULL, 'N' },
    { STR_INIT("network:"), false, NULL, 'N' },
};

/* A quoted local part without its quotes and backslashes: as it is compared (RFC 5321 4.1.2). */
static bool unquote(struct config_args *a, struct str written, struct str *out)
{
    if (!str_starts(written, STR("\""))) {
        *out = written;
        return true;
    }
    struct str inner = str_slice(written, 1, written.n - 1);
    char *p = arena_alloc(a->r->arena, inner.n);
    size_t n = 0;
    if (!p)
        return config_exhausted(a->r);
    for (size_t i = 0; i < inner.n; i++) {
        if (inner.p[i] == '\\' && i + 1 < inner.n)
            i++;
        p[n++] = inner.p[i];
    }
    *out = str_of(p, n);
    return true;
}

static bool read_address(struct config_args *a, const struct config_word *w, size_t at,
                         struct config_pattern *out)
{
    struct str local = str_head(w->text, at);

    out->kind = CONFIG_PATTERN_ADDRESS;
    if (!local.n) {
        struct config_mark mark = { .place = w->place };
        mark.hint = config_hint(a->r, str_skip(w->text, 1));
        return config_complain(a->r, mark, "a pattern for a whole domain is the domain");
    }
    if (!config_name_is_local_part(local))
        return config_args_refuse(a, w, "an address, local-part@domain");
    return unquote(a, local, &out->local) &&
           config_args_domain(a, w, str_skip(w->text, at + 1), &out->domain);
}

/* "*.example.org", as others write what is ".example.org" here. */
static bool refuse_star(struct config_args *a, const struct config_word *w)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place,
                                .cure =
                                    STR("patterns are: user@domain domain .domain (everything below) *") };

    if (str_starts(w->text, STR("*.")))
        mark.hint = config_hint(a->r, str_skip(w->text, 1));
    else if (str_starts(w->text, STR("*@")))
        mark.hint = config_hint(a->r, str_skip(w->text, 2));
    return config_complain(a->r, mark, "'%.*s' is not a pattern", STR_ARG(shown));
}

static bool read_pattern(struct config_args *a, const struct config_word *w, struct config_pattern *out)
{
    size_t i = config_scheme_find(w, later, ARRAY_LEN(later)), at = str_rfind(w->text, '@');

    *out = (struct config_pattern){ .place = w->place };
    if (i < ARRAY_LEN(later))
        return config_args_not_built(a, w, config_word_scheme(w), later[i].stage);
    if (str_eq(w->text, STR("*"))) {
        out->kind = CONFIG_PATTERN_ALL;
        return true;
    }
    if (str_eq(w->text, STR("<>"))) {
        out->kind = CONFIG_PATTERN_NULL;
        return true;
    }
    if (str_has(w->text, '*') && at == w->text.n)
        return refuse_star(a, w);
    if (str_starts(w->text, STR("*@")))
        return refuse_star(a, w);
    if (at < w->text.n)
        return read_address(a, w, at, out);
    bool below = str_starts(w->text, STR("."));
    out->kind = below ? CONFIG_PATTERN_BELOW : CONFIG_PATTERN_DOMAIN;
    return config_args_domain(a, w, str_skip(w->text, below), &out->domain);
}

/* `<>` is a reverse-path; nothing is sent to it. */
static bool read_recipient_pattern(struct config_args *a, const struct config_word *w,
                                   struct config_pattern *out)
{
    struct config_mark mark = { .place = w->place, .cure = STR("write it as a condition: senders <>;") };

    if (w->placeholders)
        return config_args_refuse(a, w,
                                  "a pattern: it would have to be known when the configuration is read");
    if (!read_pattern(a, w, out))
        return false;
    return out->kind != CONFIG_PATTERN_NULL || config_complain(a->r, mark, "no mail goes to '<>'");
}

/* Not a pattern of any kind: a target that is misspelt, or a path without its scheme. */
static bool is_meant_as_target(const struct config_word *w)
{
    if (str_has(w->text, '@') || config_scheme_find(w, later, ARRAY_LEN(later)) < ARRAY_LEN(later))
        return false;
    return str_has(w->text, ':') || str_has(w->text, '/');
}

/* Without a target, the last word was perhaps meant as one. */
static bool refuse_without_target(struct config_args *a, const struct config_word *last)
{
    static const struct str bare[] = { STR_INIT("mx"), STR_INIT("hold"), STR_INIT("discard"),
                                       STR_INIT("fail"), STR_INIT("defer") };
    struct config_mark mark = config_args_mark(a, last);
    size_t near = config_slip_nearest(last->text, bare, ARRAY_LEN(bare));

    if (near < ARRAY_LEN(bare))
        mark.hint = config_hint(a->r, bare[near]);
    return config_complain(a->r, mark, "this route has no target");
}

bool config_value_route(struct config_args *a, union config_value *out)
{
    struct config_pattern *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_pattern);
    const struct config_word *w = config_args_need(a), *last = w;
    bool ok = true;
    size_t n = 0;

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    out->route.patterns = (struct config_patterns){ .items = items, .place = w->place };
    for (; w && !config_word_is_target(w) && !is_meant_as_target(w); w = config_args_next(a)) {
        ok &= read_recipient_pattern(a, w, &items[n++]);
        last = w;
    }
    out->route.patterns.n = n;
    if (!w)
        return ok && refuse_without_target(a, last);
    if (!n)
        ok = config_complain(a->r, config_args_mark(a, w), "patterns come before the first target");
    return config_targets_read(a, w, out) && ok;
}

static bool read_each(struct config_args *a, union config_value *out,
                      bool (*read)(struct config_args *a, const struct config_word *w, struct config_pattern *out))
{
    struct config_pattern *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_pattern);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    out->patterns = (struct config_patterns){ .items = items, .n = a->n, .place = w->place };
    for (size_t n = 0; w; w = config_args_next(a))
        ok &= read(a, w, &items[n++]);
    return ok;
}

bool config_value_patterns(struct config_args *a, union config_value *out)
{
    return read_each(a, out, read_pattern);
}

/* Who logged in has a name; nobody is `<>`. */
static bool read_account(struct config_args *a, const struct config_word *w, struct config_pattern *out)
{
    struct config_mark mark = { .place = w->place, .cure = STR("patterns are: user@domain domain .domain *") };

    if (!read_pattern(a, w, out))
        return false;
    return out->kind != CONFIG_PATTERN_NULL || config_complain(a->r, mark, "'<>' is no account");
}

bool config_value_accounts(struct config_args *a, union config_value *out)
{
    return read_each(a, out, read_account);
}

/* What a site is made of has no local part. */
static bool read_member(struct config_args *a, const struct config_word *w, struct config_pattern *out)
{
    struct config_mark mark = { .place = w->place,
                                .cure = STR("members are: domain .domain (everything below) *") };
    struct str shown = config_shown(a->r, w->text);

    if (!read_pattern(a, w, out))
        return false;
    if (out->kind != CONFIG_PATTERN_ADDRESS && out->kind != CONFIG_PATTERN_NULL)
        return true;
    if (out->kind == CONFIG_PATTERN_ADDRESS)
        mark.hint = config_hint(a->r, out->domain);
    return config_complain(a->r, mark, "'%.*s' is not a domain", STR_ARG(shown));
}

bool config_value_members(struct config_args *a, union config_value *out)
{
    return read_each(a, out, read_member);
}

/* Whether there is such a listener is known when all are: build_route.c. */
bool config_value_listeners(struct config_args *a, union config_value *out)
{
    struct config_text *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    const struct config_word *w = config_args_need(a);

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    for (size_t n = 0; w; w = config_args_next(a)) {
        if (!config_name_is_word(w->text))
            return config_args_refuse(a, w, "the name of a listener");
        items[n++] = (struct config_text){ .text = w->text, .place = w->place };
    }
    out->texts.items = items;
    out->texts.n = a->n;
    return true;
}
