/* The header scan: whole, octet by octet and in threes it sees the same; defects are counted, never a
 * failure. */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "message/header.h"

enum { PLENTY = 1 << 20 };

static struct message_header scan_in_pieces(struct arena *a, struct str in, size_t piece)
{
    struct message_header_scan *scan = message_header_scan_new(a);

    assert_non_null(scan);
    while (in.n) {
        struct str part = str_head(in, piece);
        char *copy = exact_copy(part);
        assert_true(message_header_scan_feed(scan, str_of(copy, part.n)));
        free(copy);
        in = str_skip(in, part.n);
    }
    assert_true(message_header_scan_end(scan));
    return *message_header_scan_facts(scan);
}

static void assert_same(const struct message_header *a, const struct message_header *b)
{
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->fields, b->fields);
    assert_int_equal(a->malformed, b->malformed);
    assert_int_equal(a->received, b->received);
    assert_int_equal(a->eight_bit, b->eight_bit);
    assert_str_is(a->message_id, b->message_id);
    assert_str_is(a->subject, b->subject);
    assert_str_is(a->references, b->references);
    assert_int_equal(a->delivered_to_count, b->delivered_to_count);
    for (size_t i = 0; i < a->delivered_to_count; i++)
        assert_str_is(a->delivered_to[i], b->delivered_to[i]);
}

static struct message_header scan_three_ways(struct arena *a, struct str in)
{
    struct message_header whole = scan_in_pieces(a, in, in.n ? in.n : 1);
    struct message_header single = scan_in_pieces(a, in, 1), threes = scan_in_pieces(a, in, 3);

    assert_same(&single, &whole);
    assert_same(&threes, &whole);
    assert_true(whole.ended);
    return whole;
}

static void wanted_values_are_unfolded(void **state)
{
    struct arena *a = arena_new(PLENTY);
    const struct str in = STR("Received: from x\r\n\tby y; now\r\n"
                              "message-ID:\r\n <9f1c@example.net> (no comment)\r\n"
                              "SUBJECT: one\r\n  two\r\n\tthree \r\n"
                              "Delivered-To: ben@example.org\r\n"
                              "Received: other\r\n"
                              "Delivered-To:anna@Example.org\r\n"
                              "Subject: second\r\n"
                              "\r\n"
                              "Received: body\r\n");
    struct message_header h = scan_three_ways(a, in);

    (void)state;
    assert_int_equal(h.fields, 7);
    assert_int_equal(h.received, 2);
    assert_int_equal(h.malformed, 0);
    assert_int_equal(h.size, in.n - strlen("Received: body\r\n"));
    assert_str_is(h.message_id, STR("9f1c@example.net"));
    assert_str_is(h.subject, STR("one  two\tthree"));
    assert_int_equal(h.delivered_to_count, 2);
    assert_str_is(h.delivered_to[1], STR("anna@Example.org"));
    assert_true(message_header_was_delivered_to(&h, STR("ben@Example.ORG")));
    assert_false(message_header_was_delivered_to(&h, STR("Ben@example.org")));
    assert_false(message_header_was_delivered_to(&h, STR("ben@example.or")));
    arena_free(a);
}

/* C055, C071 */
static void defects_are_counted_and_stepped_over(void **state)
{
    static const struct {
        struct str in;
        uint32_t fields, malformed, received;
        uint64_t size;
    } rows[] = {
        { STR_INIT(""), 0, 0, 0, 0 },
        { STR_INIT("\r\n"), 0, 0, 0, 2 },
        { STR_INIT("\n"), 0, 0, 0, 1 },
        { STR_INIT("\r\nReceived: x\r\n"), 0, 0, 0, 2 },
        { STR_INIT("no colon\r\nReceived: x\r\n\r\nbody"), 1, 1, 1, 25 },
        { STR_INIT("no colon"), 0, 1, 0, 8 },
        { STR_INIT("nocolon"), 0, 1, 0, 7 },
        { STR_INIT("Subject : old\r\nReceived \t: old\r\n\r\n"), 2, 0, 1, 34 },
        { STR_INIT("Two words: x\r\n\r\n"), 0, 1, 0, 16 },
        { STR_INIT(": nameless\r\n\r\n"), 0, 1, 0, 14 },
        { STR_INIT(" folded first\r\nA: b\r\n\r\n"), 1, 1, 0, 23 },
        { STR_INIT("A: b\r\n \r\nReceived: x\r\n\r\n"), 2, 0, 1, 24 },
        { STR_INIT("Received:\r\nRECEIVED:;;;\r\nreceived: (\r\n\r\n"), 3, 0, 3, 40 },
        { STR_INIT("Received-Not: x\r\nXReceived: x\r\nReceive: x\r\nReceived\r\n\r\n"), 3, 1, 0, 55 },
        { STR_INIT("\xc3\xa4: x\r\n\r\n"), 0, 1, 0, 9 },
        { STR_INIT("A: b\r\n\rReceived: x\r\n\r\n"), 1, 1, 0, 22 },
        { STR_INIT("\r\r\n\r\n"), 0, 1, 0, 5 },
        { STR_INIT("From me Sun Nov 22\r\nReceived: x\r\n\r\n"), 1, 1, 1, 35 },
        { STR_INIT("Received: x"), 1, 0, 1, 11 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(PLENTY);
        struct message_header h = scan_three_ways(a, rows[i].in);
        if (h.fields != rows[i].fields || h.malformed != rows[i].malformed ||
            h.received != rows[i].received || h.size != rows[i].size)
            fail_msg("row %zu: %u fields, %u malformed, %u received, %llu octets", i, h.fields, h.malformed,
                     h.received, (unsigned long long)h.size);
        arena_free(a);
    }
}

static void eight_bit_of_the_body_is_not_of_the_header(void **state)
{
    struct arena *a = arena_new(PLENTY);

    (void)state;
    assert_false(scan_three_ways(a, STR("A: b\r\n\r\n\xc3\xa4\r\n")).eight_bit);
    assert_true(scan_three_ways(a, STR("A: \xc3\xa4\r\n\r\nb\r\n")).eight_bit);
    arena_free(a);
}

/* C061: of two fields that may come once, the first counts, and the message passes as it is. */
static void message_ids_of_all_kinds(void **state)
{
    static const struct {
        struct str in, id;
    } rows[] = {
        { STR_INIT("Message-ID: <a@b>\r\n\r\n"), STR_INIT("a@b") },
        { STR_INIT("Message-ID: a@b c\r\n\r\n"), STR_INIT("a@b") },
        { STR_INIT("Message-ID: <a@b\r\n\r\n"), STR_INIT("a@b") },
        { STR_INIT("Message-ID: (x) < a@b >\r\n\r\n"), STR_INIT("a@b") },
        { STR_INIT("Message-ID:\r\n\r\n"), STR_INIT("") },
        { STR_INIT("Message-ID: <one>\r\nMessage-ID: <two>\r\n\r\n"), STR_INIT("one") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(PLENTY);
        assert_str_is(scan_three_ways(a, rows[i].in).message_id, rows[i].id);
        arena_free(a);
    }
}

static void values_are_bounded(void **state)
{
    struct arena *a = arena_new(PLENTY);
    struct buf in = BUF_INIT(PLENTY);

    (void)state;
    buf_add_c(&in, "Subject: ");
    for (int i = 0; i < 3000; i++)
        buf_add_char(&in, 'x');
    for (int i = 0; i < MESSAGE_DELIVERED_TO_MAX + 50; i++)
        buf_printf(&in, "\r\nDelivered-To: r%d@example.org", i);
    buf_add_c(&in, "\r\n\r\n");
    struct message_header h = scan_three_ways(a, buf_str(&in));
    assert_true(h.subject.n <= MESSAGE_VALUE_MAX && h.subject.n > MESSAGE_VALUE_MAX - 3);
    assert_int_equal(h.delivered_to_count, MESSAGE_DELIVERED_TO_MAX);
    assert_int_equal(h.fields, 1 + MESSAGE_DELIVERED_TO_MAX + 50);
    buf_done(&in);
    arena_free(a);
}

/* The first field counts; a long one keeps its last ids, whole (RFC 5322 3.6.4). */
static void references_keep_their_end(void **state)
{
    static const struct {
        struct str in, references;
    } rows[] = {
        { STR_INIT("References: <a@b>\r\n <c@d>\r\nREFERENCES: <e@f>\r\n\r\n"), STR_INIT("<a@b> <c@d>") },
        { STR_INIT("References:\r\nreferences: <e@f>\r\n\r\n"), STR_INIT("") },
        { STR_INIT("In-Reply-To: <a@b>\r\n\r\n"), STR_INIT("") },
    };
    struct arena *a = arena_new(PLENTY);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_str_is(scan_three_ways(a, rows[i].in).references, rows[i].references);
    arena_free(a);
    /* Ids of 11 octets with their fold; the room ends before, within and behind an id, and within a line end. */
    for (size_t n = 80; n < 400; n++) {
        struct buf in = BUF_INIT(PLENTY), want = BUF_INIT(PLENTY);
        size_t kept = n * 11 - 1 > MESSAGE_VALUE_MAX ? (MESSAGE_VALUE_MAX + 1) / 11 : n;
        a = arena_new(PLENTY);
        buf_add_c(&in, "References:");
        for (size_t i = 0; i < n; i++) {
            buf_printf(&in, " <%04zu@a.b>%s", i, i % 3 ? "" : "\r\n");
            if (i + kept >= n)
                buf_printf(&want, "%s<%04zu@a.b>", want.n ? " " : "", i);
        }
        buf_add_c(&in, "\r\n\r\n");
        assert_str_is(scan_three_ways(a, buf_str(&in)).references, buf_str(&want));
        buf_done(&in);
        buf_done(&want);
        arena_free(a);
    }
}

static void references_that_have_no_whole_id_are_none(void **state)
{
    struct buf in = BUF_INIT(PLENTY);
    struct arena *a = arena_new(PLENTY);

    (void)state;
    buf_add_c(&in, "References: <");
    for (int i = 0; i < 3000; i++)
        buf_add_char(&in, 'x');
    buf_add_c(&in, ">\r\n\r\n");
    assert_str_is(scan_three_ways(a, buf_str(&in)).references, STR(""));
    buf_done(&in);
    arena_free(a);
}

/* Memory fails at each place in turn; what was counted is right all the same. */
static void without_memory_only_the_value_is_lost(void **state)
{
    static const struct str in =
        STR_INIT("Subject: x\r\nDelivered-To: a@b\r\nMessage-ID: <c>\r\nReferences: <e>\r\nReceived: d\r\n\r\n");
    bool done = false;

    (void)state;
    for (size_t max = 0; !done; max += 50) {
        struct arena *a = arena_new(max);
        struct message_header_scan *scan = message_header_scan_new(a);
        if (scan) {
            done = message_header_scan_feed(scan, in);
            done &= message_header_scan_end(scan);
            assert_int_equal(message_header_scan_facts(scan)->fields, 5);
            assert_int_equal(message_header_scan_facts(scan)->received, 1);
            assert_int_equal(message_header_scan_facts(scan)->size, in.n);
        }
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_values_are_unfolded),
        cmocka_unit_test(defects_are_counted_and_stepped_over),
        cmocka_unit_test(eight_bit_of_the_body_is_not_of_the_header),
        cmocka_unit_test(message_ids_of_all_kinds),
        cmocka_unit_test(values_are_bounded),
        cmocka_unit_test(references_keep_their_end),
        cmocka_unit_test(references_that_have_no_whole_id_are_none),
        cmocka_unit_test(without_memory_only_the_value_is_lost),
    };

    return cmocka_run_group_tests_name("message/header", tests, NULL, NULL);
}
