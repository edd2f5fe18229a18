/* Every way that mail can go: their order, their patterns and conditions; and those that stand in each other's way. */
#include "tests/unit/config/memory.h"

#include <stdio.h>

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

static void assert_shows(const char *text, const char *want)
{
    struct str s = str_from_c(text);
    char *copy = exact_copy(s);
    struct parsed p;

    parse_text(&p, str_of(copy, s.n));
    if (!str_eq(buf_str(&p.out), str_from_c(want)))
        fail_msg("shown:\n%.*s\nwanted:\n%s", STR_ARG(buf_str(&p.out)), want);
    free(copy);
    parsed_done(&p);
}

static void nothing_written_is_one_route_to_the_mx(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "");
    assert_int_equal(c->n_routes, 1);
    const struct config_route *r = &c->routes[0];
    assert_int_equal(r->index, 0);
    assert_null(r->domain);
    assert_string_equal(config_rule(c, r->place).c, "default");
    assert_true(r->patterns.n == 1 && r->patterns.items[0].kind == CONFIG_PATTERN_ALL);
    assert_true(r->n_targets == 1 && r->targets[0].kind == CONFIG_TARGET_MX && !r->targets[0].host.n);
    assert_true(!r->senders.n && !r->n_listeners);
    parsed_done(&p);
}

/* Processes name a route by its index: a domain's deliver has that of the domain. */
static void delivers_come_first_then_routes_then_the_last(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "route x.example hold;\n"
                                            "domain a.example B.example { users any; deliver maildir:/m/{user}; }\n"
                                            "route y.example discard;\n"
                                            "domain c.example { users any; deliver mx; }\n");
    assert_int_equal(c->n_routes, 5);
    for (size_t i = 0; i < c->n_routes; i++)
        assert_int_equal(c->routes[i].index, i);
    for (size_t i = 0; i < c->n_domains; i++) {
        assert_ptr_equal(c->domains[i].route, &c->routes[i]);
        assert_ptr_equal(c->routes[i].domain, &c->domains[i]);
    }
    const struct config_patterns *names = &c->routes[0].patterns;
    assert_int_equal(names->n, 2);
    assert_int_equal(names->items[1].kind, CONFIG_PATTERN_DOMAIN);
    assert_str_is(names->items[1].domain, STR("b.example"));
    assert_string_equal(config_rule(c, c->routes[0].place).c, "veredus.conf:2");
    assert_int_equal(c->routes[2].targets[0].kind, CONFIG_TARGET_HOLD);
    assert_string_equal(config_rule(c, c->routes[2].place).c, "veredus.conf:1");
    assert_int_equal(c->routes[3].targets[0].kind, CONFIG_TARGET_DISCARD);
    assert_string_equal(config_rule(c, c->routes[4].place).c, "default");
    parsed_done(&p);
}

/* One with conditions leaves mail over. */
static void the_last_route_is_there_unless_it_is_written(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "route a.example * smtp://relay:25;");
    assert_int_equal(c->n_routes, 1);
    parsed_done(&p);
    c = parse_well(&p, "route * smtp://relay:25 { senders a.example; }");
    assert_int_equal(c->n_routes, 2);
    assert_string_equal(config_rule(c, c->routes[1].place).c, "default");
    parsed_done(&p);
}

static void targets_are_read_whole(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "route a.example mx:B.example smtp://Relay.Example:2525 smtp://[2001:DB8::1] lmtp://192.0.2.1:24"
                       " lmtp:unix:sock;\n"
                       "route b.example fail \"5.1.6 this person has moved\"; route c.example defer later;\n"
                       "route d.example fail \"550 5.1.1 no\";\n"
                       "domain e.example { users any; deliver pipe:/bin/x -f {sender} \"{user} {detail}\" {recipients}; }\n"
                       "domain f.example { users any; deliver mbox:box/{user}; }\n");
    const struct config_target *t = c->routes[2].targets;
    assert_int_equal(c->routes[2].n_targets, 5);
    assert_true(t[0].kind == CONFIG_TARGET_MX && t[0].port == 0);
    assert_str_is(t[0].host, STR("b.example"));
    assert_true(t[1].kind == CONFIG_TARGET_SMTP && t[1].port == 2525);
    assert_str_is(t[1].host, STR("relay.example"));
    assert_int_equal(t[2].port, 0);
    assert_str_is(t[2].host, STR("2001:db8::1"));
    assert_true(t[3].kind == CONFIG_TARGET_LMTP && t[3].port == 24);
    assert_str_is(t[3].host, STR("192.0.2.1"));
    assert_int_equal(t[4].kind, CONFIG_TARGET_LMTP_UNIX);
    assert_str_is(t[4].host, STR("/etc/veredus/sock"));
    t = c->routes[3].targets;
    assert_int_equal(t->kind, CONFIG_TARGET_FAIL);
    assert_str_is(t->status, STR("5.1.6"));
    assert_str_is(t->text, STR("this person has moved"));
    t = c->routes[4].targets;
    assert_int_equal(t->kind, CONFIG_TARGET_DEFER);
    assert_str_is(t->status, STR("4.3.2"));
    assert_str_is(t->text, STR("later"));
    assert_str_is(c->routes[5].targets[0].status, STR("5.7.1"));
    assert_str_is(c->routes[5].targets[0].text, STR("550 5.1.1 no"));
    t = c->routes[0].targets;
    assert_int_equal(t->kind, CONFIG_TARGET_PIPE);
    assert_str_is(t->path.pieces[0].literal, STR("/bin/x"));
    assert_int_equal(t->n_args, 4);
    assert_str_is(t->args[0].pieces[0].literal, STR("-f"));
    assert_int_equal(t->args[1].pieces[0].placeholder, CONFIG_PLACEHOLDER_SENDER);
    assert_int_equal(t->args[2].n, 3);
    assert_int_equal(t->args[3].pieces[0].placeholder, CONFIG_PLACEHOLDER_RECIPIENTS);
    t = c->routes[1].targets;
    assert_int_equal(t->kind, CONFIG_TARGET_MBOX);
    assert_str_is(config_template_root(&t->path), STR("/etc/veredus/box"));
    parsed_done(&p);
}

static void patterns_and_conditions_are_read_whole(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "listen 25; listen 26 { name printers; }\n"
                       "route anna@A.example .B.example C.example \"\\\"j\\\\\\\"d e\\\"@d.example\" * mx {\n"
                       "  senders <> x@y.example; listeners printers mx-25; }\n");
    const struct config_pattern *i = c->routes[0].patterns.items;
    assert_int_equal(c->routes[0].patterns.n, 5);
    assert_int_equal(i[0].kind, CONFIG_PATTERN_ADDRESS);
    assert_str_is(i[0].local, STR("anna"));
    assert_str_is(i[0].domain, STR("a.example"));
    assert_int_equal(i[1].kind, CONFIG_PATTERN_BELOW);
    assert_str_is(i[1].domain, STR("b.example"));
    assert_int_equal(i[2].kind, CONFIG_PATTERN_DOMAIN);
    assert_str_is(i[2].domain, STR("c.example"));
    assert_str_is(i[3].local, STR("j\"d e"));
    assert_int_equal(i[4].kind, CONFIG_PATTERN_ALL);
    assert_int_equal(c->routes[0].senders.n, 2);
    assert_int_equal(c->routes[0].senders.items[0].kind, CONFIG_PATTERN_NULL);
    assert_int_equal(c->routes[0].n_listeners, 2);
    assert_str_is(c->routes[0].listeners[1].text, STR("mx-25"));
    parsed_done(&p);
}

/* Alone in a list a variable is cut; as the argument of a command it is one (FACE 1.2). */
static void variables_are_lists_of_patterns_but_one_argument(void **state)
{
    const struct memory_pair files[] = {
        { "/v.conf", STR("route ${DOMAINS} ${TARGETS}; relay-from ${NETS:-none}; retry ${WAITS};\n"
                         "domain a.example { users any; deliver pipe:/bin/x ${DOMAINS}; }\n"
                         "route z.example fail ${TEXT};\n") },
        { NULL, STR_NONE },
    };
    const struct memory_pair env[] = {
        { "DOMAINS", STR("b.example, .c.example") }, { "TARGETS", STR("smtp://r1 smtp://r2") },
        { "WAITS", STR("1m 2m") },                   { "TEXT", STR("5.1.6 moved, sorry") },
        { NULL, STR_NONE },
    };
    struct memory m = { .files = files, .env = env };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/v.conf") };
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &source);
    assert_non_null(p.c);
    assert_int_equal(p.c->routes[0].targets[0].n_args, 1);
    assert_str_is(p.c->routes[0].targets[0].args[0].pieces[0].literal, STR("b.example, .c.example"));
    assert_int_equal(p.c->routes[1].patterns.n, 2);
    assert_int_equal(p.c->routes[1].n_targets, 2);
    assert_int_equal(p.c->routes[1].sending.retry.n, 2);
    assert_str_is(p.c->routes[2].targets[0].text, STR("moved, sorry"));
    parsed_done(&p);
}

static void the_same_pattern_twice_names_both_places(void **state)
{
    (void)state;
    assert_shows("route a.example mx;\nroute b.example A.example hold;\n",
                 "/etc/veredus/veredus.conf:2:17: error: 'a.example' has a route already\n"
                 "    2 | route b.example A.example hold;\n"
                 "      |                 ^^^^^^^^^ the first is at veredus.conf:1\n");
    assert_shows("route a.example a.example mx;\n",
                 "/etc/veredus/veredus.conf:1:17: error: 'a.example' has a route already\n"
                 "    1 | route a.example a.example mx;\n"
                 "      |                 ^^^^^^^^^ the first is at veredus.conf:1\n");
    assert_shows("route Anna@a.example mx;\nroute anna@A.example mx;\nroute * mx;\nroute * hold;\n",
                 "/etc/veredus/veredus.conf:2:7: error: 'anna@a.example' has a route already\n"
                 "    2 | route anna@A.example mx;\n"
                 "      |       ^^^^^^^^^^^^^^ the first is at veredus.conf:1\n"
                 "/etc/veredus/veredus.conf:4:7: error: '*' has a route already\n"
                 "    4 | route * hold;\n"
                 "      |       ^ the first is at veredus.conf:3\n");
    assert_shows("domain a.example { users any; deliver mx; }\nroute a.example hold;\n",
                 "/etc/veredus/veredus.conf:2:7: error: 'a.example' has a route already: the 'deliver' of a domain is "
                 "one\n"
                 "    2 | route a.example hold;\n"
                 "      |       ^^^^^^^^^ the first is at veredus.conf:1\n");
    assert_shows("route a.example mx { senders b.example c.example; }\n"
                 "route a.example hold { senders C.example b.example; }\n",
                 "/etc/veredus/veredus.conf:2:7: error: 'a.example' has a route with these conditions already\n"
                 "    2 | route a.example hold { senders C.example b.example; }\n"
                 "      |       ^^^^^^^^^ the first is at veredus.conf:1\n");
}

static void a_route_that_can_never_match_names_the_one_before_it(void **state)
{
    (void)state;
    assert_shows("listen 25;\nroute a.example mx { senders b.example c.example; }\n"
                 "route a.example hold { senders b.example; listeners mx-25; }\n",
                 "/etc/veredus/veredus.conf:3:7: error: this route for 'a.example' can never match\n"
                 "    3 | route a.example hold { senders b.example; listeners mx-25; }\n"
                 "      |       ^^^^^^^^^ the route at veredus.conf:2 takes all of this mail\n");
    /* These all can: of one pattern those with conditions are asked first, the narrower ones here before the wider. */
    assert_shows("listen 25;\nroute a.example mx;\nroute a.example hold { senders b.example; listeners mx-25; }\n"
                 "route a.example discard { senders b.example; }\nroute a.example hold { listeners mx-25; }\n"
                 "route .a.example x@a.example mx;\n",
                 "");
    assert_shows("domain a.example { users any; deliver mx; }\nroute a.example hold { senders b.example; }\n", "");
}

static void an_unknown_listener_suggests_the_nearest(void **state)
{
    (void)state;
    assert_shows("listen 25; listen 26 { name printers; }\nroute * hold { listeners pritners; }\n",
                 "/etc/veredus/veredus.conf:2:26: error: there is no listener 'pritners'\n"
                 "    2 | route * hold { listeners pritners; }\n"
                 "      |                          ^^^^^^^^ did you mean 'printers'? listeners are: mx-25 printers\n");
    assert_shows("route * hold { listeners mx-25; }\n",
                 "/etc/veredus/veredus.conf:1:26: error: there is no listener 'mx-25'\n"
                 "    1 | route * hold { listeners mx-25; }\n"
                 "      |                          ^^^^^ there is none at all\n");
}

static void a_misspelt_name_in_a_route_suggests_one_for_routes(void **state)
{
    (void)state;
    assert_shows("route * mx { sender a.example; }\n",
                 "/etc/veredus/veredus.conf:1:14: error: unknown directive 'sender'\n"
                 "    1 | route * mx { sender a.example; }\n"
                 "      |              ^^^^^^ did you mean 'senders'?\n");
    assert_shows("domain a.example { users any; deliver mx; connection 5; listeners x; }\n",
                 "/etc/veredus/veredus.conf:1:43: error: unknown directive 'connection'\n"
                 "    1 | domain a.example { users any; deliver mx; connection 5; listeners x; }\n"
                 "      |                                           ^^^^^^^^^^ did you mean 'connections'?\n"
                 "/etc/veredus/veredus.conf:1:57: error: 'listeners' cannot stand here\n"
                 "    1 | domain a.example { users any; deliver mx; connection 5; listeners x; }\n"
                 "      |                                                         ^^^^^^^^^ it stands in 'route' or in "
                 "'tenant'\n");
    assert_shows("port 26;\nroute a.example, b.example mx;\n",
                 "/etc/veredus/veredus.conf:1:1: error: 'port' cannot stand here\n"
                 "    1 | port 26;\n"
                 "      | ^^^^ it stands in 'domain' or in 'route'\n"
                 "/etc/veredus/veredus.conf:2:16: error: 'a.example,' ends with a comma\n"
                 "    2 | route a.example, b.example mx;\n"
                 "      |                ^ members of a list have blanks between them, and no commas\n");
    assert_shows("route * smtps://relay.example:0;\nroute a.example bsmtp:/x;\nrelay-from certificate:x;\n",
                 "/etc/veredus/veredus.conf:1:9: error: 'relay.example:0' is not a host with a port\n"
                 "    1 | route * smtps://relay.example:0;\n"
                 "      |         ^^^^^^^^^^^^^^^^^^^^^^^ write HOST, HOST:PORT, 192.0.2.1:PORT or [2001:db8::1]:PORT\n"
                 "/etc/veredus/veredus.conf:2:17: error: 'bsmtp:' is not built yet\n"
                 "    2 | route a.example bsmtp:/x;\n"
                 "      |                 ^^^^^^ it comes with stage C\n"
                 "/etc/veredus/veredus.conf:3:12: error: 'x' is not a SHA-256, 64 digits of hex\n"
                 "    3 | relay-from certificate:x;\n"
                 "      |            ^^^^^^^^^^^^^ ask for it: openssl x509 -in FILE -noout -fingerprint -sha256\n");
}

/* Who has ten thousand customers has ten thousand routes. */
static void many_routes_are_checked_soon(void **state)
{
    struct buf text = BUF_INIT(CONFIG_FILE_MAX);
    struct parsed p;

    (void)state;
    for (int i = 0; i < 10000; i++)
        buf_printf(&text, "route d%d.example mx { senders s%d.example; }\n", i % 5000, i);
    parse_text(&p, buf_str(&text));
    assert_non_null(p.c);
    assert_int_equal(p.c->n_routes, 10001);
    parsed_done(&p);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_written_is_one_route_to_the_mx),
        cmocka_unit_test(delivers_come_first_then_routes_then_the_last),
        cmocka_unit_test(the_last_route_is_there_unless_it_is_written),
        cmocka_unit_test(targets_are_read_whole),
        cmocka_unit_test(patterns_and_conditions_are_read_whole),
        cmocka_unit_test(variables_are_lists_of_patterns_but_one_argument),
        cmocka_unit_test(the_same_pattern_twice_names_both_places),
        cmocka_unit_test(a_route_that_can_never_match_names_the_one_before_it),
        cmocka_unit_test(an_unknown_listener_suggests_the_nearest),
        cmocka_unit_test(a_misspelt_name_in_a_route_suggests_one_for_routes),
        cmocka_unit_test(many_routes_are_checked_soon),
    };

    return cmocka_run_group_tests_name("config/route", tests, NULL, NULL);
}
