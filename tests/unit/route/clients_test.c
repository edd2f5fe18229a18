/* Files of clients that may relay: addresses, one a line. */
#include "tests/unit/unit.h"

#include "route/clients.h"

static bool has(const struct route_names *names, const char *address)
{
    struct ip ip;

    assert_true(ip_parse(str_from_c(address), &ip));
    return route_clients_have(names, &ip);
}

static void addresses_are_what_they_mean_not_how_they_are_written(void **state)
{
    (void)state;
    struct route_names names = ROUTE_NAMES_INIT;
    struct route_faults faults = { 0 };
    struct str text =
        STR("# printers\r\n192.0.2.1 the one upstairs\r\n\n \t2001:DB8:0::1\tmore\n::ffff:192.0.2.7\n"
            "192.0.2.1\n192.0.2.9");
    char *copy = exact_copy(text);

    assert_true(route_clients_parse(&names, str_of(copy, text.n), &faults));
    assert_int_equal(faults.total, 0);
    assert_int_equal(names.n, 4);
    assert_true(has(&names, "192.0.2.1"));
    assert_true(has(&names, "::ffff:192.0.2.1"));
    assert_true(has(&names, "2001:db8::1"));
    assert_true(has(&names, "192.0.2.7"));
    assert_true(has(&names, "192.0.2.9"));
    assert_false(has(&names, "192.0.2.2"));
    assert_false(has(&names, "2001:db8::2"));
    free(copy);
    route_names_done(&names);
}

static void a_bad_line_takes_no_other_with_it(void **state)
{
    (void)state;
    struct route_names names = ROUTE_NAMES_INIT;
    struct route_faults faults = { 0 };

    assert_true(route_clients_parse(
        &names, STR("192.0.2.1\n192.0.2.0/24\nprinter.example.org\n0.0.0.0/0\n192.0.2.2\n"), &faults));
    assert_int_equal(faults.total, 3);
    assert_int_equal(faults.items[0].line, 2);
    assert_string_equal(faults.items[0].text,
                        "'192.0.2.0/24': no address; networks are written in relay-from itself");
    assert_int_equal(names.n, 2);
    assert_true(has(&names, "192.0.2.2"));
    route_names_done(&names);
}

static void an_empty_file_lets_nobody(void **state)
{
    (void)state;
    struct route_names names = ROUTE_NAMES_INIT;
    struct route_faults faults = { 0 };

    assert_true(route_clients_parse(&names, STR_NONE, &faults));
    assert_true(route_clients_parse(&names, STR("\n#\n"), &faults));
    assert_int_equal(faults.total, 0);
    assert_false(has(&names, "127.0.0.1"));
    route_names_done(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_what_they_mean_not_how_they_are_written),
        cmocka_unit_test(a_bad_line_takes_no_other_with_it),
        cmocka_unit_test(an_empty_file_lets_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
