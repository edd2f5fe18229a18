/* A message as it stands in an mbox: quoted, parted from others, and back again. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "mailbox/quote.h"

/* IN in steps of STEP octets, each an exact heap copy; on the heap. */
static struct str convert(struct str in, size_t step)
{
    struct mailbox_quote q = MAILBOX_QUOTE_INIT;
    char *out = malloc(2 * in.n + in.n * sizeof(q.hold) + 64);
    size_t n = 0;

    assert_non_null(out);
    for (size_t at = 0; at < in.n; at += step) {
        struct str piece = str_slice(in, at, at + step);
        char *copy = malloc(piece.n);
        assert_non_null(copy);
        memcpy(copy, piece.p, piece.n);
        size_t got = mailbox_quote_convert(&q, str_of(copy, piece.n), out + n);
        assert_true(got <= 2 * piece.n + sizeof(q.hold));
        n += got;
        free(copy);
    }
    size_t got = mailbox_quote_end(&q, out + n);
    assert_true(got <= MAILBOX_QUOTE_END_MAX);
    return str_of(out, n + got);
}

static void becomes(struct str in, struct str want)
{
    const size_t steps[] = { in.n + 1, 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct str got = convert(in, steps[i]);
        assert_str_is(got, want);
        free((char *)(uintptr_t)got.p);
    }
}

static void lines_that_look_like_a_beginning_are_quoted_C136(void **state)
{
    (void)state;
    becomes(STR("S: x\n\nFrom you\n"), STR("S: x\n\n>From you\n\n"));
    becomes(STR("S: x\n\n>From you\n>>From me\n"), STR("S: x\n\n>>From you\n>>>From me\n\n"));
    becomes(STR("S: x\n\nFrom \nFrom\n Fro\nFromm x\n"), STR("S: x\n\n>From \nFrom\n Fro\nFromm x\n\n"));
    becomes(STR("S: x\n\nFFrom x\nFroFrom x\n>FFrom x\n> From x\n"),
            STR("S: x\n\nFFrom x\nFroFrom x\n>FFrom x\n> From x\n\n"));
    becomes(STR("From header line\nS: x\n\n"), STR(">From header line\nS: x\n\n\n"));
    becomes(STR("S: x\n\nthe last From \n>>"), STR("S: x\n\nthe last From \n>>\n\n"));
    becomes(STR("S: x\n\nFrom"), STR("S: x\n\nFrom\n\n"));
    becomes(STR("S: x\n\nfrom you\n\377\nF\0om \n"), STR("S: x\n\nfrom you\n\377\nF\0om \n\n"));
}

static void a_length_that_readers_believe_is_left_out_of_the_header_only(void **state)
{
    (void)state;
    becomes(STR("A: b\nContent-Length: 10\nC: d\n\nx\n"), STR("A: b\nC: d\n\nx\n\n"));
    becomes(STR("CONTENT-length\t: 10\n 11\n\t12\nC: d\n\nContent-Length: 3\n"),
            STR("C: d\n\nContent-Length: 3\n\n"));
    becomes(STR("Content-Lengthy: 1\nContent-Type: x\nC: d\n"), STR("Content-Lengthy: 1\nContent-Type: x\nC: d\n\n"));
    becomes(STR("Content-Length: 9\nContent-Length: 9\nFrom x\n"), STR(">From x\n\n"));
    becomes(STR("Content-Length: 9\n\nx\n"), STR("\nx\n\n"));
    becomes(STR("A: b\nContent-Len"), STR("A: b\nContent-Len\n\n"));
    becomes(STR("A: b\nContent-Length: 5"), STR("A: b\n\n"));
    becomes(STR("A: b\n Content-Length: 5\n"), STR("A: b\n Content-Length: 5\n\n"));
}

static void each_message_ends_in_an_empty_line(void **state)
{
    (void)state;
    becomes(STR("A: b\n\nx"), STR("A: b\n\nx\n\n"));
    becomes(STR("A: b\n\nx\n"), STR("A: b\n\nx\n\n"));
    becomes(STR("A: b\n\nx\n\n\n"), STR("A: b\n\nx\n\n\n\n"));
    becomes(STR(""), STR("\n"));
}

static void from_is(struct str sender, int64_t msec, struct str want)
{
    char out[200];
    size_t n = mailbox_from_line(sender, msec, out, sizeof(out));

    assert_str_is(str_of(out, n), want);
}

static void the_first_line_names_sender_and_time(void **state)
{
    char out[40];
    char *exact = malloc(46);

    (void)state;
    from_is(STR("ada@example.org"), 1795340467301, STR("From ada@example.org Sun Nov 22 09:41:07 2026\n"));
    from_is(STR_NONE, 946684800000, STR("From MAILER-DAEMON Sat Jan  1 00:00:00 2000\n"));
    from_is(STR("\"a b\nFrom x\t\177\"@example.org"), 946684800000,
            STR("From \"a_b_From_x__\"@example.org Sat Jan  1 00:00:00 2000\n"));
    from_is(STR("a\0b@x"), 946684800000, STR_NONE);
    assert_int_equal(mailbox_from_line(STR("ada@example.org"), 0, out, sizeof(out)), 0);
    assert_non_null(exact);
    assert_int_equal(mailbox_from_line(STR("ada@example.org"), 0, exact, 46), 0);
    free(exact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_look_like_a_beginning_are_quoted_C136),
        cmocka_unit_test(a_length_that_readers_believe_is_left_out_of_the_header_only),
        cmocka_unit_test(each_message_ends_in_an_empty_line),
        cmocka_unit_test(the_first_line_names_sender_and_time),
    };

    return cmocka_run_group_tests_name("mailbox/quote", tests, NULL, NULL);
}
