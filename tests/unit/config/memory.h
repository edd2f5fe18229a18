/* A configuration in memory: files, an environment, and what a parse of them says. */
#ifndef TESTS_UNIT_CONFIG_MEMORY_H
#define TESTS_UNIT_CONFIG_MEMORY_H

#include "tests/unit/unit.h"

#include "config/parse.h"

enum { MEMORY_ARENA = 64 * 1024 * 1024 };

struct memory_pair {
    const char *key;
    struct str value;
};

/* Both end with a NULL key. A glob matches the files of the folder that begin with what stands before its "*". */
struct memory {
    const struct memory_pair *files;
    const struct memory_pair *env;
    unsigned questions;
};

static const struct memory_pair *memory_find(const struct memory_pair *pairs, struct str key)
{
    for (; pairs && pairs->key; pairs++)
        if (str_eq(str_from_c(pairs->key), key))
            return pairs;
    return NULL;
}

/* Exactly as large as the text, so that the sanitizer sees the octet behind it. */
static bool memory_copy(struct arena *a, struct str s, struct str *out)
{
    char *p = arena_alloc(a, s.n);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    *out = str_of(p, s.n);
    return p;
}

static bool memory_read(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    struct memory *m = ctx;
    const struct memory_pair *file = memory_find(m->files, path);

    m->questions++;
    if (!file)
        return err_perm(err, "No such file or directory");
    return memory_copy(a, file->value, text) || err_temp(err, "out of memory");
}

static bool memory_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n,
                        struct err *err)
{
    struct memory *m = ctx;
    struct str prefix = str_head(pattern, str_find(pattern, '*'));

    m->questions++;
    *paths = ARENA_NEW_ARRAY(a, 16, struct str);
    if (!*paths)
        return err_temp(err, "out of memory");
    *n = 0;
    for (const struct memory_pair *f = m->files; f && f->key; f++)
        if (str_starts(str_from_c(f->key), prefix) && !str_has(str_skip(str_from_c(f->key), prefix.n), '/'))
            (*paths)[(*n)++] = str_from_c(f->key);
    return true;
}

static bool memory_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    struct memory *m = ctx;
    const struct memory_pair *pair = memory_find(m->env, name);

    m->questions++;
    return pair && memory_copy(a, pair->value, value);
}

static inline struct config_reader memory_reader(struct memory *m)
{
    return (struct config_reader){ .ctx = m,
                                   .read_file = memory_read,
                                   .glob = memory_glob,
                                   .env = memory_env,
                                   .facts = { .fqdn = STR("host.example.net") } };
}

/* A parse and what came of it; memory_done() it. */
struct parsed {
    struct arena *arena;
    const struct config *c; /* NULL after errors */
    struct config_diagnostics diag;
    struct buf out;
};

static inline void parse_source(struct parsed *p, const struct config_reader *reader,
                                const struct config_source *source)
{
    *p = (struct parsed){ .arena = arena_new(MEMORY_ARENA), .out = BUF_INIT(1 << 20) };
    assert_non_null(p->arena);
    bool ok = config_parse(reader, source, p->arena, &p->c, &p->diag);
    assert_int_equal(ok, p->c != NULL);
    assert_int_equal(ok, p->diag.errors == 0 && !p->diag.exhausted);
    assert_true(config_diagnostics_render(&p->diag, &p->out));
}

/* TEXT as /etc/veredus/veredus.conf. */
static inline void parse_text(struct parsed *p, struct str text)
{
    const struct memory_pair files[] = { { "/etc/veredus/veredus.conf", text }, { NULL, STR_NONE } };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/veredus/veredus.conf") };

    parse_source(p, &reader, &source);
}

static inline void parsed_done(struct parsed *p)
{
    buf_done(&p->out);
    arena_free(p->arena);
}

#endif
