/* Effective values in the language itself, each with the place that says it. */
#include "tests/unit/config/memory.h"

static void assert_shows(struct str text, struct str name, const char *want)
{
    struct buf out = BUF_INIT(1 << 16);
    struct parsed p;

    parse_text(&p, text);
    if (!p.c)
        fail_msg("%.*s", STR_ARG(buf_str(&p.out)));
    assert_true(config_show(p.c, name, &out));
    if (!str_eq(buf_str(&out), str_from_c(want)))
        fail_msg("shown:\n%.*s\nwanted:\n%s", STR_ARG(buf_str(&out)), want);
    buf_done(&out);
    parsed_done(&p);
}

static void one_directive_is_shown_wherever_it_holds(void **state)
{
    (void)state;
    assert_shows(STR("listen 25 { max-errors 5; }\nlisten 26;\n"), STR("max-errors"),
                 "max-errors 20;                                          # default\n"
                 "listen 25 {                                             # veredus.conf:1\n"
                 "    max-errors 5;                                       # veredus.conf:1\n"
                 "}\n"
                 "listen 26 {                                             # veredus.conf:2\n"
                 "    max-errors 20;                                      # default\n"
                 "}\n");
    assert_shows(STR("vrfy off;"), STR("max-received"),
                 "max-received 100;                                       # default\n");
    assert_shows(STR("limit client messages 5/h; timeout command 1m;\n"), STR("limit"),
                 "limit client messages 5/h;                              # veredus.conf:1\n"
                 "limit client connections 50;                            # default\n"
                 "limit client unknown-recipients 50/h;                   # default\n"
                 "limit client auth-failures 10/10m;                      # default\n"
                 "limit account auth-failures 30/10m;                     # default\n"
                 "limit account recipients 1000/h;                        # default\n");
    assert_shows(STR("workers send 3;\n"), STR("workers"),
                 "workers send 3;                                         # veredus.conf:1\n"
                 "workers receive auto;                                   # default\n");
}

static void a_block_is_shown_whole(void **state)
{
    (void)state;
    assert_shows(STR("subaddress -;\ndomain a.example {\n users file:u;\n deliver \"maildir:/my mail/{user}\";\n"
                     " limit all recipients 5/s;\n}\n"),
                 STR("domain"),
                 "domain a.example {                                      # veredus.conf:2\n"
                 "    # postmaster: mailbox 'postmaster' of the domain; without domain that of 'origin' if served, else of "
                 "the first 'domain' # default\n"
                 "    auth users;                                         # default\n"
                 "    send-as own;                                        # default\n"
                 "    max-message-size 50M;                               # default\n"
                 "    max-expansion 1000;                                 # default\n"
                 "    limit all recipients 5/s;                           # veredus.conf:5\n"
                 "    users file:u;                                       # veredus.conf:3\n"
                 "    # aliases: none                                     # default\n"
                 "    # catch-all: none                                   # default\n"
                 "    subaddress -;                                       # veredus.conf:1\n"
                 "    deliver \"maildir:/my mail/{user}\";                  # veredus.conf:4\n"
                 "    deliver-as vmail;                                   # default\n"
                 "    alias-commands off;                                 # default\n"
                 "    retry 1m 5m 15m 30m 1h 2h 4h;                       # default\n"
                 "    expire 5d;                                          # default\n"
                 "    delay-warning 4h;                                   # default\n"
                 "}\n");
}

static void what_was_computed_is_shown_too(void **state)
{
    (void)state;
    assert_shows(STR(""), STR("hostname"), "hostname host.example.net;                              # default\n");
    assert_shows(STR("listen 25;"), STR("name"),
                 "listen 25 {                                             # veredus.conf:1\n"
                 "    name mx-25;                                         # default\n"
                 "}\n");
    assert_shows(STR("domain a.example { users any; deliver maildir:/m/{user}; }"), STR("origin"),
                 "origin a.example;                                       # default\n");
}

/* What hosts are treated like is of no concern where mail stays here. */
static void a_route_shows_what_holds_along_it(void **state)
{
    struct parsed p;
    struct buf out = BUF_INIT(1 << 16);

    (void)state;
    assert_shows(STR("retry 1h;\nroute a.example mx:b.example {\n senders <>;\n timeout quit 1s;\n}\n"
                     "route c.example fail \"5.1.6 gone\" { expire 1d; }\ndomain d.example { users any; deliver mx; }\n"),
                 STR("route"),
                 "route a.example mx:b.example {                          # veredus.conf:2\n"
                 "    timeout quit 1s;                                    # veredus.conf:4\n"
                 "    timeout connect 30s;                                # default\n"
                 "    timeout greeting 5m;                                # default\n"
                 "    timeout ehlo 5m;                                    # default\n"
                 "    timeout mail 5m;                                    # default\n"
                 "    timeout rcpt 5m;                                    # default\n"
                 "    timeout data 2m;                                    # default\n"
                 "    timeout block 3m;                                   # default\n"
                 "    timeout final 10m;                                  # default\n"
                 "    senders <>;                                         # veredus.conf:3\n"
                 "    # listeners: all                                    # default\n"
                 "    # accounts: all                                     # default\n"
                 "    # login: none                                       # default\n"
                 "    port 25;                                            # default\n"
                 "    # fallback: none                                    # default\n"
                 "    tls-level auto;                                     # default\n"
                 "    # tls-ca: the system's                              # default\n"
                 "    # client-certificate: none                          # default\n"
                 "    address-family any;                                 # default\n"
                 "    connections 20 start 5;                             # default\n"
                 "    rate none;                                          # default\n"
                 "    reuse 100 10s;                                      # default\n"
                 "    recipients-per-transaction 100;                     # default\n"
                 "    dead-host 5m;                                       # default\n"
                 "    on-reply none;                                      # default\n"
                 "    retry 1h;                                           # veredus.conf:1\n"
                 "    expire 5d;                                          # default\n"
                 "    delay-warning 4h;                                   # default\n"
                 "}\n"
                 "route c.example fail \"5.1.6 gone\" {                     # veredus.conf:6\n"
                 "    # senders: all                                      # default\n"
                 "    # listeners: all                                    # default\n"
                 "    # accounts: all                                     # default\n"
                 "    retry 1h;                                           # veredus.conf:1\n"
                 "    expire 1d;                                          # veredus.conf:6\n"
                 "    delay-warning 4h;                                   # default\n"
                 "}\n"
                 "route * mx;                                             # default\n");
    parse_text(&p, STR("listen 25; domain d.example { users any; deliver mx; port 26; }"));
    assert_non_null(p.c);
    assert_true(config_show(p.c, STR_NONE, &out));
    assert_true(str_contains(buf_str(&out), STR("\n    port 26;  ")));
    assert_true(str_contains(buf_str(&out), STR("\nrelay-from none;  ")));
    assert_false(str_contains(buf_str(&out), STR("deliver-as")));
    buf_done(&out);
    parsed_done(&p);
}

static void the_system_s_resolver_holds_beside_those_of_zones(void **state)
{
    (void)state;
    assert_shows(STR("resolver 192.0.2.1 for a.example;\n"), STR("resolver"),
                 "resolver 192.0.2.1 for a.example;                       # veredus.conf:1\n"
                 "resolver system;                                        # default\n");
    assert_shows(STR("resolver 192.0.2.1;\n"), STR("resolver"),
                 "resolver 192.0.2.1;                                     # veredus.conf:1\n");
}

/* All that is shown, read again, says the same. */
static void what_is_shown_can_be_read_again(void **state)
{
    struct buf first = BUF_INIT(1 << 16);
    struct parsed p, q;

    (void)state;
    parse_text(&p, STR("hostname mail.example.org; spool \"/a \\\"b\\\\ {c;} # $${x}\"; log file:\"#x\" json;\n"
                       "listen 25 unix:/run/x { mode 0600; allow-from 192.0.2.0/24 ::1; }\n"
                       "relay-from file:x 192.0.2.1; resolver full for a.example; delay-warning off;\n"
                       "route \"\\\"a b\\\"@c.example\" .c.example hold { senders <>; }\n"
                       "domain e.example { users ask; deliver smtp://h:25 lmtp:unix:x; timeout quit 1s; reuse 5; }\n"
                       "tls { certificate \"/my cert\" /k; } oauth i { issuer https://i; keys /k; audience a b; }\n"
                       "listen 587 submission { auth oauth:i users; tls { certificate /l; min-version 1.3; } }\n"
                       "route g.example smtps://h { login \"a b\" env:X; accounts x.example; }\n"
                       "domain f.example { users any; deliver pipe:/bin/x \"{user} \\\" ;\" {recipients}; }\n"
                       "domain a.example b.example { users system; deliver maildir:{home}/Maildir; catch-all \"\\\"a "
                       "b\\\"@c.example\"; }\n"));
    assert_non_null(p.c);
    assert_true(config_show(p.c, STR_NONE, &first));
    parse_text(&q, buf_str(&first));
    if (!q.c)
        fail_msg("%.*s", STR_ARG(buf_str(&q.out)));
    assert_str_is(q.c->spool.text, p.c->spool.text);
    assert_str_is(q.c->spool.text, STR("/a \"b\\ {c;} # ${x}"));
    assert_str_is(q.c->logs[0].path, STR("/etc/veredus/#x"));
    assert_int_equal(q.c->n_listeners, 2);
    assert_int_equal(q.c->listeners[0].allow_from.n, 2);
    assert_int_equal(q.c->n_domains, 3);
    assert_str_is(q.c->domains[2].catch_all.local, STR("\"a b\""));
    assert_int_equal(q.c->n_certificates, 2);
    assert_str_is(q.c->certificates[0].chain, STR("/my cert"));
    assert_int_equal(q.c->listeners[1].tls.min_version.value, 0x0304);
    assert_ptr_equal(q.c->listeners[1].session.auth.items[0].oauth, &q.c->oauths[0]);
    assert_int_equal(q.c->oauths[0].n_audiences, 2);
    assert_str_is(q.c->routes[4].login_name.text, STR("a b"));
    assert_int_equal(q.c->routes[4].accounts.n, 1);
    assert_int_equal(q.c->n_routes, 6);
    assert_int_equal(q.c->routes[0].n_targets, 2);
    assert_int_equal(q.c->routes[0].sending.timeout_quit.msec, 1000);
    assert_int_equal(q.c->routes[0].sending.reuse.count, 5);
    assert_int_equal(q.c->routes[1].targets[0].n_args, 2);
    assert_str_is(q.c->routes[3].patterns.items[0].local, STR("a b"));
    assert_int_equal(q.c->sending.delay_warning.n, 0);
    assert_str_is(q.c->session.relay_tables[0].text, STR("/etc/veredus/x"));
    assert_int_equal(q.c->n_resolvers, 2);
    parsed_done(&q);
    parsed_done(&p);
    buf_done(&first);
}

static void of_one_directive_only_blocks_that_have_it(void **state)
{
    struct buf out = BUF_INIT(1 << 16);
    struct parsed p;

    (void)state;
    parse_text(&p, STR("retry 30s; route a.example smtp://10.0.0.1; site slowly { domains b.example; }"));
    assert_true(config_show(p.c, STR("retry"), &out));
    assert_true(str_contains(buf_str(&out), STR("site slowly {")));
    assert_false(str_contains(buf_str(&out), STR("a.example")));
    parsed_done(&p);
    buf_done(&out);
}

/* A listener shows its own `tls` block, and what it has by its role. */
static void tls_and_accounts_are_shown_where_they_are_said(void **state)
{
    static const char text[] = "tls { certificate /c; }\nlisten 25 {\n tls { certificate /d /k; }\n}\n"
                               "listen 587 submission;\nlisten 26 { tls none; }\n";
    static const char issuer[] = "oauth a { issuer https://a; keys /k; }\n";

    (void)state;
    assert_shows(str_from_c(text), STR("tls"),
                 "tls {                                                   # veredus.conf:1\n"
                 "    certificate /c;                                     # veredus.conf:1\n"
                 "    min-version 1.2;                                    # default\n"
                 "    # ciphers: the recommended list                     # default\n"
                 "    # session-tickets: off on mx, else on               # default\n"
                 "    client-certificates off;                            # default\n"
                 "    # client-ca: none                                   # default\n"
                 "}\n"
                 "listen 25 {                                             # veredus.conf:2\n"
                 "    tls {                                               # veredus.conf:3\n"
                 "        certificate /d /k;                              # veredus.conf:3\n"
                 "        min-version 1.2;                                # default\n"
                 "        # ciphers: the recommended list                 # default\n"
                 "        session-tickets off;                            # default\n"
                 "        client-certificates off;                        # default\n"
                 "        # client-ca: none                               # default\n"
                 "    }\n"
                 "}\n"
                 "listen 26 {                                             # veredus.conf:6\n"
                 "    tls none;                                           # veredus.conf:6\n"
                 "}\n");
    assert_shows(str_from_c(text), STR("require"),
                 "listen 25 {                                             # veredus.conf:2\n"
                 "    require none;                                       # default\n"
                 "}\n"
                 "listen 587 submission {                                 # veredus.conf:5\n"
                 "    require tls auth;                                   # default\n"
                 "}\n"
                 "listen 26 {                                             # veredus.conf:6\n"
                 "    require none;                                       # default\n"
                 "}\n");
    assert_shows(str_from_c(text), STR("session-tickets"),
                 "tls {                                                   # veredus.conf:1\n"
                 "    # session-tickets: off on mx, else on               # default\n"
                 "}\n"
                 "listen 25 {                                             # veredus.conf:2\n"
                 "    tls {                                               # veredus.conf:3\n"
                 "        session-tickets off;                            # default\n"
                 "    }\n"
                 "}\n");
    assert_shows(str_from_c(issuer), STR("oauth"),
                 "oauth a {                                               # veredus.conf:1\n"
                 "    issuer https://a;                                   # veredus.conf:1\n"
                 "    keys /k;                                            # veredus.conf:1\n"
                 "    # introspection: none                               # default\n"
                 "    # audience: any                                     # default\n"
                 "    login-claim email;                                  # default\n"
                 "}\n");
    assert_shows(STR("tls-level may; route a.example smtp://b { login me file:/s; }\nroute b.example smtp://b;\n"),
                 STR("tls-level"),
                 "tls-level may;                                          # veredus.conf:1\n"
                 "route a.example smtp://b {                              # veredus.conf:1\n"
                 "    tls-level verify;                                   # default\n"
                 "}\n"
                 "route b.example smtp://b {                              # veredus.conf:2\n"
                 "    tls-level may;                                      # veredus.conf:1\n"
                 "}\n");
}

static void an_unknown_name_shows_nothing(void **state)
{
    struct buf out = BUF_INIT(1 << 16), small = BUF_INIT(10);
    struct parsed p;

    (void)state;
    parse_text(&p, STR(""));
    assert_false(config_show(p.c, STR("hostnam"), &out));
    assert_false(config_show(p.c, STR("tenant"), &out));
    assert_int_equal(out.n, 0);
    assert_false(config_show(p.c, STR_NONE, &small));
    parsed_done(&p);
    buf_done(&small);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_directive_is_shown_wherever_it_holds),
        cmocka_unit_test(a_block_is_shown_whole),
        cmocka_unit_test(what_was_computed_is_shown_too),
        cmocka_unit_test(a_route_shows_what_holds_along_it),
        cmocka_unit_test(the_system_s_resolver_holds_beside_those_of_zones),
        cmocka_unit_test(what_is_shown_can_be_read_again),
        cmocka_unit_test(of_one_directive_only_blocks_that_have_it),
        cmocka_unit_test(tls_and_accounts_are_shown_where_they_are_said),
        cmocka_unit_test(an_unknown_name_shows_nothing),
    };

    return cmocka_run_group_tests_name("config/show", tests, NULL, NULL);
}
