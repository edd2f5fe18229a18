/* How mail goes along a route: windows, waits, reports, resolvers; their values, and where each holds. */
#include "tests/unit/config/rows.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const uint64_t day_msec = 24ULL * HOUR;

static void windows_and_waits(void **state)
{
    static const struct row rows[] = {
        { "connections 50;", NULL },
        { "connections 50 start 10;", NULL },
        { "connections 1;", NULL },
        { "connections 0;", "'0' is too little: 'connections' is 1 at least" },
        { "connections 5 start 10;", "'10' is not a start below the most connections" },
        { "connections 50 strat 10;", "'strat' is not 'start', the only word that may stand here" },
        { "connections 50 start;", "'connections' needs more: count [start count]" },
        { "reuse 100;", NULL },
        { "reuse 1 0s;", NULL },
        { "reuse 100 10s 5;", "'5' is too much for 'reuse'" },
        { "reuse 100 1h;", "'1h' is not a time of five minutes at most, such as 10s" },
        { "recipients-per-transaction 1;", NULL },
        { "recipients-per-transaction 0;", "'0' is too little: 'recipients-per-transaction' is 1 at least" },
        { "dead-host 10m;", NULL },
        { "address-family prefer-ipv6;", NULL },
        { "address-family ipv5;", "'ipv5' is no value of 'address-family' (did you mean 'ipv4'?)" },
        { "retry 5m 15m 30m 1h 2h;", NULL },
        { "retry 1h;", NULL },
        { "retry off;", "'off' is not a time" },
        { "retry 5;", "'5' is not a time (did you mean '5s'?)" },
        { "retry 1ms;", "'1ms' is too little: 'retry' is 100 at least" },
        { "retry;", "'retry' needs more: time…" },
        { "retry 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 2s;",
          "'2s' is not among the first 32 times, and there are no more" },
        { "expire 10d;", NULL },
        { "expire never;", "'never' is not a time" },
        { "expire-bounces 1d;", NULL },
        { "delay-warning off;", NULL },
        { "delay-warning 4h 1d;", NULL },
        { "delay-warning 4h 1h;", "'1h' is not later than the age before it" },
        { "delay-warning 4h off;", "'off' is not a time" },
        { "bounce-content headers;", NULL },
        { "bounce-content full;", NULL },
        { "bounce-content full 1M;", NULL },
        { "bounce-content fll;", "'fll' is not known here (did you mean 'full'?)" },
        { "bounce-content headers 5k;", "'5k' is too much for 'bounce-content'" },
        { "port 25;", "'port' cannot stand here" },
        { "trust-anchor /etc/root.key;", NULL },
    };
    /* C156: the schedule and the waits for a peer are parameters, of one route too. */
    static const struct row inner[] = {
        { "port 2525; address-family ipv4; connections 3; reuse 1; recipients-per-transaction 5; dead-host 1m;", NULL },
        { "retry 1m; expire 1d; delay-warning off; timeout connect 1s; timeout final 20m;", NULL },
        { "port 0;", "'0' is too little: 'port' is 1 at least" },
        { "timeout command 1m;", "'command' waits for a client or a table" },
        { "expire-bounces 1d;", "'expire-bounces' cannot stand here" },
    };
    static const struct row listen[] = {
        { "timeout connect 1s;", "'connect' waits for a host that mail goes to" },
        { "timeout lookup 1s;", NULL },
        { "retry 1m;", "'retry' cannot stand here" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    check_rows("route example.net mx { ", " }", inner, ARRAY_LEN(inner));
    check_rows("domain example.net { users any; deliver mx; ", " }", inner, ARRAY_LEN(inner));
    in_listen(listen, ARRAY_LEN(listen));
}

static void resolvers(void **state)
{
    static const struct row rows[] = {
        { "resolver system;", NULL },
        { "resolver full;", NULL },
        { "resolver 127.0.0.1:53 [::1]:5353 192.0.2.53 2001:db8::53;", NULL },
        { "resolver full; resolver 192.0.2.1 for corp.example; resolver system for lab.example;", NULL },
        { "resolver 192.0.2.1; resolver 192.0.2.2;", "resolver 'for everything' is said twice" },
        { "resolver 192.0.2.1 for a.example; resolver 192.0.2.2 for A.example;",
          "resolver 'for a.example' is said twice" },
        { "resolver 192.0.2.1 for;", "'resolver' needs more: (endpoint… | system | full) [for domain]" },
        { "resolver for a.example;", "'for' is not the address of a server" },
        { "resolver sytem;", "'sytem' is not known here (did you mean 'system'?)" },
        { "resolver dns.example.org;", "'dns.example.org' is not the address of a server" },
        { "resolver 192.0.2.1:0;", "'192.0.2.1:0' is not the address of a server" },
        { "resolver 192.0.2.1 full;", "'full' stands alone: it is no server" },
        { "resolver 192.0.2.1, 192.0.2.2;", "'192.0.2.1,' ends with a comma" },
        { "resolver system 192.0.2.1;", "'192.0.2.1' is not 'for', the only word that may stand here" },
        { "resolver 192.0.2.1 for a.example b.example;", "'b.example' is too much for 'resolver'" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static const struct config *parse_well(struct parsed *p, const char *text)
{
    struct str s = str_from_c(text);
    char *copy = exact_copy(s);

    parse_text(p, str_of(copy, s.n));
    free(copy);
    if (!p->c)
        fail_msg("%.*s", STR_ARG(buf_str(&p->out)));
    return p->c;
}

static void nothing_written_sends_as_the_reference_says(void **state)
{
    static const uint64_t retry[] = { MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR };
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "");
    const struct config_sending *s = &c->routes[0].sending;
    assert_int_equal(s->port.n, 25);
    assert_int_equal(s->address_family.value, CONFIG_FAMILY_ANY);
    assert_true(s->connections.max == 20 && s->connections.start == 5);
    assert_true(s->reuse.count == 100 && s->reuse.idle_msec == 10 * SECOND);
    assert_int_equal(s->recipients_per_transaction.n, 100); /* C151 */
    assert_int_equal(s->dead_host.msec, 5 * MINUTE);
    assert_int_equal(s->retry.n, ARRAY_LEN(retry)); /* C156 */
    assert_memory_equal(s->retry.items, retry, sizeof(retry));
    assert_true(s->expire.msec == 5 * day_msec); /* C157 */
    assert_true(s->delay_warning.n == 1 && s->delay_warning.items[0] == 4 * HOUR);
    assert_int_equal(s->timeout_connect.msec, 30 * SECOND);
    assert_int_equal(s->timeout_greeting.msec, 5 * MINUTE); /* C153 */
    assert_int_equal(s->timeout_ehlo.msec, 5 * MINUTE);
    assert_int_equal(s->timeout_mail.msec, 5 * MINUTE);
    assert_int_equal(s->timeout_rcpt.msec, 5 * MINUTE);
    assert_int_equal(s->timeout_data.msec, 2 * MINUTE);
    assert_int_equal(s->timeout_block.msec, 3 * MINUTE);
    assert_int_equal(s->timeout_final.msec, 10 * MINUTE);
    assert_int_equal(s->timeout_quit.msec, 10 * SECOND);
    assert_true(c->expire_bounces.msec == 2 * day_msec);
    assert_true(c->bounce_content.full && c->bounce_content.octets_max == 50 * 1024);
    assert_int_equal(c->n_resolvers, 1);
    assert_int_equal(c->resolvers[0].kind, CONFIG_RESOLVER_SYSTEM);
    assert_int_equal(c->trust_anchor.text.n, 0);
    assert_true(!c->session.relay_from.everyone && !c->session.relay_from.n && !c->session.n_relay_tables);
    parsed_done(&p);
}

/* A route's block, else the top; of a domain's `deliver` its block, else the top (FACE 1.4). */
static void the_block_is_stronger_than_the_top(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "connections 7; retry 1h; timeout connect 9s; expire 3d;\n"
                       "domain a.example { users any; deliver mx; connections 2; expire 10d; port 26; }\n"
                       "domain b.example { users any; deliver mx; }\n"
                       "route c.example mx { connections 3 start 1; retry 2h 3h; timeout connect 4s; }\n");
    assert_int_equal(c->n_routes, 4);
    assert_int_equal(c->sending.connections.max, 7);
    const struct config_sending *a = &c->routes[0].sending, *b = &c->routes[1].sending;
    const struct config_sending *r = &c->routes[2].sending, *last = &c->routes[3].sending;
    assert_true(a->connections.max == 2 && a->connections.start == 2 && a->expire.msec == 10 * day_msec);
    assert_true(a->port.n == 26 && a->timeout_connect.msec == 9 * SECOND && a->retry.items[0] == HOUR);
    assert_int_equal(a->expire.place.line, 2);
    assert_true(b->connections.max == 7 && b->expire.msec == 3 * day_msec && b->port.n == 25);
    assert_true(r->connections.max == 3 && r->connections.start == 1 && r->timeout_connect.msec == 4 * SECOND);
    assert_true(r->retry.n == 2 && r->retry.items[1] == 3 * HOUR && r->expire.msec == 3 * day_msec);
    assert_true(last->connections.max == 7 && last->timeout_connect.msec == 9 * SECOND);
    parsed_done(&p);
}

static void who_may_relay_is_said_at_the_top_or_of_a_listener(void **state)
{
    struct ip inside = { 0 }, outside = { 0 };
    struct parsed p;

    (void)state;
    assert_true(ip_parse(STR("192.0.2.7"), &inside) && ip_parse(STR("198.51.100.1"), &outside));
    const struct config *c = parse_well(&p, "relay-from 192.0.2.0/24 file:clients;\n"
                                            "listen 25;\nlisten 26 { relay-from none; }\n"
                                            "listen 27 { relay-from 198.51.100.1; }\n");
    assert_true(config_networks_have(&c->listeners[0].session.relay_from, &inside, NULL));
    assert_false(config_networks_have(&c->listeners[0].session.relay_from, &outside, NULL));
    assert_int_equal(c->listeners[0].session.n_relay_tables, 1);
    assert_str_is(c->listeners[0].session.relay_tables[0].text, STR("/etc/veredus/clients"));
    assert_false(config_networks_have(&c->listeners[1].session.relay_from, &inside, NULL));
    assert_int_equal(c->listeners[1].session.n_relay_tables, 0);
    assert_true(config_networks_have(&c->listeners[2].session.relay_from, &outside, NULL));
    assert_false(config_networks_have(&c->listeners[2].session.relay_from, &inside, NULL));
    parsed_done(&p);
}

static void the_resolver_for_everything_is_the_first(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "resolver 192.0.2.1 [::1]:5353 for Corp.example;\n"
                                            "resolver full;\ntrust-anchor root.key;\n");
    assert_int_equal(c->n_resolvers, 2);
    assert_int_equal(c->resolvers[0].kind, CONFIG_RESOLVER_FULL);
    assert_int_equal(c->resolvers[0].zone.n, 0);
    assert_int_equal(c->resolvers[1].kind, CONFIG_RESOLVER_SERVERS);
    assert_str_is(c->resolvers[1].zone, STR("corp.example"));
    assert_int_equal(c->resolvers[1].n_servers, 2);
    assert_int_equal(c->resolvers[1].servers[0].port, 53);
    assert_int_equal(c->resolvers[1].servers[1].port, 5353);
    assert_str_is(c->trust_anchor.text, STR("/etc/veredus/root.key"));
    parsed_done(&p);
    c = parse_well(&p, "resolver 192.0.2.1 for corp.example;");
    assert_int_equal(c->n_resolvers, 2);
    assert_int_equal(c->resolvers[0].kind, CONFIG_RESOLVER_SYSTEM);
    parsed_done(&p);
}

/* -o replaces what the file says of the same, and no more: a resolver for everything is not one for a zone. */
static void an_option_replaces_the_resolver_of_its_zone(void **state)
{
    static const struct str options[] = { STR_INIT("resolver 192.0.2.9; route * hold") };
    const struct memory_pair files[] = {
        { "/v.conf", STR("resolver 192.0.2.1; resolver 192.0.2.2 for a.example; route * mx; route b.example mx;\n") },
        { NULL, STR_NONE },
    };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/v.conf"), .overrides = options, .n_overrides = 1 };
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &source);
    assert_non_null(p.c);
    assert_int_equal(p.c->n_resolvers, 2);
    assert_string_equal(ip_text(&p.c->resolvers[0].servers[0].address).c, "192.0.2.9");
    assert_str_is(p.c->resolvers[1].zone, STR("a.example"));
    assert_int_equal(p.c->n_routes, 1);
    assert_int_equal(p.c->routes[0].targets[0].kind, CONFIG_TARGET_HOLD);
    parsed_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_and_waits),
        cmocka_unit_test(resolvers),
        cmocka_unit_test(nothing_written_sends_as_the_reference_says),
        cmocka_unit_test(the_block_is_stronger_than_the_top),
        cmocka_unit_test(who_may_relay_is_said_at_the_top_or_of_a_listener),
        cmocka_unit_test(the_resolver_for_everything_is_the_first),
        cmocka_unit_test(an_option_replaces_the_resolver_of_its_zone),
    };

    return cmocka_run_group_tests_name("config/sending", tests, NULL, NULL);
}
