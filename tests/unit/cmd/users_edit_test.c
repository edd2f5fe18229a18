/* One line of a users file changed, every other octet kept; and passwords that auth reads again. */
#include "tests/unit/unit.h"

#include "auth/stored.h"
#include "cmd/user.h"
#include "cmd/users_edit.h"

static const struct str file = STR_INIT("# people: a comment\r\n\r\nAnna:{CRYPT}old:1:2:G e:/h:/s:foo=1 scram_sha256=bad bar\r\n"
                                        "not a name:x\n  \nben\nonly@example.net:!{CRYPT}x\nben@example.org:{CRYPT}second");

static bool find(const char *local, const char *domain, struct users_line *line)
{
    struct users_name name = { str_from_c(local), str_from_c(domain) };

    return users_find(file, &name, line);
}

static void lines_are_found_as_the_server_finds_them(void **state)
{
    (void)state;
    struct users_line line;
    size_t at = 0, n = 0;

    assert_true(find("ANNA", "example.org", &line));
    assert_str_is(line.fields[USERS_PASSWORD], STR("{CRYPT}old"));
    assert_str_is(line.fields[USERS_EXTRA], STR("foo=1 scram_sha256=bad bar"));
    assert_true(find("ben", "example.org", &line));
    assert_int_equal(line.n_fields, 1);
    assert_true(find("only", "example.net", &line));
    assert_false(find("only", "example.org", &line));
    assert_false(find("not", "example.org", &line));
    assert_false(find("# people", "example.org", &line));
    while (users_next(file, &at, &line))
        n++;
    assert_int_equal(n, 4);
}

static void assert_becomes(struct buf *out, bool ok, const char *text)
{
    assert_true(ok);
    assert_str_is(buf_str(out), str_from_c(text));
    buf_clear(out);
}

static void nothing_else_changes(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(10000);
    struct users_line line;

    assert_true(find("anna", "example.org", &line));
    assert_becomes(&out, users_set_password(&out, file, &line, STR("{CRYPT}new"), STR("1,2,3,4")),
                   "# people: a comment\r\n\r\nAnna:{CRYPT}new:1:2:G e:/h:/s:foo=1 bar scram_sha256=1,2,3,4\r\n"
                   "not a name:x\n  \nben\nonly@example.net:!{CRYPT}x\nben@example.org:{CRYPT}second");
    assert_becomes(&out, users_lock(&out, file, &line),
                   "# people: a comment\r\n\r\nAnna:!{CRYPT}old:1:2:G e:/h:/s:foo=1 scram_sha256=bad bar\r\n"
                   "not a name:x\n  \nben\nonly@example.net:!{CRYPT}x\nben@example.org:{CRYPT}second");
    assert_becomes(&out, users_remove(&out, file, &line),
                   "# people: a comment\r\n\r\nnot a name:x\n  \nben\nonly@example.net:!{CRYPT}x\n"
                   "ben@example.org:{CRYPT}second");
    assert_true(find("ben", "example.org", &line));
    assert_becomes(&out, users_set_password(&out, file, &line, STR("p"), STR("s")),
                   "# people: a comment\r\n\r\nAnna:{CRYPT}old:1:2:G e:/h:/s:foo=1 scram_sha256=bad bar\r\n"
                   "not a name:x\n  \nben:p::::::scram_sha256=s\nonly@example.net:!{CRYPT}x\n"
                   "ben@example.org:{CRYPT}second");
    assert_becomes(&out, users_add(&out, STR("a"), STR("b"), STR("p"), STR("s")), "a\nb:p::::::scram_sha256=s\n");
    assert_becomes(&out, users_add(&out, STR(""), STR("b"), STR_NONE, STR_NONE), "b\n");
    assert_true(users_find(STR("x:1\nlast:2"), &(struct users_name){ STR("last"), STR("d") }, &line));
    assert_becomes(&out, users_remove(&out, STR("x:1\nlast:2"), &line), "x:1\n");
    buf_done(&out);
}

/* C120: what is kept lets this password in, in both forms, and no other. */
static void a_password_is_right_in_both_forms(void **state)
{
    (void)state;
    struct buf hash = BUF_INIT(1000), scram = BUF_INIT(1000), line = BUF_INIT(3000);
    struct auth_text tea, coffee;
    struct auth_stored stored;

    assert_int_equal(auth_prepare("t\xc3\xa9\xc2\xa0" "a", &tea), AUTH_PREPARED);
    assert_int_equal(auth_prepare("coffee", &coffee), AUTH_PREPARED);
    assert_true(user_hash(&tea, &hash, &scram));
    assert_true(str_starts(buf_str(&hash), STR("{CRYPT}$y$")));
    buf_printf(&line, "%.*s::::::scram_sha256=%.*s", STR_ARG(buf_str(&hash)), STR_ARG(buf_str(&scram)));
    assert_null(auth_stored_parse(buf_str(&line), &stored));
    assert_true(stored.kind == AUTH_STORED_CRYPT && stored.has_scram && stored.scram.iterations >= 4096);
    assert_true(buf_add_char(&hash, '\0'));
    stored.hash = str_from_c(strchr(hash.p, '$'));
    assert_int_equal(auth_password_check(&tea, &stored), AUTH_CHECK_RIGHT);
    assert_int_equal(auth_password_check(&coffee, &stored), AUTH_CHECK_WRONG);
    stored.kind = AUTH_STORED_SCRAM;
    assert_int_equal(auth_password_check(&tea, &stored), AUTH_CHECK_RIGHT);
    assert_int_equal(auth_password_check(&coffee, &stored), AUTH_CHECK_WRONG);
    buf_done(&hash);
    buf_done(&scram);
    buf_done(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_found_as_the_server_finds_them),
        cmocka_unit_test(nothing_else_changes),
        cmocka_unit_test(a_password_is_right_in_both_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
