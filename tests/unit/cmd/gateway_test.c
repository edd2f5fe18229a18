/* A proxy in front of a container hides who connects: its gateway is nobody to relay for (FACE 1.12). */
#include "tests/unit/config/memory.h"

#include "cmd/gateway.h"

static const char ipv4[] = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n"
                           "eth0\t00000000\t%s\t0003\t0\t0\t0\t00000000\t0\t0\t0   \n"
                           "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0   \n"
                           "eth1\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0   \n";
static const char ipv6[] =
    "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 "
    "00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 "
    "00000002 00000000 00000003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff "
    "00000001 00000000 00200200       lo\n";

/* 172.17.0.1 as this machine's kernel prints it. */
static struct str ipv4_text(struct buf *out)
{
    static const unsigned char octets[] = { 172, 17, 0, 1 };
    struct buf number = BUF_INIT(20);
    uint32_t n;

    memcpy(&n, octets, sizeof(n));
    buf_printf(&number, "%08X", n);
    struct str rest = str_from_c(ipv4);
    size_t at = str_find(rest, '%');
    buf_add(out, str_head(rest, at));
    buf_add(out, buf_str(&number));
    buf_add(out, str_skip(rest, at + 2));
    buf_done(&number);
    return buf_str(out);
}

static void the_default_routes_of_both_families_are_found(void **state)
{
    struct buf text = BUF_INIT(1000);
    struct gateways g = { 0 };

    (void)state;
    gateways_read_ipv4(&g, ipv4_text(&text));
    assert_int_equal(g.n, 1);
    assert_string_equal(ip_text(&g.items[0]).c, "172.17.0.1");
    gateways_read_ipv6(&g, str_from_c(ipv6));
    assert_int_equal(g.n, 2);
    assert_string_equal(ip_text(&g.items[1]).c, "fd00::1");
    buf_done(&text);
}

/* Nothing of it is trusted to be whole: each piece is read as far as it goes. */
static void a_text_cut_anywhere_is_no_harm(void **state)
{
    struct buf text = BUF_INIT(1000);
    struct str whole = ipv4_text(&text);

    (void)state;
    for (size_t n = 0; n <= whole.n; n++) {
        struct gateways g = { 0 };
        char *copy = exact_copy(str_head(whole, n));
        gateways_read_ipv4(&g, str_of(copy, n));
        assert_true(g.n <= 1);
        free(copy);
    }
    for (size_t n = 0; n < sizeof(ipv6); n++) {
        struct gateways g = { 0 };
        char *copy = exact_copy(str_of(ipv6, n));
        gateways_read_ipv6(&g, str_of(copy, n));
        assert_true(g.n <= 1);
        free(copy);
    }
    struct gateways many = { 0 };
    for (size_t i = 0; i < 2 * GATEWAYS_MAX; i++)
        gateways_read_ipv6(&many, str_from_c(ipv6));
    assert_int_equal(many.n, GATEWAYS_MAX);
    buf_done(&text);
}

static void relaying_for_the_gateway_is_a_warning_where_it_is_written(void **state)
{
    static const struct {
        struct str text;
        unsigned warnings;
        uint32_t column;
    } rows[] = {
        { STR_INIT("relay-from 172.16.0.0/12;\nlisten 25;\n"), 1, 12 },
        { STR_INIT("relay-from 10.0.0.0/8 fd00::/8;\n"), 1, 23 },
        { STR_INIT("relay-from 127.0.0.1 10.0.0.0/8;\n"), 0, 0 },
        { STR_INIT("listen 25 { relay-from 172.17.0.1; }\n"), 1, 24 },
        { STR_INIT("listen 25;\n"), 0, 0 },
    };
    struct gateways g = { 0 };
    struct buf text = BUF_INIT(1000);

    (void)state;
    gateways_read_ipv4(&g, ipv4_text(&text));
    gateways_read_ipv6(&g, str_from_c(ipv6));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct parsed p;
        parse_text(&p, rows[i].text);
        assert_non_null(p.c);
        struct needs_report report = { .diag = &p.diag };
        gateways_compare(&g, p.c, &report);
        assert_int_equal(p.diag.warnings, rows[i].warnings);
        if (rows[i].warnings)
            assert_int_equal(p.diag.items[0].place.column, rows[i].column);
        parsed_done(&p);
    }
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_routes_of_both_families_are_found),
        cmocka_unit_test(a_text_cut_anywhere_is_no_harm),
        cmocka_unit_test(relaying_for_the_gateway_is_a_warning_where_it_is_written),
    };

    return cmocka_run_group_tests_name("cmd/gateway", tests, NULL, NULL);
}
