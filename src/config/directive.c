/* config/directive.c -- the table itself, and what somebody may have meant. */
#include "config/directive.h"

#include "core/bug.h"
#include "core/check.h"

#define ANY       CONFIG_ANYWHERE
#define IN_TOP    (1 << CONFIG_CONTEXT_TOP)
#define IN_LISTEN (1 << CONFIG_CONTEXT_LISTEN)
#define IN_DOMAIN (1 << CONFIG_CONTEXT_DOMAIN)
#define IN_ROUTE  (1 << CONFIG_CONTEXT_ROUTE)
#define IN_SITE   (1 << CONFIG_CONTEXT_SITE)
#define IN_TENANT (1 << CONFIG_CONTEXT_TENANT)
#define IN_SOURCE (1 << CONFIG_CONTEXT_SOURCE)
#define IN_TLS    (1 << CONFIG_CONTEXT_TLS)
#define IN_OAUTH  (1 << CONFIG_CONTEXT_OAUTH)
#define IN_FILTER (1 << CONFIG_CONTEXT_FILTER)
#define IN_TABLE  (1 << CONFIG_CONTEXT_TABLE)
#define BUILT     true
#define NOT_BUILT false

#define DIRECTIVE(id_, name_, contexts_, stage_, built_, grammar_, repetition_, value_, fallback_,           \
                  defaults_, least_, most_, help_, example_)                                                 \
    {                                                                                                        \
        .id = CONFIG_DIRECTIVE_##id_,                                                                        \
        .name = STR_INIT(name_),                                                                             \
        .contexts = contexts_,                                                                               \
        .stage = #stage_[0],                                                                                 \
        .built = built_,                                                                                     \
        .grammar = CONFIG_GRAMMAR_##grammar_,                                                                \
        .repetition = CONFIG_##repetition_,                                                                  \
        .value = STR_INIT(value_),                                                                           \
        .fallback = STR_INIT(fallback_),                                                                     \
        .defaults = STR_INIT(defaults_),                                                                     \
        .least = least_,                                                                                     \
        .most = most_,                                                                                       \
        .help = STR_INIT(help_),                                                                             \
        .example = STR_INIT(example_),                                                                       \
    },
static const struct config_directive directives[] = {
#include "config/directives.def"
};
#undef DIRECTIVE

#define DIRECTIVE(id, name, contexts, stage, built, grammar, repetition, value, fallback, defaults, ...)     \
    defaults "\n"
static const char all_defaults[] =
#include "config/directives.def"
    ;
#undef DIRECTIVE

enum { SLIP_MAX = 64 };

const struct config_directive *config_directive_get(enum config_directive_id id)
{
    BUG_ON(id >= CONFIG_DIRECTIVES_N);
    return &directives[id];
}

const struct config_directive *config_directive_find(struct str name)
{
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++)
        if (str_eq(directives[i].name, name))
            return &directives[i];
    return NULL;
}

struct str config_context_name(enum config_context context)
{
#define CONTEXT_NAME(id, name) STR_INIT(name),
    static const struct str names[] = { CONFIG_CONTEXTS(CONTEXT_NAME) };
#undef CONTEXT_NAME

    BUG_ON((size_t)context >= ARRAY_LEN(names));
    return names[context];
}

struct str config_directive_defaults(void)
{
    return str_of(all_defaults, sizeof(all_defaults) - 1);
}

/* Restricted Damerau-Levenshtein distance, three rows of the matrix at a time; A in any case, B in lower case. */
static size_t distance(struct str a, struct str b)
{
    unsigned char rows[3][SLIP_MAX + 1];

    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned char *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = (unsigned char)i;
        for (size_t j = 1; j <= b.n; j++) {
            char c = ascii_lower(a.p[i - 1]);
            size_t best = before[j - 1] + (size_t)(c != b.p[j - 1]);
            best = size_min(best, size_min(before[j], now[j - 1]) + 1U);
            if (i > 1 && j > 1 && c == b.p[j - 2] && ascii_lower(a.p[i - 2]) == b.p[j - 1])
                best = size_min(best, earlier[j - 2] + 1U);
            now[j] = (unsigned char)best;
        }
    }
    return rows[a.n % 3][b.n];
}

/* SIZE_MAX when either is longer than any name, or when they are too far apart for the one to be a slip of the other. */
static size_t slip_distance(struct str written, struct str meant)
{
    if (written.n > SLIP_MAX || meant.n > SLIP_MAX)
        return SIZE_MAX;

    /* A short word has many neighbours: one slip; a longer one about one in three letters. */
    size_t allowed = written.n <= 4 ? 1 : written.n / 3 + 1;
    size_t found = distance(written, meant);
    return found <= allowed && found < meant.n ? found : SIZE_MAX;
}

static size_t common_beginning(struct str a, struct str b)
{
    size_t n = 0;

    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* Is CANDIDATE nearer to WRITTEN than what was found before at *best? Keeps the better of both there. */
static bool nearer(struct str written, struct str candidate, size_t *best, size_t *common)
{
    size_t d = slip_distance(written, candidate), c = common_beginning(written, candidate);

    if (d == SIZE_MAX || d > *best || (d == *best && c <= *common))
        return false;
    *best = d;
    *common = c;
    return true;
}

/* Conditions choose among routes, and a domain's `deliver` is chosen by its domain. */
static bool is_condition(enum config_directive_id id)
{
    return id == CONFIG_DIRECTIVE_SENDERS || id == CONFIG_DIRECTIVE_LISTENERS ||
           id == CONFIG_DIRECTIVE_ACCOUNTS || id == CONFIG_DIRECTIVE_TENANTS;
}

bool config_directive_may_stand(const struct config_directive *d, unsigned contexts)
{
    if ((contexts & 1U << CONFIG_CONTEXT_DOMAIN) && !is_condition(d->id))
        contexts |= 1U << CONFIG_CONTEXT_ROUTE;
    return d->contexts & contexts;
}

const struct config_directive *config_directive_nearest(struct str name, unsigned contexts)
{
    const struct config_directive *found = NULL;
    size_t best = SIZE_MAX, common = 0;

    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++)
        if (config_directive_may_stand(&directives[i], contexts) &&
            nearer(name, directives[i].name, &best, &common))
            found = &directives[i];
    return found;
}

size_t config_slip_nearest(struct str written, const struct str *words, size_t n)
{
    size_t found = n, best = SIZE_MAX, common = 0;

    for (size_t i = 0; i < n; i++)
        if (nearer(written, words[i], &best, &common))
            found = i;
    return found;
}
