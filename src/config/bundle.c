/*
 * config/bundle.c -- recording what a parse asked for, and giving it again to a process without a file system.
 *
 * A bundle in octets, all numbers little-endian:
 *     "VRDSCONF" version:4
 *     fqdn root: each length:4 octets
 *     flags:4                            bit 0: under systemd
 *     count:4, then so many overrides    length:4 octets
 *     count:4, then so many items        kind:1 found:1 key (length:4 octets) value (length:4 octets)
 */
#include "config/source.h"

#include <string.h>

#include "core/check.h"
#include "core/num.h"

enum {
    BUNDLE_VERSION = 1,
    BUNDLE_MAGIC_SIZE = 8,
    BUNDLE_FLAG_SYSTEMD = 1,
    ITEMS_FIRST_ROOM = 16,
};

static const char magic[BUNDLE_MAGIC_SIZE + 1] = "VRDSCONF";

/* ---- recording ---- */

static bool copy_str(struct arena *a, struct str s, struct str *out)
{
    *out = arena_str(a, s);
    return out->p;
}

bool config_bundle_record(struct config_bundle *b, const struct config_source *source,
                          const struct config_reader *inner, struct arena *a)
{
    struct str *overrides = ARENA_NEW_ARRAY(a, source->n_overrides, struct str);
    struct config_bundle made = { .arena = a, .inner = inner, .facts = inner->facts };
    bool ok = overrides && copy_str(a, source->root, &made.source.root) &&
              copy_str(a, inner->facts.fqdn, &made.facts.fqdn);

    for (size_t i = 0; ok && i < source->n_overrides; i++)
        ok = copy_str(a, source->overrides[i], &overrides[i]);
    if (!ok)
        return false;
    made.source.overrides = overrides;
    made.source.n_overrides = source->n_overrides;
    *b = made;
    return true;
}

static const struct config_item *find_item(const struct config_bundle *b, enum config_item_kind kind,
                                           struct str key)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].kind == kind && str_eq(b->items[i].key, key))
            return &b->items[i];
    return NULL;
}

/* What does not fit is not forgotten in silence: such a bundle cannot be encoded. */
static void record(struct config_bundle *b, enum config_item_kind kind, struct str key, bool found,
                   struct str value)
{
    struct config_item item = { .kind = kind, .found = found };

    if (b->n == b->room && b->n < CONFIG_BUNDLE_ITEMS_MAX) {
        size_t room = b->room ? b->room * 2 : ITEMS_FIRST_ROOM;
        struct config_item *items = ARENA_NEW_ARRAY(b->arena, room, struct config_item);
        if (items && b->n)
            memcpy(items, b->items, b->n * sizeof(*items));
        if (items) {
            b->items = items;
            b->room = room;
        }
    }
    if (b->n == b->room || !copy_str(b->arena, key, &item.key) || !copy_str(b->arena, value, &item.value))
        b->exhausted = true;
    else
        b->items[b->n++] = item;
}

static bool ask_file(struct config_bundle *b, struct str path, struct arena *a, struct str *text,
                     struct err *err)
{
    struct err failure = { 0 };
    bool found;

    if (!b->inner)
        return err_perm(err, "it was not there when the configuration was read");
    found = b->inner->read_file(b->inner->ctx, path, a, text, &failure);
    record(b, CONFIG_ITEM_FILE, path, found, found ? *text : str_from_c(failure.text));
    if (!found && err)
        *err = failure;
    return found;
}

static bool bundle_read_file(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    struct config_bundle *b = ctx;
    const struct config_item *item = find_item(b, CONFIG_ITEM_FILE, path);

    if (!item)
        return ask_file(b, path, a, text, err);
    if (!item->found)
        return err_perm(err, "%.*s", STR_ARG(item->value));
    *text = item->value;
    return true;
}

/* The paths of a recorded glob, each followed by NUL. */
static bool split_paths(struct str value, struct arena *a, struct str **paths, size_t *n)
{
    size_t count = 0;

    for (size_t i = 0; i < value.n; i++)
        count += value.p[i] == '\0';
    *paths = ARENA_NEW_ARRAY(a, count, struct str);
    if (!*paths)
        return false;
    for (size_t i = 0; i < count; i++)
        (*paths)[i] = str_cut(&value, '\0');
    *n = count;
    return true;
}

static void record_paths(struct config_bundle *b, struct str pattern, const struct str *paths, size_t n)
{
    size_t size = 0, at = 0;
    bool fits = true;

    for (size_t i = 0; i < n; i++)
        fits = fits && size_add(size, paths[i].n, &size) && size_add(size, 1, &size);
    char *p = fits ? arena_alloc(b->arena, size) : NULL;
    if (!p) {
        b->exhausted = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (paths[i].n)
            memcpy(p + at, paths[i].p, paths[i].n);
        at += paths[i].n + 1;
    }
    record(b, CONFIG_ITEM_GLOB, pattern, true, str_of(p, size));
}

static bool bundle_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n,
                        struct err *err)
{
    struct config_bundle *b = ctx;
    const struct config_item *item = find_item(b, CONFIG_ITEM_GLOB, pattern);
    struct err failure = { 0 };

    if (item && !item->found)
        return err_perm(err, "%.*s", STR_ARG(item->value));
    if (item)
        return split_paths(item->value, a, paths, n) || err_temp(err, "out of memory");
    if (!b->inner)
        return err_perm(err, "it was not searched when the configuration was read");
    if (b->inner->glob(b->inner->ctx, pattern, a, paths, n, &failure)) {
        record_paths(b, pattern, *paths, *n);
        return true;
    }
    record(b, CONFIG_ITEM_GLOB, pattern, false, str_from_c(failure.text));
    if (err)
        *err = failure;
    return false;
}

static bool bundle_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    struct config_bundle *b = ctx;
    const struct config_item *item = find_item(b, CONFIG_ITEM_ENV, name);
    bool set;

    if (item) {
        if (item->found)
            *value = item->value;
        return item->found;
    }
    set = b->inner && b->inner->env(b->inner->ctx, name, a, value);
    if (b->inner)
        record(b, CONFIG_ITEM_ENV, name, set, set ? *value : STR_NONE);
    return set;
}

struct config_reader config_bundle_reader(struct config_bundle *b)
{
    return (struct config_reader){
        .ctx = b, .read_file = bundle_read_file, .glob = bundle_glob, .env = bundle_env, .facts = b->facts
    };
}

/* ---- octets ---- */

static void put_u32(struct buf *out, size_t n)
{
    unsigned char octets[4];

    le32_put(octets, (uint32_t)n);
    buf_add(out, str_of((const char *)octets, sizeof(octets)));
}

static void put_str(struct buf *out, struct str s)
{
    put_u32(out, s.n);
    buf_add(out, s);
}

bool config_bundle_encode(const struct config_bundle *b, struct buf *out, struct err *err)
{
    size_t before = out->n;

    if (b->exhausted)
        return err_temp(err, "the configuration is too large to be handed on");
    buf_add(out, str_of(magic, BUNDLE_MAGIC_SIZE));
    put_u32(out, BUNDLE_VERSION);
    put_str(out, b->facts.fqdn);
    put_str(out, b->source.root);
    put_u32(out, b->facts.under_systemd ? BUNDLE_FLAG_SYSTEMD : 0);
    put_u32(out, b->source.n_overrides);
    for (size_t i = 0; i < b->source.n_overrides; i++)
        put_str(out, b->source.overrides[i]);
    put_u32(out, b->n);
    for (size_t i = 0; i < b->n; i++) {
        buf_add_char(out, (char)b->items[i].kind);
        buf_add_char(out, (char)b->items[i].found);
        put_str(out, b->items[i].key);
        put_str(out, b->items[i].value);
    }
    if (!out->failed && out->n - before <= CONFIG_BUNDLE_MAX)
        return true;
    out->n = before;
    return err_temp(err, "the configuration is too large to be handed on");
}

/* What is left of a blob; everything taken from it is checked against what is there. */
struct cursor {
    struct str rest;
    bool bad;
};

static uint32_t take_u32(struct cursor *c)
{
    uint32_t n = 0;

    if (c->rest.n < 4) {
        c->bad = true;
        return 0;
    }
    n = le32_get(c->rest.p);
    c->rest = str_skip(c->rest, 4);
    return n;
}

static uint8_t take_u8(struct cursor *c)
{
    if (!c->rest.n) {
        c->bad = true;
        return 0;
    }
    uint8_t n = (uint8_t)c->rest.p[0];
    c->rest = str_skip(c->rest, 1);
    return n;
}

static struct str take_str(struct cursor *c)
{
    uint32_t n = take_u32(c);

    if (n > c->rest.n)
        c->bad = true;
    if (c->bad)
        return STR_NONE;
    struct str s = str_head(c->rest, n);
    c->rest = str_skip(c->rest, n);
    return s;
}

/* A count of things that take LEAST octets each: more than could be there is not believed. */
static size_t take_count(struct cursor *c, size_t least, size_t most)
{
    size_t n = take_u32(c);

    if (n > most || n > c->rest.n / least)
        c->bad = true;
    return c->bad ? 0 : n;
}

static bool take_head(struct cursor *c, struct config_bundle *b)
{
    struct str head = str_head(c->rest, BUNDLE_MAGIC_SIZE);
    uint32_t flags;

    c->rest = str_skip(c->rest, BUNDLE_MAGIC_SIZE);
    if (!str_eq(head, str_of(magic, BUNDLE_MAGIC_SIZE)) || take_u32(c) != BUNDLE_VERSION)
        return false;
    b->facts.fqdn = take_str(c);
    b->source.root = take_str(c);
    flags = take_u32(c);
    b->facts.under_systemd = flags & BUNDLE_FLAG_SYSTEMD;
    return !c->bad && !(flags & ~(uint32_t)BUNDLE_FLAG_SYSTEMD);
}

static bool take_item(struct cursor *c, struct config_item *item)
{
    uint8_t kind = take_u8(c), found = take_u8(c);

    *item = (struct config_item){ .kind = (enum config_item_kind)kind, .found = found };
    item->key = take_str(c);
    item->value = take_str(c);
    if (kind > CONFIG_ITEM_ENV || found > 1)
        c->bad = true;
    if (kind == CONFIG_ITEM_GLOB && found && item->value.n && item->value.p[item->value.n - 1] != '\0')
        c->bad = true;
    return !c->bad;
}

bool config_bundle_decode(struct str blob, struct arena *a, struct config_bundle *b, struct err *err)
{
    struct config_bundle made = { .arena = a };
    struct cursor c = { .rest = blob };

    if (blob.n > CONFIG_BUNDLE_MAX || !take_head(&c, &made))
        return err_perm(err, "this is no configuration of this version");
    made.source.n_overrides = take_count(&c, 4, CONFIG_FILES_MAX);
    struct str *overrides = ARENA_NEW_ARRAY(a, made.source.n_overrides, struct str);
    if (!overrides)
        return err_temp(err, "out of memory");
    for (size_t i = 0; i < made.source.n_overrides; i++)
        overrides[i] = take_str(&c);
    made.source.overrides = overrides;
    made.n = made.room = take_count(&c, 10, CONFIG_BUNDLE_ITEMS_MAX);
    made.items = ARENA_NEW_ARRAY(a, made.n, struct config_item);
    if (!made.items)
        return err_temp(err, "out of memory");
    for (size_t i = 0; i < made.n && !c.bad; i++)
        take_item(&c, &made.items[i]);
    if (c.bad || c.rest.n)
        return err_perm(err, "this configuration is damaged");
    *b = made;
    return true;
}
