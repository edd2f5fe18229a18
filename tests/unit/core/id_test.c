/* Ids in Crockford's base 32: fixed width, any case, the look-alikes read as digits. */
#include "tests/unit/unit.h"

#include "core/id.h"

static void ids_read_back(void **state)
{
    static const uint64_t rows[] = { 1, 31, 32, 0x123456789abcdeULL, (1ULL << 60) - 1 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct queue_id_text t = queue_id_text((struct queue_id){ rows[i] });
        struct queue_id back = { 0 };
        assert_int_equal(strlen(t.c), QUEUE_ID_CHARS);
        assert_true(queue_id_parse(str_from_c(t.c), &back));
        assert_true(back.n == rows[i]);
    }
    struct session_id sid;
    assert_true(session_id_parse(STR("7QK2M0X4TB"), &sid));
    assert_string_equal(session_id_text(sid).c, "7QK2M0X4TB");
}

static void look_alikes_and_case_are_forgiven(void **state)
{
    struct queue_id a, b;

    (void)state;
    assert_true(queue_id_parse(STR("3591TJHR6EY3"), &a));
    assert_true(queue_id_parse(STR("359ltjhr6ey3"), &b));
    assert_true(queue_id_eq(a, b));
    assert_true(queue_id_parse(STR("OOOOOOOOOOO1"), &a));
    assert_int_equal(a.n, 1);
    assert_false(queue_id_parse(STR("000000000000"), &a));
    assert_false(queue_id_parse(STR("3591TJHR6EY"), &a));
    assert_false(queue_id_parse(STR("3591TJHR6EY33"), &a));
    assert_false(queue_id_parse(STR("3591TJHR6EYU"), &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_read_back),
        cmocka_unit_test(look_alikes_and_case_are_forgiven),
    };

    return cmocka_run_group_tests_name("core/id", tests, NULL, NULL);
}
