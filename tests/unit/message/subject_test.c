/* The Subject of a report: what a hostile or odd subject makes of it. */
#include "tests/unit/unit.h"

#include "message/subject.h"

static void subject_is(struct str subject, const char *want)
{
    struct buf out = BUF_INIT(10000);
    char *copy = exact_copy(subject);

    message_subject_write(&out, STR("Not delivered:"), str_of(copy, subject.n));
    assert_false(out.failed);
    assert_str_is(buf_str(&out), str_from_c(want));
    free(copy);
    buf_done(&out);
}

static void ascii_and_encoded_words_stay_as_they_are(void **state)
{
    (void)state;
    subject_is(STR("Invoice 4411"), "Subject: Not delivered: Invoice 4411\r\n");
    subject_is(STR("=?utf-8?B?w6TDtg==?= and =?iso-8859-1?Q?=E4?="),
               "Subject: Not delivered: =?utf-8?B?w6TDtg==?= and =?iso-8859-1?Q?=E4?=\r\n");
    subject_is(STR("  two \t words  "), "Subject: Not delivered: two words\r\n");
    subject_is(STR(""), "Subject: Not delivered: (no subject)\r\n");
    subject_is(STR(" \t"), "Subject: Not delivered: (no subject)\r\n");
}

static void nothing_ends_the_field(void **state)
{
    (void)state;
    subject_is(STR("a\r\nBcc: x@example.org"), "Subject: Not delivered: a Bcc: x@example.org\r\n");
    subject_is(STR("a\r\n\r\nbody"), "Subject: Not delivered: a body\r\n");
    subject_is(STR("a\0b\x1b[2Jc\x7f"), "Subject: Not delivered: a?b?[2Jc?\r\n");
    subject_is(STR("\xc3\xa4\r\nBcc: x"), "Subject: Not delivered: =?utf-8?Q?=C3=A4--Bcc:_x?=\r\n");
}

static void raw_octets_become_encoded_words_or_question_marks(void **state)
{
    (void)state;
    subject_is(STR("Gr\xc3\xbc\xc3\x9f"
                   "e =?_"),
               "Subject: Not delivered: =?utf-8?Q?Gr=C3=BC=C3=9Fe_=3D=3F=5F?=\r\n");
    subject_is(STR("Gr\xfc\xdf"), "Subject: Not delivered: Gr??\r\n");
}

/* RFC 2047 2 and 5: no word above 75 octets, no character divided. */
static void long_utf8_is_many_words_of_whole_characters(void **state)
{
    struct buf in = BUF_INIT(10000), out = BUF_INIT(10000);
    size_t words = 0;

    (void)state;
    for (int i = 0; i < 300; i++)
        buf_add_c(&in, "\xe2\x82\xac");
    message_subject_write(&out, STR("Delayed:"), buf_str(&in));
    struct str rest = str_skip(buf_str(&out), strlen("Subject: Delayed:"));
    assert_true(str_ends(rest, STR(" ...\r\n")));
    rest.n -= 6;
    while (rest.n) {
        assert_true(str_starts(rest, STR("\r\n =?utf-8?Q?")));
        rest = str_skip(rest, 3);
        size_t end = 10;
        while (!str_starts(str_skip(rest, end), STR("?=")))
            end++;
        assert_true(end + 2 <= 75);
        assert_int_equal((end - 10) % 9, 0);
        rest = str_skip(rest, end + 2);
        words++;
    }
    assert_int_equal(words, (MESSAGE_SUBJECT_KEPT / 3 + 1 + 6) / 7);
    buf_done(&in);
    buf_done(&out);
}

static void long_ascii_ends_between_words(void **state)
{
    struct buf in = BUF_INIT(10000), out = BUF_INIT(10000);

    (void)state;
    for (int i = 0; i < 30; i++)
        buf_add_c(&in, "=?utf-8?Q?=C3=A4?= ");
    message_subject_write(&out, STR("Delayed:"), buf_str(&in));
    assert_true(str_ends(buf_str(&out), STR("=?utf-8?Q?=C3=A4?= ...\r\n")));
    assert_true(out.n < 300);

    buf_clear(&in);
    buf_clear(&out);
    buf_add_c(&in, "=?utf-8?Q?");
    for (int i = 0; i < 300; i++)
        buf_add_char(&in, 'x');
    message_subject_write(&out, STR("Delayed:"), buf_str(&in));
    assert_str_is(buf_str(&out), STR("Subject: Delayed: ...\r\n"));

    buf_clear(&out);
    message_subject_write(&out, STR("Delayed:"), str_skip(buf_str(&in), 2));
    assert_int_equal(out.n, strlen("Subject: Delayed:\r\n \r\n ...\r\n") + MESSAGE_SUBJECT_KEPT);
    buf_done(&in);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_and_encoded_words_stay_as_they_are),
        cmocka_unit_test(nothing_ends_the_field),
        cmocka_unit_test(raw_octets_become_encoded_words_or_question_marks),
        cmocka_unit_test(long_utf8_is_many_words_of_whole_characters),
        cmocka_unit_test(long_ascii_ends_between_words),
    };

    return cmocka_run_group_tests_name("message/subject", tests, NULL, NULL);
}
