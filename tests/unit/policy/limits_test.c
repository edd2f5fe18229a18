/* Limits on a simulated clock: what is counted, by whom, and for how long (FACE 1.3, 1.8). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "policy/limits.h"
#include "policy/rate.h"

enum { HOUR = 3600 * 1000 };

static const uint64_t seeds[2] = { 17, 4711 };

struct fixture {
    struct arena *arena;
    struct policy_counters *counters;
};

static struct fixture fixture_new(void)
{
    struct fixture f = { .arena = arena_new(64 << 20) };

    f.counters = policy_counters_new(f.arena, seeds);
    assert_non_null(f.counters);
    return f;
}

static struct policy_party party(const char *ip, const char *sender, const struct config_limits *limits)
{
    struct policy_party p = { .sender = str_from_c(sender), .limits = limits };

    if (*ip)
        assert_true(ip_parse(str_from_c(ip), &p.client));
    p.exempt = ip_is_loopback(&p.client);
    return p;
}

static struct config_limit limit(size_t index, enum config_limit_key key, enum config_limit_measure measure,
                                 uint64_t bound, uint64_t msec)
{
    return (
        struct config_limit){ .index = index, .key = key, .measure = measure, .bound = bound, .msec = msec };
}

#define ONE_LIMIT(name, l)                                                                                   \
    const struct config_limit name##_limit = (l);                                                            \
    const struct config_limit *const name##_items[] = { &name##_limit };                                     \
    const struct config_limits name = { name##_items, 1 }

/* Take one if it is allowed. */
static bool one(struct fixture *f, const struct policy_party *p, enum config_limit_measure m, int64_t now)
{
    struct policy_excess over;

    if (policy_limits_judge(f->counters, p, m, 1, now, &over) != POLICY_ALLOWED)
        return false;
    policy_limits_take(f->counters, p, m, 1, now);
    return true;
}

static void a_bucket_is_as_deep_as_its_number(void **state)
{
    (void)state;
    struct policy_rate rate = policy_rate_make(50, HOUR);
    struct policy_bucket b = { 0 };
    uint64_t value;

    for (uint64_t i = 0; i < 50; i++) {
        assert_true(policy_bucket_allows(&b, &rate, 1, &value));
        assert_int_equal(value, i + 1);
        policy_bucket_take(&b, &rate, 1);
    }
    assert_false(policy_bucket_allows(&b, &rate, 1, &value));
    assert_int_equal(value, 51);
    /* One token comes back in 72 seconds, not a millisecond before. */
    policy_bucket_fill(&b, &rate, 71999);
    assert_false(policy_bucket_allows(&b, &rate, 1, &value));
    policy_bucket_fill(&b, &rate, 72000);
    assert_true(policy_bucket_allows(&b, &rate, 1, &value));
    assert_false(policy_bucket_allows(&b, &rate, 2, &value));
    policy_bucket_fill(&b, &rate, 100 * (int64_t)HOUR);
    assert_int_equal(b.missing, 0);
}

static void filling_often_gives_no_more_than_filling_once(void **state)
{
    (void)state;
    struct policy_rate rate = policy_rate_make(3, 10 * 1000);
    struct policy_bucket often = { 0 }, once = { 0 };

    policy_bucket_take(&often, &rate, 3);
    policy_bucket_take(&once, &rate, 3);
    for (int64_t now = 1; now <= 9999; now++)
        policy_bucket_fill(&often, &rate, now);
    policy_bucket_fill(&once, &rate, 9999);
    assert_int_equal(often.missing, once.missing);
    assert_true(once.missing > 0);
}

static void a_clock_that_goes_back_gives_nothing(void **state)
{
    (void)state;
    struct policy_rate rate = policy_rate_make(1, 1000);
    struct policy_bucket b = { .msec = 5000 };
    uint64_t value;

    policy_bucket_take(&b, &rate, 1);
    policy_bucket_fill(&b, &rate, 0);
    assert_false(policy_bucket_allows(&b, &rate, 1, &value));
    policy_bucket_fill(&b, &rate, 5999);
    assert_false(policy_bucket_allows(&b, &rate, 1, &value));
}

/* To the millisecond, also after years, and for rates that come to no whole number of them. */
static void a_wait_is_never_too_short_nor_too_long(void **state)
{
    (void)state;
    static const uint64_t rates[][2] = { { 3, 10000 }, { 100, HOUR }, { 7, 1000 }, { 1, 1 }, { 3, 1 }, { 1, 86400000 } };
    uint64_t value;

    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct policy_rate rate = policy_rate_make(rates[i][0], rates[i][1]);
        struct policy_bucket b = { .msec = 1 };
        int64_t now = 1, begin, taken = 0;
        for (unsigned n = 0; n < 2000; n++, taken++) {
            int64_t wait = policy_bucket_wait(&b, &rate, 1);
            if (wait) {
                policy_bucket_fill(&b, &rate, now + wait - 1);
                assert_false(policy_bucket_allows(&b, &rate, 1, &value));
            }
            now += wait;
            policy_bucket_fill(&b, &rate, now);
            assert_int_equal(policy_bucket_wait(&b, &rate, 1), 0);
            policy_bucket_take(&b, &rate, 1);
            /* A clock that stands still gives nothing. */
            policy_bucket_fill(&b, &rate, now);
        }
        /* The first of a full bucket are free; from then on it is the rate, exactly. */
        begin = (int64_t)((uint64_t)(taken - (int64_t)rates[i][0]) * rates[i][1] / rates[i][0]);
        assert_in_range(now - 1, begin, begin + 1);
    }
}

static void who_wants_more_than_a_bucket_holds_waits_for_ever(void **state)
{
    (void)state;
    struct policy_rate rate = policy_rate_make(5, 1000);
    struct policy_bucket b = { 0 };

    assert_int_equal(policy_bucket_wait(&b, &rate, 5), 0);
    assert_int_equal(policy_bucket_wait(&b, &rate, 6), INT64_MAX);
    assert_int_equal(policy_bucket_wait(&b, &rate, UINT64_MAX), INT64_MAX);
}

static void numbers_at_the_edge(void **state)
{
    (void)state;
    struct policy_rate rate = policy_rate_make(1ULL << 50, 365ULL * 24 * HOUR);
    struct policy_bucket b = { 0 };
    uint64_t value;

    assert_true(policy_bucket_allows(&b, &rate, 1ULL << 49, &value));
    assert_false(policy_bucket_allows(&b, &rate, UINT64_MAX, &value));
    policy_bucket_take(&b, &rate, UINT64_MAX);
    assert_int_equal(b.missing, rate.depth);
    assert_false(policy_bucket_allows(&b, &rate, UINT64_MAX, &value));
    policy_bucket_fill(&b, &rate, INT64_MAX);
    assert_int_equal(b.missing, 0);
}

static void clients_are_counted_by_address_and_v6_by_64(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("192.0.2.2", "", &limits);
    struct policy_party c = party("2001:db8::1", "", &limits), d = party("2001:db8::ffff:2", "", &limits);
    struct policy_party e = party("2001:db8:0:1::1", "", &limits);

    assert_true(one(&f, &a, CONFIG_MEASURE_MESSAGES, 0));
    assert_false(one(&f, &a, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &b, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &c, CONFIG_MEASURE_MESSAGES, 0));
    assert_false(one(&f, &d, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &e, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &a, CONFIG_MEASURE_SESSIONS, 0));
    arena_free(f.arena);
}

static void networks_are_24_and_48(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_NETWORK, CONFIG_MEASURE_SESSIONS, 1, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("192.0.2.254", "", &limits);
    struct policy_party c = party("192.0.3.1", "", &limits);
    struct policy_party d = party("2001:db8:1:2::1", "", &limits), e = party("2001:db8:1:3::1", "", &limits);

    assert_true(one(&f, &a, CONFIG_MEASURE_SESSIONS, 0));
    assert_false(one(&f, &b, CONFIG_MEASURE_SESSIONS, 0));
    assert_true(one(&f, &c, CONFIG_MEASURE_SESSIONS, 0));
    assert_true(one(&f, &d, CONFIG_MEASURE_SESSIONS, 0));
    assert_false(one(&f, &e, CONFIG_MEASURE_SESSIONS, 0));
    arena_free(f.arena);
}

static void senders_and_their_domains(void **state)
{
    (void)state;
    const struct config_limit by_sender = limit(0, CONFIG_LIMIT_SENDER, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    const struct config_limit by_domain =
        limit(1, CONFIG_LIMIT_SENDER_DOMAIN, CONFIG_MEASURE_MESSAGES, 2, HOUR);
    const struct config_limit *const items[] = { &by_sender, &by_domain };
    const struct config_limits limits = { items, 2 };
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "Anna@example.org", &limits);
    struct policy_party b = party("192.0.2.2", "anna@example.org", &limits);
    struct policy_party c = party("192.0.2.2", "ben@example.org", &limits);
    struct policy_party d = party("192.0.2.2", "carol@example.org", &limits);
    struct policy_party null = party("192.0.2.2", "", &limits);
    struct policy_excess over;

    assert_true(one(&f, &a, CONFIG_MEASURE_MESSAGES, 0));
    assert_false(one(&f, &b, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &c, CONFIG_MEASURE_MESSAGES, 0));
    assert_int_equal(policy_limits_judge(f.counters, &d, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_REFUSED);
    assert_ptr_equal(over.limit, &by_domain);
    assert_int_equal(over.value, 3);
    /* The null reverse-path is everybody's: it is not counted as one sender. */
    for (int i = 0; i < 10; i++)
        assert_true(one(&f, &null, CONFIG_MEASURE_MESSAGES, 0));
    arena_free(f.arena);
}

static void connections_are_counted_while_they_are_open(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 2, 0));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits);

    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_false(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 100 * (int64_t)HOUR));
    policy_limits_release(f.counters, &a, 0);
    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    for (int i = 0; i < 5; i++)
        policy_limits_release(f.counters, &a, 0);
    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    arena_free(f.arena);
}

static void built_in_limits_do_not_bind_loopback_written_ones_do(void **state)
{
    (void)state;
    struct config_limit built_in = limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    built_in.built_in = true;
    ONE_LIMIT(strangers, built_in);
    ONE_LIMIT(everyone, limit(1, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR));
    struct fixture f = fixture_new();
    struct policy_party local = party("127.0.0.1", "", &strangers), far = party("192.0.2.1", "", &strangers);
    struct policy_party bound = party("127.0.0.1", "", &everyone), nobody = party("", "", &everyone);

    for (int i = 0; i < 5; i++) {
        assert_true(one(&f, &local, CONFIG_MEASURE_MESSAGES, 0));
        assert_true(one(&f, &nobody, CONFIG_MEASURE_MESSAGES, 0));
    }
    assert_true(one(&f, &far, CONFIG_MEASURE_MESSAGES, 0));
    assert_false(one(&f, &far, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &bound, CONFIG_MEASURE_MESSAGES, 0));
    assert_false(one(&f, &bound, CONFIG_MEASURE_MESSAGES, 0));
    arena_free(f.arena);
}

static void a_limit_of_none_binds_nobody(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 0, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits);

    for (int i = 0; i < 100; i++)
        assert_true(one(&f, &a, CONFIG_MEASURE_MESSAGES, 0));
    arena_free(f.arena);
}

static void a_limit_for_all_counts_everybody(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_ALL, CONFIG_MEASURE_OCTETS, 1000, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("", "", &limits);
    struct policy_excess over;

    policy_limits_take(f.counters, &a, CONFIG_MEASURE_OCTETS, 600, 0);
    assert_int_equal(policy_limits_judge(f.counters, &b, CONFIG_MEASURE_OCTETS, 500, 0, &over), POLICY_REFUSED);
    assert_int_equal(over.value, 1100);
    assert_int_equal(policy_limits_judge(f.counters, &b, CONFIG_MEASURE_OCTETS, 400, 0, &over), POLICY_ALLOWED);
    arena_free(f.arena);
}

static struct policy_party numbered(uint32_t i, const struct config_limits *limits)
{
    struct policy_party p = { .limits = limits, .client = { .family = IP_V4 } };

    p.client.octets[0] = 10;
    p.client.octets[1] = (unsigned char)(i >> 16);
    p.client.octets[2] = (unsigned char)(i >> 8);
    p.client.octets[3] = (unsigned char)i;
    return p;
}

/* Bounded memory: those touched longest ago are forgotten, open connections never. */
static void counters_are_bounded(void **state)
{
    (void)state;
    const struct config_limit rate = limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    const struct config_limit open = limit(1, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 1, 0);
    const struct config_limit *const items[] = { &rate, &open };
    const struct config_limits limits = { items, 2 };
    struct fixture f = fixture_new();
    struct policy_party connected = numbered(0, &limits);

    assert_true(one(&f, &connected, CONFIG_MEASURE_CONNECTIONS, 0));
    for (uint32_t i = 1; i < 3 * POLICY_COUNTERS_MAX; i++) {
        struct policy_party p = numbered(i, &limits);
        assert_true(one(&f, &p, CONFIG_MEASURE_MESSAGES, 0));
    }
    assert_int_equal(policy_counters_used(f.counters), POLICY_COUNTERS_MAX);
    assert_false(one(&f, &connected, CONFIG_MEASURE_CONNECTIONS, 0));
    struct policy_party last = numbered(3 * POLICY_COUNTERS_MAX - 1, &limits), first = numbered(1, &limits);
    assert_false(one(&f, &last, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &first, CONFIG_MEASURE_MESSAGES, 0));
    arena_free(f.arena);
}

static void more_open_connections_than_counters_are_let_pass(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 1, 0));
    struct fixture f = fixture_new();

    for (uint32_t i = 0; i < POLICY_COUNTERS_MAX + 100; i++) {
        struct policy_party p = numbered(i, &limits);
        assert_true(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    }
    for (uint32_t i = 0; i < POLICY_COUNTERS_MAX + 100; i++) {
        struct policy_party p = numbered(i, &limits);
        policy_limits_release(f.counters, &p, 0);
    }
    struct policy_party p = numbered(POLICY_COUNTERS_MAX + 50, &limits);
    assert_true(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_false(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    arena_free(f.arena);
}

static void a_party_is_read_from_octets(void **state)
{
    (void)state;
    const struct config_limits none = { 0 };
    const char mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff, 127, 0, 0, 1 };
    struct policy_party p = policy_party_of(str_of(mapped, 16), STR_NONE, &none);

    assert_int_equal(p.client.family, IP_V4);
    assert_true(p.exempt);
    p = policy_party_of(STR_NONE, STR_NONE, &none);
    assert_int_equal(p.client.family, IP_NONE);
    assert_true(p.exempt);
    p = policy_party_of(str_of("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16), STR_NONE, &none);
    assert_int_equal(p.client.family, IP_V6);
    assert_false(p.exempt);
}

static void what_is_used_can_be_seen_without_using_any(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    struct config_limit open = limit(0, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 3, 0);
    struct config_limit sent = limit(1, CONFIG_LIMIT_SENDER, CONFIG_MEASURE_MESSAGES, 10, HOUR);
    struct config_limit inner = limit(2, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_ERRORS, 5, HOUR);
    inner.built_in = true;
    const struct config_limit *const items[] = { &open, &sent, &inner };
    const struct config_limits limits = { items, ARRAY_LEN(items) };
    struct policy_party p = party("192.0.2.1", "a@b.example", &limits), local = party("127.0.0.1", "", &limits);
    struct policy_use uses[4];

    assert_true(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_true(one(&f, &p, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &p, CONFIG_MEASURE_MESSAGES, 0));
    size_t used = policy_counters_used(f.counters);
    for (int i = 0; i < 100; i++)
        assert_int_equal(policy_limits_uses(f.counters, &p, 1, uses, ARRAY_LEN(uses)), 3);
    assert_ptr_equal(uses[0].limit, &open);
    assert_int_equal(uses[0].value, 1);
    assert_int_equal(uses[1].value, 2);
    assert_int_equal(uses[2].value, 0);
    assert_int_equal(policy_counters_used(f.counters), used);
    /* Those that do not bind are not among them, and no more than there is room for. */
    assert_int_equal(policy_limits_uses(f.counters, &local, 1, uses, ARRAY_LEN(uses)), 1);
    assert_ptr_equal(uses[0].limit, &open);
    assert_int_equal(policy_limits_uses(f.counters, &p, 1, uses, 2), 2);
    assert_int_equal(policy_limits_uses(f.counters, &p, HOUR, uses, 2), 2);
    assert_int_equal(uses[1].value, 0);
    arena_free(f.arena);
}

/* Over all sessions and clients, in whatever case it was written; nobody in particular is no account. */
static void accounts_are_counted_wherever_they_log_in_from(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(0, CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_RECIPIENTS, 2, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("2001:db8::1", "x@example.net", &limits);
    struct policy_party nobody = a;

    a.account = STR("anna@example.org");
    b.account = STR("Anna@Example.org");
    assert_true(one(&f, &a, CONFIG_MEASURE_RECIPIENTS, 0));
    assert_true(one(&f, &b, CONFIG_MEASURE_RECIPIENTS, 0));
    assert_false(one(&f, &a, CONFIG_MEASURE_RECIPIENTS, 0));
    assert_false(one(&f, &b, CONFIG_MEASURE_RECIPIENTS, 0));
    a.account = STR("ben@example.org");
    assert_true(one(&f, &a, CONFIG_MEASURE_RECIPIENTS, 0));
    for (int i = 0; i < 5; i++)
        assert_true(one(&f, &nobody, CONFIG_MEASURE_RECIPIENTS, 0));
    arena_free(f.arena);
}

static void what_is_too_much_is_held_unless_another_limit_refuses_it(void **state)
{
    (void)state;
    struct config_limit holds = limit(0, CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    struct config_limit holds_too = limit(1, CONFIG_LIMIT_SENDER, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    struct config_limit refuses = limit(2, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 3, HOUR);
    holds.action = holds_too.action = CONFIG_LIMIT_HOLD;
    const struct config_limit *const items[] = { &holds, &holds_too, &refuses };
    const struct config_limits limits = { items, ARRAY_LEN(items) };
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "anna@example.org", &limits);
    struct policy_excess over;

    a.account = STR("anna@example.org");
    assert_int_equal(policy_limits_judge(f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_ALLOWED);
    policy_limits_take(f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(policy_limits_judge(f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_HELD);
        assert_ptr_equal(over.limit, &holds);
        assert_int_equal(over.value, 2);
        policy_limits_take(f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0);
    }
    assert_int_equal(policy_limits_judge(f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_REFUSED);
    assert_ptr_equal(over.limit, &refuses);
    arena_free(f.arena);
}

/* Who is known to an account is not shut out by what others guess of it; its own guesses elsewhere count. */
static void guesses_of_others_do_not_shut_out_who_is_known(void **state)
{
    (void)state;
    const struct config_limit by_account =
        limit(0, CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_AUTH_FAILURES, 2, HOUR);
    const struct config_limit by_client = limit(1, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_AUTH_FAILURES, 5, HOUR);
    const struct config_limit *const items[] = { &by_account, &by_client };
    const struct config_limits limits = { items, 2 };
    struct fixture f = fixture_new();
    struct policy_party thief = party("192.0.2.66", "", &limits), owner = party("192.0.2.1", "", &limits);

    thief.account = owner.account = STR("anna@example.org");
    owner.known = true;
    assert_true(one(&f, &thief, CONFIG_MEASURE_AUTH_FAILURES, 0));
    assert_true(one(&f, &thief, CONFIG_MEASURE_AUTH_FAILURES, 0));
    assert_false(one(&f, &thief, CONFIG_MEASURE_AUTH_FAILURES, 0));
    for (int i = 0; i < 5; i++)
        assert_true(one(&f, &owner, CONFIG_MEASURE_AUTH_FAILURES, 0));
    assert_false(one(&f, &owner, CONFIG_MEASURE_AUTH_FAILURES, 0));
    arena_free(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_as_deep_as_its_number),
        cmocka_unit_test(filling_often_gives_no_more_than_filling_once),
        cmocka_unit_test(a_clock_that_goes_back_gives_nothing),
        cmocka_unit_test(a_wait_is_never_too_short_nor_too_long),
        cmocka_unit_test(who_wants_more_than_a_bucket_holds_waits_for_ever),
        cmocka_unit_test(numbers_at_the_edge),
        cmocka_unit_test(clients_are_counted_by_address_and_v6_by_64),
        cmocka_unit_test(networks_are_24_and_48),
        cmocka_unit_test(senders_and_their_domains),
        cmocka_unit_test(accounts_are_counted_wherever_they_log_in_from),
        cmocka_unit_test(what_is_too_much_is_held_unless_another_limit_refuses_it),
        cmocka_unit_test(guesses_of_others_do_not_shut_out_who_is_known),
        cmocka_unit_test(connections_are_counted_while_they_are_open),
        cmocka_unit_test(built_in_limits_do_not_bind_loopback_written_ones_do),
        cmocka_unit_test(a_limit_of_none_binds_nobody),
        cmocka_unit_test(a_limit_for_all_counts_everybody),
        cmocka_unit_test(counters_are_bounded),
        cmocka_unit_test(more_open_connections_than_counters_are_let_pass),
        cmocka_unit_test(a_party_is_read_from_octets),
        cmocka_unit_test(what_is_used_can_be_seen_without_using_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
