/* Sessions: limits, events, questions and what the owner may say to them (checklist groups 1 to 8, 19). */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/player.h"

#define HELLO "EHLO client.example.net\r\n"
#define MAIL  "MAIL FROM:<carol@example.net>\r\n"
#define RCPT  "RCPT TO:<ben@example.org>\r\n"
#define OPEN  HELLO MAIL RCPT
#define A10   "aaaaaaaaaa"
#define A50   A10 A10 A10 A10 A10
#define A64   A50 "aaaaaaaaaaaaaa"

/* C001 */
static void greeting_begins_with_our_name(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);

    (void)state;
    player_init(&p);
    smtp_server_greet(p.server, &out);
    assert_str_is(buf_str(&out), STR("220 mail.example.org ESMTP veredus\r\n"));
    buf_done(&out);
    player_done(&p);
}

/* C002, C003 */
static void refused_client_hears_554_then_503_until_quit(void **state)
{
    static const enum smtp_reply_name names[] = { SMTP_REPLY_GREETING_REFUSED, SMTP_REPLY_GREETING_NEVER };
    static const char *const codes[] = { "554", "521" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct player p = { 0 };
        player_init(&p);
        struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
        smtp_server_refuse(p.server, names[i], &(struct smtp_slots){ .client = STR("192.0.2.9") }, &out);
        assert_str_is(str_head(buf_str(&out), 3), str_from_c(codes[i]));
        buf_done(&out);
        player_expect_codes(&p, STR(OPEN "DATA\r\nNOOP\r\nFOO\r\n"), "503 503 503 503 503 503");
        /* C073: no status in a reply to EHLO, whatever it says. */
        player_expect(&p, STR(HELLO), STR("503 this host takes no mail from you; QUIT is all there is\r\n"));
        player_expect(&p, STR("NOOP\r\n"),
                      STR("503 5.5.1 this host takes no mail from you; QUIT is all there is\r\n"));
        player_expect_codes(&p, STR("QUIT\r\n"), "221");
        assert_true(p.closed);
        player_done(&p);
    }
}

/* C005, C006, C182, C184 */
static void ehlo_lists_what_works_and_helo_nothing(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_expect(&p, STR(HELLO),
                  STR("250-mail.example.org\r\n"
                      "250-SIZE 100000\r\n"
                      "250-PIPELINING\r\n"
                      "250-8BITMIME\r\n"
                      "250-ENHANCEDSTATUSCODES\r\n"
                      "250-SMTPUTF8\r\n"
                      "250-VRFY\r\n"
                      "250 HELP\r\n"));
    assert_str_is(smtp_server_client_name(p.server), STR("client.example.net"));
    assert_str_is(smtp_server_protocol(p.server), STR("ESMTP"));
    player_expect(&p, STR("HELO other.example.net\r\n"), STR("250 mail.example.org\r\n"));
    assert_str_is(smtp_server_client_name(p.server), STR("other.example.net"));
    assert_str_is(smtp_server_protocol(p.server), STR("SMTP"));
    /* C006: each keyword with a verb or a parameter works. */
    player_expect_codes(&p,
                        STR("VRFY ben@example.org\r\nHELP\r\nMAIL FROM:<> SIZE=1 BODY=8BITMIME SMTPUTF8\r\n"),
                        "250 214 250");
    assert_str_is(smtp_server_protocol(p.server), STR("UTF8SMTP"));
    player_done(&p);
}

/* C006, C047 */
static void each_built_verb_beyond_the_minimum_is_listed(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    smtp_server_offer_tls(p.server, true);
    smtp_server_offer_auth(p.server, STR("PLAIN"));
    player_play(&p, STR(HELLO "STARTTLS\r\n" HANDSHAKE HELLO));
    struct str ehlo = buf_str(&p.replies);
    for (int v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++) {
        const struct smtp_verb_row *row = smtp_verb_row((enum smtp_verb)v);
        bool minimum = v <= SMTP_VERB_VRFY;
        if (row->built && !minimum)
            assert_true(str_contains(ehlo, row->name));
        if (!row->built)
            assert_false(str_contains(ehlo, row->name));
    }
    player_done(&p);
}

/* C033 */
static void ehlo_check_is_a_choice(void **state)
{
    static const struct {
        enum smtp_ehlo_check check;
        const char *codes;
    } rows[] = {
        { SMTP_EHLO_OFF, "250 250 250 250 501" },
        { SMTP_EHLO_SYNTAX, "501 250 501 250 501" },
        { SMTP_EHLO_FQDN, "501 501 501 250 501" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        p.config.ehlo_check = rows[i].check;
        player_expect_codes(
            &p, STR("EHLO my_host.example\r\nEHLO localhost\r\nEHLO a b\r\nEHLO [192.0.2.1]\r\nEHLO\r\n"),
            rows[i].codes);
        player_done(&p);
    }
}

/* C025 */
static void strict_paths_have_brackets_and_no_blank(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.path_syntax = SMTP_PATH_STRICT;
    player_expect_codes(
        &p,
        STR(HELLO "MAIL FROM: <a@b.example>\r\nMAIL FROM:a@b.example\r\n" MAIL "RCPT TO: <a@b.example>\r\n"),
        "250 501 501 250 501");
    player_done(&p);
}

/* C044 */
static void vrfy_switched_off_says_252(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.vrfy = false;
    player_expect(&p, STR("VRFY ben@example.org\r\n"),
                  STR("252 2.0.0 not verified; send the message and see\r\n"));
    player_done(&p);
}

/* C045, C185 */
static void vrfy_and_replies_name_the_address(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_expect(&p, STR("VRFY <@a.example:\"ben\"@Example.org>\r\n"),
                  STR("250 2.1.5 <ben@example.org>\r\n"));
    player_expect(&p, STR("VRFY \xc3\xa4@example.org SMTPUTF8\r\n"),
                  STR("250 2.1.5 <\xc3\xa4@example.org>\r\n"));
    player_expect_codes(&p, STR(HELLO MAIL), "250 250");
    player_expect(&p, STR("RCPT TO:<no@example.org>\r\n"),
                  STR("550 5.1.1 no@example.org: no such mailbox\r\n"));
    player_expect(
        &p, STR("RCPT TO:<relay@example.com>\r\n"),
        STR("550 5.7.1 relay@example.com: this server relays for its own users only; log in on port 587 "
            "or 465\r\n"));
    /* In a transaction with SMTPUTF8 the address is shown; in one without it cannot even come. */
    player_expect_codes(&p, STR("RSET\r\nMAIL FROM:<> SMTPUTF8\r\n"), "250 250");
    player_expect(&p, STR("RCPT TO:<no\xc3\xa4@example.org>\r\n"),
                  STR("550 5.1.1 no\xc3\xa4@example.org: no such mailbox\r\n"));
    player_done(&p);
}

/* C027, C028 */
static void long_lines_get_500_and_the_session_lives(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    /* NOOP of 512 octets with CRLF passes, of 513 does not. */
    for (int extra = 0; extra < 2; extra++) {
        buf_clear(&in);
        buf_add_c(&in, "NOOP ");
        while (in.n < 510 + (size_t)extra)
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\n");
        player_expect_codes(&p, buf_str(&in), extra ? "500" : "250");
    }
    /* MAIL may be longer by what SIZE, BODY, SMTPUTF8, AUTH and FUTURERELEASE add. */
    player_expect_codes(&p, STR(HELLO), "250");
    for (int extra = 0; extra < 2; extra++) {
        buf_clear(&in);
        buf_add_c(&in, "MAIL FROM:<a@b.example> SIZE=");
        while (in.n < SMTP_MAIL_LINE_MAX - 2 + (size_t)extra)
            buf_add_char(&in, ' ');
        buf_add_c(&in, "\r\n");
        player_expect_codes(&p, buf_str(&in), extra ? "500" : "501");
    }
    /* A line of 60,000 octets is one error. */
    buf_clear(&in);
    while (in.n < 60000)
        buf_add_char(&in, 'y');
    buf_add_c(&in, "\r\nNOOP\r\n");
    player_expect_codes(&p, buf_str(&in), "500 250");
    assert_false(p.closed);
    /* One without end is not read for ever. */
    buf_clear(&in);
    while (in.n < 70000)
        buf_add_char(&in, 'z');
    player_expect_codes(&p, buf_str(&in), "421");
    assert_true(p.closed);
    buf_done(&in);
    player_done(&p);
}

/* C029 */
static void the_sizes_of_the_standard_are_taken(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_expect_codes(&p, STR(HELLO "MAIL FROM:<" A64 "@example.net>\r\n"), "250 250");
    /* A domain of 252 octets is the longest that fits a path of 256: a@ and brackets. */
    player_expect_codes(
        &p, STR("RCPT TO:<a@" A50 "." A50 "." A50 "." A50 "." A10 A10 A10 A10 ".aaaaaaa>\r\n"), "250");
    player_expect_codes(
        &p, STR("RCPT TO:<a@" A50 "." A50 "." A50 "." A50 "." A10 A10 A10 A10 ".aaaaaaaa>\r\n"), "501");
    player_expect_codes(&p, STR("RCPT TO:<a@" A64 ".example>\r\n"), "501");
    player_expect_codes(&p, STR("EHLO " A50 "." A50 "." A50 "." A50 "." A50 ".\r\n"), "501");
    player_expect_codes(&p, STR("EHLO " A50 "." A50 "." A50 "." A50 "." A50 "a\r\n" MAIL), "250 250");
    player_expect_codes(&p, STR("RCPT TO:<" A64 A64 "@example.org>\r\n"), "250");
    player_expect_codes(&p, STR("RCPT TO:<" A64 A64 A64 A64 "@example.org>\r\n"), "501");
    player_done(&p);
}

/* C041, C042 */
static void recipients_above_the_limit_get_452_and_the_rest_stay(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20), codes = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    for (int i = 0; i < 101; i++) {
        buf_printf(&in, "RCPT TO:<r%d@example.org>\r\n", i);
        buf_add_c(&codes, i < 100 ? "250 " : "452");
    }
    buf_add_char(&codes, '\0');
    player_expect_codes(&p, STR(HELLO MAIL), "250 250");
    player_expect_codes(&p, buf_str(&in), codes.p);
    player_expect_codes(&p, STR("DATA\r\n.\r\n"), "354 250");
    assert_true(str_contains(buf_str(&p.messages), STR("r99@example.org,:")));
    assert_false(str_contains(buf_str(&p.messages), STR("r100@")));
    buf_done(&in);
    buf_done(&codes);
    player_done(&p);
}

/* C057, C070, C077 */
static void owner_may_refuse_at_each_question(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.mail_reply = SMTP_REPLY_STORAGE_SHORT;
    player_expect_codes(&p, STR(HELLO MAIL RCPT), "250 452 503");
    p.mail_reply = SMTP_REPLY_NONE;
    p.data_reply = SMTP_REPLY_SYSTEM_FAILED;
    player_expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 451");
    /* The transaction is still there (C011: state is unchanged). */
    p.data_reply = SMTP_REPLY_NONE;
    p.commit_reply = SMTP_REPLY_SYSTEM_FAILED;
    player_expect_codes(&p, STR("DATA\r\n.\r\n"), "354 451");
    player_expect_codes(&p, STR(RCPT), "503");
    p.commit_reply = SMTP_REPLY_LOOP;
    player_expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 354");
    player_expect(&p, STR(".\r\n"), STR("554 5.4.6 the message has passed 101 hosts: a mail loop\r\n"));
    assert_int_equal(smtp_server_messages(p.server), 0);
    assert_int_equal(p.messages.n, 0);
    player_done(&p);
}

/* C078, C080 */
static void content_above_the_maximum_gets_552_and_is_not_kept(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    p.config.max_message_size = 1000;
    for (size_t size = 1000; size < 1003; size++) {
        player_expect_codes(&p, STR("EHLO a.example\r\nMAIL FROM:<> SIZE=1000\r\n" RCPT "DATA\r\n"),
                            "250 250 250 354");
        buf_clear(&in);
        for (size_t i = 0; i < size - 2; i++)
            buf_add_char(&in, i % 70 == 68 ? '\r' : i % 70 == 69 ? '\n' : '.');
        buf_add_c(&in, "\r\n.\r\n");
        /* Lines begin with a dot: one octet of each counts nothing. */
        size_t lines = (size - 2 + 69) / 70;
        player_expect_codes(&p, buf_str(&in), size - lines <= 1000 ? "250" : "552");
        assert_true(p.content.n <= 1000);
    }
    /* Exactly at the maximum, and one above. */
    for (size_t extra = 0; extra < 2; extra++) {
        player_expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 354");
        buf_clear(&in);
        while (in.n < 998 + extra)
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\n.\r\n");
        player_expect_codes(&p, buf_str(&in), extra ? "552" : "250");
        assert_int_equal(p.last_refused, extra ? SMTP_REPLY_CONTENT_TOO_BIG : SMTP_REPLY_NONE);
    }
    buf_done(&in);
    player_done(&p);
}

/* C053, C054 */
static void lines_are_never_cut(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    p.config.max_line_length = 2000;
    for (size_t n = 998; n <= 2002; n += 1002 / 2) {
        player_expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
        buf_clear(&in);
        buf_clear(&p.messages);
        while (in.n < n)
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\n");
        struct str line = buf_str(&in);
        size_t line_n = line.n;
        buf_add_c(&in, ".\r\n");
        player_expect_codes(&p, buf_str(&in), n <= 2000 ? "250" : "550");
        if (n <= 2000)
            assert_true(str_contains(buf_str(&p.messages), str_head(buf_str(&in), line_n)));
    }
    p.config.max_line_length = 65536;
    player_expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
    buf_clear(&in);
    while (in.n < 65536)
        buf_add_c(&in, "0123456789abcdef 0123456789abcdef 0123456789abcdef 0123456789ab\r\n");
    buf_add_c(&in, ".\r\n");
    player_expect_codes(&p, buf_str(&in), "250");
    buf_done(&in);
    player_done(&p);
}

/* C050 */
static void refusal_names_the_line_and_the_cure(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
    player_expect(
        &p, STR("hello\n.\r\n\r\n.\r\n"),
        STR("550 5.6.0 line 1 of the message ends in a bare LF; SMTP lines end in CRLF (curl: --crlf)\r\n"));
    player_expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 354");
    player_expect(&p, STR("one\r\ntwo\rthree\r\n.\r\n"),
                  STR("550 5.6.0 line 2 of the message holds a bare CR; SMTP lines end in CRLF\r\n"));
    player_done(&p);
}

/* C049, C050 */
static void repaired_newlines_end_no_data_either(void **state)
{
    static const struct {
        struct str in, out;
    } rows[] = {
        { STR_INIT("a\n.\nb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\n.\r\nb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\r\n.\nb\r\n.\r\n"), STR_INIT("a\r\n\r\nb\r\n") },
        { STR_INIT("a\r.\rb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\r.\r\nb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\r\n.\rb\r\n.\r\n"), STR_INIT("a\r\n\r\nb\r\n") },
        { STR_INIT("a\r\r\n.\r\n"), STR_INIT("a\r\n\r\n") },
        { STR_INIT("a\n\r\n.\r\n"), STR_INIT("a\r\n\r\n") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        p.config.bare_newlines = SMTP_NEWLINES_REPAIR;
        player_expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
        player_expect_codes(&p, rows[i].in, "250");
        assert_str_is(buf_str(&p.content), rows[i].out);
        player_done(&p);
    }
}

/* C082, C083 */
static void one_segment_of_commands_is_one_send(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_play(&p, STR(HELLO));
    p.sends = 0;
    player_expect_codes(&p, STR(MAIL RCPT RCPT "DATA\r\n"), "250 250 250 354");
    assert_int_equal(p.sends, 1);
    player_expect_codes(&p, STR("x\r\n.\r\n" MAIL RCPT "DATA\r\n"), "250 250 250 354");
    assert_int_equal(p.sends, 2);
    /* Replies to NOOP, VRFY, EHLO and unknown commands do not wait for what follows. */
    player_expect_codes(&p, STR(".\r\nNOOP\r\nVRFY x\r\nFOO\r\nRSET\r\nRSET\r\n"), "250 250 252 500 250 250");
    assert_int_equal(p.sends, 6);
    player_done(&p);
}

static void replies_in_hand_are_bounded(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20), codes = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    for (int i = 0; i < 10000; i++) {
        buf_add_c(&in, "RSET\r\n");
        buf_add_c(&codes, i ? " 250" : "250");
    }
    buf_add_char(&codes, '\0');
    player_expect_codes(&p, buf_str(&in), codes.p);
    buf_done(&in);
    buf_done(&codes);
    player_done(&p);
}

static void errors_are_counted_delayed_and_end_the_session(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.max_errors = 4;
    player_expect_codes(&p, STR("FOO\r\nFOO\r\nNOOP\r\nFOO\r\nFOO\r\n"), "500 500 250 500 500");
    /* After a quarter, that is one, each reply waits. */
    assert_str_is(buf_str(&p.events), STR("!F!DD!D!D"));
    assert_int_equal(smtp_server_errors(p.server), 4);
    player_expect_codes(&p, STR(HELLO MAIL), "250 250");
    player_expect(&p, STR("FOO\r\nNOOP\r\n"),
                  STR("421 4.7.0 more than 4 errors in one session; closing\r\n"));
    assert_true(p.closed);
    assert_int_equal(p.close_reply, SMTP_REPLY_TOO_MANY_ERRORS);
    player_done(&p);
}

static void messages_above_the_limit_get_421(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.max_messages = 2;
    player_expect_codes(&p, STR(OPEN "DATA\r\n.\r\n" MAIL RCPT "DATA\r\n.\r\nNOOP\r\n"),
                        "250 250 250 354 250 250 250 354 250 250");
    player_expect(&p, STR(MAIL "NOOP\r\n"),
                  STR("421 4.7.0 2 messages were taken in this session; open another\r\n"));
    assert_int_equal(p.close_reply, SMTP_REPLY_TOO_MANY_MESSAGES);
    assert_int_equal(smtp_server_messages(p.server), 2);
    player_done(&p);
}

static void an_owner_that_says_421_closes(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.mail_reply = SMTP_REPLY_LIMIT_CLOSE;
    player_expect_codes(&p, STR(HELLO MAIL "NOOP\r\n"), "250 421");
    assert_str_is(buf_str(&p.events), STR("FmX"));
    player_done(&p);
}

/* C018 */
static void goodbye_is_said_at_any_time(void **state)
{
    static const struct str before[] = { STR_INIT(""), STR_INIT(HELLO), STR_INIT(OPEN),
                                         STR_INIT(OPEN "DATA\r\nhalf"), STR_INIT("QUI") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct player p = { 0 };
        player_init(&p);
        struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
        player_play(&p, before[i]);
        smtp_server_goodbye(p.server, SMTP_REPLY_SHUTDOWN, NULL, &out);
        assert_str_is(buf_str(&out),
                      STR("421 4.3.2 mail.example.org is being restarted; try again later\r\n"));
        assert_null(smtp_server_transaction(p.server));
        player_expect(&p, STR("NOOP\r\n"), STR(""));
        assert_true(p.closed);
        assert_int_equal(p.close_reply, SMTP_REPLY_SHUTDOWN);
        buf_done(&out);
        player_done(&p);
    }
}

static void goodbye_while_a_question_is_open(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_play(&p, STR(HELLO));
    smtp_server_next(p.server, STR(MAIL), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_ASK_MAIL);
    smtp_server_goodbye(p.server, SMTP_REPLY_TIMEOUT, NULL, &out);
    smtp_server_next(p.server, STR_NONE, &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_CLOSE);
    buf_done(&out);
    player_done(&p);
}

static void a_verdict_of_somebody_else_is_said_if_it_is_sane(void **state)
{
    static const struct {
        struct smtp_reply reply;
        const char *said;
    } rows[] = {
        { { 550, STR_INIT("5.1.6"), STR_INIT("moved {id}\xff\r\n") }, "550 5.1.6 moved {id}?\r\n" },
        { { 450, STR_INIT("4.7.1"), STR_INIT("later") }, "450 4.7.1 later\r\n" },
        { { 250, STR_INIT("2.1.5"), STR_INIT("fine") }, "250 2.1.5 fine\r\n" },
        { { 550, STR_INIT("4.1.1"), STR_INIT("crossed") },
          "451 4.3.0 a failure of this system; try again later\r\n" },
        { { 354, STR_INIT(""), STR_INIT("no") }, "451 4.3.0 a failure of this system; try again later\r\n" },
        { { 100, STR_INIT(""), STR_INIT("no") }, "451 4.3.0 a failure of this system; try again later\r\n" },
        { { 600, STR_INIT(""), STR_INIT("no") }, "451 4.3.0 a failure of this system; try again later\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
        struct smtp_event ev;
        size_t used;
        player_play(&p, STR(HELLO MAIL));
        smtp_server_next(p.server, STR(RCPT), &used, &out, &ev);
        assert_int_equal(ev.kind, SMTP_EVENT_ASK_RCPT);
        smtp_server_answer_with(p.server, &rows[i].reply, NULL, &out);
        assert_str_is(buf_str(&out), str_from_c(rows[i].said));
        assert_int_equal(smtp_server_transaction(p.server)->recipients, rows[i].said[0] == '2');
        buf_done(&out);
        player_done(&p);
    }
}

static void refusals_of_the_machine_are_told_with_their_command(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_play(&p, STR(HELLO));
    smtp_server_next(p.server, STR("MAIL FROM:<a@b.example> FOO\r\nNOOP\r\n"), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_REFUSED);
    assert_int_equal(ev.verb, SMTP_VERB_MAIL);
    assert_int_equal(ev.reply, SMTP_REPLY_PARAMETER_UNKNOWN);
    assert_str_is(ev.argument, STR("FROM:<a@b.example> FOO"));
    assert_str_is(ev.slots.text, STR("FOO"));
    assert_null(ev.path);
    assert_false(ev.at_end_of_data);
    assert_str_is(buf_str(&out), STR("555 5.5.4 parameter FOO is not known here\r\n"));
    player_play(&p, STR(MAIL));
    smtp_server_next(p.server, STR("RCPT TO:<\xc3\xa4@example.org>\r\n"), &used, &out, &ev);
    assert_int_equal(ev.reply, SMTP_REPLY_RECIPIENT_UTF8);
    assert_str_is(ev.path->local, STR("\xc3\xa4"));
    buf_done(&out);
    player_done(&p);
}

static void lost_replies_close_the_session(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(8); /* too small for any reply */
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    smtp_server_next(p.server, STR("NOOP\r\nNOOP\r\n"), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_CLOSE);
    assert_int_equal(used, 6);
    buf_done(&out);
    player_done(&p);
}

/* C066 */
static void transactions_follow_the_session_as_it_was(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_play(&p, STR("HELO a.example\r\n" MAIL RCPT "DATA\r\n.\r\n"));
    assert_string_equal(p.protocol, "SMTP");
    player_play(&p, STR("EHLO a.example\r\n" MAIL RCPT "DATA\r\n.\r\n"));
    assert_string_equal(p.protocol, "ESMTP");
    player_play(&p, STR("MAIL FROM:<> SMTPUTF8\r\n" RCPT "DATA\r\n.\r\n"));
    assert_string_equal(p.protocol, "UTF8SMTP");
    player_done(&p);
}

/* C048 */
static void help_lists_all_verbs_served(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_expect(&p, STR("HELP\r\n"),
                  STR("214-2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP\r\n"
                      "214 2.0.0 HELP and one of these tells how it is written\r\n"));
    player_expect(&p, STR("HELP rcpt\r\n"), STR("214 2.0.0 RCPT TO:<address>\r\n"));
    player_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greeting_begins_with_our_name),
        cmocka_unit_test(refused_client_hears_554_then_503_until_quit),
        cmocka_unit_test(ehlo_lists_what_works_and_helo_nothing),
        cmocka_unit_test(each_built_verb_beyond_the_minimum_is_listed),
        cmocka_unit_test(ehlo_check_is_a_choice),
        cmocka_unit_test(strict_paths_have_brackets_and_no_blank),
        cmocka_unit_test(vrfy_switched_off_says_252),
        cmocka_unit_test(vrfy_and_replies_name_the_address),
        cmocka_unit_test(long_lines_get_500_and_the_session_lives),
        cmocka_unit_test(the_sizes_of_the_standard_are_taken),
        cmocka_unit_test(recipients_above_the_limit_get_452_and_the_rest_stay),
        cmocka_unit_test(owner_may_refuse_at_each_question),
        cmocka_unit_test(content_above_the_maximum_gets_552_and_is_not_kept),
        cmocka_unit_test(lines_are_never_cut),
        cmocka_unit_test(refusal_names_the_line_and_the_cure),
        cmocka_unit_test(repaired_newlines_end_no_data_either),
        cmocka_unit_test(one_segment_of_commands_is_one_send),
        cmocka_unit_test(replies_in_hand_are_bounded),
        cmocka_unit_test(errors_are_counted_delayed_and_end_the_session),
        cmocka_unit_test(messages_above_the_limit_get_421),
        cmocka_unit_test(an_owner_that_says_421_closes),
        cmocka_unit_test(goodbye_is_said_at_any_time),
        cmocka_unit_test(goodbye_while_a_question_is_open),
        cmocka_unit_test(a_verdict_of_somebody_else_is_said_if_it_is_sane),
        cmocka_unit_test(refusals_of_the_machine_are_told_with_their_command),
        cmocka_unit_test(lost_replies_close_the_session),
        cmocka_unit_test(transactions_follow_the_session_as_it_was),
        cmocka_unit_test(help_lists_all_verbs_served),
    };

    return cmocka_run_group_tests_name("smtp/server", tests, NULL, NULL);
}
