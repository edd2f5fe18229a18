/* Stuffing: each content in pieces of every size, through an OUT of every room; then read back as a server
 * would. */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "core/check.h"
#include "smtp/content.h"
#include "smtp/stuff.h"

enum { PLENTY = 1 << 16 };

/* CONTENT in PIECEs, through an OUT with ROOM that is emptied when full. */
static struct buf stuffed(struct str content, size_t piece, size_t room)
{
    struct smtp_stuffer s = SMTP_STUFFER;
    struct buf out = BUF_INIT(room), all = BUF_INIT(PLENTY);

    while (content.n) {
        struct str part = str_head(content, piece);
        char *copy = exact_copy(part);
        size_t taken;
        assert_true(smtp_stuff(&s, str_of(copy, part.n), &taken, &out));
        free(copy);
        assert_true(taken == part.n || out.n == room);
        content = str_skip(content, taken);
        if (taken < part.n) {
            assert_true(buf_add(&all, buf_str(&out)));
            buf_clear(&out);
        }
    }
    assert_true(buf_add(&all, buf_str(&out)));
    buf_done(&out);
    assert_true(smtp_stuff_end(&s, &all));
    return all;
}

static const struct {
    struct str content, sent;
} rows[] = {
    { STR_INIT(""), STR_INIT(".\r\n") },
    { STR_INIT("\r\n"), STR_INIT("\r\n.\r\n") },
    { STR_INIT("a\r\nb\r\n"), STR_INIT("a\r\nb\r\n.\r\n") },
    { STR_INIT("a"), STR_INIT("a\r\n.\r\n") },
    { STR_INIT("."), STR_INIT("..\r\n.\r\n") },
    { STR_INIT(".\r\n"), STR_INIT("..\r\n.\r\n") },
    { STR_INIT("..\r\n"), STR_INIT("...\r\n.\r\n") },
    { STR_INIT(".a.b.\r\n"), STR_INIT("..a.b.\r\n.\r\n") },
    { STR_INIT("a.\r\n.b\r\n.\r\n"), STR_INIT("a.\r\n..b\r\n..\r\n.\r\n") },
    { STR_INIT("\r\n\r\n.\r\n.\r\n"), STR_INIT("\r\n\r\n..\r\n..\r\n.\r\n") },
    { STR_INIT("a\r\n."), STR_INIT("a\r\n..\r\n.\r\n") },
    { STR_INIT("a\r"), STR_INIT("a\r\r\n.\r\n") },
    { STR_INIT("one.two.three.four\r\n.five\r\n"), STR_INIT("one.two.three.four\r\n..five\r\n.\r\n") },
};

/* C149 */
static void doubles_dots_and_ends_with_crlf_dot_crlf(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece <= rows[i].content.n + 1; piece++) {
            for (size_t room = 1; room <= rows[i].sent.n + 1; room++) {
                struct buf all = stuffed(rows[i].content, piece, room);
                assert_str_is(buf_str(&all), rows[i].sent);
                buf_done(&all);
            }
        }
    }
}

/* C149, C049: what the server's pass makes of it is the content again, and nothing is left. */
static void a_server_reads_the_same(void **state)
{
    const struct smtp_content_limits limits = { .size_max = PLENTY, .line_max = PLENTY };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf all = stuffed(rows[i].content, 3, PLENTY), read = BUF_INIT(PLENTY);
        struct str rest = buf_str(&all), span;
        struct smtp_content c;
        enum smtp_content_step step;
        smtp_content_init(&c, &limits);
        do {
            size_t used;
            step = smtp_content_next(&c, rest, &span, &used);
            if (step == SMTP_CONTENT_SPAN)
                assert_true(buf_add(&read, span));
            rest = str_skip(rest, used);
        } while (step == SMTP_CONTENT_SPAN);
        assert_int_equal(step, SMTP_CONTENT_END);
        assert_int_equal(rest.n, 0);
        if (c.facts.fault == SMTP_CONTENT_GOOD)
            assert_str_is(str_head(buf_str(&read), rows[i].content.n), rows[i].content);
        buf_done(&all);
        buf_done(&read);
    }
}

static void octets_that_passed_by_count(void **state)
{
    struct smtp_stuffer s = SMTP_STUFFER;
    struct buf out = BUF_INIT(PLENTY);
    size_t taken;

    (void)state;
    smtp_stuff_passed(&s, false);
    assert_true(smtp_stuff(&s, STR(".\r\n"), &taken, &out));
    smtp_stuff_passed(&s, true);
    assert_true(smtp_stuff(&s, STR(".\r\n"), &taken, &out));
    smtp_stuff_passed(&s, false);
    assert_true(smtp_stuff_end(&s, &out));
    assert_str_is(buf_str(&out), STR(".\r\n..\r\n\r\n.\r\n"));
    buf_done(&out);
}

static void the_end_is_whole_or_not_there(void **state)
{
    struct smtp_stuffer s = { 0 };
    struct buf out = BUF_INIT(SMTP_STUFF_END_MAX - 1);

    (void)state;
    assert_false(smtp_stuff_end(&s, &out));
    assert_int_equal(out.n, 0);
    out.failed = false;
    out.max++;
    assert_true(smtp_stuff_end(&s, &out));
    assert_int_equal(out.n, SMTP_STUFF_END_MAX);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_dots_and_ends_with_crlf_dot_crlf),
        cmocka_unit_test(a_server_reads_the_same),
        cmocka_unit_test(octets_that_passed_by_count),
        cmocka_unit_test(the_end_is_whole_or_not_there),
    };

    return cmocka_run_group_tests_name("smtp/stuff", tests, NULL, NULL);
}
