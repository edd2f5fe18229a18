/* Buffers never pass their ceiling, and remember that they tried. */
#include "tests/unit/unit.h"

#include "core/buf.h"

static void a_ceiling_is_never_passed(void **state)
{
    struct buf b = BUF_INIT(300);

    (void)state;
    for (int i = 0; i < 30; i++)
        assert_true(buf_add(&b, STR("0123456789")));
    assert_false(buf_add_char(&b, 'x'));
    assert_true(b.failed);
    assert_int_equal(b.n, 300);
    assert_true(b.cap <= 300);
    assert_false(buf_add(&b, STR("")));
    buf_clear(&b);
    assert_true(buf_printf(&b, "%d-%s", 7, "x"));
    assert_str_is(buf_str(&b), STR("7-x"));
    buf_done(&b);
}

static void eating_keeps_what_follows(void **state)
{
    struct buf b = BUF_INIT(100);

    (void)state;
    assert_true(buf_add_c(&b, "hello world"));
    buf_eat(&b, 6);
    assert_str_is(buf_str(&b), STR("world"));
    buf_eat(&b, 5);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ceiling_is_never_passed),
        cmocka_unit_test(eating_keeps_what_follows),
    };

    return cmocka_run_group_tests_name("core/buf", tests, NULL, NULL);
}
