/* Text for people: figures as the reference shows them, and nothing that could move a cursor. */
#include "tests/unit/unit.h"

#include "cmd/text.h"

static const struct text_screen plain = { 0 };
static const struct text_screen utf8 = { .utf8 = true };

static void ages_are_short(void **state)
{
    static const struct {
        int64_t msec;
        const char *text;
    } rows[] = {
        { -5, "0s" },        { 3000, "3s" },          { 86000, "1m26s" },    { 60000, "1m" },
        { 7800000, "2h10m" }, { 54900000, "15h15m" }, { 432000000, "5d" },   { 1051200000, "12d4h" },
        { 3600000, "1h" },   { 86400000, "1d" },      { 59999, "59s" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(text_age(rows[i].msec).c, rows[i].text);
}

static void sizes_and_counts_are_readable(void **state)
{
    (void)state;
    assert_string_equal(text_size(0).c, "0");
    assert_string_equal(text_size(812).c, "812");
    assert_string_equal(text_size(3200).c, "3.1k");
    assert_string_equal(text_size(4220).c, "4.1k");
    assert_string_equal(text_size(62000).c, "61k");
    assert_string_equal(text_size(1023 * 1024).c, "1.0M");
    assert_string_equal(text_size(UINT64_MAX).c, "16777216T");
    assert_string_equal(text_count(0).c, "0");
    assert_string_equal(text_count(999).c, "999");
    assert_string_equal(text_count(4216).c, "4,216");
    assert_string_equal(text_count(UINT64_MAX).c, "18,446,744,073,709,551,615");
    assert_string_equal(text_time("2026-11-22T09:41:07.301Z").c, "2026-11-22 09:41:07");
    assert_string_equal(text_time(NULL).c, "");
    assert_int_equal(text_time_msec("1970-01-02T00:00:01Z"), 86401000);
    assert_int_equal(text_time_msec("soon"), -1);
}

static void cells_are_filled_up_and_cut(void **state)
{
    static const struct {
        const struct text_screen *screen;
        struct str text;
        size_t width;
        bool right;
        const char *want;
    } rows[] = {
        { &plain, STR_INIT("ab"), 4, false, "ab  " },
        { &plain, STR_INIT("ab"), 4, true, "  ab" },
        { &plain, STR_INIT("abcdef"), 4, false, "abc~" },
        { &utf8, STR_INIT("abcdef"), 4, false, "abc\xe2\x80\xa6" },
        { &utf8, STR_INIT("\xc3\xa4\xc3\xb6\xc3\xbc"), 4, false, "\xc3\xa4\xc3\xb6\xc3\xbc " },
        { &plain, STR_INIT("\xc3\xa4\xc3\xb6"), 4, false, "??  " },
        { &plain, STR_INIT("abcdef"), 0, false, "abcdef" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(100);
        text_cell(&out, rows[i].screen, rows[i].text, rows[i].width, rows[i].right);
        assert_str_is(buf_str(&out), str_from_c(rows[i].want));
        buf_done(&out);
    }
}

/* What a peer said is shown, but never obeyed by the terminal. */
static void a_peers_octets_do_not_reach_the_terminal(void **state)
{
    static const struct {
        struct str text;
        const char *want;
    } rows[] = {
        { STR_INIT("a\x1b[2Jb"), "a?[2Jb" },      { STR_INIT("a\r\nb"), "a??b" },
        { STR_INIT("a\xc2\x9b" "b"), "a?b" },     { STR_INIT("a\xe2\x80\xae" "b"), "a?b" },
        { STR_INIT("a\xe2\x81\xa6" "b"), "a?b" }, { STR_INIT("a\xff\xfe" "b"), "a??b" },
        { STR_INIT("a\0b"), "a?b" },              { STR_INIT("a\tb"), "a b" },
        { STR_INIT("a\xe2\x82"), "a??" },         { STR_INIT("a\x7f"), "a?" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(100);
        char *copy = exact_copy(rows[i].text);
        text_add(&out, &utf8, str_of(copy, rows[i].text.n), 0);
        assert_str_is(buf_str(&out), str_from_c(rows[i].want));
        free(copy);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages_are_short),
        cmocka_unit_test(sizes_and_counts_are_readable),
        cmocka_unit_test(cells_are_filled_up_and_cut),
        cmocka_unit_test(a_peers_octets_do_not_reach_the_terminal),
    };

    return cmocka_run_group_tests_name("cmd/text", tests, NULL, NULL);
}
