/* The text of an alias's command becomes arguments, or an error: never something for a shell. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/buf.h"
#include "mailbox/argv.h"

/* ARGUMENTS: each behind a '|', in order; NULL: it must fail. */
static void becomes(struct str text, const char *arguments)
{
    struct arena *a = arena_new(1 << 20);
    char *copy = malloc(text.n + !text.n);
    const char *const *argv;
    size_t n;
    struct err err = { 0 };
    struct buf got = BUF_INIT(10000);

    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    bool ok = mailbox_argv_cut(str_of(copy, text.n), a, &argv, &n, &err);
    free(copy);
    if (ok != (arguments != NULL))
        fail_msg("%.*s: %s", STR_ARG(text), err.text);
    if (ok) {
        for (size_t i = 0; i < n; i++)
            assert_true(buf_printf(&got, "|%s", argv[i]));
        assert_null(argv[n]);
        assert_str_is(buf_str(&got), str_from_c(arguments));
    } else {
        assert_int_equal(err.kind, ERR_TEMP);
    }
    buf_done(&got);
    arena_free(a);
}

static void blanks_part_and_quotes_join(void **state)
{
    (void)state;
    becomes(STR("/bin/x"), "|/bin/x");
    becomes(STR("  /bin/x \t a  b "), "|/bin/x|a|b");
    becomes(STR("/bin/x \"a b\" c\" d\"e"), "|/bin/x|a b|c de");
    becomes(STR("\"/bin/with blank\" \"\" x"), "|/bin/with blank||x");
    becomes(STR("\"/x\" \"\""), "|/x|");
    becomes(STR("/bin/x -a -b=c %s {user} @!^,:/.+_"), "|/bin/x|-a|-b=c|%s|{user}|@!^,:/.+_");
}

static void a_backslash_makes_quotes_and_itself_ordinary(void **state)
{
    (void)state;
    becomes(STR("/bin/x \\\"a \\\\b \"c\\\"d\\\\\" e\\f \\"), "|/bin/x|\"a|\\b|c\"d\\|e\\f|\\");
    becomes(STR("/bin/x \"a\\n\""), "|/bin/x|a\\n");
}

static void what_only_a_shell_could_do_is_an_error(void **state)
{
    const char *const shells = "|&;<>()$`'*?[~#";
    char text[40];

    (void)state;
    for (const char *p = shells; *p; p++) {
        snprintf(text, sizeof(text), "/bin/x a%cb", *p);
        becomes(str_from_c(text), NULL);
        snprintf(text, sizeof(text), "/bin/x \"a%cb\"", *p);
        char want[40];
        snprintf(want, sizeof(want), "|/bin/x|a%cb", *p);
        becomes(str_from_c(text), want);
    }
}

static void what_is_no_command_is_an_error(void **state)
{
    struct buf many = BUF_INIT(2000);

    (void)state;
    becomes(STR(""), NULL);
    becomes(STR("   "), NULL);
    becomes(STR("x a"), NULL);
    becomes(STR("\"\" /bin/x"), NULL);
    becomes(STR("/bin/x \"a b"), NULL);
    becomes(STR("/bin/x \""), NULL);
    becomes(STR("/bin/x a\0b"), NULL);
    becomes(STR("/bin/x \"a\nb\""), NULL);
    assert_true(buf_add_c(&many, "/x"));
    for (int i = 0; i < MAILBOX_ARGV_MAX; i++)
        assert_true(buf_add_c(&many, " a"));
    becomes(buf_str(&many), NULL);
    buf_done(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_part_and_quotes_join),
        cmocka_unit_test(a_backslash_makes_quotes_and_itself_ordinary),
        cmocka_unit_test(what_only_a_shell_could_do_is_an_error),
        cmocka_unit_test(what_is_no_command_is_an_error),
    };

    return cmocka_run_group_tests_name("mailbox/argv", tests, NULL, NULL);
}
