/* The lowest of many ids, in order, whatever order they come in. */
#include "tests/unit/unit.h"

#include "queue/candidates.h"

enum { KEPT = 10 };

/* As pages take them: all of COUNT ids, in an order that STEP makes (prime to COUNT), a part of them at a time. */
static void all_come_in_order(size_t count, size_t step)
{
    uint64_t last = 0, id;
    size_t seen = 0;
    bool over = false;

    while (!over) {
        struct candidates c;
        assert_true(candidates_init(&c, KEPT));
        for (size_t i = 0; i < count; i++)
            if (i * step % count + 1 > last)
                candidates_add(&c, i * step % count + 1);
        candidates_close(&c);
        assert_in_range(c.n, 0, KEPT);
        while (candidates_next(&c, &id)) {
            assert_int_equal(id, last + 1);
            last = id;
            seen++;
        }
        over = candidates_over(&c);
        candidates_done(&c);
    }
    assert_int_equal(seen, count);
}

static void each_comes_once_and_in_order(void **state)
{
    static const size_t counts[] = { 0, 1, KEPT - 1, KEPT, KEPT + 1, 2 * KEPT, 2 * KEPT + 1, 1009 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        all_come_in_order(counts[i], 1);
        if (counts[i]) /* the highest first */
            all_come_in_order(counts[i], counts[i] - 1 ? counts[i] - 1 : 1);
    }
    all_come_in_order(1009, 619);
}

static void it_is_over_only_when_none_is_left_and_none_was_left_out(void **state)
{
    struct candidates c;
    uint64_t id;

    (void)state;
    assert_true(candidates_init(&c, 2));
    for (uint64_t i = 1; i <= 3; i++)
        candidates_add(&c, i);
    candidates_close(&c);
    assert_false(candidates_over(&c));
    assert_true(candidates_next(&c, &id));
    assert_true(candidates_next(&c, &id));
    assert_int_equal(id, 2);
    assert_false(candidates_next(&c, &id));
    assert_false(candidates_over(&c));
    candidates_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_once_and_in_order),
        cmocka_unit_test(it_is_over_only_when_none_is_left_and_none_was_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
