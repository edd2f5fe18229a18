/* lookup/verified.c */
#include "lookup/verified.h"

#include <stdlib.h>
#include <string.h>

#include "route/local.h"

enum { KEY_MAX = ROUTE_LOCAL_MAX + 1 + ROUTE_DOMAIN_MAX };

struct entry {
    struct map_node node;
    struct list asked;
    int64_t until_msec;
    bool exists;
    char key[];
};

/* The address as one text in ROOM; false when it is longer than any. */
static bool key_of(struct str local, struct str domain, char room[KEY_MAX], struct str *key)
{
    if (local.n > ROUTE_LOCAL_MAX || domain.n > ROUTE_DOMAIN_MAX)
        return false;
    if (local.n)
        memcpy(room, local.p, local.n);
    room[local.n] = '@';
    if (domain.n)
        memcpy(room + local.n + 1, domain.p, domain.n);
    *key = str_of(room, local.n + 1 + domain.n);
    return true;
}

static struct entry *entry_find(const struct lookup_verified *v, struct str key)
{
    struct map_node *node = map_find(&v->map, key);

    return node ? CONTAINER_OF(node, struct entry, node) : NULL;
}

static void entry_drop(struct lookup_verified *v, struct entry *e)
{
    map_remove(&v->map, &e->node);
    list_remove(&e->asked);
    free(e);
}

static struct entry *entry_new(struct lookup_verified *v, struct str key)
{
    struct entry *e = malloc(sizeof(*e) + key.n);

    if (!e)
        return NULL;
    *e = (struct entry){ .exists = false };
    memcpy(e->key, key.p, key.n);
    list_init(&e->asked);
    if (v->map.n >= v->max)
        entry_drop(v, CONTAINER_OF(v->asked.prev, struct entry, asked));
    if (map_insert(&v->map, &e->node, str_of(e->key, key.n)))
        return e;
    free(e);
    return NULL;
}

static void entry_touch(struct lookup_verified *v, struct entry *e)
{
    list_remove(&e->asked);
    list_prepend(&v->asked, &e->asked);
}

void lookup_verified_init(struct lookup_verified *v, uint64_t seed, size_t max)
{
    *v = (struct lookup_verified){ .map = { .seed = seed }, .max = max };
    list_init(&v->asked);
}

void lookup_verified_done(struct lookup_verified *v)
{
    while (!list_empty(&v->asked))
        entry_drop(v, CONTAINER_OF(v->asked.next, struct entry, asked));
    map_done(&v->map);
}

void lookup_verified_put(struct lookup_verified *v, struct str local, struct str domain, bool exists,
                         int64_t now_msec)
{
    char room[KEY_MAX];
    struct str key;
    struct entry *e;

    if (!key_of(local, domain, room, &key))
        return;
    e = entry_find(v, key);
    if (!e)
        e = entry_new(v, key);
    if (!e)
        return;
    e->exists = exists;
    e->until_msec = now_msec + (exists ? LOOKUP_EXISTS_MSEC : LOOKUP_UNKNOWN_MSEC);
    entry_touch(v, e);
}

enum lookup_known lookup_verified_get(struct lookup_verified *v, struct str local, struct str domain,
                                      int64_t now_msec)
{
    char room[KEY_MAX];
    struct str key;
    struct entry *e = key_of(local, domain, room, &key) ? entry_find(v, key) : NULL;

    if (!e)
        return LOOKUP_NOT_KNOWN;
    if (now_msec >= e->until_msec) {
        entry_drop(v, e);
        return LOOKUP_NOT_KNOWN;
    }
    entry_touch(v, e);
    return e->exists ? LOOKUP_EXISTS : LOOKUP_EXISTS_NOT;
}
