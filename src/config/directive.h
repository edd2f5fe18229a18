/* config/directive.h -- the table of directives, and finding names in it. Pure. */
#ifndef CONFIG_DIRECTIVE_H
#define CONFIG_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

/* Where a statement may stand; bits. X(ID, name) */
#define CONFIG_CONTEXTS(X)                                                                                   \
    X(TOP, "top")                                                                                            \
    X(LISTEN, "listen")                                                                                      \
    X(DOMAIN, "domain")                                                                                      \
    X(ROUTE, "route")                                                                                        \
    X(SITE, "site")                                                                                          \
    X(TENANT, "tenant")                                                                                      \
    X(SOURCE, "source")                                                                                      \
    X(TLS, "tls")                                                                                            \
    X(OAUTH, "oauth")                                                                                        \
    X(FILTER, "filter")                                                                                      \
    X(TABLE, "table")

#define CONFIG_CONTEXT_ENUM(id, name) CONFIG_CONTEXT_##id,
enum config_context {
    CONFIG_CONTEXTS(CONFIG_CONTEXT_ENUM) CONFIG_CONTEXTS_N,
};
#undef CONFIG_CONTEXT_ENUM

/* Every context at once: of `include`, and of the built-in text that holds the defaults. */
enum { CONFIG_ANYWHERE = (1 << CONFIG_CONTEXTS_N) - 1 };

/* How the words after the name are read. */
enum config_grammar {
    CONFIG_GRAMMAR_LATER, /* not read: the directive is not built */
    CONFIG_GRAMMAR_INCLUDE,
    CONFIG_GRAMMAR_HOST,
    CONFIG_GRAMMAR_DOMAIN,
    CONFIG_GRAMMAR_ADDRESS,
    CONFIG_GRAMMAR_IPS,
    CONFIG_GRAMMAR_PATH,
    CONFIG_GRAMMAR_SOCKET,
    CONFIG_GRAMMAR_ACCOUNT,
    CONFIG_GRAMMAR_WORKERS,
    CONFIG_GRAMMAR_SHARE,
    CONFIG_GRAMMAR_LISTEN,
    CONFIG_GRAMMAR_WORD,
    CONFIG_GRAMMAR_NETWORKS,
    CONFIG_GRAMMAR_CHOICE, /* the words of the documented value, parted by " | " */
    CONFIG_GRAMMAR_FLAG,
    CONFIG_GRAMMAR_MODE,
    CONFIG_GRAMMAR_NUMBER,
    CONFIG_GRAMMAR_COUNT, /* or auto */
    CONFIG_GRAMMAR_TIME,
    CONFIG_GRAMMAR_TIMEOUT,
    CONFIG_GRAMMAR_LIMIT,
    CONFIG_GRAMMAR_DOMAINS,
    CONFIG_GRAMMAR_USERS,
    CONFIG_GRAMMAR_ALIASES,
    CONFIG_GRAMMAR_SEPARATORS,
    CONFIG_GRAMMAR_TARGET,
    CONFIG_GRAMMAR_ROUTE,
    CONFIG_GRAMMAR_FALLBACK,
    CONFIG_GRAMMAR_SITE,
    CONFIG_GRAMMAR_MEMBERS, /* of a site */
    CONFIG_GRAMMAR_PATTERNS,
    CONFIG_GRAMMAR_LISTENERS,
    CONFIG_GRAMMAR_RELAY,
    CONFIG_GRAMMAR_REQUIRE,
    CONFIG_GRAMMAR_AUTH,
    CONFIG_GRAMMAR_MECHANISMS,
    CONFIG_GRAMMAR_SEND_AS,
    CONFIG_GRAMMAR_TIME_OR_OFF,
    CONFIG_GRAMMAR_TEXT,
    CONFIG_GRAMMAR_TLS,
    CONFIG_GRAMMAR_CERTIFICATE,
    CONFIG_GRAMMAR_TLS_LEVEL,
    CONFIG_GRAMMAR_ACCOUNTS,
    CONFIG_GRAMMAR_LOGIN,
    CONFIG_GRAMMAR_OAUTH,
    CONFIG_GRAMMAR_KEYS,
    CONFIG_GRAMMAR_INTROSPECTION,
    CONFIG_GRAMMAR_AUDIENCE,
    CONFIG_GRAMMAR_RESOLVER,
    CONFIG_GRAMMAR_WINDOW,
    CONFIG_GRAMMAR_RATE,
    CONFIG_GRAMMAR_REUSE,
    CONFIG_GRAMMAR_ON_REPLY,
    CONFIG_GRAMMAR_TIMES,
    CONFIG_GRAMMAR_BOUNCE,
    CONFIG_GRAMMAR_LOG,
    CONFIG_GRAMMAR_HISTORY,
};

/* How often a directive may stand in one block. */
enum config_repetition {
    CONFIG_ONCE,
    CONFIG_EACH_KEY,  /* once for each first word */
    CONFIG_EACH_KEYS, /* once for each pair of first words */
    CONFIG_EACH_ZONE, /* once for each word behind `for`, and once without */
    CONFIG_REPEATABLE,
    CONFIG_ADDS, /* include, listen, domain, route, ...: each defines something */
};

#define DIRECTIVE(id, ...) CONFIG_DIRECTIVE_##id,
enum config_directive_id {
#include "config/directives.def"
    CONFIG_DIRECTIVES_N,
};
#undef DIRECTIVE

struct config_directive {
    enum config_directive_id id;
    struct str name;
    unsigned contexts; /* bits of enum config_context */
    char stage;
    bool built;
    enum config_grammar grammar;
    enum config_repetition repetition;
    struct str value;    /* as documented */
    struct str fallback; /* the default, as documented; "–" for none */
    struct str defaults; /* the default as statements; empty where it is computed */
    uint64_t least;
    uint64_t most;
    struct str help;
    struct str example;
};

const struct config_directive *config_directive_get(enum config_directive_id id);
/* NULL for an unknown name. */
const struct config_directive *config_directive_find(struct str name);
/* May D stand in one of CONTEXTS? What a route says, a domain says of its `deliver`, conditions excepted (FACE 1.4). */
bool config_directive_may_stand(const struct config_directive *d, unsigned contexts);
/* The directive allowed in one of CONTEXTS whose name is nearest to a misspelt one; NULL when none is near. */
const struct config_directive *config_directive_nearest(struct str name, unsigned contexts);
/* "top", "listen", ... */
struct str config_context_name(enum config_context context);
/* All defaults, one text in the language itself. */
struct str config_directive_defaults(void);

/*
 * Index of the word, all lower case, that WRITTEN is probably a slip of: letters added, left out, exchanged,
 * transposed, or in the other case. Of equals the one with the longer common beginning; N when none is near.
 */
size_t config_slip_nearest(struct str written, const struct str *words, size_t n);

#endif
