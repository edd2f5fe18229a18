/* Times are met when they are due, never before, whatever is set, moved and taken out (DESIGN 6: one timer wheel). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/bug.h"
#include "core/map.h"
#include "core/wheel.h"

enum { NODES = 2000 };

static struct {
    struct wheel wheel;
    struct wheel_node nodes[NODES];
    int64_t now, called[NODES];
    size_t calls;
} t;

static void due(struct wheel_node *node)
{
    size_t i = (size_t)(node - t.nodes);

    assert_false(wheel_is_set(node));
    t.called[i] = t.now;
    t.calls++;
}

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

static void begin(int64_t now)
{
    t.now = now;
    t.calls = 0;
    wheel_init(&t.wheel, now);
    for (size_t i = 0; i < NODES; i++) {
        wheel_node_init(&t.nodes[i], due);
        t.called[i] = -1;
    }
}

/* As the loop does: sleep until there is something to do. */
static void run_until(int64_t end)
{
    for (int64_t next; (next = wheel_next_msec(&t.wheel)) >= 0 && next <= end;) {
        t.now = next > t.now ? next : t.now;
        wheel_turn(&t.wheel, t.now);
    }
    t.now = end;
}

static void each_time_is_met_within_a_tick_and_never_before(void **state)
{
    uint64_t seed = 7;

    for (int64_t span = 1000; span <= 1000LL * 3600 * 24 * 5; span *= 37) {
        begin(123456789);
        for (size_t i = 0; i < NODES; i++)
            wheel_set(&t.wheel, &t.nodes[i], t.now + (int64_t)(random_next(&seed) % (uint64_t)span));
        run_until(t.now + span + 2 * WHEEL_TICK_MSEC);
        assert_int_equal(t.calls, NODES);
        for (size_t i = 0; i < NODES; i++) {
            assert_true(t.called[i] >= t.nodes[i].due_msec);
            assert_true(t.called[i] < t.nodes[i].due_msec + WHEEL_TICK_MSEC);
        }
    }
}

static void what_is_moved_or_taken_out_counts_as_it_was_set_last(void **state)
{
    uint64_t seed = 11;

    begin(0);
    for (size_t i = 0; i < NODES; i++)
        wheel_set(&t.wheel, &t.nodes[i], (int64_t)(random_next(&seed) % 10000000));
    for (size_t i = 0; i < NODES; i++) {
        if (i % 3 == 0)
            wheel_unset(&t.wheel, &t.nodes[i]);
        else if (i % 3 == 1)
            wheel_set(&t.wheel, &t.nodes[i], 20000000);
    }
    run_until(19999999);
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(t.called[i] >= 0, i % 3 == 2);
    run_until(20000100);
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(t.called[i] >= 0, i % 3 != 0);
}

static void a_far_time_waits_and_a_clock_that_leaps_meets_all(void **state)
{
    int64_t far = 1000LL * 3600 * 24 * 60;

    begin(5000);
    wheel_set(&t.wheel, &t.nodes[0], far);
    run_until(far - 1);
    assert_int_equal(t.calls, 0);
    run_until(far + WHEEL_TICK_MSEC);
    assert_int_equal(t.calls, 1);
    for (size_t i = 0; i < NODES; i++)
        wheel_set(&t.wheel, &t.nodes[i], t.now + (int64_t)i * 100000);
    t.calls = 0;
    t.now += NODES * 100000LL + 1000;
    wheel_turn(&t.wheel, t.now);
    assert_int_equal(t.calls, NODES);
    assert_int_equal(wheel_next_msec(&t.wheel), -1);
}

static void an_idle_wheel_wakes_nobody_in_vain(void **state)
{
    int wakes = 0;

    begin(0);
    wheel_set(&t.wheel, &t.nodes[0], 4 * 3600 * 1000);
    for (int64_t next; (next = wheel_next_msec(&t.wheel)) >= 0; wakes++) {
        t.now = next;
        wheel_turn(&t.wheel, t.now);
    }
    assert_int_equal(t.calls, 1);
    assert_true(wakes <= WHEEL_LEVELS);
}

static void a_map_finds_what_is_in_it_and_nothing_else(void **state)
{
    static struct map_node nodes[3000];
    static char names[3000][12];
    struct map map = { .seed = 99 };

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
            snprintf(names[i], sizeof(names[i]), "n%zu", i);
            assert_null(map_find(&map, str_from_c(names[i])));
            assert_true(map_insert(&map, &nodes[i], str_from_c(names[i])));
        }
        for (size_t i = 0; i < ARRAY_LEN(nodes); i += 2)
            map_remove(&map, &nodes[i]);
        for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
            assert_ptr_equal(map_find(&map, str_from_c(names[i])), i % 2 ? &nodes[i] : NULL);
        for (struct map_node *node; (node = map_any(&map));)
            map_remove(&map, node);
        assert_int_equal(map.n, 0);
    }
    map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_time_is_met_within_a_tick_and_never_before),
        cmocka_unit_test(what_is_moved_or_taken_out_counts_as_it_was_set_last),
        cmocka_unit_test(a_far_time_waits_and_a_clock_that_leaps_meets_all),
        cmocka_unit_test(an_idle_wheel_wakes_nobody_in_vain),
        cmocka_unit_test(a_map_finds_what_is_in_it_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
