/* The resolver against a scripted server: every kind of answer, each as the fact that it is. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/bug.h"
#include "tests/unit/dns/world.h"

static const struct dns_script script[] = {
    { "example.net", DNS_MX, SAY_RECORDS, "10 MX1.example.net\n20 mx2.example.net" },
    { "mx1.example.net", DNS_A, SAY_RECORDS, "192.0.2.1\n192.0.2.2" },
    { "mx1.example.net", DNS_AAAA, SAY_RECORDS, "2001:db8::1" },
    { "nothing.example.net", DNS_A, SAY_RECORDS, NULL },
    { "broken.example.net", DNS_A, SAY_SERVFAIL, NULL },
    { "silent.example.net", DNS_A, SAY_NOTHING, NULL },
    { "garbage.example.net", DNS_A, SAY_GARBAGE, NULL },
    { "big.example.net", DNS_MX, SAY_BY_TCP, "5 big1.example.net" },
    { "alias.example.net", 0, SAY_RECORDS, "CNAME alias2.example.net" },
    { "alias2.example.net", 0, SAY_RECORDS, "CNAME mx1.example.net" },
    { "dangling.example.net", 0, SAY_RECORDS, "CNAME gone.example.net" },
    { "round.example.net", 0, SAY_RECORDS, "CNAME about.example.net" },
    { "about.example.net", 0, SAY_RECORDS, "CNAME round.example.net" },
    { "host.test", DNS_A, SAY_RECORDS, "192.0.2.77" },
    { "host.home.arpa", DNS_A, SAY_RECORDS, "192.0.2.78" },
};

/* One question after the other to one resolver. */
struct asking {
    struct dns_world world;
    struct dns_resolver *resolver;
    struct arena *arena;
    struct dns_query query;
    unsigned answered;
};

static void on_answered(struct dns_query *q)
{
    struct asking *a = CONTAINER_OF(q, struct asking, query);

    a->answered++;
    io_loop_stop(a->world.loop);
}

static int set_up(void **state)
{
    struct asking *a = calloc(1, sizeof(*a));
    struct err err = { 0 };

    assert_non_null(a);
    dns_world_open(&a->world, script, ARRAY_LEN(script));
    a->resolver = dns_resolver_new(a->world.loop, &a->world.settings, &err);
    if (!a->resolver)
        fail_msg("%s", err.text);
    *state = a;
    return 0;
}

static int tear_down(void **state)
{
    struct asking *a = *state;

    if (a->arena)
        dns_query_done(&a->query);
    arena_free(a->arena);
    dns_resolver_free(a->resolver);
    dns_world_close(&a->world);
    free(a);
    return 0;
}

static const struct dns_answer *ask(struct asking *a, const char *name, enum dns_type type)
{
    struct err err = { 0 };

    if (a->arena)
        dns_query_done(&a->query);
    arena_free(a->arena);
    a->arena = arena_new(1 << 20);
    a->answered = 0;
    dns_query_ask(&a->query, a->resolver, str_from_c(name), type, a->arena, on_answered);
    /* Not from within the asking, whatever the answer stands on. */
    assert_int_equal(a->answered, 0);
    assert_true(io_loop_run(a->world.loop, &err));
    assert_int_equal(a->answered, 1);
    return &a->query.answer;
}

static void assert_address(const struct dns_record *record, const char *want)
{
    struct ip_text text = ip_text(&record->address);

    assert_string_equal(text.c, want);
}

static void mx_records_come_with_preference_and_lower_case_names(void **state)
{
    const struct dns_answer *got = ask(*state, "example.net", DNS_MX);

    assert_int_equal(got->status, DNS_FOUND);
    assert_false(got->secure);
    assert_int_equal(got->n, 2);
    assert_true(got->ttl > 0 && got->ttl <= 300);
    for (size_t i = 0; i < 2; i++) {
        bool first = got->records[i].preference == 10;
        assert_str_is(got->records[i].name, first ? STR("mx1.example.net") : STR("mx2.example.net"));
    }
}

static void addresses_of_both_families(void **state)
{
    const struct dns_answer *got = ask(*state, "mx1.example.net", DNS_A);

    assert_int_equal(got->status, DNS_FOUND);
    assert_int_equal(got->n, 2);
    got = ask(*state, "mx1.example.net", DNS_AAAA);
    assert_int_equal(got->n, 1);
    assert_address(&got->records[0], "2001:db8::1");
}

static void no_data_is_not_no_name(void **state)
{
    const struct dns_answer *got = ask(*state, "nothing.example.net", DNS_A);

    assert_int_equal(got->status, DNS_NO_DATA);
    assert_int_equal(got->n, 0);
    assert_true(got->ttl > 0 && got->ttl <= 60);
    assert_int_equal(ask(*state, "nowhere.example.net", DNS_A)->status, DNS_NO_NAME);
}

/* C139: none of these says anything of the name. */
static void failures_of_servers_are_no_answers(void **state)
{
    const struct dns_answer *got = ask(*state, "broken.example.net", DNS_A);

    assert_int_equal(got->status, DNS_FAILED);
    assert_true(got->error.n > 0);
    assert_int_equal(ask(*state, "garbage.example.net", DNS_A)->status, DNS_FAILED);
}

static void silence_ends(void **state)
{
    struct asking *a = *state;
    struct err err = { 0 };

    /* The only thing here that takes time: as little as it may. */
    dns_resolver_free(a->resolver);
    a->world.settings.timeout_msec = 100;
    a->resolver = dns_resolver_new(a->world.loop, &a->world.settings, &err);
    assert_non_null(a->resolver);
    assert_int_equal(ask(a, "silent.example.net", DNS_A)->status, DNS_FAILED);
    assert_str_is(a->query.answer.error, STR("no server answered in time"));
    /* And what was given up does not come back. */
    assert_int_equal(ask(a, "mx1.example.net", DNS_A)->status, DNS_FOUND);
}

static void truncated_answers_are_asked_for_by_tcp(void **state) /* C252 */
{
    struct asking *a = *state;
    const struct dns_answer *got = ask(a, "big.example.net", DNS_MX);

    assert_int_equal(got->status, DNS_FOUND);
    assert_str_is(got->records[0].name, STR("big1.example.net"));
    assert_true(dns_server_heard(a->world.server, "big.example.net", DNS_MX) >= 2);
}

static void aliases_are_followed(void **state) /* C137 */
{
    const struct dns_answer *got = ask(*state, "alias.example.net", DNS_AAAA);

    assert_int_equal(got->status, DNS_FOUND);
    assert_int_equal(got->n, 1);
    assert_address(&got->records[0], "2001:db8::1");
    assert_int_equal(ask(*state, "alias.example.net", DNS_MX)->status, DNS_NO_DATA);
    assert_int_equal(ask(*state, "dangling.example.net", DNS_A)->status, DNS_NO_NAME);
}

static void aliases_that_go_round_come_to_an_end(void **state) /* C142 */
{
    const struct dns_answer *got = ask(*state, "round.example.net", DNS_A);

    assert_int_not_equal(got->status, DNS_FOUND);
}

static void what_is_known_is_not_asked_again(void **state)
{
    struct asking *a = *state;
    unsigned heard;

    assert_int_equal(ask(a, "mx1.example.net", DNS_A)->status, DNS_FOUND);
    assert_false(a->query.cached);
    heard = dns_server_heard(a->world.server, "mx1.example.net", DNS_A);
    assert_int_equal(ask(a, "mx1.example.net", DNS_A)->status, DNS_FOUND);
    assert_true(a->query.cached);
    assert_int_equal(dns_server_heard(a->world.server, "mx1.example.net", DNS_A), heard);
}

/* The library would answer for these zones itself; a network of one's own may have them. */
static void names_of_private_networks_are_asked_for(void **state)
{
    assert_int_equal(ask(*state, "host.test", DNS_A)->status, DNS_FOUND);
    assert_int_equal(ask(*state, "host.home.arpa", DNS_A)->status, DNS_FOUND);
    /* But not this one. */
    assert_int_equal(ask(*state, "localhost", DNS_A)->status, DNS_FOUND);
}

static void what_is_no_name_does_not_exist(void **state)
{
    char longest[400];

    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(ask(*state, "", DNS_A)->status, DNS_NO_NAME);
    assert_int_equal(ask(*state, longest, DNS_A)->status, DNS_NO_NAME);
    longest[200] = '\0';
    assert_int_equal(ask(*state, longest, DNS_A)->status, DNS_NO_NAME);
    assert_int_equal(ask(*state, "a..b", DNS_A)->status, DNS_NO_NAME);
}

static void a_question_may_be_forgotten(void **state)
{
    struct asking *a = *state;
    struct dns_query other;
    struct arena *arena = arena_new(1 << 20);

    dns_query_ask(&other, a->resolver, STR("mx1.example.net"), DNS_A, arena, on_answered);
    dns_query_done(&other);
    arena_free(arena);
    assert_int_equal(ask(a, "mx1.example.net", DNS_A)->status, DNS_FOUND);
}

static void a_zone_may_have_servers_of_its_own(void **state)
{
    static const struct dns_script other_script[] = {
        { "inner.corp.example", DNS_A, SAY_RECORDS, "192.0.2.200" },
    };
    struct asking *a = *state;
    struct dns_server *other = dns_server_new(a->world.loop, other_script, ARRAY_LEN(other_script));
    struct config_endpoint at = a->world.endpoint;
    struct config_resolver both[2] = { a->world.resolver };
    struct err err = { 0 };

    at.port = dns_server_port(other);
    both[1] = (struct config_resolver){
        .kind = CONFIG_RESOLVER_SERVERS, .servers = &at, .n_servers = 1, .zone = STR("corp.example")
    };
    a->world.settings.resolvers = both;
    a->world.settings.n_resolvers = 2;
    dns_resolver_free(a->resolver);
    a->resolver = dns_resolver_new(a->world.loop, &a->world.settings, &err);
    if (!a->resolver)
        fail_msg("%s", err.text);
    assert_int_equal(ask(a, "inner.corp.example", DNS_A)->status, DNS_FOUND);
    assert_int_equal(ask(a, "mx1.example.net", DNS_A)->status, DNS_FOUND);
    assert_int_equal(dns_server_heard(a->world.server, "inner.corp.example", DNS_A), 0);
    assert_int_equal(dns_server_heard(other, "mx1.example.net", DNS_A), 0);
    dns_resolver_free(a->resolver);
    a->resolver = NULL;
    dns_server_free(other);
}

static void a_trust_anchor_that_cannot_be_used_is_an_error(void **state)
{
    static const char nonsense[] = "example. IN DS this is none\n";
    struct asking *a = *state;
    struct dns_settings settings = a->world.settings;
    struct err err = { 0 };
    FILE *f;

    settings.trust_anchor = STR("/nowhere/at/all");
    assert_null(dns_resolver_new(a->world.loop, &settings, &err));
    assert_true(str_contains(str_from_c(err.text), STR("/nowhere/at/all")));
    f = fopen(a->world.anchor, "w");
    assert_true(f && fputs(nonsense, f) >= 0 && fclose(f) == 0);
    err = (struct err){ 0 };
    assert_null(dns_resolver_new(a->world.loop, &a->world.settings, &err));
    assert_true(err.kind != ERR_NONE && err.text[0]);
}

static void it_says_whom_it_asks(void **state)
{
    struct asking *a = *state;
    struct config_resolver full = { .kind = CONFIG_RESOLVER_FULL };
    struct dns_settings settings = { .resolvers = &full, .n_resolvers = 1, .trust_anchor = a->world.settings.trust_anchor };
    struct err err = { 0 };
    struct dns_resolver *r = dns_resolver_new(a->world.loop, &settings, &err);

    assert_true(str_starts(dns_resolver_servers(a->resolver), STR("127.0.0.1@")));
    assert_non_null(r);
    assert_str_is(dns_resolver_servers(r), STR("root servers"));
    dns_resolver_free(r);
    /* resolv.conf that is not there means the server of this machine. */
    settings = (struct dns_settings){ .trust_anchor = settings.trust_anchor, .resolv_conf = STR("/nowhere") };
    r = dns_resolver_new(a->world.loop, &settings, &err);
    assert_non_null(r);
    assert_str_is(dns_resolver_servers(r), STR("127.0.0.1"));
    dns_resolver_free(r);
    /* The built-in anchors, and the machine's if it has any. */
    settings.trust_anchor = STR_NONE;
    r = dns_resolver_new(a->world.loop, &settings, &err);
    assert_non_null(r);
    dns_resolver_free(r);
}

#define with_a_resolver(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_a_resolver(mx_records_come_with_preference_and_lower_case_names),
        with_a_resolver(addresses_of_both_families),
        with_a_resolver(no_data_is_not_no_name),
        with_a_resolver(failures_of_servers_are_no_answers),
        with_a_resolver(silence_ends),
        with_a_resolver(truncated_answers_are_asked_for_by_tcp),
        with_a_resolver(aliases_are_followed),
        with_a_resolver(aliases_that_go_round_come_to_an_end),
        with_a_resolver(what_is_known_is_not_asked_again),
        with_a_resolver(names_of_private_networks_are_asked_for),
        with_a_resolver(what_is_no_name_does_not_exist),
        with_a_resolver(a_question_may_be_forgotten),
        with_a_resolver(a_zone_may_have_servers_of_its_own),
        with_a_resolver(a_trust_anchor_that_cannot_be_used_is_an_error),
        with_a_resolver(it_says_whom_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
