/* The table of directives: it agrees with itself, with what is parsed, and with the reference page. */
#include "tests/unit/config/memory.h"

#include <stdio.h>

#include "config/directive.h"

static bool may_stand(const struct config_directive *d, enum config_context context)
{
    return d->contexts & 1U << context;
}

/* The example of D where it may stand; false when that is in a block that is not built. */
static bool wrap_example(const struct config_directive *d, struct buf *out)
{
    if (may_stand(d, CONFIG_CONTEXT_TOP))
        return buf_add(out, d->example);
    if (may_stand(d, CONFIG_CONTEXT_LISTEN))
        return buf_printf(out, "listen 25 submission { tls { certificate /c; } %.*s }", STR_ARG(d->example));
    if (may_stand(d, CONFIG_CONTEXT_ROUTE))
        return buf_printf(out, "listen 25 { name printers; } route * smtp://a.example { %.*s }", STR_ARG(d->example));
    if (may_stand(d, CONFIG_CONTEXT_TLS))
        return buf_printf(out, "tls { %s %.*s }", d->id == CONFIG_DIRECTIVE_CERTIFICATE ? "" : "certificate /c;",
                          STR_ARG(d->example));
    if (may_stand(d, CONFIG_CONTEXT_OAUTH))
        return buf_printf(out, "oauth a { %s %s %.*s }", d->id == CONFIG_DIRECTIVE_ISSUER ? "" : "issuer https://a;",
                          d->id == CONFIG_DIRECTIVE_KEYS ? "" : "keys /k;", STR_ARG(d->example));
    if (!may_stand(d, CONFIG_CONTEXT_DOMAIN))
        return false;
    return buf_printf(out, "domain example.org { %s %s %.*s }",
                      d->id == CONFIG_DIRECTIVE_USERS ? "" : "users any;",
                      d->id == CONFIG_DIRECTIVE_DELIVER ? "" : "deliver maildir:/m/{user};", STR_ARG(d->example));
}

static void every_example_is_right_or_not_built_yet(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++) {
        const struct config_directive *d = config_directive_get((enum config_directive_id)i);
        struct buf text = BUF_INIT(1000), want = BUF_INIT(1000);
        struct parsed p;

        if (wrap_example(d, &text)) {
            parse_text(&p, buf_str(&text));
            buf_printf(&want, "'%.*s' is not built yet", STR_ARG(d->name));
            if (p.diag.errors != !d->built || (!d->built && !str_eq(p.diag.items[0].text, buf_str(&want))))
                fail_msg("%.*s", STR_ARG(buf_str(&p.out)));
            parsed_done(&p);
        }
        assert_true(str_starts(d->example, d->name) && d->example.p[d->name.n] == ' ');
        buf_done(&want);
        buf_done(&text);
    }
}

static void defaults_are_what_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++) {
        const struct config_directive *d = config_directive_get((enum config_directive_id)i);
        struct buf want = BUF_INIT(1000);

        assert_int_equal(d->id, i);
        assert_ptr_equal(config_directive_find(d->name), d);
        const char *mark = "";
        for (struct str rest = d->fallback; rest.p; mark = " ") {
            struct str part = str_cut(&rest, ','), one = str_trim(str_cut(&part, ';'));
            buf_printf(&want, "%s%.*s %.*s;", mark, STR_ARG(d->name), STR_ARG(one));
        }
        if (d->defaults.n && d->id != CONFIG_DIRECTIVE_WORKERS && d->id != CONFIG_DIRECTIVE_LOG)
            assert_str_is(d->defaults, buf_str(&want));
        assert_true(d->built || !d->defaults.n);
        assert_true(d->built == (d->grammar != CONFIG_GRAMMAR_LATER));
        buf_done(&want);
    }
}

static void slips_find_what_was_meant(void **state)
{
    static const struct {
        struct str written;
        const char *meant;
    } rows[] = {
        { STR_INIT("hostnam"), "hostname" },      { STR_INIT("hsotname"), "hostname" },
        { STR_INIT("lisen"), "listen" },          { STR_INIT("max-recipient"), "max-recipients" },
        { STR_INIT("maxrecipients"), "max-recipients" }, { STR_INIT("tsl"), "tls" },
        { STR_INIT("domian"), "domain" },         { STR_INIT("LISTEN"), "listen" },
        { STR_INIT("xyzzy"), NULL },
        { STR_INIT(""), NULL },                   { STR_INIT("a"), NULL },
    };
    struct buf endless = BUF_INIT(1000);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct config_directive *d = config_directive_nearest(rows[i].written, CONFIG_ANYWHERE);
        if (!rows[i].meant)
            assert_null(d);
        else
            assert_str_is(d->name, str_from_c(rows[i].meant));
    }
    while (endless.n < 500)
        buf_add_c(&endless, "listen");
    assert_null(config_directive_nearest(buf_str(&endless), CONFIG_ANYWHERE));
    buf_done(&endless);
}

static void help_is_the_row_and_an_example(void **state)
{
    struct buf out = BUF_INIT(1 << 16);
    struct err err = { 0 };

    (void)state;
    assert_true(config_help(STR("max-recipients"), &out, &err));
    assert_str_is(buf_str(&out), STR("max-recipients count\n"
                                     "  where    top, listen\n"
                                     "  default  1000\n"
                                     "  stage    A\n"
                                     "\n"
                                     "  Accepted RCPT a transaction (at least 100); further ones get 452 4.5.3.\n"
                                     "\n"
                                     "  max-recipients 200;\n"));
    buf_clear(&out);
    assert_true(config_help(STR("tenant"), &out, &err));
    assert_true(str_contains(buf_str(&out), STR("  stage    N, not built yet\n")));
    assert_false(config_help(STR("lisen"), &out, &err));
    assert_string_equal(err.text, "there is no directive 'lisen': did you mean 'listen'?");
    assert_false(config_help(STR("\x01"), &out, &err));
    buf_clear(&out);
    assert_true(config_help_list(&out));
    assert_true(str_contains(buf_str(&out), STR("\nspool                      Folder of the queue;")));
    size_t lines = 0;
    for (size_t i = 0; i < out.n; i++)
        lines += out.p[i] == '\n';
    assert_int_equal(lines, CONFIG_DIRECTIVES_N);
    buf_done(&out);
}

static bool help_has(const char *name, const char *line)
{
    struct buf out = BUF_INIT(1 << 16);
    struct err err = { 0 };

    assert_true(config_help(str_from_c(name), &out, &err));
    bool has = str_contains(buf_str(&out), str_from_c(line));
    buf_done(&out);
    return has;
}

static void help_lists_the_words_of_limits_and_timeouts(void **state)
{
    (void)state;
    assert_true(help_has("limit", "  default  client connections 50, client unknown-recipients 50/h, "
                         "client auth-failures 10/10m, account auth-failures 30/10m, account recipients 1000/h\n"));
    assert_true(help_has("limit", "\n  key\n    client               an address; IPv6 by /64\n"));
    assert_true(help_has("limit", "\n    tenant               not built yet\n\n  measure\n    connections  "));
    assert_true(help_has("limit", "\n  action\n    defer                421"));
    assert_true(help_has("limit", "\n    hold                 taken, and kept until released; of messages, "
                         "recipients and octets\n\n  limit client messages 60/m;\n"));
    assert_true(help_has("tls-level", "\n  level\n    auto                 dane, then"));
    assert_true(help_has("tls-level", "\n    dane-only            not built yet\n"));
    assert_true(help_has("auth", "\n    dovecot:             dovecot:SOCKET, Dovecot's auth client socket\n"));
    assert_true(help_has("send-as", "\n    own                  their own address"));
    assert_true(help_has("mechanisms", "\n  mechanism\n    SCRAM-SHA-256-PLUS   "));
    assert_true(help_has("timeout", "  default  command 5m, transaction 1h, lookup 5s, connect 30s, greeting 5m, "));
    assert_true(help_has("timeout", "\n  kind\n    command              last reply"));
    assert_true(help_has("timeout", "\n    filter               not built yet: it comes with stage N\n"));
}

static void no_row_refers_to_a_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++) {
        const struct config_directive *d = config_directive_get((enum config_directive_id)i);
        assert_false(str_contains(d->fallback, STR("see ")));
        for (size_t at = 0; at + 4 < d->help.n; at++)
            assert_false(d->help.p[at] == '(' && d->help.p[at + 2] == '.' && d->help.p[at + 4] == ')');
    }
}

/* ---- the reference page, when VEREDUS_FACE names it ---- */

enum { COLUMNS = 6 };

/* The cells of a line of the table, with "\|" as "|"; false when it is none. TEXT keeps them. */
static bool cut_row(struct str line, struct buf *text, struct str *cells)
{
    size_t n = 0, ends[COLUMNS];

    if (!str_starts(line, STR("| `")))
        return false;
    buf_clear(text);
    for (size_t i = 2; i < line.n; i++) {
        if (line.p[i] == '\\' && i + 1 < line.n && line.p[i + 1] == '|') {
            buf_add_char(text, line.p[++i]);
        } else if (line.p[i] == '|' && n < COLUMNS) {
            ends[n++] = text->n;
        } else {
            buf_add_char(text, line.p[i]);
        }
    }
    for (size_t i = 0; i < n; i++)
        cells[i] = str_trim(str_slice(buf_str(text), i ? ends[i - 1] : 0, ends[i]));
    return n == COLUMNS;
}

static unsigned contexts_of(struct str cell)
{
    unsigned contexts = 0;

    if (str_eq(cell, STR("any")))
        return CONFIG_ANYWHERE;
    for (size_t i = 0; i < CONFIG_CONTEXTS_N; i++) {
        struct str name = config_context_name((enum config_context)i);
        for (size_t at = 0; at + name.n <= cell.n; at++)
            if (str_eq(str_slice(cell, at, at + name.n), name))
                contexts |= 1U << i;
    }
    return contexts;
}

/* What stands in the block of `oauth` is told in the one row of `oauth`. */
static bool is_inside_oauth(const struct config_directive *d)
{
    return d->contexts == 1U << CONFIG_CONTEXT_OAUTH;
}

static size_t next_row(size_t at)
{
    do
        at++;
    while (at < CONFIG_DIRECTIVES_N && is_inside_oauth(config_directive_get((enum config_directive_id)at)));
    return at;
}

static void check_row(const struct str *cells, size_t at)
{
    struct str name = str_slice(cells[0], 1, cells[0].n - 1);
    const struct config_directive *d = config_directive_find(name);

    if (!d)
        fail_msg("'%.*s' is not in the table", STR_ARG(name));
    assert_int_equal(d->id, at);
    assert_false(is_inside_oauth(d));
    assert_int_equal(d->contexts, contexts_of(cells[1]));
    assert_str_is(d->value, cells[2]);
    /* A section of the page is nothing to a user of the program. */
    if (!str_starts(cells[3], STR("see ")))
        assert_str_is(d->fallback, cells[3]);
    assert_int_equal(d->stage, cells[4].p[0]);
    size_t section = str_find(cells[5], '(');
    if (str_starts(str_skip(cells[5], section), STR("(1.")))
        assert_str_is(str_head(d->help, section - 1), str_head(cells[5], section - 1));
    else
        assert_str_is(d->help, cells[5]);
}

static void the_table_agrees_with_the_reference_page(void **state)
{
    const char *path = getenv("VEREDUS_FACE");
    FILE *f = path ? fopen(path, "r") : NULL;
    struct buf page = BUF_INIT(1 << 20), text = BUF_INIT(1 << 16);
    size_t rows = 0;

    (void)state;
    if (!f) {
        print_message("skipped: the_table_agrees_with_the_reference_page: VEREDUS_FACE names no page\n");
        skip();
    }
    for (size_t n = 1; n;) {
        char *room = buf_room(&page, 4096);
        assert_non_null(room);
        n = fread(room, 1, 4096, f);
        buf_grew(&page, n);
    }
    fclose(f);
    bool inside = false;
    for (struct str rest = buf_str(&page); rest.p;) {
        struct str line = str_cut(&rest, '\n'), cells[COLUMNS];
        if (str_starts(line, STR("### ")))
            inside = str_contains(line, STR("Directives"));
        if (inside && cut_row(line, &text, cells)) {
            check_row(cells, rows);
            rows = next_row(rows);
        }
    }
    assert_int_equal(rows, CONFIG_DIRECTIVES_N);
    buf_done(&text);
    buf_done(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_is_right_or_not_built_yet),
        cmocka_unit_test(defaults_are_what_is_documented),
        cmocka_unit_test(slips_find_what_was_meant),
        cmocka_unit_test(help_is_the_row_and_an_example),
        cmocka_unit_test(help_lists_the_words_of_limits_and_timeouts),
        cmocka_unit_test(no_row_refers_to_a_section),
        cmocka_unit_test(the_table_agrees_with_the_reference_page),
    };

    return cmocka_run_group_tests_name("config/directives", tests, NULL, NULL);
}
