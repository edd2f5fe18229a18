/* Replies of servers: whole, octet by octet and in threes; exact heap copies; nonsense and what has no end.
 */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "core/bug.h"
#include "smtp/peer_reply.h"

enum { PLENTY = 1 << 22 };

/* Each step as a line of text: "line 250 [..]", "end 250 5.1.1 [..]", "nonsense why"; what follows it is not
 * read. */
static struct buf read_all(struct str in, size_t piece)
{
    struct smtp_peer_reply r = { 0 };
    struct buf seen = BUF_INIT(PLENTY);
    bool sane = true;

    while (in.n && sane) {
        struct str part = str_head(in, piece);
        char *copy = exact_copy(part);
        size_t used;
        enum smtp_peer_step step = smtp_peer_reply_next(&r, str_of(copy, part.n), &used);
        assert_true(used <= part.n && (step != SMTP_PEER_MORE || used == part.n));
        free(copy);
        in = str_skip(in, used);
        if (step == SMTP_PEER_LINE)
            buf_printf(&seen, "line %u [%.*s]\n", r.code, STR_ARG(r.line));
        else if (step == SMTP_PEER_END)
            buf_printf(&seen, "end %u %.*s [%.*s]\n", r.code, STR_ARG(r.status), STR_ARG(r.text));
        else if (step == SMTP_PEER_NONSENSE)
            buf_printf(&seen, "nonsense %.*s\n", STR_ARG(r.fault));
        sane = step != SMTP_PEER_NONSENSE;
    }
    return seen;
}

static void expect(struct str in, struct str want)
{
    const size_t pieces[] = { in.n, 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct buf seen = read_all(in, pieces[i]);
        assert_str_is(buf_str(&seen), want);
        buf_done(&seen);
    }
}

struct row {
    struct str in, want;
};

static void expect_all(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect(rows[i].in, rows[i].want);
}

/* C147 */
static void text_may_be_missing(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("250 ok\r\n"), STR_INIT("end 250  [ok]\n") },
        { STR_INIT("250 \r\n"), STR_INIT("end 250  []\n") },
        { STR_INIT("250\r\n"), STR_INIT("end 250  []\n") },
        { STR_INIT("250\n"), STR_INIT("end 250  []\n") },
        { STR_INIT("250 ok\n354\r\n"), STR_INIT("end 250  [ok]\nend 354  []\n") },
        { STR_INIT("250-\r\n250\r\n"), STR_INIT("line 250 []\nend 250  []\n") },
        { STR_INIT("200 a\r\n599 b\r\n"), STR_INIT("end 200  [a]\nend 599  [b]\n") },
        { STR_INIT("250 no end"), STR_INIT("") },
    };

    (void)state;
    expect_all(rows, ARRAY_LEN(rows));
}

/* RFC 5321 4.2.1 */
static void lines_are_one_reply(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("250-First line\r\n250-Second line\r\n250-234 Text beginning with numbers\r\n250 The last "
                   "line\r\n"),
          STR_INIT(
              "line 250 [First line]\nline 250 [Second line]\nline 250 [234 Text beginning with numbers]\n"
              "end 250  [First line Second line 234 Text beginning with numbers The last line]\n") },
        { STR_INIT("550-one\r\n554-\r\n550 two\r\n"),
          STR_INIT("line 550 [one]\nline 554 []\nend 550  [one two]\n") },
        { STR_INIT("250-ok\r\n550 no\r\n"),
          STR_INIT("line 250 [ok]\nnonsense lines of one reply with codes that contradict each other\n") },
    };

    (void)state;
    expect_all(rows, ARRAY_LEN(rows));
}

/* RFC 3463 2, RFC 2034 4 */
static void the_status_is_kept_apart(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("550 5.1.1 who\r\n"), STR_INIT("end 550 5.1.1 [who]\n") },
        { STR_INIT("550 5.1.1\r\n"), STR_INIT("end 550 5.1.1 []\n") },
        { STR_INIT("550-5.7.1 a\r\n550-5.7.1\r\n550 5.7.1 b\r\n"),
          STR_INIT("line 550 [5.7.1 a]\nline 550 [5.7.1]\nend 550 5.7.1 [a b]\n") },
        { STR_INIT("550-a\r\n550 5.7.1 b\r\n"), STR_INIT("line 550 [a]\nend 550 5.7.1 [a b]\n") },
        { STR_INIT("552 4.5.3 full\r\n"), STR_INIT("end 552 4.5.3 [full]\n") },
        { STR_INIT("550 5.999.999 x\r\n"), STR_INIT("end 550 5.999.999 [x]\n") },
        { STR_INIT("550 5.1000.1 x\r\n"), STR_INIT("end 550  [5.1000.1 x]\n") },
        { STR_INIT("550 5.01.1 x\r\n"), STR_INIT("end 550  [5.01.1 x]\n") },
        { STR_INIT("550 5.1.1x\r\n"), STR_INIT("end 550  [5.1.1x]\n") },
        { STR_INIT("550 5.1.1: x\r\n"), STR_INIT("end 550  [5.1.1: x]\n") },
        { STR_INIT("550 5.1 x\r\n"), STR_INIT("end 550  [5.1 x]\n") },
        { STR_INIT("550 5.1.\r\n"), STR_INIT("end 550  [5.1.]\n") },
        { STR_INIT("550 3.1.1 x\r\n"), STR_INIT("end 550  [3.1.1 x]\n") },
        { STR_INIT("550 55.1.1 x\r\n"), STR_INIT("end 550  [55.1.1 x]\n") },
        { STR_INIT("550 555.999.999 x\r\n"), STR_INIT("end 550  [555.999.999 x]\n") },
        { STR_INIT("550 #5.1.1 x\r\n"), STR_INIT("end 550  [#5.1.1 x]\n") },
    };

    (void)state;
    expect_all(rows, ARRAY_LEN(rows));
}

static void what_may_not_be_shown_is_a_question_mark(void **state)
{
    static const struct row rows[] = {
        { STR_INIT("250 a\0b\tc\x7f\x1b[0m\r\n"), STR_INIT("end 250  [a?b?c??[0m]\n") },
        { STR_INIT("250 a\rb\r\r\n"), STR_INIT("end 250  [a?b]\n") },
        { STR_INIT("250 gr\xc3\xbc\xc3\x9f"
                   "e \xe2\x82\xac \xf0\x9f\x93\xac\r\n"),
          STR_INIT("end 250  [gr\xc3\xbc\xc3\x9f"
                   "e \xe2\x82\xac \xf0\x9f\x93\xac]\n") },
        { STR_INIT("250 \xfc \xc3\r\n"), STR_INIT("end 250  [? ?]\n") },
        { STR_INIT("250 \xc0\x80 \xed\xa0\x80\r\n"), STR_INIT("end 250  [?? ???]\n") },
        { STR_INIT("250 a\xc2\x85"
                   "b\xc2\xa0"
                   "c\r\n"),
          STR_INIT("end 250  [a??b\xc2\xa0"
                   "c]\n") },
    };

    (void)state;
    expect_all(rows, ARRAY_LEN(rows));
}

static void what_is_no_reply_is_nonsense(void **state)
{
    static const struct str rows[] = {
        STR_INIT("\r\n"),       STR_INIT("\n"),          STR_INIT("25\r\n"),           STR_INIT("2500\r\n"),
        STR_INIT("ok\r\n"),     STR_INIT("150 x\r\n"),   STR_INIT("650 x\r\n"),        STR_INIT(" 250 x\r\n"),
        STR_INIT("250ok\r\n"),  STR_INIT("250\tok\r\n"), STR_INIT("25\0 x\r\n"),       STR_INIT("2 0 x\r\n"),
        STR_INIT("-250 x\r\n"), STR_INIT("250\0\r\n"),   STR_INIT("\x32\x35\xb0\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect(rows[i], STR("nonsense not a reply code and its text\n"));
    expect(STR("250-a\r\nb\r\n"), STR("line 250 [a]\nnonsense not a reply code and its text\n"));
}

static void add_many(struct buf *b, size_t n, char c)
{
    while (n--)
        assert_true(buf_add_char(b, c));
}

/* A line of SMTP_PEER_LINE_MAX octets is read, of one more it is not; of its text the front is kept. */
static void lines_have_a_longest(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buf in = BUF_INIT(PLENTY), want = BUF_INIT(PLENTY);
        assert_true(buf_add(&in, STR("550 5.1.1 ")));
        add_many(&in, SMTP_PEER_LINE_MAX + more - in.n, 'x');
        assert_true(buf_add(&in, STR("\n")));
        assert_true(buf_add(&want, more ? STR("nonsense a line without end\n") : STR("end 550 5.1.1 [")));
        if (!more) {
            add_many(&want, SMTP_PEER_TEXT_MAX, 'x');
            assert_true(buf_add(&want, STR("]\n")));
        }
        expect(buf_str(&in), buf_str(&want));
        buf_done(&in);
        buf_done(&want);
    }
}

/* The last character is whole or not there. */
static void text_is_cut_between_characters(void **state)
{
    struct buf in = BUF_INIT(PLENTY), want = BUF_INIT(PLENTY);

    (void)state;
    assert_true(buf_add(&in, STR("550 ")));
    assert_true(buf_add(&want, STR("end 550  [")));
    add_many(&in, SMTP_PEER_TEXT_MAX - 1, 'x');
    add_many(&want, SMTP_PEER_TEXT_MAX - 1, 'x');
    assert_true(buf_add(&in, STR("\xc3\xbcx\r\n")));
    assert_true(buf_add(&want, STR("]\n")));
    expect(buf_str(&in), buf_str(&want));
    buf_done(&in);
    buf_done(&want);
}

static void replies_have_an_end(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buf in = BUF_INIT(PLENTY), want = BUF_INIT(PLENTY);
        for (size_t i = 1; i < SMTP_PEER_LINES_MAX + more; i++) {
            assert_true(buf_add(&in, STR("250-\r\n")));
            assert_true(buf_add(&want, STR("line 250 []\n")));
        }
        assert_true(buf_add(&in, STR("250\r\n")));
        assert_true(buf_add(&want, more ? STR("nonsense a reply without end\n") : STR("end 250  []\n")));
        expect(buf_str(&in), buf_str(&want));
        buf_done(&in);
        buf_done(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_may_be_missing),
        cmocka_unit_test(lines_are_one_reply),
        cmocka_unit_test(the_status_is_kept_apart),
        cmocka_unit_test(what_may_not_be_shown_is_a_question_mark),
        cmocka_unit_test(what_is_no_reply_is_nonsense),
        cmocka_unit_test(lines_have_a_longest),
        cmocka_unit_test(text_is_cut_between_characters),
        cmocka_unit_test(replies_have_an_end),
    };

    return cmocka_run_group_tests_name("smtp/peer-reply", tests, NULL, NULL);
}
