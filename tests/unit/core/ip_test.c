/* Addresses: strict reading, one way of writing, membership of networks. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "core/ip.h"

static void text_is_read_and_written_in_one_form(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        { STR_INIT("0.0.0.0"), "0.0.0.0" },
        { STR_INIT("192.0.2.255"), "192.0.2.255" },
        { STR_INIT("::"), "::" },
        { STR_INIT("::1"), "::1" },
        { STR_INIT("1::"), "1::" },
        { STR_INIT("2001:DB8::1"), "2001:db8::1" },
        { STR_INIT("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1" },
        { STR_INIT("2001:0db8:0000:0001:0001:0001:0001:0001"), "2001:db8:0:1:1:1:1:1" },
        { STR_INIT("1:2:3:4:5:6:7::"), "1:2:3:4:5:6:7:0" },
        { STR_INIT("0:0:1::"), "0:0:1::" },
        { STR_INIT("1:0:0:2:0:0:0:3"), "1:0:0:2::3" },
        { STR_INIT("::ffff:192.0.2.1"), "::ffff:192.0.2.1" },
        { STR_INIT("64:ff9b::192.0.2.33"), "64:ff9b::c000:221" },
        { STR_INIT("1:2:3:4:5:6:1.2.3.4"), "1:2:3:4:5:6:102:304" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip a;
        char *copy = exact_copy(rows[i].in);
        assert_true(ip_parse(str_of(copy, rows[i].in.n), &a));
        assert_string_equal(ip_text(&a).c, rows[i].out);
        free(copy);
    }
}

static void anything_else_is_refused(void **state)
{
    static const struct str rows[] = {
        STR_INIT(""),           STR_INIT("1.2.3"),         STR_INIT("1.2.3.4.5"),         STR_INIT("1.2.3.256"),
        STR_INIT("01.2.3.4"),   STR_INIT("1..2.3"),        STR_INIT("1.2.3.4 "),          STR_INIT(":"),
        STR_INIT(":::"),        STR_INIT("1::2::3"),       STR_INIT("1:2:3:4:5:6:7"),     STR_INIT("1:2:3:4:5:6:7:8:9"),
        STR_INIT("12345::"),    STR_INIT("::g"),           STR_INIT("fe80::1%eth0"),      STR_INIT("[::1]"),
        STR_INIT("1:2:3:4::5:6:7:8"), STR_INIT("1.2.3.4::"), STR_INIT("::1.2.3"),         STR_INIT("1:2:3:4:5:6:7:1.2.3.4"),
        STR_INIT(":1::"),       STR_INIT("1::2:"),         STR_INIT("+1.2.3.4"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip a;
        char *copy = exact_copy(rows[i]);
        if (ip_parse(str_of(copy, rows[i].n), &a))
            fail_msg("%.*s was read as an address", STR_ARG(rows[i]));
        free(copy);
    }
}

static struct ip ip(const char *text)
{
    struct ip a = { 0 };

    assert_true(ip_parse(str_from_c(text), &a));
    return a;
}

static void networks_have_their_members_only(void **state)
{
    struct ip_network v4 = { ip("192.0.2.128"), 25 };
    struct ip_network v6 = { ip("2001:db8::"), 33 };
    struct ip_network all = { ip("0.0.0.0"), 0 };
    struct ip in = ip("192.0.2.200"), out = ip("192.0.2.127"), six = ip("2001:db8:7fff::1");
    struct ip beyond = ip("2001:db8:8000::");

    (void)state;
    assert_true(ip_in_network(&in, &v4));
    assert_false(ip_in_network(&out, &v4));
    assert_true(ip_in_network(&six, &v6));
    assert_false(ip_in_network(&beyond, &v6));
    assert_true(ip_in_network(&in, &all));
    assert_false(ip_in_network(&six, &all));
}

static void mapped_addresses_are_the_ipv4_ones(void **state)
{
    struct ip mapped = ip_unmap(ip("::ffff:127.0.0.1")), plain = ip("127.0.0.1");

    (void)state;
    assert_true(ip_eq(&mapped, &plain));
    assert_true(ip_is_loopback(&mapped));
    assert_false(ip_is_loopback(&(struct ip){ 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_and_written_in_one_form),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(networks_have_their_members_only),
        cmocka_unit_test(mapped_addresses_are_the_ipv4_ones),
    };

    return cmocka_run_group_tests_name("core/ip", tests, NULL, NULL);
}
