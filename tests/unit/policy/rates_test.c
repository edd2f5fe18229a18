/* Rates in memory that processes share: exact at their bounds, sound whatever the memory holds, forgetful of the idle. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bug.h"
#include "policy/rates.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR, BEGIN = 1000 * SECOND };

static struct policy_rates *rates_new(void)
{
    static const uint64_t seeds[2] = { 17, 4711 };
    void *at = mmap(NULL, sizeof(struct policy_rates), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct policy_rates *r = at;

    assert_true(at != MAP_FAILED);
    assert_false(policy_rates_are(r));
    r->head = policy_rates_head(seeds);
    assert_true(policy_rates_are(r));
    return r;
}

static void rates_free(struct policy_rates *r)
{
    assert_int_equal(munmap(r, sizeof(*r)), 0);
}

static struct policy_rates_key key_of(const char *name, uint64_t n, uint64_t msec)
{
    return (struct policy_rates_key){ .name = str_from_c(name), .n = n, .msec = msec };
}

/* Take N if there is room. */
static bool take(struct policy_rates *r, const struct policy_rates_key *key, uint64_t n, int64_t now)
{
    uint64_t value;

    if (!policy_rates_allow(r, key, n, now, &value))
        return false;
    policy_rates_take(r, key, n, now);
    return true;
}

static uint64_t used(struct policy_rates *r, const struct policy_rates_key *key, int64_t now)
{
    uint64_t value;

    assert_true(policy_rates_allow(r, key, 0, now, &value));
    return value;
}

static void a_rate_is_as_deep_as_its_number(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    struct policy_rates_key key = key_of("anna", 50, HOUR);
    uint64_t value;

    for (uint64_t i = 0; i < 50; i++) {
        assert_true(policy_rates_allow(r, &key, 1, BEGIN, &value));
        assert_int_equal(value, i + 1);
        policy_rates_take(r, &key, 1, BEGIN);
    }
    assert_false(policy_rates_allow(r, &key, 1, BEGIN, &value));
    assert_int_equal(value, 51);
    /* One comes back in 72 seconds, not a millisecond before. */
    assert_false(take(r, &key, 1, BEGIN + 71999));
    assert_false(take(r, &key, 2, BEGIN + 72000));
    assert_true(take(r, &key, 1, BEGIN + 72000));
    assert_false(take(r, &key, 1, BEGIN + 72000));
    assert_int_equal(used(r, &key, BEGIN + 100 * (int64_t)HOUR), 0);
    rates_free(r);
}

/* The last of N fits, one more does not, a period later all fit again; whether N divides the period or not. */
static void bounds_are_exact(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, msec;
    } rows[] = { { 1, SECOND },   { 3, 10 * SECOND }, { 7, HOUR },     { 1, 1 },          { 3, 1 },    { 999, 1 },
                 { 1000, HOUR }, { 10, 600 * SECOND }, { 86399, DAY }, { 1000003, DAY }, { 11, 7 * (uint64_t)DAY } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy_rates *r = rates_new();
        struct policy_rates_key key = key_of("anna", rows[i].n, rows[i].msec);
        int64_t now = BEGIN;
        for (int period = 0; period < 3; period++, now += (int64_t)rows[i].msec) {
            for (uint64_t k = 0; k < rows[i].n; k++) {
                uint64_t value;
                if (!policy_rates_allow(r, &key, 1, now, &value) || value != k + 1)
                    fail_msg("%lu of %lu in %lu ms: %lu", k + 1, rows[i].n, rows[i].msec, value);
                policy_rates_take(r, &key, 1, now);
            }
            assert_false(take(r, &key, 1, now));
            assert_int_equal(used(r, &key, now), rows[i].n);
        }
        /* All at once is the same as one by one. */
        assert_true(take(r, &key, rows[i].n, now));
        assert_false(take(r, &key, 1, now));
        rates_free(r);
    }
}

/* However it is taken, over a long time it is the rate: never one less, and no more than rounding to nanoseconds gives. */
static void in_the_long_run_it_is_the_rate(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, msec;
        int64_t step;
    } rows[] = { { 7, HOUR, 1000 }, { 3, 10 * SECOND, 7 }, { 1000, HOUR, 331 }, { 3, 1, 1 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy_rates *r = rates_new();
        struct policy_rates_key key = key_of("anna", rows[i].n, rows[i].msec);
        uint64_t taken = 0;
        int64_t now;
        for (now = BEGIN; now < BEGIN + 100 * (int64_t)rows[i].msec && taken < 100000; now += rows[i].step)
            while (take(r, &key, 1, now))
                taken++;
        uint64_t elapsed = (uint64_t)(now - rows[i].step - BEGIN);
        uint64_t exact = rows[i].n + elapsed * rows[i].n / rows[i].msec;
        assert_in_range(taken, exact - 1, exact + 1);
        rates_free(r);
    }
}

static void large_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, msec;
    } rows[] = { { 1ULL << 40, DAY }, { 1ULL << 50, SECOND }, { UINT64_MAX, 365 * (uint64_t)DAY }, { 1ULL << 40, UINT64_MAX } };
    uint64_t value;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy_rates *r = rates_new();
        struct policy_rates_key key = key_of("anna", rows[i].n, rows[i].msec);
        for (int k = 0; k < 8; k++)
            assert_true(take(r, &key, rows[i].n / 8, BEGIN));
        /* What is less than a nanosecond's share is not counted. */
        assert_in_range(used(r, &key, BEGIN), rows[i].n - rows[i].n / 1000000 - 8, rows[i].n);
        assert_false(take(r, &key, rows[i].n / 8, BEGIN));
        rates_free(r);
    }
    /* More than the bound never fits, and does not make it wait longer than a period. */
    struct policy_rates *r = rates_new();
    struct policy_rates_key key = key_of("anna", 1ULL << 40, SECOND);
    assert_false(policy_rates_allow(r, &key, (1ULL << 40) + 1, BEGIN, &value));
    assert_true(value == (1ULL << 40) + 1);
    policy_rates_take(r, &key, UINT64_MAX, BEGIN);
    assert_true(used(r, &key, BEGIN) == 1ULL << 40);
    assert_false(policy_rates_allow(r, &key, UINT64_MAX, BEGIN, &value));
    assert_true(value == UINT64_MAX);
    assert_int_equal(used(r, &key, BEGIN + SECOND), 0);
    assert_true(take(r, &key, 1ULL << 40, BEGIN + SECOND));
    rates_free(r);
}

static void any_clock_will_do(void **state)
{
    (void)state;
    static const int64_t clocks[] = { INT64_MIN, -1, 0, 1, INT64_MAX / 2, INT64_MAX };

    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        struct policy_rates *r = rates_new();
        struct policy_rates_key key = key_of("anna", 3, HOUR);
        for (int k = 0; k < 3; k++)
            assert_true(take(r, &key, 1, clocks[i]));
        assert_false(take(r, &key, 1, clocks[i]));
        rates_free(r);
    }
    /* One that went back gives nothing, and takes nothing either. */
    struct policy_rates *r = rates_new();
    struct policy_rates_key key = key_of("anna", 2, HOUR);
    assert_true(take(r, &key, 1, BEGIN + HOUR) && take(r, &key, 1, BEGIN + HOUR));
    assert_false(take(r, &key, 1, BEGIN));
    assert_int_equal(used(r, &key, BEGIN), 2);
    assert_true(take(r, &key, 2, BEGIN + 2 * (int64_t)HOUR));
    rates_free(r);
}

/* Who has used up an hour has, whatever the bound is now; what is left of it is. */
static void another_bound_leaves_what_is_used_of_the_period(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    struct policy_rates_key ten = key_of("anna", 10, HOUR), hundred = key_of("anna", 100, HOUR);
    struct policy_rates_key day = key_of("anna", 10, DAY);

    assert_true(take(r, &ten, 5, BEGIN));
    assert_int_equal(used(r, &hundred, BEGIN), 50);
    assert_false(take(r, &hundred, 51, BEGIN));
    assert_true(take(r, &hundred, 50, BEGIN));
    assert_false(take(r, &ten, 1, BEGIN));
    assert_true(take(r, &hundred, 1, BEGIN + 36 * SECOND));
    assert_int_equal(used(r, &day, BEGIN), 0);
    rates_free(r);
}

/* ---- eviction ---- */

static struct policy_rates_key numbered(char name[32], const char *what, int i, uint64_t n, uint64_t msec)
{
    snprintf(name, 32, "%s-%d", what, i);
    return key_of(name, n, msec);
}

/* Ten times as many as there is room for. */
static void those_used_up_outlive_the_fresh(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    char name[32];
    int refused = 0;

    for (int i = 0; i < 1000; i++) {
        struct policy_rates_key key = numbered(name, "used", i, 10, i % 2 ? HOUR : 10 * SECOND);
        policy_rates_take(r, &key, 9, BEGIN);
    }
    for (int i = 0; i < 10 * POLICY_RATES_BUCKETS * POLICY_RATES_WAYS; i++) {
        /* Those of longer periods, too: what counts is how much of its own each has used. */
        struct policy_rates_key key = numbered(name, "fresh", i, 10, i % 2 ? HOUR : 7 * (uint64_t)DAY);
        policy_rates_take(r, &key, 1, BEGIN);
    }
    for (int i = 0; i < 1000; i++) {
        struct policy_rates_key key = numbered(name, "used", i, 10, i % 2 ? HOUR : 10 * SECOND);
        refused += !take(r, &key, 2, BEGIN);
    }
    assert_int_equal(refused, 1000);
    rates_free(r);
}

/* A day's use is no hindrance the day after, to nobody. */
static void what_has_passed_is_room(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    const int many = POLICY_RATES_BUCKETS * POLICY_RATES_WAYS / 2;
    char name[32];
    int kept = 0;

    for (int i = 0; i < 4 * many; i++) {
        struct policy_rates_key key = numbered(name, "yesterday", i, 1, HOUR);
        policy_rates_take(r, &key, 1, BEGIN);
    }
    for (int i = 0; i < many; i++) {
        struct policy_rates_key key = numbered(name, "today", i, 1, HOUR);
        policy_rates_take(r, &key, 1, BEGIN + DAY);
    }
    for (int i = 0; i < many; i++) {
        struct policy_rates_key key = numbered(name, "today", i, 1, HOUR);
        kept += !take(r, &key, 1, BEGIN + DAY);
    }
    /* Half full: hardly a bucket has more than its sixteen. */
    assert_true(kept > many - many / 50);
    rates_free(r);
}

/* ---- who else writes ---- */

static void whatever_the_memory_holds_is_safe_to_read(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    uint64_t number = 88172645463325252, value;
    char name[32];

    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof(r->slots) / sizeof(uint64_t); i++) {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            ((uint64_t *)(void *)r->slots)[i] = round == 3 ? UINT64_MAX : number;
        }
        for (int i = 0; i < 20000; i++) {
            struct policy_rates_key key = numbered(name, "x", i, 5, i % 2 ? HOUR : UINT64_MAX);
            (void)policy_rates_allow(r, &key, 1, BEGIN, &value);
            assert_in_range(value, 1, 6);
            policy_rates_take(r, &key, 1, BEGIN);
            assert_in_range(used(r, &key, BEGIN), 0, 5);
        }
    }
    /* The worst that is found is a rate used up: no longer than for its period. */
    for (size_t b = 0; b < POLICY_RATES_BUCKETS; b++)
        for (size_t w = 0; w < POLICY_RATES_WAYS; w++)
            r->slots[b][w].until_ns = UINT64_MAX;
    struct policy_rates_key key = key_of("x-19999", 5, HOUR);
    policy_rates_take(r, &key, 1, BEGIN);
    policy_rates_take(r, &key, 4, BEGIN);
    assert_false(take(r, &key, 1, BEGIN));
    assert_true(take(r, &key, 5, BEGIN + HOUR));
    rates_free(r);
}

static void memory_of_another_kind_is_told_apart(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();

    r->head.magic[14]++;
    assert_false(policy_rates_are(r));
    rates_free(r);
}

enum { WRITERS = 4, ROUNDS = 20000 };

static void *write_much(void *rates)
{
    struct policy_rates *r = rates;
    struct policy_rates_key key = key_of("all", WRITERS * ROUNDS * 2, DAY);
    char name[32];

    for (int i = 0; i < ROUNDS; i++) {
        struct policy_rates_key other = numbered(name, "other", i, 10, HOUR);
        policy_rates_take(r, &key, 1, BEGIN);
        policy_rates_take(r, &other, 1, BEGIN);
    }
    return NULL;
}

/* Of a key that is there nothing is lost, however many write at once. */
static void threads_lose_nothing_of_one_key(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    struct policy_rates_key key = key_of("all", WRITERS * ROUNDS * 2, DAY);
    pthread_t threads[WRITERS];

    policy_rates_take(r, &key, WRITERS * ROUNDS / 2, BEGIN);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_much, r), 0);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(used(r, &key, BEGIN), WRITERS * ROUNDS / 2 + WRITERS * ROUNDS);
    rates_free(r);
}

/* Two processes, the one killed wherever it was: the other counts on, and what was counted is there. */
static void a_process_that_is_killed_takes_nothing_along(void **state)
{
    (void)state;
    struct policy_rates *r = rates_new();
    struct policy_rates_key ours = key_of("ours", 10, DAY);

    for (int round = 0; round < 10; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            for (;;)
                write_much(r);
        assert_true(round < 9 ? take(r, &ours, 1, BEGIN) : used(r, &ours, BEGIN) == 9);
        for (int i = 0; i < 2000; i++) {
            char name[32];
            struct policy_rates_key other = numbered(name, "other", i, 10, HOUR);
            policy_rates_take(r, &other, 1, BEGIN);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    assert_int_equal(used(r, &ours, BEGIN), 9);
    rates_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_as_deep_as_its_number),
        cmocka_unit_test(bounds_are_exact),
        cmocka_unit_test(in_the_long_run_it_is_the_rate),
        cmocka_unit_test(large_numbers),
        cmocka_unit_test(any_clock_will_do),
        cmocka_unit_test(another_bound_leaves_what_is_used_of_the_period),
        cmocka_unit_test(those_used_up_outlive_the_fresh),
        cmocka_unit_test(what_has_passed_is_room),
        cmocka_unit_test(whatever_the_memory_holds_is_safe_to_read),
        cmocka_unit_test(memory_of_another_kind_is_told_apart),
        cmocka_unit_test(threads_lose_nothing_of_one_key),
        cmocka_unit_test(a_process_that_is_killed_takes_nothing_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
