/* core/names.c -- a hash table of texts, and an array of the same by number. */
#include "core/names.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

struct name {
    struct map_node node;
    uint32_t number;
    uint32_t count; /* 0: free; then NEXT is the next free one */
    uint32_t next;
    char text[];
};

static struct name *name_of(struct map_node *node)
{
    return CONTAINER_OF(node, struct name, node);
}

void names_done(struct names *names)
{
    for (uint32_t i = 0; i < names->used; i++)
        free(names->items[i]);
    free(names->items);
    map_done(&names->map);
    *names = (struct names){ 0 };
}

static bool grow(struct names *names)
{
    size_t room = names->room ? names->room * 2 : FIRST_ROOM;
    struct name **items;

    if (names->used < names->room)
        return true;
    if (names->room >= UINT32_MAX / 2)
        return false;
    items = realloc(names->items, room * sizeof(struct name *));
    if (!items)
        return false;
    names->items = items;
    names->room = room;
    return true;
}

static struct name *name_new(struct names *names, struct str text)
{
    struct name *name = malloc(sizeof(*name) + text.n);

    if (!name)
        return NULL;
    *name = (struct name){ .count = 1 };
    if (text.n)
        memcpy(name->text, text.p, text.n);
    if (!map_insert(&names->map, &name->node, str_of(name->text, text.n))) {
        free(name);
        return NULL;
    }
    return name;
}

/* A free number keeps a record without a text, so that the numbers that follow are found. */
static uint32_t number_for(struct names *names)
{
    uint32_t number = names->empty;

    if (!number)
        return ++names->used;
    names->empty = names->items[number - 1]->next;
    free(names->items[number - 1]);
    return number;
}

uint32_t names_have(struct names *names, struct str text)
{
    struct map_node *node = map_find(&names->map, text);
    struct name *name;

    if (node) {
        name_of(node)->count++;
        return name_of(node)->number;
    }
    if (!grow(names))
        return 0;
    name = name_new(names, text);
    if (!name)
        return 0;
    name->number = number_for(names);
    names->items[name->number - 1] = name;
    names->octets += sizeof(*name) + text.n;
    return name->number;
}

uint32_t names_find(const struct names *names, struct str text)
{
    struct map_node *node = map_find(&names->map, text);

    return node ? name_of(node)->number : 0;
}

void names_share(struct names *names, uint32_t number)
{
    if (number)
        names->items[number - 1]->count++;
}

void names_drop(struct names *names, uint32_t number)
{
    struct name *name = number ? names->items[number - 1] : NULL;

    if (!name || --name->count)
        return;
    names->octets -= sizeof(*name) + name->node.key.n;
    map_remove(&names->map, &name->node);
    struct name *small = realloc(name, sizeof(*name));
    if (small)
        names->items[number - 1] = name = small;
    name->next = names->empty;
    names->empty = number;
}

struct str names_text(const struct names *names, uint32_t number)
{
    return number ? names->items[number - 1]->node.key : STR_NONE;
}

uint32_t names_count(const struct names *names, uint32_t number)
{
    return number ? names->items[number - 1]->count : 0;
}
