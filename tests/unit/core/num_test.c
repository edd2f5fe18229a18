/* Numbers in text stay within their bound; sums that do not fit are seen. */
#include "tests/unit/unit.h"

#include "core/check.h"
#include "core/num.h"

static void digits_and_nothing_else(void **state)
{
    uint64_t v = 42;

    (void)state;
    assert_false(num_parse_u64(STR(""), 100, &v));
    assert_false(num_parse_u64(STR("-1"), 100, &v));
    assert_false(num_parse_u64(STR("+1"), 100, &v));
    assert_false(num_parse_u64(STR("1 "), 100, &v));
    assert_false(num_parse_u64(STR("101"), 100, &v));
    assert_false(num_parse_u64(STR("18446744073709551616"), UINT64_MAX, &v));
    assert_int_equal(v, 42);
    assert_true(num_parse_u64(STR("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_true(num_parse_u64(STR("0007"), 7, &v));
    assert_int_equal(v, 7);
    assert_true(num_parse_octal(STR("0660"), 07777, &v));
    assert_int_equal(v, 0660);
    assert_false(num_parse_octal(STR("0680"), 07777, &v));
}

static void little_endian_both_ways(void **state)
{
    unsigned char b[9] = { 0 };

    (void)state;
    le64_put(b + 1, 0x0123456789abcdefULL);
    assert_int_equal(b[1], 0xef);
    assert_true(le64_get(b + 1) == 0x0123456789abcdefULL);
    le32_put(b, 0xdeadbeef);
    assert_true(le32_get(b) == 0xdeadbeef);
    le16_put(b, 0xbeef);
    assert_int_equal(le16_get(b), 0xbeef);
}

static void sums_that_do_not_fit_leave_the_output_alone(void **state)
{
    size_t sum = 5;
    uint64_t v = 5;

    (void)state;
    assert_false(size_add(SIZE_MAX, 1, &sum));
    assert_false(size_mul(SIZE_MAX, 2, &sum));
    assert_false(u64_add(UINT64_MAX, 1, &v));
    assert_int_equal(sum, 5);
    assert_int_equal(v, 5);
    assert_true(size_add(2, 3, &sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_and_nothing_else),
        cmocka_unit_test(little_endian_both_ways),
        cmocka_unit_test(sums_that_do_not_fit_leave_the_output_alone),
    };

    return cmocka_run_group_tests_name("core/num", tests, NULL, NULL);
}
