/* Files of what accounts may send as. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "route/senders.h"

static bool has(const struct route_senders *s, const char *user, const char *home, const char *local, const char *domain)
{
    return route_senders_have(s, str_from_c(user), str_from_c(home), str_from_c(local), str_from_c(domain));
}

static struct route_senders parsed(struct str text, size_t faults)
{
    struct route_senders s = ROUTE_SENDERS_INIT;
    struct route_faults found = { 0 };
    char *copy = exact_copy(text);

    assert_true(route_senders_parse(&s, str_of(copy, text.n), &found));
    assert_int_equal(found.total, faults);
    free(copy);
    return s;
}

static void addresses_domains_and_all(void **state)
{
    (void)state;
    struct route_senders s =
        parsed(STR("# who may\r\n\r\nAnna  news@Example.ORG\t@b\xc3\xbc" "cher.example\n\n"
                   "ben@example.org \"odd one\"@example.org one@example.org one@example.org\nboss@example.org *"),
               2);

    assert_int_equal(s.n, 4);
    assert_true(has(&s, "anna", "example.org", "NEWS", "example.org"));
    assert_true(has(&s, "ANNA", "example.com", "news", "example.org"));
    assert_false(has(&s, "anna", "example.org", "news", "example.com"));
    assert_true(has(&s, "anna", "example.org", "anyone", "xn--bcher-kva.example"));
    assert_false(has(&s, "anna", "example.org", "anyone", "sub.xn--bcher-kva.example"));
    assert_true(has(&s, "ben", "example.org", "one", "example.org"));
    assert_false(has(&s, "ben", "example.com", "one", "example.org"));
    assert_false(has(&s, "be", "example.org", "one", "example.org"));
    assert_true(has(&s, "boss", "example.org", "whoever", "anywhere.example"));
    assert_true(has(&s, "boss", "example.org", "", ""));
    assert_false(has(&s, "anna", "example.org", "whoever", "anywhere.example"));
    route_senders_done(&s);
}

static void a_bad_word_takes_no_other_with_it(void **state)
{
    (void)state;
    struct route_senders s = parsed(STR("anna nonsense ok@example.org @ @@ a@b@c ok2@example.org\nlonely\n"
                                        "@example.org x@example.org\nb\x01 x@example.org\nben x@example.org\n"),
                                    7);

    assert_true(has(&s, "anna", "example.org", "ok", "example.org"));
    assert_true(has(&s, "anna", "example.org", "ok2", "example.org"));
    assert_true(has(&s, "ben", "example.org", "x", "example.org"));
    assert_int_equal(s.n, 3);
    route_senders_done(&s);
}

static void an_empty_file_grants_nothing(void **state)
{
    (void)state;
    struct route_senders s = parsed(STR(""), 0);

    assert_false(has(&s, "anna", "example.org", "anna", "example.org"));
    route_senders_done(&s);
}

static void thousands_are_found_again(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(4 << 20);
    struct route_senders s;
    char name[32];

    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "u%d a%d@example.org\n", i, i);
    s = parsed(buf_str(&text), 0);
    assert_int_equal(s.n, 20000);
    for (int i = 0; i < 20000; i += 7) {
        char address[32];
        snprintf(name, sizeof(name), "u%d", i);
        snprintf(address, sizeof(address), "a%d", i);
        assert_true(has(&s, name, "example.org", address, "example.org"));
        assert_false(has(&s, name, "example.org", "a", "example.org"));
    }
    route_senders_done(&s);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_domains_and_all),
        cmocka_unit_test(a_bad_word_takes_no_other_with_it),
        cmocka_unit_test(an_empty_file_grants_nothing),
        cmocka_unit_test(thousands_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
