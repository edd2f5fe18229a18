/* Limits on a simulated clock: what is counted, by whom, and for how long (FACE 1.3, 1.8). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "policy/limits.h"

enum { HOUR = 3600 * 1000 };

static const uint64_t seeds[2] = { 17, 4711 };

struct fixture {
    struct arena *arena;
    struct policy_counters counters;
};

static struct fixture fixture_new(void)
{
    struct fixture f = { .arena = arena_new(64 << 20) };

    f.counters.rates = calloc(1, sizeof(*f.counters.rates));
    f.counters.open = policy_open_new(f.arena, seeds);
    assert_true(f.counters.rates && f.counters.open);
    f.counters.rates->head = policy_rates_head(seeds);
    return f;
}

static void fixture_free(struct fixture *f)
{
    free(f->counters.rates);
    arena_free(f->arena);
}

static struct policy_party party(const char *ip, const char *sender, const struct config_limits *limits)
{
    struct policy_party p = { .sender = str_from_c(sender), .limits = limits };

    if (*ip)
        assert_true(ip_parse(str_from_c(ip), &p.client));
    p.exempt = ip_is_loopback(&p.client);
    return p;
}

static struct config_limit limit(enum config_limit_key key, enum config_limit_measure measure, uint64_t bound, uint64_t msec)
{
    return (struct config_limit){ .key = key, .measure = measure, .bound = bound, .msec = msec };
}

#define ONE_LIMIT(name, l)                                                                                   \
    const struct config_limit name##_limit = (l);                                                            \
    const struct config_limit *const name##_items[] = { &name##_limit };                                     \
    const struct config_limits name = { name##_items, 1 }

/* Take one if it is allowed. */
static bool one(struct fixture *f, const struct policy_party *p, enum config_limit_measure m, int64_t now)
{
    struct policy_excess over;

    if (policy_limits_judge(&f->counters, p, m, 1, now, &over) != POLICY_ALLOWED)
        return false;
    if (m == CONFIG_MEASURE_CONNECTIONS)
        policy_limits_open(&f->counters, p, m);
    else
        policy_limits_take(&f->counters, p, m, 1, now);
    return true;
}

static void disconnect(struct fixture *f, const struct policy_party *p)
{
    struct list woken;

    list_init(&woken);
    policy_limits_close(&f->counters, p, CONFIG_MEASURE_CONNECTIONS, &woken);
    assert_true(list_empty(&woken));
}

static void clients_are_counted_by_address_and_v6_by_64(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR));
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
    fixture_free(&f);
}

static void networks_are_24_and_48(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_NETWORK, CONFIG_MEASURE_SESSIONS, 1, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("192.0.2.254", "", &limits);
    struct policy_party c = party("192.0.3.1", "", &limits);
    struct policy_party d = party("2001:db8:1:2::1", "", &limits), e = party("2001:db8:1:3::1", "", &limits);

    assert_true(one(&f, &a, CONFIG_MEASURE_SESSIONS, 0));
    assert_false(one(&f, &b, CONFIG_MEASURE_SESSIONS, 0));
    assert_true(one(&f, &c, CONFIG_MEASURE_SESSIONS, 0));
    assert_true(one(&f, &d, CONFIG_MEASURE_SESSIONS, 0));
    assert_false(one(&f, &e, CONFIG_MEASURE_SESSIONS, 0));
    fixture_free(&f);
}

static void senders_and_their_domains(void **state)
{
    (void)state;
    const struct config_limit by_sender = limit(CONFIG_LIMIT_SENDER, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    const struct config_limit by_domain =
        limit(CONFIG_LIMIT_SENDER_DOMAIN, CONFIG_MEASURE_MESSAGES, 2, HOUR);
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
    assert_int_equal(policy_limits_judge(&f.counters, &d, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_REFUSED);
    assert_ptr_equal(over.limit, &by_domain);
    assert_int_equal(over.value, 3);
    /* The null reverse-path is everybody's: it is not counted as one sender. */
    for (int i = 0; i < 10; i++)
        assert_true(one(&f, &null, CONFIG_MEASURE_MESSAGES, 0));
    fixture_free(&f);
}

static void connections_are_counted_while_they_are_open(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 2, 0));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits);

    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_false(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 100 * (int64_t)HOUR));
    disconnect(&f, &a);
    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    for (int i = 0; i < 5; i++)
        disconnect(&f, &a);
    assert_true(one(&f, &a, CONFIG_MEASURE_CONNECTIONS, 0));
    fixture_free(&f);
}

static void built_in_limits_do_not_bind_loopback_written_ones_do(void **state)
{
    (void)state;
    struct config_limit built_in = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    built_in.built_in = true;
    ONE_LIMIT(strangers, built_in);
    ONE_LIMIT(everyone, limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR));
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
    fixture_free(&f);
}

static void a_limit_of_none_binds_nobody(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 0, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits);

    for (int i = 0; i < 100; i++)
        assert_true(one(&f, &a, CONFIG_MEASURE_MESSAGES, 0));
    fixture_free(&f);
}

static void a_limit_for_all_counts_everybody(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_ALL, CONFIG_MEASURE_OCTETS, 1000, HOUR));
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("", "", &limits);
    struct policy_excess over;

    policy_limits_take(&f.counters, &a, CONFIG_MEASURE_OCTETS, 600, 0);
    assert_int_equal(policy_limits_judge(&f.counters, &b, CONFIG_MEASURE_OCTETS, 500, 0, &over), POLICY_REFUSED);
    assert_int_equal(over.value, 1100);
    assert_int_equal(policy_limits_judge(&f.counters, &b, CONFIG_MEASURE_OCTETS, 400, 0, &over), POLICY_ALLOWED);
    fixture_free(&f);
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

/* Bounded memory: rates that are hardly used are forgotten, open connections never. */
static void no_crowd_makes_open_connections_forgotten(void **state)
{
    (void)state;
    const struct config_limit rate = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    const struct config_limit open = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 1, 0);
    const struct config_limit *const items[] = { &rate, &open };
    const struct config_limits limits = { items, 2 };
    struct fixture f = fixture_new();
    struct policy_party connected = numbered(0, &limits);

    assert_true(one(&f, &connected, CONFIG_MEASURE_CONNECTIONS, 0));
    for (uint32_t i = 1; i < 3 * POLICY_RATES_BUCKETS * POLICY_RATES_WAYS; i++) {
        struct policy_party p = numbered(i, &limits);
        policy_limits_take(&f.counters, &p, CONFIG_MEASURE_MESSAGES, 1, 0);
    }
    assert_int_equal(policy_open_used(f.counters.open), 1);
    assert_false(one(&f, &connected, CONFIG_MEASURE_CONNECTIONS, 0));
    disconnect(&f, &connected);
    assert_int_equal(policy_open_used(f.counters.open), 0);
    fixture_free(&f);
}

static void more_open_connections_than_counters_are_let_pass(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 1, 0));
    struct fixture f = fixture_new();

    for (uint32_t i = 0; i < POLICY_OPEN_MAX + 100; i++) {
        struct policy_party p = numbered(i, &limits);
        assert_true(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    }
    for (uint32_t i = 0; i < POLICY_OPEN_MAX + 100; i++) {
        struct policy_party p = numbered(i, &limits);
        disconnect(&f, &p);
    }
    struct policy_party p = numbered(POLICY_OPEN_MAX + 50, &limits);
    assert_true(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_false(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    fixture_free(&f);
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
    struct config_limit open = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 3, 0);
    struct config_limit sent = limit(CONFIG_LIMIT_SENDER, CONFIG_MEASURE_MESSAGES, 10, HOUR);
    struct config_limit inner = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_ERRORS, 5, HOUR);
    inner.built_in = true;
    const struct config_limit *const items[] = { &open, &sent, &inner };
    const struct config_limits limits = { items, ARRAY_LEN(items) };
    struct policy_party p = party("192.0.2.1", "a@b.example", &limits), local = party("127.0.0.1", "", &limits);
    struct policy_use uses[4];

    assert_true(one(&f, &p, CONFIG_MEASURE_CONNECTIONS, 0));
    assert_true(one(&f, &p, CONFIG_MEASURE_MESSAGES, 0));
    assert_true(one(&f, &p, CONFIG_MEASURE_MESSAGES, 0));
    for (int i = 0; i < 100; i++)
        assert_int_equal(policy_limits_uses(&f.counters, &p, 1, uses, ARRAY_LEN(uses)), 3);
    assert_ptr_equal(uses[0].limit, &open);
    assert_int_equal(uses[0].value, 1);
    assert_int_equal(uses[1].value, 2);
    assert_int_equal(uses[2].value, 0);
    assert_int_equal(policy_open_used(f.counters.open), 1);
    /* Those that do not bind are not among them, and no more than there is room for. */
    assert_int_equal(policy_limits_uses(&f.counters, &local, 1, uses, ARRAY_LEN(uses)), 1);
    assert_ptr_equal(uses[0].limit, &open);
    assert_int_equal(policy_limits_uses(&f.counters, &p, 1, uses, 2), 2);
    assert_int_equal(policy_limits_uses(&f.counters, &p, HOUR, uses, 2), 2);
    assert_int_equal(uses[1].value, 0);
    fixture_free(&f);
}

/* Over all sessions and clients, in whatever case it was written; nobody in particular is no account. */
static void accounts_are_counted_wherever_they_log_in_from(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_RECIPIENTS, 2, HOUR));
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
    fixture_free(&f);
}

static void what_is_too_much_is_held_unless_another_limit_refuses_it(void **state)
{
    (void)state;
    struct config_limit holds = limit(CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    struct config_limit holds_too = limit(CONFIG_LIMIT_SENDER, CONFIG_MEASURE_MESSAGES, 1, HOUR);
    struct config_limit refuses = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES, 3, HOUR);
    holds.action = holds_too.action = CONFIG_LIMIT_HOLD;
    const struct config_limit *const items[] = { &holds, &holds_too, &refuses };
    const struct config_limits limits = { items, ARRAY_LEN(items) };
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "anna@example.org", &limits);
    struct policy_excess over;

    a.account = STR("anna@example.org");
    assert_int_equal(policy_limits_judge(&f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_ALLOWED);
    policy_limits_take(&f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(policy_limits_judge(&f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_HELD);
        assert_ptr_equal(over.limit, &holds);
        assert_int_equal(over.value, 2);
        policy_limits_take(&f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0);
    }
    assert_int_equal(policy_limits_judge(&f.counters, &a, CONFIG_MEASURE_MESSAGES, 1, 0, &over), POLICY_REFUSED);
    assert_ptr_equal(over.limit, &refuses);
    fixture_free(&f);
}

/* Who is known to an account is not shut out by what others guess of it; its own guesses elsewhere count. */
static void guesses_of_others_do_not_shut_out_who_is_known(void **state)
{
    (void)state;
    const struct config_limit by_account =
        limit(CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_AUTH_FAILURES, 2, HOUR);
    const struct config_limit by_client = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_AUTH_FAILURES, 5, HOUR);
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
    fixture_free(&f);
}

/* Another configuration, or another process of this one: what is the same limit goes on counting. */
static void a_limit_is_known_again_by_what_it_is(void **state)
{
    (void)state;
    struct config_limit was = limit(CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_MESSAGES, 4, HOUR);
    was.block = STR("listen 127.0.0.1:587");
    const struct config_limit *was_item = &was;
    const struct config_limits before = { &was_item, 1 };
    struct config_limit is = was;
    const struct config_limit *item = &is;
    const struct config_limits after = { &item, 1 };
    struct fixture f = fixture_new();
    struct policy_counters next = { .rates = f.counters.rates, .open = policy_open_new(f.arena, seeds) };
    struct policy_party a = party("192.0.2.1", "", &before);
    struct policy_use use;

    a.account = STR("anna@example.org");
    policy_limits_take(&f.counters, &a, CONFIG_MEASURE_MESSAGES, 4, 0);
    a.limits = &after;
    is.index = 7;
    is.place = (struct config_place){ .line = 99 };
    assert_int_equal(policy_limits_uses(&next, &a, 0, &use, 1), 1);
    assert_int_equal(use.value, 4);
    is.bound = 40;
    assert_int_equal(policy_limits_uses(&next, &a, 0, &use, 1), 1);
    assert_int_equal(use.value, 40);
    /* Another period, block, measure or key is another limit. */
    struct config_limit others[4] = { was, was, was, was };
    others[0].msec = 2 * HOUR;
    others[1].block = STR("listen 127.0.0.1:465");
    others[2].measure = CONFIG_MEASURE_RECIPIENTS;
    others[3].key = CONFIG_LIMIT_CLIENT;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        item = &others[i];
        assert_int_equal(policy_limits_uses(&next, &a, 0, &use, 1), 1);
        assert_int_equal(use.value, 0);
    }
    fixture_free(&f);
}

/* ---- guesses under way ---- */

static enum policy_verdict guess(struct fixture *f, const struct policy_party *p, struct policy_excess *over)
{
    return policy_limits_judge(&f->counters, p, CONFIG_MEASURE_AUTH_FAILURES, 1, 0, over);
}

/* How many of LIST are there; it is empty then. */
static size_t drained(struct list *list)
{
    size_t n = 0;

    while (list_take(list))
        n++;
    return n;
}

static void guesses_under_way_make_others_wait_and_failures_refuse(void **state)
{
    (void)state;
    ONE_LIMIT(limits, limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_AUTH_FAILURES, 3, HOUR));
    struct fixture f = fixture_new();
    struct policy_party p = party("192.0.2.1", "", &limits), other = party("192.0.2.2", "", &limits);
    struct policy_excess over;
    struct list woken, waits[2];

    list_init(&woken);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(guess(&f, &p, &over), POLICY_ALLOWED);
        policy_limits_open(&f.counters, &p, CONFIG_MEASURE_AUTH_FAILURES);
    }
    for (int i = 0; i < 2; i++) {
        list_init(&waits[i]);
        assert_int_equal(guess(&f, &p, &over), POLICY_WAITS);
        policy_limits_wait(&f.counters, &p, &over, &waits[i]);
    }
    assert_int_equal(guess(&f, &other, &over), POLICY_ALLOWED);
    /* One was right: all that waited are judged again, and one of them fits. */
    policy_limits_close(&f.counters, &p, CONFIG_MEASURE_AUTH_FAILURES, &woken);
    assert_ptr_equal(woken.next, &waits[0]);
    assert_int_equal(drained(&woken), 2);
    assert_int_equal(guess(&f, &p, &over), POLICY_ALLOWED);
    policy_limits_open(&f.counters, &p, CONFIG_MEASURE_AUTH_FAILURES);
    assert_int_equal(guess(&f, &p, &over), POLICY_WAITS);
    policy_limits_wait(&f.counters, &p, &over, &waits[1]);
    /* All are wrong: who waited is refused as soon as nobody's success could let it in. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(guess(&f, &p, &over), POLICY_WAITS);
        policy_limits_close(&f.counters, &p, CONFIG_MEASURE_AUTH_FAILURES, &woken);
        policy_limits_take(&f.counters, &p, CONFIG_MEASURE_AUTH_FAILURES, 1, 0);
        assert_int_equal(drained(&woken), i == 0);
    }
    assert_int_equal(guess(&f, &p, &over), POLICY_REFUSED);
    assert_int_equal(over.value, 4);
    assert_int_equal(policy_open_used(f.counters.open), 0);
    fixture_free(&f);
}

/* Of several limits the strongest word holds: one that failures alone have reached refuses, whoever else would wait. */
static void a_guess_waits_only_where_waiting_can_help(void **state)
{
    (void)state;
    const struct config_limit by_client = limit(CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_AUTH_FAILURES, 1, HOUR);
    const struct config_limit by_account = limit(CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_AUTH_FAILURES, 1, HOUR);
    const struct config_limit *const items[] = { &by_client, &by_account };
    const struct config_limits limits = { items, 2 };
    struct fixture f = fixture_new();
    struct policy_party a = party("192.0.2.1", "", &limits), b = party("192.0.2.1", "", &limits);
    struct policy_party far = party("198.51.100.1", "", &limits);
    struct policy_excess over;

    a.account = STR("anna@example.org");
    b.account = far.account = STR("ben@example.org");
    policy_limits_open(&f.counters, &a, CONFIG_MEASURE_AUTH_FAILURES);
    assert_int_equal(guess(&f, &b, &over), POLICY_WAITS);
    assert_ptr_equal(over.limit, &by_client);
    policy_limits_take(&f.counters, &far, CONFIG_MEASURE_AUTH_FAILURES, 1, 0);
    assert_int_equal(guess(&f, &b, &over), POLICY_REFUSED);
    assert_ptr_equal(over.limit, &by_account);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_counted_by_address_and_v6_by_64),
        cmocka_unit_test(networks_are_24_and_48),
        cmocka_unit_test(senders_and_their_domains),
        cmocka_unit_test(accounts_are_counted_wherever_they_log_in_from),
        cmocka_unit_test(what_is_too_much_is_held_unless_another_limit_refuses_it),
        cmocka_unit_test(guesses_of_others_do_not_shut_out_who_is_known),
        cmocka_unit_test(a_limit_is_known_again_by_what_it_is),
        cmocka_unit_test(guesses_under_way_make_others_wait_and_failures_refuse),
        cmocka_unit_test(a_guess_waits_only_where_waiting_can_help),
        cmocka_unit_test(connections_are_counted_while_they_are_open),
        cmocka_unit_test(built_in_limits_do_not_bind_loopback_written_ones_do),
        cmocka_unit_test(a_limit_of_none_binds_nobody),
        cmocka_unit_test(a_limit_for_all_counts_everybody),
        cmocka_unit_test(no_crowd_makes_open_connections_forgotten),
        cmocka_unit_test(more_open_connections_than_counters_are_let_pass),
        cmocka_unit_test(a_party_is_read_from_octets),
        cmocka_unit_test(what_is_used_can_be_seen_without_using_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
