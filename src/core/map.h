/* core/map.h -- finding things by their name: an intrusive hash table with text keys. Pure. */
#ifndef CORE_MAP_H
#define CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

/* Embedded in its owner, which also owns the octets of KEY. In at most one map. */
struct map_node {
    struct map_node *next;
    struct str key;
    uint64_t hash;
};

/* Init: { .seed = a random number }, so that nobody outside can choose names that collide. End with map_done(). */
struct map {
    struct map_node **buckets;
    size_t room; /* a power of two, or 0 */
    size_t n;
    uint64_t seed;
};

/* Frees the table, not its members. */
void map_done(struct map *map);
struct map_node *map_find(const struct map *map, struct str key);
/* KEY must not be in it. False when memory is out. */
MUST_USE bool map_insert(struct map *map, struct map_node *node, struct str key);
/* NODE is in it. */
void map_remove(struct map *map, struct map_node *node);
/* Any member, NULL when there is none: for taking all out. */
struct map_node *map_any(const struct map *map);

/* Every member, in no order; BODY may not change the map. */
#define MAP_FOR(node, map)                                       \
    for (size_t map_i_ = 0; map_i_ < (map)->room; map_i_++)      \
        for (struct map_node *node = (map)->buckets[map_i_]; node; node = node->next)

#endif
