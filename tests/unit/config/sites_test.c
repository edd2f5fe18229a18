/* Sites: who belongs to which, what they say, and what is stronger; rates and what is done about replies. */
#include <stdio.h>

#include "tests/unit/config/rows.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

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

/* The name of the site for DOMAIN and up to two HOSTS; "" for none. */
static struct str site_of(const struct config *c, const char *domain, const char *first, const char *second)
{
    char *names[] = { exact_copy(str_from_c(domain)), exact_copy(str_from_c(first)), exact_copy(str_from_c(second)) };
    struct str hosts[] = { str_of(names[1], strlen(first)), str_of(names[2], strlen(second)) };
    const struct config_site *site = config_find_site(c, str_of(names[0], strlen(domain)), hosts,
                                                      (size_t)(*first != 0) + (*second != 0));

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        free(names[i]);
    return site ? site->name.text : STR("");
}

static void sites_are_written(void **state)
{
    static const struct row rows[] = {
        { "site google { hosts .google.com .googlemail.com; }", NULL },
        { "site a { domains a.example; } site b { hosts b.example *; }", NULL },
        { "site a { domains A.example m\xc3\xbcller.example; connections 3; rate 5/s; reuse 1; }", NULL },
        { "site a { domains *; recipients-per-transaction 5; dead-host 1m; on-reply 421 slow; retry 1h; }", NULL },
        { "site a { domains *; expire 1d; timeout connect 5s; address-family ipv4; }", NULL },
        { "site a { hosts 192.0.2.1; }", NULL },
        { "site a;", "'site' needs a block" },
        { "site { hosts a.example; }", "'site' needs more: word block" },
        { "site a b { hosts a.example; }", "'b' is too much for 'site'" },
        { "site a/b { hosts a.example; }", "'a/b' is not a word of letters, digits, '.', '_' and '-'" },
        { "site a { connections 3; }", "this site has neither 'hosts' nor 'domains'" },
        { "site a { host b.example; }", "unknown directive 'host' (did you mean 'hosts'?)" },
        { "site a { hosts; }", "'hosts' needs more: pattern…" },
        { "site a { hosts a.example, b.example; }", "'a.example,' ends with a comma" },
        { "site a { domains ada@a.example; }", "'ada@a.example' is not a domain (did you mean 'a.example'?)" },
        { "site a { domains <>; }", "'<>' is not a domain" },
        { "site a { domains *.a.example; }", "'*.a.example' is not a pattern (did you mean '.a.example'?)" },
        { "site a { domains table:x; }", "'table:' is not built yet" },
        { "site a { domains a.example; hosts {user}.example; }", "'{user}.example' cannot hold a placeholder" },
        { "site a { domains a.example; port 26; }", "'port' cannot stand here" },
        { "site a { domains a.example; delay-warning 1h; }", "'delay-warning' cannot stand here" },
        { "site a { domains a.example; fallback mx; }", "'fallback' cannot stand here" },
        { "site a { domains a.example; timeout command 1m; }", "'command' waits for a client or a table" },
        { "site a { domains a.example; tls-level secure; }", NULL },
        { "site a { domains a.example; tls-ca /x; }", "'tls-ca' cannot stand here" },
        { "site a { domains a.example; } site a { domains b.example; }", "site 'a' is said twice" },
        { "site a { domains a.example; domains b.example; }", "'domains' is said twice" },
        { "hosts a.example;", "'hosts' cannot stand here" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void a_site_that_can_never_match_is_an_error(void **state)
{
    static const struct row rows[] = {
        { "site a { domains a.example; } site b { domains a.example; }", "the site 'b' can never match" },
        { "site a { domains .example; } site b { domains a.example .b.example; }", "the site 'b' can never match" },
        { "site a { domains .b.example; } site b { domains .b.example; }", "the site 'b' can never match" },
        { "site a { domains .b.example; } site b { domains b.example; }", NULL },
        { "site a { domains b.example; } site b { domains .b.example; }", NULL },
        { "site a { hosts *; } site b { hosts mx.b.example; }", "the site 'b' can never match" },
        { "site a { hosts *; } site b { hosts *; }", "the site 'b' can never match" },
        { "site a { hosts mx.b.example; } site b { hosts *; }", NULL },
        { "site a { hosts mx.b.example; } site b { domains mx.b.example; }", NULL },
        { "site a { hosts x.example; } site b { hosts y.example; } site c { hosts y.example x.example; }",
          "the site 'c' can never match" },
        { "site a { hosts x.example; } site b { hosts x.example y.example; }", NULL },
        { "site a { hosts x.example; } site b { domains *; }", "the site 'a' can never match" },
        { "site a { domains *; } site b { hosts x.example; }", "the site 'b' can never match" },
        { "site a { domains *; hosts x.example; }", NULL },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void domains_are_looked_for_before_hosts_and_then_in_the_order_written(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "site hosts { hosts .google.com mx.a.example; }\n"
                       "site first { domains a.example .b.example; }\n"
                       "site second { domains .example a.example; hosts .google.com mx.c.example; }\n"
                       "site rest { hosts *; }\n");
    assert_int_equal(c->n_sites, 4);
    assert_int_equal(c->sites[2].index, 2);
    assert_int_equal(c->sites[2].place.line, 3);
    assert_str_is(site_of(c, "x.test", "mx.google.com", ""), STR("hosts"));
    assert_str_is(site_of(c, "x.test", "google.com", ""), STR("rest"));
    assert_str_is(site_of(c, "x.test", "a.b.google.com", ""), STR("hosts"));
    assert_str_is(site_of(c, "a.example", "mx.google.com", ""), STR("first"));
    assert_str_is(site_of(c, "x.b.example", "", ""), STR("first"));
    assert_str_is(site_of(c, "b.example", "mx.a.example", ""), STR("second"));
    assert_str_is(site_of(c, "x.test", "mx.c.example", ""), STR("second"));
    assert_str_is(site_of(c, "x.test", "mx.c.example", "mx.a.example"), STR("hosts"));
    assert_str_is(site_of(c, "x.test", "other.test", "mx.c.example"), STR("second"));
    assert_str_is(site_of(c, "example", "", ""), STR(""));
    assert_str_is(site_of(c, "", "", ""), STR(""));
    assert_str_is(site_of(c, "", "mx.test", ""), STR("rest"));
    parsed_done(&p);
    c = parse_well(&p, "");
    assert_int_equal(c->n_sites, 0);
    assert_str_is(site_of(c, "a.example", "mx.a.example", ""), STR(""));
    parsed_done(&p);
    c = parse_well(&p, "site a { domains a.example; hosts a.example; } site all { domains *; }");
    assert_str_is(site_of(c, "a.example", "a.example", ""), STR("a"));
    assert_str_is(site_of(c, "b.example", "a.example", ""), STR("all"));
    assert_str_is(site_of(c, "", "a.example", ""), STR("all"));
    parsed_done(&p);
}

/* Route, then site, then top (FACE 1.4). */
static void what_a_route_says_is_stronger_than_the_site_and_that_than_the_top(void **state)
{
    struct config_sending merged;
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(
        &p, "connections 7; rate 1/s; retry 1h; expire 3d; timeout quit 1s; on-reply 421 slow;\n"
            "site s { domains *; connections 4 start 2; rate 2/s; retry 2h; timeout ehlo 9s; dead-host 2m;\n"
            "    address-family ipv6; reuse 7; recipients-per-transaction 8; on-reply 450 fail; on-reply 451 fail; }\n"
            "domain d.example { users any; deliver mx; rate 3/s; retry 3h; on-reply none; }\n"
            "route r.example mx { rate none; timeout ehlo 8s; timeout connect 3s; expire 4d; port 26; }\n");
    const struct config_sending *site = &c->sites[0].sending;
    assert_int_equal(c->sending.said, 0);
    assert_int_equal(site->expire.msec / HOUR, 72);
    assert_int_equal(site->timeout_quit.msec, SECOND);

    config_sending_merge(&c->routes[0].sending, site, &merged);
    assert_true(merged.rate.count == 3 && merged.rate.msec == SECOND && merged.rate.place.line == 4);
    assert_int_equal(merged.retry.items[0], 3 * HOUR);
    assert_int_equal(merged.on_replies.n, 0);
    assert_true(merged.connections.max == 4 && merged.connections.start == 2);
    assert_int_equal(merged.timeout_ehlo.msec, 9 * SECOND);
    assert_int_equal(merged.timeout_quit.msec, SECOND);
    assert_int_equal(merged.dead_host.msec, 2 * MINUTE);
    assert_int_equal(merged.address_family.value, CONFIG_FAMILY_IPV6);
    assert_true(merged.reuse.count == 7 && merged.recipients_per_transaction.n == 8);
    assert_int_equal(merged.expire.msec / HOUR, 72);
    assert_true(merged.said & CONFIG_SAID_RATE && merged.said & CONFIG_SAID_DEAD_HOST);
    assert_false(merged.said & CONFIG_SAID_EXPIRE);

    config_sending_merge(&c->routes[1].sending, site, &merged);
    assert_int_equal(merged.rate.count, 0);
    assert_int_equal(merged.rate.place.line, 5);
    assert_int_equal(merged.timeout_ehlo.msec, 8 * SECOND);
    assert_int_equal(merged.timeout_connect.msec, 3 * SECOND);
    assert_int_equal(merged.expire.msec / HOUR, 96);
    assert_int_equal(merged.retry.items[0], 2 * HOUR);
    assert_int_equal(merged.on_replies.n, 2);
    assert_int_equal(merged.port.n, 26);

    config_sending_merge(&c->routes[2].sending, NULL, &merged);
    assert_memory_equal(&merged, &c->sending, sizeof(merged));
    assert_int_equal(c->routes[2].sending.rate.count, 1);
    assert_int_equal(c->routes[2].sending.on_replies.n, 1);
    parsed_done(&p);
}

static void each_wait_of_a_site_is_its_own(void **state)
{
    static const char *const kinds[] = { "connect", "greeting", "ehlo", "mail", "rcpt", "data", "block", "final", "quit" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char text[200];
        struct config_sending merged;
        struct parsed p;
        snprintf(text, sizeof(text), "site s { domains *; timeout %s 7s; }", kinds[i]);
        const struct config *c = parse_well(&p, text);
        config_sending_merge(&c->routes[0].sending, &c->sites[0].sending, &merged);
        const struct config_time *times[] = { &merged.timeout_connect, &merged.timeout_greeting, &merged.timeout_ehlo,
                                              &merged.timeout_mail,    &merged.timeout_rcpt,     &merged.timeout_data,
                                              &merged.timeout_block,   &merged.timeout_final,    &merged.timeout_quit };
        assert_int_equal(merged.said, CONFIG_SAID_TIMEOUT_CONNECT << i);
        for (size_t k = 0; k < ARRAY_LEN(times); k++)
            assert_int_equal(times[k]->msec == 7 * SECOND, k == i);
        parsed_done(&p);
    }
}

static void rates(void **state)
{
    static const struct row rows[] = {
        { "rate 20/s;", NULL },
        { "rate 3/10s;", NULL },
        { "rate 500/d;", NULL },
        { "rate none;", NULL },
        { "rate 1k/m;", NULL },
        { "rate 20;", "'20' is not a rate (did you mean '20/h'?)" },
        { "rate 20/;", "'20/' is not a rate, such as 100/h or 3/10s" },
        { "rate 20/0s;", "'20/0s' is not a rate, such as 100/h or 3/10s" },
        { "rate fast;", "'fast' is not a rate, such as 100/h or 3/10s" },
        { "rate 0/s;", "'0/s' is not within reason: one message at least" },
        { "rate 2G/s;", "'2G/s' is not within reason: one message at least" },
        { "rate 1/32d;", "'1/32d' is not a rate by the month or less" },
        { "rate;", "'rate' needs more: rate" },
        { "rate 1/s 2;", "'2' is too much for 'rate'" },
        { "rate 1/s; rate 2/s;", "'rate' is said twice" },
    };
    struct parsed p;

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    const struct config *c = parse_well(&p, "rate 3/10s;");
    assert_true(c->sending.rate.count == 3 && c->sending.rate.msec == 10 * SECOND);
    parsed_done(&p);
    c = parse_well(&p, "");
    assert_int_equal(c->sending.rate.count, 0);
    parsed_done(&p);
}

static void replies_are_written(void **state)
{
    static const struct row rows[] = {
        { "on-reply 421 slow;", NULL },
        { "on-reply 421 \"4.7.28\" slow;", NULL },
        { "on-reply 4.7.28 defer;", NULL },
        { "on-reply 5.7.* fail; on-reply 5.*.* hold; on-reply 5.*.1 hold;", NULL },
        { "on-reply 5.7.1 \"likely unsolicited\" pause 30m;", NULL },
        { "on-reply 5.7.1 pause slow;", NULL },
        { "on-reply 5.7.1 pause pause 1m;", NULL },
        { "on-reply none;", NULL },
        { "on-reply 421;", "'on-reply' needs more: code [text] action [time]" },
        { "on-reply;", "'on-reply' needs more: code [text] action [time]" },
        { "on-reply 421 slwo;", "'slwo' is not known here (did you mean 'slow'?)" },
        { "on-reply 421 pasue 30m;", "'pasue' is not known here (did you mean 'pause'?)" },
        { "on-reply 421 busy;", "'busy' is not known here" },
        { "on-reply 421 busy later;", "'later' is not known here" },
        { "on-reply 421 \"\" slow;", "the text of the reply is empty" },
        { "on-reply 421 pause;", "'pause' needs a time" },
        { "on-reply 421 busy pause;", "'pause' needs a time" },
        { "on-reply 421 pause 30;", "'30' is not a time (did you mean '30s'?)" },
        { "on-reply 421 pause 10ms;", "'10ms' is too little: 'on-reply' is 1000 at least" },
        { "on-reply 421 slow 30m;", "only 'pause' takes a time" },
        { "on-reply 421 defer 30m;", "only 'pause' takes a time" },
        { "on-reply 421 pause 30m 1;", "'1' is too much for 'on-reply'" },
        { "on-reply 250 slow;", "'250' is not the code of a reply" },
        { "on-reply 460 slow;", "'460' is not the code of a reply" },
        { "on-reply 4yz slow;", "'4yz' is not the code of a reply (did you mean '4.*.*'?)" },
        { "on-reply 5XX slow;", "'5XX' is not the code of a reply (did you mean '5.*.*'?)" },
        { "on-reply 5* slow;", "'5*' is not the code of a reply (did you mean '5.*.*'?)" },
        { "on-reply 5.7 slow;", "'5.7' is not the code of a reply (did you mean '5.7.*'?)" },
        { "on-reply 5.7. slow;", "'5.7.' is not the code of a reply (did you mean '5.7.*'?)" },
        { "on-reply 5.7.1.1 slow;", "'5.7.1.1' is not the code of a reply" },
        { "on-reply 5.7.01 slow;", "'5.7.01' is not the code of a reply" },
        { "on-reply 5.7.1000 slow;", "'5.7.1000' is not the code of a reply" },
        { "on-reply 2.0.0 slow;", "'2.0.0' is not the code of a reply" },
        { "on-reply *.7.1 slow;", "'*.7.1' is not the code of a reply" },
        { "on-reply busy slow;", "'busy' is not the code of a reply" },
        { "on-reply {user} slow;", "'{user}' cannot hold a placeholder" },
        { "on-reply 421 slow; on-reply 421 fail;", "'on-reply' is said twice of this reply" },
        { "on-reply 421 busy slow; on-reply 450 fail; on-reply 421 BUSY fail;", "'on-reply' is said twice of this reply" },
        { "on-reply 421 slow; on-reply none;", "'on-reply none' stands alone" },
        { "site s { domains *; on-reply 421 slow; on-reply 421 fail; }", "'on-reply' is said twice of this reply" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

/* Order matters in five places only (FACE 1.2), and this is none of them. */
static void the_more_exact_reply_comes_first_however_it_is_written(void **state)
{
    static const struct {
        unsigned code, status[3];
        const char *text;
        enum config_reply_action action;
    } want[] = {
        { 0, { 5, CONFIG_STATUS_ANY, CONFIG_STATUS_ANY }, "quite a long text", CONFIG_REPLY_HOLD },
        { 421, { 0 }, "busy", CONFIG_REPLY_FAIL },
        { 0, { 4, 7, 28 }, "", CONFIG_REPLY_SLOW },
        { 421, { 0 }, "", CONFIG_REPLY_DEFER },
        { 0, { 4, 7, CONFIG_STATUS_ANY }, "", CONFIG_REPLY_PAUSE },
        { 0, { 4, CONFIG_STATUS_ANY, CONFIG_STATUS_ANY }, "", CONFIG_REPLY_SLOW },
    };
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "on-reply 4.*.* slow; on-reply 421 defer; on-reply 4.7.* pause 5m; on-reply 4.7.28 slow;\n"
                       "on-reply 421 busy fail; on-reply 5.*.* \"quite a long text\" hold;\n");
    assert_int_equal(c->sending.on_replies.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct config_on_reply *r = &c->sending.on_replies.items[i];
        assert_int_equal(r->code, want[i].code);
        assert_memory_equal(r->status, want[i].status, sizeof(r->status));
        assert_str_is(r->text, str_from_c(want[i].text));
        assert_int_equal(r->action, want[i].action);
        assert_int_equal(r->msec, r->action == CONFIG_REPLY_PAUSE ? 5 * MINUTE : 0);
    }
    assert_int_equal(c->sending.on_replies.items[0].place.line, 2);
    assert_ptr_equal(c->routes[0].sending.on_replies.items, c->sending.on_replies.items);
    parsed_done(&p);
}

static void fallbacks(void **state)
{
    static const struct row rows[] = {
        { "route * mx { fallback smtp://backup.example; }", NULL },
        { "route * mx { fallback smtp://a.example mx:b.example lmtp:unix:/x; }", NULL },
        { "domain a.example { users any; deliver mx; fallback lmtp://a.example:24; }", NULL },
        { "fallback mx;", "'fallback' cannot stand here" },
        { "route * mx { fallback; }", "'fallback' needs more: target…" },
        { "route * mx { fallback maildir:/x/{user}; }", "a fallback is a host" },
        { "route * mx { fallback hold; }", "a fallback is a host" },
        { "route * mx { fallback fail \"5.1.2 gone\"; }", "a fallback is a host" },
        { "route * mx { fallback mx hold; }", "this target stands alone: only hosts are tried in turn" },
        { "route * mx { fallback smtps://a.example; }", NULL },
        { "route * hold { fallback mx; }", "'fallback' is for mail to hosts, and this goes to none" },
        { "domain a.example { users any; deliver maildir:/m/{user}; fallback mx; }",
          "'fallback' is for mail to hosts, and this goes to none" },
    };
    struct parsed p;

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    const struct config *c = parse_well(&p, "route * mx { fallback smtp://a.example:26 lmtp:unix:/run/x; }");
    assert_int_equal(c->routes[0].n_fallback, 2);
    assert_str_is(c->routes[0].fallback[0].host, STR("a.example"));
    assert_int_equal(c->routes[0].fallback[0].port, 26);
    assert_int_equal(c->routes[0].fallback[1].kind, CONFIG_TARGET_LMTP_UNIX);
    assert_int_equal(c->needs[c->n_needs - 1].kind, CONFIG_NEED_TARGET_SOCKET);
    parsed_done(&p);
}

static void places_memory_and_history(void **state)
{
    static const struct row rows[] = {
        { "state /var/lib/veredus;", NULL },
        { "state;", "'state' needs more: path" },
        { "max-memory 2G;", NULL },
        { "max-memory auto;", NULL },
        { "max-memory 2;", "'2' is too little: 'max-memory' is 1048576 at least" },
        { "max-memory 50%;", "'50%' is not a number" },
        { "history 30d 10G;", NULL },
        { "history 30d;", NULL },
        { "history off;", NULL },
        { "history off 1G;", "'1G' is too much for 'history'" },
        { "history 30;", "'30' is not a time (did you mean '30s'?)" },
        { "history 1s;", "'1s' is too little: 'history' is 60000 at least" },
        { "history 1d 10GB;", "'10GB' is not a size, such as 1G" },
        { "history 1d 1k;", "'1k' is not a size of 64k at least" },
        { "history 1d 1G 5;", "'5' is too much for 'history'" },
        { "route * mx { history off; }", "'history' cannot stand here" },
    };
    struct parsed p;

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    const struct config *c = parse_well(&p, "");
    assert_str_is(c->state.text, STR("/var/lib/veredus"));
    assert_true(c->max_memory.automatic);
    assert_true(!c->history.off && c->history.msec == 7ULL * 24 * HOUR && c->history.octets == 1ULL << 30);
    parsed_done(&p);
    c = parse_well(&p, "state st; max-memory 2G; history 1d 1M;");
    assert_str_is(c->state.text, STR("/etc/veredus/st"));
    assert_true(!c->max_memory.automatic && c->max_memory.n == 2ULL << 30);
    assert_true(c->history.msec == 24ULL * HOUR && c->history.octets == 1 << 20);
    parsed_done(&p);
    c = parse_well(&p, "history off;");
    assert_true(c->history.off && c->history.place.line == 1);
    parsed_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_are_written),
        cmocka_unit_test(a_site_that_can_never_match_is_an_error),
        cmocka_unit_test(domains_are_looked_for_before_hosts_and_then_in_the_order_written),
        cmocka_unit_test(what_a_route_says_is_stronger_than_the_site_and_that_than_the_top),
        cmocka_unit_test(each_wait_of_a_site_is_its_own),
        cmocka_unit_test(rates),
        cmocka_unit_test(replies_are_written),
        cmocka_unit_test(the_more_exact_reply_comes_first_however_it_is_written),
        cmocka_unit_test(fallbacks),
        cmocka_unit_test(places_memory_and_history),
    };

    return cmocka_run_group_tests_name("config/sites", tests, NULL, NULL);
}
