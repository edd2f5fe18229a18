/* Words of others on lines of ours. */
#include "tests/unit/unit.h"

#include "message/fold.h"

static void folded_is(struct str text, bool ascii, const char *want)
{
    struct buf out = BUF_INIT(10000);
    struct message_fold f = { .out = &out, .indent = "  ", .ascii = ascii };
    char *copy = exact_copy(text);

    message_fold_begin(&f, "Name:");
    message_fold_add(&f, str_of(copy, text.n));
    message_fold_end(&f);
    assert_str_is(buf_str(&out), str_from_c(want));
    free(copy);
    buf_done(&out);
}

static void words_cannot_end_a_line(void **state)
{
    (void)state;
    folded_is(STR("a\r\nb \t\n c"), false, "Name: a b c\r\n");
    folded_is(STR("\0\x01\x7f"), false, "Name: ???\r\n");
    folded_is(STR(""), false, "Name:\r\n");
    folded_is(STR("\xc3\xa4\xc3 \xff"), false, "Name: \xc3\xa4? ?\r\n");
    folded_is(STR("\xc3\xa4\xc3 \xff"), true, "Name: ?? ?\r\n");
}

static void lines_end_between_words_and_count_characters(void **state)
{
    struct buf in = BUF_INIT(10000), want = BUF_INIT(10000);

    (void)state;
    for (int i = 0; i < 70; i++)
        buf_add_c(&in, "\xc3\xa4");
    buf_printf(&want, "Name: %.*s\r\n  b\r\n", STR_ARG(buf_str(&in)));
    buf_add_char(&want, '\0');
    buf_add_c(&in, " b");
    folded_is(buf_str(&in), false, want.p);
    buf_done(&in);
    buf_done(&want);
}

static void a_word_that_no_line_can_hold_is_cut_between_characters(void **state)
{
    struct buf in = BUF_INIT(10000), out = BUF_INIT(10000);
    struct message_fold f = { .out = &out, .indent = " " };

    (void)state;
    buf_add_char(&in, 'a');
    for (int i = 0; i < 1000; i++)
        buf_add_c(&in, "\xe2\x82\xac");
    message_fold_begin(&f, "");
    message_fold_add(&f, buf_str(&in));
    message_fold_end(&f);
    assert_true(str_is_utf8(buf_str(&out)));
    assert_false(str_has(buf_str(&out), '?'));
    struct str rest = buf_str(&out);
    while (rest.n)
        assert_true(str_cut(&rest, '\n').n <= MESSAGE_FOLD_WORD_MAX + 6);
    buf_done(&in);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_cannot_end_a_line),
        cmocka_unit_test(lines_end_between_words_and_count_characters),
        cmocka_unit_test(a_word_that_no_line_can_hold_is_cut_between_characters),
    };

    return cmocka_run_group_tests_name("message/fold", tests, NULL, NULL);
}
