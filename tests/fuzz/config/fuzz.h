/* tests/fuzz/config/fuzz.h -- a configuration made of one input: texts in a row, parted by NUL. */
#ifndef TESTS_FUZZ_CONFIG_H
#define TESTS_FUZZ_CONFIG_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_ARENA = 1 << 26, FUZZ_PATHS = 3 };

/* The root file, what it can include, and what stands in every variable. */
struct fuzz_source {
    struct str texts[FUZZ_PATHS];
    struct str variable;
};

static const struct str fuzz_paths[FUZZ_PATHS] = { STR_INIT("/v/a"), STR_INIT("/v/b"), STR_INIT("/v/c") };

static inline bool fuzz_copy(struct arena *a, struct str s, struct str *out)
{
    char *p = arena_alloc(a, s.n);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    *out = str_of(p, s.n);
    return p;
}

static inline bool fuzz_read(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    struct fuzz_source *f = ctx;

    for (size_t i = 0; i < FUZZ_PATHS; i++)
        if (str_eq(path, fuzz_paths[i]))
            return fuzz_copy(a, f->texts[i], text) || err_temp(err, "out of memory");
    return err_perm(err, "no such file");
}

/* Finds all files, the last first: order is the parser's business. */
static inline bool fuzz_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n,
                             struct err *err)
{
    *paths = ARENA_NEW_ARRAY(a, FUZZ_PATHS, struct str);
    if (!*paths)
        return err_temp(err, "out of memory");
    for (*n = 0; *n < FUZZ_PATHS; ++*n)
        (*paths)[*n] = fuzz_paths[FUZZ_PATHS - 1 - *n];
    return true;
}

/* Every second name is set. */
static inline bool fuzz_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    struct fuzz_source *f = ctx;

    return str_hash(name, 0) % 2 && fuzz_copy(a, f->variable, value);
}

static inline struct config_reader fuzz_reader(struct fuzz_source *f)
{
    return (struct config_reader){ .ctx = f,
                                   .read_file = fuzz_read,
                                   .glob = fuzz_glob,
                                   .env = fuzz_env,
                                   .facts = { .fqdn = STR("host.example.net") } };
}

#endif
