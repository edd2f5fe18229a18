/* Plans as octets, and the set of hosts that names a site. */
#include "tests/unit/unit.h"

#include "route/plan.h"

static const struct route_plan_address addresses[] = {
    { .host = STR_INIT("mx1.example.net"), .address = { IP_V4, { 192, 0, 2, 1 } }, .port = 25, .preference = 10,
      .secure = true, .by_mx = true, .domain = STR_INIT("example.net") },
    { .host = STR_INIT("mx1.example.net"), .address = { IP_V6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, .port = 25,
      .preference = 10, .secure = true, .by_mx = true },
    { .host = STR_INIT("[192.0.2.9]"), .address = { IP_V4, { 192, 0, 2, 9 } }, .port = UINT16_MAX,
      .preference = UINT16_MAX, .tls_at_once = true },
    { .host = STR_INIT("store.example.net"), .address = { IP_V4, { 198, 51, 100, 7 } }, .port = 24,
      .protocol = ROUTE_PLAN_LMTP },
    { .host = STR_INIT("unix:/run/dovecot/lmtp"), .path = STR_INIT("/run/dovecot/lmtp"),
      .protocol = ROUTE_PLAN_LMTP, .group = UINT8_MAX, .fallback = true },
};

static const struct route_plan plan = { .secure = true, .addresses = addresses, .n = ARRAY_LEN(addresses) };

static bool decodes(struct str octets)
{
    struct arena *a = arena_new(64 << 10);
    char *copy = exact_copy(octets);
    struct route_plan got;
    bool ok = route_plan_decode(str_of(copy, octets.n), a, &got);

    free(copy);
    arena_free(a);
    return ok;
}

static void assert_same(const struct route_plan *got, const struct route_plan *want)
{
    assert_int_equal(got->secure, want->secure);
    assert_int_equal(got->n, want->n);
    for (size_t i = 0; i < got->n; i++) {
        const struct route_plan_address *g = &got->addresses[i], *w = &want->addresses[i];
        assert_str_is(g->host, w->host);
        assert_str_is(g->path, w->path);
        assert_true(ip_eq(&g->address, &w->address));
        assert_int_equal(g->port, w->port);
        assert_int_equal(g->preference, w->preference);
        assert_int_equal(g->secure, w->secure);
        assert_int_equal(g->by_mx, w->by_mx);
        assert_str_is(g->domain, w->domain);
        assert_int_equal(g->tls_at_once, w->tls_at_once);
        assert_int_equal(g->fallback, w->fallback);
        assert_int_equal(g->group, w->group);
        assert_int_equal(g->protocol, w->protocol);
    }
}

static void plans_come_back_as_they_were(void **state)
{
    struct buf out = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);
    struct arena *a = arena_new(64 << 10);
    struct route_plan got;

    (void)state;
    assert_true(route_plan_encode(&out, &plan));
    char *copy = exact_copy(buf_str(&out));
    assert_true(route_plan_decode(str_of(copy, out.n), a, &got));
    assert_same(&got, &plan);
    free(copy);
    arena_free(a);
    buf_done(&out);
}

static void an_empty_plan_is_a_plan(void **state)
{
    struct buf out = BUF_INIT(100);
    struct arena *a = arena_new(64 << 10);
    struct route_plan got = { .n = 7 };

    (void)state;
    assert_true(route_plan_encode(&out, &(struct route_plan){ 0 }));
    assert_true(route_plan_decode(buf_str(&out), a, &got));
    assert_same(&got, &(struct route_plan){ 0 });
    arena_free(a);
    buf_done(&out);
}

/* A plan that is cut within an address is none; one that is cut between two is that of the first ones. */
static void plans_that_are_cut_are_refused(void **state)
{
    struct buf out = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);
    size_t whole = 0;

    (void)state;
    assert_true(route_plan_encode(&out, &plan));
    for (size_t n = 0; n < out.n; n++)
        whole += decodes(str_head(buf_str(&out), n));
    assert_int_equal(whole, ARRAY_LEN(addresses));
    buf_done(&out);
}

static bool decodes_one(struct route_plan_address address)
{
    struct buf out = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);
    bool ok;

    assert_true(route_plan_encode(&out, &(struct route_plan){ .addresses = &address, .n = 1 }));
    ok = decodes(buf_str(&out));
    buf_done(&out);
    return ok;
}

static void addresses_that_cannot_be_connected_to_are_refused(void **state)
{
    struct ip v4 = { IP_V4, { 192, 0, 2, 1 } }, odd = { IP_V4, { 192, 0, 2, 1, 1 } }, none = { 0 };
    struct str host = STR("mx.example");

    (void)state;
    assert_true(decodes_one((struct route_plan_address){ .host = host, .address = v4, .port = 25 }));
    assert_false(decodes_one((struct route_plan_address){ .host = STR_NONE, .address = v4, .port = 25 }));
    assert_false(decodes_one((struct route_plan_address){ .host = host, .address = v4, .port = 0 }));
    assert_false(decodes_one((struct route_plan_address){ .host = host, .address = none, .port = 25 }));
    assert_false(decodes_one((struct route_plan_address){ .host = host, .address = odd, .port = 25 }));
    assert_false(decodes_one((struct route_plan_address){ .host = STR("a\nb"), .address = v4, .port = 25 }));
    assert_false(decodes_one((struct route_plan_address){ .host = STR("a\x7f"), .address = v4, .port = 25 }));
    assert_true(decodes_one((struct route_plan_address){ .host = STR("unix:/l"), .path = STR("/l") }));
    assert_false(decodes_one((struct route_plan_address){ .host = STR("unix:/l"), .path = STR("/l\0x") }));
    assert_false(decodes_one((struct route_plan_address){ .host = STR("unix:/l"), .path = STR("/l"), .port = 24 }));
    assert_false(decodes_one((struct route_plan_address){ .host = STR("unix:/l"), .path = STR("/l"),
                                                          .address = v4 }));
}

static void unknown_flags_and_families_are_refused(void **state)
{
    struct buf out = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);

    (void)state;
    assert_true(route_plan_encode(&out, &(struct route_plan){ .addresses = addresses, .n = 1 }));
    assert_true(decodes(buf_str(&out)));
    out.p[0] = 2;
    assert_false(decodes(buf_str(&out)));
    out.p[0] = 0;
    out.p[1] = 32;
    assert_false(decodes(buf_str(&out)));
    out.p[1] = 0;
    out.p[2] = 3;
    assert_false(decodes(buf_str(&out)));
    buf_done(&out);
}

/* C140: equal preferences in random order, for each connection; each host's addresses in the order of the resolver. */
static void hosts_of_equal_preference_take_turns_and_nothing_else_moves(void **state)
{
    struct route_plan_address all[8];
    unsigned first[3] = { 0 };

    (void)state;
    /* Three hosts of preference 10 with two addresses each, one of 20, and one that the configuration names. */
    for (unsigned i = 0; i < 8; i++)
        all[i] = (struct route_plan_address){
            .host = i < 2 ? STR("a") : i < 4 ? STR("b") : i < 6 ? STR("c") : i < 7 ? STR("d") : STR("e"),
            .address = { IP_V4, { 192, 0, 2, (unsigned char)i } },
            .port = 25,
            .preference = i < 6 ? 10 : i < 7 ? 20 : 0,
            .by_mx = i < 7,
        };
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct arena *a = arena_new(64 << 10);
        struct route_plan got = { .addresses = all, .n = ARRAY_LEN(all) };
        route_plan_shuffle(&got, seed * 0x9e3779b97f4a7c15U, a);
        assert_int_equal(got.n, ARRAY_LEN(all));
        first[got.addresses[0].host.p[0] - 'a']++;
        for (size_t i = 0; i < 6; i += 2) {
            assert_str_is(got.addresses[i].host, got.addresses[i + 1].host);
            assert_true(got.addresses[i].address.octets[3] + 1 == got.addresses[i + 1].address.octets[3]);
        }
        assert_str_is(got.addresses[6].host, STR("d"));
        assert_str_is(got.addresses[7].host, STR("e"));
        arena_free(a);
    }
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        assert_true(first[i] > 60);
}

/* Two targets by MX with one preference, and a fallback, are three: the order of targets is the administrator's. */
static void hosts_of_different_targets_are_not_mixed(void **state)
{
    struct route_plan_address all[6];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        all[i] = (struct route_plan_address){
            .host = i % 2 ? STR("b") : STR("a"),
            .address = { IP_V4, { 192, 0, 2, (unsigned char)i } },
            .port = 25,
            .preference = 10,
            .by_mx = true,
            .group = (uint8_t)(i / 2),
            .fallback = i > 3,
        };
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct arena *a = arena_new(64 << 10);
        struct route_plan got = { .addresses = all, .n = ARRAY_LEN(all) };
        route_plan_shuffle(&got, seed * 0x9e3779b97f4a7c15U, a);
        for (size_t i = 0; i < ARRAY_LEN(all); i++)
            assert_int_equal(got.addresses[i].group, i / 2);
        assert_int_equal(route_plan_before_fallback(&got), 4);
        arena_free(a);
    }
}

/* What a site is found by. */
static void names_are_of_the_hosts_that_mail_is_meant_for(void **state)
{
    struct str names[8];
    struct route_plan_address two[2] = { addresses[0], addresses[3] };

    (void)state;
    assert_int_equal(route_plan_names(&plan, names, ARRAY_LEN(names)), 3);
    assert_str_is(names[0], STR("mx1.example.net"));
    assert_str_is(names[1], STR("192.0.2.9"));
    assert_str_is(names[2], STR("store.example.net"));
    assert_int_equal(route_plan_names(&plan, names, 1), 1);
    two[1].fallback = true;
    assert_int_equal(route_plan_names(&(struct route_plan){ .addresses = two, .n = 2 }, names, 8), 1);
    assert_int_equal(route_plan_names(&(struct route_plan){ .addresses = two + 1, .n = 1 }, names, 8), 1);
    assert_str_is(names[0], STR("store.example.net"));
    assert_int_equal(route_plan_names(&(struct route_plan){ 0 }, names, 8), 0);
}

static void no_plan_has_more_addresses_than_the_maximum(void **state)
{
    struct route_plan_address many[ROUTE_PLAN_ADDRESSES_MAX];
    struct buf out = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);
    size_t before;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = addresses[0];
    assert_true(route_plan_encode(&out, &(struct route_plan){ .addresses = many, .n = ARRAY_LEN(many) }));
    assert_true(decodes(buf_str(&out)));
    before = out.n;
    assert_true(route_plan_encode(&out, &(struct route_plan){ .addresses = addresses, .n = 1 }));
    /* The second plan without its own flags: one address more. */
    memmove(out.p + before, out.p + before + 1, out.n - before - 1);
    assert_false(decodes(str_head(buf_str(&out), out.n - 1)));
    buf_done(&out);
}

static void a_plan_needs_its_room(void **state)
{
    struct buf out = BUF_INIT(40);
    struct arena *small = arena_new(8);
    struct route_plan got;

    (void)state;
    assert_false(route_plan_encode(&out, &plan));
    buf_clear(&out);
    assert_true(route_plan_encode(&out, &(struct route_plan){ .n = 0 }));
    assert_false(route_plan_decode(buf_str(&out), small, &got));
    arena_free(small);
    buf_done(&out);
}

static struct str hosts_of(struct buf *out, const struct route_plan_address *list, size_t n)
{
    buf_clear(out);
    assert_true(route_plan_hosts(&(struct route_plan){ .addresses = list, .n = n }, out));
    return buf_str(out);
}

static void hosts_are_one_text_whatever_their_order(void **state)
{
    struct route_plan_address turned[ARRAY_LEN(addresses)];
    struct str want = STR("tls:[192.0.2.9]:65535,mx1.example.net,lmtp:store.example.net:24,lmtp:unix:/run/dovecot/lmtp");
    struct buf out = BUF_INIT(1000), small = BUF_INIT(20);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        turned[i] = addresses[ARRAY_LEN(addresses) - 1 - i];
    assert_str_is(hosts_of(&out, addresses, ARRAY_LEN(addresses)), want);
    assert_str_is(hosts_of(&out, turned, ARRAY_LEN(turned)), want);
    assert_str_is(hosts_of(&out, NULL, 0), STR(""));
    assert_false(route_plan_hosts(&plan, &small));
    buf_done(&out);
    buf_done(&small);
}

static void one_host_at_two_ports_or_protocols_is_two(void **state)
{
    struct route_plan_address list[] = { addresses[0], addresses[0], addresses[0], addresses[0] };
    struct buf out = BUF_INIT(1000);

    (void)state;
    list[1].port = 2525;
    list[2].protocol = ROUTE_PLAN_LMTP;
    assert_str_is(hosts_of(&out, list, ARRAY_LEN(list)),
                  STR("mx1.example.net,lmtp:mx1.example.net,mx1.example.net:2525"));
    buf_done(&out);
}

static void domains_are_named_once_each(void **state)
{
    struct route_plan_address list[] = { addresses[0], addresses[0], addresses[0], addresses[3] };
    struct buf out = BUF_INIT(1000), small = BUF_INIT(20);

    (void)state;
    list[1].domain = STR("example.org");
    assert_true(route_plan_domains(&(struct route_plan){ .addresses = list, .n = ARRAY_LEN(list) }, &out));
    assert_str_is(buf_str(&out), STR(" example.net example.org"));
    assert_false(route_plan_domains(&(struct route_plan){ .addresses = list, .n = ARRAY_LEN(list) }, &small));
    buf_done(&out);
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_come_back_as_they_were),
        cmocka_unit_test(an_empty_plan_is_a_plan),
        cmocka_unit_test(plans_that_are_cut_are_refused),
        cmocka_unit_test(addresses_that_cannot_be_connected_to_are_refused),
        cmocka_unit_test(unknown_flags_and_families_are_refused),
        cmocka_unit_test(hosts_of_equal_preference_take_turns_and_nothing_else_moves),
        cmocka_unit_test(hosts_of_different_targets_are_not_mixed),
        cmocka_unit_test(names_are_of_the_hosts_that_mail_is_meant_for),
        cmocka_unit_test(no_plan_has_more_addresses_than_the_maximum),
        cmocka_unit_test(a_plan_needs_its_room),
        cmocka_unit_test(hosts_are_one_text_whatever_their_order),
        cmocka_unit_test(one_host_at_two_ports_or_protocols_is_two),
        cmocka_unit_test(domains_are_named_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
