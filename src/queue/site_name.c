/*
 * queue/site_name.c -- what a site is called: by its block or its domain or host, and by more where others are called so.
 *
 * One domain may be two sites: by two routes, or before and after its MX have changed. While there are two, each has what
 * tells it apart behind its name: "example.net@veredus.conf:14" is what leads there by that route (of a `site` block: that
 * block), "example.net/mx1.example.net@veredus.conf:14" those hosts of it. A name without that means all that are called so.
 */
#include <stdlib.h>

#include "queue/queue.h"

enum { NAME_MAX_OCTETS = 20 << 10 };

static const struct site *first_of(const struct site_limits *l)
{
    return CONTAINER_OF(l->sites.next, struct site, of_limits);
}

/* The hosts of its key, "3 1 mx1.example.net,mx2.example.net". */
struct str site_hosts(const struct site *site)
{
    struct str key = str_from_c(site->key);

    for (int i = 0; i < 2; i++)
        key = str_skip(key, str_find(key, ' ') + 1);
    return key;
}

struct config_place_text site_place(const struct site *site)
{
    const struct config *config = site->queue->worker->config;

    if (site->named)
        return config_rule(config, config->sites[site->named - 1].place);
    if (site->route < config->n_routes)
        return config_rule(config, config->routes[site->route].place);
    return (struct config_place_text){ "edit" };
}

static bool is_beside_one_of_its_place(const struct site_limits *l)
{
    LIST_FOR(node, &l->twins) {
        const struct site_limits *other = CONTAINER_OF(node, struct site_limits, twins);
        if (str_eq(str_from_c(other->place), str_from_c(l->place)))
            return true;
    }
    return false;
}

/* Without memory it keeps the name that it has. */
static void name(struct site_limits *l)
{
    struct buf words = BUF_INIT(NAME_MAX_OCTETS);

    buf_add_c(&words, l->called);
    if (!list_empty(&l->twins)) {
        if (!l->named && is_beside_one_of_its_place(l))
            buf_printf(&words, "/%.*s", STR_ARG(site_hosts(first_of(l))));
        buf_printf(&words, "@%s", l->place);
    }
    char *text = words.failed ? NULL : text_copy(buf_str(&words));
    buf_done(&words);
    if (!text)
        return;
    free(l->name);
    l->name = text;
}

static struct site_limits *first_called(struct queue *q, struct str called)
{
    struct map_node *node = map_find(&q->schedule.called, called);

    return node ? CONTAINER_OF(node, struct site_limits, node) : NULL;
}

static void name_all(struct site_limits *l)
{
    name(l);
    LIST_FOR(node, &l->twins) {
        name(CONTAINER_OF(node, struct site_limits, twins));
    }
}

bool limits_in(struct site_limits *l)
{
    struct site_limits *first = first_called(l->queue, str_from_c(l->called));

    l->is_first = !first;
    if (first)
        list_append(&first->twins, &l->twins);
    else if (!map_insert(&l->queue->schedule.called, &l->node, str_from_c(l->called)))
        return false;
    name_all(l);
    return true;
}

/* The next of that name stands for all: there is room for it where this one was. */
void limits_out(struct site_limits *l)
{
    struct list *node = l->twins.next;
    struct site_limits *next = node != &l->twins ? CONTAINER_OF(node, struct site_limits, twins) : NULL;

    if (l->is_first)
        map_remove(&l->queue->schedule.called, &l->node);
    list_remove(&l->twins);
    if (next && l->is_first)
        next->is_first = map_insert(&l->queue->schedule.called, &next->node, str_from_c(next->called));
    l->is_first = false;
    if (next)
        name_all(next);
}

struct site_limits *limits_named(struct queue *q, const struct config_site *named)
{
    struct site_limits *l = first_called(q, named->name.text);

    if (!l || l->named)
        return l;
    LIST_FOR(node, &l->twins) {
        struct site_limits *other = CONTAINER_OF(node, struct site_limits, twins);
        if (other->named)
            return other;
    }
    return NULL;
}

bool limits_are_called(const struct site_limits *l, struct str asked)
{
    struct str called = str_from_c(l->called), hosts = site_hosts(first_of(l)), rest = str_skip(asked, called.n);

    if (!str_starts_nocase(asked, called))
        return false;
    if (!l->named && str_starts(rest, STR("/"))) {
        if (!str_starts_nocase(str_skip(rest, 1), hosts))
            return false;
        rest = str_skip(rest, 1 + hosts.n);
    }
    return !rest.n || (str_starts(rest, STR("@")) && str_eq_nocase(str_skip(rest, 1), str_from_c(l->place)));
}

bool site_name_fits(struct str name, struct str asked)
{
    struct str rest = str_skip(name, asked.n);

    return str_starts_nocase(name, asked) && (!rest.n || str_starts(rest, STR("@")) || str_starts(rest, STR("/")));
}
