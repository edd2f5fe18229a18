/* The form of the language (FACE 1.2): words, quotes, variables, comments, includes, -o. */
#include "tests/unit/config/memory.h"

/* The words of a `log file:` path or another text, seen through `spool`. */
static void assert_spool(struct str text, const char *want)
{
    struct parsed p;
    char *copy = exact_copy(text);

    parse_text(&p, str_of(copy, text.n));
    if (!p.c)
        fail_msg("%.*s", STR_ARG(buf_str(&p.out)));
    assert_str_is(p.c->spool.text, str_from_c(want));
    free(copy);
    parsed_done(&p);
}

static void words_end_at_blanks_and_marks(void **state)
{
    (void)state;
    assert_spool(STR("spool /a/b;"), "/a/b");
    assert_spool(STR("spool\t/a/b ;"), "/a/b");
    assert_spool(STR("spool\n\n/a/b\n;"), "/a/b");
    assert_spool(STR("spool\r\n/a/b;\r\n"), "/a/b");
    assert_spool(STR("\xef\xbb\xbfspool /a/b;"), "/a/b");
    assert_spool(STR("spool /a$b\\c;"), "/a$b\\c");
    assert_spool(STR("spool /\xc3\xa4;"), "/\xc3\xa4");
    assert_spool(STR(""), "/var/spool/veredus");
    assert_spool(STR(" \n"), "/var/spool/veredus");
}

static void comments_begin_where_a_word_could(void **state)
{
    (void)state;
    assert_spool(STR("# spool /x;\nspool /a;# more"), "/a");
    assert_spool(STR("spool /a#b;"), "/a#b");
    assert_spool(STR("spool # between\n /a;"), "/a");
    assert_spool(STR("spool \"/a\"#b;"), "/a#b");
    assert_spool(STR("listen 25 {# }\n}# }\nspool /a; # no end"), "/a");
}

static void quotes_keep_all_but_two_escapes(void **state)
{
    (void)state;
    assert_spool(STR("spool \"/a b;{}#\";"), "/a b;{}#");
    assert_spool(STR("spool \"/a\\\"b\\\\c\";"), "/a\"b\\c");
    assert_spool(STR("spool \"/\\d+\\.\\n\";"), "/\\d+\\.\\n");
    assert_spool(STR("spool /a\"b c\"d\"\"e;"), "/ab cde");
    assert_spool(STR("spool \"/a\nb\";"), "/a\nb");
}

static const struct memory_pair environment[] = {
    { "HOST", STR_INIT("mail.example.org") }, { "EMPTY", STR_INIT("") },
    { "NETS", STR_INIT(" 192.0.2.0/24,::1  10.0.0.0/8\n") }, { "SYNTAX", STR_INIT("/a;b{user}\"${HOST} # c") },
    { "BAD", STR_INIT("\xff") }, { NULL, STR_INIT("") },
};

static void parse_with_environment(struct parsed *p, struct str text)
{
    const struct memory_pair files[] = { { "/v.conf", text }, { NULL, STR_NONE } };
    struct memory m = { .files = files, .env = environment };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/v.conf") };

    parse_source(p, &reader, &source);
}

static void variables_are_data_and_never_syntax(void **state)
{
    static const struct {
        struct str text;
        const char *spool;
    } rows[] = {
        { STR_INIT("spool /${HOST};"), "/mail.example.org" },
        { STR_INIT("spool \"/${HOST}/x\";"), "/mail.example.org/x" },
        { STR_INIT("spool ${SYNTAX};"), "/a;b{user}\"${HOST} # c" },
        { STR_INIT("spool \"${SYNTAX}\";"), "/a;b{user}\"${HOST} # c" },
        { STR_INIT("spool /${NONE:-a b};"), "/a b" },
        { STR_INIT("spool /${EMPTY:-x};"), "/x" },
        { STR_INIT("spool /x${EMPTY};"), "/x" },
        { STR_INIT("spool /${NONE:-};"), "/" },
        { STR_INIT("spool \"/$${HOST}\";"), "/${HOST}" },
        { STR_INIT("spool /$HOST;"), "/$HOST" },
        { STR_INIT("spool /a$;"), "/a$" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct parsed p;
        char *copy = exact_copy(rows[i].text);
        parse_with_environment(&p, str_of(copy, rows[i].text.n));
        if (!p.c)
            fail_msg("%.*s", STR_ARG(buf_str(&p.out)));
        assert_str_is(p.c->spool.text, str_from_c(rows[i].spool));
        free(copy);
        parsed_done(&p);
    }
}

static void a_variable_alone_in_a_list_is_cut(void **state)
{
    struct parsed p;

    (void)state;
    parse_with_environment(&p, STR("listen ${NONE:-25} { allow-from ${NETS} 198.51.100.1; }"));
    assert_non_null(p.c);
    assert_int_equal(p.c->listeners[0].allow_from.n, 4);
    assert_int_equal(p.c->listeners[0].endpoints[0].port, 25);
    parsed_done(&p);
    parse_with_environment(&p, STR("listen 25 { allow-from \"${NETS}\"; }"));
    assert_int_equal(p.diag.errors, 1);
    parsed_done(&p);
    parse_with_environment(&p, STR("listen 25 { allow-from ${EMPTY}; }"));
    assert_int_equal(p.diag.errors, 1);
    parsed_done(&p);
}

static void variables_that_cannot_be_are_named(void **state)
{
    struct parsed p;

    (void)state;
    parse_with_environment(&p, STR("hostname ${NONE};\nspool ${BAD};\norigin ${1};\nrun-as \"${X\";\n"));
    assert_str_is(buf_str(&p.out),
                  STR("/v.conf:1:10: error: the environment has no 'NONE'\n"
                      "    1 | hostname ${NONE};\n"
                      "      |          ^^^^^^^ set it, or give a default: ${NONE:-...}\n"
                      "/v.conf:2:7: error: the value of 'BAD' is not UTF-8\n"
                      "    2 | spool ${BAD};\n"
                      "      |       ^^^^^^\n"
                      "/v.conf:3:8: error: '${' without a name and '}'\n"
                      "    3 | origin ${1};\n"
                      "      |        ^^^^ write ${NAME}, ${NAME:-default}, or $${ for itself\n"
                      "/v.conf:4:9: error: '${' without a name and '}'\n"
                      "    4 | run-as \"${X\";\n"
                      "      |         ^^ write ${NAME}, ${NAME:-default}, or $${ for itself\n"));
    parsed_done(&p);
}

static void braces_are_marks_unless_they_hold_a_name(void **state)
{
    struct parsed p;

    (void)state;
    parse_text(&p, STR("listen 25{vrfy off;}domain a.example{users any;deliver maildir:/m/{user};}"));
    assert_non_null(p.c);
    assert_false(p.c->listeners[0].session.vrfy.on);
    assert_int_equal(p.c->domains[0].route->targets[0].path.n, 2);
    parsed_done(&p);
    parse_text(&p, STR("listen 25 {}"));
    assert_non_null(p.c);
    parsed_done(&p);
    parse_text(&p, STR("listen 25 { {user} on; }"));
    assert_int_equal(p.diag.errors, 1);
    parsed_done(&p);
}

static void includes_are_read_in_place_and_in_order(void **state)
{
    const struct memory_pair files[] = {
        { "/etc/v/v.conf", STR("include conf.d/*;\ninclude none.d/*;\ndomain a.example { include a.inc; }\n") },
        { "/etc/v/conf.d/2", STR("log file:/2;") },
        { "/etc/v/conf.d/1", STR("log file:1.log; include ../x.inc;") },
        { "/etc/v/conf.d/../x.inc", STR("spool s; ") },
        { "/etc/v/a.inc", STR("users file:u;\ndeliver maildir:m/{user};") },
        { NULL, STR_NONE },
    };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/v/v.conf") };
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &source);
    assert_non_null(p.c);
    assert_int_equal(p.c->n_logs, 2);
    assert_str_is(p.c->logs[0].path, STR("/etc/v/conf.d/1.log"));
    assert_str_is(p.c->logs[1].path, STR("/2"));
    assert_str_is(p.c->spool.text, STR("/etc/v/conf.d/../s"));
    assert_str_is(p.c->domains[0].users[0].path, STR("/etc/v/u"));
    assert_string_equal(config_rule(p.c, p.c->domains[0].users[0].place).c, "a.inc:1");
    assert_string_equal(config_rule(p.c, p.c->domains[0].route->place).c, "a.inc:2");
    assert_str_is(config_template_root(&p.c->domains[0].route->targets[0].path), STR("/etc/v/m"));
    parsed_done(&p);
}

static void includes_have_an_end(void **state)
{
    const struct memory_pair files[] = {
        { "/v", STR("include v;\ninclude w;\ninclude missing;\ninclude;\ninclude a b;\ninclude x { }\n") },
        { "/w", STR("include v;") },
        { NULL, STR_NONE },
    };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/v") };
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &source);
    assert_str_is(buf_str(&p.out), STR("/v:1:9: error: this file includes itself\n"
                                       "    1 | include v;\n"
                                       "      |         ^\n"
                                       "/v:3:9: error: cannot read '/missing': No such file or directory\n"
                                       "    3 | include missing;\n"
                                       "      |         ^^^^^^^\n"
                                       "/v:4:1: error: 'include' takes one path\n"
                                       "    4 | include;\n"
                                       "      | ^^^^^^^ write: include conf.d/*.conf;\n"
                                       "/v:5:1: error: 'include' takes one path\n"
                                       "    5 | include a b;\n"
                                       "      | ^^^^^^^ write: include conf.d/*.conf;\n"
                                       "/v:6:11: error: 'include' takes no block\n"
                                       "    6 | include x { }\n"
                                       "      |           ^\n"
                                       "/w:1:9: error: this file includes itself\n"
                                       "    1 | include v;\n"
                                       "      |         ^\n"));
    parsed_done(&p);
}

static void includes_nest_to_eight(void **state)
{
    const struct memory_pair files[] = {
        { "/0", STR("include 1;") }, { "/1", STR("include 2;") },  { "/2", STR("include 3;") },
        { "/3", STR("include 4;") }, { "/4", STR("include 5;") },  { "/5", STR("include 6;") },
        { "/6", STR("include 7;") }, { "/7", STR("include 8;") },  { "/8", STR("include 9;") },
        { "/9", STR("vrfy on;") },   { NULL, STR_NONE },
    };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &(struct config_source){ .root = STR("/1") });
    assert_non_null(p.c);
    parsed_done(&p);
    parse_source(&p, &reader, &(struct config_source){ .root = STR("/0") });
    assert_str_is(buf_str(&p.out), STR("/8:1:9: error: includes are nested more than 8 deep\n"
                                       "    1 | include 9;\n"
                                       "      |         ^\n"));
    parsed_done(&p);
}

static void options_replace_what_the_file_says(void **state)
{
    const struct memory_pair files[] = {
        { "/etc/v", STR("vrfy on; listen 25; listen 26; timeout command 1m; timeout lookup 1s;\n"
                        "limit client messages 1/h; limit client recipients 1/h;\n") },
        { NULL, STR_NONE },
    };
    const struct str options[] = { STR("listen 127.0.0.1:2525; vrfy off"), STR("timeout command 2m;"),
                                   STR("limit client messages 5/h; spool s;") };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/v"), .overrides = options, .n_overrides = 3 };
    struct parsed p;

    (void)state;
    parse_source(&p, &reader, &source);
    assert_non_null(p.c);
    assert_int_equal(p.c->n_listeners, 1);
    assert_int_equal(p.c->listeners[0].endpoints[0].port, 2525);
    assert_false(p.c->session.vrfy.on);
    assert_string_equal(config_rule(p.c, p.c->session.vrfy.place).c, "-o:1");
    assert_int_equal(p.c->session.timeout_command.msec, 120000);
    assert_int_equal(p.c->session.timeout_lookup.msec, 1000);
    assert_int_equal(p.c->n_limits, 7);
    assert_str_is(p.c->spool.text, STR("/etc/s"));
    parsed_done(&p);

    source.root = STR_NONE;
    parse_source(&p, &reader, &source);
    assert_non_null(p.c);
    assert_str_is(p.c->spool.text, STR("s"));
    parsed_done(&p);

    const struct str twice[] = { STR("vrfy on;"), STR("vrfy of;") };
    source = (struct config_source){ .root = STR("/etc/v"), .overrides = twice, .n_overrides = 2 };
    parse_source(&p, &reader, &source);
    assert_str_is(buf_str(&p.out), STR("-o:1:1: error: 'vrfy' is said twice\n"
                                       "    1 | vrfy of;\n"
                                       "      | ^^^^ the first is at -o:1\n"
                                       "-o:1:6: error: 'of' is not 'on' or 'off'\n"
                                       "    1 | vrfy of;\n"
                                       "      |      ^^ write it like this: vrfy off;\n"));
    parsed_done(&p);
}

/* N copies of PIECE; what a parse says of it first. */
static void assert_bounded(const char *piece, size_t n, const char *want)
{
    struct buf text = BUF_INIT(2 * CONFIG_FILE_MAX);
    struct parsed p;

    for (size_t i = 0; i < n; i++)
        buf_add_c(&text, piece);
    parse_text(&p, buf_str(&text));
    if (!str_contains(buf_str(&p.out), str_from_c(want)))
        fail_msg("%.*s", STR_ARG(str_head(buf_str(&p.out), 2000)));
    buf_done(&text);
    parsed_done(&p);
}

static void everything_is_bounded(void **state)
{
    (void)state;
    assert_bounded("          ", CONFIG_FILE_MAX / 10 + 1, "is larger than 1 MiB");
    assert_bounded("a{", 20, "blocks are nested too deep");
    assert_bounded("${", 50000, "too many errors");
    assert_bounded("\"", 40001, "this quote is not closed");
    assert_bounded("{user}", 30000, "this statement has no end");
    assert_bounded("include veredus.conf;", 1000, "this file includes itself");
    assert_bounded("include *;", 1000, "this file includes itself");
    assert_bounded("a ", 100000, "this statement has no end");
}

/* As many files as there are, all of PIECE, N times each. */
static void assert_files_bounded(const char *piece, size_t n, size_t n_includes, const char *want)
{
    struct buf root = BUF_INIT(CONFIG_FILE_MAX), part = BUF_INIT(CONFIG_FILE_MAX);

    for (size_t i = 0; i < n; i++)
        buf_add_c(&part, piece);
    for (size_t i = 0; i < n_includes; i++)
        buf_add_c(&root, "include part;\n");
    const struct memory_pair files[] = { { "/v", buf_str(&root) }, { "/part", buf_str(&part) }, { NULL, STR_NONE } };
    struct memory m = { .files = files };
    struct config_reader reader = memory_reader(&m);
    struct parsed p;
    parse_source(&p, &reader, &(struct config_source){ .root = STR("/v") });
    assert_int_equal(p.diag.errors, 1);
    assert_true(str_contains(buf_str(&p.out), str_from_c(want)));
    parsed_done(&p);
    buf_done(&part);
    buf_done(&root);
}

static void a_path_of_escapes_is_bounded(void **state)
{
    struct buf text = BUF_INIT(CONFIG_FILE_MAX);
    struct parsed p;

    (void)state;
    buf_add_c(&text, "domain a.example { users any; deliver \"maildir:/m/{user}");
    for (int i = 0; i < 100000; i++)
        buf_add_c(&text, "\\\\");
    buf_add_c(&text, "\"; }");
    parse_text(&p, buf_str(&text));
    assert_int_equal(p.diag.errors, 1);
    assert_str_is(p.diag.items[0].text, STR("the path is longer than 4095 octets"));
    parsed_done(&p);
    buf_done(&text);
}

static void all_files_together_are_bounded(void **state)
{
    (void)state;
    assert_files_bounded(" ", 1, CONFIG_FILES_MAX, "too many files, or too much in them");
    assert_files_bounded("                ", CONFIG_FILE_MAX / 16, 20, "too many files, or too much in them");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_end_at_blanks_and_marks),
        cmocka_unit_test(comments_begin_where_a_word_could),
        cmocka_unit_test(quotes_keep_all_but_two_escapes),
        cmocka_unit_test(variables_are_data_and_never_syntax),
        cmocka_unit_test(a_variable_alone_in_a_list_is_cut),
        cmocka_unit_test(variables_that_cannot_be_are_named),
        cmocka_unit_test(braces_are_marks_unless_they_hold_a_name),
        cmocka_unit_test(includes_are_read_in_place_and_in_order),
        cmocka_unit_test(includes_have_an_end),
        cmocka_unit_test(includes_nest_to_eight),
        cmocka_unit_test(options_replace_what_the_file_says),
        cmocka_unit_test(everything_is_bounded),
        cmocka_unit_test(a_path_of_escapes_is_bounded),
        cmocka_unit_test(all_files_together_are_bounded),
    };

    return cmocka_run_group_tests_name("config/language", tests, NULL, NULL);
}
