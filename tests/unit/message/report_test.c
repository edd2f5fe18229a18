/* Reports, word for word, as the person who gets them reads them. */
#include "tests/unit/unit.h"

#include "message/report.h"

#define AT(day, hour, minute)                                                                                \
    (((int64_t)(20392 + (day)) * 86400 + (hour)*3600 + (minute)*60) * 1000) /* of November 2025 */

static const struct message_report_recipient expired = {
    .address = STR_INIT("info@old.example"),
    .status = STR_INIT("4.4.1"),
    .reply = STR_INIT("connection timed out"),
    .remote_mta = STR_INIT("mx.old.example"),
    .remote_address = STR_INIT("203.0.113.99"),
    .attempts = 36,
    .first_msec = AT(17, 7, 31),
    .last_msec = AT(22, 9, 41),
    .expired = true,
};

static const struct message_report_recipient unknown = {
    .address = STR_INIT("Kim@partner.example"),
    .original = STR_INIT("team@example.org"),
    .status = STR_INIT("5.1.1"),
    .code = 550,
    .reply = STR_INIT("unknown user"),
    .from_peer = true,
    .remote_mta = STR_INIT("mx1.partner.example"),
    .attempts = 1,
    .first_msec = AT(22, 9, 41),
    .last_msec = AT(22, 9, 41),
};

static const struct message_report_recipient null_mx = {
    .address = STR_INIT("x@null.example"),
    .status = STR_INIT("5.1.10"),
    .reply = STR_INIT("null.example does not take mail"),
    .attempts = 1,
    .last_msec = AT(22, 9, 41),
};

static const struct message_report_recipient greylisted = {
    .address = STR_INIT("bob@example.net"),
    .status = STR_INIT("4.7.1"),
    .code = 451,
    .reply = STR_INIT("greylisted, try again later"),
    .from_peer = true,
    .remote_mta = STR_INIT("mx1.example.net"),
    .attempts = 6,
    .first_msec = AT(22, 5, 31),
    .last_msec = AT(22, 9, 22),
    .retry_until_msec = AT(27, 5, 31),
};

static struct message_report about(enum message_report_kind kind,
                                   const struct message_report_recipient *recipients, size_t n)
{
    return (struct message_report){
        .kind = kind,
        .hostname = STR("mail.example.org"),
        .from = STR("postmaster@example.org"),
        .to = STR("app@example.org"),
        .id = STR("3591TJHR6EY3"),
        .about = STR("358Y3FDH1F2K"),
        .utc_msec = AT(22, 9, 42),
        .arrival_msec = AT(17, 7, 31),
        .octets = 71,
        .sender = STR("app@example.org"),
        .subject = STR("Invoice 4411"),
        .message_id = STR("4411@example.org"),
        .references = STR("<1@example.org> junk <2@example.org>"),
        .recipients = recipients,
        .n_recipients = n,
        .header = STR("From: <app@example.org>\r\nSubject: Invoice 4411\r\n\r\n"),
        .body = STR("hello\r\n"),
        .full = true,
    };
}

static struct buf written(const struct message_report *r, bool eight)
{
    struct buf out = BUF_INIT(1 << 20);
    bool eight_bit = !eight;

    assert_true(message_report_write(&out, r, &eight_bit));
    assert_int_equal(eight_bit, eight);
    return out;
}

static void report_is(const struct message_report *r, const char *want)
{
    struct buf out = written(r, false);

    assert_str_is(buf_str(&out), str_from_c(want));
    buf_done(&out);
}

static void report_has(const struct message_report *r, bool eight, const char *want)
{
    struct buf out = written(r, eight);

    if (!str_contains(buf_str(&out), str_from_c(want)))
        fail_msg("no \"%s\" in \"%.*s\"", want, STR_ARG(buf_str(&out)));
    buf_done(&out);
}

static void report_lacks(const struct message_report *r, bool eight, const char *what)
{
    struct buf out = written(r, eight);

    if (str_contains(buf_str(&out), str_from_c(what)))
        fail_msg("\"%s\" in \"%.*s\"", what, STR_ARG(buf_str(&out)));
    buf_done(&out);
}

/* C069, C173, C174, C175, C177, C179, C180 */
static void a_failure_from_its_first_line_to_its_last(void **state)
{
    struct message_report r = about(MESSAGE_REPORT_FAILED, &expired, 1);

    (void)state;
    report_is(&r, "From: \"Mail system of mail.example.org\" <postmaster@example.org>\r\n"
                  "To: <app@example.org>\r\n"
                  "Subject: Not delivered: Invoice 4411\r\n"
                  "Date: Sat, 22 Nov 2025 09:42:00 +0000\r\n"
                  "Message-ID: <3591TJHR6EY3@mail.example.org>\r\n"
                  "In-Reply-To: <4411@example.org>\r\n"
                  "References: <1@example.org> <2@example.org> <4411@example.org>\r\n"
                  "Auto-Submitted: auto-replied\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                  " boundary=\"report-3591TJHR6EY3-0\"\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n"
                  "\r\n"
                  "--report-3591TJHR6EY3-0\r\n"
                  "Content-Type: text/plain; charset=us-ascii\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n"
                  "\r\n"
                  "Your message could not be delivered to\r\n"
                  "\r\n"
                  "    info@old.example\r\n"
                  "    no host of old.example answered for 5 days; at the last try of\r\n"
                  "    mx.old.example [203.0.113.99]: connection timed out\r\n"
                  "\r\n"
                  "It was tried 36 times from 17 to 22 November and will not be tried again.\r\n"
                  "If the address is right, old.example has had a problem for days: try another\r\n"
                  "way, and send again later.\r\n"
                  "\r\n"
                  "Your message is attached. If you need help, write to postmaster@example.org\r\n"
                  "and name 358Y3FDH1F2K.\r\n"
                  "\r\n"
                  "--report-3591TJHR6EY3-0\r\n"
                  "Content-Type: message/delivery-status\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n"
                  "\r\n"
                  "Reporting-MTA: dns; mail.example.org\r\n"
                  "Arrival-Date: Mon, 17 Nov 2025 07:31:00 +0000\r\n"
                  "\r\n"
                  "Final-Recipient: rfc822; info@old.example\r\n"
                  "Action: failed\r\n"
                  "Status: 5.4.7\r\n"
                  "Remote-MTA: dns; mx.old.example\r\n"
                  "Last-Attempt-Date: Sat, 22 Nov 2025 09:41:00 +0000\r\n"
                  "\r\n"
                  "--report-3591TJHR6EY3-0\r\n"
                  "Content-Type: message/rfc822\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n"
                  "\r\n"
                  "From: <app@example.org>\r\n"
                  "Subject: Invoice 4411\r\n"
                  "\r\n"
                  "hello\r\n"
                  "\r\n"
                  "--report-3591TJHR6EY3-0--\r\n");
}

/* C177, C181 */
static void several_failures_each_with_its_reason_and_advice(void **state)
{
    const struct message_report_recipient all[] = { unknown, null_mx };
    struct message_report r = about(MESSAGE_REPORT_FAILED, all, 2);

    (void)state;
    report_has(&r, false,
               "Your message could not be delivered to these 2 addresses:\r\n"
               "\r\n"
               "    Kim@partner.example (where mail for team@example.org goes)\r\n"
               "    mx1.partner.example said: 550 5.1.1 unknown user\r\n"
               "    tried once on 22 November at 09:41 (UTC)\r\n"
               "    Look for a spelling mistake in the address. If there is none, that\r\n"
               "    mailbox does not exist at partner.example (any more): ask the person for\r\n"
               "    another address.\r\n"
               "\r\n"
               "    x@null.example\r\n"
               "    null.example does not take mail\r\n"
               "    tried once on 22 November at 09:41 (UTC)\r\n"
               "    No address behind the @ can be right: null.example does not take mail.\r\n"
               "    Ask the person for another address.\r\n"
               "\r\n"
               "It will not be tried again.\r\n"
               "\r\n");
    report_has(&r, false,
               "\r\n"
               "Final-Recipient: rfc822; Kim@partner.example\r\n"
               "Action: failed\r\n"
               "Status: 5.1.1\r\n"
               "Remote-MTA: dns; mx1.partner.example\r\n"
               "Diagnostic-Code: smtp; 550 5.1.1 unknown user\r\n"
               "Last-Attempt-Date: Sat, 22 Nov 2025 09:41:00 +0000\r\n"
               "\r\n"
               "Final-Recipient: rfc822; x@null.example\r\n"
               "Action: failed\r\n"
               "Status: 5.1.10\r\n"
               "Diagnostic-Code: x-veredus; null.example does not take mail\r\n"
               "Last-Attempt-Date: Sat, 22 Nov 2025 09:41:00 +0000\r\n"
               "\r\n--");
    /* C176: neither ENVID nor ORCPT was given. */
    report_lacks(&r, false, "Original-");
    report_lacks(&r, false, "Will-Retry-Until");
    report_lacks(&r, false, "Return-Path");
}

/* C178, C179 */
static void a_delay_asks_for_patience(void **state)
{
    struct message_report r = about(MESSAGE_REPORT_DELAYED, &greylisted, 1);

    (void)state;
    r.zone_minutes = -210;
    report_has(&r, false, "Subject: Delayed: Invoice 4411\r\n");
    report_has(&r, false,
               "Your message has not been delivered yet to\r\n"
               "\r\n"
               "    bob@example.net\r\n"
               "    mx1.example.net said: 451 4.7.1 greylisted, try again later\r\n"
               "\r\n"
               "It was tried 6 times on 22 November from 02:01 to 05:52 (UTC-3:30) and will\r\n"
               "be tried again until 27 November, 02:01 (UTC-3:30).\r\n"
               "There is nothing that you need to do; please do not send it again. You will\r\n"
               "be told if it cannot be delivered.\r\n"
               "\r\n"
               "The header of your message is attached. If you need help, write to\r\n"
               "postmaster@example.org and name 358Y3FDH1F2K.\r\n");
    report_has(&r, false,
               "Action: delayed\r\nStatus: 4.7.1\r\nRemote-MTA: dns; mx1.example.net\r\n"
               "Diagnostic-Code: smtp; 451 4.7.1 greylisted, try again later\r\n"
               "Last-Attempt-Date: Sat, 22 Nov 2025 05:52:00 -0330\r\n"
               "Will-Retry-Until: Thu, 27 Nov 2025 02:01:00 -0330\r\n");
    report_has(&r, false,
               "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
               "From: <app@example.org>\r\nSubject: Invoice 4411\r\n\r\n--report-3591TJHR6EY3-0--\r\n");
}

/* C161 */
static void the_postmaster_is_told_what_nobody_else_knows(void **state)
{
    struct message_report r = about(MESSAGE_REPORT_DOUBLE, &unknown, 1);

    (void)state;
    report_has(&r, false, "Subject: Could not be returned: Invoice 4411\r\n");
    report_has(&r, false,
               "A report that a message was not delivered could not be returned to\r\n"
               "\r\n"
               "    Kim@partner.example (where mail for team@example.org goes)\r\n"
               "    mx1.partner.example said: 550 5.1.1 unknown user\r\n"
               "\r\n"
               "It was tried once on 22 November at 09:41 (UTC) and will not be tried again.\r\n"
               "\r\n"
               "So nobody but you knows that the message did not arrive. The report is\r\n"
               "attached, and says which message it was. If the sender's address is one of\r\n"
               "yours, tell them in another way; if it was forged, as that of unwanted mail\r\n"
               "often is, there is nothing to do.\r\n");
}

static void many_of_them_are_a_list(void **state)
{
    struct message_report_recipient all[] = { unknown, null_mx };
    struct message_report r = about(MESSAGE_REPORT_DIGEST, all, 2);

    (void)state;
    all[0].about = STR("3591TGCGG500");
    all[1].about = STR("3591TGCGG501");
    r.left_out = 40;
    report_is(&r, "From: \"Mail system of mail.example.org\" <postmaster@example.org>\r\n"
                  "To: <app@example.org>\r\n"
                  "Subject: Undeliverable reports: 42 in the last hour\r\n"
                  "Date: Sat, 22 Nov 2025 09:42:00 +0000\r\n"
                  "Message-ID: <3591TJHR6EY3@mail.example.org>\r\n"
                  "Auto-Submitted: auto-replied\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=us-ascii\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n"
                  "\r\n"
                  "These reports that a message was not delivered could not be returned in the\r\n"
                  "last hour: the id of the report, whom it was for, and why it could not be\r\n"
                  "returned.\r\n"
                  "\r\n"
                  "    3591TGCGG500 Kim@partner.example\r\n"
                  "    mx1.partner.example said: 550 5.1.1 unknown user\r\n"
                  "\r\n"
                  "    3591TGCGG501 x@null.example\r\n"
                  "    null.example does not take mail\r\n"
                  "\r\n"
                  "And 40 more, which the log has. Many at once come of unwanted mail that was\r\n"
                  "accepted and could not be delivered, or of a program that sends from an\r\n"
                  "address that does not exist.\r\n");
}

static void what_can_be_done_depends_on_the_status(void **state)
{
    static const struct {
        const char *status;
        bool from_peer, expired;
        const char *words;
    } rows[] = {
        { "5.1.1", false, false, "Look for a spelling mistake in the address." },
        { "5.1.2", false, false, "Look for a spelling mistake behind the @: mail cannot be sent to" },
        { "5.1.8", true, false, "It is your own address that was not accepted by partner.example" },
        { "5.2.1", true, false, "but is closed at present" },
        { "4.2.2", true, true, "The mailbox at partner.example is full" },
        { "5.3.4", true, false, "The message is too large for partner.example" },
        { "5.4.6", false, false, "The message went in a circle." },
        { "5.6.7", false, false, "letters beyond a to z" },
        { "5.7.1", true, false, "The address may be right: the rules of partner.example refuse" },
        { "5.0.0", true, false, "The reason above was given by the mail server of partner.example" },
        { "4.4.1", false, true, "no host of partner.example answered for 3 hours; at the last try there" },
        { "4.4.3", false, true, "the mail servers of partner.example could not be found for 3 hours;" },
        { "4.3.0", true, true, "partner.example did not take it for 3 hours; at the last try the" },
        { "4.3.0", true, true, "If the address is right, partner.example has had a problem" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message_report_recipient rcpt = unknown;
        struct message_report r = about(MESSAGE_REPORT_FAILED, &rcpt, 1);
        rcpt.status = str_from_c(rows[i].status);
        rcpt.from_peer = rows[i].from_peer;
        rcpt.expired = rows[i].expired;
        rcpt.remote_mta = STR_NONE;
        rcpt.first_msec = AT(22, 6, 30);
        report_has(&r, false, rows[i].words);
    }
}

static void times_are_said_as_people_say_them(void **state)
{
    static const struct {
        int64_t first, last;
        uint32_t attempts;
        const char *words;
    } rows[] = {
        { AT(22, 9, 41), AT(22, 9, 41), 1, "It was tried once on 22 November at 09:41 (UTC) and" },
        { AT(22, 9, 41), AT(22, 9, 42), 2,
          "It was tried 2 times on 22 November from 09:41 to 09:42 (UTC) and" },
        { AT(22, 9, 41), AT(23, 9, 41), 2, "It was tried 2 times from 22 to 23 November and" },
        { AT(30, 9, 41), AT(34, 9, 41), 2, "It was tried 2 times from 30 November to 4 December and" },
        { AT(60, 9, 41), AT(63, 9, 41), 2,
          "It was tried 2 times from 30 December 2025 to 2 January 2026 and" },
        { 0, 0, 3, "It was tried 3 times and will not" },
        { 0, 0, 0, "\r\nIt will not be tried again.\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message_report_recipient rcpt = unknown;
        struct message_report r = about(MESSAGE_REPORT_FAILED, &rcpt, 1);
        rcpt.first_msec = rows[i].first;
        rcpt.last_msec = rows[i].last;
        rcpt.attempts = rows[i].attempts;
        report_has(&r, false, rows[i].words);
    }
}

/* C186, RFC 6533 3, 4. */
static void addresses_beyond_ascii_have_two_forms(void **state)
{
    struct message_report_recipient rcpt = null_mx;
    struct message_report r = about(MESSAGE_REPORT_FAILED, &rcpt, 1);

    (void)state;
    rcpt.address = STR("\xc3\xa4+=\xf0\x9f\x90\xb4@b\xc3\xbc"
                       "cher.example");
    report_has(&r, true, "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n");
    report_has(&r, true,
               "\r\nFinal-Recipient: utf-8; \\x{E4}\\x{2B}\\x{3D}\\x{1F434}@b\\x{FC}cher.example\r\n");
    report_has(&r, true, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n");
    r.utf8 = true;
    report_has(&r, true,
               "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n");
    report_has(&r, true,
               "\r\nFinal-Recipient: utf-8; \xc3\xa4+=\xf0\x9f\x90\xb4@b\xc3\xbc"
               "cher.example\r\n");
    rcpt.address = STR("\xc3@example.org");
    report_has(&r, false, "\r\nFinal-Recipient: rfc822; ?@example.org\r\n");
    rcpt.address = null_mx.address;
    r.utf8 = false;
    r.to = STR("\xc3\xa4@example.org");
    report_has(&r, true, "To: <\xc3\xa4@example.org>\r\n");
}

static void what_is_returned_depends_on_what_it_holds(void **state)
{
    static const struct {
        const char *header, *body;
        bool utf8, eight;
        const char *part;
    } rows[] = {
        { "A: b\r\n\r\n", "\xff\r\n", false, true,
          "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: b\r\n\r\n\xff\r\n" },
        { "A: b\r\n", "", false, false,
          "message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\n--" },
        { "A: b\r\n", "c", false, false,
          "message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\nc\r\n--" },
        { "A: b", "c", false, false,
          "message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\nc\r\n--" },
        { "A: \xc3\xa4\r\n\r\n", "c=\r\n", true, true,
          "message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: \xc3\xa4\r\n\r\nc=\r\n" },
        { "A: \xc3\xa4\r\n\r\n", "c=\r\n", false, false,
          "message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nA: =C3=A4\r\n\r\nc=3D\r\n" },
        { "A: \xff\r\n\r\n", "c\r\n", true, false,
          "text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nA: =FF\r\n\r\n--" },
        { "A: b\r\n\r\n", "bare\nLF\r\n", false, false,
          "text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\n--" },
        { "A: b\r\n\r\n", "bare\rCR\r\n", false, false,
          "text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\n--" },
        { "A: b\rc\r\n\r\n", "\r\n", false, false,
          "text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nA: b=0Dc\r\n\r\n--" },
        { "A: \xc3\xa4\n\r\n\r\n", "\r\n", true, false,
          "message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nA: "
          "=C3=A4=0A\r\n\r\n--" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message_report r = about(MESSAGE_REPORT_FAILED, &unknown, 1);
        char *header = exact_copy(str_from_c(rows[i].header)), *body = exact_copy(str_from_c(rows[i].body));
        r.header = str_of(header, strlen(rows[i].header));
        r.body = str_of(body, strlen(rows[i].body));
        r.utf8 = rows[i].utf8;
        report_has(&r, rows[i].eight, rows[i].part);
        free(header);
        free(body);
    }
}

static void lines_too_long_and_nul_are_not_returned(void **state)
{
    struct message_report r = about(MESSAGE_REPORT_FAILED, &unknown, 1);
    static char line[1001];

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line + 998, "\r\n", 2);
    r.body = str_of(line, 1000);
    report_has(&r, false, "Content-Type: message/rfc822\r\n");
    memcpy(line + 998, "x\r\n", 3);
    r.body = str_of(line, 1001);
    report_has(&r, false, "Content-Type: text/rfc822-headers\r\n");
    r.body = STR("a\0b\r\n");
    report_has(&r, false, "The header of your message is attached.");
    r.header = STR_NONE;
    report_lacks(&r, false, "attached");
    report_lacks(&r, false, "rfc822-headers");
}

/* C179: what is returned is that, and not a part of the report. */
static void the_boundary_stands_nowhere_else(void **state)
{
    struct message_report r = about(MESSAGE_REPORT_FAILED, &unknown, 1);

    (void)state;
    r.body = STR("--report-3591TJHR6EY3-0\r\n--report-3591TJHR6EY3-1--\r\n");
    report_has(&r, false, " boundary=\"report-3591TJHR6EY3-2\"\r\n");
}

/* Room is out at each octet in turn: told each time, and nothing is written beyond it. */
static void a_report_that_does_not_fit_is_none(void **state)
{
    const struct message_report_recipient all[] = { expired, unknown, null_mx };
    struct message_report r = about(MESSAGE_REPORT_FAILED, all, 3);
    struct buf whole = written(&r, false);
    bool eight;

    (void)state;
    for (size_t max = 0; max < whole.n; max += 7) {
        struct buf out = BUF_INIT(max);
        assert_false(message_report_write(&out, &r, &eight));
        buf_done(&out);
    }
    buf_done(&whole);
}

/* C240: what was asked for stands in the report about it, on a line of its own whatever it says. */
static void a_report_says_what_release_time_was_asked_for(void **state)
{
    (void)state;
    struct message_report_recipient r = { .address = STR("info@old.example"), .status = STR("5.1.1") };
    struct message_report report = about(MESSAGE_REPORT_FAILED, &r, 1);
    struct buf out = written(&report, false);

    assert_false(str_contains(buf_str(&out), STR("Future-Release-Request")));
    buf_done(&out);
    report.release_request = STR("until;2025-11-20T07:31:00Z\r\nX: y");
    out = written(&report, false);
    assert_true(str_contains(buf_str(&out), STR("07:31:00 +0000\r\nFuture-Release-Request: until;2025-11-20T07:31:00Z")));
    assert_false(str_contains(buf_str(&out), STR("\r\nX: y")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_from_its_first_line_to_its_last),
        cmocka_unit_test(several_failures_each_with_its_reason_and_advice),
        cmocka_unit_test(a_delay_asks_for_patience),
        cmocka_unit_test(the_postmaster_is_told_what_nobody_else_knows),
        cmocka_unit_test(many_of_them_are_a_list),
        cmocka_unit_test(what_can_be_done_depends_on_the_status),
        cmocka_unit_test(times_are_said_as_people_say_them),
        cmocka_unit_test(addresses_beyond_ascii_have_two_forms),
        cmocka_unit_test(what_is_returned_depends_on_what_it_holds),
        cmocka_unit_test(lines_too_long_and_nul_are_not_returned),
        cmocka_unit_test(the_boundary_stands_nowhere_else),
        cmocka_unit_test(a_report_that_does_not_fit_is_none),
        cmocka_unit_test(a_report_says_what_release_time_was_asked_for),
    };

    return cmocka_run_group_tests_name("message/report", tests, NULL, NULL);
}
