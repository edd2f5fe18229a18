/* By which names a next hop is known: what is written, what the configuration names, never what an unsigned MX says. */
#include "tests/unit/unit.h"

#include "route/tls.h"

#define MX(name)    { .host = STR_INIT(name), .domain = STR_INIT("example.net"), .by_mx = true }
#define NAMED(name) { .host = STR_INIT(name) }

struct names_case {
    const char *what;
    struct config_sending sending;
    struct route_plan_address address;
    const char *names; /* parted by blanks */
    bool of_domain;
};

static void check(const struct names_case *c)
{
    struct buf got = BUF_INIT(1000);
    struct route_tls_names names;

    route_tls_names(&c->sending, &c->address, &names);
    for (size_t i = 0; i < names.n; i++)
        buf_printf(&got, "%s%.*s", i ? " " : "", STR_ARG(names.items[i]));
    if (!str_eq(buf_str(&got), str_from_c(c->names)))
        fail_msg("%s: %.*s", c->what, STR_ARG(buf_str(&got)));
    assert_int_equal(route_tls_is_of_domain(&c->sending), c->of_domain);
    buf_done(&got);
}

/* C100, C105; FACE 1.7. */
static void names_are_those_of_the_level(void **state)
{
    static const struct str written[] = { STR_INIT("a.example"), STR_INIT("b.example") };
    static const struct names_case cases[] = {
        { "verify, by MX", { .tls.level = CONFIG_TLS_VERIFY }, MX("mx.example.org"), "mx.example.org", false },
        { "verify, named", { .tls.level = CONFIG_TLS_VERIFY }, NAMED("mx.example.org"), "mx.example.org", false },
        { "verify, written",
          { .tls = { .level = CONFIG_TLS_VERIFY, .names = written, .n_names = 2 } },
          MX("mx.example.org"), "a.example b.example", false },
        { "secure, by MX elsewhere", { .tls.level = CONFIG_TLS_SECURE }, MX("mx.example.org"), "example.net", true },
        { "secure, by MX below the domain",
          { .tls.level = CONFIG_TLS_SECURE }, MX("mx.example.net"), "example.net mx.example.net", true },
        { "secure, a name that only ends so",
          { .tls.level = CONFIG_TLS_SECURE }, MX("badexample.net"), "example.net", true },
        { "secure, the domain itself", { .tls.level = CONFIG_TLS_SECURE }, MX("example.net"), "example.net", true },
        { "secure, nothing below", { .tls.level = CONFIG_TLS_SECURE }, MX(".example.net"), "example.net", true },
        { "secure, named", { .tls.level = CONFIG_TLS_SECURE }, NAMED("mx.example.org"), "mx.example.org", true },
        { "secure, written",
          { .tls = { .level = CONFIG_TLS_SECURE, .names = written, .n_names = 1 } },
          MX("mx.example.org"), "a.example", false },
        { "a password follows no MX",
          { .tls.level = CONFIG_TLS_VERIFY, .login = true }, MX("mx.example.org"), "example.net", true },
        { "a password, named",
          { .tls.level = CONFIG_TLS_VERIFY, .login = true }, NAMED("mx.example.org"), "mx.example.org", true },
        { "an address literal has none", { .tls.level = CONFIG_TLS_VERIFY }, NAMED("[192.0.2.1]"), "", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

/* ---- where the configuration leads ---- */

#define HOST(name)   { .host = STR_INIT(name) }
#define OF(d, name)  { .host = STR_INIT(name), .domain = STR_INIT(d), .by_mx = true }
#define SOCKET(name) { .host = STR_INIT("unix:" name), .path = STR_INIT(name) }

/* ADR 0023: whoever makes plans does not choose who is told a password, nor whose certificate is good. */
static void plans_lead_where_the_configuration_does(void **state)
{
    static const struct config_target mx = { .kind = CONFIG_TARGET_MX };
    static const struct config_target other_mx = { .kind = CONFIG_TARGET_MX, .host = STR_INIT("partner.example") };
    static const struct config_target hosts[] = {
        { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("smart.example"), .port = 587 },
        { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("192.0.2.1") },
        { .kind = CONFIG_TARGET_LMTP, .host = STR_INIT("2001:db8::1") },
    };
    static const struct config_target local = { .kind = CONFIG_TARGET_LMTP_UNIX, .host = STR_INIT("/run/lmtp") };
    static const struct config_route by_mx = { .targets = &mx, .n_targets = 1, .fallback = hosts, .n_fallback = 1 };
    static const struct config_route by_other = { .targets = &other_mx, .n_targets = 1 };
    static const struct config_route named = { .targets = hosts, .n_targets = 3 };
    static const struct config_route by_socket = { .targets = &local, .n_targets = 1 };
    static const struct {
        const struct config_route *route;
        struct route_plan_address address;
        bool leads;
    } cases[] = {
        { &by_mx, OF("example.net", "mx.whoever.example"), true },
        { &by_mx, OF("[192.0.2.9]", "[192.0.2.9]"), false },
        { &by_mx, OF("evil.example", "mx.evil.example"), false },
        { &by_mx, HOST("evil.example"), false },
        { &by_mx, HOST("smart.example"), false }, /* in vain before the fallback */
        { &by_mx, { .host = STR_INIT("smart.example"), .fallback = true }, true },
        { &by_mx, { .host = STR_INIT("evil.example"), .fallback = true }, false },
        { &by_mx, { .host = STR_INIT("x"), .domain = STR_INIT("example.net"), .path = STR_INIT("/run/evil") }, false },
        { &by_other, OF("partner.example", "mx.whoever.example"), true },
        { &by_other, OF("example.net", "mx.whoever.example"), false },
        { &named, HOST("smart.example"), true },
        { &named, HOST("[192.0.2.1]"), true },
        { &named, HOST("[2001:db8::1]"), true },
        { &named, HOST("evil.example"), false },
        { &named, HOST("[192.0.2.9]"), false },
        { &named, OF("smart.example", "smart.example"), false },
        { &named, OF("evil.example", "evil.example"), false },
        { &named, SOCKET("/run/lmtp"), false },
        { &by_socket, SOCKET("/run/lmtp"), true },
        { &by_socket, SOCKET("/run/evil"), false },
        { &by_socket, HOST("/run/lmtp"), false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (route_tls_leads_to(cases[i].route, &cases[i].address, STR("example.net")) != cases[i].leads)
            fail_msg("%zu: %.*s", i, STR_ARG(cases[i].address.host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_level),
        cmocka_unit_test(plans_lead_where_the_configuration_does),
    };

    return cmocka_run_group_tests_name("route/tls", tests, NULL, NULL);
}
