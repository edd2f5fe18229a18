/* Paths and mailboxes: what they mean, and how they are written again. */
#include "tests/unit/unit.h"

#include "smtp/address.h"

#define ARROW " -> "

/* The path as text: "local|domain|flags", or the result that is not OK. */
static void describe(struct buf *out, struct arena *a, struct str in, enum smtp_path_kind kind,
                     enum smtp_path_syntax syntax)
{
    static const char *const names[] = { "ok",        "bad",      "bad local", "bad domain",
                                         "no domain", "too long", "memory" };
    struct smtp_path path;
    size_t used;
    enum smtp_path_result result = smtp_path_parse(a, in, kind, syntax, &path, &used);

    if (result != SMTP_PATH_OK) {
        buf_add_c(out, names[result]);
        return;
    }
    assert_true(used <= in.n);
    smtp_path_write(out, &path);
    buf_printf(out, "%s%s%s%s%s", path.flags & SMTP_PATH_NULL ? " null" : "",
               path.flags & SMTP_PATH_POSTMASTER ? " postmaster" : "",
               path.flags & SMTP_PATH_LITERAL ? " literal" : "",
               path.flags & SMTP_PATH_ROUTED ? " routed" : "", path.flags & SMTP_PATH_UTF8 ? " utf8" : "");
    if (used < in.n)
        buf_printf(out, ", then \"%.*s\"", STR_ARG(str_skip(in, used)));
}

struct row {
    struct str in;
    const char *want;
};

static void check_rows(const struct row *rows, size_t n, enum smtp_path_kind kind,
                       enum smtp_path_syntax syntax)
{
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new(1 << 16);
        struct buf out = BUF_INIT(1 << 16);
        char *copy = exact_copy(rows[i].in);
        describe(&out, a, str_of(copy, rows[i].in.n), kind, syntax);
        if (!str_eq(buf_str(&out), str_from_c(rows[i].want)))
            fail_msg("%.*s" ARROW "%.*s, want %s", STR_ARG(rows[i].in), STR_ARG(buf_str(&out)), rows[i].want);
        free(copy);
        buf_done(&out);
        arena_free(a);
    }
}

static void forward_paths(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("<ben@example.org>"), "ben@example.org" },
        { STR_INIT("<BeN@Example.ORG>"), "BeN@example.org" },
        { STR_INIT("<ben@example.org> X=1"), "ben@example.org, then \" X=1\"" },
        { STR_INIT("<ben@example.org>X"), "ben@example.org, then \"X\"" },
        { STR_INIT("<!#$%&'*+-/=?^_`{|}~@a>"), "!#$%&'*+-/=?^_`{|}~@a" },
        { STR_INIT("<@a.example,@b.example:u@d.example>"), "u@d.example routed" },
        { STR_INIT("<@a.example:u@d.example>"), "u@d.example routed" },
        { STR_INIT("<@[192.0.2.1]:u@d.example>"), "u@d.example routed" },
        { STR_INIT("<@a.example u@d.example>"), "bad" },
        { STR_INIT("<@a.example,b.example:u@d>"), "bad" },
        { STR_INIT("<@:u@d>"), "bad domain" },
        { STR_INIT("<@a.example:>"), "bad local" },
        { STR_INIT("<@a.example:postmaster>"), "no domain" },
        { STR_INIT("<\"ben\"@example.org>"), "ben@example.org" },
        { STR_INIT("<\"b.e\"@example.org>"), "b.e@example.org" },
        { STR_INIT("<\"b..e\"@example.org>"), "\"b..e\"@example.org" },
        { STR_INIT("<\"\"@example.org>"), "\"\"@example.org" },
        { STR_INIT("<\"a b\"@example.org>"), "\"a b\"@example.org" },
        { STR_INIT("<\"a\\ \\b\\\"\\\\\"@example.org>"), "\"a b\\\"\\\\\"@example.org" },
        { STR_INIT("<\"a>b@c\"@example.org>"), "\"a>b@c\"@example.org" },
        { STR_INIT("<\"a\tb\"@example.org>"), "bad local" },
        { STR_INIT("<\"a\\"), "bad local" },
        { STR_INIT("<\"a"), "bad local" },
        { STR_INIT("<\"a\"b@example.org>"), "bad" },
        { STR_INIT("<a\"b\"@example.org>"), "bad" },
        { STR_INIT("<Postmaster>"), "Postmaster postmaster" },
        { STR_INIT("<\"POSTmaster\">"), "POSTmaster postmaster" },
        { STR_INIT("<ben>"), "no domain" },
        { STR_INIT("<>"), "bad local" },
        { STR_INIT("<"), "bad local" },
        { STR_INIT(""), "bad" },
        { STR_INIT("ben@example.org"), "bad" },
        { STR_INIT("<ben@example.org"), "bad" },
        { STR_INIT("<ben@example.org."), "bad domain" },
        { STR_INIT("<ben@example.org.>"), "bad domain" },
        { STR_INIT("<ben@.org>"), "bad domain" },
        { STR_INIT("<ben@a b>"), "bad" },
        { STR_INIT("<ben@[192.0.2.1]>"), "ben@[192.0.2.1] literal" },
        { STR_INIT("<ben@[ipv6:2001:DB8:0:0::1]>"), "ben@[IPv6:2001:db8::1] literal" },
        { STR_INIT("<ben@[IPv6:::ffff:192.0.2.1]>"), "ben@[IPv6:::ffff:192.0.2.1] literal" },
        { STR_INIT("<ben@[192.0.2.1>"), "bad domain" },
        { STR_INIT("<ben@[192.0.2]>"), "bad domain" },
        { STR_INIT("<ben@[192.0.2.1]x>"), "bad" },
        { STR_INIT("<ben@[]>"), "bad domain" },
        { STR_INIT("<ben@[IPv6:]>"), "bad domain" },
        { STR_INIT("<\xc3\xa4@b\xc3\xbc"
                   "cher.example>"),
          "\xc3\xa4@xn--bcher-kva.example utf8" },
        { STR_INIT("<a@B\xc3\x9c"
                   "CHER.example>"),
          "a@xn--bcher-kva.example utf8" },
        { STR_INIT("<a@xn--bcher-kva.example>"), "a@xn--bcher-kva.example" },
        { STR_INIT("<\"\xc3\xa4 b\"@example.org>"), "\"\xc3\xa4 b\"@example.org utf8" },
        { STR_INIT("<\xc3@example.org>"), "bad local" },
        { STR_INIT("<a@\xc3.example>"), "bad domain" },
        { STR_INIT("<a@\xef\xbc\xa0.example>"), "bad domain" },
        { STR_INIT("<a@b\xe3\x80\x82"
                   "c>"),
          "a@b.c utf8" },
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), SMTP_PATH_FORWARD, SMTP_PATH_STRICT);
}

static void reverse_paths(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("<>"), " null" },
        { STR_INIT("<> SIZE=1"), " null, then \" SIZE=1\"" },
        { STR_INIT("<carol@example.net>"), "carol@example.net" },
        { STR_INIT("<Postmaster>"), "no domain" },
        { STR_INIT("< >"), "bad local" },
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), SMTP_PATH_REVERSE, SMTP_PATH_STRICT);
}

/* C025 */
static void lenient_paths(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("ben@example.org"), "ben@example.org" },
        { STR_INIT("ben@example.org SIZE=1"), "ben@example.org, then \" SIZE=1\"" },
        { STR_INIT("<ben@example.org>"), "ben@example.org" },
        { STR_INIT("ben@example.org>"), "bad" },
        { STR_INIT("<ben@example.org"), "bad" },
        { STR_INIT("\"a b\"@example.org x"), "\"a b\"@example.org, then \" x\"" },
        { STR_INIT(""), "bad local" },
        { STR_INIT("postmaster"), "postmaster postmaster" },
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows), SMTP_PATH_FORWARD, SMTP_PATH_LENIENT);
}

static void mailboxes_have_no_brackets_and_nothing_behind(void **state)
{
    static const struct {
        struct str in;
        enum smtp_path_result want;
    } rows[] = {
        { STR_INIT("ben@example.org"), SMTP_PATH_OK },
        { STR_INIT("\"a b\"@example.org"), SMTP_PATH_OK },
        { STR_INIT("ben@[192.0.2.1]"), SMTP_PATH_OK },
        { STR_INIT("<ben@example.org>"), SMTP_PATH_BAD_LOCAL },
        { STR_INIT("ben@example.org "), SMTP_PATH_BAD },
        { STR_INIT("ben@example.org,x@y"), SMTP_PATH_BAD },
        { STR_INIT("ben"), SMTP_PATH_NO_DOMAIN },
        { STR_INIT(""), SMTP_PATH_BAD_LOCAL },
        { STR_INIT("ben@ex\0mple.org"), SMTP_PATH_BAD },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(4096);
        struct smtp_path path = { 0 };
        char *copy = exact_copy(rows[i].in);
        assert_int_equal(smtp_mailbox_parse(a, str_of(copy, rows[i].in.n), &path), rows[i].want);
        free(copy);
        arena_free(a);
    }
}

/* C032: Written and read again, every path is the same. */
static void writing_is_undone_by_reading(void **state)
{
    static const struct str locals[] = { STR_INIT("a"),      STR_INIT("a.b"),     STR_INIT(""),
                                         STR_INIT("a b"),    STR_INIT("\"\\"),    STR_INIT(".a"),
                                         STR_INIT("a@b<c>"), STR_INIT("\xc3\xa4") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(locals); i++) {
        struct arena *a = arena_new(4096);
        struct buf out = BUF_INIT(4096);
        struct smtp_path path = { .local = locals[i], .domain = STR("example.org") }, back;
        assert_true(smtp_path_write(&out, &path));
        assert_int_equal(smtp_mailbox_parse(a, buf_str(&out), &back), SMTP_PATH_OK);
        assert_str_is(back.local, locals[i]);
        buf_done(&out);
        arena_free(a);
    }
}

static void without_memory_nothing_is_half_read(void **state)
{
    static const struct str in = STR_INIT("<@a.example:\"b c\"@B\xc3\xbc"
                                          "cher.example>");
    bool done = false;

    (void)state;
    for (size_t max = 0; !done; max++) {
        struct arena *a = arena_new(max);
        struct smtp_path path = { .flags = 77 };
        size_t used = 99;
        enum smtp_path_result result =
            smtp_path_parse(a, in, SMTP_PATH_FORWARD, SMTP_PATH_STRICT, &path, &used);
        done = result == SMTP_PATH_OK;
        if (!done) {
            assert_int_equal(result, SMTP_PATH_NO_MEMORY);
            assert_int_equal(path.flags, 77);
            assert_int_equal(used, 99);
        }
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_paths),
        cmocka_unit_test(reverse_paths),
        cmocka_unit_test(lenient_paths),
        cmocka_unit_test(mailboxes_have_no_brackets_and_nothing_behind),
        cmocka_unit_test(writing_is_undone_by_reading),
        cmocka_unit_test(without_memory_nothing_is_half_read),
    };

    return cmocka_run_group_tests_name("smtp/address", tests, NULL, NULL);
}
