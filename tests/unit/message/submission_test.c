/* What submission mends in headers (C127): whole, octet by octet and in threes. */
#include "tests/unit/unit.h"

#include "message/submission.h"

#define DATE "Date: Sun, 22 Nov 2026 10:41:07 +0100\r\n"
#define ID   "Message-ID: <7QK2M13C2A.1@mail.example.org>\r\n"

static const struct message_submission_terms terms = {
    .hostname = STR_INIT("mail.example.org"),
    .unique = STR_INIT("7QK2M13C2A.1"),
    .utc_msec = 1795340467301,
    .zone_minutes = 60,
};

/* Feeds CONTENT in pieces of PIECE on exact heap copies; what comes out goes to OUT. */
static enum message_submission_step pass(struct str content, size_t piece, size_t max, struct buf *out)
{
    struct message_submission m;
    enum message_submission_step step = MESSAGE_SUBMISSION_GOOD;
    struct str header, rest;

    message_submission_init(&m, max, &terms);
    while (content.n && step == MESSAGE_SUBMISSION_GOOD) {
        struct str part = str_head(content, piece);
        char *copy = exact_copy(part);
        step = message_submission_feed(&m, str_of(copy, part.n), &header, &rest);
        buf_add(out, header);
        buf_add(out, rest);
        free(copy);
        content = str_skip(content, part.n);
    }
    if (step == MESSAGE_SUBMISSION_GOOD)
        step = message_submission_end(&m, &header);
    buf_add(out, header);
    message_submission_done(&m);
    return step;
}

static void becomes(const char *content, const char *want)
{
    const size_t pieces[] = { strlen(content) + 1, 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct buf out = BUF_INIT(1 << 16);
        assert_int_equal(pass(str_from_c(content), pieces[i], 4096, &out), MESSAGE_SUBMISSION_GOOD);
        assert_str_is(buf_str(&out), str_from_c(want));
        buf_done(&out);
    }
}

static void stays(const char *content)
{
    becomes(content, content);
}

/* C127 */
static void what_is_there_stays_as_it_is(void **state)
{
    (void)state;
    stays("Date: x\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n");
    stays("message-id : <a@b>\r\nDATE:\r\n\r\n");
    stays("From: a@b\r\n\tfolded\r\nMessage-Id:\r\n <long@b>\r\nDate: x\r\n\r\n\r\n.\r\n\xff\x01\r\n");
    stays("Date: x\r\nMessage-ID: <a@b>\r\n");
    stays("Date: x\r\nDate: y\r\nMessage-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n");
    stays("malformed\r\n folded\r\nDate: x\r\n: y\r\nMessage-ID: <a@b>\r\n\r\nBcc: in the body\r\n");
    stays("Date: x\r\nMessage-ID: <a@b>\r\nTo: half a line");
    stays("Date: x\nMessage-ID: <a@b>\n\nbody\n");
}

/* C127 */
static void what_is_missing_is_added_behind_the_fields(void **state)
{
    (void)state;
    becomes("From: a@b\r\nSubject: x\r\n y\r\n\r\nbody\r\n", "From: a@b\r\nSubject: x\r\n y\r\n" DATE ID "\r\nbody\r\n");
    becomes("Date: x\r\n\r\nbody\r\n", "Date: x\r\n" ID "\r\nbody\r\n");
    becomes("Message-ID: <a@b>\r\n\r\nbody\r\n", "Message-ID: <a@b>\r\n" DATE "\r\nbody\r\n");
    becomes("From: a@b\r\n", "From: a@b\r\n" DATE ID);
    becomes("From: a@b\r\nno field\r\nTo: c@d\r\n\r\n", "From: a@b\r\n" DATE ID "no field\r\nTo: c@d\r\n\r\n");
    becomes("Resent-Date: x\r\nX-Date: x\r\nDates: x\r\n\r\n",
            "Resent-Date: x\r\nX-Date: x\r\nDates: x\r\n" DATE ID "\r\n");
    becomes(" x\r\nTo: c@d\r\n\r\n", " x\r\nTo: c@d\r\n" DATE ID "\r\n");
    becomes("From x\r\nTo: c@d\r\n\r\n", DATE ID "From x\r\nTo: c@d\r\n\r\n");
}

static void text_without_a_header_is_a_body(void **state)
{
    (void)state;
    becomes("", DATE ID);
    becomes("\r\n", DATE ID "\r\n");
    becomes("\r\nbody\r\n", DATE ID "\r\nbody\r\n");
    becomes("Hello\r\n\r\nthere: you\r\n", DATE ID "\r\nHello\r\n\r\nthere: you\r\n");
    becomes(" Hello\r\n", DATE ID "\r\n Hello\r\n");
    becomes("From: half a line", "From: half a line\r\n" DATE ID);
}

/* C127 */
static void a_malformed_message_id_is_replaced(void **state)
{
    static const char *const bad[] = {
        "", "x", "<>", "<a>", "<@b>", "<a@>", "a@b", "<a@b", "a@b>", "<a b@c>", "<a@b> x", "<a@b> <c@d>", "x <a@b>",
        "<a@b\r\n c>", "<<a@b>>", "(no end <a@b>", "<a\x01@b>", "<a@b\xff>",
    };
    static const char *const good[] = {
        "<a@b>", "<a@b>  ", "\t<a@b>", "(comment) <a@b> (and (another\\)) one)", "<a.b+c=d!e@[192.0.2.1]>", "<a@b@c>",
        "<\"quoted\"@b>", "<..@b>", "<\xc3\xa4@b>", "\r\n <a@b>\r\n ",
    };
    struct buf in = BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        buf_clear(&in);
        buf_printf(&in, "Date: x\r\nMessage-ID:%s\r\nTo: y\r\n\r\n%c", bad[i], '\0');
        becomes(in.p, "Date: x\r\nTo: y\r\n" ID "\r\n");
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        buf_clear(&in);
        buf_printf(&in, "Date: x\r\nMessage-ID:%s\r\nTo: y\r\n\r\n%c", good[i], '\0');
        stays(in.p);
    }
    /* One good one is enough. */
    becomes("Date: x\r\nMessage-ID: x\r\nMessage-ID: <a@b>\r\n\r\n", "Date: x\r\nMessage-ID: <a@b>\r\n\r\n");
    buf_done(&in);
}

/* RFC 5322 3.6.3 */
static void blind_copies_are_not_told(void **state)
{
    (void)state;
    becomes("Bcc: a@b\r\nDate: x\r\nbCC : c@d,\r\n\te@f,\r\n g@h\r\nMessage-ID: <a@b>\r\nResent-Bcc: i@j\r\n\r\nBcc: k\r\n",
            "Date: x\r\nMessage-ID: <a@b>\r\n\r\nBcc: k\r\n");
    becomes("Date: x\r\nMessage-ID: <a@b>\r\nBcc: c@d\r\n\r\n", "Date: x\r\nMessage-ID: <a@b>\r\n\r\n");
    becomes("Date: x\r\nMessage-ID: <a@b>\r\nno field\r\nBcc: c@d\r\n e@f\r\nTo: g\r\n\r\n",
            "Date: x\r\nMessage-ID: <a@b>\r\nno field\r\nTo: g\r\n\r\n");
    becomes("Bcc: a@b\r\n\r\n", DATE ID "\r\n");
    becomes("Bcc: half a line", DATE ID);
    stays("Date: x\r\nMessage-ID: <a@b>\r\nX-Bcc: c@d\r\nBccs: e\r\nCc: Bcc: f\r\n\r\n");
}

static void the_body_is_not_held_back(void **state)
{
    static const struct str content = STR_INIT("Date: x\r\nMessage-ID: <a@b>\r\n\r\nbody");
    struct message_submission m;
    struct str header, rest;

    (void)state;
    message_submission_init(&m, content.n - 4, &terms);
    assert_int_equal(message_submission_feed(&m, content, &header, &rest), MESSAGE_SUBMISSION_GOOD);
    assert_str_is(header, str_head(content, content.n - 4));
    assert_ptr_equal(rest.p, content.p + content.n - 4);
    assert_int_equal(m.held.cap, 0);
    assert_int_equal(message_submission_feed(&m, content, &header, &rest), MESSAGE_SUBMISSION_GOOD);
    assert_int_equal(header.n, 0);
    assert_str_is(rest, content);
    assert_int_equal(m.changed.cap, 0);
    assert_int_equal(message_submission_end(&m, &header), MESSAGE_SUBMISSION_GOOD);
    assert_int_equal(header.n, 0);
    message_submission_done(&m);
}

static void headers_have_a_ceiling(void **state)
{
    static const struct str content = STR_INIT("Date: x\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n");
    static const size_t pieces[] = { 100, 1, 3 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        for (size_t max = content.n - 7; max <= content.n - 6; max++) {
            struct buf out = BUF_INIT(1 << 16);
            enum message_submission_step want =
                max < content.n - 6 ? MESSAGE_SUBMISSION_TOO_BIG : MESSAGE_SUBMISSION_GOOD;
            assert_int_equal(pass(content, pieces[i], max, &out), want);
            assert_int_equal(out.n, want == MESSAGE_SUBMISSION_GOOD ? content.n : 0);
            buf_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_stays_as_it_is),
        cmocka_unit_test(what_is_missing_is_added_behind_the_fields),
        cmocka_unit_test(text_without_a_header_is_a_body),
        cmocka_unit_test(a_malformed_message_id_is_replaced),
        cmocka_unit_test(blind_copies_are_not_told),
        cmocka_unit_test(the_body_is_not_held_back),
        cmocka_unit_test(headers_have_a_ceiling),
    };

    return cmocka_run_group_tests_name("message/submission", tests, NULL, NULL);
}
