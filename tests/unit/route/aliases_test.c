/* Alias files in the form of aliases(5): what each line means, and which line a fault is named with. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "route/aliases.h"

struct reading {
    struct route_aliases aliases;
    struct route_faults faults;
    char *copy;
};

static struct reading read_text(struct str text)
{
    struct reading r = { .aliases = ROUTE_ALIASES_INIT, .copy = exact_copy(text) };

    assert_true(route_aliases_parse(&r.aliases, str_of(r.copy, text.n), &r.faults));
    return r;
}

static void done(struct reading *r)
{
    route_aliases_done(&r->aliases);
    free(r->copy);
}

/* "12: address local@domain" for each target, in one line. */
static const char *show(const struct reading *r, const char *local, const char *domain)
{
    static const char *const kinds[] = { "", "\\", "include ", "|", "file ", "broken" };
    static char out[1024];
    const struct route_alias *e = *local
                                      ? route_aliases_find(&r->aliases, str_from_c(local), str_from_c(domain))
                                      : route_aliases_find_domain(&r->aliases, str_from_c(domain));
    size_t n;

    if (!e)
        return "none";
    n = (size_t)snprintf(out, sizeof(out), "%u:", e->line);
    for (size_t i = 0; i < e->n; i++) {
        struct route_target t = route_alias_target(&r->aliases, e, i);
        n += (size_t)snprintf(out + n, sizeof(out) - n, " %s%.*s%s%.*s", kinds[t.kind], STR_ARG(t.text),
                              t.domain.n ? "@" : "", STR_ARG(t.domain));
    }
    return out;
}

static const char sample[] = "# aliases\n"
                             "ben: ben.miller\n"
                             "\n"
                             "all: anna, ben,\n"
                             "\tcarol@Example.NET\n"
                             "   # a comment between\n"
                             "\n"
                             "  , dora\n"
                             "\"with: colon\": \"quoted @ sign\"@example.org\n"
                             "self: \\self, |/usr/bin/program -x\n"
                             "Files: /var/mail/archive , \":include:/etc/list one\"\n"
                             "post@example.net: anna\n"
                             "@old.example: @example.org\n"
                             "owner-all: anna\n"
                             "named: Anna Berg <anna@example.org>, ben@example.org (Ben, who is busy)\n"
                             "command: \"|/bin/cmd with, comma\"\n"
                             "b\xc3\xbc"
                             "cher: anna@b\xc3\xbc"
                             "cher.example\r\n"
                             "last: anna";

static void each_form_is_read(void **state)
{
    (void)state;
    struct reading r = read_text(str_of(sample, sizeof(sample) - 1));

    assert_int_equal(r.faults.total, 0);
    assert_string_equal(show(&r, "BEN", "any.example"), "2: ben.miller");
    assert_string_equal(show(&r, "all", "d"), "4: anna ben carol@example.net dora");
    assert_string_equal(show(&r, "with: colon", "d"), "9: quoted @ sign@example.org");
    assert_string_equal(show(&r, "self", "d"), "10: \\self |/usr/bin/program -x");
    assert_string_equal(show(&r, "files", "d"), "11: file /var/mail/archive include /etc/list one");
    assert_string_equal(show(&r, "post", "example.net"), "12: anna");
    assert_string_equal(show(&r, "post", "example.org"), "none");
    assert_string_equal(show(&r, "", "old.example"), "13: @example.org");
    assert_string_equal(show(&r, "owner-all", "d"), "14: anna");
    assert_string_equal(show(&r, "named", "d"), "15: anna@example.org ben@example.org");
    assert_string_equal(show(&r, "command", "d"), "16: |/bin/cmd with, comma");
    assert_string_equal(show(&r,
                             "b\xc3\xbc"
                             "cher",
                             "d"),
                        "17: anna@xn--bcher-kva.example");
    assert_string_equal(show(&r, "last", "d"), "18: anna");
    done(&r);
}

static void a_name_at_its_domain_goes_before_the_name_alone(void **state)
{
    (void)state;
    struct reading r = read_text(STR("info: anna\ninfo@example.net: ben\n"));

    assert_string_equal(show(&r, "info", "example.net"), "2: ben");
    assert_string_equal(show(&r, "info", "example.org"), "1: anna");
    done(&r);
}

struct fault_case {
    const char *text;
    uint32_t line;
    const char *says;
};

static void faults_name_their_line(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        { "a: b\nno colon here\n", 2, "no colon" },
        { "a:\n", 1, "without a target" },
        { "a: b\n\n  \na: c\n", 4, "second entry" },
        { "a: b c\n", 1, "a blank in an address" },
        { "a: b@-bad-\n", 1, "no domain" },
        { "a: :include:relative\n", 1, "absolute path" },
        { "a: :fail: go away\n", 1, "only word of that form" },
        { "a: \"open\n", 1, "without end" },
        { "a: b (open\n", 1, "without end" },
        { "a: |\n", 1, "a command that is empty" },
        { " b: c\n", 1, "a continuation of nothing" },
        { "\\a: c\n", 1, "before targets only" },
        { ": c\n", 1, "nothing where a name should be" },
        { "a: \\\n", 1, "nothing where a name should be" },
        { "a: \\@example.org\n", 1, "stands before a name" },
        { "a: x\x01y\n", 1, "no local part" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reading r = read_text(str_from_c(cases[i].text));
        assert_true(r.faults.total >= 1);
        assert_int_equal(r.faults.items[0].line, cases[i].line);
        if (!strstr(r.faults.items[0].text, cases[i].says))
            fail_msg("%s: said \"%s\"", cases[i].text, r.faults.items[0].text);
        done(&r);
    }
}

/* What is known to be an alias is never taken for nothing because it is written badly. */
static void a_bad_target_stays_in_its_entry(void **state)
{
    (void)state;
    struct reading r = read_text(STR("x: anna, :nonsense:, ben\nempty:\ngood: anna\n"));

    assert_string_equal(show(&r, "x", "d"), "1: anna broken ben");
    assert_string_equal(show(&r, "empty", "d"), "2: broken");
    assert_string_equal(show(&r, "good", "d"), "3: anna");
    done(&r);
}

static void the_first_of_two_entries_counts(void **state)
{
    (void)state;
    struct reading r = read_text(STR("x: anna\nX: ben\n"));

    assert_int_equal(route_aliases_count(&r.aliases), 1);
    assert_string_equal(show(&r, "x", "d"), "1: anna");
    done(&r);
}

static void a_list_is_one_entry(void **state)
{
    (void)state;
    struct route_aliases list = ROUTE_ALIASES_INIT;
    struct route_faults faults = { 0 };

    assert_true(route_list_parse(
        &list, STR("# list\nanna, ben\n\n  carol@example.net\n:include:/etc/more\nbad one\n"), &faults));
    const struct route_alias *e = route_aliases_entry(&list, 0);
    assert_int_equal(e->n, 5);
    assert_str_is(route_alias_target(&list, e, 2).domain, STR("example.net"));
    assert_int_equal(route_alias_target(&list, e, 3).kind, ROUTE_TARGET_INCLUDE);
    assert_int_equal(route_alias_target(&list, e, 4).kind, ROUTE_TARGET_BROKEN);
    assert_int_equal(faults.total, 1);
    assert_int_equal(faults.items[0].line, 6);
    route_aliases_done(&list);
}

static void every_truncation_is_read(void **state)
{
    (void)state;
    struct str all = str_of(sample, sizeof(sample) - 1);

    for (size_t n = 0; n <= all.n; n++) {
        struct reading r = read_text(str_head(all, n));
        assert_true(route_aliases_count(&r.aliases) <= 13);
        done(&r);
    }
}

static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    struct route_aliases a = ROUTE_ALIASES_INIT;
    struct route_faults faults = { 0 };

    for (size_t max = 0; max < 4096; max += 16) {
        a.octets.max = max / 8;
        a.targets.max = max;
        if (route_aliases_parse(&a, str_of(sample, sizeof(sample) - 1), &faults))
            break;
        assert_int_equal(route_aliases_count(&a), 0);
        assert_null(a.octets.p);
    }
    assert_true(route_aliases_count(&a) > 0);
    route_aliases_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(a_name_at_its_domain_goes_before_the_name_alone),
        cmocka_unit_test(faults_name_their_line),
        cmocka_unit_test(a_bad_target_stays_in_its_entry),
        cmocka_unit_test(the_first_of_two_entries_counts),
        cmocka_unit_test(a_list_is_one_entry),
        cmocka_unit_test(every_truncation_is_read),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
