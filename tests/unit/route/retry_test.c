/* The schedule (C156, RFC 5321 4.5.4.1): waits in their order, the last for ever, none exactly like another. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "route/retry.h"

enum { SEEDS = 2000, MINUTE = 60 * 1000 };

static const uint64_t waits[] = { 1 * MINUTE, 5 * MINUTE, 15 * MINUTE };

static void each_wait_is_varied_by_a_tenth_at_most(void **state)
{
    (void)state;
    for (uint32_t attempts = 1; attempts <= 3; attempts++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            uint64_t wait = (uint64_t)route_retry_wait(waits, 3, attempts, seed);
            assert_true(wait >= waits[attempts - 1] / 10 * 9);
            assert_true(wait <= waits[attempts - 1] / 10 * 11);
        }
}

static void the_last_wait_repeats(void **state)
{
    static const uint32_t late[] = { 3, 4, 5, 100, UINT32_MAX };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(late); i++) {
        int64_t wait = route_retry_wait(waits, 3, late[i], 7);
        assert_true(wait >= 15 * MINUTE / 10 * 9 && wait <= 15 * MINUTE / 10 * 11);
    }
}

static void the_same_question_has_the_same_answer(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        assert_int_equal(route_retry_wait(waits, 3, 2, seed), route_retry_wait(waits, 3, 2, seed));
}

/* Messages that failed together must not all come back in the same second: neighbours of a seed part too. */
static void messages_spread_over_the_whole_span(void **state)
{
    size_t in[4] = { 0 };
    uint64_t from = waits[2] / 10 * 9, span = waits[2] / 10 * 2;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t wait = (uint64_t)route_retry_wait(waits, 3, 3, seed);
        in[(wait - from) * 4 / (span + 1)]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        assert_true(in[i] > SEEDS / 8 && in[i] < SEEDS / 2);
}

static void attempts_of_one_message_spread_too(void **state)
{
    int64_t first = route_retry_wait(waits, 3, 3, 1);
    size_t others = 0;

    (void)state;
    for (uint32_t attempts = 4; attempts < 12; attempts++)
        others += route_retry_wait(waits, 3, attempts, 1) != first;
    assert_true(others > 4);
}

static void there_is_always_a_wait(void **state)
{
    static const uint64_t short_waits[] = { 0, 1, 9 };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (uint32_t attempts = 1; attempts < 5; attempts++)
            assert_true(route_retry_wait(short_waits, 3, attempts, seed) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wait_is_varied_by_a_tenth_at_most),
        cmocka_unit_test(the_last_wait_repeats),
        cmocka_unit_test(the_same_question_has_the_same_answer),
        cmocka_unit_test(messages_spread_over_the_whole_span),
        cmocka_unit_test(attempts_of_one_message_spread_too),
        cmocka_unit_test(there_is_always_a_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
