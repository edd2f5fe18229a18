/*
 * How many connections a host bears (DESIGN 6): what moves the window, and what is said. That it finds what there is to
 * be found is shown by tests/simulate/window.c.
 */
#include "tests/unit/unit.h"

#include "queue/window.h"

struct times {
    int64_t now_msec;
    int64_t latency_usec;
    uint32_t in_use; /* 0: all that may have work */
};

static void some(struct window *w, struct times *t, unsigned n, bool put_off)
{
    for (unsigned i = 0; i < n; i++) {
        t->now_msec += 100;
        window_ended(w, &(struct window_sample){
                            .now_msec = t->now_msec,
                            .latency_usec = t->latency_usec,
                            .in_use = t->in_use ? t->in_use : window_working(w),
                            .put_off = put_off,
                        });
    }
}

static void it_grows_when_it_is_used_in_full(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000 };
    struct window_news news;

    window_init(&w, 5, 20);
    assert_int_equal(window_connections(&w), 5);
    assert_false(window_news(&w, &news));
    some(&w, &t, 300, false);
    assert_int_equal(window_connections(&w), 20);
    assert_true(window_news(&w, &news));
    assert_int_equal(news.was, 5);
    assert_int_equal(news.now, 20);
    assert_string_equal(news.cause, "it bears more");
    assert_false(window_news(&w, &news));
}

static void it_does_not_grow_when_less_would_do(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000, .in_use = 2 };

    window_init(&w, 5, 20);
    some(&w, &t, 1000, false);
    assert_int_equal(window_connections(&w), 5);
}

static void a_4yz_now_and_then_changes_nothing(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000 };
    struct window_news news;

    window_init(&w, 20, 20);
    for (unsigned i = 0; i < 200; i++) {
        some(&w, &t, 19, false);
        some(&w, &t, 1, true);
        assert_int_equal(window_working(&w), 20);
    }
    assert_false(window_news(&w, &news));
}

static void who_puts_all_off_is_asked_by_one_connection(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000 };
    struct window_news news;

    window_init(&w, 20, 20);
    some(&w, &t, 30, false);
    some(&w, &t, 1000, true);
    assert_in_range(window_connections(&w), 1, 2);
    assert_true(window_news(&w, &news));
    assert_non_null(strstr(news.cause, "4yz "));
}

static void what_is_slower_than_before_is_tried_with_fewer(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000 };
    struct window_news news;

    window_init(&w, 8, 8);
    some(&w, &t, 200, false);
    t.latency_usec = 155000;
    some(&w, &t, 41, false);
    assert_int_equal(window_connections(&w), 8);
    assert_int_equal(window_working(&w), 4);
    /* Half of them are twice as fast. */
    t.latency_usec = 77000;
    some(&w, &t, 41, false);
    assert_int_equal(window_connections(&w), 4);
    assert_true(window_news(&w, &news));
    assert_string_equal(news.cause, "latency 3.1x");
}

static void what_is_slower_for_reasons_of_its_own_keeps_its_window(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000 };
    struct window_news news;

    window_init(&w, 8, 8);
    some(&w, &t, 200, false);
    t.latency_usec = 150000;
    some(&w, &t, 1000, false);
    assert_int_equal(window_connections(&w), 8);
    assert_int_equal(window_working(&w), 8);
    assert_false(window_news(&w, &news));
}

/* FACE 3.2, site: no change is passed over, and none is said of twice. */
static void each_change_is_said_with_its_cause(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000 };
    struct window_news news;
    uint32_t before;

    window_init(&w, 1, 40);
    window_refused(&w, 0, 1, false, "connection refused");
    t.now_msec = 1000000;
    for (unsigned i = 0; i < 3000; i++) {
        before = window_connections(&w);
        some(&w, &t, 1, i >= 2000);
        bool said = window_news(&w, &news);
        assert_int_equal(said, before != window_connections(&w));
        if (!said)
            continue;
        assert_int_equal(news.was, before);
        assert_int_equal(news.now, window_connections(&w));
        assert_true(news.now > news.was ? !strcmp(news.cause, "it bears more") : !strncmp(news.cause, "4yz ", 4));
    }
    assert_int_equal(window_connections(&w), 1);
}

static void a_limit_is_found_and_said(void **state)
{
    (void)state;
    struct window w;
    struct window_news news;

    window_init(&w, 20, 20);
    window_refused(&w, 0, 8, true, "connect");
    assert_int_equal(window_connections(&w), 8);
    assert_true(window_news(&w, &news));
    assert_string_equal(news.cause, "limits connections to 8");
    window_refused(&w, 10, 3, false, "connection refused");
    assert_true(window_news(&w, &news));
    assert_string_equal(news.cause, "connection refused");
    window_refused(&w, 10, 0, false, "connection refused");
    assert_int_equal(window_connections(&w), 1);
    assert_int_equal(window_working(&w), 1);
}

static void one_that_was_just_closed_is_not_missed(void **state)
{
    (void)state;
    struct window w;
    struct times t = { .latency_usec = 50000, .in_use = 8 };

    window_init(&w, 8, 20);
    some(&w, &t, 1, false);
    window_refused(&w, t.now_msec, 7, true, "connect");
    assert_int_equal(window_connections(&w), 8);
    assert_false(window_may_open(&w, t.now_msec, 7));
    assert_true(window_may_open(&w, t.now_msec + 1000, 7));
    assert_false(window_may_open(&w, t.now_msec + 1000, 8));
    window_refused(&w, t.now_msec + 1000, 7, true, "connect");
    assert_int_equal(window_connections(&w), 7);
}

static void who_knows_better_is_believed_at_once(void **state)
{
    (void)state;
    struct window w;
    struct window_news news;

    window_init(&w, 16, 20);
    window_slow(&w, 0, "on-reply 421");
    assert_int_equal(window_connections(&w), 8);
    assert_true(window_news(&w, &news));
    assert_string_equal(news.cause, "on-reply 421");
    window_restart(&w, 0);
    assert_int_equal(window_connections(&w), 16);
    assert_false(window_news(&w, &news));
}

static void strange_numbers_do_no_harm(void **state)
{
    (void)state;
    static const int64_t strange[] = { 0, -1, 1, INT64_MAX, INT64_MIN };
    struct window w;
    struct times t = { 0 };

    window_init(&w, 5, 1);
    assert_int_equal(window_connections(&w), 1);
    window_init(&w, 2, 4);
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        t.latency_usec = strange[i];
        some(&w, &t, 500, i & 1);
        assert_in_range(window_connections(&w), 1, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_when_it_is_used_in_full),
        cmocka_unit_test(it_does_not_grow_when_less_would_do),
        cmocka_unit_test(a_4yz_now_and_then_changes_nothing),
        cmocka_unit_test(who_puts_all_off_is_asked_by_one_connection),
        cmocka_unit_test(what_is_slower_than_before_is_tried_with_fewer),
        cmocka_unit_test(what_is_slower_for_reasons_of_its_own_keeps_its_window),
        cmocka_unit_test(each_change_is_said_with_its_cause),
        cmocka_unit_test(a_limit_is_found_and_said),
        cmocka_unit_test(one_that_was_just_closed_is_not_missed),
        cmocka_unit_test(who_knows_better_is_believed_at_once),
        cmocka_unit_test(strange_numbers_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
