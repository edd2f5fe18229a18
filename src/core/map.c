/* core/map.c -- chains from a table of buckets that doubles when it is full. */
#include "core/map.h"

#include <stdlib.h>

enum { MAP_FIRST = 16 };

static struct map_node **bucket(const struct map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->room - 1)];
}

static void link_in(struct map *map, struct map_node *node)
{
    struct map_node **at = bucket(map, node->hash);

    node->next = *at;
    *at = node;
}

static bool grow(struct map *map)
{
    struct map former = *map;
    size_t room = former.room ? former.room * 2 : MAP_FIRST;
    struct map_node **buckets = calloc(room, sizeof(struct map_node *));

    if (!buckets)
        return false;
    map->buckets = buckets;
    map->room = room;
    for (size_t i = 0; i < former.room; i++)
        for (struct map_node *node = former.buckets[i], *next; node; node = next) {
            next = node->next;
            link_in(map, node);
        }
    free(former.buckets);
    return true;
}

void map_done(struct map *map)
{
    free(map->buckets);
    map->buckets = NULL;
    map->room = map->n = 0;
}

struct map_node *map_find(const struct map *map, struct str key)
{
    uint64_t hash = str_hash(key, map->seed);

    if (!map->room)
        return NULL;
    for (struct map_node *node = *bucket(map, hash); node; node = node->next)
        if (node->hash == hash && str_eq(node->key, key))
            return node;
    return NULL;
}

bool map_insert(struct map *map, struct map_node *node, struct str key)
{
    if (map->n >= map->room && !grow(map))
        return false;
    node->key = key;
    node->hash = str_hash(key, map->seed);
    link_in(map, node);
    map->n++;
    return true;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **at = bucket(map, node->hash);

    while (*at && *at != node)
        at = &(*at)->next;
    BUG_ON(!*at);
    *at = node->next;
    node->next = NULL;
    map->n--;
}

struct map_node *map_any(const struct map *map)
{
    MAP_FOR(node, map) {
        return node;
    }
    return NULL;
}
