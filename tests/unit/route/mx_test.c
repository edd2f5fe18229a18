/* From what the DNS says to the plan: rows of a pretended DNS, and the plan as one text. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/bug.h"
#include "route/mx.h"

enum { ARENA_MAX = 4 << 20, TEXT_MAX = 4000 };

/*
 * What the DNS says. DATA: records parted by blanks ("10:mx.example 20:.", "192.0.2.1"), or one of the words nxdomain,
 * fails, bogus; no row at all is "no such data". An answer is secure when DATA begins with "+".
 */
struct row {
    const char *name;
    enum dns_type type;
    const char *data;
};

struct dns {
    const struct row *rows;
    size_t n;
    struct arena *arena;
};

static const struct str our_names[] = { STR_INIT("mail.us.example"), STR_INIT("mx.us.example") };
static const struct ip our_addresses[] = {
    { IP_V4, { 203, 0, 113, 5 } }, { IP_V6, { 0x20, 1, 0xd, 0xb8, [15] = 5 } },
};

static const struct route_mx_view plain = {
    .names = our_names, .n_names = ARRAY_LEN(our_names), .own = our_addresses, .n_own = ARRAY_LEN(our_addresses),
    .port = 25, .family = CONFIG_FAMILY_ANY,
};

static void add_record(struct dns_record *r, struct str word, enum dns_type type)
{
    if (type == DNS_MX) {
        r->preference = (uint16_t)strtoul(str_cut(&word, ':').p, NULL, 10);
        r->name = word;
    } else {
        assert_true(ip_parse(word, &r->address));
    }
}

static struct dns_answer answer_of(const struct dns *dns, const char *data, enum dns_type type)
{
    struct dns_answer got = { .status = DNS_FOUND, .secure = data[0] == '+', .ttl = 300 };
    struct dns_record *records = ARENA_NEW_ARRAY(dns->arena, DNS_RECORDS_MAX, struct dns_record);
    struct str rest = str_skip(str_from_c(data), got.secure);

    got.records = records;
    if (str_eq(rest, STR("nxdomain")))
        got.status = DNS_NO_NAME;
    else if (str_eq(rest, STR("fails")))
        got = (struct dns_answer){ .status = DNS_FAILED, .error = STR("no server answered") };
    else if (str_eq(rest, STR("bogus")))
        got = (struct dns_answer){ .status = DNS_BOGUS, .error = STR("signature expired") };
    else if (!rest.n)
        got.status = DNS_NO_DATA;
    else
        while (rest.p)
            add_record(&records[got.n++], str_cut(&rest, ' '), type);
    return got;
}

static struct dns_answer look_up(const struct dns *dns, struct str name, enum dns_type type)
{
    for (size_t i = 0; i < dns->n; i++)
        if (dns->rows[i].type == type && str_eq(str_from_c(dns->rows[i].name), name))
            return answer_of(dns, dns->rows[i].data, type);
    return (struct dns_answer){ .status = DNS_NO_DATA, .ttl = 60 };
}

static void resolve_hosts(const struct route_mx_view *view, const struct dns *dns, struct route_hosts *hosts)
{
    for (size_t i = 0; i < hosts->n; i++) {
        if (hosts->items[i].want_v4)
            hosts->items[i].v4 = look_up(dns, hosts->items[i].name, DNS_A);
        if (hosts->items[i].want_v6)
            hosts->items[i].v6 = look_up(dns, hosts->items[i].name, DNS_AAAA);
    }
    if (hosts->why.trouble == ROUTE_TROUBLE_NONE)
        route_mx_addresses(view, dns->arena, hosts);
}

/* "mx1.example 192.0.2.1 2001:db8::1, mx2.example …"; "!" behind what is secure; or "!TROUBLE CODE TEXT". */
static void write_plan(char out[TEXT_MAX], const struct route_plan *plan)
{
    struct str host = STR_NONE;
    size_t n = 0;

    n += (size_t)snprintf(out, TEXT_MAX, "%s", plan->secure ? "secure " : "");
    for (size_t i = 0; i < plan->n; i++) {
        const struct route_plan_address *a = &plan->addresses[i];
        struct ip_text text = ip_text(&a->address);
        if (!str_eq(host, a->host))
            n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s%s%.*s%s", i ? ", " : "", a->fallback ? "else " : "",
                                  STR_ARG(a->host), a->secure ? "!" : "");
        host = a->host;
        n += (size_t)snprintf(out + n, TEXT_MAX - n, " %s", text.c);
    }
}

static void write_trouble(char out[TEXT_MAX], const struct route_no_plan *why)
{
    static const char *const names[] = { "none", "no-domain", "no-mx", "null-mx", "loop", "dns" };

    snprintf(out, TEXT_MAX, "%s %.*s: %.*s", names[why->trouble], STR_ARG(why->code), STR_ARG(why->text));
}

static bool join_plan(struct route_hosts *targets, size_t n, size_t n_fallback, struct arena *a, struct route_plan *plan,
                      uint64_t *keep, struct route_no_plan *why)
{
    const struct route_targets all = { .items = targets, .n = n, .n_fallback = n_fallback };

    return route_mx_join(&all, a, plan, keep, why);
}

static void join(struct route_hosts *targets, size_t n, size_t n_fallback, struct arena *a, char out[TEXT_MAX],
                 uint64_t *keep)
{
    struct route_plan plan;
    struct route_no_plan why;

    if (join_plan(targets, n, n_fallback, a, &plan, keep, &why))
        write_plan(out, &plan);
    else
        write_trouble(out, &why);
}

static void plan_of(const struct route_mx_view *view, const char *domain, const struct dns *dns, char out[TEXT_MAX],
                    uint64_t *keep)
{
    struct route_hosts hosts;
    struct str name = str_from_c(domain);
    struct dns_answer mx = look_up(dns, name, DNS_MX);
    bool ok = domain[0] == '[' ? route_mx_literal(view, name, dns->arena, &hosts)
                               : route_mx_hosts(view, name, &mx, 1, dns->arena, &hosts);

    assert_int_equal(ok, hosts.why.trouble == ROUTE_TROUBLE_NONE);
    resolve_hosts(view, dns, &hosts);
    join(&hosts, 1, 0, dns->arena, out, keep);
}

static uint64_t assert_plan_of(const struct route_mx_view *view, const char *domain, const struct row *rows, size_t n,
                               const char *want)
{
    struct dns dns = { rows, n, arena_new(ARENA_MAX) };
    char got[TEXT_MAX];
    uint64_t keep;

    plan_of(view, domain, &dns, got, &keep);
    assert_string_equal(got, want);
    arena_free(dns.arena);
    return keep;
}

#define assert_plan(domain, want, ...)                                                                       \
    assert_plan_of(&plain, (domain), (const struct row[]){ __VA_ARGS__ },                                    \
                   ARRAY_LEN(((const struct row[]){ __VA_ARGS__ })), (want))

/* ---- which hosts ---- */

static void lower_preference_comes_first(void **state) /* C140 */
{
    (void)state;
    assert_plan("a.example", "m1.example 192.0.2.1 192.0.2.2, m2.example 192.0.2.3, m3.example 192.0.2.4",
                { "a.example", DNS_MX, "20:m2.example 10:m1.example 65535:m3.example" },
                { "m1.example", DNS_A, "192.0.2.1 192.0.2.2" }, { "m2.example", DNS_A, "192.0.2.3" },
                { "m3.example", DNS_A, "192.0.2.4" });
}

static void equal_preferences_take_turns(void **state) /* C140 */
{
    struct dns dns = { NULL, 0, arena_new(ARENA_MAX) };
    struct dns_answer mx = answer_of(&dns, "10:a.example 10:b.example 10:c.example 5:first.example", DNS_MX);
    unsigned first[3] = { 0 };

    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct route_hosts hosts;
        assert_true(route_mx_hosts(&plain, STR("d.example"), &mx, seed, dns.arena, &hosts));
        assert_int_equal(hosts.n, 4);
        assert_str_is(hosts.items[0].name, STR("first.example"));
        first[hosts.items[1].name.p[0] - 'a']++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(first[i] > 900 && first[i] < 1100);
    arena_free(dns.arena);
}

static void a_host_named_twice_counts_once(void **state)
{
    (void)state;
    assert_plan("a.example", "m1.example 192.0.2.1, m2.example 192.0.2.2",
                { "a.example", DNS_MX, "30:m1.example 20:m2.example 10:m1.example 15:m1.example" },
                { "m1.example", DNS_A, "192.0.2.1" }, { "m2.example", DNS_A, "192.0.2.2" });
}

static void no_mx_means_the_domain_itself(void **state) /* C137 */
{
    (void)state;
    assert_plan("a.example", "a.example 2001:db8::9 192.0.2.9", { "a.example", DNS_A, "192.0.2.9" },
                { "a.example", DNS_AAAA, "2001:db8::9" });
    assert_plan("a.example", "no-mx 5.1.2: a.example takes no mail: it has neither MX nor address",
                { "other.example", DNS_A, "192.0.2.9" });
}

static void a_domain_with_mx_is_never_its_own_host(void **state) /* C138 */
{
    (void)state;
    assert_plan("a.example", "no-mx 5.4.4: no MX host of a.example has an address",
                { "a.example", DNS_MX, "10:gone.example 20:empty.example" }, { "a.example", DNS_A, "192.0.2.9" },
                { "gone.example", DNS_A, "nxdomain" }, { "gone.example", DNS_AAAA, "nxdomain" });
    assert_plan("a.example", "no-mx 5.4.4: no MX of a.example names a host", { "a.example", DNS_MX, "10:" },
                { "a.example", DNS_A, "192.0.2.9" });
}

static void a_domain_that_does_not_exist_is_final(void **state) /* C139 */
{
    (void)state;
    assert_plan("a.example", "no-domain 5.1.2: the domain a.example does not exist",
                { "a.example", DNS_MX, "nxdomain" }, { "a.example", DNS_A, "192.0.2.9" });
}

static void a_failure_of_the_dns_is_for_later(void **state) /* C139 */
{
    (void)state;
    assert_int_equal(assert_plan("a.example", "dns 4.4.3: DNS, MX of a.example: no server answered",
                                 { "a.example", DNS_MX, "fails" }, { "a.example", DNS_A, "192.0.2.9" }),
                     30000);
    assert_plan("a.example", "dns 4.4.3: DNS, MX of a.example: DNSSEC validation failed: signature expired",
                { "a.example", DNS_MX, "bogus" });
    assert_plan("a.example", "dns 4.4.3: DNS, A of m2.example: no server answered",
                { "a.example", DNS_MX, "10:m1.example 20:m2.example" }, { "m2.example", DNS_A, "fails" });
    assert_plan("a.example", "dns 4.4.3: DNS, AAAA of a.example: DNSSEC validation failed: signature expired",
                { "a.example", DNS_AAAA, "bogus" });
}

static void what_answers_is_used_though_another_does_not(void **state)
{
    (void)state;
    assert_int_equal(assert_plan("a.example", "m2.example 192.0.2.2",
                                 { "a.example", DNS_MX, "10:m1.example 20:m2.example" },
                                 { "m1.example", DNS_A, "fails" }, { "m2.example", DNS_A, "192.0.2.2" }),
                     30000);
}

static void null_mx_takes_no_mail(void **state) /* C144 */
{
    (void)state;
    assert_plan("a.example", "null-mx 5.1.10: a.example takes no mail: its MX says so (RFC 7505)",
                { "a.example", DNS_MX, "0:." }, { "a.example", DNS_A, "192.0.2.9" });
    assert_plan("a.example", "m.example 192.0.2.1", { "a.example", DNS_MX, "0:. 10:m.example" },
                { "m.example", DNS_A, "192.0.2.1" });
    assert_plan("a.example", "no-mx 5.4.4: no MX of a.example names a host", { "a.example", DNS_MX, "0:. 5:." });
}

static void a_long_list_is_cut_behind_its_best(void **state)
{
    struct dns dns = { NULL, 0, arena_new(ARENA_MAX) };
    char data[TEXT_MAX];
    struct route_hosts hosts;
    size_t n = 0;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        n += (size_t)snprintf(data + n, sizeof(data) - n, "%s%u:m%u.example", i ? " " : "", 100 - i, 100 - i);
    struct dns_answer mx = answer_of(&dns, data, DNS_MX);
    assert_true(route_mx_hosts(&plain, STR("a.example"), &mx, 7, dns.arena, &hosts));
    assert_int_equal(hosts.n, ROUTE_MX_HOSTS_MAX);
    assert_str_is(hosts.items[0].name, STR("m41.example"));
    assert_str_is(hosts.items[ROUTE_MX_HOSTS_MAX - 1].name, STR("m60.example"));
    arena_free(dns.arena);
}

/* ---- ourselves ---- */

static void only_hosts_better_than_us_are_tried(void **state) /* C141 */
{
    const char *loop = "loop 5.4.6: mail for a.example would come back: mx.us.example is this server, and no MX host "
                       "is better";

    (void)state;
    assert_plan("a.example", "m1.example 192.0.2.1",
                { "a.example", DNS_MX, "10:m1.example 20:m2.example 20:mx.us.example 30:m3.example" },
                { "m1.example", DNS_A, "192.0.2.1" }, { "m2.example", DNS_A, "192.0.2.2" },
                { "m3.example", DNS_A, "192.0.2.3" });
    assert_plan("a.example", loop, { "a.example", DNS_MX, "10:mx.us.example 10:m1.example 30:m3.example" },
                { "m1.example", DNS_A, "192.0.2.1" });
}

static void we_are_known_by_our_addresses(void **state) /* C141 */
{
    (void)state;
    assert_plan("a.example", "m1.example 192.0.2.1",
                { "a.example", DNS_MX, "10:m1.example 20:alias.example 20:m2.example" },
                { "m1.example", DNS_A, "192.0.2.1" }, { "alias.example", DNS_A, "192.0.2.7 203.0.113.5" },
                { "m2.example", DNS_A, "192.0.2.2" });
    assert_plan("a.example",
                "loop 5.4.6: mail for a.example would come back: alias.example is this server, and no MX host is better",
                { "a.example", DNS_MX, "10:alias.example" }, { "alias.example", DNS_AAAA, "2001:db8::5" });
    assert_plan("a.example",
                "loop 5.4.6: mail for a.example would come back: alias.example is this server, and no MX host is better",
                { "a.example", DNS_MX, "10:alias.example" }, { "alias.example", DNS_AAAA, "::ffff:203.0.113.5" });
    assert_plan("a.example",
                "loop 5.4.6: mail for a.example would come back: a.example is this server, and no MX host is better",
                { "a.example", DNS_A, "203.0.113.5" });
    assert_plan("mx.us.example",
                "loop 5.4.6: mail for mx.us.example would come back: mx.us.example is this server, and no MX host is "
                "better",
                { "mx.us.example", DNS_A, "192.0.2.1" });
}

/* That the hosts before us cannot be found now is no loop. */
static void better_hosts_that_fail_are_waited_for(void **state)
{
    (void)state;
    assert_plan("a.example", "dns 4.4.3: DNS, A of m1.example: no server answered",
                { "a.example", DNS_MX, "10:m1.example 20:mx.us.example" }, { "m1.example", DNS_A, "fails" });
}

static void addresses_of_no_server_are_left_out(void **state)
{
    static const char *const nowhere[] = { "127.0.0.1",  "127.255.1.1", "0.0.0.0", "0.1.2.3", "169.254.1.1",
                                           "224.0.0.1",  "255.255.255.255" };
    static const char *const nowhere6[] = { "::", "::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1" };
    const char *want = "no-mx 5.4.4: a.example leads to addresses of no mail server (loopback, link-local or the like)";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
        assert_plan("a.example", want, { "a.example", DNS_MX, "10:m.example" }, { "m.example", DNS_A, nowhere[i] });
    for (size_t i = 0; i < ARRAY_LEN(nowhere6); i++)
        assert_plan("a.example", want, { "a.example", DNS_AAAA, nowhere6[i] });
    assert_plan("a.example", "m.example 10.1.2.3", { "a.example", DNS_MX, "10:m.example" },
                { "m.example", DNS_A, "127.0.0.1 10.1.2.3" });
}

/* ---- literals ---- */

static void address_literals_are_their_own_host(void **state)
{
    const struct row none = { "x", DNS_A, "" };

    (void)state;
    assert_plan("[192.0.2.1]", "secure [192.0.2.1]! 192.0.2.1", none);
    assert_plan("[IPv6:2001:db8::1]", "secure [IPv6:2001:db8::1]! 2001:db8::1", none);
    assert_plan("[ipv6:2001:db8::1]", "secure [ipv6:2001:db8::1]! 2001:db8::1", none);
    assert_plan("[127.0.0.1]",
                "no-mx 5.4.4: [127.0.0.1] leads to addresses of no mail server (loopback, link-local or the like)", none);
    assert_plan("[203.0.113.5]",
                "loop 5.4.6: mail for [203.0.113.5] would come back: [203.0.113.5] is this server, and no MX host is "
                "better",
                none);
    for (const char *const *bad = (const char *const[]){ "[", "[]", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[x]", NULL };
         *bad; bad++) {
        char want[100];
        snprintf(want, sizeof(want), "no-domain 5.1.2: %s is no address literal that can be sent to", *bad);
        assert_plan(*bad, want, none);
    }
}

/* ---- families, order, security, keeping ---- */

static void families_are_what_the_route_says(void **state)
{
    static const struct row rows[] = {
        { "a.example", DNS_A, "192.0.2.1 192.0.2.2" }, { "a.example", DNS_AAAA, "2001:db8::1 2001:db8::2" },
        { "b.example", DNS_AAAA, "2001:db8::b" },
    };
    static const struct {
        enum config_family family;
        const char *want;
    } cases[] = {
        { CONFIG_FAMILY_ANY, "a.example 2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2" },
        { CONFIG_FAMILY_IPV4, "a.example 192.0.2.1 192.0.2.2" },
        { CONFIG_FAMILY_IPV6, "a.example 2001:db8::1 2001:db8::2" },
        { CONFIG_FAMILY_PREFER_IPV4, "a.example 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2" },
        { CONFIG_FAMILY_PREFER_IPV6, "a.example 2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2" },
    };
    struct route_mx_view view = plain;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        view.family = cases[i].family;
        assert_plan_of(&view, "a.example", rows, ARRAY_LEN(rows), cases[i].want);
    }
    view.family = CONFIG_FAMILY_IPV4;
    assert_plan_of(&view, "b.example", rows, ARRAY_LEN(rows),
                   "no-mx 5.1.2: b.example takes no mail: it has neither MX nor IPv4 address");
}

static void plans_say_what_dnssec_proved(void **state)
{
    (void)state;
    assert_plan("a.example", "secure m1.example! 192.0.2.1, m2.example 192.0.2.2",
                { "a.example", DNS_MX, "+10:m1.example 20:m2.example" }, { "m1.example", DNS_A, "+192.0.2.1" },
                { "m1.example", DNS_AAAA, "+" }, { "m2.example", DNS_A, "+192.0.2.2" });
    assert_plan("a.example", "m1.example! 192.0.2.1", { "a.example", DNS_MX, "10:m1.example" },
                { "m1.example", DNS_A, "+192.0.2.1" }, { "m1.example", DNS_AAAA, "+" });
}

static void plans_hold_as_long_as_their_records(void **state)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct route_hosts hosts = { .addresses = NULL };
    static const struct {
        uint32_t ttl;
        uint64_t keep_msec;
    } cases[] = { { 0, 30000 }, { 29, 30000 }, { 31, 31000 }, { 3600, 3600000 }, { UINT32_MAX, 3600000 } };
    char text[TEXT_MAX];
    uint64_t keep;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        hosts.ttl = cases[i].ttl;
        hosts.gaps = false;
        join(&hosts, 1, 0, a, text, &keep);
        assert_true(keep == cases[i].keep_msec);
        hosts.gaps = true;
        join(&hosts, 1, 0, a, text, &keep);
        assert_true(keep == ROUTE_KEEP_LEAST_MSEC);
    }
    arena_free(a);
}

static void one_host_cannot_fill_the_plan(void **state)
{
    struct dns dns = { NULL, 0, arena_new(ARENA_MAX) };
    struct dns_answer mx = answer_of(&dns, "10:m1.example 20:m2.example", DNS_MX);
    char many[TEXT_MAX], text[TEXT_MAX];
    struct route_hosts hosts;
    struct route_plan plan;
    struct route_no_plan why;
    uint64_t keep;
    size_t n = 0;

    (void)state;
    for (unsigned i = 1; i <= 100; i++)
        n += (size_t)snprintf(many + n, sizeof(many) - n, "%s192.0.2.%u", i > 1 ? " " : "", i);
    const struct row rows[] = { { "m1.example", DNS_A, many }, { "m2.example", DNS_A, "198.51.100.1" } };
    dns.rows = rows;
    dns.n = ARRAY_LEN(rows);
    assert_true(route_mx_hosts(&plain, STR("a.example"), &mx, 7, dns.arena, &hosts));
    resolve_hosts(&plain, &dns, &hosts);
    assert_true(join_plan(&hosts, 1, 0, dns.arena, &plan, &keep, &why));
    assert_int_equal(plan.n, ROUTE_MX_ADDRESSES_MAX + 1);
    write_plan(text, &plan);
    assert_non_null(strstr(text, ", m2.example 198.51.100.1"));
    arena_free(dns.arena);
}

/* ---- several targets ---- */

static void target(struct route_hosts *out, const struct dns *dns, enum config_target_kind kind, const char *host,
                   uint16_t port)
{
    const struct config_target t = { .kind = kind, .host = str_from_c(host), .port = port };

    assert_true(route_mx_named(&plain, &t, dns->arena, out));
    resolve_hosts(&plain, dns, out);
}

/* RFC 8314 7.3: its port is 465, whatever that of hosts found by MX is. */
static void a_target_may_begin_with_tls(void **state)
{
    const struct config_target t = { .kind = CONFIG_TARGET_SMTP, .host = STR("192.0.2.7"), .tls_at_once = true };
    struct dns dns = { NULL, 0, arena_new(ARENA_MAX) };
    struct route_hosts hosts;
    struct route_plan plan;
    struct route_no_plan why;
    uint64_t keep;

    (void)state;
    assert_true(route_mx_named(&plain, &t, dns.arena, &hosts));
    resolve_hosts(&plain, &dns, &hosts);
    assert_true(join_plan(&hosts, 1, 0, dns.arena, &plan, &keep, &why));
    assert_int_equal(plan.addresses[0].port, 465);
    assert_true(plan.addresses[0].tls_at_once);
    assert_int_equal(plan.addresses[0].domain.n, 0);
    arena_free(dns.arena);
}

static void targets_are_tried_as_written(void **state)
{
    static const struct row rows[] = { { "one.example", DNS_A, "127.0.0.1" }, { "down.example", DNS_A, "fails" } };
    struct dns dns = { rows, ARRAY_LEN(rows), arena_new(ARENA_MAX) };
    struct route_hosts targets[6];
    struct route_plan plan;
    struct route_no_plan why;
    uint64_t keep;

    (void)state;
    target(&targets[0], &dns, CONFIG_TARGET_SMTP, "down.example", 0);
    target(&targets[1], &dns, CONFIG_TARGET_SMTP, "2001:db8::7", 2525);
    target(&targets[2], &dns, CONFIG_TARGET_LMTP, "one.example", 24);
    target(&targets[3], &dns, CONFIG_TARGET_LMTP_UNIX, "/run/lmtp", 0);
    target(&targets[4], &dns, CONFIG_TARGET_SMTP, "none.example", 0);
    target(&targets[5], &dns, CONFIG_TARGET_SMTP, "203.0.113.5", 0);
    assert_true(join_plan(targets, 6, 0, dns.arena, &plan, &keep, &why));
    assert_true(keep == ROUTE_KEEP_LEAST_MSEC);
    assert_int_equal(plan.n, 4);
    assert_str_is(plan.addresses[0].host, STR("[2001:db8::7]"));
    assert_int_equal(plan.addresses[0].port, 2525);
    /* What the administrator names may be anywhere, this machine too. */
    assert_str_is(plan.addresses[1].host, STR("one.example"));
    assert_int_equal(plan.addresses[1].protocol, ROUTE_PLAN_LMTP);
    assert_int_equal(plan.addresses[1].port, 24);
    assert_str_is(plan.addresses[2].host, STR("unix:/run/lmtp"));
    assert_str_is(plan.addresses[2].path, STR("/run/lmtp"));
    assert_str_is(plan.addresses[3].host, STR("[203.0.113.5]"));
    assert_int_equal(plan.addresses[3].port, 25);
    arena_free(dns.arena);
}

static void without_any_target_what_may_mend_counts(void **state)
{
    static const struct row rows[] = { { "down.example", DNS_A, "fails" } };
    struct dns dns = { rows, ARRAY_LEN(rows), arena_new(ARENA_MAX) };
    struct route_hosts targets[2];
    char text[TEXT_MAX];
    uint64_t keep;

    (void)state;
    target(&targets[0], &dns, CONFIG_TARGET_SMTP, "none.example", 0);
    target(&targets[1], &dns, CONFIG_TARGET_SMTP, "down.example", 0);
    join(targets, 2, 0, dns.arena, text, &keep);
    assert_string_equal(text, "dns 4.4.3: DNS, A of down.example: no server answered");
    join(targets, 1, 0, dns.arena, text, &keep);
    assert_string_equal(text, "no-mx 5.4.4: the next hop none.example has no address");
    arena_free(dns.arena);
}

/* ---- the fallback ---- */

static void mx_target(struct route_hosts *out, const struct dns *dns, const char *domain)
{
    struct str name = str_from_c(domain);
    struct dns_answer mx = look_up(dns, name, DNS_MX);

    (void)!route_mx_hosts(&plain, name, &mx, 1, dns->arena, out);
    resolve_hosts(&plain, dns, out);
}

/* DOMAIN by its MX, and behind it smtp://FALLBACK. */
static void assert_falls_back(const char *domain, const char *fallback, const char *want)
{
    static const struct row rows[] = {
        { "good.example", DNS_MX, "+10:m.example" }, { "m.example", DNS_A, "+192.0.2.1" },
        { "null.example", DNS_MX, "0:." },           { "gone.example", DNS_MX, "nxdomain" },
        { "down.example", DNS_MX, "fails" },         { "down.example", DNS_A, "fails" },
        { "loop.example", DNS_MX, "10:mail.us.example" },
        { "local.example", DNS_MX, "10:lo.example" }, { "lo.example", DNS_A, "127.0.0.1" },
        { "b.example", DNS_A, "198.51.100.1" },
    };
    struct dns dns = { rows, ARRAY_LEN(rows), arena_new(ARENA_MAX) };
    struct route_hosts targets[2];
    char text[TEXT_MAX];
    uint64_t keep;

    mx_target(&targets[0], &dns, domain);
    target(&targets[1], &dns, CONFIG_TARGET_SMTP, fallback, 0);
    join(targets, 1, 1, dns.arena, text, &keep);
    assert_string_equal(text, want);
    if (str_eq(str_from_c(domain), STR("down.example")))
        assert_true(keep == ROUTE_KEEP_LEAST_MSEC);
    arena_free(dns.arena);
}

static void the_fallback_comes_last_and_alone_where_the_route_leads_nowhere(void **state)
{
    (void)state;
    assert_falls_back("good.example", "b.example", "secure m.example 192.0.2.1, else b.example 198.51.100.1");
    assert_falls_back("gone.example", "b.example", "secure else b.example 198.51.100.1");
    assert_falls_back("down.example", "b.example", "secure else b.example 198.51.100.1");
    assert_falls_back("local.example", "b.example", "secure else b.example 198.51.100.1");
    assert_falls_back("good.example", "none.example", "secure m.example 192.0.2.1");
}

/* C138 (RFC 7505 3), C141: who takes no mail wants it no other way, and what comes back to us would come back so, too. */
static void neither_a_null_mx_nor_a_loop_falls_back(void **state)
{
    (void)state;
    assert_falls_back("null.example", "b.example", "null-mx 5.1.10: null.example takes no mail: its MX says so (RFC 7505)");
    assert_falls_back("loop.example", "b.example",
                      "loop 5.4.6: mail for loop.example would come back: mail.us.example is this server, and no MX host "
                      "is better");
}

static void where_neither_leads_anywhere_what_may_mend_counts(void **state)
{
    (void)state;
    assert_falls_back("gone.example", "down.example", "dns 4.4.3: DNS, A of down.example: no server answered");
    assert_falls_back("gone.example", "none.example", "no-domain 5.1.2: the domain gone.example does not exist");
    assert_falls_back("down.example", "none.example", "dns 4.4.3: DNS, MX of down.example: no server answered");
}

static void a_fallback_has_room_however_many_hosts_come_first(void **state)
{
    struct dns dns = { NULL, 0, arena_new(ARENA_MAX) };
    struct route_hosts targets[70];
    struct route_plan plan;
    struct route_no_plan why;
    uint64_t keep;

    (void)state;
    for (unsigned i = 0; i < 70; i++) {
        char address[20];
        snprintf(address, sizeof(address), "192.0.2.%u", i);
        struct str name = arena_str(dns.arena, str_from_c(address));
        const struct config_target t = { .kind = CONFIG_TARGET_SMTP, .host = name };
        assert_true(route_mx_named(&plain, &t, dns.arena, &targets[i]));
        resolve_hosts(&plain, &dns, &targets[i]);
    }
    assert_true(join_plan(targets, 68, 2, dns.arena, &plan, &keep, &why));
    assert_int_equal(plan.n, ROUTE_PLAN_ADDRESSES_MAX);
    assert_int_equal(route_plan_before_fallback(&plan), ROUTE_PLAN_ADDRESSES_MAX - 2);
    assert_str_is(plan.addresses[plan.n - 1].host, STR("[192.0.2.69]"));
    assert_int_equal(plan.addresses[plan.n - 1].group, ROUTE_PLAN_ADDRESSES_MAX - 1);
    arena_free(dns.arena);
}

/* A site's address-family, known once the hosts are. */
static void another_family_is_asked_for_where_a_site_says_so(void **state)
{
    static const struct row rows[] = {
        { "a.example", DNS_MX, "10:m.example" }, { "m.example", DNS_A, "192.0.2.1" }, { "m.example", DNS_AAAA, "2001:db8::1" },
    };
    struct dns dns = { rows, ARRAY_LEN(rows), arena_new(ARENA_MAX) };
    struct dns_answer mx = look_up(&dns, STR("a.example"), DNS_MX);
    const struct config_target literal = { .kind = CONFIG_TARGET_SMTP, .host = STR("192.0.2.9") };
    struct route_hosts hosts;
    char text[TEXT_MAX];
    uint64_t keep;

    (void)state;
    assert_true(route_mx_hosts(&plain, STR("a.example"), &mx, 1, dns.arena, &hosts));
    route_mx_family(&hosts, CONFIG_FAMILY_IPV6);
    assert_true(hosts.items[0].want_v6 && !hosts.items[0].want_v4);
    resolve_hosts(&plain, &dns, &hosts);
    join(&hosts, 1, 0, dns.arena, text, &keep);
    assert_string_equal(text, "m.example 2001:db8::1");
    assert_true(route_mx_hosts(&plain, STR("a.example"), &mx, 1, dns.arena, &hosts));
    route_mx_family(&hosts, CONFIG_FAMILY_PREFER_IPV4);
    resolve_hosts(&plain, &dns, &hosts);
    join(&hosts, 1, 0, dns.arena, text, &keep);
    assert_string_equal(text, "m.example 192.0.2.1 2001:db8::1");
    /* Of an address that is written, nothing is asked. */
    assert_true(route_mx_named(&plain, &literal, dns.arena, &hosts));
    route_mx_family(&hosts, CONFIG_FAMILY_IPV6);
    assert_true(!hosts.items[0].want_v6 && !hosts.items[0].want_v4);
    arena_free(dns.arena);
}

/* With every size of memory that is too small: an answer, and the temporary one. */
static void without_memory_it_is_for_later(void **state)
{
    static const struct row rows[] = { { "m.example", DNS_A, "192.0.2.1" } };
    struct dns dns = { rows, ARRAY_LEN(rows), arena_new(ARENA_MAX) };
    struct dns_answer mx = answer_of(&dns, "10:m.example", DNS_MX);
    struct arena *small = NULL;
    struct route_plan plan = { 0 };
    bool ok = false;

    (void)state;
    for (size_t max = 8; !ok; max += 256) {
        struct route_hosts hosts;
        struct route_no_plan why;
        uint64_t keep;
        arena_free(small);
        small = arena_new(max);
        assert_true(route_mx_hosts(&plain, STR("a.example"), &mx, 7, small, &hosts));
        hosts.items[0].v4 = look_up(&dns, STR("m.example"), DNS_A);
        route_mx_addresses(&plain, small, &hosts);
        ok = join_plan(&hosts, 1, 0, small, &plan, &keep, &why);
        assert_true(ok || why.trouble == ROUTE_TROUBLE_DNS);
    }
    assert_int_equal(plan.n, 1);
    arena_free(small);
    arena_free(dns.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_preference_comes_first),
        cmocka_unit_test(equal_preferences_take_turns),
        cmocka_unit_test(a_host_named_twice_counts_once),
        cmocka_unit_test(no_mx_means_the_domain_itself),
        cmocka_unit_test(a_domain_with_mx_is_never_its_own_host),
        cmocka_unit_test(a_domain_that_does_not_exist_is_final),
        cmocka_unit_test(a_failure_of_the_dns_is_for_later),
        cmocka_unit_test(what_answers_is_used_though_another_does_not),
        cmocka_unit_test(null_mx_takes_no_mail),
        cmocka_unit_test(a_long_list_is_cut_behind_its_best),
        cmocka_unit_test(only_hosts_better_than_us_are_tried),
        cmocka_unit_test(we_are_known_by_our_addresses),
        cmocka_unit_test(better_hosts_that_fail_are_waited_for),
        cmocka_unit_test(addresses_of_no_server_are_left_out),
        cmocka_unit_test(address_literals_are_their_own_host),
        cmocka_unit_test(families_are_what_the_route_says),
        cmocka_unit_test(plans_say_what_dnssec_proved),
        cmocka_unit_test(plans_hold_as_long_as_their_records),
        cmocka_unit_test(one_host_cannot_fill_the_plan),
        cmocka_unit_test(a_target_may_begin_with_tls),
        cmocka_unit_test(targets_are_tried_as_written),
        cmocka_unit_test(without_any_target_what_may_mend_counts),
        cmocka_unit_test(the_fallback_comes_last_and_alone_where_the_route_leads_nowhere),
        cmocka_unit_test(neither_a_null_mx_nor_a_loop_falls_back),
        cmocka_unit_test(where_neither_leads_anywhere_what_may_mend_counts),
        cmocka_unit_test(a_fallback_has_room_however_many_hosts_come_first),
        cmocka_unit_test(another_family_is_asked_for_where_a_site_says_so),
        cmocka_unit_test(without_memory_it_is_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
