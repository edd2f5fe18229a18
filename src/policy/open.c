/* policy/open.c -- keys as 128 bits of keyed hash, so that two of them never share a count. */
#include "policy/open.h"

#include <string.h>

#include "core/siphash.h"

enum { BUCKETS = 16 * 1024, CHUNK = 256 };

struct policy_open {
    struct arena *arena;
    uint64_t seeds[2][2];
    struct list free;
    size_t made;
    size_t used;
    struct policy_open_count *buckets[BUCKETS];
};

struct policy_open *policy_open_new(struct arena *a, const uint64_t seeds[2])
{
    struct policy_open *o = ARENA_NEW(a, struct policy_open);

    if (!o)
        return NULL;
    o->arena = a;
    memcpy(o->seeds, (const uint64_t[2][2]){ { seeds[0], seeds[1] }, { seeds[1], seeds[0] } }, sizeof(o->seeds));
    list_init(&o->free);
    return o;
}

size_t policy_open_used(const struct policy_open *o)
{
    return o->used;
}

static void make_chunk(struct policy_open *o)
{
    struct policy_open_count *chunk =
        o->made < POLICY_OPEN_MAX ? ARENA_NEW_ARRAY(o->arena, CHUNK, struct policy_open_count) : NULL;

    for (size_t i = 0; chunk && i < CHUNK; i++)
        list_append(&o->free, &chunk[i].free);
    o->made += chunk ? CHUNK : 0;
}

static struct policy_open_count **chain_of(struct policy_open *o, const uint64_t key[2])
{
    return &o->buckets[key[0] % BUCKETS];
}

static struct policy_open_count *find(struct policy_open *o, struct str name, uint64_t key[2])
{
    struct policy_open_count *at;

    for (size_t i = 0; i < 2; i++)
        key[i] = siphash(name, o->seeds[i]);
    for (at = *chain_of(o, key); at; at = at->next)
        if (at->key[0] == key[0] && at->key[1] == key[1])
            break;
    return at;
}

struct policy_open_count *policy_open_find(struct policy_open *o, struct str key)
{
    uint64_t hashed[2];

    return find(o, key, hashed);
}

/* A new one of N 0; NULL when there is no room. */
static struct policy_open_count *make(struct policy_open *o, const uint64_t key[2])
{
    struct policy_open_count **chain = chain_of(o, key);
    struct list *node;

    if (list_empty(&o->free))
        make_chunk(o);
    node = list_take(&o->free);
    if (!node)
        return NULL;
    struct policy_open_count *at = CONTAINER_OF(node, struct policy_open_count, free);
    *at = (struct policy_open_count){ .next = *chain, .key = { key[0], key[1] } };
    list_init(&at->free);
    list_init(&at->waiting);
    *chain = at;
    o->used++;
    return at;
}

static void forget(struct policy_open *o, struct policy_open_count *gone)
{
    struct policy_open_count **at = chain_of(o, gone->key);

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    list_append(&o->free, &gone->free);
    o->used--;
}

void policy_open_add(struct policy_open *o, struct str key)
{
    uint64_t hashed[2];
    struct policy_open_count *at = find(o, key, hashed);

    if (!at)
        at = make(o, hashed);
    if (at)
        at->n++;
}

void policy_open_remove(struct policy_open *o, struct str key, struct list *woken)
{
    struct policy_open_count *at = policy_open_find(o, key);
    struct list *node;

    if (!at)
        return;
    while ((node = list_take(&at->waiting)) != NULL)
        list_append(woken, node);
    if (!--at->n)
        forget(o, at);
}
