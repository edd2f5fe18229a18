/* Which route a recipient takes: FACE 1.6, every step against every other. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "config/config.h"
#include "route/match.h"

enum { ROUTES_MAX = 16, PATTERNS_MAX = 64 };

/* A route as a test writes it: patterns, senders and listeners as words; DELIVER: it is that of a domain. */
struct written {
    const char *patterns;
    const char *senders;
    const char *listeners;
    bool deliver;
    const char *accounts;
};

struct made {
    struct arena *arena;
    struct config config;
    struct config_route routes[ROUTES_MAX];
    struct config_domain domains[ROUTES_MAX];
    struct config_pattern patterns[PATTERNS_MAX];
    struct config_text texts[PATTERNS_MAX];
    size_t n_patterns, n_texts;
    struct route_index *index;
};

static struct config_pattern pattern_of(struct str word)
{
    size_t at = str_rfind(word, '@');

    if (str_eq(word, STR("*")))
        return (struct config_pattern){ .kind = CONFIG_PATTERN_ALL };
    if (str_eq(word, STR("<>")))
        return (struct config_pattern){ .kind = CONFIG_PATTERN_NULL };
    if (at < word.n)
        return (struct config_pattern){ .kind = CONFIG_PATTERN_ADDRESS,
                                        .local = str_head(word, at),
                                        .domain = str_skip(word, at + 1) };
    if (word.p[0] == '.')
        return (struct config_pattern){ .kind = CONFIG_PATTERN_BELOW, .domain = str_skip(word, 1) };
    return (struct config_pattern){ .kind = CONFIG_PATTERN_DOMAIN, .domain = word };
}

static struct config_patterns patterns_of(struct made *m, const char *words)
{
    struct str rest = str_from_c(words);
    struct config_patterns out = { .items = &m->patterns[m->n_patterns] };

    while (rest.n) {
        assert_true(m->n_patterns < PATTERNS_MAX);
        m->patterns[m->n_patterns++] = pattern_of(str_cut(&rest, ' '));
        out.n++;
    }
    return out;
}

static const struct config_text *texts_of(struct made *m, const char *words, size_t *n)
{
    struct str rest = str_from_c(words);
    const struct config_text *first = &m->texts[m->n_texts];

    for (*n = 0; rest.n; ++*n) {
        assert_true(m->n_texts < PATTERNS_MAX);
        m->texts[m->n_texts++] = (struct config_text){ .text = str_cut(&rest, ' ') };
    }
    return first;
}

static void make(struct made *m, const struct written *written, size_t n)
{
    *m = (struct made){ .arena = arena_new(1 << 20) };
    assert_true(n <= ROUTES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct config_route *route = &m->routes[i];
        *route = (struct config_route){ .index = i };
        if (written[i].deliver) {
            m->domains[i].names = texts_of(m, written[i].patterns, &m->domains[i].n_names);
            route->domain = &m->domains[i];
        } else {
            route->patterns = patterns_of(m, written[i].patterns);
        }
        route->senders = patterns_of(m, written[i].senders ? written[i].senders : "");
        route->accounts = patterns_of(m, written[i].accounts ? written[i].accounts : "");
        route->listeners = texts_of(m, written[i].listeners ? written[i].listeners : "", &route->n_listeners);
    }
    m->config.routes = m->routes;
    m->config.n_routes = n;
    m->index = route_index_new(m->arena, &m->config);
    assert_non_null(m->index);
}

static struct route_question question_of(const char *address)
{
    struct str all = str_from_c(address);
    size_t at = str_rfind(all, '@');

    return (struct route_question){ .local = str_head(all, at),
                                    .domain = str_skip(all, at + 1),
                                    .separators = STR("+") };
}

static int place_of(const struct made *m, const struct route_question *q)
{
    const struct config_route *route = route_match(m->index, q);

    return route ? (int)route->index : -1;
}

/* ---- the steps ---- */

static const char *const steps[] = {
    "anna+news@a.b.example", "anna@a.b.example", "a.b.example", ".b.example", ".example", "*"
};

/* Of any set of the six patterns that fit one address the most specific decides, in whatever order they
 * stand. */
static void the_most_specific_pattern_decides_whatever_the_order(void **state)
{
    (void)state;
    for (unsigned set = 1; set < 1 << ARRAY_LEN(steps); set++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            struct written routes[ARRAY_LEN(steps)] = { 0 };
            int best = -1;
            size_t n = 0;
            struct made m;
            for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
                size_t k = backwards ? ARRAY_LEN(steps) - 1 - i : i;
                if (!(set & 1U << k))
                    continue;
                if (best < 0 || backwards)
                    best = (int)n;
                routes[n++].patterns = steps[k];
            }
            make(&m, routes, n);
            struct route_question q = question_of("Anna+news@a.b.example");
            assert_int_equal(place_of(&m, &q), best);
            arena_free(m.arena);
        }
    }
}

/* The same when each pattern has two routes, and the conditions of any set of them do not hold. */
static void a_step_whose_conditions_do_not_hold_is_as_if_it_were_not_there(void **state)
{
    (void)state;
    for (unsigned set = 0; set < 1 << ARRAY_LEN(steps); set++) {
        struct written routes[ARRAY_LEN(steps)] = { 0 };
        int best = -1;
        struct made m;
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            bool holds = set & 1U << i;
            routes[i] =
                (struct written){ .patterns = steps[i], .senders = holds ? "good.example" : "bad.example" };
            if (holds && best < 0)
                best = (int)i;
        }
        make(&m, routes, ARRAY_LEN(routes));
        struct route_question q = question_of("anna+news@a.b.example");
        q.sender = STR("x@good.example");
        assert_int_equal(place_of(&m, &q), best);
        arena_free(m.arena);
    }
}

struct row {
    const char *address;
    int place;
};

static void check_rows(const struct made *m, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct route_question q = question_of(rows[i].address);
        if (place_of(m, &q) != rows[i].place)
            fail_msg("%s: %d", rows[i].address, place_of(m, &q));
    }
}

static void patterns_match_what_they_say_and_nothing_else(void **state)
{
    (void)state;
    static const struct written routes[] = {
        { .patterns = "Anna@one.example" }, { .patterns = "one.example two.example" },
        { .patterns = ".one.example" },     { .patterns = ".deep.one.example" },
        { .patterns = "a+b@one.example" },  { .patterns = "served.example", .deliver = true },
        { .patterns = "x@served.example" },
    };
    static const struct row rows[] = {
        { "anna@one.example", 0 },       { "ANNA+x@one.example", 0 },  { "annab@one.example", 1 },
        { "+anna@one.example", 1 },      { "ben@one.example", 1 },     { "ben@two.example", 1 },
        { "ben@a.one.example", 2 },      { "ben@b.a.one.example", 2 }, { "ben@deep.one.example", 2 },
        { "ben@x.deep.one.example", 3 }, { "anna@x.one.example", 2 },  { "a+b@one.example", 4 },
        { "a@one.example", 1 },          { "a+b+c@one.example", 1 },   { "ben@xone.example", -1 },
        { "ben@a.two.example", -1 },     { "ben@example", -1 },        { "ben@three.example", -1 },
        { "ben@[192.0.2.1]", -1 },       { "y@served.example", 5 },    { "x+y@served.example", 6 },
        { "x@a.served.example", -1 },    { "@one.example", 1 },
    };
    struct made m;

    make(&m, routes, ARRAY_LEN(routes));
    check_rows(&m, rows, ARRAY_LEN(rows));
    /* Without separators there is no detail. */
    struct route_question q = question_of("anna+x@one.example");
    q.separators = STR_NONE;
    assert_int_equal(place_of(&m, &q), 1);
    arena_free(m.arena);
}

/* ---- conditions ---- */

static void conditional_routes_come_first_in_the_order_written(void **state)
{
    (void)state;
    static const struct written routes[] = {
        { .patterns = "*" },
        { .patterns = "*", .senders = ".news.example" },
        { .patterns = "*", .senders = "news.example", .listeners = "printers scanners" },
        { .patterns = "*", .listeners = "printers" },
        { .patterns = "*", .senders = "<>" },
        { .patterns = "*", .senders = "boss@corp.example \"it is\\\"me@corp.example" },
    };
    static const struct {
        const char *sender;
        const char *listener;
        int place;
    } rows[] = {
        { "a@x.example", "mx-25", 0 },
        { "a@list.news.example", "mx-25", 1 },
        { "a@LIST.News.example", "", 1 },
        { "a@news.example", "mx-25", 0 },
        { "a@news.example", "printers", 2 },
        { "a@news.example", "scanners", 2 },
        { "a@x.example", "printers", 3 },
        { "", "printers", 3 },
        { "", "mx-25", 4 },
        { "Boss@Corp.example", "mx-25", 5 },
        { "\"boss\"@corp.example", "", 5 },
        { "boss@corp.example.org", "", 0 },
        { "a@xnews.example", "", 0 },
        { "a@.news.example", "", 0 },
        { "boss", "", 0 },
        { "bos@corp.example", "", 0 },
    };
    struct made m;

    make(&m, routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_question q = question_of("x@elsewhere.example");
        q.sender = str_from_c(rows[i].sender);
        q.listener = str_from_c(rows[i].listener);
        if (place_of(&m, &q) != rows[i].place)
            fail_msg("<%s> by %s: %d", rows[i].sender, rows[i].listener, place_of(&m, &q));
    }
    arena_free(m.arena);
}

/* Nobody who did not log in is an account, not even one of all. */
static void accounts_are_conditions_of_their_own(void **state)
{
    (void)state;
    static const struct written routes[] = {
        { .patterns = "*" },
        { .patterns = "*", .accounts = "boss@corp.example .sub.example", .senders = "news.example" },
        { .patterns = "*", .accounts = "anna@corp.example corp2.example" },
        { .patterns = "y@elsewhere.example", .accounts = "*" },
    };
    static const struct {
        const char *to, *sender, *account;
        int place;
    } rows[] = {
        { "x@elsewhere.example", "a@news.example", "boss@corp.example", 1 },
        { "x@elsewhere.example", "a@news.example", "any@x.sub.example", 1 },
        { "x@elsewhere.example", "a@b.example", "boss@corp.example", 0 },
        { "x@elsewhere.example", "", "Anna@Corp.example", 2 },
        { "x@elsewhere.example", "", "who@corp2.example", 2 },
        { "x@elsewhere.example", "", "", 0 },
        { "y@elsewhere.example", "", "", 0 },
        { "y@elsewhere.example", "", "who@ever.example", 3 },
    };
    struct made m;

    make(&m, routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_question q = question_of(rows[i].to);
        q.sender = str_from_c(rows[i].sender);
        q.account = str_from_c(rows[i].account);
        if (place_of(&m, &q) != rows[i].place)
            fail_msg("%s by %s: %d", rows[i].to, rows[i].account, place_of(&m, &q));
    }
    arena_free(m.arena);
}

static void a_quoted_sender_is_compared_by_what_it_means(void **state)
{
    (void)state;
    struct made m;
    static const struct written routes[] = { { .patterns = "*" },
                                             { .patterns = "*", .senders = "a\"b@c.example" } };

    make(&m, routes, ARRAY_LEN(routes));
    struct route_question q = question_of("x@elsewhere.example");
    q.sender = STR("\"a\\\"b\"@c.example");
    assert_int_equal(place_of(&m, &q), 1);
    q.sender = STR("\"a\\\"\"@c.example");
    assert_int_equal(place_of(&m, &q), 0);
    q.sender = STR("\"a\\\"bc\"@c.example");
    assert_int_equal(place_of(&m, &q), 0);
    arena_free(m.arena);
}

/* ---- addresses that are known because a route names them ---- */

static void an_address_is_named_by_its_route_whatever_the_conditions(void **state)
{
    (void)state;
    static const struct written routes[] = {
        { .patterns = "served.example", .deliver = true },
        { .patterns = "list@served.example", .senders = "<>" },
        { .patterns = "*" },
    };
    struct made m;
    struct str user, detail;

    make(&m, routes, ARRAY_LEN(routes));
    struct route_question q = question_of("List+x@served.example");
    assert_true(route_index_names(m.index, &q, &user, &detail));
    assert_str_is(user, STR("List"));
    assert_str_is(detail, STR("x"));
    assert_true(route_is_for_address(m.index, &q, route_match(m.index, &q)));
    q.sender = STR("a@b.example");
    assert_true(route_index_names(m.index, &q, &user, &detail));
    assert_false(route_is_for_address(m.index, &q, route_match(m.index, &q)));
    q = question_of("lost@served.example");
    assert_false(route_index_names(m.index, &q, &user, &detail));
    assert_false(route_is_for_address(m.index, &q, NULL));
    arena_free(m.arena);
}

/* ---- size and memory ---- */

static void ten_thousand_routes_are_all_found(void **state)
{
    enum { N = 10000 };
    (void)state;
    struct arena *a = arena_new(64 << 20);
    struct config_route *routes = ARENA_NEW_ARRAY(a, N, struct config_route);
    struct config_pattern *patterns = ARENA_NEW_ARRAY(a, N, struct config_pattern);
    struct config config = { .routes = routes, .n_routes = N };

    for (size_t i = 0; i < N; i++) {
        patterns[i] = (struct config_pattern){ .kind = i % 2 ? CONFIG_PATTERN_DOMAIN : CONFIG_PATTERN_BELOW,
                                               .domain = arena_printf(a, "d%zu.example", i / 2) };
        routes[i] = (struct config_route){ .index = i, .patterns = { .items = &patterns[i], .n = 1 } };
    }
    struct route_index *ix = route_index_new(a, &config);
    assert_non_null(ix);
    for (size_t i = 0; i < N; i++) {
        struct route_question q = { .local = STR("x"),
                                    .domain = i % 2
                                                  ? patterns[i].domain
                                                  : arena_printf(a, "y.%.*s", STR_ARG(patterns[i].domain)) };
        assert_ptr_equal(route_match(ix, &q), &routes[i]);
    }
    arena_free(a);
}

static void without_memory_there_is_no_index(void **state)
{
    (void)state;
    static const struct written routes[] = { { .patterns = "one.example two.example" }, { .patterns = "*" } };
    struct made m;
    size_t max = 8;
    struct route_index *ix = NULL;

    make(&m, routes, ARRAY_LEN(routes));
    for (; !ix && max < 1 << 16; max += 8) {
        struct arena *a = arena_new(max);
        ix = route_index_new(a, &m.config);
        if (ix)
            assert_ptr_equal(route_match(ix, &(struct route_question){ .domain = STR("z.example") }),
                             &m.routes[1]);
        arena_free(a);
    }
    assert_non_null(ix);
    assert_true(max > 64);
    arena_free(m.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_pattern_decides_whatever_the_order),
        cmocka_unit_test(a_step_whose_conditions_do_not_hold_is_as_if_it_were_not_there),
        cmocka_unit_test(patterns_match_what_they_say_and_nothing_else),
        cmocka_unit_test(conditional_routes_come_first_in_the_order_written),
        cmocka_unit_test(accounts_are_conditions_of_their_own),
        cmocka_unit_test(a_quoted_sender_is_compared_by_what_it_means),
        cmocka_unit_test(an_address_is_named_by_its_route_whatever_the_conditions),
        cmocka_unit_test(ten_thousand_routes_are_all_found),
        cmocka_unit_test(without_memory_there_is_no_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
