/* tests/unit/core/names_test.c -- a name is kept once, counted, and its number used again when nobody has it. */
#include <stdio.h>

#include "core/names.h"
#include "tests/unit/unit.h"

static void same_text_same_number(void **state)
{
    struct names names = { .map.seed = 7 };

    (void)state;
    uint32_t a = names_have(&names, STR("example.org"));
    uint32_t b = names_have(&names, STR("example.net"));
    assert_true(a && b && a != b);
    assert_int_equal(names_have(&names, STR("example.org")), a);
    assert_int_equal(names_count(&names, a), 2);
    assert_true(str_eq(names_text(&names, a), STR("example.org")));
    assert_int_equal(names_find(&names, STR("example.net")), b);
    names_share(&names, b);
    assert_int_equal(names_count(&names, b), 2);
    names_done(&names);
}

static void last_one_ends_it_and_its_number_returns(void **state)
{
    struct names names = { .map.seed = 7 };

    (void)state;
    uint32_t a = names_have(&names, STR("a"));
    uint32_t b = names_have(&names, STR("b"));
    names_drop(&names, a);
    assert_int_equal(names_find(&names, STR("a")), 0);
    assert_int_equal(names_have(&names, STR("c")), a);
    assert_true(str_eq(names_text(&names, a), STR("c")));
    names_drop(&names, a);
    names_drop(&names, b);
    assert_int_equal(names.octets, 0);
    names_drop(&names, 0);
    assert_int_equal(names_count(&names, 0), 0);
    assert_true(str_eq(names_text(&names, 0), STR("")));
    names_done(&names);
}

static void thousands_keep_their_texts(void **state)
{
    struct names names = { .map.seed = 1 };
    char text[32];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof(text), "d%d.example", i);
        assert_int_equal(names_have(&names, str_from_c(text)), i + 1);
    }
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof(text), "d%d.example", i);
        assert_true(str_eq(names_text(&names, (uint32_t)i + 1), str_from_c(text)));
    }
    names_done(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text_same_number),
        cmocka_unit_test(last_one_ends_it_and_its_number_returns),
        cmocka_unit_test(thousands_keep_their_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
