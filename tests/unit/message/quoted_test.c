/* Quoted-printable (RFC 2045 6.7): the rules one by one, and every octet at every place of a line. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "message/quoted.h"

static void quoted_is(struct str in, const char *want)
{
    struct buf out = BUF_INIT(10000);
    char *copy = exact_copy(in);

    message_quoted_add(&out, str_of(copy, in.n));
    assert_str_is(buf_str(&out), str_from_c(want));
    free(copy);
    buf_done(&out);
}

static void the_rules_one_by_one(void **state)
{
    (void)state;
    quoted_is(STR(""), "");
    quoted_is(STR("a = b\r\n"), "a =3D b\r\n");
    quoted_is(STR("blank \r\ntab\t\r\nend "), "blank=20\r\ntab=09\r\nend=20");
    quoted_is(STR("\xc3\xa4\0\x7f\r\n"), "=C3=A4=00=7F\r\n");
    quoted_is(STR("bare\rCR, bare\nLF\r\n\r"), "bare=0DCR, bare=0ALF\r\n=0D");
}

static size_t undo(struct str s, char *to)
{
    size_t n = 0;

    while (s.n) {
        unsigned v = 0;
        if (str_starts(s, STR("=\r\n"))) {
            s = str_skip(s, 3);
        } else if (s.p[0] == '=') {
            assert_int_equal(sscanf(s.p + 1, "%2X", &v), 1);
            to[n++] = (char)v;
            s = str_skip(s, 3);
        } else {
            to[n++] = s.p[0];
            s = str_skip(s, 1);
        }
    }
    return n;
}

static void every_octet_comes_back_from_every_place_of_a_line(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        for (size_t before = 60; before < 90; before++) {
            struct buf in = BUF_INIT(1000), out = BUF_INIT(1000);
            char back[200];
            for (size_t i = 0; i < before; i++)
                buf_add_char(&in, 'x');
            buf_add_char(&in, (char)octet);
            buf_add(&in, STR("y \r\n"));
            message_quoted_add(&out, buf_str(&in));
            buf_add_char(&out, '\0');
            struct str rest = str_head(buf_str(&out), out.n - 1);
            assert_str_is(str_of(back, undo(rest, back)), buf_str(&in));
            while (rest.n)
                assert_true(str_cut(&rest, '\n').n <= 77);
            buf_done(&in);
            buf_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_one_by_one),
        cmocka_unit_test(every_octet_comes_back_from_every_place_of_a_line),
    };

    return cmocka_run_group_tests_name("message/quoted", tests, NULL, NULL);
}
