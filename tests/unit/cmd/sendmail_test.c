/* sendmail: its options, and what becomes of a message on standard input. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/sendmail/sendmail.h"
#include "cmd/sendmail/submission.h"
#include "io/fd.h"

/* ---- options ---- */

static bool options(struct sendmail_options *o, const char *line)
{
    static char room[512], *argv[32];
    int argc = 0;
    char *rest = room;

    snprintf(room, sizeof(room), "%s", line);
    while ((argv[argc] = strsep(&rest, " ")))
        argc++;
    return sendmail_options_read(argc, argv, o);
}

static void programs_call_it_in_their_own_ways(void **state)
{
    struct sendmail_options o;

    (void)state;
    /* cron, php, git, mutt, logwatch */
    assert_true(options(&o, "/usr/sbin/sendmail -FCronDaemon -i -odi -oem -oi -t -f root"));
    assert_true(o.extract && o.dots && o.n_recipients == 0 && o.mode == SENDMAIL_MESSAGE);
    assert_string_equal(o.name, "CronDaemon");
    assert_string_equal(o.sender, "root");
    assert_true(options(&o, "/usr/sbin/sendmail -t -i"));
    assert_true(options(&o, "sendmail -oem -oi -B8BITMIME -f a@b -- -x@y c@d"));
    assert_int_equal(o.n_recipients, 2);
    assert_string_equal(o.recipients[0], "-x@y");
    assert_string_equal(o.body, "8BITMIME");
    assert_true(options(&o, "sendmail ada -f bob"));
    assert_int_equal(o.n_recipients, 3);
    assert_true(options(&o, "sendmail -G -U -n -Am -O DeliveryMode=b -v ada"));
    assert_true(o.gateway && o.verbose && !o.dots);
    assert_true(options(&o, "sendmail -N never -R hdrs -V id ada"));
    assert_true(o.dsn);
}

static void each_mode_has_its_letter_and_some_their_name(void **state)
{
    static const struct {
        const char *line;
        enum sendmail_mode mode;
    } rows[] = {
        { "sendmail -bm", SENDMAIL_MESSAGE }, { "sendmail -bs", SENDMAIL_SMTP },
        { "sendmail -bp", SENDMAIL_MAILQ },   { "sendmail -bv x", SENDMAIL_VERIFY },
        { "sendmail -bi", SENDMAIL_ALIASES }, { "sendmail -q", SENDMAIL_FLUSH },
        { "/usr/bin/mailq", SENDMAIL_MAILQ }, { "newaliases", SENDMAIL_ALIASES },
    };
    static const char *const wrong[] = { "sendmail -bd", "sendmail -bD", "sendmail -bt",   "sendmail -b",
                                         "sendmail -Z",  "sendmail -f",  "sendmail -q15m", "sendmail -BX" };
    struct sendmail_options o;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(options(&o, rows[i].line));
        assert_int_equal(o.mode, rows[i].mode);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(options(&o, wrong[i]));
    assert_true(sendmail_is_name("/usr/lib/sendmail") && sendmail_is_name("mailq") && !sendmail_is_name("veredus"));
}

/* ---- a message ---- */

/* IN through a pipe, in pieces of PIECE octets, as read() may give them. */
static void read_message(struct submission *s, struct str in, size_t piece, bool dots)
{
    struct err err = { 0 };
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        for (; in.n; in = str_skip(in, piece))
            if (write(fds[1], in.p, in.n < piece ? in.n : piece) < 0)
                break;
        _exit(0);
    }
    close(fds[1]);
    assert_true(submission_read(s, fds[0], dots, &err));
    close(fds[0]);
}

static struct str finished(const struct submission *s, bool complete, struct buf *out)
{
    struct submission_completion c = {
        .add = complete,
        .remove_bcc = complete,
        .origin = STR("example.test"),
        .hostname = STR("mail.example.test"),
        .sender = STR("ada@example.test"),
        .name = STR("Ada \"A\" L\n"),
        .utc_msec = 1795340467000,
        .zone_minutes = 60,
        .unique = { 0xa, 0xb },
    };

    *out = BUF_INIT(1 << 20);
    assert_true(submission_write(s, &c, out));
    return buf_str(out);
}

static void assert_becomes(struct str in, bool dots, bool complete, struct str want)
{
    static const size_t pieces[] = { 1 << 16, 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct submission s;
        struct buf out;
        read_message(&s, in, pieces[i], dots);
        assert_str_is(finished(&s, complete, &out), want);
        buf_done(&out);
        submission_done(&s);
    }
}

static void line_ends_become_CRLF_however_they_come(void **state)
{
    (void)state;
    assert_becomes(STR("A: 1\nB: 2\r\n\r\nx\ry\r\rz\n\r\n"), false, false,
                   STR("A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n\r\nz\r\n\r\n"));
    assert_becomes(STR("A: 1\n\nno end"), false, false, STR("A: 1\r\n\r\nno end\r\n"));
    assert_becomes(STR(""), false, false, STR("\r\n"));
}

static void a_dot_alone_ends_it_or_not(void **state)
{
    (void)state;
    assert_becomes(STR("\nx\n.\ny\n"), false, false, STR("\r\nx\r\n"));
    assert_becomes(STR("\nx\n.\ny\n"), true, false, STR("\r\nx\r\n.\r\ny\r\n"));
    assert_becomes(STR("\nx\n."), false, false, STR("\r\nx\r\n"));
    assert_becomes(STR("\n..\n. \n.x"), false, false, STR("\r\n..\r\n. \r\n.x\r\n"));
}

static void what_is_no_field_begins_the_body(void **state)
{
    (void)state;
    assert_becomes(STR("just text\n"), false, false, STR("\r\njust text\r\n"));
    assert_becomes(STR("A: 1\n  folded\nnot a field\nB: 2\n"), false, false,
                   STR("A: 1\r\n  folded\r\n\r\nnot a field\r\nB: 2\r\n"));
    assert_becomes(STR(" folded: nothing\n"), false, false, STR("\r\n folded: nothing\r\n"));
    assert_becomes(STR("From root Sun Nov 22\nA: 1\n\nx\n"), false, false, STR("A: 1\r\n\r\nx\r\n"));
}

static void what_a_message_must_have_is_added_once(void **state)
{
    (void)state;
    assert_becomes(STR("Subject: x\n\ny\n"), false, true,
                   STR("From: \"Ada \\\"A\\\" L\" <ada@example.test>\r\n"
                       "Date: Sun, 22 Nov 2026 10:41:07 +0100\r\n"
                       "Message-ID: <a.b@mail.example.test>\r\nSubject: x\r\n\r\ny\r\n"));
    assert_becomes(STR("from: x@y\nDATE: now\nMessage-Id: <1@2>\n\ny\n"), false, true,
                   STR("from: x@y\r\nDATE: now\r\nMessage-Id: <1@2>\r\n\r\ny\r\n"));
}

#define COMPLETE "From: x@y\nDate: now\nMessage-ID: <1@2>\n"
#define COMPLETED "From: x@y\r\nDate: now\r\nMessage-ID: <1@2>\r\n"

static void bare_names_get_the_origin_and_nothing_else_is_touched(void **state)
{
    (void)state;
    assert_becomes(STR(COMPLETE "To: root (Cron),\n\t\"B, b\" <bob>, kim@x\nCC:ada\n\n"), false, true,
                   STR(COMPLETED "To: root@example.test (Cron),\r\n\t\"B, b\" <bob@example.test>, kim@x\r\n"
                                 "CC:ada@example.test\r\n\r\n"));
    assert_becomes(STR(COMPLETE "To: this is none <\nX-To: root\nReply-To: =?x?q?y?= <ada@x>\n\n"), false, true,
                   STR(COMPLETED "To: this is none <\r\nX-To: root\r\nReply-To: =?x?q?y?= <ada@x>\r\n\r\n"));
}

static void bcc_is_gone_with_all_its_lines(void **state)
{
    (void)state;
    assert_becomes(STR(COMPLETE "BCC: a@b,\n c@d\nTo: e@f\nbcc : g@h\n\n"), false, true,
                   STR(COMPLETED "To: e@f\r\n\r\n"));
}

static struct str recipients_of(struct submission *s, struct str in)
{
    struct submission_addresses list = { 0 };
    struct buf out = BUF_INIT(4096);
    struct err err = { 0 };

    read_message(s, in, 1 << 16, false);
    if (!submission_recipients(s, &list, &err)) {
        assert_int_equal(err.kind, ERR_PERM);
        return STR("error");
    }
    for (size_t i = 0; i < list.n; i++)
        buf_printf(&out, "%s%.*s@%.*s", i ? " " : "", STR_ARG(list.items[i].local), STR_ARG(list.items[i].domain));
    struct str text = arena_str(s->arena, buf_str(&out));
    buf_done(&out);
    return text;
}

/* C130 */
static void recipients_are_those_of_the_header_each_once(void **state)
{
    static const struct {
        struct str in, want;
    } rows[] = {
        { STR_INIT("To: a@b, c\nCc: d@e\nBcc: f@g\nFrom: x@y\n\nTo: no@body\n"), STR_INIT("a@b c@ d@e f@g") },
        { STR_INIT("To: a@b\nCc: a@B, A@b\nTo: h@i\n\n"), STR_INIT("a@b A@b h@i") },
        { STR_INIT("To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n"), STR_INIT("c@d e@f") },
        { STR_INIT("Resent-From: x@y\nTo: a@b\n\n"), STR_INIT("") },
        { STR_INIT("Subject: x\n\n"), STR_INIT("") },
        { STR_INIT("To: a@b\nCc: a b\n\n"), STR_INIT("error") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct submission s;
        assert_str_is(recipients_of(&s, rows[i].in), rows[i].want);
        submission_done(&s);
    }
}

/* RFC 5321 4.5.2. */
static void dots_are_stuffed_and_one_is_the_last(void **state)
{
    struct buf out = BUF_INIT(4096);

    (void)state;
    assert_true(submission_stuff(STR("a\r\n.\r\n..b\r\nc.\r\n"), &out));
    assert_str_is(buf_str(&out), STR("a\r\n..\r\n...b\r\nc.\r\n.\r\n"));
    buf_done(&out);
}

static void too_many_fields_are_refused(void **state)
{
    struct buf in = BUF_INIT(1 << 20);
    struct submission s;
    struct err err = { 0 };

    (void)state;
    for (int i = 0; i <= SUBMISSION_FIELDS_MAX; i++)
        buf_add(&in, STR("A: 1\n"));
    int fd = fd_sealed("message", buf_str(&in), &err);
    assert_true(fd >= 0);
    assert_false(submission_read(&s, fd, false, &err));
    assert_int_equal(err.kind, ERR_PERM);
    submission_done(&s);
    close(fd);
    buf_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_call_it_in_their_own_ways),
        cmocka_unit_test(each_mode_has_its_letter_and_some_their_name),
        cmocka_unit_test(line_ends_become_CRLF_however_they_come),
        cmocka_unit_test(a_dot_alone_ends_it_or_not),
        cmocka_unit_test(what_is_no_field_begins_the_body),
        cmocka_unit_test(what_a_message_must_have_is_added_once),
        cmocka_unit_test(bare_names_get_the_origin_and_nothing_else_is_touched),
        cmocka_unit_test(bcc_is_gone_with_all_its_lines),
        cmocka_unit_test(recipients_are_those_of_the_header_each_once),
        cmocka_unit_test(dots_are_stuffed_and_one_is_the_last),
        cmocka_unit_test(too_many_fields_are_refused),
    };

    return cmocka_run_group_tests_name("cmd/sendmail", tests, NULL, NULL);
}
