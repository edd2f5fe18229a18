/* Replies: every row is fit to be said, and every line keeps the rules (C019, C020, C073 to C076). */
#include "tests/unit/unit.h"

#include "smtp/reply.h"

struct row {
    const char *name;
    unsigned code;
    struct str status;
    struct str words;
};

static const struct row rows[] = {
#define X(name, code, status, words) { #name, code, STR_INIT(status), STR_INIT(words) },
#include "smtp/replies.def"
#undef X
};

/* RFC 3463, 5248 and later registrations that we use; class left out. */
static const char *const registered[] = {
    "0.0", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.7", "1.8", "1.10", "2.1", "2.2", "3.1", "3.2",  "3.4", "3.5",
    "4.2", "4.3", "4.6", "5.1", "5.2", "5.3", "5.4", "5.6", "6.0", "6.7",  "6.8", "7.0", "7.1", "7.8", "7.11", "7.27", "3.0",
};

static bool is_registered(struct str subject_detail)
{
    for (size_t i = 0; i < ARRAY_LEN(registered); i++)
        if (str_eq(subject_detail, str_from_c(registered[i])))
            return true;
    return false;
}

/* C073, C076 */
static void every_row_has_a_registered_status_of_its_class(void **state)
{
    static const char *const plain[] = { "GREETING", "GREETING_REFUSED", "GREETING_NEVER",
                                         "HELO_OK",  "EHLO_OK",          "EHLO_BAD" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smtp_reply reply = { rows[i].code, rows[i].status, rows[i].words };
        bool is_plain = rows[i].code / 100 == 3;
        for (size_t k = 0; k < ARRAY_LEN(plain); k++)
            is_plain |= strcmp(rows[i].name, plain[k]) == 0;
        assert_true(smtp_reply_is_sane(&reply));
        assert_int_equal(is_plain, rows[i].status.n == 0);
        if (!is_plain && !is_registered(str_skip(rows[i].status, 2)))
            fail_msg("%s: %.*s is not registered", rows[i].name, STR_ARG(rows[i].status));
    }
}

/* C076 */
static void mapping_of_the_standard_is_kept(void **state)
{
    static const struct {
        enum smtp_reply_name name;
        unsigned code;
        struct str status;
    } want[] = {
        { SMTP_REPLY_NO_SUCH_MAILBOX, 550, STR_INIT("5.1.1") },
        { SMTP_REPLY_RECIPIENT_SYNTAX, 501, STR_INIT("5.1.3") },
        { SMTP_REPLY_SENDER_SYNTAX, 501, STR_INIT("5.1.7") },
        { SMTP_REPLY_MAILBOX_FULL, 452, STR_INIT("4.2.2") },
        { SMTP_REPLY_STORAGE_SHORT, 452, STR_INIT("4.3.1") },
        { SMTP_REPLY_SIZE_TOO_BIG, 552, STR_INIT("5.3.4") },
        { SMTP_REPLY_CONTENT_TOO_BIG, 552, STR_INIT("5.3.4") },
        { SMTP_REPLY_HELLO_FIRST, 503, STR_INIT("5.5.1") },
        { SMTP_REPLY_UNKNOWN, 500, STR_INIT("5.5.2") },
        { SMTP_REPLY_TOO_MANY_RECIPIENTS, 452, STR_INIT("4.5.3") },
        { SMTP_REPLY_PARAMETER_BAD, 501, STR_INIT("5.5.4") },
        { SMTP_REPLY_RELAY_DENIED, 550, STR_INIT("5.7.1") },
        { SMTP_REPLY_LOOP, 554, STR_INIT("5.4.6") },
        { SMTP_REPLY_RECIPIENT_UTF8, 553, STR_INIT("5.6.7") },
        { SMTP_REPLY_SENDER_UTF8, 550, STR_INIT("5.6.7") },
        { SMTP_REPLY_SHUTDOWN, 421, STR_INIT("4.3.2") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct smtp_reply row = smtp_reply_row(want[i].name);
        assert_int_equal(row.code, want[i].code);
        assert_str_is(row.status, want[i].status);
    }
}

/* Filled with marks, no brace is left: each slot is one we know. */
static void every_slot_is_known_and_every_row_is_ascii(void **state)
{
    const struct smtp_slots slots = { .address = STR("A"),
                                      .id = STR("I"),
                                      .client = STR("C"),
                                      .hostname = STR("H"),
                                      .text = STR("T"),
                                      .number = 7 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(4096);
        struct smtp_reply reply = { rows[i].code, rows[i].status, rows[i].words };
        assert_true(str_is_ascii(rows[i].words));
        assert_true(smtp_reply_write(&out, &reply, &slots, false));
        assert_false(str_has(buf_str(&out), '{') || str_has(buf_str(&out), '}'));
        buf_done(&out);
    }
}

static void writes(struct smtp_reply reply, const struct smtp_slots *slots, bool utf8, struct str want)
{
    struct buf out = BUF_INIT(1 << 16);

    assert_true(smtp_reply_write(&out, &reply, slots, utf8));
    assert_str_is(buf_str(&out), want);
    buf_done(&out);
}

/* C020, C074 */
static void lines_repeat_code_and_status(void **state)
{
    (void)state;
    writes((struct smtp_reply){ 214, STR("2.0.0"), STR("one\ntwo\nthree") }, NULL, false,
           STR("214-2.0.0 one\r\n214-2.0.0 two\r\n214 2.0.0 three\r\n"));
    writes((struct smtp_reply){ 220, STR(""), STR("one\n\ntwo") }, NULL, false,
           STR("220-one\r\n220-\r\n220 two\r\n"));
    writes((struct smtp_reply){ 250, STR("2.0.0"), STR("") }, NULL, false, STR("250 2.0.0 \r\n"));
    writes((struct smtp_reply){ 250, STR("2.0.0"), STR("\n") }, NULL, false, STR("250 2.0.0 \r\n"));
}

static void slots_are_filled_once(void **state)
{
    const struct smtp_slots slots = { .address = STR("{id}"), .id = STR("X"), .number = 12 };

    (void)state;
    writes((struct smtp_reply){ 250, STR("2.0.0"), STR("{address} {id} {number} {none} {id") }, &slots, false,
           STR("250 2.0.0 {id} X 12 {none} {id\r\n"));
    writes((struct smtp_reply){ 250, STR("2.0.0"), STR("{address}") }, NULL, false,
           STR("250 2.0.0 {address}\r\n"));
}

/* C185 */
static void values_can_end_no_line(void **state)
{
    const struct smtp_slots hostile = { .address = STR("a\r\n250 b\0\x7f\x1b[c"),
                                        .text = STR("\xc3\xa4\xff"),
                                        .id = STR("\xc3\xa4") };

    (void)state;
    writes((struct smtp_reply){ 550, STR("5.1.1"), STR("{address}") }, &hostile, true,
           STR("550 5.1.1 a?250 b?[c\r\n"));
    writes((struct smtp_reply){ 550, STR("5.1.1"), STR("{text}.{id}") }, &hostile, true,
           STR("550 5.1.1 ?.\xc3\xa4\r\n"));
    writes((struct smtp_reply){ 550, STR("5.1.1"), STR("{text}.{id}") }, &hostile, false,
           STR("550 5.1.1 ?.?\r\n"));
}

/* C020 */
static void long_words_go_on_more_lines(void **state)
{
    struct buf words = BUF_INIT(1 << 16), out = BUF_INIT(1 << 16);
    size_t total = 0;

    (void)state;
    for (int i = 0; i < 700; i++)
        buf_add_c(&words, i % 100 == 99 ? " " : "\xc3\xa4");
    struct smtp_reply reply = { 550, STR("5.7.1"), buf_str(&words) };
    assert_true(smtp_reply_write(&out, &reply, NULL, true));
    struct str rest = buf_str(&out);
    while (rest.n) {
        size_t lf = str_find(rest, '\n');
        struct str line = str_head(rest, lf + 1);
        assert_true(line.n <= SMTP_REPLY_LINE_MAX);
        assert_true(str_starts(line, line.n == rest.n ? STR("550 5.7.1 ") : STR("550-5.7.1 ")));
        assert_true(str_is_utf8(line));
        total += line.n - 12;
        rest = str_skip(rest, line.n);
    }
    /* Nothing is lost but blanks at line ends. */
    assert_true(total + 7 >= words.n && total <= words.n);
    buf_done(&words);
    buf_done(&out);
}

static void a_full_buffer_says_so(void **state)
{
    bool done = false;

    (void)state;
    for (size_t max = 0; !done; max++) {
        struct buf out = BUF_INIT(max);
        struct smtp_reply reply = { 250, STR("2.0.0"), STR("one\ntwo") };
        done = smtp_reply_write(&out, &reply, NULL, false);
        assert_int_equal(done, !out.failed);
        buf_done(&out);
    }
}

/* C075 */
static void what_is_no_reply_is_not_sane(void **state)
{
    static const struct {
        struct smtp_reply reply;
        bool sane;
    } cases[] = {
        { { 250, STR_INIT(""), STR_INIT("x") }, true },
        { { 550, STR_INIT("5.1.1"), STR_INIT("x") }, true },
        { { 550, STR_INIT("5.123.999"), STR_INIT("x") }, true },
        { { 550, STR_INIT("5.01.1"), STR_INIT("x") }, false },
        { { 550, STR_INIT("5.1.1000"), STR_INIT("x") }, false },
        { { 550, STR_INIT("4.1.1"), STR_INIT("x") }, false },
        { { 550, STR_INIT("5.1"), STR_INIT("x") }, false },
        { { 550, STR_INIT("5.1.1.1"), STR_INIT("x") }, false },
        { { 550, STR_INIT("5.1.a"), STR_INIT("x") }, false },
        { { 354, STR_INIT("3.0.0"), STR_INIT("x") }, false },
        { { 199, STR_INIT(""), STR_INIT("x") }, false },
        { { 600, STR_INIT(""), STR_INIT("x") }, false },
        { { 550, STR_INIT("5..1"), STR_INIT("x") }, false },
        { { 550, STR_INIT("."), STR_INIT("x") }, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(smtp_reply_is_sane(&cases[i].reply), cases[i].sane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_registered_status_of_its_class),
        cmocka_unit_test(mapping_of_the_standard_is_kept),
        cmocka_unit_test(every_slot_is_known_and_every_row_is_ascii),
        cmocka_unit_test(lines_repeat_code_and_status),
        cmocka_unit_test(slots_are_filled_once),
        cmocka_unit_test(values_can_end_no_line),
        cmocka_unit_test(long_words_go_on_more_lines),
        cmocka_unit_test(a_full_buffer_says_so),
        cmocka_unit_test(what_is_no_reply_is_not_sane),
    };

    return cmocka_run_group_tests_name("smtp/reply", tests, NULL, NULL);
}
