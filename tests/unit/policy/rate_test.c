/* A bucket of tokens on a simulated clock: how often, and how long to wait (FACE 1.3). */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "policy/rate.h"

enum { HOUR = 3600 * 1000 };

static bool has(const struct policy_bucket *b, const struct policy_rate *rate, uint64_t n)
{
    return policy_bucket_wait(b, rate, n) == 0;
}

static void a_bucket_is_as_deep_as_its_number(void **state)
{
    (void)state;
    struct policy_rate rate = policy_rate_make(50, HOUR);
    struct policy_bucket b = { 0 };

    for (uint64_t i = 0; i < 50; i++) {
        assert_true(has(&b, &rate, 1));
        policy_bucket_take(&b, &rate, 1);
    }
    assert_false(has(&b, &rate, 1));
    /* One token comes back in 72 seconds, not a millisecond before. */
    policy_bucket_fill(&b, &rate, 71999);
    assert_false(has(&b, &rate, 1));
    policy_bucket_fill(&b, &rate, 72000);
    assert_true(has(&b, &rate, 1));
    assert_false(has(&b, &rate, 2));
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

    policy_bucket_take(&b, &rate, 1);
    policy_bucket_fill(&b, &rate, 0);
    assert_false(has(&b, &rate, 1));
    policy_bucket_fill(&b, &rate, 5999);
    assert_false(has(&b, &rate, 1));
}

/* To the millisecond, also after years, and for rates that come to no whole number of them. */
static void a_wait_is_never_too_short_nor_too_long(void **state)
{
    (void)state;
    static const uint64_t rates[][2] = { { 3, 10000 }, { 100, HOUR }, { 7, 1000 }, { 1, 1 }, { 3, 1 }, { 1, 86400000 } };

    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct policy_rate rate = policy_rate_make(rates[i][0], rates[i][1]);
        struct policy_bucket b = { .msec = 1 };
        int64_t now = 1, begin, taken = 0;
        for (unsigned n = 0; n < 2000; n++, taken++) {
            int64_t wait = policy_bucket_wait(&b, &rate, 1);
            if (wait) {
                policy_bucket_fill(&b, &rate, now + wait - 1);
                assert_false(has(&b, &rate, 1));
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

    assert_true(has(&b, &rate, 1ULL << 49));
    assert_false(has(&b, &rate, UINT64_MAX));
    policy_bucket_take(&b, &rate, UINT64_MAX);
    assert_int_equal(b.missing, rate.depth);
    assert_false(has(&b, &rate, UINT64_MAX));
    policy_bucket_fill(&b, &rate, INT64_MAX);
    assert_int_equal(b.missing, 0);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
