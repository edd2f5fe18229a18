/* config/routes.c -- routes for the same mail: said twice, or hidden behind one another (FACE 1.6, 1.12). */
#include "config/routes.h"

#include <stdlib.h>

/* A pattern of a route. Conditions are sorted texts; n == 0: all. */
struct texts {
    struct str *items;
    size_t n;
};

struct conditions {
    struct texts senders;
    struct texts listeners;
    struct texts accounts;
};

struct entry {
    struct str text;
    const struct config_pattern *pattern;
    const struct config_route *route;
    const struct conditions *conditions;
};

/* A pattern as it is compared: without case, local parts too. */
static struct str pattern_text(struct config_reading *r, const struct config_pattern *p)
{
    struct str text = STR_NONE;

    switch (p->kind) {
    case CONFIG_PATTERN_ADDRESS:
        text = config_say(r, "%.*s@%.*s", STR_ARG(p->local), STR_ARG(p->domain));
        break;
    case CONFIG_PATTERN_DOMAIN:
        return p->domain;
    case CONFIG_PATTERN_BELOW:
        return config_say(r, ".%.*s", STR_ARG(p->domain));
    case CONFIG_PATTERN_ALL:
        return STR("*");
    case CONFIG_PATTERN_NULL:
        return STR("<>");
    }
    char *copy = text.p ? arena_alloc(r->arena, text.n) : NULL;
    for (size_t i = 0; copy && i < text.n; i++)
        copy[i] = ascii_lower(text.p[i]);
    if (!copy)
        config_exhausted(r);
    return str_of(copy, copy ? text.n : 0);
}

/* ---- conditions ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool new_texts(struct config_reading *r, size_t n, struct texts *out)
{
    *out = (struct texts){ .items = ARENA_NEW_ARRAY(r->arena, n, struct str), .n = n };
    return out->items || config_exhausted(r);
}

static void sort(struct texts *texts)
{
    if (texts->n)
        qsort(texts->items, texts->n, sizeof(struct str), by_text);
}

static bool read_patterns(struct config_reading *r, const struct config_patterns *patterns, struct texts *out)
{
    if (!new_texts(r, patterns->n, out))
        return false;
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = pattern_text(r, &patterns->items[i]);
    sort(out);
    return true;
}

static bool read_conditions(struct config_reading *r, const struct config_route *route,
                            struct conditions *out)
{
    if (!read_patterns(r, &route->senders, &out->senders) || !read_patterns(r, &route->accounts, &out->accounts) ||
        !new_texts(r, route->n_listeners, &out->listeners))
        return false;
    for (size_t i = 0; i < out->listeners.n; i++)
        out->listeners.items[i] = route->listeners[i].text;
    sort(&out->listeners);
    return !r->diag->exhausted;
}

static bool has_conditions(const struct entry *e)
{
    return e->conditions->senders.n || e->conditions->listeners.n || e->conditions->accounts.n;
}

/* Is whatever fits PART in WHOLE too? By what is written: that .a.example has b.a.example is not looked at. */
static bool covers(const struct texts *whole, const struct texts *part)
{
    size_t at = 0;

    if (!whole->n || !part->n)
        return !whole->n;
    for (size_t i = 0; i < part->n; i++) {
        while (at < whole->n && str_cmp(whole->items[at], part->items[i]) < 0)
            at++;
        if (at == whole->n || !str_eq(whole->items[at], part->items[i]))
            return false;
    }
    return true;
}

static bool covers_all(const struct entry *a, const struct entry *b)
{
    return covers(&a->conditions->senders, &b->conditions->senders) &&
           covers(&a->conditions->listeners, &b->conditions->listeners) &&
           covers(&a->conditions->accounts, &b->conditions->accounts);
}

/* ---- pairs ---- */

/* Those of one pattern in the order in which they are asked: with conditions first, then as written. */
static int by_precedence(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int d = str_cmp(x->text, y->text);

    if (d)
        return d;
    if (has_conditions(x) != has_conditions(y))
        return has_conditions(x) ? -1 : 1;
    return config_place_cmp(x->pattern->place, y->pattern->place);
}

static void complain_of_pair(struct config_reading *r, const struct entry *first, const struct entry *second)
{
    struct str shown = config_shown(r, second->text);
    struct config_mark mark = { .place = second->pattern->place,
                                .cure = config_first_at(r, first->pattern->place) };

    if (!covers_all(second, first)) {
        mark.cure = config_say(r, "the route at %s takes all of this mail",
                               config_place_text(&r->diag->files, first->pattern->place).c);
        config_complain(r, mark, "this route for '%.*s' can never match", STR_ARG(shown));
    } else if (first->route->domain || second->route->domain) {
        config_complain(r, mark, "'%.*s' has a route already: the 'deliver' of a domain is one",
                        STR_ARG(shown));
    } else if (has_conditions(first)) {
        config_complain(r, mark, "'%.*s' has a route with these conditions already", STR_ARG(shown));
    } else {
        config_complain(r, mark, "'%.*s' has a route already", STR_ARG(shown));
    }
}

/* The one among N before E, of the same pattern, that takes all of its mail; NULL for none. */
static const struct entry *taken_by(const struct entry *before, size_t n, const struct entry *e)
{
    for (size_t i = 0; i < n; i++)
        if (has_conditions(&before[i]) == has_conditions(e) && covers_all(&before[i], e))
            return &before[i];
    return NULL;
}

static void check_sorted(struct config_reading *r, const struct entry *items, size_t n)
{
    size_t from = 0;

    for (size_t i = 1; i < n && !r->stopped; i++) {
        if (!str_eq(items[i].text, items[from].text))
            from = i;
        const struct entry *first = taken_by(&items[from], i - from, &items[i]);
        if (first)
            complain_of_pair(r, first, &items[i]);
    }
}

bool config_check_routes(struct config_reading *r, const struct config *c)
{
    struct conditions *conditions = ARENA_NEW_ARRAY(r->arena, c->n_routes, struct conditions);
    size_t n = 0, at = 0;

    for (size_t i = 0; i < c->n_routes; i++)
        n += c->routes[i].patterns.n;
    struct entry *items = ARENA_NEW_ARRAY(r->arena, n, struct entry);
    if (!conditions || !items)
        return config_exhausted(r);
    for (size_t i = 0; i < c->n_routes; i++) {
        const struct config_route *route = &c->routes[i];
        if (!read_conditions(r, route, &conditions[i]))
            return false;
        for (size_t k = 0; k < route->patterns.n; k++) {
            const struct config_pattern *p = &route->patterns.items[k];
            items[at++] = (struct entry){ pattern_text(r, p), p, route, &conditions[i] };
        }
    }
    if (r->diag->exhausted)
        return false;
    if (n)
        qsort(items, n, sizeof(*items), by_precedence);
    check_sorted(r, items, n);
    return true;
}
