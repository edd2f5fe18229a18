/* The content pass: whole, octet by octet and in threes; in both modes; every form of smuggling known. */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "smtp/content.h"

struct outcome {
    struct buf content;
    struct smtp_content_facts facts;
    bool ended;
    size_t left; /* octets behind the end */
};

static const struct smtp_content_limits roomy = { .size_max = 1 << 20, .line_max = 1 << 20 };

static struct outcome pass(struct str in, size_t piece, const struct smtp_content_limits *limits)
{
    struct outcome o = { .content = BUF_INIT(1 << 24) };
    struct smtp_content c;
    size_t at = 0;

    smtp_content_init(&c, limits);
    while (at < in.n && !o.ended) {
        struct str part = str_slice(in, at, at + piece);
        char *copy = exact_copy(part);
        struct str rest = str_of(copy, part.n), span;
        enum smtp_content_step step;
        size_t used;
        do {
            step = smtp_content_next(&c, rest, &span, &used);
            assert_true(used <= rest.n);
            rest = str_skip(rest, used);
            at += used;
            if (step == SMTP_CONTENT_SPAN) {
                assert_true(span.n > 0);
                buf_add(&o.content, span);
            }
        } while (step == SMTP_CONTENT_SPAN);
        assert_true(step == SMTP_CONTENT_END || rest.n == 0);
        o.ended = step == SMTP_CONTENT_END;
        free(copy);
    }
    o.left = in.n - at;
    o.facts = c.facts;
    return o;
}

/* The same three ways; the first is returned. After a fault only the fault itself is compared. */
static struct outcome pass_three_ways(struct str in, const struct smtp_content_limits *limits)
{
    struct outcome whole = pass(in, in.n, limits);
    const size_t pieces[] = { 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct outcome o = pass(in, pieces[i], limits);
        assert_int_equal(o.ended, whole.ended);
        assert_int_equal(o.left, whole.left);
        assert_int_equal(o.facts.fault, whole.facts.fault);
        assert_int_equal(o.facts.fault_line, whole.facts.fault_line);
        if (whole.facts.fault == SMTP_CONTENT_GOOD) {
            assert_str_is(buf_str(&o.content), buf_str(&whole.content));
            assert_memory_equal(&o.facts, &whole.facts, sizeof(o.facts));
            assert_int_equal(o.facts.size, o.content.n);
        }
        buf_done(&o.content);
    }
    return whole;
}

/* C049 */
static void only_crlf_dot_crlf_ends(void **state)
{
    static const struct {
        struct str in;
        size_t left; /* octets behind the end; SIZE_MAX: it did not come */
    } rows[] = {
        { STR_INIT(".\r\n"), 0 },
        { STR_INIT(".\r\nQUIT\r\n"), 6 },
        { STR_INIT("a\r\n.\r\nQUIT\r\n"), 6 },
        { STR_INIT("a\n.\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\n.\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n.\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r.\rQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r.\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n.\rQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n.\r\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n\r.\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n\0.\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n.\0\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\n\r.\n\rQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n..\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n. \r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n .\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a.\r\nQUIT\r\n"), SIZE_MAX },
        { STR_INIT("a\r\n.\r"), SIZE_MAX },
        { STR_INIT("a\r\n.\r\n\r\n.\r\n"), 5 },
        { STR_INIT("a\n.\n\r\n.\r\nx"), 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int mode = SMTP_NEWLINES_REJECT; mode <= SMTP_NEWLINES_REPAIR; mode++) {
            struct smtp_content_limits limits = roomy;
            limits.newlines = (enum smtp_newlines)mode;
            struct outcome o = pass_three_ways(rows[i].in, &limits);
            assert_int_equal(o.ended, rows[i].left != SIZE_MAX);
            if (o.ended)
                assert_int_equal(o.left, rows[i].left);
            buf_done(&o.content);
        }
    }
}

/* C051, C052, C094 */
static void dots_are_unstuffed_and_nothing_else_changes(void **state)
{
    static const struct {
        struct str in, out;
    } rows[] = {
        { STR_INIT(".\r\n"), STR_INIT("") },
        { STR_INIT("\r\n.\r\n"), STR_INIT("\r\n") },
        { STR_INIT("..\r\n.\r\n"), STR_INIT(".\r\n") },
        { STR_INIT("..x\r\n.y\r\n.\r\n"), STR_INIT(".x\r\ny\r\n") },
        { STR_INIT("...\r\n....\r\n.\r\n"), STR_INIT("..\r\n...\r\n") },
        { STR_INIT("a..b.\r\n.\r\n"), STR_INIT("a..b.\r\n") },
        { STR_INIT("\x01\t \x7f\x80\xff\r\n.\r\n"), STR_INIT("\x01\t \x7f\x80\xff\r\n") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o = pass_three_ways(rows[i].in, &roomy);
        assert_true(o.ended);
        assert_str_is(buf_str(&o.content), rows[i].out);
        buf_done(&o.content);
    }
}

/* C050 */
static void first_fault_is_named_with_its_line(void **state)
{
    static const struct {
        struct str in;
        enum smtp_content_fault fault;
        uint64_t line;
    } rows[] = {
        { STR_INIT("a\nb\rc\r\n.\r\n"), SMTP_CONTENT_BARE_LF, 1 },
        { STR_INIT("a\r\nb\rc\n\r\n.\r\n"), SMTP_CONTENT_BARE_CR, 2 },
        { STR_INIT("a\r\n\r\n\nb\r\n.\r\n"), SMTP_CONTENT_BARE_LF, 3 },
        { STR_INIT("a\r\r\n.\r\n"), SMTP_CONTENT_BARE_CR, 1 },
        { STR_INIT("a\r\n.\rb\r\n.\r\n"), SMTP_CONTENT_BARE_CR, 2 },
        { STR_INIT("a\0b\nc\r\n.\r\n"), SMTP_CONTENT_NUL, 1 },
        { STR_INIT("a\nb\0\r\n.\r\n"), SMTP_CONTENT_BARE_LF, 1 },
        { STR_INIT("12345678\r\n.\r\n"), SMTP_CONTENT_GOOD, 0 },
        { STR_INIT("1\r\n123456789\r\n.\r\n"), SMTP_CONTENT_LINE_TOO_LONG, 2 },
        { STR_INIT("12345678\0\r\n.\r\n"), SMTP_CONTENT_LINE_TOO_LONG, 1 },
        { STR_INIT("1234567\0\0\r\n.\r\n"), SMTP_CONTENT_NUL, 1 },
        { STR_INIT(".12345678\r\n.\r\n"), SMTP_CONTENT_GOOD, 0 },
        { STR_INIT("12345678\r\n1234567\r\n\r\n.\r\n"), SMTP_CONTENT_TOO_BIG, 3 },
        { STR_INIT("12345678\r\n12345678\r\n.\r\n"), SMTP_CONTENT_GOOD, 0 },
        { STR_INIT("12345678\r\n12345678\r\n\n.\r\n\r\n.\r\n"), SMTP_CONTENT_TOO_BIG, 3 },
        { STR_INIT("12345678\r\n1234567\r\n123\r\n.\r\n"), SMTP_CONTENT_TOO_BIG, 3 },
        { STR_INIT("..\r\n..\r\n..\r\n..\r\n..\r\n..\r\n.x\r\n.\r\n"), SMTP_CONTENT_TOO_BIG, 7 },
    };
    const struct smtp_content_limits tight = { .size_max = 20, .line_max = 8 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o = pass_three_ways(rows[i].in, &tight);
        assert_true(o.ended);
        assert_int_equal(o.left, 0);
        assert_int_equal(o.facts.fault, rows[i].fault);
        assert_int_equal(o.facts.fault_line, rows[i].line);
        assert_true(o.content.n <= tight.size_max);
        buf_done(&o.content);
    }
}

/* C050 */
static void repair_makes_crlf_of_each_and_counts(void **state)
{
    static const struct {
        struct str in, out;
        uint64_t repaired;
    } rows[] = {
        { STR_INIT("a\nb\rc\r\n.\r\n"), STR_INIT("a\r\nb\r\nc\r\n"), 2 },
        { STR_INIT("\n\r\n.\r\n"), STR_INIT("\r\n\r\n"), 1 },
        { STR_INIT("\r\r\r\n.\r\n"), STR_INIT("\r\n\r\n\r\n"), 2 },
        { STR_INIT("\n\n\n\r\n.\r\n"), STR_INIT("\r\n\r\n\r\n\r\n"), 3 },
        { STR_INIT("a\n..b\r\n..c\r\n.\r\n"), STR_INIT("a\r\n..b\r\n.c\r\n"), 1 },
        { STR_INIT("a\0b\r\n.\r\n"), STR_INIT("a\0b\r\n"), 0 },
        { STR_INIT(".\rb\r\n.\r\n"), STR_INIT("\r\nb\r\n"), 1 },
        { STR_INIT(".\nb\r\n.\r\n"), STR_INIT("\r\nb\r\n"), 1 },
    };
    struct smtp_content_limits limits = roomy;

    (void)state;
    limits.newlines = SMTP_NEWLINES_REPAIR;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o = pass_three_ways(rows[i].in, &limits);
        assert_true(o.ended);
        assert_int_equal(o.facts.fault, SMTP_CONTENT_GOOD);
        assert_str_is(buf_str(&o.content), rows[i].out);
        assert_int_equal(o.facts.repaired, rows[i].repaired);
        buf_done(&o.content);
    }
}

static void facts_of_one_pass(void **state)
{
    struct outcome o =
        pass_three_ways(STR("From: a\r\n\r\n..dot\r\n. dot\r\n..\r\n\xc3\xa4 longest\r\n.\r\n"), &roomy);

    (void)state;
    assert_str_is(buf_str(&o.content), STR("From: a\r\n\r\n.dot\r\n dot\r\n.\r\n\xc3\xa4 longest\r\n"));
    assert_int_equal(o.facts.lines, 6);
    assert_int_equal(o.facts.longest_line, 10);
    assert_int_equal(o.facts.leading_dots, 2);
    assert_int_equal(o.facts.repaired, 0);
    assert_true(o.facts.eight_bit);
    assert_false(o.facts.nul);
    buf_done(&o.content);
}

/* Each octet above 127, and NUL, is seen at each place of the words that are looked at together. */
static void no_octet_hides_from_the_look(void **state)
{
    struct smtp_content_limits limits = roomy;

    (void)state;
    limits.newlines = SMTP_NEWLINES_REPAIR;
    for (size_t n = 1; n < 40; n++) {
        for (size_t at = 0; at < n; at++) {
            char line[64];
            memset(line, '\x01', sizeof(line));
            memcpy(line + n, "\r\n.\r\n", 5);
            line[at] = '\x80';
            struct outcome o = pass(str_of(line, n + 5), n + 5, &limits);
            assert_true(o.facts.eight_bit && !o.facts.nul);
            buf_done(&o.content);
            line[at] = '\0';
            o = pass(str_of(line, n + 5), n + 5, &limits);
            assert_true(!o.facts.eight_bit && o.facts.nul);
            buf_done(&o.content);
        }
    }
}

/* Content without dots and repairs, in one block, is one span: nothing is copied or cut. */
static void clean_content_is_one_span(void **state)
{
    static const struct str in = STR_INIT("From: a\r\n\r\nhello\r\nworld\r\n.\r\nMAIL");
    struct smtp_content c;
    struct str span;
    size_t used;

    (void)state;
    smtp_content_init(&c, &roomy);
    assert_int_equal(smtp_content_next(&c, in, &span, &used), SMTP_CONTENT_SPAN);
    assert_ptr_equal(span.p, in.p);
    assert_int_equal(span.n, in.n - 7);
    struct str rest = str_skip(in, used);
    assert_int_equal(smtp_content_next(&c, rest, &span, &used), SMTP_CONTENT_END);
    assert_str_is(str_skip(rest, used), STR("MAIL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_crlf_dot_crlf_ends),
        cmocka_unit_test(dots_are_unstuffed_and_nothing_else_changes),
        cmocka_unit_test(first_fault_is_named_with_its_line),
        cmocka_unit_test(repair_makes_crlf_of_each_and_counts),
        cmocka_unit_test(facts_of_one_pass),
        cmocka_unit_test(no_octet_hides_from_the_look),
        cmocka_unit_test(clean_content_is_one_span),
    };

    return cmocka_run_group_tests_name("smtp/content", tests, NULL, NULL);
}
