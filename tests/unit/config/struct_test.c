/* What holds where: defaults, the top, blocks; and questions to the finished configuration. */
#include "tests/unit/config/memory.h"

#include <stdio.h>

static struct ip ip(const char *text)
{
    struct ip a = { 0 };

    assert_true(ip_parse(str_from_c(text), &a));
    return a;
}

static void parse_well(struct parsed *p, struct str text)
{
    char *copy = exact_copy(text);

    parse_text(p, str_of(copy, text.n));
    free(copy);
    if (!p->c)
        fail_msg("%.*s", STR_ARG(buf_str(&p->out)));
}

static void nothing_written_is_safe_and_complete(void **state)
{
    /* FACE 1.8; one after the other by key and measure. */
    static const struct {
        enum config_limit_key key;
        enum config_limit_measure measure;
        uint64_t bound;
        uint64_t msec;
    } built_in[] = {
        { CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS, 50, 0 },
        { CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_AUTH_FAILURES, 10, 10 * 60 * 1000 },
        { CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_UNKNOWN_RECIPIENTS, 50, 3600 * 1000 },
        { CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_RECIPIENTS, 1000, 3600 * 1000 },
        { CONFIG_LIMIT_ACCOUNT, CONFIG_MEASURE_AUTH_FAILURES, 30, 10 * 60 * 1000 },
    };
    struct parsed p;

    (void)state;
    parse_well(&p, STR(""));
    const struct config *c = p.c;
    const struct config_session *s = &c->session;
    assert_str_is(s->hostname.text, STR("host.example.net"));
    assert_str_is(c->origin.text, STR("host.example.net"));
    assert_int_equal(c->postmaster.local.n, 0);
    assert_str_is(c->spool.text, STR("/var/spool/veredus"));
    assert_str_is(c->control.path, STR("/run/veredus/control"));
    assert_int_equal(c->control.mode, 0660);
    assert_str_is(c->control.group, STR("veredus"));
    assert_int_equal(c->run_as.text.n, 0);
    assert_true(c->receive_workers.automatic && c->send_workers.automatic);
    assert_true(c->min_free.percent && c->min_free.n == 5);
    assert_int_equal(c->max_received.n, 100);
    assert_int_equal(s->max_message_size.n, 50 * 1024 * 1024);
    assert_int_equal(s->max_recipients.n, 1000);
    assert_int_equal(s->max_header_size.n, 256 * 1024);
    assert_int_equal(s->max_line_length.n, 64 * 1024);
    assert_true(s->max_sessions.automatic);
    assert_int_equal(s->max_messages.n, 1000);
    assert_int_equal(s->max_errors.n, 20);
    assert_int_equal(s->error_delay.msec, 1000);
    assert_int_equal(s->timeout_command.msec, 5 * 60 * 1000);
    assert_int_equal(s->timeout_transaction.msec, 60 * 60 * 1000);
    assert_int_equal(s->timeout_lookup.msec, 5000);
    assert_int_equal(s->bare_newlines.value, CONFIG_BARE_REJECT);
    assert_int_equal(s->ehlo_check.value, CONFIG_EHLO_SYNTAX);
    assert_int_equal(s->path_syntax.value, CONFIG_PATH_LENIENT);
    assert_true(s->vrfy.on);
    assert_int_equal(c->n_listeners, 0);
    assert_int_equal(c->n_domains, 0);
    assert_int_equal(c->n_logs, 1);
    assert_int_equal(c->logs[0].kind, CONFIG_LOG_STDERR);
    assert_int_equal(c->logs[0].form, CONFIG_LOG_KV);
    assert_int_equal(c->logs[0].level, CONFIG_LOG_INFO);
    assert_int_equal(s->limits.n, ARRAY_LEN(built_in));
    for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
        const struct config_limit *limit = s->limits.items[i];
        assert_int_equal(limit->key, built_in[i].key);
        assert_int_equal(limit->measure, built_in[i].measure);
        assert_int_equal(limit->bound, built_in[i].bound);
        assert_int_equal(limit->msec, built_in[i].msec);
        assert_true(limit->built_in);
        assert_string_equal(config_rule(c, limit->place).c, "default");
    }
    assert_str_is(s->limits.items[2]->written, STR("50/h"));
    assert_null(config_find_domain(c, STR("example.org")));
    parsed_done(&p);
}

static void the_log_goes_to_the_journal_under_systemd(void **state)
{
    struct memory m = { 0 };
    struct config_reader reader = memory_reader(&m);
    const struct str options[] = { STR("log stderr json") };
    struct config_source source = { 0 };
    struct parsed p;

    (void)state;
    reader.facts.under_systemd = true;
    parse_source(&p, &reader, &source);
    assert_int_equal(p.c->logs[0].kind, CONFIG_LOG_JOURNAL);
    parsed_done(&p);
    source = (struct config_source){ .overrides = options, .n_overrides = 1 };
    parse_source(&p, &reader, &source);
    assert_int_equal(p.c->logs[0].kind, CONFIG_LOG_STDERR);
    assert_int_equal(p.c->logs[0].form, CONFIG_LOG_JSON);
    parsed_done(&p);
}

static void at_a_glance_as_far_as_it_is_built(void **state)
{
    struct parsed p;

    (void)state;
    parse_well(&p, STR("hostname mail.example.org;\n"
                       "\n"
                       "listen 25;                                   # mail exchange\n"
                       "\n"
                       "domain example.org {\n"
                       "    users   file:/etc/veredus/users;\n"
                       "    aliases file:/etc/veredus/aliases;\n"
                       "    deliver maildir:/var/mail/{domain}/{user};\n"
                       "}\n"));
    const struct config *c = p.c;
    assert_int_equal(c->n_listeners, 1);
    assert_str_is(c->listeners[0].name.text, STR("mx-25"));
    assert_int_equal(c->listeners[0].endpoints[0].kind, CONFIG_ENDPOINT_PORT);
    assert_true(c->listeners[0].allow_from.everyone);
    assert_str_is(c->listeners[0].session.hostname.text, STR("mail.example.org"));
    assert_str_is(c->origin.text, STR("example.org"));
    assert_str_is(c->postmaster.local, STR("postmaster"));
    assert_str_is(c->postmaster.domain, STR("example.org"));

    const struct config_domain *d = config_find_domain(c, STR("example.org"));
    assert_ptr_equal(d, &c->domains[0]);
    assert_int_equal(d->users[0].kind, CONFIG_USERS_FILE);
    assert_str_is(d->users[0].path, STR("/etc/veredus/users"));
    assert_str_is(d->aliases[0].text, STR("/etc/veredus/aliases"));
    assert_str_is(d->subaddress.text, STR("+"));
    assert_str_is(d->deliver_as.text, STR("vmail"));
    assert_int_equal(d->max_expansion.n, 1000);
    assert_int_equal(d->postmaster.local.n, 0);
    assert_int_equal(d->limits.n, 0);
    assert_string_equal(config_rule(c, d->users[0].place).c, "veredus.conf:6");
    assert_string_equal(config_rule(c, d->place).c, "veredus.conf:5");
    parsed_done(&p);
}

static void a_listener_holds_before_the_top(void **state)
{
    struct parsed p;

    (void)state;
    parse_well(&p, STR("hostname a.example.org; max-errors 5; vrfy off; timeout command 1m; max-message-size 10M;\n"
                       "listen 25 { hostname b.example.org; max-errors 7; timeout lookup 2s; name inner; mode 0600 mail; }\n"
                       "listen 127.0.0.1:2525 [::1]:2525;\n"
                       "listen unix:/run/x;\nlisten systemd:smtp;\n"));
    const struct config *c = p.c;
    const struct config_listener *l = c->listeners;
    assert_int_equal(c->n_listeners, 4);
    assert_str_is(l[0].session.hostname.text, STR("b.example.org"));
    assert_int_equal(l[0].session.max_errors.n, 7);
    assert_string_equal(config_rule(c, l[0].session.max_errors.place).c, "veredus.conf:2");
    assert_int_equal(l[0].session.timeout_command.msec, 60000);
    assert_int_equal(l[0].session.timeout_lookup.msec, 2000);
    assert_false(l[0].session.vrfy.on);
    assert_int_equal(l[0].session.max_message_size.n, 10 << 20);
    assert_str_is(l[0].name.text, STR("inner"));
    assert_int_equal(l[0].mode.n, 0600);
    assert_str_is(l[0].group, STR("mail"));
    assert_int_equal(l[1].session.max_errors.n, 5);
    assert_str_is(l[1].session.hostname.text, STR("a.example.org"));
    assert_int_equal(l[1].n_endpoints, 2);
    assert_str_is(l[1].name.text, STR("mx-2525"));
    assert_string_equal(ip_text(&l[1].endpoints[1].address).c, "::1");
    assert_str_is(l[2].name.text, STR("mx-unix"));
    assert_int_equal(l[2].mode.n, 0660);
    assert_str_is(l[2].endpoints[0].path, STR("/run/x"));
    assert_str_is(l[3].name.text, STR("mx-smtp"));
    assert_int_equal(l[3].endpoints[0].kind, CONFIG_ENDPOINT_SYSTEMD);
    parsed_done(&p);
}

static const struct config_limit *limit_of(const struct config_limits *limits, enum config_limit_key key,
                                           enum config_limit_measure measure)
{
    for (size_t i = 0; i < limits->n; i++)
        if (limits->items[i]->key == key && limits->items[i]->measure == measure)
            return limits->items[i];
    return NULL;
}

static void limits_replace_their_like_and_no_others(void **state)
{
    struct parsed p;

    (void)state;
    parse_well(&p, STR("limit client connections 10;\nlimit all messages 100/s;\n"
                       "listen 25 { limit client connections 3; limit client messages 60/m reject; }\n"
                       "listen 26 { limit client connections none; limit client unknown-recipients none; }\n"
                       "domain a.example { users any; deliver maildir:/m/{user}; limit sender recipients 5/h reject; }\n"));
    const struct config *c = p.c;
    const struct config_limits *a = &c->listeners[0].session.limits, *b = &c->listeners[1].session.limits;
    const struct config_limit *l = limit_of(a, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS);
    assert_int_equal(l->bound, 3);
    assert_int_equal(l->msec, 0);
    assert_false(l->built_in);
    assert_string_equal(config_rule(c, l->place).c, "veredus.conf:3");
    assert_ptr_equal(l, &c->limits[l->index]);
    /* By what its counts are found again in another configuration. */
    assert_str_is(l->block, STR("listen 25"));
    assert_str_is(limit_of(a, CONFIG_LIMIT_ALL, CONFIG_MEASURE_MESSAGES)->block, STR_NONE);
    assert_str_is(c->domains[0].limits.items[0]->block, STR("domain a.example"));
    l = limit_of(a, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_MESSAGES);
    assert_int_equal(l->action, CONFIG_LIMIT_REJECT);
    assert_int_equal(l->msec, 60000);
    assert_int_equal(a->n, 7);
    assert_int_equal(b->n, 4);
    assert_ptr_equal(b->items[3], limit_of(a, CONFIG_LIMIT_ALL, CONFIG_MEASURE_MESSAGES));
    assert_int_equal(limit_of(&c->session.limits, CONFIG_LIMIT_CLIENT, CONFIG_MEASURE_CONNECTIONS)->bound, 10);
    assert_int_equal(c->session.limits.n, 6);
    assert_int_equal(c->domains[0].limits.n, 1);
    assert_int_equal(c->domains[0].limits.items[0]->action, CONFIG_LIMIT_REJECT);
    for (size_t i = 0; i < c->n_limits; i++)
        assert_int_equal(c->limits[i].index, i);
    assert_str_is(config_limit_key_name(CONFIG_LIMIT_SENDER_DOMAIN), STR("sender-domain"));
    assert_str_is(config_limit_measure_name(CONFIG_MEASURE_UNKNOWN_RECIPIENTS), STR("unknown-recipients"));
    assert_str_is(config_limit_action_name(CONFIG_LIMIT_REJECT), STR("reject"));
    parsed_done(&p);
}

static void a_domain_holds_before_the_top(void **state)
{
    struct parsed p;

    (void)state;
    parse_well(&p, STR("aliases file:/top; subaddress -; postmaster p@a.example; max-message-size 5M; max-expansion 7;\n"
                       "domain a.example B\xc3\xbc" "cher.example {\n"
                       "  users file:/u file:/v; deliver maildir:/m/{domain}/{user}; }\n"
                       "domain c.example { aliases none; subaddress off; postmaster none; users system; catch-all X@C.example;\n"
                       "  deliver maildir:{home}/Maildir; max-message-size 1M; max-expansion 8; }\n"
                       "domain d.example { users system; deliver-as vmail; deliver maildir:/m/{user}; aliases file:/d; }\n"));
    const struct config *c = p.c;
    const struct config_domain *a = config_find_domain(c, STR("a.example"));
    const struct config_domain *b = config_find_domain(c, STR("xn--bcher-kva.example"));
    const struct config_domain *third = config_find_domain(c, STR("c.example"));
    const struct config_domain *fourth = config_find_domain(c, STR("d.example"));
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_null(config_find_domain(c, STR("A.example")));
    assert_null(config_find_domain(c, STR("x.a.example")));
    assert_null(config_find_domain(c, STR("")));
    assert_int_equal(a->n_users, 2);
    assert_int_equal(a->n_aliases, 1);
    assert_str_is(a->aliases[0].text, STR("/top"));
    assert_str_is(a->subaddress.text, STR("-"));
    assert_str_is(a->postmaster.domain, STR("a.example"));
    assert_int_equal(a->max_message_size.n, 5 << 20);
    assert_int_equal(a->max_expansion.n, 7);
    assert_int_equal(third->n_aliases, 0);
    assert_int_equal(third->subaddress.text.n, 0);
    assert_int_equal(third->postmaster.local.n, 0);
    assert_str_is(third->catch_all.local, STR("X"));
    assert_str_is(third->catch_all.domain, STR("c.example"));
    assert_int_equal(third->deliver_as.text.n, 0);
    assert_int_equal(third->max_message_size.n, 1 << 20);
    assert_int_equal(third->max_expansion.n, 8);
    assert_str_is(fourth->deliver_as.text, STR("vmail"));
    assert_str_is(fourth->aliases[0].text, STR("/d"));
    assert_int_equal(fourth->index, 2);
    assert_str_is(c->origin.text, STR("host.example.net"));
    assert_str_is(c->postmaster.domain, STR("a.example"));
    parsed_done(&p);
}

static void postmaster_falls_back_as_written(void **state)
{
    static const struct {
        struct str text;
        const char *domain;
    } rows[] = {
        { STR_INIT("domain a.example { users any; deliver maildir:/m/{user}; }"), "a.example" },
        { STR_INIT("origin b.example; domain a.example b.example { users any; deliver maildir:/m/{user}; }"), "b.example" },
        { STR_INIT("origin x.example; domain a.example b.example { users any; deliver maildir:/m/{user}; }"), "a.example" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct parsed p;
        parse_well(&p, rows[i].text);
        assert_str_is(p.c->postmaster.domain, str_from_c(rows[i].domain));
        parsed_done(&p);
    }
}

static void networks_say_which_entry_decided(void **state)
{
    struct ip inside = ip("192.0.2.77"), six = ip("2001:db8::5"), outside = ip("198.51.100.1");
    struct config_place place;
    struct parsed p;

    (void)state;
    parse_well(&p, STR("listen 25 {\n allow-from 192.0.2.0/24\n 2001:db8::/32; }\nlisten 26 { allow-from none; }\nlisten 27;\n"));
    const struct config_networks *nets = &p.c->listeners[0].allow_from;
    assert_true(config_networks_have(nets, &inside, &place));
    assert_int_equal(place.line, 2);
    assert_true(config_networks_have(nets, &six, &place));
    assert_int_equal(place.line, 3);
    assert_false(config_networks_have(nets, &outside, &place));
    assert_string_equal(config_rule(p.c, place).c, "veredus.conf:2");
    assert_false(config_networks_have(&p.c->listeners[1].allow_from, &inside, NULL));
    assert_true(config_networks_have(&p.c->listeners[2].allow_from, &inside, &place));
    assert_string_equal(config_rule(p.c, place).c, "default");
    parsed_done(&p);
}

static void what_must_be_had_is_listed_with_its_place(void **state)
{
    static const struct {
        enum config_need_kind kind;
        const char *what;
        unsigned line;
    } want[] = {
        { CONFIG_NEED_SPOOL, "/s", 1 },
        { CONFIG_NEED_STATE, "/var/lib/veredus", 0 },
        { CONFIG_NEED_SOCKET_FOLDER, "/run/veredus", 0 },
        { CONFIG_NEED_GROUP, "veredus", 0 },
        { CONFIG_NEED_ACCOUNT, "v", 1 },
        { CONFIG_NEED_SOCKET_FOLDER, "/run", 2 },
        { CONFIG_NEED_GROUP, "mail", 2 },
        { CONFIG_NEED_USERS_FILE, "/u", 3 },
        { CONFIG_NEED_ALIASES_FILE, "/a", 3 },
        { CONFIG_NEED_ACCOUNT, "vmail", 0 },
        { CONFIG_NEED_MAIL_ROOT, "/m", 4 },
        { CONFIG_NEED_LOG_FOLDER, "/var/log", 5 },
    };
    struct parsed p;

    (void)state;
    parse_well(&p, STR("spool /s; run-as v;\nlisten unix:/run/x { mode 0600 mail; }\n"
                       "domain a.example { users file:/u; aliases file:/a;\n deliver maildir:/m/{user}; }\n"
                       "log file:/var/log/v;\n"));
    assert_int_equal(p.c->n_needs, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(p.c->needs[i].kind, want[i].kind);
        assert_str_is(p.c->needs[i].what, str_from_c(want[i].what));
        assert_int_equal(p.c->needs[i].place.line, want[i].line);
    }
    parsed_done(&p);
}

/* A route into a mailbox delivers as the domain of its addresses does, a stranger's as vmail. */
static void a_route_has_an_account(void **state)
{
    struct parsed p;

    (void)state;
    parse_well(&p, STR("domain a.example { users any; deliver mx; deliver-as list; }\n"
                       "route x@a.example mbox:/m/{user}; route b.example maildir:/n/{user}; route * pipe:/bin/x;\n"));
    assert_str_is(config_route_account(p.c, &p.c->routes[1]).text, STR("list"));
    assert_str_is(config_route_account(p.c, &p.c->routes[2]).text, STR("vmail"));
    assert_str_is(config_route_account(p.c, &p.c->routes[3]).text, STR("vmail"));
    size_t accounts = 0, commands = 0, roots = 0;
    for (size_t i = 0; i < p.c->n_needs; i++) {
        accounts += p.c->needs[i].kind == CONFIG_NEED_ACCOUNT;
        commands += p.c->needs[i].kind == CONFIG_NEED_COMMAND;
        roots += p.c->needs[i].kind == CONFIG_NEED_MAIL_ROOT;
    }
    assert_true(accounts == 3 && commands == 1 && roots == 2);
    parsed_done(&p);
}

static void many_domains_are_found(void **state)
{
    struct buf text = BUF_INIT(CONFIG_FILE_MAX);
    struct parsed p;

    (void)state;
    for (int i = 0; i < 10000; i++)
        buf_printf(&text, "domain d%d.example e%d.example { users any; deliver maildir:/m/{user}; }\n", i, i);
    parse_well(&p, buf_str(&text));
    assert_int_equal(p.c->n_domains, 10000);
    for (int i = 0; i < 10000; i++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "e%d.example", i);
        assert_ptr_equal(config_find_domain(p.c, str_of(name, (size_t)n)), &p.c->domains[i]);
    }
    assert_null(config_find_domain(p.c, STR("d10000.example")));
    buf_done(&text);
    parsed_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_written_is_safe_and_complete),
        cmocka_unit_test(the_log_goes_to_the_journal_under_systemd),
        cmocka_unit_test(at_a_glance_as_far_as_it_is_built),
        cmocka_unit_test(a_listener_holds_before_the_top),
        cmocka_unit_test(limits_replace_their_like_and_no_others),
        cmocka_unit_test(a_domain_holds_before_the_top),
        cmocka_unit_test(postmaster_falls_back_as_written),
        cmocka_unit_test(networks_say_which_entry_decided),
        cmocka_unit_test(what_must_be_had_is_listed_with_its_place),
        cmocka_unit_test(a_route_has_an_account),
        cmocka_unit_test(many_domains_are_found),
    };

    return cmocka_run_group_tests_name("config/struct", tests, NULL, NULL);
}
