/* tests/unit/deliver/server.h -- a configuration for deliver's tests, recorded as main would send it. */
#ifndef TESTS_DELIVER_SERVER_H
#define TESTS_DELIVER_SERVER_H

#include "tests/unit/mailbox/box.h"

#include "config/parse.h"

static inline bool no_file(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    (void)ctx;
    (void)a;
    (void)text;
    return err_perm(err, "%.*s: there is no such file", STR_ARG(path));
}

static inline bool no_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n,
                           struct err *err)
{
    (void)ctx;
    (void)pattern;
    (void)a;
    (void)err;
    *paths = NULL;
    *n = 0;
    return true;
}

static inline bool no_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    (void)ctx;
    (void)name;
    (void)a;
    (void)value;
    return false;
}

/* DELIVER and more directives of the one domain, example.org; as a bundle, and parsed. All in A. */
static inline const struct config *server_config_of(const char *domain, struct config_bundle *bundle, struct arena *a)
{
    static const struct config_reader reader = {
        .read_file = no_file, .glob = no_glob, .env = no_env, .facts = { .fqdn = STR_INIT("mail.example.org") },
    };
    struct str *text = ARENA_NEW(a, struct str);
    struct config_source source = { .overrides = text, .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    const struct config *config = NULL;

    *text = arena_printf(a, "hostname mail.example.org; domain example.org { users any; %s }", domain);
    assert_true(config_bundle_record(bundle, &source, &reader, a));
    assert_true(config_parse_bundle(bundle, a, &config, &diag));
    assert_int_equal(config->n_domains, 1);
    return config;
}

/* One domain, example.org, that delivers to ROOT with PATH behind it; as a bundle, and parsed. All in A. */
static inline const struct config *server_config(const struct box *b, const char *path, struct config_bundle *bundle,
                                                 struct arena *a)
{
    return server_config_of(arena_printf(a, "deliver maildir:%s/%s;", b->root, path).p, bundle, a);
}

#endif
