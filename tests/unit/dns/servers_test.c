/* Name servers of resolv.conf. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "dns/servers.h"

static size_t read_text(struct str text, struct ip servers[DNS_SERVERS_MAX])
{
    char *copy = exact_copy(text);
    size_t n = dns_servers_read(str_of(copy, text.n), servers);

    free(copy);
    return n;
}

static void assert_server(const struct ip *server, const char *want)
{
    struct ip_text text = ip_text(server);

    assert_string_equal(text.c, want);
}

static void servers_are_read_in_their_order(void **state)
{
    struct ip servers[DNS_SERVERS_MAX];

    (void)state;
    assert_int_equal(read_text(STR("# comment\n; another\nsearch example.net\n"
                                   "nameserver 192.0.2.53\r\n\tnameserver\t2001:db8::53 # why\n"
                                   "options edns0 trust-ad\nnameserver 192.0.2.54"), servers),
                     3);
    assert_server(&servers[0], "192.0.2.53");
    assert_server(&servers[1], "2001:db8::53");
    assert_server(&servers[2], "192.0.2.54");
}

static void what_is_no_address_is_passed_over(void **state)
{
    struct ip servers[DNS_SERVERS_MAX];

    (void)state;
    assert_int_equal(read_text(STR("nameserver fe80::1%eth0\nnameserver\nnameserver x\n#nameserver 192.0.2.1\n"
                                   "nameservers 192.0.2.2\nnameserver 192.0.2.3\n"), servers),
                     1);
    assert_server(&servers[0], "192.0.2.3");
}

static void none_means_this_machine(void **state)
{
    struct ip servers[DNS_SERVERS_MAX];

    (void)state;
    assert_int_equal(read_text(STR_NONE, servers), 1);
    assert_server(&servers[0], "127.0.0.1");
    assert_int_equal(read_text(STR("search example.net\n"), servers), 1);
    assert_server(&servers[0], "127.0.0.1");
}

static void more_than_the_maximum_are_left_out(void **state)
{
    struct ip servers[DNS_SERVERS_MAX];
    char text[2000] = "";

    (void)state;
    for (size_t i = 0; i < 60; i++)
        memcpy(text + i * 21, "nameserver 192.0.2.1\n", 21);
    assert_int_equal(read_text(str_from_c(text), servers), DNS_SERVERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_read_in_their_order),
        cmocka_unit_test(what_is_no_address_is_passed_over),
        cmocka_unit_test(none_means_this_machine),
        cmocka_unit_test(more_than_the_maximum_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
