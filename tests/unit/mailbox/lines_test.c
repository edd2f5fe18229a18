/* Line ends on the way into a mailbox. */
#include "tests/unit/unit.h"

#include "mailbox/lines.h"

static const struct {
    struct str in, out;
} cases[] = {
    { STR_INIT(""), STR_INIT("") },
    { STR_INIT("a\r\nb\r\n"), STR_INIT("a\nb\n") },
    { STR_INIT("\r\n\r\n"), STR_INIT("\n\n") },
    { STR_INIT("no end"), STR_INIT("no end") },
    { STR_INIT("a\rb"), STR_INIT("a\rb") },
    { STR_INIT("a\nb"), STR_INIT("a\nb") },
    { STR_INIT("a\r"), STR_INIT("a\r") },
    { STR_INIT("\r\r\n"), STR_INIT("\r\n") },
    { STR_INIT("\r\r\r"), STR_INIT("\r\r\r") },
    { STR_INIT("\n\r"), STR_INIT("\n\r") },
    { STR_INIT("\0\r\n\377\200\r\n"), STR_INIT("\0\n\377\200\n") },
};

static void convert(struct str in, struct str want, size_t step)
{
    char out[64];
    size_t n = 0;
    struct mailbox_lines l = { 0 };

    for (size_t at = 0; at < in.n; at += step) {
        struct str some = str_slice(in, at, at + step);
        char *copy = exact_copy(some);
        char *into = malloc(some.n + 1);
        size_t got = mailbox_lines_convert(&l, str_of(copy, some.n), into);
        memcpy(out + n, into, got);
        n += got;
        free(into);
        free(copy);
    }
    n += mailbox_lines_end(&l, out + n);
    assert_str_is(str_of(out, n), want);
}

static void crlf_becomes_lf_and_all_else_stays_C094(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        convert(cases[i].in, cases[i].out, 1000);
        convert(cases[i].in, cases[i].out, 1);
        convert(cases[i].in, cases[i].out, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crlf_becomes_lf_and_all_else_stays_C094),
    };

    return cmocka_run_group_tests_name("mailbox/lines", tests, NULL, NULL);
}
