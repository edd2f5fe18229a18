/* config/template.h -- text with {placeholders}, cut into pieces once and filled in for each message. Pure. */
#ifndef CONFIG_TEMPLATE_H
#define CONFIG_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

/* X(ID, name) */
#define CONFIG_PLACEHOLDERS(X)                                                                               \
    X(USER, "user")                                                                                          \
    X(DETAIL, "detail")                                                                                      \
    X(DOMAIN, "domain")                                                                                      \
    X(ADDRESS, "address")                                                                                    \
    X(ORIGINAL, "original")                                                                                  \
    X(RECIPIENTS, "recipients")                                                                              \
    X(SENDER, "sender")                                                                                      \
    X(ACCOUNT, "account")                                                                                    \
    X(CLIENT, "client")                                                                                      \
    X(ID, "id")                                                                                              \
    X(HOME, "home")                                                                                          \
    X(HOSTNAME, "hostname")

#define CONFIG_PLACEHOLDER_ENUM(id, name) CONFIG_PLACEHOLDER_##id,
enum config_placeholder {
    CONFIG_PLACEHOLDERS(CONFIG_PLACEHOLDER_ENUM) CONFIG_PLACEHOLDERS_N,
    CONFIG_PLACEHOLDER_NONE = CONFIG_PLACEHOLDERS_N, /* literal text */
};
#undef CONFIG_PLACEHOLDER_ENUM

struct config_piece {
    enum config_placeholder placeholder;
    struct str literal; /* of CONFIG_PLACEHOLDER_NONE */
};

struct config_template {
    const struct config_piece *pieces;
    size_t n;
};

/* One value for each placeholder; p == NULL where the caller has none, and then its use fails. */
struct config_values {
    struct str v[CONFIG_PLACEHOLDERS_N];
};

enum config_expand {
    CONFIG_EXPAND_TEXT,
    /* A value that is empty, ".", "..", or holds "/" or NUL fails for ever (5.1.3); {home} is a path itself. */
    CONFIG_EXPAND_PATH,
};

/* Adds the filled-in text to OUT. False: ERR_PERM for the values, ERR_TEMP when OUT is full; OUT is as before. */
MUST_USE bool config_template_expand(const struct config_template *t, const struct config_values *values,
                                     enum config_expand how, struct buf *out, struct err *err);
/* As written, placeholders in braces; p == NULL without memory. */
struct str config_template_text(const struct config_template *t, struct arena *a);
/*
 * The folder that holds whatever the template can name: the literal text up to the last "/" before the first
 * placeholder; "/var/mail" of "/var/mail/{domain}/x". Empty when it begins with {home}. Borrows from T.
 */
struct str config_template_root(const struct config_template *t);
bool config_template_uses(const struct config_template *t, enum config_placeholder which);
struct str config_placeholder_name(enum config_placeholder which);
/* CONFIG_PLACEHOLDER_NONE for an unknown name. */
enum config_placeholder config_placeholder_find(struct str name);

#endif
