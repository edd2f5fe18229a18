/* Views of octets: cutting, comparing, UTF-8. */
#include "tests/unit/unit.h"

static void cutting_gives_each_piece_once(void **state)
{
    struct str rest = STR("a,,b");

    (void)state;
    assert_str_is(str_cut(&rest, ','), STR("a"));
    assert_str_is(str_cut(&rest, ','), STR(""));
    assert_non_null(rest.p);
    assert_str_is(str_cut(&rest, ','), STR("b"));
    assert_null(rest.p);
}

static void comparing_without_case_is_ascii_only(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR("MaIl"), STR("mail")));
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_true(str_starts_nocase(STR("FROM:<a>"), STR("from:")));
    assert_true(str_ends(STR("x.org"), STR(".org")));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
}

static void slices_are_clamped(void **state)
{
    (void)state;
    assert_str_is(str_slice(STR("hello"), 1, 3), STR("el"));
    assert_str_is(str_slice(STR("hello"), 3, 99), STR("lo"));
    assert_str_is(str_slice(STR("hello"), 9, 12), STR(""));
    assert_str_is(str_skip(STR("abc"), 9), STR(""));
    assert_str_is(str_trim(STR(" \t a b\r\n")), STR("a b"));
    assert_true(str_contains(STR("abcabd"), STR("abd")));
    assert_int_equal(str_rfind(STR("a@b@c"), '@'), 3);
}

static void utf8_is_judged_by_rfc_3629(void **state)
{
    static const struct {
        struct str s;
        bool good;
    } rows[] = {
        { STR_INIT(""), true },
        { STR_INIT("plain"), true },
        { STR_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xa7"), true },
        { STR_INIT("\xc0\xaf"), false },
        { STR_INIT("\xe0\x9f\xbf"), false },
        { STR_INIT("\xed\xa0\x80"), false },
        { STR_INIT("\xf4\x90\x80\x80"), false },
        { STR_INIT("\xf0\x8f\xbf\xbf"), false },
        { STR_INIT("\xe2\x82"), false },
        { STR_INIT("\x80"), false },
        { STR_INIT("\xff"), false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *copy = exact_copy(rows[i].s);
        assert_int_equal(str_is_utf8(str_of(copy, rows[i].s.n)), rows[i].good);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutting_gives_each_piece_once),
        cmocka_unit_test(comparing_without_case_is_ascii_only),
        cmocka_unit_test(slices_are_clamped),
        cmocka_unit_test(utf8_is_judged_by_rfc_3629),
    };

    return cmocka_run_group_tests_name("core/str", tests, NULL, NULL);
}
