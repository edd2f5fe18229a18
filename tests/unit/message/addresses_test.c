/* Address fields as people and programs write them (RFC 5322 3.4, 4.4, appendix A; C130). */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "message/addresses.h"

enum { PLENTY = 1 << 20 };

/* "local@domain local …", or "bad" behind what was read before. IN is an exact heap copy. */
static struct str read_all(struct arena *a, struct str in)
{
    char *copy = exact_copy(in);
    struct message_address_reader r = { .in = str_of(copy, in.n) };
    struct buf out = BUF_INIT(PLENTY);
    struct message_mailbox m;
    enum message_address got;

    while ((got = message_address_next(&r, a, &m)) == MESSAGE_ADDRESS_MAILBOX) {
        buf_add(&out, out.n ? STR(" ") : STR(""));
        buf_add(&out, m.local);
        if (m.domain.n)
            buf_add_char(&out, '@');
        buf_add(&out, m.domain);
        assert_true(r.pos <= in.n && m.end <= r.pos && m.end > 0);
    }
    if (got == MESSAGE_ADDRESS_BAD)
        buf_add(&out, out.n ? STR(" bad") : STR("bad"));
    else
        assert_int_equal(got, MESSAGE_ADDRESS_END);
    struct str s = arena_str(a, buf_str(&out));
    buf_done(&out);
    free(copy);
    return s;
}

struct example {
    struct str in, want;
};

static void assert_examples(const struct example *rows, size_t n)
{
    struct arena *a = arena_new(PLENTY);

    for (size_t i = 0; i < n; i++)
        assert_str_is(read_all(a, rows[i].in), rows[i].want);
    arena_free(a);
}

static void mailboxes_are_found_in_what_surrounds_them(void **state)
{
    static const struct example rows[] = {
        { STR_INIT("ada@example.test"), STR_INIT("ada@example.test") },
        { STR_INIT(" ada@example.test\r\n\t, bob@example.test "), STR_INIT("ada@example.test bob@example.test") },
        { STR_INIT("Ada Lovelace <ada@example.test>"), STR_INIT("ada@example.test") },
        { STR_INIT("<ada@example.test>"), STR_INIT("ada@example.test") },
        { STR_INIT("\"Lovelace, Ada\" <ada@example.test>, bob@x"), STR_INIT("ada@example.test bob@x") },
        { STR_INIT("=?utf-8?q?Ren=C3=A9=2C_?= <rene@example.test>"), STR_INIT("rene@example.test") },
        { STR_INIT("John Q. Public <jqp@example.test>"), STR_INIT("jqp@example.test") },
        { STR_INIT("Ren\xc3\xa9 <ren\xc3\xa9@ex\xc3\xa4mple.test>"), STR_INIT("ren\xc3\xa9@ex\xc3\xa4mple.test") },
        { STR_INIT("ada@[192.0.2.1]"), STR_INIT("ada@[192.0.2.1]") },
        { STR_INIT("ada@[IPv6:2001:db8::1] , bob@x"), STR_INIT("ada@[IPv6:2001:db8::1] bob@x") },
    };

    (void)state;
    assert_examples(rows, ARRAY_LEN(rows));
}

static void quotes_stay_and_comments_go(void **state)
{
    static const struct example rows[] = {
        { STR_INIT("\"ada l\"@example.test"), STR_INIT("\"ada l\"@example.test") },
        { STR_INIT("\"a\\\"b\\\\\"@x"), STR_INIT("\"a\\\"b\\\\\"@x") },
        { STR_INIT("\"folded\r\n here\"@x"), STR_INIT("\"folded here\"@x") },
        { STR_INIT("ada (a (nested \\) one), so) @ (here) example.test (end)"), STR_INIT("ada@example.test") },
        { STR_INIT("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), STR_INIT("pete@silly.test") },
        { STR_INIT("(only a comment)"), STR_INIT("") },
    };

    (void)state;
    assert_examples(rows, ARRAY_LEN(rows));
}

/* Appendix A.1.3, A.5, A.6 of RFC 5322. */
static void groups_and_what_is_obsolete_are_understood(void **state)
{
    static const struct example rows[] = {
        { STR_INIT("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
          STR_INIT("c@a.test joe@where.test jdoe@one.test") },
        { STR_INIT("Undisclosed recipients:;"), STR_INIT("") },
        { STR_INIT("undisclosed recipients: ;, ada@x"), STR_INIT("ada@x") },
        { STR_INIT("A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
                   "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)"),
          STR_INIT("c@public.example joe@example.org jdoe@one.test") },
        { STR_INIT("Mary Smith <@node.test,@b.test:mary@example.net>, , jdoe@test   . example"),
          STR_INIT("mary@example.net jdoe@test.example") },
        { STR_INIT("ada . l @ example . test"), STR_INIT("ada.l@example.test") },
        { STR_INIT(", ,ada@x,,"), STR_INIT("ada@x") },
    };

    (void)state;
    assert_examples(rows, ARRAY_LEN(rows));
}

static void bare_names_are_addresses_without_a_domain(void **state)
{
    static const struct example rows[] = {
        { STR_INIT("root"), STR_INIT("root") },
        { STR_INIT("root (Cron Daemon)"), STR_INIT("root") },
        { STR_INIT("root, ada.l, <bob>, Kim <kim>"), STR_INIT("root ada.l bob kim") },
        { STR_INIT("team: bob, kim@x;"), STR_INIT("bob kim@x") },
    };

    (void)state;
    assert_examples(rows, ARRAY_LEN(rows));
}

static void what_is_none_is_called_so(void **state)
{
    static const struct example rows[] = {
        { STR_INIT("Ada Lovelace"), STR_INIT("bad") },
        { STR_INIT("ada@"), STR_INIT("bad") },
        { STR_INIT("@example.test"), STR_INIT("bad") },
        { STR_INIT("ada@@example.test"), STR_INIT("bad") },
        { STR_INIT("ada@a@b"), STR_INIT("bad") },
        { STR_INIT("<ada@x"), STR_INIT("bad") },
        { STR_INIT("ada@x>"), STR_INIT("bad") },
        { STR_INIT("<>"), STR_INIT("bad") },
        { STR_INIT("<@route ada@x>"), STR_INIT("bad") },
        { STR_INIT("ada@x bob@x"), STR_INIT("bad") },
        { STR_INIT("Ada <ada@x> Lovelace"), STR_INIT("bad") },
        { STR_INIT("\"no end@x"), STR_INIT("bad") },
        { STR_INIT("\"no end\\"), STR_INIT("bad") },
        { STR_INIT("ada@x (no end"), STR_INIT("bad") },
        { STR_INIT("ada@x (no end \\"), STR_INIT("bad") },
        { STR_INIT("ada@[1.2.3.4"), STR_INIT("bad") },
        { STR_INIT("a..b@x"), STR_INIT("bad") },
        { STR_INIT(".a@x"), STR_INIT("bad") },
        { STR_INIT("a.@x"), STR_INIT("bad") },
        { STR_INIT("ada@x, \1"), STR_INIT("ada@x bad") },
        { { "ada\0@x", 6 }, STR_INIT("bad") },
    };

    (void)state;
    assert_examples(rows, ARRAY_LEN(rows));
}

static void the_place_of_a_missing_domain_is_behind_the_name(void **state)
{
    struct arena *a = arena_new(PLENTY);
    struct message_address_reader r = { .in = STR(" root (Cron), Kim < kim > ") };
    struct message_mailbox m;

    (void)state;
    assert_int_equal(message_address_next(&r, a, &m), MESSAGE_ADDRESS_MAILBOX);
    assert_int_equal(m.end, 5);
    assert_int_equal(message_address_next(&r, a, &m), MESSAGE_ADDRESS_MAILBOX);
    assert_str_is(str_skip(r.in, m.end), STR(" > "));
    arena_free(a);
}

/* How long a part is changes nothing but that above a line's length there is none. */
static void a_part_longer_than_a_line_is_no_address(void **state)
{
    struct arena *a = arena_new(PLENTY);
    struct buf in = BUF_INIT(PLENTY);

    (void)state;
    for (size_t n = 0; n < 998; n++)
        buf_add_char(&in, 'a');
    assert_str_is(read_all(a, buf_str(&in)), buf_str(&in));
    buf_add_char(&in, 'a');
    assert_str_is(read_all(a, buf_str(&in)), STR("bad"));
    buf_done(&in);
    arena_free(a);
}

static void each_cut_of_a_field_ends(void **state)
{
    const struct str in = STR("A (x) Group: \"Q, \\\"x\" <@a,@b:e.f@[1.2]>, =?x?= <g@h.i> (c(d)), bare;, @");
    struct arena *a = arena_new(PLENTY);

    (void)state;
    for (size_t from = 0; from <= in.n; from++)
        for (size_t to = from; to <= in.n; to++)
            (void)read_all(a, str_slice(in, from, to));
    arena_free(a);
}

static void memory_that_is_out_is_said(void **state)
{
    struct str in = STR("ada@example.test");
    struct message_mailbox m = { .end = 77 };

    (void)state;
    for (size_t room = 1;; room++) {
        struct arena *a = arena_new(room);
        struct message_address_reader r = { .in = in };
        enum message_address got = message_address_next(&r, a, &m);
        arena_free(a);
        if (got == MESSAGE_ADDRESS_MAILBOX)
            return;
        assert_int_equal(got, MESSAGE_ADDRESS_NO_MEMORY);
        assert_int_equal(m.end, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_found_in_what_surrounds_them),
        cmocka_unit_test(quotes_stay_and_comments_go),
        cmocka_unit_test(groups_and_what_is_obsolete_are_understood),
        cmocka_unit_test(bare_names_are_addresses_without_a_domain),
        cmocka_unit_test(what_is_none_is_called_so),
        cmocka_unit_test(the_place_of_a_missing_domain_is_behind_the_name),
        cmocka_unit_test(a_part_longer_than_a_line_is_no_address),
        cmocka_unit_test(each_cut_of_a_field_ends),
        cmocka_unit_test(memory_that_is_out_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
