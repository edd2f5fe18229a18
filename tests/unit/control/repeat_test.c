/* The same warning more than ten times a second is counted (FACE 3.1); nothing else ever is. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "control/repeat.h"

static struct log_record limit_record(const char *client, const char *session, const char *from)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_LIMIT, LOG_LEVEL_WARNING, 1795340467950);
    log_text_c(&r, LOG_SESSION, session);
    log_text_c(&r, LOG_CLIENT, client);
    log_text(&r, LOG_REASON, STR("limit"));
    log_number(&r, LOG_VALUE, 51);
    log_text_c(&r, LOG_FROM, from);
    return r;
}

static void ten_are_written_the_rest_is_counted(void **state)
{
    struct repeat repeat = { 0 };
    struct log_record r, sum;
    struct log_value v;
    struct log_view view;
    enum log_field before = LOG_FIELDS;
    int written = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        r = limit_record("198.51.100.66", i % 2 ? "7QK2M0XRT1" : "7QK2M0XRT2", i % 3 ? "a@x.example" : "b@x.example");
        written += repeat_pass(&repeat, log_octets(&r), 5000 + i);
        assert_false(repeat_take(&repeat, 5000 + i, &sum));
    }
    assert_int_equal(written, REPEAT_BOUND);
    assert_true(repeat_take(&repeat, 6000, &sum));
    assert_true(log_view_find(log_octets(&sum), LOG_REPEATED, &v));
    assert_int_equal(v.number, 90);

    /* What a peer chose stays last. */
    assert_true(log_view_open(log_octets(&sum), &view));
    assert_int_equal(view.wall_msec, 1795340467950);
    while (log_view_next(&view, &v)) {
        if (v.field == LOG_FROM)
            assert_int_equal(before, LOG_REPEATED);
        before = v.field;
    }
    assert_int_equal(before, LOG_FROM);

    assert_false(repeat_take(&repeat, 6000, &sum));
    assert_true(repeat_pass(&repeat, log_octets(&r), 6000));
    repeat_done(&repeat);
}

static void each_second_begins_anew(void **state)
{
    struct repeat repeat = { 0 };
    struct log_record r = limit_record("198.51.100.66", "7QK2M0XRT1", "");

    (void)state;
    for (int i = 0; i < 200; i++)
        assert_true(repeat_pass(&repeat, log_octets(&r), i * 100));
    assert_int_equal(repeat.counting, 0);
    repeat_done(&repeat);
}

static void other_warnings_are_not_the_same(void **state)
{
    struct repeat repeat = { 0 };

    (void)state;
    for (int i = 0; i < 10 * REPEAT_SLOTS; i++) {
        char client[32];
        snprintf(client, sizeof(client), "192.0.2.%d", i);
        struct log_record r = limit_record(client, "7QK2M0XRT1", "");
        assert_true(repeat_pass(&repeat, log_octets(&r), 1));
    }
    repeat_done(&repeat);
}

static void the_story_of_a_message_is_never_cut(void **state)
{
    struct repeat repeat = { 0 };
    struct log_record fail, reject;

    (void)state;
    log_begin(&fail, LOG_EVENT_FAIL, LOG_LEVEL_WARNING, 1);
    log_text(&fail, LOG_ID, STR("3591TJHR6EY3"));
    log_begin(&reject, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 1);
    for (int i = 0; i < 100; i++) {
        assert_true(repeat_pass(&repeat, log_octets(&fail), 1));
        assert_true(repeat_pass(&repeat, log_octets(&reject), 1));
        assert_true(repeat_pass(&repeat, STR("no record"), 1));
    }
    repeat_done(&repeat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_are_written_the_rest_is_counted),
        cmocka_unit_test(each_second_begins_anew),
        cmocka_unit_test(other_warnings_are_not_the_same),
        cmocka_unit_test(the_story_of_a_message_is_never_cut),
    };

    return cmocka_run_group_tests_name("control/repeat", tests, NULL, NULL);
}
