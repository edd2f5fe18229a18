/* What people see of their mistakes, letter by letter: place, line, mark, cure (FACE 1.12, 2.3). */
#include "tests/unit/config/memory.h"

static void assert_shows(struct str text, const char *want)
{
    struct parsed p;
    char *copy = exact_copy(text);

    parse_text(&p, str_of(copy, text.n));
    if (!str_eq(buf_str(&p.out), str_from_c(want)))
        fail_msg("shown:\n%.*s\nwanted:\n%s", STR_ARG(buf_str(&p.out)), want);
    free(copy);
    parsed_done(&p);
}

static void the_errors_of_the_reference_are_shown_as_there(void **state)
{
    const struct memory_pair files[] = {
        { "/etc/veredus/veredus.conf",
          STR("# mail\n\nhostnam mail.example.org;\nlisten 25;\n\n\n\n\n\n\n\n"
              "domain example.org {\n    users file:/etc/veredus/users;\n"
              "    deliver mailbox:/var/mail/{domain}/{user};\n}\ninclude conf.d/*.conf;\n") },
        { "/etc/veredus/conf.d/relay.conf", STR("# relay\nrelay-from 0.0.0.0/0;\n") },
        { NULL, STR_NONE },
    };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/veredus/veredus.conf") };
    struct buf count = BUF_INIT(100), error = BUF_INIT(200);
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &source);
    struct config_place place = { .file = 0, .line = 4, .column = 8, .length = 2 };
    config_diagnostics_add(&p.diag, CONFIG_WARNING, place, STR("nobody listens yet"), STR_NONE, STR_NONE);
    buf_clear(&p.out);
    assert_true(config_diagnostics_render(&p.diag, &p.out));
    assert_str_is(buf_str(&p.out),
                  STR("/etc/veredus/veredus.conf:3:1: error: unknown directive 'hostnam'\n"
                      "    3 | hostnam mail.example.org;\n"
                      "      | ^^^^^^^ did you mean 'hostname'?\n"
                      "/etc/veredus/veredus.conf:14:13: error: unknown scheme 'mailbox:'\n"
                      "   14 |     deliver mailbox:/var/mail/{domain}/{user};\n"
                      "      |             ^^^^^^^^ did you mean 'maildir:'? deliver takes mx smtp:// lmtp:// maildir: …\n"
                      "/etc/veredus/conf.d/relay.conf:2:12: error: '0.0.0.0/0' would make this an open relay\n"
                      "    2 | relay-from 0.0.0.0/0;\n"
                      "      |            ^^^^^^^^^ name the networks of your own clients, such as 192.0.2.0/24\n"
                      "/etc/veredus/veredus.conf:4:8: warning: nobody listens yet\n"
                      "    4 | listen 25;\n"
                      "      |        ^^\n"));
    assert_true(config_diagnostics_count(&p.diag, &count));
    assert_str_is(buf_str(&count), STR("3 errors, 1 warning"));
    /* The record of the log (FACE 3.2, config). */
    const struct config_diagnostic *second = &p.diag.items[1];
    for (size_t i = 0; i < p.diag.n; i++)
        if (p.diag.items[i].place.line == 14)
            second = &p.diag.items[i];
    assert_true(config_diagnostic_error(second, &error));
    assert_str_is(buf_str(&error), STR("unknown scheme 'mailbox:' (did you mean 'maildir:'?)"));
    assert_str_is(config_diagnostic_file(&p.diag, second), STR("/etc/veredus/veredus.conf"));
    assert_int_equal(second->place.line, 14);
    assert_int_equal(second->place.column, 13);
    buf_done(&error);
    buf_done(&count);
    parsed_done(&p);
}

static void a_forgotten_semicolon_is_found_where_it_is(void **state)
{
    (void)state;
    assert_shows(STR("hostname mail.example.org\nlisten 25;\n"),
                 "/etc/veredus/veredus.conf:2:1: error: 'listen' begins in the middle of a statement\n"
                 "    2 | listen 25;\n"
                 "      | ^^^^^^ is a ';' missing at the end of line 1?\n");
    assert_shows(STR("hostname mail.example.org;\nlisten 25 { allow-from 10.0.0.0/8\n  vrfy on; }\n"),
                 "/etc/veredus/veredus.conf:3:3: error: 'vrfy' begins in the middle of a statement\n"
                 "    3 |   vrfy on; }\n"
                 "      |   ^^^^ is a ';' missing at the end of line 2?\n");
    assert_shows(STR("hostname mail.example.org\nlisten 25 { vrfy on; }\n"),
                 "/etc/veredus/veredus.conf:2:1: error: 'listen' begins in the middle of a statement\n"
                 "    2 | listen 25 { vrfy on; }\n"
                 "      | ^^^^^^ is a ';' missing at the end of line 1?\n");
    assert_shows(STR("domain example.org {\n    users any\n    deliver maildir:/m/{user};\n}\n"),
                 "/etc/veredus/veredus.conf:3:5: error: 'deliver' begins in the middle of a statement\n"
                 "    3 |     deliver maildir:/m/{user};\n"
                 "      |     ^^^^^^^ is a ';' missing at the end of line 2?\n");
    assert_shows(STR("listen 25\n    mx\n    tls;\n"),
                 "/etc/veredus/veredus.conf:1:8: error: a listener with 'tls' needs a certificate\n"
                 "    1 | listen 25\n"
                 "      |        ^^ such as: tls { certificate /etc/veredus/tls/mail.pem; }\n");
    assert_shows(STR("listen 25 { vrfy on }\nvrfy on"),
                 "/etc/veredus/veredus.conf:1:18: error: this statement has no end\n"
                 "    1 | listen 25 { vrfy on }\n"
                 "      |                  ^^ write ';' behind it\n"
                 "/etc/veredus/veredus.conf:2:6: error: this statement has no end\n"
                 "    2 | vrfy on\n"
                 "      |      ^^ write ';' behind it\n");
}

static void signs_of_other_languages_are_named(void **state)
{
    (void)state;
    assert_shows(STR("hostname = mail.example.org;\n"),
                 "/etc/veredus/veredus.conf:1:10: error: '=' is no part of this language\n"
                 "    1 | hostname = mail.example.org;\n"
                 "      |          ^ write it like this: hostname mail.example.org;\n");
    assert_shows(STR("myhostname = mail.example.org\nmydestination = example.org\nlisten 25;\n"),
                 "/etc/veredus/veredus.conf:1:1: error: unknown directive 'myhostname'\n"
                 "    1 | myhostname = mail.example.org\n"
                 "      | ^^^^^^^^^^ did you mean 'hostname'? write it like this, without '=': hostname mail.example.org;\n");
    assert_shows(STR("// mail\nhostname mail.example.org;\n"),
                 "/etc/veredus/veredus.conf:1:1: error: unknown directive '//'\n"
                 "    1 | // mail\n"
                 "      | ^^ a comment begins with '#'\n");
    assert_shows(STR("smtpd_banner = hello\n;\n"),
                 "/etc/veredus/veredus.conf:1:1: error: unknown directive 'smtpd_banner'\n"
                 "    1 | smtpd_banner = hello\n"
                 "      | ^^^^^^^^^^^^ statements are written like this: hostname mail.example.org;\n");
}

static void braces_and_quotes_that_do_not_match(void **state)
{
    (void)state;
    assert_shows(STR("listen 25 {\n    vrfy on;\n"),
                 "/etc/veredus/veredus.conf:1:11: error: this block is not closed\n"
                 "    1 | listen 25 {\n"
                 "      |           ^ write '}' where the block ends\n");
    assert_shows(STR("listen 25 { };\n}\n{ vrfy on; }\n"),
                 "/etc/veredus/veredus.conf:1:14: error: ';' without a statement before it\n"
                 "    1 | listen 25 { };\n"
                 "      |              ^ leave it out: a block needs none behind its '}'\n"
                 "/etc/veredus/veredus.conf:2:1: error: '}' without a '{' before it\n"
                 "    2 | }\n"
                 "      | ^\n"
                 "/etc/veredus/veredus.conf:3:1: error: '{' without a directive before it\n"
                 "    3 | { vrfy on; }\n"
                 "      | ^\n");
    assert_shows(STR("spool \"/var/spool;\nvrfy on;\n"),
                 "/etc/veredus/veredus.conf:1:7: error: this quote is not closed\n"
                 "    1 | spool \"/var/spool;\n"
                 "      |       ^ write '\"' where the text ends\n");
    assert_shows(STR("listen 25 { name \"x; }\nvrfy on;\n"),
                 "/etc/veredus/veredus.conf:1:18: error: this quote is not closed\n"
                 "    1 | listen 25 { name \"x; }\n"
                 "      |                  ^ write '\"' where the text ends\n");
}

static void names_that_belong_elsewhere_say_where(void **state)
{
    (void)state;
    assert_shows(STR("users file:/etc/veredus/users;\nlisten 25 { log stderr; catchall a@b; }\nfrobnicate on;\n"),
                 "/etc/veredus/veredus.conf:1:1: error: 'users' cannot stand here\n"
                 "    1 | users file:/etc/veredus/users;\n"
                 "      | ^^^^^ it stands in 'domain'\n"
                 "/etc/veredus/veredus.conf:2:13: error: 'log' cannot stand here\n"
                 "    2 | listen 25 { log stderr; catchall a@b; }\n"
                 "      |             ^^^ it stands at the top\n"
                 "/etc/veredus/veredus.conf:2:25: error: unknown directive 'catchall'\n"
                 "    2 | listen 25 { log stderr; catchall a@b; }\n"
                 "      |                         ^^^^^^^^ did you mean 'catch-all'? it stands in 'domain'\n"
                 "/etc/veredus/veredus.conf:3:1: error: unknown directive 'frobnicate'\n"
                 "    3 | frobnicate on;\n"
                 "      | ^^^^^^^^^^\n");
}

static void what_is_said_twice_names_both_places(void **state)
{
    (void)state;
    assert_shows(STR("vrfy on;\nvrfy off;\n"
                     "domain a.example { users any; users system; deliver maildir:/m/{user}; }\n"
                     "domain A.example { users any; deliver maildir:/m/{user}; }\n"
                     "timeout command 5m;\ntimeout command 6m;\ntimeout lookup 1s;\n"),
                 "/etc/veredus/veredus.conf:2:1: error: 'vrfy' is said twice\n"
                 "    2 | vrfy off;\n"
                 "      | ^^^^ the first is at veredus.conf:1\n"
                 "/etc/veredus/veredus.conf:3:31: error: 'users' is said twice\n"
                 "    3 | domain a.example { users any; users system; deliver maildir:/m/{user}; }\n"
                 "      |                               ^^^^^ the first is at veredus.conf:3\n"
                 "/etc/veredus/veredus.conf:4:8: error: domain 'a.example' is said twice\n"
                 "    4 | domain A.example { users any; deliver maildir:/m/{user}; }\n"
                 "      |        ^^^^^^^^^ the first is at veredus.conf:3\n"
                 "/etc/veredus/veredus.conf:6:1: error: 'timeout' is said twice\n"
                 "    6 | timeout command 6m;\n"
                 "      | ^^^^^^^ the first is at veredus.conf:5\n");
}

static void an_endpoint_within_another_names_both_places(void **state)
{
    (void)state;
    assert_shows(STR("listen 127.0.0.1:25;\nlisten 25;\n"),
                 "/etc/veredus/veredus.conf:2:8: error: endpoint '127.0.0.1:25' is a part of '25'\n"
                 "    2 | listen 25;\n"
                 "      |        ^^ the first is at veredus.conf:1\n");
}

static void a_domain_that_lacks_something_says_what(void **state)
{
    (void)state;
    assert_shows(STR("domain example.org { }\ndomain example.net { user any; deliver bsmtp:/x; }\n"),
                 "/etc/veredus/veredus.conf:1:1: error: this domain has no 'users'\n"
                 "    1 | domain example.org { }\n"
                 "      | ^^^^^^ such as: users file:/etc/veredus/users;\n"
                 "/etc/veredus/veredus.conf:1:1: error: this domain has no 'deliver'\n"
                 "    1 | domain example.org { }\n"
                 "      | ^^^^^^ such as: deliver maildir:/var/mail/{domain}/{user};\n"
                 "/etc/veredus/veredus.conf:2:22: error: unknown directive 'user'\n"
                 "    2 | domain example.net { user any; deliver bsmtp:/x; }\n"
                 "      |                      ^^^^ did you mean 'users'?\n"
                 "/etc/veredus/veredus.conf:2:40: error: 'bsmtp:' is not built yet\n"
                 "    2 | domain example.net { user any; deliver bsmtp:/x; }\n"
                 "      |                                        ^^^^^^ it comes with stage C\n");
}

static void an_unknown_placeholder_lists_those_allowed(void **state)
{
    (void)state;
    assert_shows(STR("domain example.org { users any; deliver maildir:/m/{name}; }\n"),
                 "/etc/veredus/veredus.conf:1:52: error: unknown placeholder '{name}'\n"
                 "    1 | domain example.org { users any; deliver maildir:/m/{name}; }\n"
                 "      |                                                    ^^^^^^ allowed here: {user} {detail} {domain} "
                 "{address} {original} {home} {hostname}\n");
}

static void a_system_without_a_full_name_says_how_to_set_it(void **state)
{
    struct memory m = { 0 };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { 0 };
    struct parsed p;

    (void)state;
    reader.facts.fqdn = STR("box");
    parse_source(&p, &reader, &source);
    assert_str_is(buf_str(&p.out),
                  STR("error: no hostname is written, and the name of this system, 'box', is not a full one\n"
                      "      | write the full name, such as: hostname mail.example.org;\n"));
    parsed_done(&p);
}

static void tabs_and_wide_characters_keep_the_mark_in_place(void **state)
{
    (void)state;
    assert_shows(STR("\tvrfy\tmaybe; # \xc3\xa4\n"),
                 "/etc/veredus/veredus.conf:1:7: error: 'maybe' is not 'on' or 'off'\n"
                 "    1 | \tvrfy\tmaybe; # \xc3\xa4\n"
                 "      | \t    \t^^^^^ write it like this: vrfy off;\n");
    assert_shows(STR("origin \xc3\xa4.example; vrfy maybe;\r\n"),
                 "/etc/veredus/veredus.conf:1:24: error: 'maybe' is not 'on' or 'off'\n"
                 "    1 | origin \xc3\xa4.example; vrfy maybe;\n"
                 "      |                        ^^^^^ write it like this: vrfy off;\n");
}

static void of_a_very_long_line_a_part_is_shown(void **state)
{
    struct buf text = BUF_INIT(10000);
    struct parsed p;

    (void)state;
    for (int i = 0; i < 100; i++)
        buf_add_c(&text, "allow-from 192.0.2.0/24; ");
    parse_text(&p, buf_str(&text));
    assert_int_equal(p.diag.errors, 100);
    struct str rest = buf_str(&p.out);
    while (rest.p)
        assert_true(str_cut(&rest, '\n').n < 220);
    assert_true(str_contains(buf_str(&p.out), STR("error: too many errors; what follows was not looked at\n")));
    buf_done(&text);
    parsed_done(&p);
}

static void a_file_that_cannot_be_read_at_all(void **state)
{
    struct parsed p;

    (void)state;
    assert_shows(STR("vrfy on;\n# \xff\n"),
                 "/etc/veredus/veredus.conf:2:1: error: this line is not UTF-8\n"
                 "    2 | # ?\n"
                 "      | ^ save the file as UTF-8\n");
    assert_shows(STR("vrfy on;\n vrfy\x01 off;\n"),
                 "/etc/veredus/veredus.conf:2:6: error: control character 0x01\n"
                 "    2 |  vrfy? off;\n"
                 "      |      ^\n");
    struct memory m = { 0 };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/veredus/veredus.conf") };
    parse_source(&p, &reader, &source);
    assert_str_is(buf_str(&p.out), STR("error: cannot read '/etc/veredus/veredus.conf': No such file or directory\n"));
    parsed_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_errors_of_the_reference_are_shown_as_there),
        cmocka_unit_test(a_forgotten_semicolon_is_found_where_it_is),
        cmocka_unit_test(signs_of_other_languages_are_named),
        cmocka_unit_test(braces_and_quotes_that_do_not_match),
        cmocka_unit_test(names_that_belong_elsewhere_say_where),
        cmocka_unit_test(what_is_said_twice_names_both_places),
        cmocka_unit_test(an_endpoint_within_another_names_both_places),
        cmocka_unit_test(a_domain_that_lacks_something_says_what),
        cmocka_unit_test(an_unknown_placeholder_lists_those_allowed),
        cmocka_unit_test(a_system_without_a_full_name_says_how_to_set_it),
        cmocka_unit_test(tabs_and_wide_characters_keep_the_mark_in_place),
        cmocka_unit_test(of_a_very_long_line_a_part_is_shown),
        cmocka_unit_test(a_file_that_cannot_be_read_at_all),
    };

    return cmocka_run_group_tests_name("config/errors", tests, NULL, NULL);
}
