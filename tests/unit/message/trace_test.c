/* Received, Return-Path and Delivered-To (C062 to C068, C072), also with hostile peers. */
#include "tests/unit/unit.h"

#include "message/header.h"
#include "message/trace.h"

static const struct message_received usual = {
    .client_helo = STR_INIT("mx3.example.net"),
    .client = STR_INIT("203.0.113.7"),
    .hostname = STR_INIT("mail.example.org"),
    .protocol = STR_INIT("ESMTP"),
    .id = STR_INIT("3591TJHR6EY3"),
    .recipient = STR_INIT("ben@example.org"),
    .utc_msec = 1795340467301,
};

static void is_written(struct message_received r, struct str want)
{
    struct buf out = BUF_INIT(4096);

    assert_true(message_received_write(&out, &r));
    assert_str_is(buf_str(&out), want);
    buf_done(&out);
}

/* C062, C063, C064, C065, C066 */
static void received_says_from_by_with_id_for(void **state)
{
    struct message_received r = usual;

    (void)state;
    is_written(r, STR("Received: from mx3.example.net ([203.0.113.7])\r\n"
                      "\tby mail.example.org with ESMTP id 3591TJHR6EY3\r\n"
                      "\tfor <ben@example.org>; Sun, 22 Nov 2026 09:41:07 +0000\r\n"));
    r.client_name = STR("mx3.example.net");
    r.client = STR("2001:db8::7");
    r.client_helo = STR("[IPv6:2001:db8::7]");
    r.protocol = STR("UTF8SMTP");
    r.zone_minutes = 60;
    is_written(r, STR("Received: from [IPv6:2001:db8::7] (mx3.example.net [IPv6:2001:db8::7])\r\n"
                      "\tby mail.example.org with UTF8SMTP id 3591TJHR6EY3\r\n"
                      "\tfor <ben@example.org>; Sun, 22 Nov 2026 10:41:07 +0100\r\n"));
}

/* C065 */
static void for_is_left_out_with_several_recipients(void **state)
{
    struct message_received r = usual;

    (void)state;
    r.recipient = STR_NONE;
    is_written(r,
               STR("Received: from mx3.example.net ([203.0.113.7])\r\n"
                   "\tby mail.example.org with ESMTP id 3591TJHR6EY3; Sun, 22 Nov 2026 09:41:07 +0000\r\n"));
}

static void local_submission_has_no_from(void **state)
{
    struct message_received r = usual;

    (void)state;
    r.client = r.client_helo = STR_NONE;
    r.protocol = STR("local");
    is_written(r, STR("Received: by mail.example.org with local id 3591TJHR6EY3\r\n"
                      "\tfor <ben@example.org>; Sun, 22 Nov 2026 09:41:07 +0000\r\n"));
}

/* C067 */
static void the_cipher_suite_is_named_when_asked(void **state)
{
    struct message_received r = usual;

    (void)state;
    r.protocol = STR("ESMTPSA");
    r.tls_cipher = STR("TLS_AES_256_GCM_SHA384");
    is_written(r, STR("Received: from mx3.example.net ([203.0.113.7])\r\n"
                      "\tby mail.example.org with ESMTPSA id 3591TJHR6EY3\r\n"
                      "\tfor <ben@example.org>\r\n"
                      "\ttls TLS_AES_256_GCM_SHA384; Sun, 22 Nov 2026 09:41:07 +0000\r\n"));
    /* hide-client: neither name nor address, whatever EHLO said. */
    r.client = r.recipient = STR_NONE;
    is_written(r, STR("Received: by mail.example.org with ESMTPSA id 3591TJHR6EY3\r\n"
                      "\ttls TLS_AES_256_GCM_SHA384; Sun, 22 Nov 2026 09:41:07 +0000\r\n"));
}

/* C063 */
/* Whatever the client calls itself: one field, lines of at most 998 octets, no structure of its making. */
static void hostile_names_make_no_structure(void **state)
{
    static char every[4096];
    struct message_received r = usual;
    struct buf out = BUF_INIT(8192);

    (void)state;
    for (size_t i = 0; i < sizeof(every); i++)
        every[i] = (char)(i % 256);
    r.client_helo = r.client_name = str_of(every, sizeof(every));
    assert_true(message_received_write(&out, &r));
    struct str rest = buf_str(&out);
    for (size_t lines = 0; rest.n; lines++) {
        size_t lf = str_find(rest, '\n');
        assert_true(lf < rest.n && lf > 0 && rest.p[lf - 1] == '\r' && lf - 1 <= MESSAGE_LINE_MAX);
        assert_int_equal(rest.p[0], lines ? '\t' : 'R');
        for (size_t i = 1; i < lf - 1; i++)
            assert_true(rest.p[i] >= ' ' && rest.p[i] <= '~');
        rest = str_skip(rest, lf + 1);
    }
    struct str all = buf_str(&out);
    assert_int_equal(str_find(all, '('), str_rfind(all, '('));
    assert_int_equal(str_find(all, ')'), str_rfind(all, ')'));
    assert_int_equal(str_find(all, ';'), str_rfind(all, ';'));
    assert_false(str_has(all, '"') || str_has(all, '\\'));
    buf_clear(&out);

    r = usual;
    r.client_helo = STR("a) by evil; <x@y> (\"\r\nTo: you");
    assert_true(message_received_write(&out, &r));
    assert_true(
        str_starts(buf_str(&out), STR("Received: from a??by?evil???x?y??????To:?you ([203.0.113.7])\r\n")));
    buf_clear(&out);
    r.client_helo = STR_NONE;
    assert_true(message_received_write(&out, &r));
    assert_true(str_starts(buf_str(&out), STR("Received: from unknown ([203.0.113.7])\r\n")));
    buf_done(&out);
}

static void what_is_written_is_read_as_one_field(void **state)
{
    struct arena *a = arena_new(1 << 16);
    struct buf out = BUF_INIT(4096);
    struct message_header_scan *scan = message_header_scan_new(a);

    (void)state;
    assert_true(message_delivered_to_write(&out, STR("\"a b\"@example.org")));
    assert_true(message_return_path_write(&out, STR("carol@example.net")));
    assert_true(message_received_write(&out, &usual));
    buf_add_c(&out, "\r\n");
    assert_true(message_header_scan_feed(scan, buf_str(&out)));
    const struct message_header *h = message_header_scan_facts(scan);
    assert_int_equal(h->fields, 3);
    assert_int_equal(h->received, 1);
    assert_int_equal(h->malformed, 0);
    assert_true(h->ended);
    assert_true(message_header_was_delivered_to(h, STR("\"a b\"@EXAMPLE.org")));
    buf_done(&out);
    arena_free(a);
}

/* C068, C072 */
static void return_path_and_delivered_to(void **state)
{
    struct buf out = BUF_INIT(4096);

    (void)state;
    assert_true(message_return_path_write(&out, STR_NONE));
    assert_true(message_return_path_write(&out, STR("\"a b\"@example.net")));
    assert_true(message_delivered_to_write(&out, STR("ben@example.org")));
    assert_true(message_delivered_to_write(&out, STR("a\r\nTo: x@y")));
    assert_str_is(buf_str(&out), STR("Return-Path: <>\r\nReturn-Path: <\"a b\"@example.net>\r\n"
                                     "Delivered-To: ben@example.org\r\nDelivered-To: a??To: x@y\r\n"));
    buf_done(&out);
}

static void a_full_buffer_says_so(void **state)
{
    bool done = false;

    (void)state;
    for (size_t max = 0; !done; max += 7) {
        struct buf out = BUF_INIT(max);
        done = message_received_write(&out, &usual);
        assert_int_equal(done, !out.failed);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received_says_from_by_with_id_for),
        cmocka_unit_test(for_is_left_out_with_several_recipients),
        cmocka_unit_test(local_submission_has_no_from),
        cmocka_unit_test(the_cipher_suite_is_named_when_asked),
        cmocka_unit_test(hostile_names_make_no_structure),
        cmocka_unit_test(what_is_written_is_read_as_one_field),
        cmocka_unit_test(return_path_and_delivered_to),
        cmocka_unit_test(a_full_buffer_says_so),
    };

    return cmocka_run_group_tests_name("message/trace", tests, NULL, NULL);
}
