/* Users files: names and nothing else, however the file is cut, whatever stands in it (FACE 1.11). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/buf.h"
#include "route/users.h"

struct reading {
    struct route_names names;
    struct route_faults faults;
};

static struct reading read_in_steps(struct str text, size_t step, bool system)
{
    struct reading r = { .names = ROUTE_NAMES_INIT };
    struct route_users_parser p;

    route_users_begin(&p, &r.names, &r.faults, system);
    for (size_t at = 0; at < text.n; at += step) {
        struct str piece = str_slice(text, at, at + step);
        char *copy = exact_copy(piece);
        assert_true(route_users_feed(&p, str_of(copy, piece.n)));
        free(copy);
    }
    assert_true(route_users_end(&p));
    return r;
}

static bool knows(const struct reading *r, const char *local, const char *domain)
{
    struct str spelled;

    return route_names_find(&r->names, str_from_c(local), str_from_c(domain), &spelled);
}

static const char sample[] =
    "# people\n"
    "anna:{CRYPT}$y$j9T$hash$of.anna:1000:1000::/home/anna:/bin/sh:scram_sha256=4096,a,b,c\n"
    "\n"
    "Ben.Miller\n"
    "carol@Example.NET:{PLAIN}secret\n"
    "dora@b\xc3\xbc"
    "cher.example\r\n"
    "last:{SHA}x";

/* Whole, octet by octet, in threes: the same names, the same faults. */
static void names_are_the_same_however_the_file_is_cut(void **state)
{
    (void)state;
    const size_t steps[] = { sizeof(sample), 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct reading r = read_in_steps(str_of(sample, sizeof(sample) - 1), steps[i], false);
        assert_int_equal(r.names.n, 5);
        assert_int_equal(r.faults.total, 0);
        assert_true(knows(&r, "anna", "example.org"));
        assert_true(knows(&r, "BEN.miller", "example.org"));
        assert_true(knows(&r, "carol", "example.net"));
        assert_false(knows(&r, "carol", "example.org"));
        assert_true(knows(&r, "dora", "xn--bcher-kva.example"));
        assert_true(knows(&r, "last", "example.org"));
        assert_false(knows(&r, "people", "example.org"));
        route_names_done(&r.names);
    }
}

static void first_spelling_is_kept(void **state)
{
    (void)state;
    struct reading r = read_in_steps(STR("Anna\nanna\nANNA:x\n"), 100, false);
    struct str spelled;

    assert_int_equal(r.names.n, 1);
    assert_true(route_names_find(&r.names, STR("aNNa"), STR("example.org"), &spelled));
    assert_str_is(spelled, STR("Anna"));
    route_names_done(&r.names);
}

static void hashes_are_nowhere_in_what_is_kept(void **state)
{
    (void)state;
    struct reading r =
        read_in_steps(STR("anna:{PLAIN}sEcReT:1:2:g:/home/sEcReT:x:sEcReT\nben:sEcReT"), 7, false);

    assert_int_equal(r.names.n, 2);
    assert_false(str_contains(buf_str(&r.names.octets), STR("sEcReT")));
    route_names_done(&r.names);
}

static void a_bad_line_is_named_and_takes_no_other_down(void **state)
{
    (void)state;
    struct reading r = read_in_steps(STR("good\n:x\nan na\nx@\n@example.org\nb\x01"
                                         "d\n\xff\nalso:good\n"),
                                     100, false);
    const uint32_t lines[] = { 2, 3, 4, 5, 6, 7 };

    assert_int_equal(r.names.n, 2);
    assert_true(knows(&r, "good", "d") && knows(&r, "also", "d"));
    assert_int_equal(r.faults.total, ARRAY_LEN(lines));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(r.faults.items[i].line, lines[i]);
    assert_string_equal(r.faults.items[1].text, "'an na': a blank in a name");
    route_names_done(&r.names);
}

static void too_long_a_name_is_a_fault_and_a_long_comment_none(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(4096);

    buf_add_char(&text, '#');
    for (size_t i = 0; i < 1000; i++)
        buf_add_char(&text, 'c');
    buf_add_char(&text, '\n');
    for (size_t i = 0; i < ROUTE_LOCAL_MAX + 1; i++)
        buf_add_char(&text, 'a');
    buf_add_char(&text, '\n');
    for (size_t i = 0; i < ROUTE_LOCAL_MAX; i++)
        buf_add_char(&text, 'b');
    struct reading r = read_in_steps(buf_str(&text), 100, false);
    assert_int_equal(r.names.n, 1);
    assert_int_equal(r.faults.total, 1);
    assert_int_equal(r.faults.items[0].line, 2);
    route_names_done(&r.names);
    buf_done(&text);
}

static void accounts_of_the_system_count_from_uid_1000(void **state)
{
    (void)state;
    struct reading r = read_in_steps(STR("root:x:0:0::/root:/bin/sh\n"
                                         "anna:x:1000:1000::/home/anna:/bin/sh\n"
                                         "ben:x:65533:1000::/home/ben:/bin/sh\n"
                                         "nobody:x:65534:65534::/:/x\n"
                                         "daemon:x:999:1::/:/x\n"
                                         "huge:x:99999999999999999999999:1::/:/x\n"
                                         "odd:x:10a0:1::/:/x\n"
                                         "bare\n+::::::\n"),
                                     3, true);

    assert_int_equal(r.names.n, 2);
    assert_true(knows(&r, "anna", "d") && knows(&r, "ben", "d"));
    assert_int_equal(r.faults.total, 0);
    route_names_done(&r.names);
}

static void every_truncation_is_read(void **state)
{
    (void)state;
    struct str all = str_of(sample, sizeof(sample) - 1);

    for (size_t n = 0; n <= all.n; n++) {
        struct reading r = read_in_steps(str_head(all, n), n ? n : 1, n % 2);
        assert_true(r.names.n <= 5);
        route_names_done(&r.names);
    }
}

static void a_hundred_thousand_names_are_found_again(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct route_names names = ROUTE_NAMES_INIT;
    struct str spelled;
    char c[32];

    for (int i = 0; i < COUNT; i++) {
        snprintf(c, sizeof(c), "user%d", i);
        assert_int_equal(route_names_add(&names, str_from_c(c), STR_NONE), ROUTE_NAMES_ADDED);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(c, sizeof(c), "USER%d", i);
        assert_true(route_names_find(&names, str_from_c(c), STR("example.org"), &spelled));
    }
    assert_false(route_names_find(&names, STR("user100000"), STR("example.org"), &spelled));
    /* Octets and slots, slack of growing included: what a million costs is ten times this. */
    assert_true(names.octets.cap + names.slots.cap < 10 * 1000 * 1000);
    route_names_done(&names);
}

static void a_full_set_says_so(void **state)
{
    (void)state;
    struct route_names names = ROUTE_NAMES_INIT;
    struct route_faults faults = { 0 };
    struct route_users_parser p;

    names.octets.max = 10;
    route_users_begin(&p, &names, &faults, false);
    assert_false(route_users_feed(&p, STR("anna\nbenjamin\ncarol\n")));
    assert_false(route_users_end(&p));
    route_names_done(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_same_however_the_file_is_cut),
        cmocka_unit_test(first_spelling_is_kept),
        cmocka_unit_test(hashes_are_nowhere_in_what_is_kept),
        cmocka_unit_test(a_bad_line_is_named_and_takes_no_other_down),
        cmocka_unit_test(too_long_a_name_is_a_fault_and_a_long_comment_none),
        cmocka_unit_test(accounts_of_the_system_count_from_uid_1000),
        cmocka_unit_test(every_truncation_is_read),
        cmocka_unit_test(a_hundred_thousand_names_are_found_again),
        cmocka_unit_test(a_full_set_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
